//! Other protocols (RFC 9110, 7.8).

use super::exchange::{answered, assert_serves_on, case, check, exchange, get, refused};
use super::served::server;

const ASKS: &str = "Upgrade: echo\r\nConnection: upgrade\r\n";

fn upgrade(query: &str, lines: &str) -> String {
    format!("GET /upgrade{query} HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn rfc9110_7_8_a_switch_hands_the_stream_over() {
    let server = server();
    let _named = exchange("what comes later");
    let mut client = server.connect();
    client.send(upgrade("", ASKS));
    let reply = client.reply();
    assert_eq!(reply.status, 101);
    assert_eq!(reply.field("connection"), Some("upgrade"));
    assert_eq!(reply.field("upgrade"), Some("echo"));
    assert_eq!(reply.field("content-length"), None);
    client.send(b"\x00\xff raw");
    assert_eq!(client.take(6), b"\x00\xff raw");
    client.half_close();
    client.assert_closed();

    let _named = exchange("what came with the request");
    let mut client = server.connect();
    // It looks like a request, and is none.
    let bytes = get("");
    client.send(format!("{}{bytes}", upgrade("", ASKS)));
    assert_eq!(client.reply().status, 101);
    assert_eq!(client.take(bytes.len()), bytes.as_bytes());
    client.send("more");
    assert_eq!(client.take(4), b"more");
    client.half_close();
    client.assert_closed();
}

#[test]
fn rfc9110_7_8_a_switch_may_follow_other_requests() {
    let server = server();
    let _named = exchange("pipelined");
    let mut client = server.connect();
    client.send(format!("{}{}{}raw", get(""), get(""), upgrade("", ASKS)));
    assert_eq!(client.reply().text(), "pong");
    assert_eq!(client.reply().text(), "pong");
    assert_eq!(client.reply().status, 101);
    assert_eq!(client.take(3), b"raw");
}

#[test]
fn rfc9110_7_8_nobody_is_switched_who_did_not_ask() {
    check(&[
        case("nothing", upgrade("?unasked", ""), answered(500)),
        case(
            "no connection",
            upgrade("", "Upgrade: echo\r\n"),
            answered(500),
        ),
        case(
            "no upgrade",
            upgrade("?unasked", "Connection: upgrade\r\n"),
            answered(500),
        ),
    ]);
}

#[test]
fn rfc9110_7_8_http_1_0_is_not_switched() {
    let old = format!("GET /upgrade HTTP/1.0\r\n{ASKS}\r\n");
    check(&[case("it asks", old, answered(500).last())]);
}

#[test]
fn rfc9110_7_8_a_server_may_stay() {
    check(&[
        case(
            "a protocol that is not spoken",
            upgrade("", "Upgrade: other\r\nConnection: upgrade\r\n"),
            answered(426),
        ),
        case("a path that knows of none", get(ASKS), answered(200)),
    ]);
}

#[test]
fn rfc9110_15_5_22_an_upgrade_that_is_required_is_named() {
    let want = || {
        answered(426)
            .with("upgrade", "echo")
            .with("connection", "upgrade")
    };
    check(&[case("426", upgrade("", ""), want())]);
}

#[test]
fn rfc9110_7_8_a_body_and_100_come_before_the_switch() {
    let server = server();
    let _named = exchange("a body that waits");
    let mut client = server.connect();
    client.send(format!(
        "POST /upgrade HTTP/1.1\r\nHost: a\r\n{ASKS}\
         Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    ));
    assert_eq!(client.reply().status, 100);
    client.send("bodyraw");
    assert_eq!(client.reply().status, 101);
    assert_eq!(client.take(3), b"raw");

    let _named = exchange("a body that is there");
    let mut client = server.connect();
    client.send(format!(
        "POST /upgrade HTTP/1.1\r\nHost: a\r\n{ASKS}Content-Length: 4\r\n\r\nbodyraw"
    ));
    assert_eq!(client.reply().status, 101);
    assert_eq!(client.take(3), b"raw");
}

#[test]
fn rfc9110_7_8_no_switch_in_the_middle_of_a_request() {
    let post = |lines: &str, body: &str| {
        format!("POST /upgrade HTTP/1.1\r\nHost: a\r\n{ASKS}{lines}\r\n{body}")
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let long = "x".repeat(100_000);
    check(&[
        case(
            "chunks",
            post(chunked, "3\r\nabc\r\n0\r\n\r\n"),
            refused(500),
        ),
        case("chunks with a fault", post(chunked, "zz\r\n"), refused(500)),
        case(
            "a long body",
            post("Content-Length: 100000\r\n", &long),
            refused(500),
        ),
    ]);
}

#[test]
fn rfc9110_7_8_a_stream_that_nobody_takes_is_closed() {
    let server = server();
    let _named = exchange("nothing after it is a request");
    let mut client = server.connect();
    client.send(format!("{}{}", upgrade("?taker=none", ASKS), get("")));
    assert_eq!(client.reply().status, 101);
    client.assert_closed();
    assert_serves_on(&mut server.connect());
}
