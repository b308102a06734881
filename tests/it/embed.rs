//! A loop inside another program: the host sleeps in its own poll, on the runtime's fd.

#![cfg(not(mio_unsupported_force_poll_poll))]

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::{Runtime, call_later, call_soon, sleep, spawn};

use crate::support::{DEADLINE, is_readable, within};

const ZERO: Option<Duration> = Some(Duration::ZERO);

/// Sleeps as a host would: on the fd, and no longer than the loop allows.
fn host_sleep(rt: &Runtime) {
    let left = rt.next_timeout().unwrap_or(DEADLINE).min(DEADLINE);
    // A host whose poll counts in milliseconds rounds up.
    is_readable(rt.as_raw_fd(), left + Duration::from_micros(999));
}

/// Turns as a host would, until `done`.
#[track_caller]
fn host(rt: &mut Runtime, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < DEADLINE, "the host slept through it");
        rt.turn(ZERO).unwrap();
        if !done() {
            host_sleep(rt);
        }
    }
}

#[test]
fn the_fd_is_quiet_when_nothing_is_there() {
    let mut rt = Runtime::new().unwrap();
    assert_eq!(rt.as_fd().as_raw_fd(), rt.as_raw_fd());
    rt.run_until_stalled().unwrap();
    assert!(!is_readable(rt.as_raw_fd(), Duration::ZERO));
    // And again after the bell has rung and was heard.
    rt.handle().call(|| ()).unwrap();
    assert!(is_readable(rt.as_raw_fd(), Duration::ZERO));
    rt.run_until_stalled().unwrap();
    assert!(!is_readable(rt.as_raw_fd(), Duration::ZERO), "it was heard");
    assert_eq!(rt.stats().callbacks, 1);
}

#[test]
fn a_post_from_another_thread_wakes_a_host_that_sleeps() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (handle, fd) = (rt.handle(), rt.as_raw_fd());
        let (sender, asks) = mpsc::channel::<()>();
        let poster = thread::spawn(move || {
            let mut posts = 0;
            while asks.recv_timeout(DEADLINE).is_ok() {
                handle.call(|| ()).unwrap();
                posts += 1;
            }
            posts
        });
        for round in 1..=200 {
            // The host is asleep, or about to be, when the post comes.
            sender.send(()).unwrap();
            assert!(is_readable(fd, DEADLINE), "round {round}");
            rt.turn(ZERO).unwrap();
            // The turn may only have heard the bell: the next gathers what was posted.
            while rt.next_timeout() == ZERO {
                rt.turn(ZERO).unwrap();
            }
            assert_eq!(rt.stats().callbacks, round);
        }
        drop(sender);
        assert_eq!(poster.join().unwrap(), 200);
    });
}

#[test]
fn a_post_before_the_first_turn_is_seen() {
    let mut rt = Runtime::new().unwrap();
    rt.handle().call(|| ()).unwrap();
    assert!(is_readable(rt.as_raw_fd(), Duration::ZERO) || rt.next_timeout() == ZERO);
    rt.run_until_stalled().unwrap();
    assert_eq!(rt.stats().callbacks, 1);
}

#[test]
fn a_wake_between_turns_is_seen() {
    let mut rt = Runtime::new().unwrap();
    let polls = Rc::new(Cell::new(0));
    let (count, kept) = (Rc::clone(&polls), Rc::new(std::cell::RefCell::new(None)));
    let hold = Rc::clone(&kept);
    rt.spawn(std::future::poll_fn(move |cx| {
        count.set(count.get() + 1);
        *hold.borrow_mut() = Some(cx.waker().clone());
        std::task::Poll::<()>::Pending
    }))
    .detach();
    rt.run_until_stalled().unwrap();
    let waker: std::task::Waker = kept.take().unwrap();
    // Nothing is entered: the wake takes the way of other threads.
    waker.wake();
    assert!(
        is_readable(rt.as_raw_fd(), Duration::ZERO),
        "a host asleep would be woken"
    );
    rt.run_until_stalled().unwrap();
    assert_eq!(polls.get(), 2);
}

#[test]
fn a_socket_wakes_a_host_that_sleeps() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (address, server) = {
            let _entered = rt.enter();
            let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = spawn(async move {
                let (mut stream, _): (TcpStream, _) = listener.accept().await.unwrap();
                let mut buf = [0; 64];
                loop {
                    match stream.read(&mut buf).await.unwrap() {
                        0 => break,
                        count => stream.write_all(&buf[..count]).await.unwrap(),
                    }
                }
            });
            (address, server)
        };
        let client = thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            for round in 0..200_u32 {
                stream.write_all(&round.to_be_bytes()).unwrap();
                let mut back = [0; 4];
                stream.read_exact(&mut back).unwrap();
                assert_eq!(u32::from_be_bytes(back), round);
            }
        });
        host(&mut rt, || server.is_finished());
        client.join().unwrap();
        assert_eq!(rt.stats().sources, 0);
    });
}

#[test]
fn next_timeout_tells_a_host_of_its_timers() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (fired, slept) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
        {
            let _entered = rt.enter();
            for ms in [1, 3, 70, 130] {
                let fired = Rc::clone(&fired);
                let _timer = call_later(Duration::from_millis(ms), move || {
                    fired.set(fired.get() + 1)
                });
            }
            let slept = Rc::clone(&slept);
            spawn(async move {
                sleep(Duration::from_millis(10)).await;
                slept.set(true);
            })
            .detach();
        }
        host(&mut rt, || fired.get() == 4 && slept.get());
        // It slept between them: a look or two a timer and level, not one a millisecond.
        assert!(rt.stats().turns < 60, "{} turns", rt.stats().turns);
        assert_eq!(rt.next_timeout(), None);
    });
}

#[test]
fn work_handed_in_between_turns_is_told() {
    let mut rt = Runtime::new().unwrap();
    rt.run_until_stalled().unwrap();
    let task = rt.spawn(async {});
    assert_eq!(rt.next_timeout(), ZERO);
    rt.run_until_stalled().unwrap();
    assert!(task.is_finished());
    let entered = rt.enter();
    call_soon(|| ());
    drop(entered);
    assert_eq!(rt.next_timeout(), ZERO);
    rt.run_until_stalled().unwrap();
    assert_eq!(rt.next_timeout(), None);
}
