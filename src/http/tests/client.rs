//! The client's side: what is sent, what is understood, what is refused.

use super::super::client::{AnswerError, ClientProtocol};
use super::super::{BodyLength, Event, Limits, RequestHead, ResponseHead, SendError, Status};

/// One that has asked with these methods; a `+` behind one asks for an upgrade as well.
fn asked(methods: &[&str]) -> ClientProtocol {
    let mut protocol = ClientProtocol::new();
    for method in methods {
        let name = method.trim_end_matches('+');
        let mut request = RequestHead::new(name, "/").expect("a request");
        if name != *method {
            let offered = request.headers_mut().append("upgrade", "a");
            offered.expect("a field");
        }
        let sent = protocol.send_head(&request, None, &mut Vec::new());
        assert_eq!(sent, Ok(()));
    }
    protocol
}

/// What all of the input means: statuses of heads and bodies, an answer a line.
fn read(
    protocol: &mut ClientProtocol,
    pieces: &[&[u8]],
    closed: bool,
) -> Result<String, AnswerError> {
    let limits = Limits {
        head_bytes_max: 200,
        ..Limits::default()
    };
    let (mut said, mut left, mut head) = (String::new(), Vec::new(), ResponseHead::default());
    for piece in pieces {
        left.extend_from_slice(piece);
        loop {
            let received = protocol.receive(&limits, &left, &mut head)?;
            match &received.event {
                Event::NeedMore | Event::Paused => {}
                Event::Head => said += &format!("\n{}:", head.status.code()),
                Event::Body(range) => said += &String::from_utf8_lossy(&left[range.clone()]),
                Event::End => said += "$",
            }
            left.drain(..received.consumed);
            if matches!(received.event, Event::NeedMore | Event::Paused) {
                break;
            }
        }
    }
    if closed {
        protocol.end_of_input()?;
    }
    Ok(said.trim_start().to_owned())
}

#[test]
fn where_an_answer_ends_depends_on_the_request_too() {
    let table: [(&[&str], &str, &str); 9] = [
        (
            &["GET"],
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "200:abc",
        ),
        (
            &["GET"],
            "HTTP/1.1 200 \r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "200:abc$",
        ),
        (
            &["HEAD", "GET"],
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "200:\n204:",
        ),
        (
            &["GET", "GET"],
            "HTTP/1.1 304 x\r\ncontent-length: 9\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "304:\n204:",
        ),
        (
            &["GET"],
            "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 103 x\r\nlink: a\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "100:\n103:\n204:",
        ),
        (
            &["GET"],
            "HTTP/1.1 200 OK\r\n\r\nall of it",
            "200:all of it",
        ),
        (
            &["GET"],
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nab",
            "200:ab",
        ),
        (
            &["GET+"],
            "HTTP/1.1 101 x\r\nupgrade: a\r\n\r\nnot http",
            "101:",
        ),
        (
            &["GET"],
            "HTTP/1.1 200 OK\r\na:  b \r\nContent-Length: 0\r\n\r\n",
            "200:",
        ),
    ];
    for (methods, input, expected) in table {
        let input = input.as_bytes();
        for cut in 0..=input.len() {
            let mut protocol = asked(methods);
            let pieces = [&input[..cut], &input[cut..]];
            let said = read(&mut protocol, &pieces, true);
            assert_eq!(said.as_deref(), Ok(expected), "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        let said = read(&mut asked(methods), &bytes, true);
        assert_eq!(said.as_deref(), Ok(expected), "byte by byte");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for (input, expected) in [
        ("HTTP/2.0 200 OK\r\n\r\n", AnswerError::StatusLine),
        ("HTTP/1.1 200\r\n\r\n", AnswerError::StatusLine),
        ("HTTP/1.1 2x0 OK\r\n\r\n", AnswerError::StatusLine),
        ("HTTP/1.1 099 OK\r\n\r\n", AnswerError::StatusLine),
        ("\r\n\r\n", AnswerError::StatusLine),
        (
            "HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n",
            AnswerError::LineEnd,
        ),
        (
            "HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n",
            AnswerError::LineEnd,
        ),
        ("HTTP/1.1 200 OK\r\na : b\r\n\r\n", AnswerError::Field),
        ("HTTP/1.1 200 OK\r\n folded\r\n\r\n", AnswerError::Field),
        ("HTTP/1.1 200 OK\r\na: \0\r\n\r\n", AnswerError::Field),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
            AnswerError::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
            AnswerError::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            AnswerError::Framing,
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            AnswerError::Framing,
        ),
        (
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            AnswerError::Framing,
        ),
    ] {
        let mut protocol = asked(&["GET"]);
        let said = read(&mut protocol, &[input.as_bytes()], false);
        assert_eq!(said, Err(expected), "{input:?}");
        assert!(!protocol.keeps_alive());
        let again = protocol.receive(&Limits::default(), b"", &mut ResponseHead::default());
        assert_eq!(again, Err(expected), "and again");
    }
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(300));
    let said = read(&mut asked(&["GET"]), &[long.as_bytes()], false);
    assert_eq!(said, Err(AnswerError::HeadTooLong));
}

#[test]
fn an_answer_that_is_cut_off_or_was_not_asked_for_is_an_error() {
    for input in [
        "",
        "HTTP/1.1 2",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let said = read(&mut asked(&["GET"]), &[input.as_bytes()], true);
        assert_eq!(said, Err(AnswerError::CutOff), "{input:?}");
    }
    let said = read(&mut asked(&[]), &[b"HTTP/1.1 408 x\r\n\r\n"], true);
    assert_eq!(said, Err(AnswerError::Unasked));
    assert_eq!(read(&mut asked(&[]), &[], true).as_deref(), Ok(""));
}

/// 7.8: a server must not switch to what the client has not offered.
#[test]
fn rfc9110_7_8_a_101_that_nobody_asked_for_is_an_error() {
    let text = b"HTTP/1.1 101 x\r\nupgrade: a\r\n\r\n";
    for (methods, answers) in [
        (&["GET"][..], &[&text[..]][..]),
        // The one that asked is not the one that is answered.
        (&["GET", "GET+"], &[text]),
        (&["GET+", "GET"], &[b"HTTP/1.1 204 x\r\n\r\n", text]),
        (&["CONNECT"], &[text]),
    ] {
        let mut protocol = asked(methods);
        let said = read(&mut protocol, answers, false);
        assert_eq!(said, Err(AnswerError::UpgradeUnasked), "{methods:?}");
        assert!(!protocol.keeps_alive());
    }
}

#[test]
fn a_connection_is_used_again_when_both_sides_allow_it() {
    for (input, stays) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, Close\r\n\r\n",
            false,
        ),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false),
        (
            "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\n\r\n", false),
        ("HTTP/1.1 101 OK\r\n\r\n", false),
    ] {
        let mut protocol = asked(&["GET+"]);
        read(&mut protocol, &[input.as_bytes()], false).expect(input);
        assert_eq!(protocol.keeps_alive(), stays, "{input:?}");
    }
    let mut request = RequestHead::new("GET", "/").expect("a request");
    let closing = request.headers_mut().append("connection", "close");
    closing.expect("a field");
    let mut protocol = ClientProtocol::new();
    let sent = protocol.send_head(&request, None, &mut Vec::new());
    assert_eq!(sent, Ok(()));
    let sent = protocol.send_head(&request, None, &mut Vec::new());
    assert_eq!(sent, Err(SendError::Ended));
}

#[test]
fn requests_are_framed_and_checked() {
    let mut out = Vec::new();
    let mut protocol = ClientProtocol::new();
    let mut request = RequestHead::new("BREW", "/pot?milk=1").expect("a request");
    for (name, value) in [("host", "a"), ("content-length", "99"), ("x", "y")] {
        request.headers_mut().append(name, value).expect(name);
    }
    let mut send = |length, pieces: &[&str]| {
        out.clear();
        protocol.send_head(&request, length, &mut out)?;
        for piece in pieces {
            protocol.send_body(piece.as_bytes(), &mut out)?;
        }
        protocol.send_end(&mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    };
    let head = "BREW /pot?milk=1 HTTP/1.1\r\n";
    let sent = send(None, &[]);
    assert_eq!(sent, Ok(format!("{head}host: a\r\nx: y\r\n\r\n")));
    let sent = send(Some(BodyLength::Known(3)), &["a", "", "bc"]);
    assert_eq!(
        sent,
        Ok(format!(
            "{head}content-length: 3\r\nhost: a\r\nx: y\r\n\r\nabc"
        ))
    );
    let sent = send(Some(BodyLength::Unknown), &["0123456789abcdef", "", "!"]);
    let chunks = "10\r\n0123456789abcdef\r\n1\r\n!\r\n0\r\n\r\n";
    let head = format!("{head}transfer-encoding: chunked\r\nhost: a\r\nx: y\r\n\r\n");
    assert_eq!(sent, Ok(format!("{head}{chunks}")));
    assert_eq!(
        send(Some(BodyLength::Known(1)), &["ab"]),
        Err(SendError::MoreThanDeclared)
    );

    let mut protocol = asked(&[]);
    let sent = protocol.send_head(&request, Some(BodyLength::Known(2)), &mut Vec::new());
    assert_eq!(sent, Ok(()));
    let early = protocol.send_head(&request, None, &mut Vec::new());
    assert_eq!(early, Err(SendError::HeadSent));
    assert_eq!(
        protocol.send_end(&mut Vec::new()),
        Err(SendError::LessThanDeclared)
    );
    assert!(!protocol.keeps_alive());

    for (method, target) in [
        ("", "/"),
        ("GET ", "/"),
        ("G\r\nET", "/"),
        ("GET", ""),
        ("GET", "/a b"),
        ("GET", "/\r\nx: y"),
        ("GET", "/\u{e9}"),
        ("GET", "/\0"),
        ("GET", "/#top"),
    ] {
        let made = RequestHead::new(method, target);
        assert!(made.is_err(), "{method:?} {target:?}");
    }
    assert_eq!(Status::OK, ResponseHead::default().status);
}

#[test]
fn rfc9112_6_3_a_tunnel_begins_behind_the_head() {
    for fields in [
        "content-length: 4\r\n",
        "transfer-encoding: chunked\r\n",
        "content-length: x\r\n",
    ] {
        let mut protocol = asked(&["CONNECT"]);
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\nraw!");
        let mut head = ResponseHead::default();
        let received = protocol.receive(&Limits::default(), text.as_bytes(), &mut head);
        let received = received.expect(fields);
        assert_eq!(received.event, Event::Head);
        assert_eq!(&text[received.consumed..], "raw!");
        assert!(
            protocol.answer_complete() && !protocol.keeps_alive(),
            "{fields}"
        );
    }
    // What is no 2xx has a body as any.
    let mut protocol = asked(&["CONNECT"]);
    let text = b"HTTP/1.1 403 No\r\ncontent-length: 4\r\n\r\nbody";
    let received = protocol.receive(&Limits::default(), text, &mut ResponseHead::default());
    assert_eq!(received.map(|received| received.event), Ok(Event::Head));
    assert!(!protocol.answer_complete());
}
