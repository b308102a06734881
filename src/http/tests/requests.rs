//! What a good request is understood as.

use super::super::{BodyKind, Event, Limits, Method, Protocol, RequestHead, Version};
use super::{End, requested, whole};

#[test]
fn a_get_is_complete_with_its_head() {
    let (protocol, head) = requested(
        "GET /clock/face?hour=3&min=?0 HTTP/1.1\r\nHost: a.test:8080\r\nAccept:*/*\r\n\
         X-Empty:\r\nX-Spaces: \t two  words \t\r\n\r\n",
    );
    assert_eq!(head.method(), Method::Get);
    assert_eq!(head.method_text(), "GET");
    assert_eq!(head.target(), "/clock/face?hour=3&min=?0");
    assert_eq!(head.path(), "/clock/face");
    assert_eq!(head.query(), Some("hour=3&min=?0"));
    assert_eq!(head.host(), Some("a.test:8080"));
    assert_eq!(head.version(), Version::Http11);
    let fields: Vec<_> = head.headers().iter().collect();
    assert_eq!(
        fields,
        [
            ("Host", &b"a.test:8080"[..]),
            ("Accept", b"*/*"),
            ("X-Empty", b""),
            ("X-Spaces", b"two  words"),
        ]
    );
    assert!(protocol.request_complete() && protocol.keeps_alive());
    assert_eq!(protocol.request_body(), BodyKind::None);
}

#[test]
fn every_method_is_known_by_its_exact_name() {
    for (text, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("POST", Method::Post),
        ("PUT", Method::Put),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("TRACE", Method::Trace),
        ("PATCH", Method::Patch),
        ("get", Method::Other),
        ("PROPFIND", Method::Other),
        ("M-SEARCH", Method::Other),
    ] {
        let (_, head) = requested(&format!("{text} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((head.method(), head.method_text()), (method, text));
    }
}

#[test]
fn a_reused_head_keeps_nothing_of_the_last_request() {
    let (_, mut head) = requested("SUBSCRIBE /long/path?query HTTP/1.0\r\nA: b\r\n\r\n");
    let mut protocol = Protocol::new();
    let next = b"GET / HTTP/1.1\r\nHost: c\r\n\r\n";
    protocol
        .receive(&Limits::default(), next, &mut head)
        .unwrap();
    assert_eq!(
        format!("{head:?}"),
        format!("{:?}", requested(str::from_utf8(next).unwrap()).1)
    );
    head.clear();
    assert_eq!(format!("{head:?}"), format!("{:?}", RequestHead::default()));
    // A refusal before the request line leaves no trace of the last request either.
    let (_, mut head) = requested("GET /old HTTP/1.1\r\nHost: a\r\n\r\n");
    Protocol::new()
        .receive(&Limits::default(), b"\x16\x03", &mut head)
        .unwrap_err();
    assert_eq!(head.target(), "");
}

#[test]
fn targets_have_four_forms_of_which_three_are_served() {
    for (target, path, query, host) in [
        ("/", "/", None, "h"),
        ("//", "//", None, "h"),
        ("/a%20b?", "/a%20b", Some(""), "h"),
        ("/?a?b", "/", Some("a?b"), "h"),
        ("http://other:81/p?q", "/p", Some("q"), "other:81"),
        ("HTTP://other", "/", None, "other"),
        ("http://other?q", "/", Some("q"), "other"),
        ("http://[::1]:80/", "/", None, "[::1]:80"),
        ("/http://x/?http://y", "/http://x/", Some("http://y"), "h"),
    ] {
        let (_, head) = requested(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(head.target(), target);
        assert_eq!((head.path(), head.query()), (path, query), "{target}");
        assert_eq!(head.host(), Some(host), "{target}");
    }
    let (_, head) = requested("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((head.path(), head.query()), ("*", None));
}

#[test]
fn a_whole_uri_and_host_may_differ_in_what_makes_no_difference() {
    for (target, host) in [
        ("http://a.example/", "A.Example"),
        ("http://a:80/", "a"),
        ("http://a/", "a:80"),
        ("http://a:/", "a"),
        ("http://a/", "a:"),
        ("http://a:80?q", "a"),
        ("HTTP://[::1]/", "[::1]:80"),
    ] {
        let (_, head) = requested(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(head.target(), target);
    }
    // Who may leave Host out has nothing to contradict.
    let (_, head) = requested("GET http://a/ HTTP/1.0\r\n\r\n");
    assert_eq!(head.host(), Some("a"));
}

#[test]
fn hosts_of_all_kinds_are_taken() {
    for host in [
        "",
        "a",
        "a.b-c_d~e:80",
        "127.0.0.1",
        "[::1]",
        "[::ffff:1.2.3.4]:65535",
        "a:",
        "%41",
    ] {
        let (_, head) = requested(&format!("GET / HTTP/1.1\r\nhOsT:{host}\r\n\r\n"));
        assert_eq!(head.host(), Some(host));
    }
    let (_, head) = requested("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(head.host(), None);
}

#[test]
fn values_may_hold_bytes_of_any_encoding() {
    let mut head = RequestHead::default();
    let input = b"GET / HTTP/1.1\r\nHost: a\r\nX: caf\xe9\r\nY: caf\xc3\xa9\tau lait\r\n\r\n";
    Protocol::new()
        .receive(&Limits::default(), input, &mut head)
        .unwrap();
    assert_eq!(head.headers().get("x"), None);
    assert_eq!(head.headers().get_bytes("x"), Some(&b"caf\xe9"[..]));
    assert_eq!(head.headers().get("y"), Some("café\tau lait"));
}

#[test]
fn space_around_a_value_is_no_part_of_it_however_long() {
    let space = " \t".repeat(2_500);
    let (_, head) = requested(&format!(
        "GET / HTTP/1.1\r\nHost:{space}a{space}\r\nX:{space}\r\n\r\n"
    ));
    assert_eq!(
        (head.host(), head.headers().get("x")),
        (Some("a"), Some(""))
    );
}

#[test]
fn a_few_empty_lines_may_come_first() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for lines in 0..=4 {
        let input = "\r\n".repeat(lines) + request;
        let seen = whole(input.repeat(3));
        assert_eq!(
            (seen.requests.len(), seen.end),
            (3, End::Waiting),
            "{lines} lines"
        );
    }
}

#[test]
fn a_body_of_known_length_ends_with_its_last_byte() {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let limits = Limits::default();
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET";
    let received = protocol.receive(&limits, input, &mut head).unwrap();
    assert_eq!(received.event, Event::Head);
    assert_eq!(protocol.request_body(), BodyKind::Length(5));
    assert_eq!(
        (protocol.request_complete(), protocol.request_remaining()),
        (false, Some(5))
    );

    let rest = &input[received.consumed..];
    let received = protocol.receive(&limits, &rest[..2], &mut head).unwrap();
    assert_eq!((received.consumed, received.event), (2, Event::Body(0..2)));
    assert_eq!(protocol.request_remaining(), Some(3));
    let received = protocol.receive(&limits, &rest[2..], &mut head).unwrap();
    assert_eq!((received.consumed, received.event), (3, Event::Body(0..3)));
    assert!(protocol.request_complete());
    let received = protocol.receive(&limits, &rest[5..], &mut head).unwrap();
    assert_eq!((received.consumed, received.event), (0, Event::Paused));
}

#[test]
fn no_body_can_be_said_in_three_ways() {
    for fields in ["", "Content-Length: 0\r\n", "Content-Length: 000\r\n"] {
        let (protocol, _) = requested(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert!(protocol.request_complete(), "{fields}");
    }
}

#[test]
fn the_state_of_a_connection_is_small() {
    // A server holds one of these for each idle connection.
    assert!(size_of::<Protocol>() < 128, "{}", size_of::<Protocol>());
}
