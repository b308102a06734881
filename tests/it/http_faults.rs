//! What a hostile or broken client may do, over real sockets, and what it must not achieve.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use tourbillon::server::{BodyError, Config, ProtocolError, Request};
use tourbillon::web::Router;

use super::server_support::{Client, MIB, PING, Served, config, pattern, serve, serve_with};

const SOON: Duration = Duration::from_millis(100);

/// Far beyond every deadline: what happens, happens for another reason.
const NEVER: Duration = Duration::from_secs(3600);

/// Says how the reading of a body ended, to the test and to the client.
fn reading_app(outcome: Sender<Result<usize, BodyError>>) -> Router {
    Router::new()
        .get("/ping", async |_| "pong")
        .post("/", async move |request: Request| {
            let read = request.into_body().collect(64 * MIB).await;
            let said = read.as_ref().map(Vec::len).map_err(|error| *error);
            // The test may be over.
            let _ = outcome.send(said);
            read
        })
}

fn serve_readers(config: Config) -> (Served, Receiver<Result<usize, BodyError>>) {
    let (outcome, outcomes) = mpsc::channel();
    let served = serve_with(config, move || reading_app(outcome));
    (served, outcomes)
}

#[track_caller]
fn assert_refused(client: &mut Client, status: u16, what: &str) {
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (status, true), "{what}");
    client.half_close();
    client.assert_closed();
}

#[test]
fn a_request_that_breaks_http_is_refused_and_the_connection_closed() {
    const TLS: &str = "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03";
    let long_field = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}", "x".repeat(20_000));
    let long_target = format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000));
    let endless_target = format!("GET /{}", "x".repeat(17_000));
    let many = format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(101)
    );
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n");
    let chunked = "transfer-encoding: chunked";
    let cases = [
        (400, TLS.to_owned()),
        (400, "\0\0\0\0".to_owned()),
        (400, "garbage\r\n\r\n".to_owned()),
        (400, "GET  / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\nhost: a\n\n".to_owned()),
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (
            400,
            "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n".to_owned(),
        ),
        (400, "GET / HTTP/1.1\r\nhost: a\r\nx : y\r\n\r\n".to_owned()),
        (
            400,
            "GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n z\r\n\r\n".to_owned(),
        ),
        (
            400,
            "GET / HTTP/1.1\r\nhost: a\r\nx: y\rz\r\n\r\n".to_owned(),
        ),
        (400, "GET /#a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (400, "GET relative HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        (400, "\r\n\r\n\r\n\r\n\r\n".to_owned()),
        (400, post(&format!("content-length: 4\r\n{chunked}"))),
        (400, post(&format!("{chunked}\r\ncontent-length: 4"))),
        (400, post("content-length: 4\r\ncontent-length: 4")),
        (400, post("content-length: +4")),
        (400, post("content-length: 18446744073709551616")),
        (400, post("content-length:")),
        (400, post("transfer-encoding: gzip")),
        (400, post("transfer-encoding: chunked, gzip")),
        (
            400,
            post("transfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        ),
        (501, post("transfer-encoding: gzip, chunked")),
        (400, format!("POST / HTTP/1.0\r\n{chunked}\r\n\r\n")),
        (417, post("expect: tea")),
        (414, long_target),
        (414, endless_target),
        (431, long_field),
        (431, many),
        (501, "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n".to_owned()),
        (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        (505, "GET / HTTP/1.2\r\nhost: a\r\n\r\n".to_owned()),
    ];
    let (served, _) = serve_readers(config());
    for (status, bytes) in &cases {
        let mut client = served.connect();
        client.send(bytes);
        assert_refused(&mut client, *status, bytes);
        // And behind a good one, which keeps its answer.
        let mut client = served.connect();
        client.send([PING, bytes.as_bytes()].concat());
        assert_eq!(client.reply().text(), "pong");
        assert_refused(&mut client, *status, bytes);
    }
    served.wait_until(|counts| counts.open == 0);
    let counts = served.counts();
    let count = cases.len() as u64;
    assert_eq!((counts.requests, counts.refused), (count, 2 * count));
}

#[test]
fn an_answer_to_a_broken_head_request_has_no_body() {
    let (served, _) = serve_readers(config());
    let mut client = served.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n");
    assert_eq!(client.reply_to("HEAD").status, 400);
    client.half_close();
    client.assert_closed();
}

#[test]
fn a_body_declared_too_long_is_refused_before_the_handler() {
    let mut config = config();
    config.limits.body_bytes_max = 10;
    let (served, outcomes) = serve_readers(config);
    for expects in ["", "expect: 100-continue\r\n"] {
        let mut client = served.connect();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{expects}content-length:");
        client.send(format!("{head} 10\r\n\r\n"));
        if !expects.is_empty() {
            assert_eq!(client.reply().status, 100);
        }
        client.send("0123456789");
        assert_eq!(client.reply().text(), "0123456789");
        assert_eq!(outcomes.recv().unwrap(), Ok(10));
        client.send(format!("{head} 11\r\n\r\n"));
        assert_refused(&mut client, 413, "eleven bytes");
    }
    assert!(outcomes.try_recv().is_err());
    assert_eq!((served.counts().requests, served.counts().refused), (2, 2));
}

#[test]
fn the_reader_of_a_broken_body_learns_why_it_ended() {
    let mut config = config();
    config.limits.body_bytes_max = 10;
    let (served, outcomes) = serve_readers(config);
    for (status, error, chunks) in [
        (
            413,
            ProtocolError::BodyTooLong,
            "5\r\n01234\r\n6\r\n567890\r\n",
        ),
        (413, ProtocolError::BodyTooLong, "ffffffffffffffff\r\n"),
        (400, ProtocolError::ChunkSize, "10000000000000000\r\n"),
        (400, ProtocolError::ChunkSize, "g\r\n"),
        (400, ProtocolError::ChunkSize, "-1\r\n"),
        (400, ProtocolError::ChunkSize, "\r\n"),
        (400, ProtocolError::ChunkSize, "5\n01234\n0\n\n"),
        (400, ProtocolError::ChunkEnd, "5\r\n012345\r\n"),
        (400, ProtocolError::Trailer, "0\r\nbad trailer\r\n\r\n"),
    ] {
        let mut client = served.connect();
        client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(chunks);
        let outcome = outcomes.recv().unwrap();
        assert_eq!(outcome, Err(BodyError::Refused(error)), "{chunks:?}");
        assert_refused(&mut client, status, chunks);
    }
}

#[test]
fn a_body_longer_than_its_reader_wants_is_413() {
    let served = serve(|| async |request: Request| request.into_body().collect(10).await);
    let mut client = served.connect();
    for (len, status) in [(10, 200), (11, 413), (10, 200), (MIB, 413)] {
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {len}\r\n\r\n");
        client.send([head.into_bytes(), pattern(len)].concat());
        assert_eq!(client.reply().status, status);
    }
    client.half_close();
    client.assert_closed();
}

#[test]
fn a_silent_client_is_closed_without_a_word() {
    let config = Config {
        head_timeout: SOON,
        keep_alive: NEVER,
        ..config()
    };
    let (served, _) = serve_readers(config);
    let mut silent = served.connect();
    let mut newline = served.connect();
    newline.send("\r\n");
    silent.assert_closed();
    newline.assert_closed();
    served.wait_until(|counts| counts.open == 0);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let config = Config {
        head_timeout: NEVER,
        keep_alive: SOON,
        ..config()
    };
    let (served, _) = serve_readers(config);
    let mut client = served.connect();
    assert_eq!(client.get("/ping").text(), "pong");
    client.assert_closed();
    // The limit for idle ones is none for a head that is on its way.
    let mut client = served.connect();
    client.send([PING, &PING[..10]].concat());
    assert_eq!(client.reply().text(), "pong");
    let mut idle = served.connect();
    idle.send(PING);
    assert_eq!(idle.reply().text(), "pong");
    idle.assert_closed();
    client.send(&PING[10..]);
    assert_eq!(client.reply().text(), "pong");
}

#[test]
fn the_limits_for_a_head_do_not_reach_into_its_answer() {
    let config = Config {
        head_timeout: SOON,
        keep_alive: SOON,
        ..config()
    };
    let served = serve_with(config, || {
        async |request: Request| {
            tourbillon::sleep(3 * SOON).await;
            request.into_body().collect(10).await
        }
    });
    let mut client = served.connect();
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\ntick");
        assert_eq!(client.reply().text(), "tick");
    }
    client.assert_closed();
}

#[test]
fn a_refused_client_that_stays_is_closed_after_linger_timeout() {
    let config = Config {
        linger_timeout: SOON,
        ..config()
    };
    let (served, _) = serve_readers(config);
    let mut client = served.connect();
    client.send("garbage\r\n\r\n");
    assert_eq!(client.reply().status, 400);
    client.assert_ended();
    // It neither closes nor is silent.
    while served.counts().open > 0 {
        let _ = std::io::Write::write(&mut client.stream, b"more");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn heads_that_stop_halfway_or_drip_are_told_and_closed() {
    let config = Config {
        head_timeout: SOON,
        ..config()
    };
    let (served, _) = serve_readers(config);
    let mut dripping = served.connect();
    let mut halfway: Vec<Client> = (0..200).map(|_| served.connect()).collect();
    for client in &mut halfway {
        client.send("GET /ping HTTP/1.1\r\nhost:");
    }
    // No drip is late, but the whole head is.
    dripping.send("GET / HTTP/1.1\r\n");
    dripping
        .stream
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    while dripping.stream.peek(&mut [0]).is_err() {
        dripping.send("x: y\r\n");
    }
    dripping
        .stream
        .set_read_timeout(Some(super::server_support::DEADLINE))
        .unwrap();
    assert_eq!(served.connect().get("/ping").text(), "pong");
    for client in halfway.iter_mut().chain([&mut dripping]) {
        assert_refused(client, 408, "a slow head");
    }
    served.wait_until(|counts| counts.open == 0);
    assert_eq!(served.counts().running, 0);
}

#[test]
fn an_answer_to_a_head_request_that_stops_halfway_has_no_body() {
    let config = Config {
        head_timeout: SOON,
        ..config()
    };
    let (served, _) = serve_readers(config);
    // Cut within the method, it could become another one.
    for (start, method) in [
        ("HEAD /ping HTTP/1.1\r\nhost:", "HEAD"),
        ("\r\nHEAD ", "HEAD"),
        ("HEAD", "GET"),
        ("HEADER /", "GET"),
    ] {
        let mut client = served.connect();
        client.send(start);
        let reply = client.reply_to(method);
        assert_eq!((reply.status, reply.closes()), (408, true), "{start:?}");
        let says_why = reply.text() == "the request head took too long";
        assert_eq!(says_why, method == "GET", "{start:?}");
        client.half_close();
        client.assert_closed();
    }
}

#[test]
fn the_reader_of_a_stalled_body_learns_of_it() {
    let config = Config {
        body_timeout: SOON,
        ..config()
    };
    let (served, outcomes) = serve_readers(config);
    for start in [
        "content-length: 100000\r\n\r\n".to_owned(),
        "content-length: 100000\r\n\r\n01234".to_owned(),
        "transfer-encoding: chunked\r\n\r\n5\r\n0123".to_owned(),
    ] {
        let mut client = served.connect();
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{start}"));
        assert_eq!(outcomes.recv().unwrap(), Err(BodyError::Timeout));
        assert_refused(&mut client, 408, &start);
    }
    served.wait_until(|counts| counts.open == 0);
}

#[test]
fn an_answer_to_a_stalled_short_body_announces_the_close() {
    let config = Config {
        body_timeout: SOON,
        ..config()
    };
    let (served, outcomes) = serve_readers(config);
    let mut client = served.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n01234");
    assert_eq!(outcomes.recv().unwrap(), Err(BodyError::Timeout));
    let reply = client.reply();
    // RFC 9110, 15.5.9: the connection will not be used again, and the 408 should say so.
    assert_eq!((reply.status, reply.closes()), (408, true));
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_body_is_noticed() {
    let (served, outcomes) = serve_readers(config());
    let mut other = served.connect();
    for by_reset in [false, true] {
        let mut client = served.connect();
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n01234");
        other.settle();
        if by_reset {
            client.reset()
        } else {
            drop(client)
        }
        assert_eq!(outcomes.recv().unwrap(), Err(BodyError::Disconnected));
    }
    served.wait_until(|counts| counts.open == 1 && counts.running == 0);
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    let served = serve(|| async |_| "early");
    for len in [2 * 64 * 1024, 900 * 1024, 8 * MIB] {
        let mut client = served.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {len}\r\n\r\n"
        ));
        // It reads when it has sent all, or can send no more.
        let sent = std::io::Write::write_all(&mut client.stream, &pattern(len));
        assert!(sent.is_ok() || len > MIB, "{len}: {sent:?}");
        let reply = client.reply();
        assert_eq!((reply.text(), reply.closes()), ("early", true));
    }
}

#[test]
fn a_head_may_be_as_long_as_its_limit_says() {
    let mut config = config();
    config.limits.head_bytes_max = MIB;
    let served = serve_with(config, || {
        async |request: Request| request.headers().get("x").unwrap().len().to_string()
    });
    let mut client = served.connect();
    for len in [100_000, 250_000, 300_000, 1_000_000] {
        client.send(format!(
            "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
            "x".repeat(len)
        ));
        assert_eq!(client.reply().text(), len.to_string());
    }
}

#[test]
fn more_connections_than_allowed_wait_their_turn() {
    let config = Config {
        connections_max: 2,
        ..config()
    };
    let (served, _) = serve_readers(config);
    let mut clients: Vec<Client> = (0..6).map(|_| served.connect()).collect();
    for client in &mut clients {
        client.send(PING);
    }
    let mut rest = clients.split_off(2);
    for client in &mut clients {
        assert_eq!(client.reply().text(), "pong");
    }
    clients[0].settle();
    rest.iter_mut().for_each(Client::assert_silent);
    assert_eq!(served.counts().open, 2);
    drop(clients);
    while !rest.is_empty() {
        let mut waited = rest.remove(0);
        assert_eq!(waited.reply().text(), "pong");
    }
    served.wait_until(|counts| counts.open == 0 && counts.total == 6);
}
