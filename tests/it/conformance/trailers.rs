//! Trailer fields of responses (RFC 9110, 6.5; RFC 9112, 7.1.2).

use super::exchange::{assert_serves_on, case, check, exchange, served, targeted};
use super::served::server;
use crate::server_support::Client;

/// Reads a response in chunks, and returns its body and the lines behind it.
#[track_caller]
fn reply(client: &mut Client) -> (String, Vec<String>) {
    assert_eq!(client.line(), "HTTP/1.1 200 OK");
    while !client.line().is_empty() {}
    let mut body = String::new();
    loop {
        let size = usize::from_str_radix(&client.line(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.push_str(str::from_utf8(&client.take(size)).unwrap());
        assert_eq!(client.take(2), b"\r\n");
    }
    let lines = std::iter::from_fn(|| Some(client.line()).filter(|line| !line.is_empty()));
    let lines = lines.collect();
    (body, lines)
}

#[test]
fn rfc9112_7_1_2_trailers_come_behind_the_last_chunk() {
    let server = server();
    let mut client = server.connect();
    for (name, lines) in [
        ("said nothing", ""),
        ("said te", "TE: trailers\r\nConnection: te\r\n"),
    ] {
        let _named = exchange(name);
        client.send(format!("GET /trailers HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        let (body, fields) = reply(&mut client);
        assert_eq!(body, "first,last");
        assert_eq!(fields, ["server-timing: total;dur=1"]);
        assert_serves_on(&mut client);
    }
}

#[test]
fn rfc9110_6_5_1_fields_that_steer_are_no_trailers() {
    let server = server();
    let mut client = server.connect();
    for name in [
        "content-length",
        "Transfer-Encoding",
        "host",
        "set-cookie",
        "authorization",
        "cache-control",
        "content-type",
        "if-match",
        "trailer",
        "connection",
    ] {
        let _named = exchange(name);
        client.send(targeted(&format!("/trailers?name={name}"), "a"));
        assert_eq!(
            reply(&mut client),
            ("first,refused".to_owned(), Vec::new()),
            "{name}"
        );
    }
    assert_serves_on(&mut client);
}

#[test]
fn rfc9110_6_5_1_trailers_are_dropped_where_there_are_no_chunks() {
    check(&[
        case(
            "a known length",
            targeted("/trailers?sized", "a"),
            served("first,last"),
        ),
        case(
            "HTTP/1.0",
            "GET /trailers HTTP/1.0\r\n\r\n",
            served("first,last").last(),
        ),
        case(
            "HEAD",
            targeted("/trailers", "a").replace("GET", "HEAD"),
            served(""),
        ),
    ]);
}

#[test]
fn rfc9110_6_6_2_the_head_may_announce_them() {
    let head = targeted("/trailers", "a").replace("GET", "HEAD");
    check(&[case(
        "trailer",
        head,
        served("").with("trailer", "server-timing"),
    )]);
}
