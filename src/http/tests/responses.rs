//! How responses are framed, and what happens when they are not as declared.

use super::super::http_date;
use super::super::{BodyLength, CloseReason, Limits, Next, Protocol, RequestHead};
use super::super::{ResponseHead, SendError, Status};
use super::{answer, framing_of, requested};
use BodyLength::{Known, Unknown};

fn asked(method: &str, version: &str) -> Protocol {
    requested(&format!(
        "{method} / HTTP/{version}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    ))
    .0
}

const KEEP: &str = "connection: keep-alive\r\n";
const CLOSE: &str = "connection: close\r\n";

#[test]
fn framing_follows_from_method_version_status_and_length() {
    let chunked = "transfer-encoding: chunked\r\n";
    let five = "content-length: 5\r\n";
    // method, version, status, length; what the head says; is a body sent?
    for (method, version, status, length, framing, body) in [
        ("GET", "1.1", 200, Known(5), five, true),
        ("GET", "1.1", 200, Known(0), "content-length: 0\r\n", false),
        ("GET", "1.1", 200, Unknown, chunked, true),
        ("GET", "1.1", 500, Unknown, chunked, true),
        ("POST", "1.1", 404, Known(5), five, true),
        ("HEAD", "1.1", 200, Known(5), five, false),
        ("HEAD", "1.1", 200, Unknown, chunked, false),
        ("GET", "1.1", 204, Known(5), "", false),
        ("GET", "1.1", 204, Unknown, "", false),
        ("GET", "1.1", 304, Known(5), "", false),
        ("GET", "1.1", 304, Unknown, "", false),
        ("HEAD", "1.1", 304, Known(5), "", false),
        ("GET", "1.1", 205, Unknown, "content-length: 0\r\n", false),
        ("GET", "1.0", 200, Known(5), &format!("{five}{KEEP}"), true),
        ("GET", "1.0", 200, Unknown, CLOSE, true),
        ("GET", "1.0", 204, Unknown, KEEP, false),
        ("HEAD", "1.0", 200, Unknown, KEEP, false),
        (
            "HEAD",
            "1.0",
            200,
            Known(5),
            &format!("{five}{KEEP}"),
            false,
        ),
    ] {
        let case = format!("{method} {version} {status} {length:?}");
        let mut protocol = asked(method, version);
        let status = Status::new(status).unwrap();
        assert_eq!(protocol.will_send_body(status, length), body, "{case}");
        assert_eq!(
            framing_of(&mut protocol, status, length).as_deref(),
            Ok(framing),
            "{case}"
        );
        assert_eq!(protocol.wants_body(), body, "{case}");
        assert_eq!(protocol.response_complete(), !body, "{case}");
        assert_eq!(protocol.ends_by_close(), framing == CLOSE, "{case}");

        let mut out = Vec::new();
        if body || length != Known(0) {
            protocol.send_body(b"hello", &mut out).unwrap();
        }
        protocol.send_end(&mut out).unwrap();
        assert!(!protocol.ends_by_close(), "{case}");
        let expected: &[u8] = match (body, framing) {
            (false, _) => b"",
            (true, framing) if framing == chunked => b"5\r\nhello\r\n0\r\n\r\n",
            (true, _) => b"hello",
        };
        assert_eq!(out, expected, "{case}");
        let next = match framing {
            CLOSE => Next::Close(CloseReason::EndsBody),
            _ => Next::KeepAlive,
        };
        assert_eq!(protocol.finish_exchange(), next, "{case}");
    }
}

#[test]
fn the_whole_head_in_order() {
    let mut protocol = asked("GET", "1.1");
    let mut head = ResponseHead::new(Status::CREATED);
    head.headers.append("Location", "/x").unwrap();
    head.headers.append("x-tick", "1").unwrap();
    let mut out = b"before".to_vec();
    protocol
        .send_head(
            &head,
            Known(12_345_678_901),
            &http_date(784_111_777),
            &mut out,
        )
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "beforeHTTP/1.1 201 Created\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         content-length: 12345678901\r\nLocation: /x\r\nx-tick: 1\r\n\r\n"
    );
}

/// Lengths of one digit more each, and both ways that lead through the encoder.
#[test]
fn a_response_sent_whole_is_the_one_sent_in_steps() {
    let edges = [
        0, 1, 9, 10, 99, 100, 999, 1000, 9_999, 65_535, 65_536, 100_000,
    ];
    for (method, version) in [("GET", "1.1"), ("GET", "1.0"), ("HEAD", "1.1")] {
        for code in [200, 204, 205, 304, 404, 500] {
            for len in edges {
                let mut head = ResponseHead::new(Status::new(code).unwrap());
                head.headers.append("x-tick", "1").unwrap();
                let (body, date) = (vec![b'x'; len], http_date(0));
                let (mut whole, mut steps) = (asked(method, version), asked(method, version));
                let (mut at_once, mut in_steps) = (Vec::new(), Vec::new());
                let sent = whole.send_whole(&head, &body, &date, &mut at_once);
                assert_eq!(sent, Ok(()));
                let length = Known(len as u64);
                steps
                    .send_head(&head, length, &date, &mut in_steps)
                    .unwrap();
                if steps.wants_body() {
                    steps.send_body(&body, &mut in_steps).unwrap();
                }
                steps.send_end(&mut in_steps).unwrap();
                assert!(at_once == in_steps, "{method} {version} {code} {len}");
                let line = format!("\r\ncontent-length: {len}\r\n");
                let text = String::from_utf8_lossy(&at_once);
                let has_length = ![204, 205, 304].contains(&code);
                assert_eq!(text.contains(&line), has_length || code == 205 && len == 0);
                assert_eq!(whole.body_sent(), steps.body_sent());
                assert_eq!(whole.finish_exchange(), steps.finish_exchange());
            }
        }
    }
}

#[test]
fn every_status_has_its_line() {
    for code in 200..=599 {
        let mut out = Vec::new();
        let head = ResponseHead::new(Status::new(code).unwrap());
        asked("GET", "1.1")
            .send_head(&head, Known(u64::MAX), &http_date(0), &mut out)
            .unwrap();
        let line = format!("HTTP/1.1 {code} {}\r\ndate", head.status.phrase());
        assert!(out.starts_with(line.as_bytes()), "{}", out.escape_ascii());
    }
    assert_eq!((Status::new(99), Status::new(600)), (None, None));
    assert_eq!(Status::NOT_FOUND.to_string(), "404 Not Found");
    assert_eq!(Status::new(599).unwrap().to_string(), "599");
}

#[test]
fn the_protocol_answers_for_framing_and_the_application_for_the_date() {
    let mut protocol = asked("GET", "1.0");
    let mut head = ResponseHead::new(Status::OK);
    for (name, value) in [
        ("Content-Length", "999"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("Transfer-Encoding", "gzip"),
        ("x", "y"),
        ("Connection", "keep-alive, x"),
        ("content-length", "1"),
    ] {
        head.headers.append(name, value).unwrap();
    }
    let mut out = Vec::new();
    protocol
        .send_head(&head, Known(2), &http_date(0), &mut out)
        .unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nx: y\r\n\r\n"
    );
}

#[test]
fn a_date_that_was_taken_back_is_replaced_by_ours() {
    let mut head = ResponseHead::new(Status::OK);
    head.headers.append("Date", "today").unwrap();
    head.headers.append("x", "y").unwrap();
    head.headers.remove("date");
    let mut out = Vec::new();
    asked("GET", "1.1")
        .send_head(&head, Known(0), &http_date(0), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\r\ndate: Thu, 01 Jan 1970"), "{text}");
}

#[test]
fn chunks_are_framed_and_empty_ones_left_out() {
    let mut protocol = asked("GET", "1.1");
    framing_of(&mut protocol, Status::OK, Unknown).unwrap();
    let mut out = Vec::new();
    for piece in [&b"a"[..], b"", &[b'x'; 16], &[b'y'; 0x1a2b]] {
        protocol.send_body(piece, &mut out).unwrap();
    }
    protocol.send_end(&mut out).unwrap();
    protocol.send_end(&mut out).unwrap();
    let expected = format!(
        "1\r\na\r\n10\r\n{}\r\n1a2b\r\n{}\r\n0\r\n\r\n",
        "x".repeat(16),
        "y".repeat(0x1a2b)
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!(
        protocol.send_body(b"late", &mut Vec::new()),
        Err(SendError::Ended)
    );
}

#[test]
fn a_big_piece_needs_no_copy() {
    for (length, prefix, suffix) in [(Unknown, "100000\r\n", "\r\n"), (Known(1 << 20), "", "")] {
        let mut protocol = asked("GET", "1.1");
        framing_of(&mut protocol, Status::OK, length).unwrap();
        let mut out = Vec::new();
        protocol.chunk_prefix(1 << 20, &mut out).unwrap();
        assert_eq!(out, prefix.as_bytes());
        assert_eq!(protocol.chunk_suffix(1 << 20), suffix.as_bytes());
        protocol.send_end(&mut out).unwrap();
        assert_eq!(protocol.finish_exchange(), Next::KeepAlive);
    }
}

#[test]
fn more_than_declared_is_refused_and_closes() {
    let mut protocol = asked("GET", "1.1");
    framing_of(&mut protocol, Status::OK, Known(5)).unwrap();
    let mut out = Vec::new();
    protocol.send_body(b"hel", &mut out).unwrap();
    assert_eq!(
        protocol.send_body(b"lo!", &mut out),
        Err(SendError::MoreThanDeclared)
    );
    assert_eq!(out, b"hel", "nothing of the piece that is too long");
    assert_eq!(
        protocol.send_end(&mut out),
        Err(SendError::MoreThanDeclared)
    );
    assert_eq!(
        protocol.finish_exchange(),
        Next::Close(CloseReason::ResponseUnfinished)
    );
}

#[test]
fn less_than_declared_is_refused_and_closes() {
    let mut protocol = asked("GET", "1.1");
    framing_of(&mut protocol, Status::OK, Known(5)).unwrap();
    let mut out = Vec::new();
    protocol.send_body(b"hell", &mut out).unwrap();
    assert_eq!(
        protocol.send_end(&mut out),
        Err(SendError::LessThanDeclared)
    );
    assert_eq!(
        protocol.send_body(b"o", &mut out),
        Err(SendError::LessThanDeclared)
    );
    assert_eq!(
        protocol.finish_exchange(),
        Next::Close(CloseReason::ResponseUnfinished)
    );
}

#[test]
fn a_response_that_does_not_end_closes() {
    for length in [Known(5), Unknown] {
        let mut protocol = asked("GET", "1.1");
        framing_of(&mut protocol, Status::OK, length).unwrap();
        assert_eq!(
            protocol.finish_exchange(),
            Next::Close(CloseReason::ResponseUnfinished)
        );
    }
    let unanswered = asked("GET", "1.1").finish_exchange();
    assert_eq!(unanswered, Next::Close(CloseReason::ResponseUnfinished));
}

#[test]
fn steps_out_of_order_are_refused() {
    let mut protocol = asked("GET", "1.1");
    let mut out = Vec::new();
    assert_eq!(protocol.send_body(b"x", &mut out), Err(SendError::NoHead));
    assert_eq!(protocol.send_end(&mut out), Err(SendError::NoHead));
    let early = framing_of(&mut protocol, Status::CONTINUE, Known(0));
    assert_eq!(early, Err(SendError::InterimStatus));
    framing_of(&mut protocol, Status::OK, Known(0)).unwrap();
    assert_eq!(
        framing_of(&mut protocol, Status::OK, Known(0)),
        Err(SendError::HeadSent)
    );
    let hints = ResponseHead::new(Status::EARLY_HINTS);
    assert_eq!(
        protocol.send_interim(&hints, &mut out),
        Err(SendError::HeadSent)
    );
    assert!(out.is_empty());
    // An old client cannot be switched over.
    let switch = framing_of(
        &mut asked("GET", "1.0"),
        Status::SWITCHING_PROTOCOLS,
        Known(0),
    );
    assert_eq!(switch, Err(SendError::InterimStatus));
}

#[test]
fn an_answer_to_part_of_a_head_has_a_body_unless_that_says_head() {
    let whole = b"\r\nHEAD / HTTP/1.1\r\nhost: a\r\n\r\n";
    for cut in 0..whole.len() {
        for drip in [1, 7, whole.len()] {
            let (mut protocol, mut head) = (Protocol::new(), RequestHead::default());
            let (mut start, mut end) = (0, 0);
            while end < cut {
                end = cut.min(end + drip);
                let received = protocol.receive(&Limits::default(), &whole[start..end], &mut head);
                start += received.unwrap().consumed;
            }
            let says_head = cut >= "\r\nHEAD ".len();
            let (answer, next) = answer(&mut protocol, Status::REQUEST_TIMEOUT, b"late");
            assert!(answer.contains("content-length: 4\r\n"), "{answer}");
            assert_eq!(answer.ends_with("late"), !says_head, "{cut} in {drip}s");
            assert_eq!(next, Next::Close(CloseReason::ServerAsked));
        }
    }
}

#[test]
fn hints_go_to_those_who_know_them() {
    let mut hints = ResponseHead::new(Status::EARLY_HINTS);
    hints
        .headers
        .append("link", "</a.css>; rel=preload")
        .unwrap();
    hints.headers.append("content-length", "3").unwrap();
    let mut protocol = asked("GET", "1.1");
    let mut out = Vec::new();
    protocol.send_interim(&hints, &mut out).unwrap();
    assert_eq!(
        out,
        b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"
    );
    framing_of(&mut protocol, Status::OK, Known(0)).unwrap();

    let mut out = Vec::new();
    asked("GET", "1.0").send_interim(&hints, &mut out).unwrap();
    assert!(out.is_empty());
    let ok = ResponseHead::new(Status::OK);
    let refused = asked("GET", "1.1").send_interim(&ok, &mut out);
    assert_eq!(refused, Err(SendError::InterimStatus));
}
