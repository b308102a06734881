//! How much is too much, and which status says so.

use super::exchange::{
    answered, case, check, chunked, exchange, get, post, refused, served, targeted,
};
use super::served::server;

#[test]
fn rfc9110_15_5_15_a_long_target_is_refused() {
    check(&[
        case(
            "a path",
            targeted(&format!("/{}", "a".repeat(9000)), "a"),
            refused(414),
        ),
        case(
            "a query",
            targeted(&format!("/ping?{}", "a".repeat(9000)), "a"),
            refused(414),
        ),
        case(
            "longer than a head",
            targeted(&format!("/{}", "a".repeat(20_000)), "a"),
            refused(414),
        ),
        case(
            "8,000 are served",
            targeted(&format!("/ping?{}", "a".repeat(7900)), "a"),
            served("pong"),
        ),
    ]);
}

#[test]
fn rfc9112_3_a_long_method_is_refused() {
    let method = "M".repeat(20_000);
    check(&[case(
        "a method",
        format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"),
        refused(431),
    )]);
}

#[test]
fn rfc6585_5_a_large_head_is_refused() {
    check(&[
        case(
            "one long value",
            get(&format!("X: {}\r\n", "y".repeat(20_000))),
            refused(431),
        ),
        case(
            "one long name",
            get(&format!("{}: y\r\n", "X".repeat(20_000))),
            refused(431),
        ),
        case(
            "many values",
            get(&format!("X: {}\r\n", "y".repeat(1000)).repeat(20)),
            refused(431),
        ),
        case("many fields", get(&"X: y\r\n".repeat(101)), refused(431)),
        case(
            "99 and Host are served",
            get(&"X: y\r\n".repeat(99)),
            served("pong"),
        ),
        case(
            "a fat cookie is served",
            get(&format!("Cookie: {}\r\n", "y".repeat(12_000))),
            served("pong"),
        ),
    ]);
}

#[test]
fn rfc9110_15_5_14_a_long_body_is_refused() {
    check(&[
        case(
            "declared",
            post("Content-Length: 1048577\r\n", ""),
            refused(413),
        ),
        case("in one chunk", chunked("100001\r\n"), refused(413)),
        case(
            "in two chunks",
            chunked(&format!("1\r\na\r\n{:x}\r\n", 1024 * 1024)),
            refused(413),
        ),
        case(
            "declared for nobody",
            get("Content-Length: 1048577\r\n"),
            refused(413),
        ),
    ]);
    let server = server();
    let _named = exchange("one that is just not too long");
    let mut client = server.connect();
    client.send(post("Content-Length: 1048576\r\n", ""));
    client.send(vec![b'x'; 1024 * 1024]);
    assert_eq!(client.reply().text(), "1048576");
}

#[test]
fn rfc9110_15_5_1_a_refusal_says_what_was_wrong() {
    check(&[
        case(
            "in plain text",
            "GET / HTTP/1.1\r\n\r\n",
            refused(400)
                .with("content-type", "text/plain; charset=utf-8")
                .saying("an HTTP/1.1 request must have a Host"),
        ),
        case(
            "a route's own 400",
            targeted("/status?code=x", "a"),
            answered(400),
        ),
    ]);
}
