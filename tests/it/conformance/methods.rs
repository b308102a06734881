//! Methods (RFC 9110, 9).

use super::exchange::{answered, case, check, refused};

fn method(method: &str) -> String {
    format!("{method} /ping HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn rfc9110_9_3_2_head_is_get_without_content() {
    check(&[
        case(
            "a text",
            method("HEAD"),
            answered(200).with("content-length", "4"),
        ),
        case(
            "a stream of known length",
            "HEAD /bytes?n=1000 HTTP/1.1\r\nHost: a\r\n\r\n",
            answered(200).with("content-length", "1000"),
        ),
        case(
            "a stream of unknown length",
            "HEAD /trailers HTTP/1.1\r\nHost: a\r\n\r\n",
            answered(200)
                .with("transfer-encoding", "chunked")
                .without("content-length"),
        ),
        case(
            "nothing there",
            "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n",
            answered(404),
        ),
        case(
            "HTTP/1.0",
            "HEAD /ping HTTP/1.0\r\n\r\n",
            answered(200).last(),
        ),
        case("refused", "HEAD /ping HTTP/1.1\r\n\r\n", refused(400)),
    ]);
}

#[test]
fn rfc9110_9_1_methods_are_case_sensitive() {
    check(&[
        case("lower case", method("get"), answered(405).or(501)),
        case("mixed case", method("Head"), answered(405).or(501)),
    ]);
}

#[test]
fn rfc9110_9_1_unknown_methods_are_answered() {
    check(&[
        case("made up", method("BREW"), answered(405).or(501)),
        case(
            "all that a token may hold",
            method("!#$%&'*+-.^_`|~09azAZ"),
            answered(405).or(501),
        ),
        case("a longer GET", method("GETX"), answered(405).or(501)),
    ]);
}

#[test]
fn rfc9110_9_1_a_method_that_is_no_token_is_refused() {
    check(&[
        case("a bracket", method("G(T"), refused(400)),
        case("a slash", method("G/T"), refused(400)),
        case("a colon", method("GET:"), refused(400)),
        case("NUL", method("G\0T"), refused(400)),
        case("outside ASCII", method("G\u{e9}T"), refused(400)),
    ]);
}

#[test]
fn rfc9110_15_5_6_a_method_not_allowed_names_those_that_are() {
    check(&[
        case("DELETE", method("DELETE"), answered(405)),
        case(
            "PUT with a body",
            "PUT /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            answered(405),
        ),
    ]);
    let server = super::served::server();
    let _named = super::exchange::exchange("Allow");
    let mut client = server.connect();
    client.send(method("DELETE"));
    let reply = client.reply();
    let allow = reply.field("allow").unwrap();
    assert!(allow.contains("GET") && allow.contains("HEAD"), "{allow}");
}

#[test]
fn rfc9110_9_3_8_trace_is_not_echoed() {
    let server = super::served::server();
    let _named = super::exchange::exchange("TRACE");
    let mut client = server.connect();
    client.send("TRACE /ping HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n");
    let reply = client.reply();
    assert!(matches!(reply.status, 405 | 501), "{reply:?}");
    assert!(!reply.text().contains("secret"));
}
