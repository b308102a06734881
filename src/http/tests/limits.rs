//! Every limit at its edge: the limit passes, one more does not.

use super::super::{Limits, ProtocolError};
use super::{Dice, End, converse};

/// Checks an input whole, byte by byte and cut at random.
fn end_of(limits: &Limits, input: &str) -> End {
    let seen = converse(limits, input.as_bytes(), &[]);
    let bytewise: Vec<_> = (0..input.len()).collect();
    assert_eq!(
        converse(limits, input.as_bytes(), &bytewise),
        seen,
        "{input:?}"
    );
    let cuts = Dice::new(input.len() as u64).cuts(input.len(), 4);
    assert_eq!(
        converse(limits, input.as_bytes(), &cuts),
        seen,
        "{cuts:?} of {input:?}"
    );
    seen.end
}

#[test]
fn head_bytes() {
    let limits = Limits {
        head_bytes_max: 100,
        ..Limits::default()
    };
    let head = |len: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(len - rest)
        )
    };
    assert_eq!(head(100).len(), 100);
    assert_eq!(end_of(&limits, &head(100)), End::Waiting);
    // What follows a head, or precedes it, does not count.
    assert_eq!(
        end_of(&limits, &format!("\r\n\r\n{0}{0}\r\n{0}", head(100))),
        End::Waiting
    );
    let too_long = End::Refused(ProtocolError::HeadTooLong);
    assert_eq!(end_of(&limits, &head(101)), too_long);
    assert_eq!(end_of(&limits, &head(5_000)), too_long);
    // One that never ends is refused when the limit is reached, not when it is passed.
    assert_eq!(end_of(&limits, &head(5_000)[..100]), too_long);
    assert_eq!(end_of(&limits, &head(5_000)[..99]), End::Waiting);
}

#[test]
fn target_bytes() {
    let limits = Limits {
        target_bytes_max: 20,
        head_bytes_max: 60,
        ..Limits::default()
    };
    let head = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(len - 1));
    assert_eq!(end_of(&limits, &head(20)), End::Waiting);
    let too_long = End::Refused(ProtocolError::TargetTooLong);
    assert_eq!(end_of(&limits, &head(21)), too_long);
    // Too long for the head as well: what is too long about it is still the target.
    assert_eq!(end_of(&limits, &head(500)), too_long);
    assert_eq!(ProtocolError::TargetTooLong.status().code(), 414);
    // A method without end is no target.
    assert_eq!(
        end_of(&limits, &"M".repeat(60)),
        End::Refused(ProtocolError::HeadTooLong)
    );
}

#[test]
fn header_count() {
    let head = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: y\r\n".repeat(count - 1)
        )
    };
    let too_many = End::Refused(ProtocolError::TooManyHeaders);
    let limits = Limits {
        headers_max: 10,
        ..Limits::default()
    };
    assert_eq!(end_of(&limits, &head(10)), End::Waiting);
    assert_eq!(end_of(&limits, &head(11)), too_many);
    assert_eq!(end_of(&Limits::default(), &head(100)), End::Waiting);
    assert_eq!(end_of(&Limits::default(), &head(101)), too_many);
    let limits = Limits {
        headers_max: usize::MAX,
        ..Limits::default()
    };
    assert_eq!(end_of(&limits, &head(128)), End::Waiting);
    assert_eq!(end_of(&limits, &head(129)), too_many);
    let limits = Limits {
        headers_max: 0,
        ..Limits::default()
    };
    assert_eq!(
        end_of(&limits, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        too_many
    );
}

#[test]
fn body_bytes() {
    let limits = Limits {
        body_bytes_max: 10,
        ..Limits::default()
    };
    let sized = |len: usize| {
        let body = "x".repeat(len);
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n{body}")
    };
    let too_long = End::Refused(ProtocolError::BodyTooLong);
    assert_eq!(end_of(&limits, &sized(10)), End::Waiting);
    assert_eq!(end_of(&limits, &sized(11)), too_long);
    let chunked = |chunks: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
    };
    assert_eq!(
        end_of(&limits, &chunked("a\r\n0123456789\r\n0\r\n\r\n")),
        End::Waiting
    );
    // The chunk that passes the limit is refused before any of it is taken.
    assert_eq!(end_of(&limits, &chunked("b\r\n")), too_long);
    assert_eq!(
        end_of(&limits, &chunked("9\r\n012345678\r\n1\r\n9\r\n0\r\n\r\n")),
        End::Waiting
    );
    assert_eq!(
        end_of(&limits, &chunked("9\r\n012345678\r\n2\r\n")),
        too_long
    );
}

#[test]
fn chunk_extension_bytes_of_the_whole_message() {
    let limits = Limits {
        chunk_extension_bytes_max: 12,
        ..Limits::default()
    };
    let body = |ext: &str, last: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
             1;{ext}\r\nx\r\n1 ;{ext}\r\ny\r\n0{last}\r\n\r\n"
        )
    };
    // Two times four letters, two semicolons, one space: 11.
    assert_eq!(end_of(&limits, &body("abcd", ";")), End::Waiting);
    let too_long = End::Refused(ProtocolError::ChunkExtensionsTooLong);
    assert_eq!(end_of(&limits, &body("abcd", ";e")), too_long);
    assert_eq!(end_of(&limits, &body("abcde", "")), too_long);
}

#[test]
fn trailer_bytes() {
    let limits = Limits {
        trailer_bytes_max: 20,
        ..Limits::default()
    };
    let body = |trailers: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n"
        )
    };
    assert_eq!(
        end_of(&limits, &body("A: 3456789\r\nB: 567\r\n")),
        End::Waiting
    );
    let too_long = End::Refused(ProtocolError::TrailersTooLong);
    assert_eq!(
        end_of(&limits, &body("A: 3456789\r\nB: 5678\r\n")),
        too_long
    );
    assert_eq!(ProtocolError::TrailersTooLong.status().code(), 431);
}

#[test]
fn the_defaults_serve_an_ordinary_browser() {
    let limits = Limits::default();
    let cookie = "c".repeat(8_000);
    let path = "p".repeat(7_900);
    let head = format!("GET /{path} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n");
    assert_eq!(converse(&limits, head.as_bytes(), &[]).end, End::Waiting);
}
