//! Every refusal by name, with its status, whole and byte by byte.

use super::super::{BodyLength, Limits, Method, Next, Protocol, RequestHead, ResponseHead, Status};
use super::super::{CloseReason, Event, ProtocolError as E, SendError, http_date};
use super::{End, answer, converse, framing_of};

/// What is sent, what it is refused for, and with which status.
const REFUSALS: &[(&[u8], E, u16)] = &[
    // What is no HTTP at all.
    (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        E::FirstByte,
        400,
    ),
    (b"\x00", E::FirstByte, 400),
    (b" GET / HTTP/1.1\r\n\r\n", E::FirstByte, 400),
    (b":", E::FirstByte, 400),
    (
        b"\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        E::EmptyLines,
        400,
    ),
    (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::LineEnd, 400),
    (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::LineEnd, 400),
    (b"\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", E::LineEnd, 400),
    // Request line.
    (b"G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", E::Method, 400),
    (b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", E::Method, 400),
    (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", E::Method, 400),
    (b"GET\r\n\r\n", E::Method, 400),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetByte, 400),
    (b"GET /\r\n\r\n", E::TargetByte, 400),
    (b"GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetByte, 400),
    (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetByte, 400),
    (b"GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetByte, 400),
    (
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetByte,
        400,
    ),
    (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetByte, 400),
    (b"GET /#top HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetByte, 400),
    (
        b"GET /?q#top HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetByte,
        400,
    ),
    (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetForm, 400),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetForm, 400),
    (
        b"OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", E::TargetForm, 400),
    (
        b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http://?a HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http://:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http://me@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http://a:8x/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetForm,
        400,
    ),
    (
        b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        E::ConnectUnsupported,
        501,
    ),
    (
        b"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n",
        E::ConnectUnsupported,
        501,
    ),
    (
        b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
        E::VersionMalformed,
        400,
    ),
    (
        b"GET / http/1.1\r\nHost: a\r\n\r\n",
        E::VersionMalformed,
        400,
    ),
    (b"GET / HTTP/1\r\nHost: a\r\n\r\n", E::VersionMalformed, 400),
    (
        b"GET / HTTP/1.\r\nHost: a\r\n\r\n",
        E::VersionMalformed,
        400,
    ),
    (
        b"GET / HTTP/11.1\r\nHost: a\r\n\r\n",
        E::VersionMalformed,
        400,
    ),
    (
        b"GET / HTTP/x.1\r\nHost: a\r\n\r\n",
        E::VersionMalformed,
        400,
    ),
    (
        b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        E::VersionMalformed,
        400,
    ),
    (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        E::VersionUnsupported,
        505,
    ),
    (b"GET / HTTP/3\r\n\r\n", E::VersionUnsupported, 505),
    (b"GET / HTTP/0.9\r\n\r\n", E::VersionUnsupported, 505),
    (
        b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        E::VersionUnsupported,
        505,
    ),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", E::LineEnd, 400),
    (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", E::LineEnd, 400),
    // Line ends: a bare LF or CR anywhere.
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\r\nHost: a\n\r\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\r\nHost: a \t\n\r\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\r\nHost:\n\r\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\r\nHost: a\n\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\rHost: a\r\n\r\n", E::LineEnd, 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n", E::LineEnd, 400),
    (
        b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        E::HeaderValue,
        400,
    ),
    // Header fields.
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        E::HeaderName,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",
        E::HeaderName,
        400,
    ),
    (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", E::HeaderName, 400),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", E::HeaderName, 400),
    (b"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", E::HeaderName, 400),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        E::HeaderName,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nname\r\n\r\n",
        E::HeaderName,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nn\xe9: b\r\n\r\n",
        E::HeaderName,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\n(n): b\r\n\r\n",
        E::HeaderName,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        E::HeaderValue,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x0bb\r\n\r\n",
        E::HeaderValue,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
        E::HeaderValue,
        400,
    ),
    // Host.
    (b"GET / HTTP/1.1\r\n\r\n", E::HostMissing, 400),
    (
        b"GET http://a/ HTTP/1.1\r\nX: y\r\n\r\n",
        E::HostMissing,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        E::HostRepeated,
        400,
    ),
    (
        b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
        E::HostRepeated,
        400,
    ),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", E::HostInvalid, 400),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", E::HostInvalid, 400),
    (b"GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", E::HostInvalid, 400),
    (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", E::HostInvalid, 400),
    (
        b"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n",
        E::HostInvalid,
        400,
    ),
    (b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", E::HostInvalid, 400),
    (b"GET / HTTP/1.1\r\nHost: []\r\n\r\n", E::HostInvalid, 400),
    (
        b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n",
        E::HostInvalid,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: [g::1]\r\n\r\n",
        E::HostInvalid,
        400,
    ),
    (
        b"GET / HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n",
        E::HostInvalid,
        400,
    ),
    (b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", E::HostInvalid, 400),
    // Host beside a whole URI.
    (
        b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
        E::HostMismatch,
        400,
    ),
    (
        b"GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n",
        E::HostMismatch,
        400,
    ),
    (
        b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::HostMismatch,
        400,
    ),
    (
        b"GET http://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n",
        E::HostMismatch,
        400,
    ),
    // A whole URI of the other scheme.
    (
        b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        E::TargetMisdirected,
        421,
    ),
    (
        b"GET HTTPS://a?q HTTP/1.0\r\n\r\n",
        E::TargetMisdirected,
        421,
    ),
    (
        b"GET http://a/ HTTP/1.0\r\nHost: a.\r\n\r\n",
        E::HostMismatch,
        400,
    ),
];

/// Checks the refusal of this input, whole and byte by byte.
pub(super) fn assert_refused(input: &[u8], error: E, status: u16) {
    let shown = input.escape_ascii();
    assert_eq!(error.status().code(), status, "{shown}");
    let limits = Limits::default();
    let seen = converse(&limits, input, &[]);
    assert_eq!(
        (seen.requests.len(), seen.end),
        (0, End::Refused(error)),
        "{shown}"
    );
    let bytewise: Vec<_> = (0..input.len()).collect();
    let seen = converse(&limits, input, &bytewise);
    assert_eq!(
        (seen.requests.len(), seen.end),
        (0, End::Refused(error)),
        "bytewise {shown}"
    );
}

#[test]
fn heads_are_refused_by_name() {
    for (input, error, status) in REFUSALS {
        assert_refused(input, *error, *status);
    }
}

#[test]
fn what_cannot_become_a_request_is_refused_at_its_first_byte() {
    for byte in 0..=255u8 {
        let refused = matches!(super::whole([byte]).end, End::Refused(_));
        let begins = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~\r".contains(&byte);
        assert_eq!(refused, !begins, "{byte:#x}");
    }
}

#[test]
fn one_answer_can_follow_a_refusal_and_it_announces_the_close() {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let input = b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let error = protocol
        .receive(&Limits::default(), input, &mut head)
        .unwrap_err();
    assert!(!protocol.response_begun());
    let (text, next) = answer(&mut protocol, error.status(), b"two hosts");
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(
        text.contains("\r\nconnection: close\r\n") && text.ends_with("two hosts"),
        "{text}"
    );
    assert_eq!(next, Next::Close(CloseReason::Refused(E::HostRepeated)));
    // Nothing after the close is a request, nor is there another answer to it.
    let received = protocol
        .receive(&Limits::default(), b"GET / HTTP/1.1\r\n", &mut head)
        .unwrap();
    assert_eq!((received.consumed, received.event), (0, Event::Paused));
}

#[test]
fn a_refused_head_request_gets_no_body() {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let input = b"HEAD /path HTTP/1.0\r\nHost : a\r\n\r\n";
    protocol
        .receive(&Limits::default(), input, &mut head)
        .unwrap_err();
    assert_eq!((head.method(), head.target()), (Method::Head, "/path"));
    let (text, _) = answer(&mut protocol, Status::BAD_REQUEST, b"bad header");
    assert!(
        text.ends_with("content-length: 10\r\nconnection: close\r\n\r\n"),
        "{text}"
    );
}

#[test]
fn a_refused_old_client_gets_no_chunks() {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let input = b"GET / HTTP/1.0\r\nName : a\r\n\r\n";
    protocol
        .receive(&Limits::default(), input, &mut head)
        .unwrap_err();
    let framing = framing_of(&mut protocol, Status::BAD_REQUEST, BodyLength::Unknown);
    assert_eq!(framing.as_deref(), Ok("connection: close\r\n"));
}

#[test]
fn a_refusal_in_the_body_leaves_a_begun_response_alone() {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let limits = Limits::default();
    let input = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    protocol.receive(&limits, input, &mut head).unwrap();
    let mut out = Vec::new();
    let response = ResponseHead::new(Status::OK);
    protocol
        .send_head(&response, BodyLength::Unknown, &http_date(0), &mut out)
        .unwrap();
    assert_eq!(
        protocol.receive(&limits, b"x", &mut head),
        Err(E::ChunkSize)
    );
    assert!(protocol.response_begun());
    let again = protocol.send_head(&response, BodyLength::Unknown, &http_date(0), &mut out);
    assert_eq!(again, Err(SendError::HeadSent));
    assert_eq!(
        protocol.finish_exchange(),
        Next::Close(CloseReason::Refused(E::ChunkSize))
    );
}
