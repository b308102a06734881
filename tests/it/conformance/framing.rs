//! Where a request's body ends (RFC 9112, 6).

use super::exchange::assert_serves_on;
use super::exchange::{answered, case, check, exchange, get, post, refused, served};
use super::served::server;

#[test]
fn rfc9112_6_2_a_length_frames_the_body() {
    check(&[
        case("five", post("Content-Length: 5\r\n", "hello"), served("5")),
        case("none", post("Content-Length: 0\r\n", ""), served("0")),
        case(
            "zeros before",
            post("Content-Length: 00005\r\n", "hello"),
            served("5"),
        ),
        case(
            "spaces around",
            post("Content-Length: \t5 \r\n", "hello"),
            served("5"),
        ),
        case(
            "any case",
            post("content-LENGTH: 5\r\n", "hello"),
            served("5"),
        ),
        case(
            "CR LF are body",
            post("Content-Length: 4\r\n", "\r\n\r\n"),
            served("4"),
        ),
        case(
            "a request is body",
            post("Content-Length: 18\r\n", "GET / HTTP/1.1\r\n\r\n"),
            served("18"),
        ),
        case(
            "with GET",
            format!("{}hello", get("Content-Length: 5\r\n")),
            served("pong"),
        ),
    ]);
}

#[test]
fn rfc9112_6_3_no_length_is_no_body() {
    check(&[
        case("POST", post("", ""), served("0")),
        case("GET", get(""), served("pong")),
        case(
            "bytes are the next request",
            post("", &get("")),
            served("pong").after(1),
        ),
    ]);
}

#[test]
fn rfc9110_8_6_an_invalid_length_is_refused() {
    check(&[
        case("empty", post("Content-Length:\r\n", ""), refused(400)),
        case(
            "a plus",
            post("Content-Length: +5\r\n", "hello"),
            refused(400),
        ),
        case(
            "a minus",
            post("Content-Length: -1\r\n", "hello"),
            refused(400),
        ),
        case(
            "hexadecimal",
            post("Content-Length: 0x5\r\n", "hello"),
            refused(400),
        ),
        case(
            "a letter",
            post("Content-Length: 5a\r\n", "hello"),
            refused(400),
        ),
        case(
            "a fraction",
            post("Content-Length: 5.0\r\n", "hello"),
            refused(400),
        ),
        case(
            "an underscore",
            post("Content-Length: 1_0\r\n", "hello"),
            refused(400),
        ),
        case(
            "two numbers",
            post("Content-Length: 5 5\r\n", "hello"),
            refused(400),
        ),
        case(
            "quoted",
            post("Content-Length: \"5\"\r\n", "hello"),
            refused(400),
        ),
        case(
            "other digits",
            post("Content-Length: \u{665}\r\n", "hello"),
            refused(400),
        ),
        case(
            "2^64",
            post("Content-Length: 18446744073709551616\r\n", "hello"),
            refused(400),
        ),
        case(
            "2^64 and 5",
            post("Content-Length: 18446744073709551621\r\n", "hello"),
            refused(400),
        ),
        case("with GET", get("Content-Length: x\r\n"), refused(400)),
    ]);
}

#[test]
fn rfc9112_6_3_two_lengths_are_refused() {
    check(&[
        case(
            "conflict",
            post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"),
            refused(400),
        ),
        case(
            "agree",
            post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
            refused(400),
        ),
        case(
            "a list",
            post("Content-Length: 5, 5\r\n", "hello"),
            refused(400),
        ),
        case(
            "a list that conflicts",
            post("Content-Length: 5, 6\r\n", "hello"),
            refused(400),
        ),
        case(
            "a comma",
            post("Content-Length: 5,\r\n", "hello"),
            refused(400),
        ),
        case(
            "apart",
            post(
                "Content-Length: 0\r\nX: y\r\ncontent-length: 5\r\n",
                "hello",
            ),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_6_1_a_length_beside_a_coding_is_refused() {
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let te_cl = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
    let cl_te = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    check(&[
        case("the coding first", post(te_cl, chunks), refused(400)),
        case("the length first", post(cl_te, chunks), refused(400)),
        case(
            "a length of 0",
            post(
                "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
                chunks,
            ),
            refused(400),
        ),
        case(
            "another coding",
            post("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n", "hello"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_6_1_a_coding_in_http_1_0_is_refused() {
    let old = |lines: &str, body: &str| format!("POST /length HTTP/1.0\r\n{lines}\r\n{body}");
    check(&[
        case(
            "chunked",
            old("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            refused(400),
        ),
        case(
            "with keep-alive",
            old(
                "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            refused(400),
        ),
        case(
            "identity",
            old("Transfer-Encoding: identity\r\n", ""),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_6_3_a_coding_that_does_not_end_in_chunked_is_refused() {
    let coded = |coding: &str| post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n");
    check(&[
        case("gzip", coded("gzip"), refused(400)),
        case("identity", coded("identity"), refused(400)),
        case("chunked, gzip", coded("chunked, gzip"), refused(400)),
        case(
            "chunked, identity",
            coded("chunked, identity"),
            refused(400),
        ),
        case("a longer word", coded("chunkedx"), refused(400)),
        case("a shorter word", coded("chunke"), refused(400)),
        case("another word", coded("xchunked"), refused(400)),
        case("quoted", coded("\"chunked\""), refused(400)),
        case("empty", coded(""), refused(400)),
        case("a vertical tab", coded("\x0bchunked"), refused(400)),
        case(
            "two lines",
            coded("chunked\r\nTransfer-Encoding: identity"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_chunked_twice_is_refused() {
    let coded = |coding: &str| post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n");
    check(&[
        case("in a list", coded("chunked, chunked"), refused(400)),
        case(
            "in two lines",
            coded("chunked\r\nTransfer-Encoding: chunked"),
            refused(400),
        ),
        case("with a parameter", coded("chunked;q=1"), refused(400)),
        case("an empty item", coded(", chunked"), refused(400)),
    ]);
}

#[test]
fn rfc9112_6_1_an_unknown_coding_is_not_implemented() {
    let coded = |coding: &str| post(&format!("Transfer-Encoding: {coding}\r\n"), "0\r\n\r\n");
    check(&[
        case("gzip, chunked", coded("gzip, chunked"), refused(501)),
        case(
            "in two lines",
            coded("gzip\r\nTransfer-Encoding: chunked"),
            refused(501),
        ),
        case("made up", coded("x, chunked"), refused(501)),
    ]);
}

#[test]
fn rfc9112_6_1_chunked_is_known_in_any_case() {
    let coded = |coding: &str| {
        post(
            &format!("Transfer-Encoding:{coding}\r\n"),
            "2\r\nhi\r\n0\r\n\r\n",
        )
    };
    check(&[
        case("upper", coded(" CHUNKED"), served("2")),
        case("mixed, with tabs", coded("\tChunked\t"), served("2")),
        case("no space", coded("chunked"), served("2")),
    ]);
}

#[test]
fn rfc9112_6_3_a_body_that_ends_early_is_no_request() {
    let server = server();
    let _named = exchange("the client stops in the middle");
    let mut client = server.connect();
    client.send(post("Content-Length: 10\r\n", "hello"));
    client.half_close();
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (400, true));
    client.assert_closed();

    let _named = exchange("and in chunks");
    let mut client = server.connect();
    client.send(post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"));
    client.half_close();
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (400, true));
    client.assert_closed();
}

#[test]
fn rfc9112_9_3_an_unread_body_is_no_request() {
    let smuggled = get("");
    let ignored =
        |lines: &str, body: &str| format!("POST /ignore HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}");
    let length = format!("Content-Length: {}\r\n", smuggled.len());
    check(&[
        case(
            "a small one is skipped",
            ignored(&length, &smuggled),
            served("ignored"),
        ),
        case(
            "of an unknown path",
            ignored(&length, &smuggled).replace("/ignore", "/none"),
            answered(404),
        ),
        case(
            "of a method not allowed",
            ignored(&length, &smuggled).replace("/ignore", "/ping"),
            answered(405),
        ),
        case(
            "chunks cost the connection",
            ignored("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
            served("ignored").last(),
        ),
        case(
            "and so does a long one",
            ignored("Content-Length: 100000\r\n", &"x".repeat(100_000)),
            served("ignored").last(),
        ),
    ]);
}

#[test]
fn rfc9112_6_the_cut_makes_no_difference() {
    let server = server();
    let _named = exchange("every byte in a segment of its own");
    let mut client = server.connect();
    for byte in post(
        "Transfer-Encoding: chunked\r\n",
        "3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    )
    .bytes()
    {
        client.send([byte]);
    }
    assert_eq!(client.reply().text(), "3");
    assert_serves_on(&mut client);
}
