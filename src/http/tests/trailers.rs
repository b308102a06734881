//! Fields behind a body.

use super::super::{
    BodyLength, HeaderError, Headers, Next, Protocol, ResponseHead, SendError, Status, http_date,
};
use super::requested;

fn fields(list: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in list {
        headers.append(name, value).unwrap();
    }
    headers
}

/// Answers with a head and a body of two bytes, and returns what `end` writes.
fn ended(
    request: &str,
    length: BodyLength,
    end: impl FnOnce(&mut Protocol, &mut Vec<u8>) -> Result<(), SendError>,
) -> (String, Next) {
    let (mut protocol, _) = requested(request);
    let mut out = Vec::new();
    let head = ResponseHead::new(Status::OK);
    protocol
        .send_head(&head, length, &http_date(0), &mut out)
        .unwrap();
    protocol.send_body(b"hi", &mut out).unwrap();
    out.clear();
    end(&mut protocol, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), protocol.finish_exchange())
}

#[test]
fn trailers_end_a_chunked_body() {
    let trailers = fields(&[("x-sum", "1"), ("X-Sum", "2")]);
    let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let (end, next) = ended(request, BodyLength::Unknown, |protocol, out| {
        protocol.send_trailers(&trailers, out)?;
        // Calling for the end again does no harm.
        protocol.send_end(out)
    });
    assert_eq!(end, "0\r\nx-sum: 1\r\nX-Sum: 2\r\n\r\n");
    assert_eq!(next, Next::KeepAlive);
}

#[test]
fn trailers_go_nowhere_without_chunks() {
    let trailers = fields(&[("x-sum", "1")]);
    for (request, length) in [
        ("GET / HTTP/1.0\r\n\r\n", BodyLength::Unknown),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", BodyLength::Known(2)),
        ("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", BodyLength::Unknown),
    ] {
        let (end, _) = ended(request, length, |protocol, out| {
            protocol.send_trailers(&trailers, out)
        });
        assert_eq!(end, "", "{request:?}");
    }
}

#[test]
fn what_steers_is_no_trailer() {
    for name in [
        "Transfer-Encoding",
        "content-length",
        "HOST",
        "Connection",
        "upgrade",
        "authorization",
        "Set-Cookie",
        "cache-control",
        "If-None-Match",
        "if-range",
        "content-type",
        "trailer",
        "location",
        "date",
    ] {
        let trailers = fields(&[("x-good", "1"), (name, "1")]);
        assert_eq!(
            trailers.check_trailers(),
            Err(HeaderError::Trailer),
            "{name}"
        );
        let (mut protocol, _) = requested("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        let mut out = Vec::new();
        let head = ResponseHead::new(Status::OK);
        protocol
            .send_head(&head, BodyLength::Unknown, &http_date(0), &mut out)
            .unwrap();
        out.clear();
        let refused = protocol.send_trailers(&trailers, &mut out);
        assert_eq!(refused, Err(SendError::TrailerField), "{name}");
        assert!(out.is_empty(), "{name}");
        // The body can still end without them.
        protocol.send_end(&mut out).unwrap();
        assert_eq!(out, b"0\r\n\r\n");
    }
    for name in ["etag", "x-if-none", "if", "iffy", "digest", "grpc-status"] {
        assert_eq!(fields(&[(name, "1")]).check_trailers(), Ok(()), "{name}");
    }
}
