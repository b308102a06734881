//! A warm connection allocates nothing: the buffers it was given do not grow again.

use super::super::http_date;
use super::super::{BodyLength, Event, Limits, Next, Protocol, RequestHead, ResponseHead, Status};

#[test]
fn a_warm_exchange_grows_nothing() {
    let input = b"POST /path?query HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\
                  Content-Length: 5\r\n\r\nhello";
    let limits = Limits::default();
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let mut response = ResponseHead::default();
    let mut out = Vec::new();
    let mut warm = None;
    for round in 0..100 {
        head.clear();
        response.clear();
        out.clear();
        let received = protocol.receive(&limits, input, &mut head).unwrap();
        let rest = &input[received.consumed..];
        let received = protocol.receive(&limits, rest, &mut head).unwrap();
        assert_eq!(received.event, Event::Body(0..5));
        response
            .headers
            .insert("content-type", "text/plain")
            .unwrap();
        response.headers.append("x-round", "1").unwrap();
        response.headers.insert("x-round", "2").unwrap();
        protocol
            .send_head(&response, BodyLength::Known(5), &http_date(round), &mut out)
            .unwrap();
        protocol.send_body(b"hello", &mut out).unwrap();
        assert_eq!(protocol.finish_exchange(), Next::KeepAlive);

        let held = (head.capacity(), response.headers.capacity(), out.capacity());
        assert_eq!(*warm.get_or_insert(held), held, "round {round}");
    }
    assert_eq!(response.status, Status::OK);
}

#[test]
fn what_was_never_used_holds_nothing() {
    assert_eq!(RequestHead::default().capacity(), 0);
    assert_eq!(ResponseHead::default().headers.capacity(), 0);
}

#[test]
fn a_head_in_drips_is_not_looked_at_before_a_line_ends() {
    // Quadratic work would show as minutes here, not as a wrong answer: 16 KiB in single bytes,
    // all in one line, and each of them a call.
    let limits = Limits {
        target_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let mut input = b"GET /".to_vec();
    input.resize(16_000, b'x');
    input.extend_from_slice(b" HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    for end in 1..input.len() {
        let received = protocol.receive(&limits, &input[..end], &mut head).unwrap();
        assert_eq!((received.consumed, received.event), (0, Event::NeedMore));
        assert!(protocol.in_head(), "the deadline for the head applies");
        assert_eq!(
            head.capacity(),
            0,
            "nothing of an incomplete head is copied"
        );
    }
    assert_eq!(
        protocol.receive(&limits, &input, &mut head).unwrap().event,
        Event::Head
    );
}
