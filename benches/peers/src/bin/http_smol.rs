//! smol's executor and reactor under a handwritten loop that parses with httparse and writes its
//! answers to pipelined requests together. No router, no time limits; a body may have 2 MiB.

use std::cell::RefCell;
use std::io::{self, Write};
use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, LocalExecutor};

/// What a connection starts with, and what is copied rather than written on its own.
const BUFFER: usize = 16 * 1024;
const REQUEST_MAX: usize = (2 << 20) + BUFFER;

/// An answer whose head is written already.
struct Answer<'a> {
    /// Bytes of the request.
    used: usize,
    body: &'a [u8],
    is_last: bool,
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes the time as headers have it, formatted once a second.
fn write_date(out: &mut Vec<u8>) {
    thread_local!(static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) });
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|date| {
        if date.0 != second {
            *date = (second, httpdate::fmt_http_date(now));
        }
        out.extend_from_slice(date.1.as_bytes());
    });
}

/// The length of the body and whether it is the last request, as the headers say.
fn framing(request: &httparse::Request<'_, '_>) -> io::Result<(usize, bool)> {
    let (mut length, mut is_last) = (0, request.version == Some(0));
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = str::from_utf8(header.value).map_err(invalid)?;
            length = text.parse().map_err(invalid)?;
        } else if header.name.eq_ignore_ascii_case("connection") {
            is_last = header.value.eq_ignore_ascii_case(b"close");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(invalid("chunks are not read here"));
        }
    }
    if length > REQUEST_MAX - BUFFER {
        return Err(invalid("a longer body than is read here"));
    }
    Ok((length, is_last))
}

/// Answers the first request of the input, if all of it is there.
fn answer<'a>(input: &'a [u8], out: &mut Vec<u8>) -> io::Result<Option<Answer<'a>>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(input).map_err(invalid)? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Ok(None),
    };
    let (length, is_last) = framing(&request)?;
    let used = head + length;
    let Some(request_body) = input.get(head..used) else {
        return Ok(None);
    };
    let (status, body) = match (request.method, request.path) {
        (Some("GET"), Some("/")) => ("200 OK", peers::HELLO.as_bytes()),
        (Some("POST"), Some("/echo")) => ("200 OK", request_body),
        (Some("GET"), Some("/big")) => ("200 OK", &peers::BIG[..]),
        _ => ("404 Not Found", &b""[..]),
    };
    let connection = if is_last { "connection: close\r\n" } else { "" };
    let length = body.len();
    write!(
        out,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\n"
    )?;
    write!(out, "content-length: {length}\r\n{connection}date: ")?;
    write_date(out);
    out.extend_from_slice(b"\r\n\r\n");
    Ok(Some(Answer {
        used,
        body,
        is_last,
    }))
}

async fn serve(mut stream: Async<std::net::TcpStream>) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    let (mut input, mut filled) = (vec![0; BUFFER], 0);
    let mut out = Vec::new();
    loop {
        if filled == input.len() {
            if filled >= REQUEST_MAX {
                return Err(invalid("a longer request than is read here"));
            }
            input.resize(2 * filled, 0);
        }
        match stream.read(&mut input[filled..]).await? {
            0 => return Ok(()),
            count => filled += count,
        }
        let mut used = 0;
        while let Some(answer) = answer(&input[used..filled], &mut out)? {
            used += answer.used;
            if answer.body.len() <= BUFFER {
                out.extend_from_slice(answer.body);
            } else {
                stream.write_all(&out).await?;
                out.clear();
                stream.write_all(answer.body).await?;
            }
            if answer.is_last {
                return stream.write_all(&out).await;
            }
        }
        stream.write_all(&out).await?;
        out.clear();
        input.copy_within(used..filled, 0);
        filled -= used;
    }
}

fn main() -> io::Result<()> {
    if std::env::args().any(|word| word == "routes") {
        return Err(io::Error::other("there is no router here"));
    }
    let listener = Async::<TcpListener>::try_from(peers::listen()?)?;
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        loop {
            let (stream, _) = listener.accept().await?;
            executor.spawn(serve(stream)).detach();
        }
    }))
}
