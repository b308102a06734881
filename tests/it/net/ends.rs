//! How connections end: resets, reused descriptors, late events.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

use tourbillon::net::PeerState;

use super::*;
use crate::support::{Foreign, caught, default_sigpipe, duplicate, in_child};

/// Closes with a reset.
fn reset(peer: std::net::TcpStream) {
    let stream = TcpStream::from_std(peer).unwrap();
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[test]
fn a_reset_is_an_error_for_reader_and_writer() {
    block_on(|| async {
        let (mut stream, peer) = with_std();
        let waiting = spawn(async move {
            let error = stream.read(&mut [0; 8]).await.unwrap_err();
            (stream, error.kind())
        });
        yield_now().await;
        reset(peer);
        let (mut stream, kind) = timeout(PATIENCE, waiting).await.expect("not told").unwrap();
        assert_eq!(kind, ErrorKind::ConnectionReset);
        let kind = stream.write(b"x").await.unwrap_err().kind();
        assert!(
            matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset),
            "{kind:?}"
        );

        // A writer that waits for room is told as well.
        let (mut stream, peer) = with_std();
        let block = vec![0; 256 * 1024];
        while timeout(MOMENT, stream.write(&block)).await.is_ok() {}
        reset(peer);
        let error = timeout(PATIENCE, stream.write_all(&block))
            .await
            .expect("not told");
        assert!(error.is_err());
    });
}

#[test]
fn the_peers_state_is_told_without_reading() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        let mut state = async |wanted: PeerState| {
            let reached = poll_fn(|cx| match stream.poll_peer(cx) {
                now if now == wanted => Poll::Ready(()),
                _ => Poll::Pending,
            });
            timeout(PATIENCE, reached)
                .await
                .unwrap_or_else(|_| panic!("never {wanted:?}"));
        };
        state(PeerState::Open).await;
        peer.write_all(b"data").unwrap();
        state(PeerState::Open).await;
        peer.shutdown(Shutdown::Write).unwrap();
        state(PeerState::HalfClosed).await;
        reset(peer);
        state(PeerState::Gone).await;
    });
}

/// Two sockets become ready in one visit to the kernel. The first to be told closes the second
/// and opens others in its place, with its fd and its place in the slab.
#[test]
fn readiness_of_a_closed_socket_reaches_no_other() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async {
            for round in 0..50 {
                let mut sockets: Vec<_> = (0..4).map(|_| with_std()).collect();
                let wakers: Vec<_> = (0..4).map(|_| Foreign::counting()).collect();
                for ((stream, _), count) in sockets.iter_mut().zip(&wakers) {
                    let waker = Waker::from(Arc::clone(count));
                    let mut cx = Context::from_waker(&waker);
                    assert!(stream.poll_read(&mut cx, &mut [0]).is_pending());
                }
                for (_, peer) in &mut sockets {
                    peer.write_all(b"old").unwrap();
                }
                // The events are in the kernel; their sockets go, and others come with their fds.
                let old_fds: Vec<_> = sockets
                    .iter()
                    .map(|(stream, _)| stream.as_raw_fd())
                    .collect();
                let copies: Vec<_> = match round % 2 {
                    0 => Vec::new(),
                    _ => old_fds.iter().map(|&fd| duplicate(fd)).collect(),
                };
                let peers: Vec<_> = sockets.into_iter().map(|(_, peer)| peer).collect();
                let (mut new, mut new_peer) = with_std();
                let told = Foreign::counting();
                let waker = Waker::from(Arc::clone(&told));
                let mut cx = Context::from_waker(&waker);
                assert!(new.poll_read(&mut cx, &mut [0; 8]).is_pending());
                sleep(Duration::from_millis(2)).await;
                assert_eq!(told.count(), 0, "round {round}: woken by a stranger's data");
                assert!(new.poll_read(&mut cx, &mut [0; 8]).is_pending());
                assert!(wakers.iter().all(|count| count.count() == 0));
                new_peer.write_all(b"new").unwrap();
                let mut buf = [0; 3];
                timeout(PATIENCE, new.read_exact(&mut buf))
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(&buf, b"new");
                drop((copies, peers));
            }
        });
        assert_eq!(rt.stats().sources, 0);
        if !cfg!(mio_unsupported_force_poll_poll) {
            assert!(
                rt.stats().late_events > 0,
                "with copies open, events do come late"
            );
        }
    });
}

#[test]
fn one_task_closes_what_another_was_about_to_read() {
    block_on(|| async {
        for _ in 0..50 {
            let shared: Rc<RefCell<Vec<TcpStream>>> = Rc::default();
            let (first, mut first_peer) = with_std();
            let (second, mut second_peer) = with_std();
            *shared.borrow_mut() = vec![first, second];
            let ended = Rc::new(Cell::new(0));
            for me in 0..2_usize {
                let (shared, ended) = (Rc::clone(&shared), Rc::clone(&ended));
                spawn(poll_fn(move |cx| {
                    let mut sockets = shared.borrow_mut();
                    let Some(stream) = sockets.get_mut(me) else {
                        ended.set(ended.get() + 1);
                        return Poll::Ready(());
                    };
                    let mut buf = [0; 8];
                    match stream.poll_read(cx, &mut buf) {
                        Poll::Ready(result) => assert_eq!(result.unwrap(), 3),
                        Poll::Pending => return Poll::Pending,
                    }
                    // Whoever is first closes both; the other is polled for an event of its own.
                    sockets.clear();
                    ended.set(ended.get() + 1);
                    Poll::Ready(())
                }))
                .detach();
            }
            yield_now().await;
            first_peer.write_all(b"one").unwrap();
            second_peer.write_all(b"two").unwrap();
            timeout(PATIENCE, async {
                while ended.get() < 2 {
                    sleep(Duration::from_millis(1)).await;
                }
            })
            .await
            .expect("a reader was never told");
        }
    });
}

#[test]
fn foreign_wakers_are_told_of_sockets() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        let [first, second] = [(); 2].map(|()| Foreign::counting());
        for count in [&first, &second] {
            let waker = Waker::from(Arc::clone(count));
            assert!(
                stream
                    .poll_read(&mut Context::from_waker(&waker), &mut [0])
                    .is_pending()
            );
        }
        assert_eq!(
            Arc::strong_count(&first),
            1,
            "the last one polled is the one that waits"
        );
        peer.write_all(b"x").unwrap();
        timeout(PATIENCE, async {
            while second.count() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!((first.count(), second.count()), (0, 1));
    });
}

#[test]
fn a_waker_of_a_socket_that_panics_harms_nobody() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let drops = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&drops);
        let waker = Foreign::waker(
            || panic!("a socket's waker"),
            move || {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("a waker's drop");
            },
        );
        rt.block_on(async {
            let (mut stream, mut peer) = with_std();
            assert!(
                stream
                    .poll_read(&mut Context::from_waker(&waker), &mut [0])
                    .is_pending()
            );
            peer.write_all(b"x").unwrap();
            let (mut other, mut other_peer) = with_std();
            other_peer.write_all(b"y").unwrap();
            timeout(PATIENCE, other.read_exact(&mut [0]))
                .await
                .unwrap()
                .unwrap();
            sleep(Duration::from_millis(2)).await;
            timeout(PATIENCE, stream.read_exact(&mut [0]))
                .await
                .unwrap()
                .unwrap();
        });
        assert_eq!(rt.stats().panics, 1);
        assert!(caught(|| drop(waker)).is_err());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    });
}

/// Once a fault: `write_vectored` is writev(2), which raises SIGPIPE. Rust programs ignore it,
/// but a host in another language need not. What `write` sends has std's flag against it.
#[test]
fn a_vectored_write_to_a_closed_peer_raises_no_signal() {
    let name = "net::ends::a_vectored_write_to_a_closed_peer_raises_no_signal";
    let ended = in_child(name, || {
        default_sigpipe();
        Runtime::new().unwrap().block_on(async {
            let (mut stream, peer) = with_std();
            drop(peer);
            let block = [IoSlice::new(b"x"), IoSlice::new(b"y")];
            let refused = async {
                while stream.write_vectored(&block).await.is_ok() {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(PATIENCE, refused).await.expect("nobody reads it");
            println!("survived");
        });
    });
    if let Some((status, output)) = ended {
        assert!(output.contains("survived"), "{status}: {output}");
    }
}
