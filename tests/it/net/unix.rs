//! Streams over Unix sockets: their names, and how they differ from TCP.

use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::task::Poll;

use tourbillon::net::{PeerState, UnixListenOptions, UnixListener, UnixStream};
use tourbillon::server::{CloseReason, Server};
use tourbillon::web::Router;

use super::*;
use crate::support::{
    Folder, block_on_both, collect_logs, cpu_time, default_sigpipe, in_child, limit_descriptors,
    logged_with, send_with_descriptor, well_in_child,
};

/// Two ends of one connection by way of a listener.
async fn pair_at(path: &Path) -> (UnixListener, UnixStream, UnixStream) {
    let mut listener = UnixListener::bind(path).unwrap();
    let client = UnixStream::connect(path).await.unwrap();
    let (server, from) = listener.accept().await.unwrap();
    assert!(from.is_unnamed());
    (listener, client, server)
}

/// A listener that is closed with its file left behind.
fn stale(path: &Path) {
    drop(StdListener::bind(path).unwrap());
    assert!(path.exists());
}

#[test]
fn an_echo_comes_back_whole_and_both_know_who_it_was() {
    block_on_both(|| async {
        let folder = Folder::new();
        let path = folder.path("echo");
        let (listener, client, server) = pair_at(&path).await;
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        assert!(client.local_addr().unwrap().is_unnamed());
        let cred = server.peer_cred().unwrap();
        assert_eq!(cred, client.peer_cred().unwrap());
        let file = fs::metadata(&path).unwrap();
        assert_eq!(cred.uid, std::os::unix::fs::MetadataExt::uid(&file));
        if cfg!(target_os = "linux") {
            assert_eq!(cred.pid, Some(std::process::id() as i32));
        }
        // Through halves in two tasks, more than the sockets hold.
        let (mut reads, mut writes) = server.into_split();
        let echo = spawn(async move {
            let mut buf = [0; 5003];
            loop {
                match reads.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => writes.write_all(&buf[..count]).await.unwrap(),
                }
            }
        });
        let (mut reads, mut writes) = client.into_split();
        let sending = spawn(async move {
            let block: Vec<u8> = (0..4 << 20).map(|at| (at % 251) as u8).collect();
            writes.write_all(&block).await.unwrap();
        });
        let (mut total, mut buf) = (0, vec![0; 3001]);
        loop {
            match timeout(PATIENCE, reads.read(&mut buf))
                .await
                .expect("stuck")
                .unwrap()
            {
                0 => break,
                count => {
                    let rest = buf[..count].iter().enumerate();
                    rest.for_each(|(at, byte)| assert_eq!(*byte, ((total + at) % 251) as u8));
                    total += count;
                }
            }
            yield_now().await;
        }
        assert_eq!(total, 4 << 20);
        sending.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn half_a_close_leaves_the_other_half_open() {
    block_on_both(|| async {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let (_, mut writer) = one.split();
        let parts = [&b"ques"[..], b"", b"tion"].map(IoSlice::new);
        assert_eq!(writer.write_vectored(&parts).await.unwrap(), 8);
        writer.shutdown().unwrap();
        let mut buf = [0; 16];
        other.read_exact(&mut buf[..8]).await.unwrap();
        assert_eq!(&buf[..8], b"question");
        assert_eq!(other.read(&mut buf).await.unwrap(), 0);
        // An end that was read is news of an event that is still to come.
        let half = poll_fn(|cx| match other.poll_peer(cx) {
            PeerState::HalfClosed => Poll::Ready(()),
            _ => Poll::Pending,
        });
        timeout(PATIENCE, half).await.expect("nobody was told");
        other.write_all(b"answer").await.unwrap();
        let error = other.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        one.read_exact(&mut buf[..6]).await.unwrap();
        assert_eq!(&buf[..6], b"answer");
        let error = one.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        drop(one);
        let gone = poll_fn(|cx| match other.poll_peer(cx) {
            PeerState::Gone => Poll::Ready(()),
            _ => Poll::Pending,
        });
        timeout(PATIENCE, gone)
            .await
            .expect("the peer is gone, and nobody was told");
    });
}

#[test]
fn giving_up_loses_neither_byte_nor_connection() {
    block_on_both(|| async {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        for round in 0..100_u8 {
            let mut byte = [0];
            assert!(
                timeout(Duration::ZERO, other.read(&mut byte))
                    .await
                    .is_err()
            );
            one.write_all(&[round]).await.unwrap();
            let read = timeout(PATIENCE, other.read_exact(&mut byte)).await;
            read.expect("lost").unwrap();
            assert_eq!(byte, [round]);
        }
        let folder = Folder::new();
        let path = folder.path("patient");
        let mut listener = UnixListener::bind(&path).unwrap();
        for _ in 0..20 {
            assert!(timeout(Duration::ZERO, listener.accept()).await.is_err());
            let mut client = UnixStream::connect(&path).await.unwrap();
            let (mut server, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
            server.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
        }
    });
}

/// A read stops short where a descriptor came along. What follows it is there already, and the
/// kernel will not announce it again.
#[test]
fn bytes_behind_a_passed_descriptor_are_read() {
    block_on_both(|| async {
        let (peer, stream) = StdStream::pair().unwrap();
        let mut stream = UnixStream::from_std(stream).unwrap();
        assert!(
            timeout(Duration::ZERO, stream.read(&mut [0]))
                .await
                .is_err()
        );
        send_with_descriptor(peer.as_raw_fd(), b'a', peer.as_raw_fd());
        send_with_descriptor(peer.as_raw_fd(), b'b', peer.as_raw_fd());
        (&peer).write_all(b"c").unwrap();
        let (mut got, mut buf) = (Vec::new(), [0; 64]);
        while got.len() < 3 {
            let read = timeout(Duration::from_secs(3), stream.read(&mut buf)).await;
            let Ok(count) = read else {
                panic!(
                    "read {:?}, the rest is stuck",
                    String::from_utf8_lossy(&got)
                );
            };
            got.extend_from_slice(&buf[..count.unwrap()]);
        }
        assert_eq!(got, b"abc");
    });
}

#[test]
fn writing_to_a_closed_peer_is_an_error_and_raises_no_signal() {
    let name = "net::unix::writing_to_a_closed_peer_is_an_error_and_raises_no_signal";
    let ended = in_child(name, || {
        default_sigpipe();
        Runtime::new().unwrap().block_on(async {
            for vectored in [false, true] {
                let (mut stream, peer) = UnixStream::pair().unwrap();
                drop(peer);
                let result = match vectored {
                    false => stream.write(b"x").await,
                    true => stream.write_vectored(&[IoSlice::new(b"x")]).await,
                };
                assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
                println!("survived, vectored: {vectored}");
            }
        });
    });
    if let Some((status, output)) = ended {
        assert!(
            output.contains("survived, vectored: true"),
            "{status}: {output}"
        );
    }
}

#[test]
fn connecting_to_nobody_is_an_error_that_names_the_path() {
    block_on_both(|| async {
        let folder = Folder::new();
        let path = folder.path("nobody");
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        stale(&path);
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains("nobody"), "{error}");
    });
}

#[test]
fn a_file_is_replaced_if_nobody_listens_on_it_and_only_then() {
    block_on_both(|| async {
        let folder = Folder::new();
        let path = folder.path("left");
        stale(&path);
        let (listener, ..) = pair_at(&path).await;
        // Somebody listens: this program, or with a full backlog, another.
        for full in [false, true] {
            let mut clients = Vec::new();
            if full {
                let other = folder.path("full");
                let busy = StdListener::bind(&other).unwrap();
                let options = UnixListenOptions {
                    backlog: 0,
                    ..Default::default()
                };
                fs::remove_file(&other).unwrap();
                drop(busy);
                let busy = UnixListener::bind_with(&other, &options).unwrap();
                clients.push(StdStream::connect(&other).unwrap());
                let error = UnixListener::bind(&other).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::AddrInUse);
                drop(busy);
            }
            let error = UnixListener::bind(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            assert!(error.to_string().contains("left"), "{error}");
        }
        drop(listener);
        assert!(!path.exists(), "the file outlives the listener");
        // No socket at all, or a link to one.
        fs::write(&path, "precious").unwrap();
        let error = UnixListener::bind(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_file(&path).unwrap();
        stale(&folder.path("target"));
        std::os::unix::fs::symlink(folder.path("target"), &path).unwrap();
        assert!(UnixListener::bind(&path).is_err());
        assert!(path.is_symlink());
    });
}

#[test]
fn a_file_that_is_anothers_by_now_stays() {
    block_on_both(|| async {
        let folder = Folder::new();
        let path = folder.path("taken-over");
        let first = UnixListener::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let second = UnixListener::bind(&path).unwrap();
        drop(first);
        let client = UnixStream::connect(&path).await;
        assert!(
            client.is_ok(),
            "the second one's file was removed by the first"
        );
        drop(second);
        assert!(!path.exists());
        // Nor is a file of somebody who only handed the socket in, or took it out.
        let std = StdListener::bind(&path).unwrap();
        drop(UnixListener::from_std(std).unwrap());
        assert!(path.exists());
        fs::remove_file(&path).unwrap();
        let std = UnixListener::bind(&path).unwrap().into_std().unwrap();
        assert!(path.exists());
        let _client = StdStream::connect(&path).unwrap();
        // Blocking again, so there is no error even if the client is slow.
        std.accept().unwrap();
    });
}

#[test]
fn the_mode_is_the_one_that_was_asked_for() {
    block_on(|| async {
        let folder = Folder::new();
        let path = folder.path("mode");
        for mode in [0o600, 0o666, 0o660] {
            let options = UnixListenOptions {
                mode: Some(mode),
                ..Default::default()
            };
            let _listener = UnixListener::bind_with(&path, &options).unwrap();
            let bits = fs::symlink_metadata(&path).unwrap().permissions().mode();
            assert_eq!(bits & 0o7777, mode, "whatever the umask");
        }
        assert!(!path.exists());
    });
}

#[test]
fn a_path_that_cannot_be_is_a_clear_error() {
    block_on(|| async {
        let folder = Folder::new();
        let long = folder.path(&"x".repeat(200));
        for error in [
            UnixListener::bind(&long).unwrap_err(),
            UnixStream::connect(&long).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains("use a shorter one"), "{error}");
        }
        // As long as it may be.
        let most = if cfg!(target_os = "linux") { 107 } else { 103 };
        let room = most - folder.path("").as_os_str().len();
        let path = folder.path(&"x".repeat(room));
        assert_eq!(path.as_os_str().len(), most);
        pair_at(&path).await;
        let error = UnixListener::bind(folder.path(&"x".repeat(room + 1))).unwrap_err();
        assert!(error.to_string().contains("use a shorter one"), "{error}");
        let error = UnixListener::bind("").unwrap_err();
        assert!(error.to_string().contains("empty path"), "{error}");
        let error = UnixListener::bind(folder.path("no/folder")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error.to_string().contains("its directory must exist"),
            "{error}"
        );
    });
}

#[test]
#[cfg(target_os = "linux")]
fn an_abstract_name_is_no_file_and_free_again_at_once() {
    block_on_both(|| async {
        use std::os::linux::net::SocketAddrExt;

        let name = format!("\0tourbillon-{}", std::process::id());
        for _ in 0..2 {
            let (listener, client, mut server) = pair_at(Path::new(&name)).await;
            let address = client.peer_addr().unwrap();
            assert_eq!(address.as_abstract_name(), Some(&name.as_bytes()[1..]));
            let error = UnixListener::bind(&name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            assert!(error.to_string().contains("\\0tourbillon"), "{error}");
            drop(listener);
            let (_, mut writes) = client.into_split();
            writes.write_all(b"x").await.unwrap();
            server.read_exact(&mut [0]).await.unwrap();
        }
        // An @ is a letter like any other.
        let folder = Folder::new();
        let path = folder.path("@file");
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(path.exists());
    });
}

/// The kernel refuses a connection to a full backlog, and tells nobody when there is room.
#[test]
#[cfg(target_os = "linux")]
fn connecting_waits_while_the_backlog_is_full() {
    block_on_both(|| async {
        let folder = Folder::new();
        let path = folder.path("busy");
        let options = UnixListenOptions {
            backlog: 1,
            ..Default::default()
        };
        let mut listener = UnixListener::bind_with(&path, &options).unwrap();
        let mut early = Vec::new();
        while let Ok(client) = timeout(MOMENT, UnixStream::connect(&path)).await {
            early.push(client.unwrap());
            assert!(early.len() < 100, "the backlog is never full");
        }
        let path_ = path.clone();
        let late = spawn(async move { UnixStream::connect(&path_).await });
        yield_now().await;
        for _ in 0..=early.len() {
            timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        }
        timeout(PATIENCE, late).await.unwrap().unwrap().unwrap();
    });
}

#[test]
fn a_full_table_pauses_accepting_and_recovers() {
    let name = "net::unix::a_full_table_pauses_accepting_and_recovers";
    well_in_child(name, || {
        collect_logs();
        block_on(|| async {
            let folder = Folder::new();
            let path = folder.path("full");
            let mut listener = UnixListener::bind(&path).unwrap();
            let clients: Vec<_> = (0..40)
                .map(|_| StdStream::connect(&path).unwrap())
                .collect();
            let open = fs::read_dir("/dev/fd").unwrap().count() as u64;
            limit_descriptors(open + 8);
            let cpu = cpu_time();
            let mut held = Vec::new();
            while let Ok(accepted) = timeout(MOMENT * 10, listener.accept()).await {
                held.push(accepted.expect("being full is no error"));
            }
            assert!(
                (1..40).contains(&held.len()),
                "{} accepted: not full",
                held.len()
            );
            assert!(cpu_time() - cpu < Duration::from_millis(150), "it spins");
            limit_descriptors(400);
            let before = held.len();
            while let Ok(accepted) = timeout(MOMENT * 10, listener.accept()).await {
                held.push(accepted.unwrap());
            }
            assert!(held.len() > before + 20, "{} in the end", held.len());
            assert!(!logged_with("accepting pauses").is_empty());
            drop(clients);
        });
    });
}

#[test]
fn http_is_served_over_a_unix_socket() {
    block_on_both(|| async {
        let folder = Folder::new();
        let path = folder.path("http");
        let mut listener = UnixListener::bind(&path).unwrap();
        let config = crate::server_support::config();
        let server = Server::new(Router::new().get("/", async |_| "Hello!"), config);
        let mut client = UnixStream::connect(&path).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let serving = spawn(server.serve_connection(stream, None));
        let mut buf = [0; 1024];
        for _ in 0..3 {
            let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut answer = String::new();
            while !answer.ends_with("Hello!") {
                let count = timeout(PATIENCE, client.read(&mut buf))
                    .await
                    .unwrap()
                    .unwrap();
                assert!(count > 0, "ended after {answer:?}");
                answer.push_str(std::str::from_utf8(&buf[..count]).unwrap());
            }
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(
            timeout(PATIENCE, client.read(&mut buf))
                .await
                .unwrap()
                .unwrap(),
            0
        );
        let reason = timeout(PATIENCE, serving).await.unwrap().unwrap();
        assert_eq!(reason, CloseReason::ClientLeft);
    });
}
