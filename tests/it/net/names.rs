//! Connecting by name, by number and by several addresses.

use std::net::{Ipv6Addr, TcpListener as StdListener};

use tourbillon::net::{ConnectOptions, Target, lookup_host};
use tourbillon::stats;

use super::*;
use crate::support::{manual, turn_until};

/// An address that nobody listens on.
fn refusing() -> SocketAddr {
    StdListener::bind(any_port()).unwrap().local_addr().unwrap()
}

#[test]
fn every_way_to_write_a_target_connects() {
    block_on(|| async {
        let mut listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port();
        let numbers: [Target; 7] = [
            address.into(),
            (Ipv4Addr::LOCALHOST, port).into(),
            (std::net::IpAddr::from(Ipv4Addr::LOCALHOST), port).into(),
            ("127.0.0.1", port).into(),
            format!("127.0.0.1:{port}").into(),
            vec![address].into(),
            (&[address][..]).into(),
        ];
        for target in numbers {
            let stream = TcpStream::connect(target).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
            listener.accept().await.unwrap();
        }
        assert_eq!(stats().jobs, 0, "numbers need no thread");
        let names: [Target; 4] = [
            ("localhost", port).into(),
            (String::from("localhost"), port).into(),
            format!("localhost:{port}").into(),
            (&format!("localhost:{port}")).into(),
        ];
        for target in names {
            let stream = TcpStream::connect(target).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
            listener.accept().await.unwrap();
        }
        assert_eq!(stats().jobs, 4);
    });
}

#[test]
fn a_v6_number_is_connected_to_with_and_without_brackets() {
    block_on(|| async {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            return println!("this machine has no IPv6");
        };
        let address = listener.local_addr().unwrap();
        let port = address.port();
        let targets: [Target; 4] = [
            (Ipv6Addr::LOCALHOST, port).into(),
            ("::1", port).into(),
            ("[::1]", port).into(),
            format!("[::1]:{port}").into(),
        ];
        for target in targets {
            assert_eq!(target.to_string(), format!("[::1]:{port}"));
            let stream = TcpStream::connect(target).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
        }
        assert_eq!(stats().jobs, 0);
    });
}

#[test]
fn names_are_looked_up_each_address_once() {
    block_on(|| async {
        let found = lookup_host("localhost", 4711).await.unwrap();
        assert!(!found.is_empty());
        for (at, address) in found.iter().enumerate() {
            assert!(
                address.ip().is_loopback() && address.port() == 4711,
                "{address}"
            );
            assert!(!found[..at].contains(address), "{address} comes twice");
        }
        for (number, address) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
            ("fe80::1%7", "[fe80::1%7]:80"),
        ] {
            let found = lookup_host(number, 80).await.unwrap();
            assert_eq!(found, [address.parse().unwrap()], "{number}");
        }
        assert_eq!(stats().jobs, 1);
    });
}

/// RFC 2606 keeps .invalid for names that are nobody's; whatever resolver is asked says no.
#[test]
fn a_name_that_does_not_resolve_is_an_error_that_names_it() {
    block_on(|| async {
        let name = "tourbillon.invalid";
        let error = lookup_host(name, 80).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = TcpStream::connect((name, 80)).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        for host in ["", "a\0b"] {
            let error = lookup_host(host, 80).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host:?}: {error}");
        }
        let error = TcpStream::connect("localhost").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("has no port"), "{error}");
    });
}

/// The clock stands still: the delay of 250 ms never ends.
#[test]
fn an_address_that_refuses_is_followed_by_the_next_at_once() {
    within(|| {
        let (mut rt, _time) = manual();
        let listener = StdListener::bind(any_port()).unwrap();
        let there = listener.local_addr().unwrap();
        let addresses = vec![refusing(), refusing(), there];
        let connecting = rt.spawn(TcpStream::connect(addresses));
        turn_until(&mut rt, || connecting.is_finished());
        let stream = rt.block_on(connecting).unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert_eq!((rt.stats().sources, rt.stats().timers_waiting), (1, 0));
    });
}

#[test]
fn when_all_refuse_the_error_names_all() {
    block_on(|| async {
        let addresses = vec![refusing(), refusing()];
        let error = TcpStream::connect(&addresses[..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let text = error.to_string();
        for address in &addresses {
            let count = text.matches(&format!("{address}: ")).count();
            assert!(count >= 1, "{address} is not in {text:?}");
        }
        // The kernel's number is kept below.
        let below = std::error::Error::source(error.get_ref().unwrap()).unwrap();
        let below = below.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(below.raw_os_error(), Some(libc::ECONNREFUSED));
        // One address is named once.
        let address = refusing();
        let text = TcpStream::connect(address).await.unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("cannot connect to {address}: ")),
            "{text}"
        );
        assert_eq!(text.matches(&address.to_string()).count(), 1, "{text}");
        let name = format!("localhost:{}", address.port());
        let text = TcpStream::connect(name.as_str())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            text.contains(&name) && text.contains(&address.to_string()),
            "{text}"
        );
        assert_eq!(stats().sources, 0);
    });
}

#[test]
fn options_are_set_before_the_handshake() {
    block_on(|| async {
        let mut listener = TcpListener::bind(any_port()).unwrap();
        let address = listener.local_addr().unwrap();
        let local = refusing();
        let options = ConnectOptions {
            local_address: Some(local),
            reuse_address: true,
            no_delay: true,
            send_buffer: Some(20_000),
            receive_buffer: Some(30_000),
        };
        let stream = TcpStream::connect_with(address, &options).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(stream.local_addr().unwrap(), local);
        let (_, from) = listener.accept().await.unwrap();
        assert_eq!(from, local);
        let sizes = crate::support::buffer_sizes(stream.as_raw_fd());
        // Linux doubles them, others do not.
        assert!((20_000..=40_000).contains(&sizes.0), "{sizes:?}");
        assert!((30_000..=60_000).contains(&sizes.1), "{sizes:?}");
        let again = TcpStream::connect_with(listener.local_addr().unwrap(), &options).await;
        let error = again.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable
            ),
            "the port is taken: {error}"
        );
        let options = ConnectOptions {
            local_address: Some((Ipv6Addr::LOCALHOST, 0).into()),
            ..ConnectOptions::default()
        };
        let error = TcpStream::connect_with(address, &options)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("other family"), "{error}");
    });
}

/// A listener whose queue is full does not answer: Linux drops what would begin a connection.
#[cfg(target_os = "linux")]
mod silence {
    use std::net::TcpStream as StdStream;

    use super::*;

    struct BlackHole(StdListener, Vec<StdStream>);

    impl BlackHole {
        fn new() -> Self {
            let mut rt = Runtime::new().unwrap();
            let options = ListenOptions {
                backlog: 0,
                ..ListenOptions::default()
            };
            let listener = rt.block_on(async {
                let listener = TcpListener::bind_with(any_port(), &options).unwrap();
                crate::support::duplicate(listener.as_raw_fd())
            });
            let mut hole = BlackHole(listener.into(), Vec::new());
            let moment = Duration::from_millis(200);
            while let Ok(stream) = StdStream::connect_timeout(&hole.address(), moment) {
                hole.1.push(stream);
                assert!(hole.1.len() < 9, "the queue does not fill up");
            }
            hole
        }

        fn address(&self) -> SocketAddr {
            self.0.local_addr().unwrap()
        }
    }

    fn turn_some(rt: &mut Runtime) {
        for _ in 0..20 {
            rt.turn(Some(Duration::from_millis(1))).unwrap();
        }
    }

    #[test]
    fn an_address_that_does_not_answer_is_followed_by_the_next_after_250_ms() {
        within(|| {
            let hole = BlackHole::new();
            let (mut rt, time) = manual();
            let listener = StdListener::bind(any_port()).unwrap();
            let there = listener.local_addr().unwrap();
            let addresses = vec![hole.address(), there];
            let connecting = rt.spawn(TcpStream::connect(addresses));
            turn_some(&mut rt);
            time.advance(Duration::from_millis(249));
            turn_some(&mut rt);
            assert!(!connecting.is_finished());
            assert_eq!(rt.stats().sources, 1);
            time.advance(Duration::from_millis(1));
            turn_until(&mut rt, || connecting.is_finished());
            let stream = rt.block_on(connecting).unwrap().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), there);
            assert_eq!((rt.stats().sources, rt.stats().timers_waiting), (1, 0));
        });
    }

    #[test]
    fn giving_up_closes_every_socket() {
        within(|| {
            let hole = BlackHole::new();
            let (mut rt, time) = manual();
            let addresses = vec![hole.address(); 3];
            let limit = Duration::from_millis(600);
            let connecting = rt.spawn(timeout(limit, TcpStream::connect(addresses)));
            for (advance, sources) in [(0, 1), (250, 2), (250, 3), (99, 3)] {
                time.advance(Duration::from_millis(advance));
                turn_some(&mut rt);
                assert_eq!(rt.stats().sources, sources);
            }
            assert!(!connecting.is_finished());
            time.advance(Duration::from_millis(1));
            turn_until(&mut rt, || connecting.is_finished());
            assert!(rt.block_on(connecting).unwrap().is_err());
            assert_eq!((rt.stats().sources, rt.stats().timers_waiting), (0, 0));
        });
    }
}
