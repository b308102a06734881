//! Connections that come through a load balancer, with the PROXY protocol.

use std::time::Duration;

use tourbillon::server::{AccessLog, Config, Request, TrustedPeers};

use super::server_support::{Client, Served, config, serve_with};
use crate::support::{collect_logs, logged_with};

const GET: &[u8] = b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\n";

fn served(trusted: &str) -> Served {
    let config = Config {
        proxy_protocol: Some(TrustedPeers::new([trusted]).unwrap()),
        head_timeout: Duration::from_secs(3600),
        ..config()
    };
    serve_with(config, || {
        async |request: Request| match request.peer() {
            Some(peer) => peer.to_string(),
            None => "nobody".to_owned(),
        }
    })
}

/// Version 2, of which only the command and what follows it differ.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n",
        &[0x20 | command, family][..],
        &length,
        rest,
    ]
    .concat()
}

#[test]
fn the_client_is_whom_a_trusted_peer_names_wherever_the_bytes_are_cut() {
    let served = served("127.0.0.1");
    let v4 = [192, 0, 2, 1, 192, 0, 2, 9, 0x13, 0x88, 0, 80];
    for (head, peer) in [
        (
            b"PROXY TCP4 192.0.2.1 192.0.2.9 5000 80\r\n".to_vec(),
            "192.0.2.1:5000",
        ),
        (
            b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(),
            "[2001:db8::1]:1",
        ),
        (binary(1, 0x11, &v4), "192.0.2.1:5000"),
        (
            binary(1, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat()),
            "192.0.2.1:5000",
        ),
    ] {
        let all = [&head[..], GET, GET].concat();
        for cut in [
            0,
            1,
            5,
            12,
            15,
            16,
            head.len() - 1,
            head.len(),
            head.len() + 3,
        ] {
            let mut client = served.connect();
            client.send(&all[..cut.min(all.len())]);
            client.send(&all[cut.min(all.len())..]);
            assert_eq!(client.reply().text(), peer, "cut at {cut}");
            assert_eq!(client.reply().text(), peer, "for all requests");
        }
    }
}

#[test]
fn a_peer_that_speaks_for_itself_stays_the_peer() {
    let served = served("127.0.0.0/8");
    for head in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        binary(0, 0, b""),
        binary(0, 0x11, b"tick"),
    ] {
        let mut client = served.connect();
        client.send([&head[..], GET].concat());
        let own = client.stream.local_addr().unwrap().to_string();
        assert_eq!(client.reply().text(), own);
    }
}

#[test]
fn a_trusted_peer_that_names_nobody_is_closed_without_a_word() {
    let served = served("127.0.0.1");
    for bytes in [
        GET,
        b"PROXY TCP4 192.0.2.1\r\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n",
        b"\r\n\r\n\0\r\nQUIT\x0a\x11",
        &[b'P'; 200],
    ] {
        let mut client = served.connect();
        client.send(bytes);
        client.half_close();
        client.assert_closed();
    }
    served.wait_until(|counts| counts.open == 0 && counts.requests == 0);
}

#[test]
fn nobody_else_may_name_a_client() {
    let served = served("10.0.0.0/8");
    let mut client = served.connect();
    client.send(b"PROXY TCP4 192.0.2.1 192.0.2.9 5000 80\r\n");
    client.send(GET);
    assert_eq!(client.reply().status, 400);
    client.assert_closed();
    let mut client: Client = served.connect();
    client.send(GET);
    let own = client.stream.local_addr().unwrap().to_string();
    assert_eq!(client.reply().text(), own);
}

#[test]
fn a_drain_does_not_wait_for_a_head_and_the_log_names_the_client() {
    collect_logs();
    let config = Config {
        proxy_protocol: Some(TrustedPeers::new(["*"]).unwrap()),
        access_log: AccessLog::default(),
        head_timeout: Duration::from_secs(3600),
        ..config()
    };
    let served = serve_with(config, || async |_| "pong");
    let mut silent = served.connect();
    let mut client = served.connect();
    client.send(b"PROXY TCP4 192.0.2.77 192.0.2.9 5000 80\r\n");
    client.send(b"GET /proxied HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.reply().text(), "pong");
    let lines = logged_with("/proxied");
    assert!(
        lines[0].starts_with("INFO 192.0.2.77:5000 - \"GET "),
        "{lines:?}"
    );
    served.handle.stop();
    silent.assert_closed();
    client.assert_closed();
    served.ended().unwrap();
}
