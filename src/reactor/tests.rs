//! The reactor, with real sockets and no loop.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(not(mio_unsupported_force_poll_poll))]
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::reactor::Reactor;
use super::source::{Direction, PeerState, Source};
use super::token::{BELL, HALF_MAX, Token};

const DEADLINE: Duration = Duration::from_secs(30);

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type Socket = RefCell<mio::net::TcpStream>;

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    client.set_nodelay(true).unwrap();
    (client, server)
}

/// A registered socket, and its blocking peer.
fn watched(reactor: &Reactor) -> (Rc<Source>, Socket, TcpStream) {
    let (peer, stream) = pair();
    stream.set_nonblocking(true).unwrap();
    let mut io = mio::net::TcpStream::from_std(stream);
    let source = reactor.register(&mut io, false).unwrap();
    (source, RefCell::new(io), peer)
}

fn poll(
    reactor: &Reactor,
    source: &Source,
    direction: Direction,
    io: &Socket,
    waker: &Waker,
) -> bool {
    let cx = Context::from_waker(waker);
    match reactor.poll_ready(source, direction, io, &cx) {
        Poll::Ready(result) => {
            result.unwrap();
            true
        }
        Poll::Pending => false,
    }
}

/// Parks until `wanted` wakers have been collected, and wakes them.
#[track_caller]
fn park_for(reactor: &Reactor, wanted: usize) {
    let began = Instant::now();
    let mut wakers = Vec::new();
    while wakers.len() < wanted {
        assert!(
            began.elapsed() < DEADLINE,
            "{} of {wanted} wakers came",
            wakers.len()
        );
        reactor
            .park(Some(Duration::from_millis(20)), &mut wakers)
            .unwrap();
    }
    assert_eq!(wakers.len(), wanted);
    wakers.into_iter().for_each(Waker::wake);
}

#[test]
fn a_token_survives_the_way_through_mio_and_is_never_the_bell() {
    for index in [0, 1, HALF_MAX - 1] {
        for generation in [0, 1, HALF_MAX - 1] {
            let token = Token { index, generation };
            let outside = mio::Token::from(token);
            assert_eq!(Token::from(outside), token);
            assert_ne!(outside, BELL);
        }
    }
}

#[test]
fn readiness_is_remembered_until_it_is_cleared() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(!poll(&reactor, &source, Direction::Read, &io, &waker));
    peer.write_all(b"tick").unwrap();
    park_for(&reactor, 1);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(poll(&reactor, &source, Direction::Read, &io, &waker));
    assert!(
        poll(&reactor, &source, Direction::Read, &io, &waker),
        "asking does not use it up"
    );
    // Read dry, as `net` does: poll(2) arms an fd again only when mio sees it would block.
    while io.borrow_mut().read(&mut [0; 8]).is_ok() {}
    reactor.clear_ready(&source, Direction::Read);
    assert!(!poll(&reactor, &source, Direction::Read, &io, &waker));
    peer.write_all(b"tock").unwrap();
    park_for(&reactor, 1);
    assert_eq!(count.0.load(Ordering::SeqCst), 2);
}

#[test]
fn a_short_read_clears_and_a_full_one_does_not() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    let waker = Waker::noop();
    assert!(!poll(&reactor, &source, Direction::Read, &io, waker));
    peer.write_all(b"tick").unwrap();
    park_for(&reactor, 1);
    for (moved, wanted, still) in [(4, 4, true), (0, 4, true)] {
        reactor.note_moved(&source, Direction::Read, &io, moved, wanted);
        let ready = poll(&reactor, &source, Direction::Read, &io, waker);
        assert_eq!(ready, still, "{moved} of {wanted}");
    }
    assert_eq!(io.borrow_mut().read(&mut [0; 8]).unwrap(), 4);
    reactor.note_moved(&source, Direction::Read, &io, 4, 8);
    assert!(!poll(&reactor, &source, Direction::Read, &io, waker));
    // No operation would have blocked, and yet what comes next is told: also on poll(2).
    peer.write_all(b"tock").unwrap();
    park_for(&reactor, 1);
    assert!(poll(&reactor, &source, Direction::Read, &io, waker));
}

#[test]
fn a_short_read_after_the_peers_end_stays_ready() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    let waker = Waker::noop();
    assert!(!poll(&reactor, &source, Direction::Read, &io, waker));
    peer.write_all(b"last").unwrap();
    drop(peer);
    // The data and the end may come as one event or as two.
    let began = Instant::now();
    while reactor.poll_peer(&source, &io, &Context::from_waker(waker)) == PeerState::Open {
        assert!(began.elapsed() < DEADLINE);
        reactor
            .park(Some(Duration::from_millis(20)), &mut Vec::new())
            .unwrap();
    }
    let mut buf = [0; 64];
    let moved = io.borrow_mut().read(&mut buf).unwrap();
    reactor.note_moved(&source, Direction::Read, &io, moved, buf.len());
    assert!(
        poll(&reactor, &source, Direction::Read, &io, waker),
        "the end is still to be read"
    );
    assert_eq!(io.borrow_mut().read(&mut buf).unwrap(), 0);
}

#[test]
fn a_writer_is_watched_only_after_the_first_short_write() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(
        poll(&reactor, &source, Direction::Write, &io, &waker),
        "tried before it is asked for"
    );
    let block = [0; 64 * 1024];
    let mut sent = 0;
    loop {
        match io.borrow_mut().write(&block) {
            Ok(moved) => sent += moved,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    reactor.clear_ready(&source, Direction::Write);
    assert!(!poll(&reactor, &source, Direction::Write, &io, &waker));
    let reader = thread::spawn(move || {
        let mut taken = vec![0; sent];
        peer.read_exact(&mut taken).unwrap();
        peer
    });
    park_for(&reactor, 1);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(poll(&reactor, &source, Direction::Write, &io, &waker));
    drop(reader.join().unwrap());
}

#[test]
fn reader_and_writer_are_woken_apart() {
    let reactor = Reactor::new().unwrap();
    let (source, io, peer) = watched(&reactor);
    reactor.clear_ready(&source, Direction::Write);
    let counts = [0, 1].map(|_| Arc::new(Count::default()));
    let [reads, writes] = counts
        .each_ref()
        .map(|count| Waker::from(Arc::clone(count)));
    assert!(!poll(&reactor, &source, Direction::Read, &io, &reads));
    // Arming it reports at once that there is room.
    assert!(!poll(&reactor, &source, Direction::Write, &io, &writes));
    park_for(&reactor, 1);
    peer.shutdown(Shutdown::Write).unwrap();
    park_for(&reactor, 1);
    assert_eq!(counts.map(|count| count.0.load(Ordering::SeqCst)), [1, 1]);
    assert!(poll(&reactor, &source, Direction::Read, &io, &reads));
}

/// With a copy of the fd open, the kernel goes on to report a source that was forgotten.
#[test]
#[cfg(not(mio_unsupported_force_poll_poll))]
fn late_readiness_reaches_nobody_and_is_counted() {
    let reactor = Reactor::new().unwrap();
    let (old, io, mut peer) = watched(&reactor);
    let copy = io.borrow().as_fd().try_clone_to_owned().unwrap();
    reactor.forget(&old, &mut *io.borrow_mut());
    drop(io);
    let (source, next, _next_peer) = watched(&reactor);
    assert_eq!(
        mio::Token::from(source.token).0 as u32,
        mio::Token::from(old.token).0 as u32,
        "the same place"
    );
    assert_ne!(source.token, old.token);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    assert!(!poll(&reactor, &source, Direction::Read, &next, &waker));
    peer.write_all(b"late").unwrap();
    let began = Instant::now();
    let mut wakers = Vec::new();
    while reactor.counts().1 == 0 {
        assert!(began.elapsed() < DEADLINE, "the late event never came");
        reactor
            .park(Some(Duration::from_millis(20)), &mut wakers)
            .unwrap();
    }
    assert!(wakers.is_empty());
    assert!(!poll(&reactor, &source, Direction::Read, &next, &waker));
    assert_eq!(reactor.counts().0, 1);
    // And on the way down: forgetting the old one again does not hit the new one.
    let mut copy = mio::net::TcpStream::from_std(TcpStream::from(copy));
    reactor.forget(&old, &mut copy);
    assert_eq!(reactor.counts().0, 1);
}

#[test]
fn a_place_used_again_gets_a_generation_it_never_had() {
    let reactor = Reactor::new().unwrap();
    let mut seen = Vec::new();
    for _ in 0..50 {
        let (source, io, _peer) = watched(&reactor);
        assert!(!seen.contains(&source.token));
        seen.push(source.token);
        reactor.forget(&source, &mut *io.borrow_mut());
    }
    assert_eq!(reactor.counts().0, 0);
}

#[test]
fn a_released_source_lives_on_without_the_reactor() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    assert!(!poll(
        &reactor,
        &source,
        Direction::Read,
        &io,
        Waker::noop()
    ));
    reactor.release(&source, &mut *io.borrow_mut()).unwrap();
    peer.write_all(b"x").unwrap();
    let mut buf = [0];
    let began = Instant::now();
    while io.borrow_mut().read(&mut buf).is_err() {
        assert!(began.elapsed() < DEADLINE);
        thread::yield_now();
    }
    let mut wakers = Vec::new();
    reactor.park(Some(Duration::ZERO), &mut wakers).unwrap();
    assert_eq!(
        (wakers.len(), reactor.counts()),
        (0, (0, 0)),
        "the kernel was told"
    );
}

#[test]
fn a_replaced_or_forgotten_waker_may_use_the_reactor_when_dropped() {
    struct UsesReactor;
    impl Wake for UsesReactor {
        fn wake(self: Arc<Self>) {}
    }
    thread_local! {
        static REACTOR: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
    }
    impl Drop for UsesReactor {
        fn drop(&mut self) {
            let reactor = REACTOR.with_borrow(|reactor| reactor.clone().unwrap());
            let (source, io, _peer) = watched(&reactor);
            assert!(!poll(
                &reactor,
                &source,
                Direction::Read,
                &io,
                Waker::noop()
            ));
            reactor.forget(&source, &mut *io.borrow_mut());
        }
    }
    let reactor = Rc::new(Reactor::new().unwrap());
    REACTOR.set(Some(Rc::clone(&reactor)));
    let (source, io, _peer) = watched(&reactor);
    for _ in 0..2 {
        let waker = Waker::from(Arc::new(UsesReactor));
        assert!(!poll(&reactor, &source, Direction::Read, &io, &waker));
    }
    let waker = Waker::from(Arc::new(UsesReactor));
    reactor.poll_peer(&source, &io, &Context::from_waker(&waker));
    drop(waker);
    reactor.forget(&source, &mut *io.borrow_mut());
    assert_eq!(reactor.counts().0, 0);
}

#[test]
fn the_peers_state_is_told_without_reading() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let state = || reactor.poll_peer(&source, &io, &Context::from_waker(&waker));
    assert_eq!(state(), PeerState::Open);
    peer.write_all(b"x").unwrap();
    park_for(&reactor, 1);
    assert_eq!(state(), PeerState::Open, "data is no end");
    peer.shutdown(Shutdown::Write).unwrap();
    park_for(&reactor, 1);
    assert_eq!(state(), PeerState::HalfClosed);
    // Unread data at the peer makes its close a reset.
    io.borrow_mut().write_all(b"unread").unwrap();
    thread::spawn(move || while peer.peek(&mut [0; 6]).unwrap() < 6 {})
        .join()
        .unwrap();
    park_for(&reactor, 1);
    assert_eq!(state(), PeerState::Gone);
}

#[test]
fn the_bell_rouses_a_park_and_is_not_lost_before_one() {
    let reactor = Reactor::new().unwrap();
    let bell = reactor.bell();
    bell();
    let began = Instant::now();
    let mut wakers = Vec::new();
    reactor.park(Some(DEADLINE), &mut wakers).unwrap();
    let ringer = thread::spawn(bell);
    reactor.park(Some(DEADLINE), &mut wakers).unwrap();
    ringer.join().unwrap();
    assert!(began.elapsed() < DEADLINE && wakers.is_empty());
    assert_eq!(reactor.counts(), (0, 0), "the bell is no late event");
}

#[test]
fn a_park_sleeps_its_time_and_a_zero_one_not_at_all() {
    let reactor = Reactor::new().unwrap();
    let mut wakers = Vec::new();
    let began = Instant::now();
    reactor
        .park(Some(Duration::from_millis(30)), &mut wakers)
        .unwrap();
    assert!(began.elapsed() >= Duration::from_millis(30));
    let began = Instant::now();
    reactor.park(Some(Duration::ZERO), &mut wakers).unwrap();
    assert!(began.elapsed() < DEADLINE);
    // A time that no millisecond count holds neither fails nor ends at once.
    let bell = reactor.bell();
    let ringer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        bell();
    });
    let began = Instant::now();
    reactor
        .park(
            Some(Duration::from_millis(u64::from(u32::MAX) + 2)),
            &mut wakers,
        )
        .unwrap();
    assert!(
        began.elapsed() >= Duration::from_millis(30),
        "it was cut to a few milliseconds"
    );
    ringer.join().unwrap();
}

#[test]
fn the_reserve_is_lent_and_taken_back() {
    let reactor = Reactor::new().unwrap();
    for _ in 0..3 {
        let lent = reactor.lend_reserve(|| Err(io::Error::other("as the borrower said")));
        assert_eq!(lent.unwrap_err().to_string(), "as the borrower said");
        reactor.lend_reserve(|| Ok(())).unwrap();
    }
}

#[test]
fn a_record_used_again_knows_nothing_of_before() {
    let reactor = Reactor::new().unwrap();
    let (source, io, mut peer) = watched(&reactor);
    let waker = Waker::from(Arc::new(Count::default()));
    assert!(!poll(&reactor, &source, Direction::Read, &io, &waker));
    peer.write_all(b"x").unwrap();
    drop(peer);
    park_for(&reactor, 1);
    assert!(poll(&reactor, &source, Direction::Read, &io, &waker));
    reactor.clear_ready(&source, Direction::Write);
    reactor.forget(&source, &mut *io.borrow_mut());
    let (other, other_io, _other_peer) = watched(&reactor);
    assert!(!Rc::ptr_eq(&source, &other), "it is held still");
    reactor.forget(&other, &mut *other_io.borrow_mut());
    let before = Rc::as_ptr(&other);
    drop(other);
    let (again, io, _peer) = watched(&reactor);
    assert_eq!(Rc::as_ptr(&again), before);
    assert!(!poll(&reactor, &again, Direction::Read, &io, &waker));
    assert!(poll(&reactor, &again, Direction::Write, &io, &waker));
    assert!(reactor.forget(&again, &mut *io.borrow_mut()));
    assert!(!reactor.forget(&again, &mut *io.borrow_mut()));
}
