//! Request targets in their four forms (RFC 9112, 3.2).

use super::exchange::{answered, case, check, refused, served, targeted};

#[test]
fn rfc9112_3_2_1_origin_form_is_served() {
    check(&[
        case("a path", targeted("/target", "a"), served("a /target -")),
        case(
            "a query",
            targeted("/target?x=1&y", "a"),
            served("a /target x=1&y"),
        ),
        case(
            "an empty query",
            targeted("/target?", "a"),
            served("a /target "),
        ),
        case(
            "two question marks",
            targeted("/target?a?b", "a"),
            served("a /target a?b"),
        ),
        case(
            "a slash in the query",
            targeted("/target?a/../b", "a"),
            served("a /target a/../b"),
        ),
        case(
            "escapes stay",
            targeted("/target?%0d%0a", "a"),
            served("a /target %0d%0a"),
        ),
    ]);
}

#[test]
fn rfc9112_3_2_1_a_target_that_begins_otherwise_is_refused() {
    check(&[
        case("no slash", targeted("target", "a"), refused(400)),
        case("a query alone", targeted("?x", "a"), refused(400)),
        case("a host alone", targeted("a", "a"), refused(400)),
        case("a backslash", targeted("\\target", "a"), refused(400)),
    ]);
}

#[test]
fn rfc9112_3_2_an_empty_target_is_refused() {
    check(&[
        case(
            "two spaces",
            "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case("no space", "GET HTTP/1.1\r\nHost: a\r\n\r\n", refused(400)),
    ]);
}

#[test]
fn rfc9112_3_2_a_space_in_the_target_is_refused() {
    check(&[
        case("in the path", targeted("/tar get", "a"), refused(400)),
        case("in the query", targeted("/target?a b", "a"), refused(400)),
        case("a tab", targeted("/tar\tget", "a"), refused(400)),
    ]);
}

#[test]
fn rfc9112_3_2_bytes_that_no_target_holds_are_refused() {
    check(&[
        case("NUL", targeted("/tar\0get", "a"), refused(400)),
        case("DEL", targeted("/tar\x7fget", "a"), refused(400)),
        case("CR", targeted("/tar\rget", "a"), refused(400)),
        case("LF", targeted("/tar\nget", "a"), refused(400)),
        case("outside ASCII", targeted("/t\u{e9}", "a"), refused(400)),
        case(
            "a byte alone",
            b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9110_7_1_a_fragment_is_refused() {
    check(&[
        case("in a path", targeted("/target#x", "a"), refused(400)),
        case("in a query", targeted("/target?a#x", "a"), refused(400)),
        case("in a URI", targeted("http://a/target#x", "a"), refused(400)),
    ]);
}

#[test]
fn rfc9112_3_2_2_absolute_form_is_served() {
    check(&[
        case(
            "a URI",
            targeted("http://a/target", "a"),
            served("a /target -"),
        ),
        case(
            "a query",
            targeted("http://a/target?x", "a"),
            served("a /target x"),
        ),
        case(
            "a port",
            targeted("http://a:81/target", "a:81"),
            served("a:81 /target -"),
        ),
        case(
            "an address",
            targeted("http://[::1]/target", "[::1]"),
            served("[::1] /target -"),
        ),
        case(
            "any case",
            targeted("HTTP://a/target", "a"),
            served("a /target -"),
        ),
        case("no path", targeted("http://a", "a"), answered(200)),
        case(
            "a query, no path",
            targeted("http://a?x", "a"),
            answered(200),
        ),
    ]);
}

#[test]
fn rfc9112_3_2_2_a_uri_that_is_none_is_refused() {
    check(&[
        case(
            "another scheme",
            targeted("ftp://a/target", "a"),
            refused(400),
        ),
        case("one slash", targeted("http:/a/target", "a"), refused(400)),
        case("no scheme", targeted("://a/target", "a"), refused(400)),
        case(
            "letters in a port",
            targeted("http://a:8x/target", "a"),
            refused(400),
        ),
        case(
            "an open bracket",
            targeted("http://[::1/target", "a"),
            refused(400),
        ),
    ]);
}

/// The connections here are not secured: the request was meant for another server, or whoever
/// sends it believes that they are.
#[test]
fn rfc9110_7_4_an_https_uri_is_misdirected() {
    check(&[
        case("a URI", targeted("https://a/target", "a"), refused(421)),
        case("any case", targeted("HttpS://a/target", "a"), refused(421)),
        case(
            "its port",
            targeted("https://a:443/target", "a:443"),
            refused(421),
        ),
        case(
            "the port of http",
            targeted("https://a:80/target", "a:80"),
            refused(421),
        ),
        case(
            "HTTP/1.0",
            "GET https://a/target HTTP/1.0\r\n\r\n",
            refused(421),
        ),
        case(
            "a port alone",
            targeted("http://a:443/target", "a:443"),
            served("a:443 /target -"),
        ),
        case(
            "a scheme that only begins so",
            targeted("httpsx://a/target", "a"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9110_4_2_1_an_http_uri_without_host_is_refused() {
    check(&[
        case("a path", targeted("http:///target", ""), refused(400)),
        case("a port", targeted("http://:80/target", ":80"), refused(400)),
        case("a query", targeted("http://?x", ""), refused(400)),
    ]);
}

#[test]
fn rfc9110_4_2_4_user_information_is_refused() {
    check(&[
        case("a name", targeted("http://me@a/target", "a"), refused(400)),
        case(
            "a name in both",
            targeted("http://me@a/target", "me@a"),
            refused(400),
        ),
        case(
            "a password",
            targeted("http://me:pw@a/target", "a"),
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_3_2_3_authority_form_is_refused() {
    check(&[
        case(
            "CONNECT",
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
            refused(501),
        ),
        case(
            "a path",
            "CONNECT /target HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(501),
        ),
        case("GET", targeted("a:80", "a:80"), refused(400)),
        case(
            "HEAD",
            "HEAD a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9112_3_2_4_asterisk_form_is_for_options() {
    let options = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    check(&[
        case("OPTIONS", options, answered(404).or(200).or(204)),
        case("GET", targeted("*", "a"), refused(400)),
        case(
            "two",
            "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
        case(
            "a query",
            "OPTIONS *?x HTTP/1.1\r\nHost: a\r\n\r\n",
            refused(400),
        ),
    ]);
}
