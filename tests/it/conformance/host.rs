//! Host, which is required, single, and of one mind with the target (RFC 9112, 3.2).

use super::exchange::{answered, case, check, refused, served, targeted};

fn lines(version: &str, lines: &str) -> String {
    format!("GET /target HTTP/{version}\r\n{lines}\r\n")
}

#[test]
fn rfc9112_3_2_a_missing_host_is_refused() {
    check(&[
        case("no field", lines("1.1", ""), refused(400)),
        case("others", lines("1.1", "X: y\r\nHosts: a\r\n"), refused(400)),
        case("a URI", "GET http://a/ HTTP/1.1\r\n\r\n", refused(400)),
        case("HEAD", "HEAD / HTTP/1.1\r\n\r\n", refused(400)),
    ]);
}

#[test]
fn rfc9112_3_2_two_hosts_are_refused() {
    check(&[
        case(
            "the same",
            lines("1.1", "Host: a\r\nHost: a\r\n"),
            refused(400),
        ),
        case(
            "different",
            lines("1.1", "Host: a\r\nHost: b\r\n"),
            refused(400),
        ),
        case(
            "in other case",
            lines("1.1", "Host: a\r\nX: y\r\nhOST: b\r\n"),
            refused(400),
        ),
        case(
            "one empty",
            lines("1.1", "Host:\r\nHost: b\r\n"),
            refused(400),
        ),
        case(
            "HTTP/1.0",
            lines("1.0", "Host: a\r\nHost: b\r\n"),
            refused(400),
        ),
        case("as a list", lines("1.1", "Host: a, b\r\n"), refused(400)),
    ]);
}

#[test]
fn rfc9112_3_2_an_invalid_host_is_refused() {
    check(&[
        case("a space", lines("1.1", "Host: a b\r\n"), refused(400)),
        case("a path", lines("1.1", "Host: a/b\r\n"), refused(400)),
        case("a URI", lines("1.1", "Host: http://a\r\n"), refused(400)),
        case("a user", lines("1.1", "Host: me@a\r\n"), refused(400)),
        case("a query", lines("1.1", "Host: a?b\r\n"), refused(400)),
        case("a fragment", lines("1.1", "Host: a#b\r\n"), refused(400)),
        case(
            "letters in a port",
            lines("1.1", "Host: a:b\r\n"),
            refused(400),
        ),
        case(
            "a long port",
            lines("1.1", "Host: a:123456\r\n"),
            refused(400),
        ),
        case("two ports", lines("1.1", "Host: a:1:2\r\n"), refused(400)),
        case(
            "an address without brackets",
            lines("1.1", "Host: ::1\r\n"),
            refused(400),
        ),
        case(
            "text behind brackets",
            lines("1.1", "Host: [::1]x\r\n"),
            refused(400),
        ),
        case(
            "outside ASCII",
            lines("1.1", "Host: caf\u{e9}\r\n"),
            refused(400),
        ),
        case("a quote", lines("1.1", "Host: \"a\"\r\n"), refused(400)),
        case("HTTP/1.0", lines("1.0", "Host: a b\r\n"), refused(400)),
    ]);
}

#[test]
fn rfc9110_7_2_hosts_of_all_kinds_are_served() {
    check(&[
        case("empty", lines("1.1", "Host:\r\n"), served(" /target -")),
        case(
            "a name",
            lines("1.1", "Host: a.b-c\r\n"),
            served("a.b-c /target -"),
        ),
        case(
            "a port",
            lines("1.1", "Host: a:8000\r\n"),
            served("a:8000 /target -"),
        ),
        case(
            "IPv4",
            lines("1.1", "Host: 127.0.0.1\r\n"),
            served("127.0.0.1 /target -"),
        ),
        case(
            "IPv6",
            lines("1.1", "Host: [::1]:8000\r\n"),
            served("[::1]:8000 /target -"),
        ),
        case(
            "no space before",
            lines("1.1", "Host:a\r\n"),
            served("a /target -"),
        ),
        case(
            "any case",
            lines("1.1", "HOST: A\r\n"),
            served("A /target -"),
        ),
        case(
            "HTTP/1.0 has none",
            lines("1.0", ""),
            served("- /target -").last(),
        ),
    ]);
}

#[test]
fn rfc9112_3_2_2_another_authority_than_hosts_is_refused() {
    check(&[
        case("a name", targeted("http://a/target", "b"), refused(400)),
        case(
            "a part of it",
            targeted("http://a.b/target", "a"),
            refused(400),
        ),
        case(
            "a dot behind",
            targeted("http://a/target", "a."),
            refused(400),
        ),
        case(
            "an empty Host",
            targeted("http://a/target", ""),
            refused(400),
        ),
        case(
            "a port in the URI",
            targeted("http://a:81/target", "a"),
            refused(400),
        ),
        case(
            "a port in Host",
            targeted("http://a/target", "a:81"),
            refused(400),
        ),
        case(
            "the other scheme's port",
            targeted("http://a/target", "a:443"),
            refused(400),
        ),
        case(
            "HTTP/1.0",
            "GET http://a/target HTTP/1.0\r\nHost: b\r\n\r\n",
            refused(400),
        ),
    ]);
}

#[test]
fn rfc9110_4_2_3_authorities_that_are_equal_are_served() {
    check(&[
        case(
            "any case",
            targeted("http://A.b/target", "a.B"),
            served("A.b /target -"),
        ),
        case(
            "the port in the URI",
            targeted("http://a:80/target", "a"),
            answered(200),
        ),
        case(
            "the port in Host",
            targeted("http://a/target", "a:80"),
            answered(200),
        ),
        case(
            "an empty port",
            targeted("http://a:/target", "a"),
            answered(200),
        ),
        case(
            "an address",
            targeted("http://[::1]:80/target", "[::1]"),
            answered(200),
        ),
        case(
            "HTTP/1.0 without Host",
            "GET http://a/target HTTP/1.0\r\n\r\n",
            served("a /target -").last(),
        ),
    ]);
}
