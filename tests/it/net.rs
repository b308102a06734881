//! Sockets: every way a connection can begin, stall and end, on loopback.

mod flow;
mod ends;
mod full;
mod names;
mod copying;
mod proxies;
mod buffered;
mod sending;
mod udp;
mod unix;
mod unix_datagram;

use std::cell::Cell;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use tourbillon::net::{ListenOptions, TcpListener, TcpStream};
use tourbillon::{Runtime, sleep, spawn, timeout, yield_now};

use crate::support::{DEADLINE, block_on, within};

/// How long something that must not happen is given to happen.
const MOMENT: Duration = Duration::from_millis(30);

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// Two ends of one connection, both on this loop.
async fn pair() -> (TcpStream, TcpStream) {
    let mut listener = TcpListener::bind(any_port()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (server, from) = listener.accept().await.unwrap();
    assert_eq!(from, client.local_addr().unwrap());
    (client, server)
}

/// One end on this loop, the other a blocking socket.
fn with_std() -> (TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind(any_port()).unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_nodelay(true).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    peer.set_write_timeout(Some(DEADLINE)).unwrap();
    (
        TcpStream::from_std(listener.accept().unwrap().0).unwrap(),
        peer,
    )
}

#[test]
fn an_echo_comes_back_whole() {
    block_on(|| async {
        let (mut client, mut server) = pair().await;
        let echo = spawn(async move {
            let mut buf = [0; 1000];
            loop {
                match server.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => server.write_all(&buf[..count]).await.unwrap(),
                }
            }
        });
        for size in [1, 999, 1000, 1001, 4096, 30_000] {
            let sent: Vec<u8> = (0..size).map(|at| at as u8).collect();
            client.write_all(&sent).await.unwrap();
            let mut back = vec![0; size];
            client.read_exact(&mut back).await.unwrap();
            assert_eq!(back, sent);
        }
        drop(client);
        echo.await.unwrap();
    });
}

#[test]
fn half_a_close_leaves_the_other_half_open_both_ways() {
    block_on(|| async {
        for from_client in [true, false] {
            let (client, server) = pair().await;
            let (mut first, mut second) = if from_client {
                (client, server)
            } else {
                (server, client)
            };
            first.write_all(b"question").await.unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            let mut buf = [0; 64];
            let mut got = Vec::new();
            loop {
                match second.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => got.extend_from_slice(&buf[..count]),
                }
            }
            assert_eq!(got, b"question");
            assert_eq!(
                second.read(&mut buf).await.unwrap(),
                0,
                "an end stays an end"
            );
            second.write_all(b"answer").await.unwrap();
            first.read_exact(&mut buf[..6]).await.unwrap();
            assert_eq!(&buf[..6], b"answer");
            assert_eq!(
                first.write(b"x").await.unwrap_err().kind(),
                ErrorKind::BrokenPipe
            );
        }
    });
}

#[test]
fn data_written_just_before_a_close_is_read_to_the_end() {
    block_on(|| async {
        // Smaller than, equal to and larger than the reader's buffer; read before or after the
        // close is known.
        for size in [1, 63, 64, 65, 128, 129, 100_000] {
            for known in [false, true] {
                let (mut stream, mut peer) = with_std();
                let writer = thread::spawn(move || peer.write_all(&vec![9; size]).unwrap());
                if known && size < 1000 {
                    writer.join().unwrap();
                    sleep(Duration::from_millis(2)).await;
                }
                let mut buf = [0; 64];
                let mut total = 0;
                loop {
                    match timeout(PATIENCE, stream.read(&mut buf))
                        .await
                        .expect("data is stuck")
                    {
                        Ok(0) => break,
                        Ok(count) => total += count,
                        Err(error) => panic!("{error}"),
                    }
                }
                assert_eq!(total, size, "known: {known}");
            }
        }
    });
}

#[test]
fn a_buffer_filled_exactly_is_followed_by_what_comes_next() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        let mut buf = [0; 4];
        for round in 0..50_u32 {
            peer.write_all(&round.to_be_bytes()).unwrap();
            timeout(PATIENCE, stream.read_exact(&mut buf))
                .await
                .expect("stuck")
                .unwrap();
            assert_eq!(u32::from_be_bytes(buf), round);
            if round % 5 == 0 {
                // Nothing is there: the next read has to wait, and is told.
                assert!(
                    timeout(Duration::from_millis(1), stream.read(&mut buf))
                        .await
                        .is_err()
                );
            }
        }
        peer.write_all(b"kept").unwrap();
        assert_eq!(
            timeout(PATIENCE, stream.read(&mut []))
                .await
                .unwrap()
                .unwrap(),
            0
        );
        timeout(PATIENCE, stream.read_exact(&mut buf))
            .await
            .expect("stuck")
            .unwrap();
        assert_eq!(&buf, b"kept");
    });
}

/// Once a fault: a read stops short at an urgent byte, and what follows it is taken for drained
/// although the kernel will not announce it again.
#[test]
#[cfg(target_os = "linux")]
fn data_behind_an_urgent_byte_is_read() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        peer.write_all(b"before").unwrap();
        crate::support::send_urgent(peer.as_raw_fd(), b'!');
        peer.write_all(b"after").unwrap();
        sleep(MOMENT).await;
        let mut got = Vec::new();
        let mut buf = [0; 64];
        while got.len() < 11 {
            let read = timeout(Duration::from_secs(3), stream.read(&mut buf)).await;
            match read {
                Ok(result) => got.extend_from_slice(&buf[..result.unwrap()]),
                Err(_) => panic!(
                    "read {:?}, the rest is stuck",
                    String::from_utf8_lossy(&got)
                ),
            }
        }
        assert_eq!(got, b"beforeafter");
    });
}

#[test]
fn a_burst_of_connections_is_accepted_whole() {
    block_on(|| async {
        let mut listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        // All of them are there before the first accept, and more than a poll's budget.
        let clients: Vec<_> = (0..300)
            .map(|_| std::net::TcpStream::connect(address).unwrap())
            .collect();
        let mut ports: Vec<_> = clients
            .iter()
            .map(|client| client.local_addr().unwrap().port())
            .collect();
        let (mut accepted, mut streams) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let (stream, from) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), from);
            accepted.push(from.port());
            streams.push(stream);
        }
        accepted.sort_unstable();
        ports.sort_unstable();
        assert_eq!(accepted, ports);
        assert!(
            timeout(MOMENT, listener.accept()).await.is_err(),
            "one came out of nothing"
        );
    });
}

#[test]
fn a_refused_connection_is_an_error() {
    block_on(|| async {
        let closed = std::net::TcpListener::bind(any_port()).unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let taken = TcpListener::bind(any_port()).unwrap();
        let error = TcpListener::bind(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(
            error
                .to_string()
                .contains(&taken.local_addr().unwrap().to_string())
        );
    });
}

#[test]
fn halves_work_in_two_tasks_and_the_writers_drop_is_an_end() {
    block_on(|| async {
        let (client, server) = pair().await;
        let (mut client_reads, mut client_writes) = client.into_split();
        let (mut server_reads, server_writes) = server.into_split();
        // The reader waits first, so both directions have a waker at the same time.
        let reader = spawn(async move {
            let mut buf = [0; 8];
            server_reads.read_exact(&mut buf).await.unwrap();
            let end = server_reads.read(&mut buf[..1]).await.unwrap();
            (buf, end)
        });
        yield_now().await;
        let writer = spawn(async move {
            client_writes.write_all(b"balance ").await.unwrap();
            drop(client_writes);
        });
        writer.await.unwrap();
        assert_eq!(reader.await.unwrap(), (*b"balance ", 0));
        drop(server_writes);
        assert_eq!(client_reads.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_socket_goes_out_and_in_with_what_it_holds() {
    block_on(|| async {
        let (stream, mut peer) = with_std();
        peer.write_all(b"unread").unwrap();
        let mut std = stream.into_std().unwrap();
        let mut buf = [0; 6];
        // Blocking again: this read would fail at once otherwise.
        let late = thread::spawn(move || {
            std.read_exact(&mut buf).unwrap();
            let mut more = [0; 4];
            std.read_exact(&mut more).unwrap();
            (std, buf, more)
        });
        sleep(Duration::from_millis(5)).await;
        peer.write_all(b"more").unwrap();
        let (std, first, second) = late.join().unwrap();
        assert_eq!((&first, &second), (b"unread", b"more"));
        peer.write_all(b"before").unwrap();
        sleep(Duration::from_millis(5)).await;
        let mut again = TcpStream::from_std(std).unwrap();
        let mut buf = [0; 6];
        timeout(PATIENCE, again.read_exact(&mut buf))
            .await
            .expect("old data, unannounced")
            .unwrap();
        assert_eq!(&buf, b"before");
        peer.write_all(b"after!").unwrap();
        timeout(PATIENCE, again.read_exact(&mut buf))
            .await
            .expect("not registered")
            .unwrap();
    });
}

#[test]
fn nodelay_is_on_for_what_is_accepted_and_options_are_kept() {
    block_on(|| async {
        for at_once in [true, false] {
            let options = ListenOptions {
                no_delay: at_once,
                ..ListenOptions::default()
            };
            let mut listener = TcpListener::bind_with(any_port(), &options).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap();
            assert!(
                !client.nodelay().unwrap(),
                "a client has the kernel's default"
            );
            let (server, _) = listener.accept().await.unwrap();
            assert_eq!(server.nodelay().unwrap(), at_once);
            server.set_nodelay(!at_once).unwrap();
            assert_eq!(server.nodelay().unwrap(), !at_once);
        }
    });
}

#[test]
fn a_connection_from_another_thread_wakes_a_loop_that_sleeps() {
    within(|| {
        let (sender, addresses) = mpsc::channel::<SocketAddr>();
        let done = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&done);
        let client = thread::spawn(move || {
            while let Ok(address) = addresses.recv() {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.write_all(b"x").unwrap();
                assert_eq!(stream.read(&mut [0]).unwrap(), 1);
            }
            over.store(true, Ordering::SeqCst);
        });
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async move {
            let mut listener = TcpListener::bind(any_port()).unwrap();
            for _ in 0..100 {
                sender.send(listener.local_addr().unwrap()).unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                stream.write_all(&byte).await.unwrap();
            }
        });
        client.join().unwrap();
        assert!(done.load(Ordering::SeqCst));
        assert_eq!(rt.stats().sources, 0);
    });
}

#[test]
fn giving_up_a_read_loses_no_byte() {
    block_on(|| async {
        let (mut stream, mut peer) = with_std();
        let given_up = Rc::new(Cell::new(0));
        for round in 0..100_u8 {
            let mut buf = [0];
            if timeout(Duration::ZERO, stream.read(&mut buf))
                .await
                .is_err()
            {
                given_up.set(given_up.get() + 1);
            }
            peer.write_all(&[round]).unwrap();
            timeout(PATIENCE, stream.read_exact(&mut buf))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(buf, [round]);
        }
        assert_eq!(given_up.get(), 100);
    });
}
