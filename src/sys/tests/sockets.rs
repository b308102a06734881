//! Sockets, errors and limits.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::*;

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A client and the server's side of its connection.
fn connected(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(readable(listener, 10_000));
    let (served, _) = listener.accept().unwrap();
    for side in [&client, &served] {
        side.set_nonblocking(false).unwrap();
        side.set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
    }
    (client, served)
}

fn local_listener() -> TcpListener {
    listen(LOCAL, &ListenOptions::default()).unwrap()
}

#[test]
fn a_listener_serves_v4_and_does_not_block_nor_cross_an_exec() {
    let listener = local_listener();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    // SAFETY: F_GETFD takes nothing, and touches no memory.
    let flags = unsafe { libc::fcntl(listener.as_raw_fd(), libc::F_GETFD) };
    assert_eq!(flags, libc::FD_CLOEXEC);
    let (mut client, mut served) = connected(&listener);
    client.write_all(b"hello").unwrap();
    let mut bytes = [0; 5];
    served.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hello");
}

#[test]
fn a_v6_listener_takes_v4_peers_or_not_as_asked() {
    for only_v6 in [Some(true), Some(false)] {
        let options = ListenOptions {
            only_v6,
            ..ListenOptions::default()
        };
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let listener = match listen(any, &options) {
            Ok(listener) => listener,
            // A machine without IPv6 has nothing to show here.
            Err(error) if raw_os_error(&error) == Some(libc::EAFNOSUPPORT) => return,
            Err(error) => panic!("{error}"),
        };
        let port = listener.local_addr().unwrap().port();
        let v4 = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        assert_eq!(v4.is_ok(), only_v6 == Some(false));
        drop(v4);
    }
    if let Ok(listener) = listen(
        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        &ListenOptions::default(),
    ) {
        assert_eq!(listener.local_addr().unwrap().ip(), Ipv6Addr::LOCALHOST);
        connected(&listener);
    }
}

#[test]
fn accepted_sockets_inherit_no_delay_where_the_constant_says_so() {
    for no_delay in [true, false] {
        let options = ListenOptions {
            no_delay,
            ..ListenOptions::default()
        };
        let listener = listen(LOCAL, &options).unwrap();
        let (_client, served) = connected(&listener);
        if ACCEPTED_INHERIT_NODELAY {
            assert_eq!(served.nodelay().unwrap(), no_delay);
        }
    }
}

#[test]
fn a_port_is_shared_only_if_all_ask_for_it() {
    let shared = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let first = listen(LOCAL, &shared).unwrap();
    let addr = first.local_addr().unwrap();
    let second = listen(addr, &shared).unwrap();
    assert_eq!(second.local_addr().unwrap(), addr);
    let error = listen(addr, &ListenOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_port_with_old_connections_can_be_taken_again() {
    alone(|| {
        // An address that no other test uses, where the system has one, and a process that starts
        // no other: until its exec, a child would hold the old listener open.
        let last = if cfg!(target_os = "linux") { 83 } else { 1 };
        let own = SocketAddr::from(([127, 0, 0, last], 0));
        let listener = listen(own, &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (mut client, served) = connected(&listener);
        // Who closes first keeps the TIME_WAIT.
        drop((served, listener));
        assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
        drop(client);
        let strict = ListenOptions {
            reuse_address: false,
            ..ListenOptions::default()
        };
        if cfg!(target_os = "linux") {
            let error = listen(addr, &strict).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
        }
        let again = listen(addr, &ListenOptions::default()).unwrap();
        assert_eq!(again.local_addr().unwrap(), addr);
    });
}

#[test]
fn errors_name_the_address_and_keep_the_number() {
    let listener = local_listener();
    let addr = listener.local_addr().unwrap();
    let error = listen(addr, &ListenOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot listen on {addr}: ")),
        "{text}"
    );
    assert!(
        text.ends_with("; another socket listens there, choose another port"),
        "{text}"
    );
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert_eq!(raw_os_error(&error), Some(libc::EADDRINUSE));

    // An address of a documentation network (RFC 5737) is nobody's.
    let error = listen("192.0.2.1:0".parse().unwrap(), &ListenOptions::default()).unwrap_err();
    assert_eq!(raw_os_error(&error), Some(libc::EADDRNOTAVAIL));
    assert!(error.to_string().contains("192.0.2.1:0"));
    assert_eq!(raw_os_error(&io::Error::other("no number")), None);
}

#[test]
fn errors_of_accept_are_told_apart() {
    let of = io::Error::from_raw_os_error;
    for number in [libc::EMFILE, libc::ENFILE] {
        assert!(is_out_of_descriptors(&of(number)) && is_resource_exhausted(&of(number)));
    }
    for number in [libc::ENOBUFS, libc::ENOMEM] {
        assert!(!is_out_of_descriptors(&of(number)) && is_resource_exhausted(&of(number)));
    }
    for number in [
        libc::ECONNABORTED,
        libc::EPROTO,
        libc::EHOSTUNREACH,
        libc::EPERM,
    ] {
        assert!(is_peer_gone_on_accept(&of(number)) && !is_resource_exhausted(&of(number)));
    }
    for number in [
        libc::EAGAIN,
        libc::EBADF,
        libc::EINVAL,
        libc::ENOTSOCK,
        libc::EMFILE,
    ] {
        assert!(!is_peer_gone_on_accept(&of(number)));
    }
}

#[test]
fn keepalive_is_read_back_in_whole_seconds() {
    let listener = local_listener();
    let (client, _served) = connected(&listener);
    assert_eq!(keepalive(client.as_fd()).unwrap(), None);
    let wanted = Keepalive {
        idle: Duration::from_millis(60_001),
        interval: Duration::ZERO,
        retries: 3,
    };
    set_keepalive(client.as_fd(), Some(wanted)).unwrap();
    let rounded = Keepalive {
        idle: Duration::from_secs(61),
        interval: Duration::from_secs(1),
        retries: 3,
    };
    assert_eq!(keepalive(client.as_fd()).unwrap(), Some(rounded));
    set_keepalive(client.as_fd(), None).unwrap();
    assert_eq!(keepalive(client.as_fd()).unwrap(), None);

    let no_socket = std::fs::File::open("/dev/null").unwrap();
    assert!(keepalive(no_socket.as_fd()).is_err());
    if cfg!(target_os = "linux") {
        let forever = Keepalive {
            idle: Duration::MAX,
            ..wanted
        };
        let error = set_keepalive(client.as_fd(), Some(forever)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(keepalive(client.as_fd()).unwrap(), None);
    }
}

#[test]
fn a_linger_of_zero_resets_and_none_closes_in_peace() {
    let listener = local_listener();
    let (mut client, served) = connected(&listener);
    set_linger(served.as_fd(), Some(Duration::ZERO)).unwrap();
    drop(served);
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );

    let (mut client, served) = connected(&listener);
    set_linger(served.as_fd(), Some(Duration::ZERO)).unwrap();
    set_linger(served.as_fd(), None).unwrap();
    drop(served);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn the_descriptor_limit_rises_to_the_hard_one() {
    alone(|| {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: getrlimit(2) and setrlimit(2) are given a pointer to an rlimit that lives here.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
            limit.rlim_cur = 64;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        }
        let mut files = Vec::new();
        let full = loop {
            match std::fs::File::open("/dev/null") {
                Ok(file) => files.push(file),
                Err(error) => break error,
            }
        };
        assert!(files.len() < 64);
        assert!(is_out_of_descriptors(&full), "{full}");
        let error = listen(LOCAL, &ListenOptions::default()).unwrap_err();
        assert!(is_out_of_descriptors(&error), "{error}");
        let error = SignalPipe::new(&[Signal::User1]).unwrap_err();
        assert!(is_out_of_descriptors(&error), "{error}");

        let raised = raise_fd_limit().unwrap();
        assert!(raised > 64);
        assert_eq!(raise_fd_limit().unwrap(), raised);
        std::fs::File::open("/dev/null").unwrap();
        SignalPipe::new(&[Signal::User1]).unwrap();
    });
}
