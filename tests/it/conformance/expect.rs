//! Expectations and 100 (RFC 9110, 10.1.1).

use super::exchange::{assert_serves_on, case, check, exchange, get, post, refused, served};
use super::served::server;

const WAITS: &str = "Expect: 100-continue\r\nContent-Length: 5\r\n";

#[test]
fn rfc9110_10_1_1_the_body_is_invited_when_it_is_read() {
    let server = server();
    let _named = exchange("a body of known length");
    let mut client = server.connect();
    client.send(post(WAITS, ""));
    assert_eq!(client.reply().status, 100);
    client.assert_silent();
    client.send("hello");
    assert_eq!(client.reply().text(), "5");
    assert_serves_on(&mut client);

    let _named = exchange("chunks");
    client.send(post(
        "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n",
        "",
    ));
    assert_eq!(client.reply().status, 100);
    client.send("2\r\nhi\r\n0\r\n\r\n");
    assert_eq!(client.reply().text(), "2");
    assert_serves_on(&mut client);

    let _named = exchange("read while the answer is sent");
    client.send(post(WAITS, "").replace("/length", "/echo"));
    assert_eq!(client.reply().status, 100);
    client.send("hello");
    assert_eq!(client.reply().text(), "hello");
    assert_serves_on(&mut client);
}

#[test]
fn rfc9110_10_1_1_a_body_that_nobody_reads_is_not_invited() {
    let server = server();
    let _named = exchange("ignored");
    let mut client = server.connect();
    client.send(post(WAITS, "").replace("/length", "/ignore"));
    let reply = client.reply();
    assert_eq!((reply.text(), reply.closes()), ("ignored", true));
    client.assert_closed();

    let _named = exchange("nothing there");
    let mut client = server.connect();
    client.send(post(WAITS, "").replace("/length", "/none"));
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (404, true));
    client.assert_closed();
}

#[test]
fn rfc9110_10_1_1_a_client_that_did_not_wait_gets_no_100() {
    check(&[
        case("the body is there", post(WAITS, "hello"), served("5")),
        case("no body", get("Expect: 100-continue\r\n"), served("pong")),
        case(
            "a body of 0",
            post("Expect: 100-continue\r\nContent-Length: 0\r\n", ""),
            served("0"),
        ),
    ]);
}

#[test]
fn rfc9110_10_1_1_http_1_0_gets_no_100() {
    let request = format!("POST /length HTTP/1.0\r\n{WAITS}\r\nhello");
    check(&[case("it says so", request, served("5").last())]);
}

#[test]
fn rfc9110_10_1_1_other_expectations_fail() {
    check(&[
        case(
            "another",
            post("Expect: 200-ok\r\nContent-Length: 5\r\n", "hello"),
            refused(417),
        ),
        case("one more", get("Expect: 100-continue, x\r\n"), refused(417)),
        case(
            "in a second field",
            get("Expect: 100-continue\r\nExpect: x\r\n"),
            refused(417),
        ),
        case(
            "a longer word",
            get("Expect: 100-continued\r\n"),
            refused(417),
        ),
    ]);
}

#[test]
fn rfc9110_10_1_1_a_body_too_long_is_refused_and_not_invited() {
    let long = "Expect: 100-continue\r\nContent-Length: 99999999\r\n";
    check(&[case("413 instead of 100", post(long, ""), refused(413))]);
}

#[test]
fn rfc9110_15_2_interim_responses_have_no_content() {
    let server = server();
    let _named = exchange("100 has no fields");
    let mut client = server.connect();
    client.send(post(WAITS, ""));
    let reply = client.reply();
    assert_eq!((reply.status, reply.fields.len()), (100, 0));
    client.send("hello");
    assert_eq!(client.reply().status, 200);
}
