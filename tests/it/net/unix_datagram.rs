//! Datagrams over Unix sockets.

use tourbillon::net::UnixDatagram;

use super::*;
use crate::support::{Folder, block_on_both};

#[test]
fn named_sockets_send_to_each_other() {
    block_on_both(|| async {
        let folder = Folder::new();
        let (here, there) = (folder.path("here"), folder.path("there"));
        let server = UnixDatagram::bind(&here).unwrap();
        let client = UnixDatagram::bind(&there).unwrap();
        client.send_to(b"question", &here).await.unwrap();
        let mut buf = [0; 16];
        let (count, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..count], b"question");
        assert_eq!(from.as_pathname(), Some(&*there));
        server.connect(from.as_pathname().unwrap()).unwrap();
        assert_eq!(server.peer_addr().unwrap().as_pathname(), Some(&*there));
        server.send(b"answer").await.unwrap();
        let (count, from) = client.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..count], b"answer");
        assert_eq!(from.as_pathname(), Some(&*here));
        // Without a name one can ask, and not be answered.
        let unnamed = UnixDatagram::unbound().unwrap();
        assert!(unnamed.local_addr().unwrap().is_unnamed());
        client.send_to(b"x", &here).await.unwrap();
        unnamed.send_to(b"who?", &there).await.unwrap();
        let (_, from) = client.recv_from(&mut buf).await.unwrap();
        assert!(from.is_unnamed());
    });
}

#[test]
fn a_pair_cuts_what_does_not_fit_and_keeps_the_order() {
    block_on_both(|| async {
        let (one, other) = UnixDatagram::pair().unwrap();
        one.send(b"too long").await.unwrap();
        one.send(b"").await.unwrap();
        one.send(b"next").await.unwrap();
        let mut buf = [0; 4];
        for whole in [&b"too "[..], b"", b"next"] {
            let count = timeout(PATIENCE, other.recv(&mut buf))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(&buf[..count], whole);
        }
        for round in 0..50_u8 {
            assert!(timeout(Duration::ZERO, other.recv(&mut buf)).await.is_err());
            one.send(&[round]).await.unwrap();
            other.recv(&mut buf).await.unwrap();
            assert_eq!(buf[0], round, "giving up lost one");
        }
    });
}

#[test]
fn errors_name_the_path() {
    block_on(|| async {
        let folder = Folder::new();
        let path = folder.path("gone");
        let socket = UnixDatagram::unbound().unwrap();
        let error = socket.send_to(b"x", &path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("gone"), "{error}");
        let there = UnixDatagram::bind(&path).unwrap();
        let error = UnixDatagram::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        socket.connect(&path).unwrap();
        socket.send(b"x").await.unwrap();
        drop(there);
        assert!(path.exists(), "a file outlives its socket");
        let error = socket.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = socket.connect(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = socket.connect("").unwrap_err();
        assert!(error.to_string().contains("empty path"), "{error}");
    });
}

/// Linux keeps a sender waiting while the receiver's queue is full. It tells a connected sender
/// when there is room; to another it says nothing, if what fills the queue is not the sender's.
#[test]
#[cfg(target_os = "linux")]
fn a_full_queue_is_waited_for_whoever_has_filled_it() {
    block_on_both(|| async {
        for is_connected in [true, false] {
            let folder = Folder::new();
            let path = folder.path("busy");
            let busy = UnixDatagram::bind(&path).unwrap();
            let filler = std::os::unix::net::UnixDatagram::unbound().unwrap();
            filler.set_nonblocking(true).unwrap();
            filler.connect(&path).unwrap();
            let mut filled = 0;
            while filler.send(b"full").is_ok() {
                filled += 1;
            }
            let sender = UnixDatagram::unbound().unwrap();
            if is_connected {
                sender.connect(&path).unwrap();
            }
            let target = path.clone();
            let sending = spawn(async move {
                match is_connected {
                    true => sender.send(b"last").await,
                    false => sender.send_to(b"last", &target).await,
                }
            });
            let polls = tourbillon::stats().polls;
            sleep(MOMENT).await;
            assert!(!sending.is_finished(), "the queue is not full");
            // A try that would block makes the kernel report room in the sender's own buffer.
            let polls = tourbillon::stats().polls - polls;
            assert!(polls < 50, "{polls} polls: it spins");
            let mut buf = [0; 8];
            for _ in 0..filled {
                busy.recv(&mut buf).await.unwrap();
                assert_eq!(&buf[..4], b"full");
            }
            let sent = timeout(PATIENCE, sending)
                .await
                .expect("not told of the room");
            assert_eq!(sent.unwrap().unwrap(), 4);
            let count = timeout(PATIENCE, busy.recv(&mut buf))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(&buf[..count], b"last");
        }
    });
}

#[test]
fn sharing_tasks_are_served_in_order_and_a_shut_socket_says_so() {
    block_on(|| async {
        let (one, other) = UnixDatagram::pair().unwrap();
        let other = Rc::new(other);
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let other = Rc::clone(&other);
                spawn(async move {
                    let mut byte = [0];
                    other.recv(&mut byte).await.unwrap();
                    byte[0]
                })
            })
            .collect();
        yield_now().await;
        for byte in 0..4 {
            one.send(&[byte]).await.unwrap();
        }
        for (at, receiver) in receivers.into_iter().enumerate() {
            let got = timeout(PATIENCE, receiver).await.expect("forgotten");
            assert_eq!(got.unwrap(), at as u8);
        }
        let std = Rc::into_inner(other).unwrap().into_std().unwrap();
        let other = UnixDatagram::from_std(std).unwrap();
        one.send(b"!").await.unwrap();
        assert_eq!(
            timeout(PATIENCE, other.recv(&mut [0]))
                .await
                .unwrap()
                .unwrap(),
            1
        );
        one.shutdown(Shutdown::Write).unwrap();
        let error = one.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}
