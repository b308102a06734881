//! Lines and their ends (RFC 9112, 2.2 and 3).

use super::exchange::{case, check, get, refused, served};

#[test]
fn rfc9112_2_2_a_bare_lf_is_refused() {
    check(&[
        case(
            "request line",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "field line",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            refused(400),
        ),
        case("a later field", get("X: y\nZ: a\r\n"), refused(400)),
        case(
            "the empty line",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            refused(400),
        ),
        case("all", "GET / HTTP/1.1\nHost: a\n\n", refused(400)),
        case(
            "behind space",
            "GET / HTTP/1.1\r\nHost: a \n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_2_2_a_bare_cr_is_refused() {
    check(&[
        case(
            "request line",
            "GET / HTTP/1.1\rHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "field line",
            "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
            refused(400),
        ),
        case(
            "the empty line",
            "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n",
            refused(400),
        ),
        case(
            "before the request",
            "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_2_2_empty_lines_before_a_request_are_skipped() {
    check(&[
        case("one", format!("\r\n{}", get("")), served("pong")),
        case("a few", format!("\r\n\r\n\r\n{}", get("")), served("pong")),
        case(
            "many",
            format!("{}{}", "\r\n".repeat(40), get("")),
            refused(400),
        ),
        case("a bare LF", format!("\n{}", get("")), refused(400)),
    ]);
}

#[test]
fn rfc9112_3_a_request_line_with_other_spaces_is_refused() {
    check(&[
        case(
            "before it",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "two after the method",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "two before the version",
            "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "behind it",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case("a tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", refused(400)),
        case(
            "a vertical tab",
            "GET\x0b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_2_what_is_no_http_is_refused() {
    check(&[
        case(
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            refused(400),
        ),
        case("NUL", b"\0\0\0\0", refused(400)),
        case("a colon", ": x\r\n\r\n", refused(400)),
        case(
            "outside ASCII",
            b"\xc3\xa9 / HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "a status line",
            "HTTP/1.1 200 OK\r\nHost: a\r\n\r\n",
            refused(400),
        ),
    ]);
}
