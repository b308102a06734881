//! Whether a connection goes on: what the client asks, what the server answers, and why it ends.

use super::super::{BodyLength, CloseReason, Event, Limits, Next, Protocol, RequestHead};
use super::super::{ResponseHead, SendError, Status, http_date};
use super::{answer, framing_of, requested};

#[test]
fn connection_tokens_decide_by_version() {
    for (version, fields, stays) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "connection: x, Close ,y\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nX: y\r\nConnection: close\r\n",
            false,
        ),
        ("1.1", "Connection: close, keep-alive\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        (
            "1.1",
            "Connection: close-not\r\nX-Connection: close\r\n",
            true,
        ),
        ("1.1", "Connection: \"close\"\r\n", true),
        ("1.1", "Connection:\r\n", true),
        ("1.1", "Connection: \u{e9}, upgrade\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: close\r\n", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        (
            "1.0",
            "Connection: x\r\nConnection: y , keep-alive\r\n",
            true,
        ),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ] {
        let case = format!("{version} {fields:?}");
        let (mut protocol, _) =
            requested(&format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!(protocol.keeps_alive(), stays, "{case}");
        let framing = framing_of(&mut protocol, Status::OK, BodyLength::Known(0)).unwrap();
        let expected = match (stays, version) {
            (false, _) => "content-length: 0\r\nconnection: close\r\n",
            (true, "1.0") => "content-length: 0\r\nconnection: keep-alive\r\n",
            (true, _) => "content-length: 0\r\n",
        };
        assert_eq!(framing, expected, "{case}");
        let next = if stays {
            Next::KeepAlive
        } else {
            Next::Close(CloseReason::ClientAsked)
        };
        assert_eq!(protocol.finish_exchange(), next, "{case}");
    }
}

#[test]
fn the_server_can_make_an_exchange_the_last() {
    let (mut protocol, _) = requested("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    protocol.close_after_response();
    let (text, next) = answer(&mut protocol, Status::OK, b"bye");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert_eq!(next, Next::Close(CloseReason::ServerAsked));

    // Asked for between exchanges, as a drain does, it holds for the next answer.
    let mut protocol = Protocol::new();
    protocol.close_after_response();
    let input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    protocol
        .receive(&Limits::default(), input, &mut RequestHead::default())
        .unwrap();
    assert!(
        answer(&mut protocol, Status::OK, b"")
            .0
            .contains("\r\nconnection: close\r\n")
    );

    // After the head it is too late to announce, and still done.
    let (mut protocol, _) = requested("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let framing = framing_of(&mut protocol, Status::OK, BodyLength::Known(0)).unwrap();
    protocol.close_after_response();
    assert_eq!(framing, "content-length: 0\r\n");
    assert_eq!(
        protocol.finish_exchange(),
        Next::Close(CloseReason::ServerAsked)
    );
}

#[test]
fn the_application_can_ask_for_a_close() {
    let (mut protocol, _) = requested("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut head = ResponseHead::new(Status::OK);
    head.headers.append("Connection", "x, Close").unwrap();
    let mut out = Vec::new();
    protocol
        .send_head(&head, BodyLength::Known(0), &http_date(0), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text.to_ascii_lowercase().matches("connection:").count(),
        1,
        "{text}"
    );
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert_eq!(
        protocol.finish_exchange(),
        Next::Close(CloseReason::ServerAsked)
    );
}

#[test]
fn an_unread_body_closes_unless_it_is_drained() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let (mut protocol, _) = requested(request);
    let (text, next) = answer(&mut protocol, Status::FORBIDDEN, b"no");
    assert!(
        !text.contains("connection:"),
        "the body may still be drained: {text}"
    );
    assert_eq!(next, Next::Close(CloseReason::RequestUnread));

    let (mut protocol, mut head) = requested(request);
    framing_of(&mut protocol, Status::FORBIDDEN, BodyLength::Known(0)).unwrap();
    assert!(protocol.response_complete());
    assert_eq!(protocol.request_remaining(), Some(5));
    let received = protocol
        .receive(&Limits::default(), b"helloGET ", &mut head)
        .unwrap();
    assert_eq!((received.consumed, received.event), (5, Event::Body(0..5)));
    assert_eq!(protocol.finish_exchange(), Next::KeepAlive);
    assert!(!protocol.response_begun() && !protocol.in_head());
}

#[test]
fn a_client_that_waits_for_100_is_invited_once() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let (mut protocol, mut head) = requested(request);
    assert!(protocol.expects_continue());
    let mut out = Vec::new();
    protocol.send_continue(&mut out);
    protocol.send_continue(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(!protocol.expects_continue());
    protocol
        .receive(&Limits::default(), b"hello", &mut head)
        .unwrap();
    assert_eq!(answer(&mut protocol, Status::OK, b"").1, Next::KeepAlive);
}

#[test]
fn a_client_that_waits_for_100_and_is_refused_learns_of_the_close() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let (mut protocol, _) = requested(request);
    let (text, next) = answer(&mut protocol, Status::FORBIDDEN, b"");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert_eq!(next, Next::Close(CloseReason::RequestUnread));
}

#[test]
fn no_100_where_none_is_waited_for() {
    for (request, body) in [
        (
            "POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            "",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
            "",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
            "",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
            "h",
        ),
    ] {
        let (mut protocol, mut head) = requested(request);
        protocol
            .receive(&Limits::default(), body.as_bytes(), &mut head)
            .unwrap();
        let mut out = Vec::new();
        protocol.send_continue(&mut out);
        assert!(
            out.is_empty() && !protocol.expects_continue(),
            "{request:?}"
        );
    }
}

#[test]
fn an_answer_to_no_request_closes() {
    // A 408 to a head that did not come in time.
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    protocol
        .receive(&Limits::default(), b"GET / HT", &mut head)
        .unwrap();
    assert!(protocol.in_head());
    let (text, next) = answer(&mut protocol, Status::REQUEST_TIMEOUT, b"");
    assert!(
        text.starts_with("HTTP/1.1 408 Request Timeout\r\n"),
        "{text}"
    );
    assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    assert_eq!(next, Next::Close(CloseReason::ServerAsked));
}

#[test]
fn nobody_is_switched_who_did_not_ask() {
    let asks = "connection: upgrade\r\nupgrade: x\r\n";
    for (version, fields, names, refused) in [
        ("1.1", asks, true, None),
        (
            "1.1",
            "connection: close, Upgrade\r\nupgrade: x\r\n",
            true,
            None,
        ),
        ("1.1", asks, false, Some(SendError::UpgradeUnasked)),
        (
            "1.1",
            "upgrade: x\r\n",
            true,
            Some(SendError::UpgradeUnasked),
        ),
        (
            "1.1",
            "connection: upgrade\r\n",
            true,
            Some(SendError::UpgradeUnasked),
        ),
        ("1.0", asks, true, Some(SendError::InterimStatus)),
    ] {
        let request = format!("GET / HTTP/{version}\r\nhost: a\r\n{fields}\r\n");
        let (mut protocol, _) = requested(&request);
        let mut head = ResponseHead::new(Status::SWITCHING_PROTOCOLS);
        if names {
            head.headers.append("upgrade", "x").unwrap();
        }
        let mut out = Vec::new();
        let sent = protocol.send_head(&head, BodyLength::Known(0), &http_date(0), &mut out);
        assert_eq!(sent.err(), refused, "{request:?} {names}");
        assert_eq!(out.is_empty(), refused.is_some());
        assert_eq!(protocol.response_begun(), refused.is_none());
    }
}

#[test]
fn a_switch_waits_for_the_body_that_comes_before_it() {
    let (mut protocol, mut request) = requested(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\
         connection: upgrade\r\nupgrade: x\r\n\r\n",
    );
    let mut head = ResponseHead::new(Status::SWITCHING_PROTOCOLS);
    head.headers.append("upgrade", "x").unwrap();
    let mut out = Vec::new();
    let length = BodyLength::Known(0);
    let early = protocol.send_head(&head, length, &http_date(0), &mut out);
    assert_eq!((early, out.len()), (Err(SendError::UpgradeEarly), 0));
    let received = protocol
        .receive(&Limits::default(), b"hi\x01", &mut request)
        .unwrap();
    assert_eq!((received.consumed, received.event), (2, Event::Body(0..2)));
    protocol
        .send_head(&head, length, &http_date(0), &mut out)
        .unwrap();
    assert_eq!(protocol.finish_exchange(), Next::Upgrade);
}

#[test]
fn the_field_upgrade_is_named_in_connection() {
    for (request, line) in [
        (
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "connection: upgrade\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            "connection: close, upgrade\r\n",
        ),
        (
            "GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
            "connection: keep-alive, upgrade\r\n",
        ),
    ] {
        let (mut protocol, _) = requested(request);
        let mut head = ResponseHead::new(Status::UPGRADE_REQUIRED);
        head.headers.append("upgrade", "x").unwrap();
        head.headers.append("connection", "upgrade").unwrap();
        let mut out = Vec::new();
        protocol
            .send_head(&head, BodyLength::Known(0), &http_date(0), &mut out)
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("connection: ").count(), 1, "{text}");
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn a_switch_of_protocols_ends_this_one() {
    let request =
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let (mut protocol, mut request_head) = requested(request);
    assert!(request_head.headers().has_token("connection", "upgrade"));
    let mut head = ResponseHead::new(Status::SWITCHING_PROTOCOLS);
    head.headers.append("connection", "upgrade").unwrap();
    head.headers.append("upgrade", "websocket").unwrap();
    let mut out = Vec::new();
    protocol
        .send_head(&head, BodyLength::Known(0), &http_date(0), &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.ends_with("GMT\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
        "{text}"
    );
    assert_eq!(protocol.finish_exchange(), Next::Upgrade);
    let frame = protocol
        .receive(&Limits::default(), b"\x81\x05hello", &mut request_head)
        .unwrap();
    assert_eq!((frame.consumed, frame.event), (0, Event::Paused));
}
