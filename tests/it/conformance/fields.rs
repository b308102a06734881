//! Header fields: their lines, names and values (RFC 9112, 5; RFC 9110, 5).

use super::exchange::{answered, case, check, get, refused, served};

#[test]
fn rfc9112_5_1_space_before_the_colon_is_refused() {
    check(&[
        case("a space", get("X : y\r\n"), refused(400)),
        case("a tab", get("X\t: y\r\n"), refused(400)),
        case(
            "in Host",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            refused(400),
        ),
        case(
            "in Content-Length",
            get("Content-Length : 0\r\n"),
            refused(400),
        ),
        case(
            "in Transfer-Encoding",
            get("Transfer-Encoding : chunked\r\n"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_5_2_obsolete_folding_is_refused() {
    check(&[
        case("a space", get("X: a\r\n b\r\n"), refused(400)),
        case("a tab", get("X: a\r\n\tb\r\n"), refused(400)),
        case("a space alone", get("X: a\r\n \r\n"), refused(400)),
        case(
            "a folded Host",
            "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n",
            refused(400),
        ),
        case(
            "a folded coding",
            get("Transfer-Encoding:\r\n chunked\r\n"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_2_2_space_before_the_first_field_is_refused() {
    check(&[
        case(
            "a space",
            "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
            refused(400),
        ),
        case("a tab", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", refused(400)),
        case(
            "a line of space",
            "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9110_5_1_names_are_tokens() {
    check(&[
        case("empty", get(": y\r\n"), refused(400)),
        case("no colon", get("X\r\n"), refused(400)),
        case("a space in it", get("X Y: z\r\n"), refused(400)),
        case("a bracket", get("X(: y\r\n"), refused(400)),
        case("a quote", get("\"X\": y\r\n"), refused(400)),
        case("a slash", get("X/Y: z\r\n"), refused(400)),
        case("NUL", get("X\0: y\r\n"), refused(400)),
        case("DEL", get("X\x7f: y\r\n"), refused(400)),
        case("outside ASCII", get("X\u{e9}: y\r\n"), refused(400)),
        case(
            "all that a token may hold",
            get("!#$%&'*+-.^_`|~09azAZ: y\r\n"),
            served("pong"),
        ),
    ]);
}

#[test]
fn rfc9110_5_5_control_characters_in_values_are_refused() {
    check(&[
        case("NUL", get("X: a\0b\r\n"), refused(400)),
        case("NUL at the end", get("X: a\0\r\n"), refused(400)),
        case("CR", get("X: a\rb\r\n"), refused(400)),
        case("CR before the line end", get("X: a\r\r\n"), refused(400)),
        case("a vertical tab", get("X: a\x0bb\r\n"), refused(400)),
        case("a form feed", get("X: a\x0cb\r\n"), refused(400)),
        case("ESC", get("X: \x1b[2J\r\n"), refused(400)),
        case("DEL", get("X: \x7f\r\n"), refused(400)),
    ]);
}

#[test]
fn rfc9110_5_5_other_values_are_served() {
    check(&[
        case("empty", get("X:\r\n"), served("pong")),
        case("spaces around", get("X: \t y \t \r\n"), served("pong")),
        case("spaces alone", get("X:    \r\n"), served("pong")),
        case("a tab inside", get("X: a\tb\r\n"), served("pong")),
        case("colons", get("X: a:b::c\r\n"), served("pong")),
        case("outside ASCII", get("X: caf\u{e9}\r\n"), served("pong")),
        case(
            "no UTF-8",
            b"GET /ping HTTP/1.1\r\nHost: a\r\nX: \xff\xfe\r\n\r\n",
            served("pong"),
        ),
    ]);
}

#[test]
fn rfc9110_5_3_fields_of_one_name_are_served() {
    check(&[
        case("twice", get("X: a\r\nX: b\r\n"), served("pong")),
        case(
            "in other case",
            get("Accept: a\r\naccept: b\r\n"),
            served("pong"),
        ),
    ]);
}

#[test]
fn rfc9110_5_5_no_response_is_split_by_a_value() {
    let field = |text: &str| {
        let length = text.len();
        format!("POST /field HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{text}")
    };
    check(&[
        case(
            "a good one",
            field("x-good:yes"),
            served("ok").with("x-good", "yes"),
        ),
        case(
            "CR LF",
            field("x:a\r\nset-cookie: b"),
            answered(500).without("set-cookie"),
        ),
        case(
            "LF",
            field("x:a\nset-cookie: b"),
            answered(500).without("set-cookie"),
        ),
        case(
            "CR",
            field("x:a\rset-cookie: b"),
            answered(500).without("set-cookie"),
        ),
        case("NUL", field("x:a\0b"), answered(500).without("x")),
        case(
            "a second response",
            field("x:\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
            answered(500),
        ),
        case("CR LF at the end", field("x:a\r\n"), answered(500)),
        case("in the name", field("x\r\ny:a"), answered(500).without("y")),
        case("a space in the name", field("x y:a"), answered(500)),
        case("an empty name", field(":a"), answered(500)),
    ]);
}

#[test]
fn rfc9112_6_the_application_cannot_frame() {
    let field = |text: &str| {
        let length = text.len();
        format!("POST /field HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{text}")
    };
    check(&[
        case(
            "a length",
            field("content-length:9"),
            served("ok").with("content-length", "2"),
        ),
        case(
            "a coding",
            field("transfer-encoding:chunked"),
            served("ok").without("transfer-encoding"),
        ),
        case(
            "a connection",
            field("connection:x"),
            served("ok").without("connection"),
        ),
        case("a close", field("connection:close"), served("ok").last()),
    ]);
}
