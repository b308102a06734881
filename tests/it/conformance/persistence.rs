//! Whether a connection goes on (RFC 9112, 9).

use super::exchange::{assert_serves_on, case, check, exchange, get, post, served};
use super::served::{hasty, server};

fn old(lines: &str) -> String {
    format!("GET /ping HTTP/1.0\r\n{lines}\r\n")
}

#[test]
fn rfc9112_9_3_http_1_1_stays_unless_told_otherwise() {
    check(&[
        case(
            "nothing said",
            get(""),
            served("pong").without("connection"),
        ),
        case(
            "keep-alive",
            get("Connection: keep-alive\r\n"),
            served("pong"),
        ),
        case("another option", get("Connection: x\r\n"), served("pong")),
        case("close", get("Connection: close\r\n"), served("pong").last()),
        case(
            "any case",
            get("connection: CLOSE\r\n"),
            served("pong").last(),
        ),
        case(
            "in a list",
            get("Connection: x, close\r\n"),
            served("pong").last(),
        ),
        case(
            "in an untidy list",
            get("Connection: ,, \t close ,\r\n"),
            served("pong").last(),
        ),
        case(
            "in a second field",
            get("Connection: x\r\nConnection: close\r\n"),
            served("pong").last(),
        ),
        case(
            "beside keep-alive",
            get("Connection: keep-alive, close\r\n"),
            served("pong").last(),
        ),
        case(
            "a longer word",
            get("Connection: closed\r\n"),
            served("pong"),
        ),
        case("quoted", get("Connection: \"close\"\r\n"), served("pong")),
    ]);
}

#[test]
fn rfc9112_9_3_http_1_0_closes_unless_told_otherwise() {
    check(&[
        case("nothing said", old(""), served("pong").last()),
        case(
            "keep-alive",
            old("Connection: keep-alive\r\n"),
            served("pong").with("connection", "keep-alive"),
        ),
        case(
            "any case",
            old("connection: Keep-Alive\r\n"),
            served("pong").with("connection", "keep-alive"),
        ),
        case("close", old("Connection: close\r\n"), served("pong").last()),
        case(
            "beside close",
            old("Connection: keep-alive, close\r\n"),
            served("pong").last(),
        ),
        case(
            "another field",
            old("Keep-Alive: timeout=5\r\n"),
            served("pong").last(),
        ),
        case(
            "a proxy's field",
            old("Proxy-Connection: keep-alive\r\n"),
            served("pong").last(),
        ),
    ]);
}

#[test]
fn rfc9112_9_3_http_1_0_stays_with_a_body_of_known_length_only() {
    let server = server();
    let _named = exchange("a stream ends with the connection");
    let mut client = server.connect();
    client.send("GET /trailers HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.text(), reply.closes()), ("first,last", true));
    assert_eq!(reply.field("transfer-encoding"), None);
    client.assert_closed();
}

#[test]
fn rfc9112_9_3_2_pipelined_requests_are_answered_in_order() {
    let server = server();
    let _named = exchange("a slow one first");
    let mut client = server.connect();
    let slow = "GET /slow?ms=20 HTTP/1.1\r\nHost: a\r\n\r\n";
    let body = post("Content-Length: 3\r\n", "abc");
    client.send(format!("{slow}{body}{}", get("")));
    assert_eq!(client.reply().text(), "slept 20 ms");
    assert_eq!(client.reply().text(), "3");
    assert_eq!(client.reply().text(), "pong");
    assert_serves_on(&mut client);

    let _named = exchange("a hundred at once");
    client.send(get("").repeat(100));
    for _ in 0..100 {
        assert_eq!(client.reply().text(), "pong");
    }
    assert_serves_on(&mut client);

    let _named = exchange("HEAD between others");
    let head = get("").replace("GET", "HEAD");
    client.send(format!("{}{head}{}", get(""), get("")));
    assert_eq!(client.reply().text(), "pong");
    assert_eq!(client.reply_to("HEAD").text(), "");
    assert_eq!(client.reply().text(), "pong");
    assert_serves_on(&mut client);
}

#[test]
fn rfc9112_9_6_nothing_is_answered_after_a_close() {
    let server = server();
    let _named = exchange("pipelined behind a close");
    let mut client = server.connect();
    let last = get("Connection: close\r\n");
    client.send(format!("{}{last}{}{}", get(""), get(""), get("")));
    assert!(!client.reply().closes());
    assert!(client.reply().closes());
    client.assert_closed();

    let _named = exchange("pipelined behind a fault");
    let mut client = server.connect();
    client.send(format!("{}GET / HTTP/1.1\r\n\r\n{}", get(""), get("")));
    assert_eq!(client.reply().status, 200);
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (400, true));
    client.assert_closed();

    let _named = exchange("the server asks for it");
    let mut client = server.connect();
    client.send(format!(
        "GET /status?close HTTP/1.1\r\nHost: a\r\n\r\n{}",
        get("")
    ));
    assert!(client.reply().closes());
    client.assert_closed();
}

#[test]
fn rfc9112_9_6_an_answer_survives_what_the_client_still_sends() {
    let server = server();
    let _named = exchange("a long body that nobody reads");
    let mut client = server.connect();
    client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    client.send(vec![b'x'; 1_000_000]);
    let reply = client.reply();
    assert_eq!((reply.text(), reply.closes()), ("ignored", true));
    client.assert_closed();
}

#[test]
fn rfc9112_9_5_an_idle_connection_is_closed_without_a_word() {
    let server = hasty();
    let _named = exchange("after a request");
    let mut client = server.connect();
    assert_eq!(client.get("/ping").text(), "pong");
    client.assert_closed();

    let _named = exchange("before any");
    server.connect().assert_closed();
}

#[test]
fn rfc9110_15_5_9_a_request_that_does_not_come_is_told() {
    let server = hasty();
    let _named = exchange("a head");
    let mut client = server.connect();
    client.send("GET /ping HTTP/1.1\r\nHo");
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (408, true));
    client.assert_closed();

    let _named = exchange("the head of a HEAD");
    let mut client = server.connect();
    client.send("HEAD /ping HTTP/1.1\r\nHo");
    assert_eq!(client.reply_to("HEAD").status, 408);
    client.assert_closed();

    let _named = exchange("a body");
    let mut client = server.connect();
    client.send(post("Content-Length: 10\r\n", "hello"));
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (408, true));
    client.assert_closed();
}
