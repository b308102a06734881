//! Datagrams over UDP.

use std::net::Ipv6Addr;

use tourbillon::net::UdpSocket;

use super::*;
use crate::support::block_on_both;

fn open() -> UdpSocket {
    UdpSocket::bind(any_port()).unwrap()
}

/// Two sockets, connected with each other.
fn connected() -> (UdpSocket, UdpSocket) {
    let (one, other) = (open(), open());
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    (one, other)
}

/// An address where nobody is.
fn nowhere() -> SocketAddr {
    std::net::UdpSocket::bind(any_port())
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn datagrams_go_there_and_back_whole_and_in_order() {
    block_on_both(|| async {
        let (server, client) = (open(), open());
        let address = server.local_addr().unwrap();
        let echo = spawn(async move {
            let mut buf = [0; 65_536];
            for _ in 0..5 {
                let (count, from) = server.recv_from(&mut buf).await.unwrap();
                assert_eq!(
                    server.send_to(&buf[..count], from).await.unwrap(),
                    count,
                    "a datagram is sent whole"
                );
            }
        });
        client.connect(address).unwrap();
        assert_eq!(client.peer_addr().unwrap(), address);
        for size in [1, 0, 1000, 9000, 65_507] {
            let sent: Vec<u8> = (0..size).map(|at| at as u8).collect();
            assert_eq!(client.send(&sent).await.unwrap(), size);
            let mut buf = vec![1; 65_536];
            let count = timeout(PATIENCE, client.recv(&mut buf)).await.unwrap();
            assert_eq!(&buf[..count.unwrap()], &sent, "an empty one is one, too");
        }
        echo.await.unwrap();
        let error = client.send(&[0; 65_508]).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    });
}

#[test]
fn over_ipv6_as_well() {
    block_on_both(|| async {
        let Ok(server) = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return println!("skipped: this machine has no IPv6");
        };
        let client = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        client
            .send_to(b"six", server.local_addr().unwrap())
            .await
            .unwrap();
        let (count, from) = server.recv_from(&mut [0; 8]).await.unwrap();
        assert_eq!((count, from), (3, client.local_addr().unwrap()));
    });
}

#[test]
fn what_does_not_fit_is_cut_off_and_gone() {
    block_on_both(|| async {
        let (one, other) = connected();
        one.send(b"too long for it").await.unwrap();
        one.send(b"next").await.unwrap();
        let mut buf = [0; 8];
        let (count, _) = other.recv_from(&mut buf).await.unwrap();
        assert_eq!((count, &buf[..]), (8, &b"too long"[..]));
        let count = timeout(PATIENCE, other.recv(&mut buf)).await.unwrap();
        assert_eq!(&buf[..count.unwrap()], b"next");
    });
}

#[test]
fn looking_leaves_a_datagram_there() {
    block_on_both(|| async {
        let (one, other) = connected();
        one.send(b"twice").await.unwrap();
        let mut buf = [0; 8];
        for _ in 0..2 {
            let (count, from) = other.peek_from(&mut buf).await.unwrap();
            assert_eq!(
                (&buf[..count], from),
                (&b"twice"[..], one.local_addr().unwrap())
            );
        }
        assert_eq!(other.try_recv(&mut buf).unwrap(), 5);
        let error = other.try_recv(&mut buf).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_refusal_comes_once_with_the_next_call_and_the_socket_goes_on() {
    block_on_both(|| async {
        let socket = Rc::new(open());
        let gone = nowhere();
        socket.connect(gone).unwrap();
        socket.send(b"?").await.unwrap();
        // One that waits already is told.
        let error = timeout(PATIENCE, socket.recv(&mut [0; 8])).await.unwrap();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        // One that sends is told, and sends nothing.
        socket.send(b"?").await.unwrap();
        sleep(MOMENT).await;
        let error = socket.send(b"?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // Somebody comes.
        let peer = UdpSocket::bind(gone).unwrap();
        assert!(timeout(MOMENT, socket.recv(&mut [0; 8])).await.is_err());
        socket.send(b"again").await.unwrap();
        let (count, from) = timeout(PATIENCE, peer.recv_from(&mut [0; 8]))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(count, 5);
        let waiting = Rc::clone(&socket);
        let answer = spawn(async move { waiting.recv(&mut [0; 8]).await });
        yield_now().await;
        peer.send_to(b"yes", from).await.unwrap();
        let answer = timeout(PATIENCE, answer)
            .await
            .expect("deaf since the error");
        assert_eq!(answer.unwrap().unwrap(), 3);
    });
}

#[test]
fn giving_up_loses_no_datagram() {
    block_on_both(|| async {
        let (one, other) = connected();
        for round in 0..100_u8 {
            let mut buf = [0; 4];
            let given_up = timeout(Duration::ZERO, other.recv(&mut buf)).await;
            assert!(given_up.is_err());
            one.send(&[round]).await.unwrap();
            let count = timeout(PATIENCE, other.recv(&mut buf))
                .await
                .unwrap()
                .unwrap();
            assert_eq!((count, buf[0]), (1, round));
        }
    });
}

#[test]
fn tasks_that_share_one_are_served_in_order() {
    block_on(|| async {
        let (one, other) = connected();
        let other = Rc::new(other);
        let receivers: Vec<_> = (0..6)
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
        // The first in line and one in the middle leave; nobody behind them is forgotten.
        receivers[0].abort();
        receivers[3].abort();
        yield_now().await;
        for byte in [1, 2, 4, 5] {
            one.send(&[byte]).await.unwrap();
        }
        for (at, receiver) in receivers.into_iter().enumerate() {
            let got = timeout(PATIENCE, receiver)
                .await
                .expect("a receiver was forgotten");
            assert_eq!(got.ok(), (at != 0 && at != 3).then_some(at as u8));
        }
    });
}

/// Whoever is first in line may leave in the turn in which a datagram came for it.
#[test]
fn one_that_leaves_when_it_was_woken_passes_the_word_on() {
    block_on(|| async {
        for _ in 0..50 {
            let (one, other) = connected();
            let other = Rc::new(other);
            let [first, second] = [(); 2].map(|()| {
                let other = Rc::clone(&other);
                spawn(async move { other.recv(&mut [0]).await.unwrap() })
            });
            yield_now().await;
            one.send(b"x").await.unwrap();
            first.abort();
            let got = timeout(PATIENCE, second).await.expect("the wake was lost");
            assert_eq!(got.unwrap(), 1);
            drop(first);
        }
    });
}

#[test]
fn both_directions_are_used_at_the_same_time() {
    block_on_both(|| async {
        let (one, other) = connected();
        let (one, other) = (Rc::new(one), Rc::new(other));
        let echo = Rc::clone(&other);
        let echo = spawn(async move {
            let mut buf = [0; 64];
            loop {
                let count = echo.recv(&mut buf).await.unwrap();
                echo.send(&buf[..count]).await.unwrap();
            }
        })
        .cancel_on_drop();
        let reader = Rc::clone(&one);
        let reading = spawn(async move {
            for at in 0..500_u32 {
                let mut buf = [0; 64];
                assert_eq!(reader.recv(&mut buf).await.unwrap(), 4);
                assert_eq!(buf[..4], at.to_be_bytes());
            }
        });
        for at in 0..500_u32 {
            one.send(&at.to_be_bytes()).await.unwrap();
            // Few enough under way that the kernel drops none.
            if at % 20 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        }
        timeout(PATIENCE, reading)
            .await
            .expect("some were lost")
            .unwrap();
        drop((echo, one, other));
        yield_now().await;
    });
}

#[test]
fn a_group_is_joined_and_left() {
    block_on(|| async {
        let group = Ipv4Addr::new(239, 17, 60, 1);
        let receiver = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        // On Linux, the address that the sender has chooses the interface.
        let sender = open();
        let target = SocketAddr::from((group, receiver.local_addr().unwrap().port()));
        if let Err(error) = receiver.join_multicast_v4(group, Ipv4Addr::LOCALHOST) {
            return println!("skipped: no multicast here: {error}");
        }
        sender.set_multicast_loop_v4(true).unwrap();
        assert!(sender.multicast_loop_v4().unwrap());
        sender.set_multicast_ttl_v4(2).unwrap();
        assert_eq!(sender.multicast_ttl_v4().unwrap(), 2);
        if let Err(error) = sender.send_to(b"all", target).await {
            return println!("skipped: no multicast here: {error}");
        }
        let mut buf = [0; 8];
        let Ok(got) = timeout(Duration::from_secs(2), receiver.recv_from(&mut buf)).await else {
            return println!("skipped: multicast does not come back over loopback");
        };
        let (count, from) = got.unwrap();
        assert_eq!(
            (&buf[..count], from),
            (&b"all"[..], sender.local_addr().unwrap())
        );
        receiver
            .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
            .unwrap();
        sender.send_to(b"gone", target).await.unwrap();
        assert!(timeout(MOMENT, receiver.recv(&mut buf)).await.is_err());
        let error = receiver.leave_multicast_v4(group, Ipv4Addr::LOCALHOST);
        assert!(error.is_err(), "left twice");
    });
}

#[test]
fn a_group_of_ipv6_is_joined_and_left() {
    block_on(|| async {
        let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
            return println!("skipped: this machine has no IPv6");
        };
        let group = "ff02::1760".parse().unwrap();
        if let Err(error) = socket.join_multicast_v6(&group, 0) {
            return println!("skipped: no IPv6 multicast here: {error}");
        }
        assert!(socket.join_multicast_v6(&group, 0).is_err(), "joined twice");
        socket.set_multicast_loop_v6(false).unwrap();
        assert!(!socket.multicast_loop_v6().unwrap());
        socket.leave_multicast_v6(&group, 0).unwrap();
    });
}

#[test]
fn options_are_kept_and_errors_name_the_address() {
    block_on(|| async {
        let socket = open();
        assert!(!socket.broadcast().unwrap());
        let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
        let error = socket.send_to(b"x", everybody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(33).unwrap();
        assert_eq!(socket.ttl().unwrap(), 33);
        let kind = socket.peer_addr().unwrap_err().kind();
        assert_eq!(kind, ErrorKind::NotConnected);
        assert!(socket.try_send(b"x").is_err(), "to nobody");
        let address = socket.local_addr().unwrap();
        let error = UdpSocket::bind(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    });
}

#[test]
fn a_socket_goes_out_and_in_with_what_it_holds() {
    block_on_both(|| async {
        let (one, other) = connected();
        one.send(b"first").await.unwrap();
        one.send(b"second").await.unwrap();
        let std = other.into_std().unwrap();
        std.set_read_timeout(Some(DEADLINE)).unwrap();
        // Blocking again: with nothing there, this would fail at once otherwise.
        let mut buf = [0; 8];
        assert_eq!(std.recv(&mut buf).unwrap(), 5);
        let again = UdpSocket::from_std(std).unwrap();
        let count = timeout(PATIENCE, again.recv(&mut buf))
            .await
            .expect("old, unannounced");
        assert_eq!(&buf[..count.unwrap()], b"second");
        assert!(again.try_recv_from(&mut buf).is_err());
        one.try_send_to(b"third", again.local_addr().unwrap())
            .unwrap();
        let count = timeout(PATIENCE, again.recv(&mut buf))
            .await
            .expect("not registered");
        assert_eq!(&buf[..count.unwrap()], b"third");
    });
}

#[test]
fn polling_by_hand_works_and_the_last_waker_counts() {
    use std::task::{Context, Poll, Waker};

    use crate::support::Foreign;

    block_on(|| async {
        let (one, other) = connected();
        let [first, second] = [(); 2].map(|()| Foreign::counting());
        let mut buf = [0; 8];
        for count in [&first, &second] {
            let waker = Waker::from(Arc::clone(count));
            let mut cx = Context::from_waker(&waker);
            assert!(other.poll_recv(&mut cx, &mut buf).is_pending());
        }
        let mut cx = Context::from_waker(Waker::noop());
        let target = other.local_addr().unwrap();
        assert!(matches!(one.poll_send(&mut cx, b"x"), Poll::Ready(Ok(1))));
        // Linux lets a connected socket send elsewhere, too; others refuse.
        let _ = one.poll_send_to(&mut cx, b"y", target);
        timeout(PATIENCE, async {
            while second.count() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        assert_eq!(first.count(), 0);
        assert!(matches!(
            other.poll_recv_from(&mut cx, &mut buf),
            Poll::Ready(Ok((1, _)))
        ));
    });
}
