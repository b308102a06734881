//! Versions (RFC 9112, 2.3; RFC 9110, 2.5 and 15.6.6).

use super::exchange::{case, check, refused, served};

fn version(version: &str) -> String {
    format!("GET /ping {version}\r\nHost: a\r\n\r\n")
}

#[test]
fn rfc9112_2_3_both_versions_are_served() {
    check(&[
        case(
            "1.1",
            version("HTTP/1.1"),
            served("pong").without("connection"),
        ),
        case("1.0", version("HTTP/1.0"), served("pong").last()),
    ]);
}

#[test]
fn rfc9110_15_6_6_other_versions_are_not_supported() {
    check(&[
        case("2.0", version("HTTP/2.0"), refused(505)),
        case("2", version("HTTP/2"), refused(505)),
        case("3", version("HTTP/3"), refused(505)),
        case("0.9", version("HTTP/0.9"), refused(505)),
        case("1.2", version("HTTP/1.2"), refused(505)),
        case("9.9", version("HTTP/9.9"), refused(505)),
        case(
            "the preface of HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            refused(505),
        ),
    ]);
}

#[test]
fn rfc9112_2_3_what_is_no_version_is_refused() {
    check(&[
        case("lower case", version("http/1.1"), refused(400)),
        case("mixed case", version("Http/1.1"), refused(400)),
        case("another name", version("HTTPS/1.1"), refused(400)),
        case("no minor", version("HTTP/1"), refused(400)),
        case("an empty minor", version("HTTP/1."), refused(400)),
        case("two digits", version("HTTP/1.10"), refused(400)),
        case("two majors", version("HTTP/11.1"), refused(400)),
        case("a letter", version("HTTP/1.x"), refused(400)),
        case("a comma", version("HTTP/1,1"), refused(400)),
        case("a space", version("HTTP/ 1.1"), refused(400)),
        case("nothing", "GET /ping\r\nHost: a\r\n\r\n", refused(400)),
    ]);
}
