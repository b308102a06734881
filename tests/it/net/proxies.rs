//! Both directions at once, between a client and a server on real sockets.

use std::io;

use tourbillon::net::{copy, copy_bidirectional};

use super::copying::pattern;
use super::*;

/// A proxy between a client and a server: `front` and `back` are its two connections.
async fn proxied() -> (
    TcpStream,
    TcpStream,
    tourbillon::JoinHandle<io::Result<(u64, u64)>>,
) {
    let (client, mut front) = pair().await;
    let (mut back, server) = pair().await;
    let proxy = spawn(async move { copy_bidirectional(&mut front, &mut back).await });
    (client, server, proxy)
}

#[test]
fn a_proxy_passes_a_half_close_on_and_the_answer_back() {
    block_on(|| async {
        for client_first in [true, false] {
            let (client, server, proxy) = proxied().await;
            let (mut first, mut second) = match client_first {
                true => (client, server),
                false => (server, client),
            };
            first.write_all(b"question").await.unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            let mut got = Vec::new();
            let read = timeout(PATIENCE, copy(&mut second, &mut got)).await;
            read.expect("the end is not passed on").unwrap();
            assert_eq!(got, b"question");
            // The way back is open.
            second.write_all(b"answer").await.unwrap();
            let mut back = [0; 6];
            first.read_exact(&mut back).await.unwrap();
            assert_eq!(&back, b"answer");
            assert!(!proxy.is_finished());
            drop(second);
            assert_eq!(first.read(&mut back).await.unwrap(), 0);
            let counts = proxy.await.unwrap().unwrap();
            let expected = if client_first { (8, 6) } else { (6, 8) };
            assert_eq!(counts, expected);
        }
    });
}

#[test]
fn megabytes_pass_a_proxy_both_ways_at_once() {
    block_on(|| async {
        const LEN: usize = 5 << 20;
        let (client, server, proxy) = proxied().await;
        let mut done = Vec::new();
        for stream in [client, server] {
            let (mut reader, mut writer) = stream.into_split();
            let writing = spawn(async move { writer.write_all(&pattern(LEN)).await.unwrap() });
            let reading = spawn(async move {
                let mut got = Vec::new();
                copy(&mut reader, &mut got).await.unwrap();
                assert!(got == pattern(LEN), "{} bytes, not the same", got.len());
            });
            done.extend([writing, reading]);
        }
        for task in done {
            timeout(PATIENCE, task).await.expect("stuck").unwrap();
        }
        assert_eq!(proxy.await.unwrap().unwrap(), (LEN as u64, LEN as u64));
    });
}

#[test]
fn a_peer_that_resets_midway_ends_the_proxy_and_the_other_side_is_told() {
    block_on(|| async {
        for client_goes in [true, false] {
            let (client, server, proxy) = proxied().await;
            let (goes, mut stays) = match client_goes {
                true => (client, server),
                false => (server, client),
            };
            // So much that it is still on its way.
            let writing = spawn(async move {
                let end = stays.write_all(&vec![7; 32 << 20]).await;
                (end, stays)
            });
            sleep(MOMENT).await;
            assert!(!writing.is_finished());
            goes.set_linger(Some(Duration::ZERO)).unwrap();
            drop(goes);
            let end = timeout(PATIENCE, proxy).await.expect("it hangs").unwrap();
            let kind = end.unwrap_err().kind();
            assert!(
                matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                "{kind:?}"
            );
            let (end, _stays) = timeout(PATIENCE, writing).await.unwrap().unwrap();
            end.unwrap_err();
        }
        assert_eq!(tourbillon::stats().sources, 0);
    });
}
