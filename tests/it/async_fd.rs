//! Descriptors of somebody else's making, awaited.

use std::fs::File;
use std::future::poll_fn;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tourbillon::{AsyncFd, Interest, Runtime, sleep, spawn, timeout, yield_now};

use crate::support::{block_on, block_on_both, closed_descriptor, duplicate, within};

const MOMENT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(20);

/// A pipe whose reading end does not block.
fn pipe() -> (AsyncFd<PipeReader>, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    unblock(&reader);
    (AsyncFd::new(reader).unwrap(), writer)
}

/// A socket would do it by itself; for pipes std has no word.
fn unblock(fd: &impl AsFd) {
    let copy = fd.as_fd().try_clone_to_owned().unwrap();
    UnixStream::from(copy).set_nonblocking(true).unwrap();
}

fn sockets() -> (UnixStream, UnixStream) {
    let (one, other) = UnixStream::pair().unwrap();
    other.set_nonblocking(true).unwrap();
    (one, other)
}

#[test]
fn a_pipe_is_read_when_something_comes_and_at_its_end() {
    block_on_both(|| async {
        let (reader, mut writer) = pipe();
        let reading = spawn(async move {
            let mut got = Vec::new();
            let mut buf = [0; 3];
            loop {
                match reader
                    .read_with(|mut pipe| pipe.read(&mut buf))
                    .await
                    .unwrap()
                {
                    0 => break got,
                    count => got.extend_from_slice(&buf[..count]),
                }
            }
        });
        for part in ["balance ", "wheel"] {
            yield_now().await;
            assert!(!reading.is_finished());
            writer.write_all(part.as_bytes()).unwrap();
        }
        drop(writer);
        let got = timeout(PATIENCE, reading)
            .await
            .expect("the end was not told");
        assert_eq!(got.unwrap(), b"balance wheel");
    });
}

#[test]
fn readiness_is_what_the_kernel_says_and_stays_until_it_would_block() {
    block_on_both(|| async {
        let (mut peer, socket) = sockets();
        let socket = AsyncFd::new(socket).unwrap();
        timeout(PATIENCE, socket.writable())
            .await
            .expect("there is room")
            .unwrap();
        assert!(
            timeout(MOMENT, socket.readable()).await.is_err(),
            "nothing was assumed"
        );
        peer.write_all(b"xy").unwrap();
        for _ in 0..2 {
            timeout(PATIENCE, socket.readable()).await.unwrap().unwrap();
        }
        let read = || socket.try_io(Interest::READABLE, |mut io| io.read(&mut [0]));
        assert_eq!(read().unwrap(), 1);
        timeout(PATIENCE, socket.readable())
            .await
            .expect("one is left")
            .unwrap();
        assert_eq!(read().unwrap(), 1);
        assert_eq!(read().unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(timeout(MOMENT, socket.readable()).await.is_err());
        peer.write_all(b"z").unwrap();
        timeout(PATIENCE, socket.readable())
            .await
            .expect("the edge was lost")
            .unwrap();
    });
}

#[test]
fn what_was_there_before_is_told_and_so_is_what_is_left() {
    block_on_both(|| async {
        let (mut peer, socket) = sockets();
        peer.write_all(b"early").unwrap();
        let socket = AsyncFd::with_interest(socket, Interest::READABLE).unwrap();
        timeout(PATIENCE, socket.readable())
            .await
            .expect("unannounced")
            .unwrap();
        // Read by other means, and not to the end.
        assert_eq!(socket.get_ref().read(&mut [0; 2]).unwrap(), 2);
        socket.clear_ready(Interest::READABLE).unwrap();
        timeout(PATIENCE, socket.readable())
            .await
            .expect("three are left")
            .unwrap();
        assert_eq!(socket.get_ref().read(&mut [0; 9]).unwrap(), 3);
        socket.clear_ready(Interest::READABLE).unwrap();
        assert!(timeout(MOMENT, socket.readable()).await.is_err());
        // The other direction is watched as soon as somebody waits for it.
        timeout(PATIENCE, socket.writable())
            .await
            .expect("never asked")
            .unwrap();
    });
}

#[test]
fn a_writing_end_waits_for_room_and_learns_that_nobody_reads() {
    block_on_both(|| async {
        let (mut reader, writer) = std::io::pipe().unwrap();
        unblock(&writer);
        let writer = AsyncFd::with_interest(writer, Interest::WRITABLE).unwrap();
        let block = [7; 4096];
        let mut sent = 0;
        while let Ok(count) = writer.try_io(Interest::WRITABLE, |mut pipe| pipe.write(&block)) {
            sent += count;
        }
        let writer = Rc::new(writer);
        let shared = Rc::clone(&writer);
        let writing = spawn(async move { shared.write_with(|mut pipe| pipe.write(&block)).await });
        sleep(MOMENT).await;
        assert!(!writing.is_finished(), "there was room");
        reader.read_exact(&mut vec![0; sent]).unwrap();
        let count = timeout(PATIENCE, writing)
            .await
            .expect("not told of the room");
        assert_eq!(count.unwrap().unwrap(), 4096);
        while writer
            .try_io(Interest::WRITABLE, |mut pipe| pipe.write(&block))
            .is_ok()
        {}
        let waiting = Rc::clone(&writer);
        let waiting = spawn(async move { waiting.write_with(|mut pipe| pipe.write(&block)).await });
        yield_now().await;
        drop(reader);
        let error = timeout(PATIENCE, waiting)
            .await
            .expect("not told of the end");
        assert_eq!(error.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_regular_file_is_refused_with_the_remedy() {
    block_on(|| async {
        let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        match AsyncFd::new(file) {
            // poll(2) and kqueue have them always ready.
            Ok(file) => {
                let polls = cfg!(mio_unsupported_force_poll_poll);
                assert!(polls || std::env::consts::OS != "linux");
                timeout(PATIENCE, file.readable()).await.unwrap().unwrap();
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PermissionDenied);
                assert!(error.to_string().contains("use spawn_blocking"), "{error}");
            }
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_descriptor_is_watched_once_and_must_be_open() {
    within(|| {
        let rt = Runtime::new().unwrap();
        let _guard = rt.enter();
        let (_peer, socket) = sockets();
        let socket = Rc::new(socket);
        let first = AsyncFd::new(Rc::clone(&socket)).unwrap();
        let error = AsyncFd::new(Rc::clone(&socket)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(
            error.to_string().contains("watch a duplicate of it"),
            "{error}"
        );
        let second = AsyncFd::new(duplicate(socket.as_raw_fd())).unwrap();
        assert_eq!(rt.stats().sources, 2);
        drop((first, second));
        assert_eq!(rt.stats().sources, 0);
        drop(AsyncFd::new(Rc::clone(&socket)).unwrap());
        // poll(2) would find out at its next call only.
        if !cfg!(mio_unsupported_force_poll_poll) {
            let error = AsyncFd::new(closed_descriptor()).unwrap_err();
            assert!(error.to_string().contains("it is not open"), "{error}");
        }
        assert_eq!(rt.stats().sources, 0);
    });
}

#[test]
fn what_is_taken_out_is_open_and_no_longer_watched() {
    block_on_both(|| async {
        let (mut peer, socket) = sockets();
        let mut watched = AsyncFd::new(socket).unwrap();
        watched.get_mut().set_nonblocking(true).unwrap();
        let fd = watched.as_raw_fd();
        assert!(timeout(MOMENT, watched.readable()).await.is_err());
        let socket = watched.into_inner();
        assert_eq!((socket.as_raw_fd(), tourbillon::stats().sources), (fd, 0));
        peer.write_all(b"x").unwrap();
        assert_eq!((&socket).read(&mut [0; 8]).unwrap(), 1);
        let late = tourbillon::stats().late_events;
        sleep(MOMENT).await;
        assert_eq!(
            tourbillon::stats().late_events,
            late,
            "the kernel was not told"
        );
        let again = AsyncFd::new(socket).unwrap();
        peer.write_all(b"y").unwrap();
        timeout(PATIENCE, again.readable()).await.unwrap().unwrap();
    });
}

#[test]
fn giving_up_loses_nothing() {
    block_on_both(|| async {
        let (mut peer, socket) = sockets();
        let socket = AsyncFd::new(socket).unwrap();
        for round in 0..100_u8 {
            let mut byte = [0];
            let mut read = |mut io: &UnixStream| io.read(&mut byte);
            assert!(
                timeout(Duration::ZERO, socket.read_with(&mut read))
                    .await
                    .is_err()
            );
            assert!(timeout(Duration::ZERO, socket.readable()).await.is_err());
            peer.write_all(&[round]).unwrap();
            timeout(PATIENCE, socket.readable()).await.unwrap().unwrap();
            let count = timeout(PATIENCE, socket.read_with(&mut read))
                .await
                .unwrap();
            assert_eq!((count.unwrap(), byte[0]), (1, round));
            assert_eq!(
                socket
                    .try_io(Interest::READABLE, |mut io| io.read(&mut [0]))
                    .unwrap_err()
                    .kind(),
                ErrorKind::WouldBlock
            );
        }
    });
}

#[test]
fn several_tasks_wait_and_none_is_forgotten() {
    block_on(|| async {
        for left in 0..4 {
            let (mut peer, socket) = sockets();
            let socket = Rc::new(AsyncFd::new(socket).unwrap());
            let waiting: Vec<_> = (0..4)
                .map(|_| {
                    let socket = Rc::clone(&socket);
                    spawn(async move { socket.readable().await.unwrap() })
                })
                .collect();
            yield_now().await;
            peer.write_all(b"x").unwrap();
            // One of them leaves while the news is under way.
            waiting[left].abort();
            for (at, task) in waiting.into_iter().enumerate() {
                let ended = timeout(PATIENCE, task).await.expect("forgotten");
                assert_eq!(ended.is_ok(), at != left);
            }
        }
    });
}

/// Nothing is borrowed while an operation runs that is not ours.
#[test]
fn an_operation_may_use_what_it_is_done_on() {
    block_on_both(|| async {
        let (mut peer, socket) = sockets();
        let socket = Rc::new(AsyncFd::with_interest(socket, Interest::READABLE).unwrap());
        peer.write_all(b"x").unwrap();
        let inside = Rc::clone(&socket);
        let mut blocked = false;
        let count = socket
            .read_with(|mut io| {
                inside.clear_ready(Interest::WRITABLE).unwrap();
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                // Arms the other direction.
                let _ = inside.poll_write_ready(&mut cx);
                if !std::mem::replace(&mut blocked, true) {
                    peer.write_all(b"y").unwrap();
                    io.read_exact(&mut [0; 2]).unwrap();
                }
                peer.write_all(b"z").unwrap();
                io.read(&mut [0])
            })
            .await;
        assert_eq!(count.unwrap(), 1);
    });
}

#[test]
fn a_task_that_is_always_ready_lets_others_run() {
    block_on_both(|| async {
        let (_peer, socket) = sockets();
        let socket = AsyncFd::new(socket).unwrap();
        let hog = spawn(async move {
            loop {
                socket.writable().await.unwrap();
            }
        });
        timeout(PATIENCE, sleep(MOMENT)).await.expect("starved");
        hog.abort();
        assert!(hog.await.is_err());
    });
}

#[test]
fn it_may_be_dropped_while_somebody_waits_and_after_the_runtime() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (_peer, socket) = sockets();
        let outlives = rt.block_on(async {
            let (reader, writer) = pipe();
            let waiting = spawn(async move { reader.readable().await });
            yield_now().await;
            waiting.abort();
            assert!(waiting.await.is_err());
            drop(writer);
            let mut polled = 0;
            let outlives = AsyncFd::new(socket).unwrap();
            poll_fn(|cx| {
                assert!(outlives.poll_read_ready(cx).is_pending());
                polled += 1;
                Poll::Ready(())
            })
            .await;
            outlives
        });
        assert_eq!(rt.stats().sources, 1);
        rt.shutdown();
        let socket = outlives.into_inner();
        assert_eq!(
            (&socket).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}
