//! Callbacks for descriptors: how often, until when, and what they may do.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use tourbillon::{FdWatch, Interest, Ready, Runtime, watch_fd};

use crate::support::{Folder, HomeGuard, OnDrop, collect_logs, logged_here, turn_until, within};

const MOMENT: Duration = Duration::from_millis(20);

fn sockets() -> (UnixStream, Rc<UnixStream>) {
    let (one, other) = UnixStream::pair().unwrap();
    other.set_nonblocking(true).unwrap();
    (one, Rc::new(other))
}

/// A count that callbacks add to.
type Count = Rc<Cell<usize>>;

fn add(count: &Count) {
    count.set(count.get() + 1);
}

/// Turns for a while in which nothing should happen; says how often it turned.
fn idle(rt: &mut Runtime) -> usize {
    let until = std::time::Instant::now() + MOMENT;
    let mut turns = 0;
    while std::time::Instant::now() < until {
        rt.turn(Some(MOMENT)).unwrap();
        turns += 1;
    }
    turns
}

/// Runs a test in a runtime that is entered, plain and shuffled, and sees that nothing is left.
#[track_caller]
fn with_runtime(test: impl Fn(&mut Runtime) + Send + 'static) {
    within(move || {
        for shuffled in [false, true] {
            let builder = match shuffled {
                false => Runtime::builder(),
                true => Runtime::builder().shuffle_ready_queue(11),
            };
            let mut rt = builder.build().unwrap();
            let guard = rt.enter();
            test(&mut rt);
            idle(&mut rt);
            assert_eq!(rt.stats().sources, 0, "something is still watched");
            drop(guard);
        }
    });
}

/// Watches a socket and reads `at_once` bytes in each call.
fn reader(socket: &Rc<UnixStream>, at_once: usize, calls: &Count) -> FdWatch {
    let (reads, calls) = (Rc::clone(socket), Rc::clone(calls));
    watch_fd(Rc::clone(socket), Interest::READABLE, move |ready| {
        add(&calls);
        assert!(ready.is_readable(), "{ready:?}");
        let _ = (&*reads).read(&mut vec![0; at_once]);
    })
    .unwrap()
}

#[test]
fn it_is_called_once_a_turn_while_something_is_left_and_never_without() {
    with_runtime(|rt| {
        let (mut peer, socket) = sockets();
        let calls = Count::default();
        peer.write_all(b"before").unwrap();
        let watch = reader(&socket, 1, &calls);
        assert_eq!(calls.get(), 0, "called where it was asked for");
        let mut last = 0;
        turn_until(rt, || {
            let now = calls.get();
            assert!(now - last <= 1, "twice in a turn");
            last = now;
            now == 6
        });
        // Level, and no spin: drained, it is silent, and the loop sleeps.
        let turns = idle(rt);
        assert_eq!(calls.get(), 6);
        assert!(turns < 5, "{turns} turns without a reason");
        // Edge: each byte that comes later is told, however it comes.
        for round in 7..50 {
            peer.write_all(b"x").unwrap();
            turn_until(rt, || calls.get() == round);
        }
        idle(rt);
        assert_eq!(calls.get(), 49);
        watch.cancel();
        peer.write_all(b"x").unwrap();
        idle(rt);
        assert_eq!(calls.get(), 49, "called after it was cancelled");
    });
}

#[test]
fn one_that_reads_nothing_is_called_in_turn_after_turn_and_starves_nobody() {
    with_runtime(|rt| {
        let (mut peer, socket) = sockets();
        let (lazy, timers) = (Count::default(), Count::default());
        let watch = reader(&socket, 0, &lazy);
        peer.write_all(b"unread").unwrap();
        let fired = Rc::clone(&timers);
        let _timer = tourbillon::call_later(MOMENT, move || add(&fired));
        turn_until(rt, || timers.get() == 1 && lazy.get() > 20);
        assert!(watch.is_active());
        let before = lazy.get();
        let polls = rt.stats().polls;
        turn_until(rt, || lazy.get() == before + 10);
        assert_eq!(rt.stats().polls - polls, 10, "each poll is a call");
        drop(watch);
    });
}

#[test]
fn a_hang_up_is_readable_and_stays_so() {
    with_runtime(|rt| {
        let (peer, socket) = sockets();
        let (calls, seen) = (Count::default(), Rc::new(Cell::new(Ready::default())));
        let (count, says) = (Rc::clone(&calls), Rc::clone(&seen));
        let watch = watch_fd(socket, Interest::READABLE, move |ready| {
            add(&count);
            says.set(ready);
        })
        .unwrap();
        drop(peer);
        turn_until(rt, || calls.get() >= 5);
        let ready = seen.get();
        assert!(ready.is_readable() && ready.is_read_closed(), "{ready:?}");
        drop(watch);
        // Half a hang-up, too.
        let (peer, socket) = sockets();
        let says = Rc::clone(&seen);
        let watch = watch_fd(socket, Interest::READABLE, move |ready| says.set(ready)).unwrap();
        seen.set(Ready::default());
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        turn_until(rt, || seen.get().is_read_closed());
        assert!(!seen.get().is_write_closed());
        drop(watch);
    });
}

#[test]
fn a_writer_is_called_while_there_is_room_and_told_that_nobody_reads() {
    with_runtime(|rt| {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let copy = UnixStream::from(OwnedFd::from(writer.try_clone().unwrap()));
        copy.set_nonblocking(true).unwrap();
        let (calls, sent) = (Count::default(), Count::default());
        let seen = Rc::new(Cell::new(Ready::default()));
        let (count, bytes, says) = (Rc::clone(&calls), Rc::clone(&sent), Rc::clone(&seen));
        let watch = watch_fd(
            writer.try_clone().unwrap(),
            Interest::WRITABLE,
            move |ready| {
                assert!(
                    ready.is_writable() && !ready.is_readable() || ready.is_error(),
                    "{ready:?}"
                );
                add(&count);
                says.set(ready);
                bytes.set(bytes.get() + (&writer).write(&[1; 4096]).unwrap_or(0));
            },
        )
        .unwrap();
        turn_until(rt, || sent.get() >= 65_536 || calls.get() > 100);
        idle(rt);
        let full = calls.get();
        let turns = idle(rt);
        assert_eq!(calls.get(), full, "called without room");
        assert!(turns < 5, "{turns} turns");
        reader.read_exact(&mut vec![0; sent.get()]).unwrap();
        turn_until(rt, || calls.get() > full);
        drop(reader);
        turn_until(rt, || seen.get().is_error() && seen.get().is_write_closed());
        drop((watch, copy));
    });
}

#[test]
fn both_directions_come_in_one_call() {
    with_runtime(|rt| {
        let (mut peer, socket) = sockets();
        peer.write_all(b"x").unwrap();
        let both = Rc::new(Cell::new(false));
        let seen = Rc::clone(&both);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let watch = watch_fd(socket, interest, move |ready| {
            seen.set(ready.is_readable() && ready.is_writable());
        })
        .unwrap();
        turn_until(rt, || both.get());
        drop(watch);
    });
}

#[test]
fn a_callback_may_end_its_own_watch_and_anothers() {
    with_runtime(|rt| {
        let watches: Rc<RefCell<Vec<FdWatch>>> = Rc::default();
        let (calls, dropped) = (Count::default(), Count::default());
        let mut peers = Vec::new();
        for _ in 0..4 {
            let (mut peer, socket) = sockets();
            peer.write_all(b"x").unwrap();
            peers.push(peer);
            let (count, all, gone) = (Rc::clone(&calls), Rc::clone(&watches), Rc::clone(&dropped));
            let last = OnDrop(move || add(&gone));
            let watch = watch_fd(socket, Interest::READABLE, move |_| {
                let _last = &last;
                add(&count);
                // All four are ready in this turn, and all are ended by the first.
                drop(all.take());
                add(&count);
            });
            watches.borrow_mut().push(watch.unwrap());
        }
        turn_until(rt, || calls.get() > 0);
        idle(rt);
        assert_eq!(calls.get(), 2, "one call, to its end");
        assert_eq!((rt.stats().sources, dropped.get()), (0, 4));
        assert_eq!(rt.stats().tasks_alive, 0);
    });
}

#[test]
fn a_callback_that_panics_ends_its_watch_and_no_other() {
    with_runtime(|rt| {
        collect_logs();
        let (mut peer, socket) = sockets();
        let weak = Rc::downgrade(&socket);
        let watch = watch_fd(socket, Interest::READABLE, |_| panic!("the third wheel")).unwrap();
        let (mut other_peer, other) = sockets();
        let calls = Count::default();
        let other = reader(&other, 8, &calls);
        peer.write_all(b"x").unwrap();
        turn_until(rt, || !watch.is_active());
        assert_eq!(rt.stats().panics, 1);
        assert!(weak.upgrade().is_none(), "what was watched is still held");
        let log = logged_here()
            .into_iter()
            .rfind(|line| line.contains("the third wheel"));
        assert!(
            log.unwrap().contains("fd_watch.rs"),
            "the log names the place"
        );
        other_peer.write_all(b"x").unwrap();
        turn_until(rt, || calls.get() == 1);
        assert_eq!(rt.stats().panics, 1);
        drop((watch, other));
    });
}

#[test]
fn what_panics_when_dropped_harms_nobody() {
    with_runtime(|rt| {
        struct Spring(UnixStream);
        impl std::os::fd::AsFd for Spring {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.0.as_fd()
            }
        }
        impl Drop for Spring {
            fn drop(&mut self) {
                panic!("a spring");
            }
        }
        for calls_panic in [false, true] {
            let (mut peer, socket) = UnixStream::pair().unwrap();
            let spring = OnDrop(|| panic!("another spring"));
            let watch = watch_fd(Spring(socket), Interest::READABLE, move |_| {
                let _spring = &spring;
                assert!(!calls_panic, "and the callback");
            })
            .unwrap();
            if calls_panic {
                peer.write_all(b"x").unwrap();
                turn_until(rt, || !watch.is_active());
            }
            drop(watch);
        }
        idle(rt);
        assert_eq!(rt.stats().panics, 5);
    });
}

/// Cancelled means that the kernel has let go, before the number is another's.
#[test]
fn a_number_that_is_used_again_is_not_watched() {
    with_runtime(|rt| {
        let (mut peer, socket) = sockets();
        let calls = Count::default();
        let watch = reader(&socket, 1, &calls);
        let copy = socket.try_clone().unwrap();
        let fd = socket.as_raw_fd();
        rt.turn(Some(Duration::ZERO)).unwrap();
        // It is ready, and the loop may know it.
        peer.write_all(b"xyz").unwrap();
        drop((watch, socket));
        let (mut new_peer, new) = sockets();
        let reused = new.as_raw_fd() == fd || new_peer.as_raw_fd() == fd;
        let new_calls = Count::default();
        let watch = reader(&new, 1, &new_calls);
        idle(rt);
        assert_eq!((calls.get(), new_calls.get()), (0, 0), "reused: {reused}");
        assert_eq!(
            rt.stats().late_events,
            0,
            "with a copy open, the kernel would go on"
        );
        new_peer.write_all(b"!").unwrap();
        turn_until(rt, || new_calls.get() == 1);
        drop((watch, copy));
    });
}

#[test]
fn the_runtimes_end_is_the_watchs_end_on_the_same_thread() {
    within(|| {
        let (astray, dropped) = Default::default();
        let mut rt = Runtime::new().unwrap();
        let guard = rt.enter();
        let (mut peer, socket) = sockets();
        let held = HomeGuard::new(&astray, &dropped);
        let watch = watch_fd(Rc::clone(&socket), Interest::READABLE, move |_| {
            let _held = &held;
        })
        .unwrap();
        peer.write_all(b"x").unwrap();
        rt.turn(Some(MOMENT)).unwrap();
        drop(guard);
        let report = rt.shutdown();
        assert_eq!(report.tasks_dropped, 1);
        assert!(!watch.is_active());
        assert_eq!(Rc::strong_count(&socket), 1);
        drop(watch);
        let count = |of: &std::sync::Arc<std::sync::atomic::AtomicUsize>| {
            of.load(std::sync::atomic::Ordering::SeqCst)
        };
        assert_eq!((count(&astray), count(&dropped)), (0, 1));
    });
}

/// What a host that embeds the loop has: a counter, and news of a folder.
#[test]
#[cfg(target_os = "linux")]
fn a_hosts_event_counter_and_folder_events_are_heard() {
    with_runtime(|rt| {
        let folder = Folder::new();
        std::fs::create_dir(folder.path("watched")).unwrap();
        let counter = Rc::new(crate::support::event_counter());
        let events = Rc::new(crate::support::folder_events(&folder.path("watched")));
        let heard: Rc<RefCell<Vec<&str>>> = Rc::default();
        let mut watches = Vec::new();
        for (word, file) in [("counter", &counter), ("events", &events)] {
            let (heard, reads) = (Rc::clone(&heard), Rc::clone(file));
            let watch = watch_fd(Rc::clone(file), Interest::READABLE, move |_| {
                assert!((&*reads).read(&mut [0; 512]).unwrap() > 0);
                heard.borrow_mut().push(word);
            });
            watches.push(watch.unwrap());
        }
        for round in 0..20 {
            (&*counter).write_all(&1_u64.to_ne_bytes()).unwrap();
            turn_until(rt, || heard.borrow().len() == 2 * round + 1);
            std::fs::write(folder.path(&format!("watched/{round}")), "").unwrap();
            turn_until(rt, || heard.borrow().len() == 2 * round + 2);
        }
        idle(rt);
        let heard = heard.take();
        assert_eq!(heard, ["counter", "events"].repeat(20));
        drop(watches);
    });
}

/// One loop inside another: a runtime is a descriptor, too.
#[test]
#[cfg(not(mio_unsupported_force_poll_poll))]
fn a_loop_is_turned_by_another_that_watches_it() {
    use std::os::fd::AsFd;

    with_runtime(|outer| {
        let guest = Rc::new(RefCell::new(Runtime::new().unwrap()));
        let (mut peer, socket) = sockets();
        let calls = Count::default();
        let entered = guest.borrow().enter();
        let inner_watch = reader(&socket, 8, &calls);
        drop(entered);
        guest.borrow_mut().turn(Some(Duration::ZERO)).unwrap();
        let fd: OwnedFd = guest.borrow().as_fd().try_clone_to_owned().unwrap();
        let turned = Rc::clone(&guest);
        let watch = watch_fd(fd, Interest::READABLE, move |_| {
            let mut guest = turned.borrow_mut();
            guest.turn(Some(Duration::ZERO)).unwrap();
            guest.turn(Some(Duration::ZERO)).unwrap();
        })
        .unwrap();
        for round in 1..20 {
            peer.write_all(b"x").unwrap();
            turn_until(outer, || calls.get() == round);
        }
        drop((watch, inner_watch));
    });
}
