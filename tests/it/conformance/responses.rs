//! How responses are framed (RFC 9112, 6; RFC 9110, 8.6 and 15).

use super::exchange::{answered, assert_serves_on, case, check, exchange, served, targeted};
use super::served::server;

fn status(code: u16) -> String {
    targeted(&format!("/status?code={code}"), "a")
}

#[test]
fn rfc9110_6_6_1_every_response_has_one_date() {
    let server = server();
    for (name, path) in [
        ("a text", "/ping"),
        ("a stream", "/bytes?n=3"),
        ("a fault", "/none"),
    ] {
        let _named = exchange(name);
        let reply = server.connect().get(path);
        let date = reply.field("date").unwrap();
        assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    }
    let _named = exchange("a refusal");
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert!(client.reply().field("date").is_some());
}

#[test]
fn rfc9110_15_3_5_204_has_no_content() {
    check(&[
        case(
            "GET",
            status(204),
            answered(204)
                .without("content-length")
                .without("transfer-encoding")
                .saying(""),
        ),
        case(
            "HTTP/1.0",
            "GET /status?code=204 HTTP/1.0\r\n\r\n",
            answered(204).last(),
        ),
        case("HEAD", status(204).replace("GET", "HEAD"), answered(204)),
    ]);
}

#[test]
fn rfc9110_15_4_5_304_has_no_content() {
    check(&[
        case(
            "GET",
            status(304),
            answered(304).without("transfer-encoding").saying(""),
        ),
        case(
            "HTTP/1.0",
            "GET /status?code=304 HTTP/1.0\r\n\r\n",
            answered(304).last(),
        ),
    ]);
}

#[test]
fn rfc9110_15_3_6_205_has_no_content_and_says_so() {
    check(&[case(
        "GET",
        status(205),
        answered(205).with("content-length", "0"),
    )]);
}

#[test]
fn rfc9110_15_other_statuses_have_content() {
    check(&[
        case("201", status(201), answered(201).saying("a body")),
        case("206", status(206), answered(206).saying("a body")),
        case("301", status(301), answered(301).saying("a body")),
        case("404", status(404), answered(404).saying("a body")),
        case("500", status(500), answered(500).saying("a body")),
        case(
            "an unregistered one",
            status(599),
            answered(599).saying("a body"),
        ),
        case("no status", status(600), answered(400)),
    ]);
}

#[test]
fn rfc9110_15_2_an_interim_status_is_no_answer() {
    check(&[
        case("100", status(100), answered(500)),
        case("102", status(102), answered(500)),
        case("103", status(103), answered(500)),
        case("199", status(199), answered(500)),
        case(
            "HTTP/1.0",
            "GET /status?code=100 HTTP/1.0\r\n\r\n",
            answered(500).last(),
        ),
    ]);
}

#[test]
fn rfc9110_8_6_a_body_of_known_length_is_announced() {
    check(&[
        case(
            "a text",
            targeted("/ping", "a"),
            served("pong").with("content-length", "4"),
        ),
        case(
            "empty",
            targeted("/bytes?n=0", "a"),
            served("").with("content-length", "0"),
        ),
        case(
            "a stream",
            targeted("/bytes?n=3", "a"),
            served("xxx")
                .with("content-length", "3")
                .without("transfer-encoding"),
        ),
    ]);
    let server = server();
    let _named = exchange("a long one");
    let mut client = server.connect();
    assert_eq!(client.get("/bytes?n=1000000").body, vec![b'x'; 1_000_000]);
    assert_serves_on(&mut client);
}

#[test]
fn rfc9112_7_1_a_body_of_unknown_length_is_sent_in_chunks() {
    let echo = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    check(&[case(
        "HTTP/1.1",
        echo,
        served("hello")
            .with("transfer-encoding", "chunked")
            .without("content-length"),
    )]);
}

#[test]
fn rfc9112_6_1_http_1_0_gets_no_chunks() {
    check(&[case(
        "the close ends the body",
        "GET /trailers HTTP/1.0\r\n\r\n",
        served("first,last")
            .last()
            .without("transfer-encoding")
            .without("content-length"),
    )]);
}

#[test]
fn rfc9112_2_3_answers_speak_1_1_to_http_1_0() {
    let server = server();
    let _named = exchange("the status line");
    let mut client = server.connect();
    client.send("GET /ping HTTP/1.0\r\n\r\n");
    assert_eq!(client.line(), "HTTP/1.1 200 OK");
}

#[test]
fn rfc9112_4_a_status_line_without_phrase_keeps_its_space() {
    let server = server();
    let _named = exchange("599");
    let mut client = server.connect();
    client.send(status(599));
    assert_eq!(client.line(), "HTTP/1.1 599 ");
}

#[test]
fn rfc9110_15_6_1_a_handler_that_panics_is_a_500() {
    check(&[case(
        "a panic",
        targeted("/panic", "a"),
        answered(500).last(),
    )]);
}

#[test]
fn rfc9112_9_3_content_that_asks_is_echoed_and_nothing_else() {
    let server = server();
    let _named = exchange("a request in a request");
    let mut client = server.connect();
    let body = "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = body.len();
    client.send(format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(client.reply().text(), body);
    assert_serves_on(&mut client);
}

#[test]
fn rfc8297_2_hints_come_before_the_answer() {
    let server = server();
    let _named = exchange("while the handler goes on");
    let mut client = server.connect();
    client.send(targeted("/hints?ms=50", "a"));
    let hints = client.reply();
    assert_eq!(hints.status, 103);
    assert_eq!(
        hints.field("link"),
        Some("</style.css>; rel=preload; as=style")
    );
    assert_eq!(
        (hints.field("content-length"), hints.field("connection")),
        (None, None)
    );
    // The handler sleeps yet.
    client.assert_silent();
    assert_eq!(client.reply().text(), "styled");
    assert_serves_on(&mut client);

    let _named = exchange("several");
    client.send(targeted("/hints?n=3", "a"));
    for _ in 0..3 {
        assert_eq!(client.reply().status, 103);
    }
    assert_eq!(client.reply().text(), "styled");

    let _named = exchange("by a handler that does not wait");
    client.send(targeted("/hints?ms=0", "a"));
    assert_eq!(client.reply().status, 103);
    assert_eq!(client.reply().text(), "styled");
    assert_serves_on(&mut client);

    let _named = exchange("to HEAD");
    client.send(targeted("/hints", "a").replace("GET", "HEAD"));
    assert_eq!(client.reply().status, 103);
    assert_eq!(client.reply_to("HEAD").status, 200);
    assert_serves_on(&mut client);
}

#[test]
fn rfc9110_15_2_http_1_0_gets_no_interim_response() {
    let old = "GET /hints HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    check(&[case("hints", old, served("styled"))]);
}
