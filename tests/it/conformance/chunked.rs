//! The chunked coding (RFC 9112, 7.1).

use super::exchange::{case, check, chunked, refused, served};

#[test]
fn rfc9112_7_1_chunks_are_served() {
    check(&[
        case("none", chunked("0\r\n\r\n"), served("0")),
        case("one", chunked("5\r\nhello\r\n0\r\n\r\n"), served("5")),
        case(
            "several",
            chunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
            served("3"),
        ),
        case(
            "upper case",
            chunked("A\r\n0123456789\r\n0\r\n\r\n"),
            served("10"),
        ),
        case(
            "lower case",
            chunked("a\r\n0123456789\r\n0\r\n\r\n"),
            served("10"),
        ),
        case(
            "zeros before",
            chunked("0005\r\nhello\r\n0\r\n\r\n"),
            served("5"),
        ),
        case("many zeros", chunked("1\r\na\r\n0000\r\n\r\n"), served("1")),
        case(
            "line ends as data",
            chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"),
            served("4"),
        ),
        case(
            "chunks as data",
            chunked("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
            served("5"),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_a_size_that_is_no_number_is_refused() {
    check(&[
        case("empty", chunked("\r\nhello\r\n0\r\n\r\n"), refused(400)),
        case("a letter", chunked("g\r\nhello\r\n0\r\n\r\n"), refused(400)),
        case("a plus", chunked("+5\r\nhello\r\n0\r\n\r\n"), refused(400)),
        case("a minus", chunked("-5\r\nhello\r\n0\r\n\r\n"), refused(400)),
        case(
            "a prefix",
            chunked("0x5\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "an underscore",
            chunked("0_5\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "a space before",
            chunked(" 5\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "a space behind",
            chunked("5 \r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "a comma",
            chunked("5,5\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "quoted",
            chunked("\"5\"\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case("NUL", chunked("5\0\r\nhello\r\n0\r\n\r\n"), refused(400)),
    ]);
}

#[test]
fn rfc9112_7_1_a_size_that_overflows_is_refused() {
    check(&[
        case(
            "2^64",
            chunked("10000000000000000\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "2^64 and 5",
            chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "17 digits",
            chunked("00000000000000005\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "2^32 and 5",
            chunked("100000005\r\nhello\r\n0\r\n\r\n"),
            refused(413),
        ),
        case(
            "2^64 less 1",
            chunked("ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
            refused(413),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_other_line_ends_are_refused() {
    check(&[
        case(
            "LF behind a size",
            chunked("5\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "CR behind a size",
            chunked("5\rhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "LF behind data",
            chunked("5\r\nhello\n0\r\n\r\n"),
            refused(400),
        ),
        case(
            "CR behind data",
            chunked("5\r\nhello\r0\r\n\r\n"),
            refused(400),
        ),
        case(
            "nothing behind data",
            chunked("5\r\nhello0\r\n\r\n"),
            refused(400),
        ),
        case(
            "more data",
            chunked("5\r\nhelloo\r\n0\r\n\r\n"),
            refused(400),
        ),
        case("less data", chunked("5\r\nhell\r\n0\r\n\r\n"), refused(400)),
        case("LF at the end", chunked("0\r\n\n"), refused(400)),
        case("CR at the end", chunked("0\r\n\rX"), refused(400)),
    ]);
}

#[test]
fn rfc9112_7_1_1_extensions_are_ignored() {
    check(&[
        case("a name", chunked("5;x\r\nhello\r\n0\r\n\r\n"), served("5")),
        case(
            "a value",
            chunked("5;x=y\r\nhello\r\n0;z\r\n\r\n"),
            served("5"),
        ),
        case(
            "a quoted value",
            chunked("5;x=\"a; 9\"\r\nhello\r\n0\r\n\r\n"),
            served("5"),
        ),
        case(
            "space before",
            chunked("5 ;x=y\r\nhello\r\n0\r\n\r\n"),
            served("5"),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_1_extensions_that_hide_a_line_are_refused() {
    check(&[
        case("LF", chunked("5;x\nhello\r\n0\r\n\r\n"), refused(400)),
        case("CR", chunked("5;x\rhello\r\n0\r\n\r\n"), refused(400)),
        case(
            "LF in quotes",
            chunked("5;x=\"\n\"\r\nhello\r\n0\r\n\r\n"),
            refused(400),
        ),
        case("NUL", chunked("5;\0\r\nhello\r\n0\r\n\r\n"), refused(400)),
        case("DEL", chunked("5;\x7f\r\nhello\r\n0\r\n\r\n"), refused(400)),
    ]);
}

#[test]
fn rfc9112_7_1_1_extensions_are_bounded() {
    let small = format!("1;{}\r\na\r\n", "x".repeat(1000));
    check(&[
        case(
            "one",
            chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(5000))),
            refused(400),
        ),
        case(
            "in many chunks",
            chunked(&format!("{}0\r\n\r\n", small.repeat(6))),
            refused(400),
        ),
        case(
            "a few",
            chunked(&format!("{}0\r\n\r\n", small.repeat(4))),
            served("4"),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_2_trailers_of_requests_are_dropped() {
    check(&[
        case("one", chunked("1\r\na\r\n0\r\nX: y\r\n\r\n"), served("1")),
        case(
            "several",
            chunked("0\r\nX: y\r\nX: z\r\nY:\r\n\r\n"),
            served("0"),
        ),
        case(
            "a value of any bytes",
            chunked("0\r\nX: caf\u{e9}\t!\r\n\r\n"),
            served("0"),
        ),
    ]);
}

#[test]
fn rfc9110_6_5_1_trailers_steer_nothing() {
    check(&[
        case(
            "a length",
            chunked("0\r\nContent-Length: 50\r\n\r\n"),
            served("0"),
        ),
        case(
            "a coding",
            chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            served("0"),
        ),
        case("a host", chunked("0\r\nHost: b\r\n\r\n"), served("0")),
        case(
            "a close",
            chunked("0\r\nConnection: close\r\n\r\n"),
            served("0"),
        ),
        case(
            "an expectation",
            chunked("0\r\nExpect: x\r\n\r\n"),
            served("0"),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_2_malformed_trailers_are_refused() {
    check(&[
        case("no colon", chunked("0\r\nX\r\n\r\n"), refused(400)),
        case("no name", chunked("0\r\n: y\r\n\r\n"), refused(400)),
        case(
            "space before the colon",
            chunked("0\r\nX : y\r\n\r\n"),
            refused(400),
        ),
        case(
            "a folded one",
            chunked("0\r\nX: y\r\n z\r\n\r\n"),
            refused(400),
        ),
        case("LF", chunked("0\r\nX: y\n\r\n"), refused(400)),
        case("CR", chunked("0\r\nX: y\rZ: a\r\n\r\n"), refused(400)),
        case("NUL", chunked("0\r\nX: \0\r\n\r\n"), refused(400)),
        case(
            "a request",
            chunked("0\r\nGET / HTTP/1.1\r\n\r\n"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_7_1_2_trailers_are_bounded() {
    let long = format!("X: {}\r\n", "y".repeat(3000));
    check(&[
        case(
            "too long",
            chunked(&format!("0\r\n{}\r\n", long.repeat(3))),
            refused(431),
        ),
        case(
            "not too long",
            chunked(&format!("0\r\n{}\r\n", long.repeat(2))),
            served("0"),
        ),
    ]);
}
