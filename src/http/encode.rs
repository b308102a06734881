//! Responses to bytes.
//!
//! This runs once per request and allocates nothing but growth of the caller's buffer: the usual
//! status lines are ready-made, numbers are written without `fmt`, and the application's fields
//! lie in wire form already.

use super::head::{RequestHead, ResponseHead};
use super::headers::{Headers, Known, KnownSet};
use super::status::Status;

/// What the head says of the body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(u64),
    Chunked,
}

/// What the head says of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    /// Nothing: HTTP/1.1 stays.
    Implied,
    Close,
    KeepAlive,
}

/// The fields the protocol answers for, so that the application's are left out.
const OWN_FIELDS: KnownSet = KnownSet::EMPTY
    .with(Known::ContentLength)
    .with(Known::TransferEncoding)
    .with(Known::Connection);

/// Writes a final head.
///
/// What is of fixed length is copied as such, by a few moves in place of a call.
#[inline(always)]
pub(super) fn response(
    head: &ResponseHead,
    framing: Framing,
    connection: Connection,
    date: &[u8; 29],
    out: &mut Vec<u8>,
) {
    let known = head.headers.known();
    match framing {
        Framing::Length(length) if head.status == Status::OK && !known.has(Known::Date) => {
            // Nearly every response begins like this: one copy in place of five.
            const DATE_AT: usize = 23;
            let mut text =
                *b"HTTP/1.1 200 OK\r\ndate: ddd, dd mmm yyyy hh:mm:ss GMT\r\ncontent-length: ";
            text[DATE_AT..DATE_AT + date.len()].copy_from_slice(date);
            out.extend_from_slice(&text);
            push_decimal(length, out);
        }
        _ => {
            push_status_line(head.status, out);
            if !known.has(Known::Date) {
                out.extend_from_slice(b"date: ");
                out.extend_from_slice(date);
                out.extend_from_slice(b"\r\n");
            }
            push_framing(framing, out);
        }
    }
    // Whoever sends `upgrade`, with a 101 or a 426, has to name it here as well (RFC 9110, 7.8).
    let names_upgrade = known.has(Known::Upgrade);
    if connection != Connection::Implied || names_upgrade {
        push_connection(connection, names_upgrade, out);
    }
    head.headers.write(OWN_FIELDS, out);
    out.extend_from_slice(b"\r\n");
}

#[cold]
fn push_connection(connection: Connection, names_upgrade: bool, out: &mut Vec<u8>) {
    let line: &[u8] = match (connection, names_upgrade) {
        (Connection::Implied, false) => b"",
        (Connection::Implied, true) => b"connection: upgrade\r\n",
        (Connection::Close, false) => b"connection: close\r\n",
        (Connection::Close, true) => b"connection: close, upgrade\r\n",
        (Connection::KeepAlive, false) => b"connection: keep-alive\r\n",
        (Connection::KeepAlive, true) => b"connection: keep-alive, upgrade\r\n",
    };
    out.extend_from_slice(line);
}

/// Writes the head of a request. Whether the connection goes on is the caller's to say.
pub(super) fn request(head: &RequestHead, framing: Framing, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method_text().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.target().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    push_framing(framing, out);
    let own = KnownSet::EMPTY
        .with(Known::ContentLength)
        .with(Known::TransferEncoding);
    head.headers().write(own, out);
    out.extend_from_slice(b"\r\n");
}

fn push_framing(framing: Framing, out: &mut Vec<u8>) {
    match framing {
        Framing::None => {}
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(length) => push_content_length(length, out),
    }
}

/// Writes an interim head: its status and the application's fields, nothing of the protocol's.
pub(super) fn interim(head: &ResponseHead, out: &mut Vec<u8>) {
    push_status_line(head.status, out);
    head.headers.write(OWN_FIELDS, out);
    out.extend_from_slice(b"\r\n");
}

/// Writes the end of a chunked body (RFC 9112, 7.1.2).
pub(super) fn last_chunk(trailers: &Headers, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    trailers.write(KnownSet::EMPTY, out);
    out.extend_from_slice(b"\r\n");
}

/// Writes the line before a chunk (RFC 9112, 7.1).
pub(super) fn chunk_size(len: usize, out: &mut Vec<u8>) {
    let mut text = [0; 18];
    let mut start = text.len() - 2;
    text[start..].copy_from_slice(b"\r\n");
    let mut rest = len;
    loop {
        start -= 1;
        text[start] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[start..]);
}

fn push_status_line(status: Status, out: &mut Vec<u8>) {
    let ready: &[u8] = match status.code() {
        200 => b"HTTP/1.1 200 OK\r\n",
        201 => b"HTTP/1.1 201 Created\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        206 => b"HTTP/1.1 206 Partial Content\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        302 => b"HTTP/1.1 302 Found\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        400 => b"HTTP/1.1 400 Bad Request\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        500 => b"HTTP/1.1 500 Internal Server Error\r\n",
        503 => b"HTTP/1.1 503 Service Unavailable\r\n",
        _ => {
            out.extend_from_slice(b"HTTP/1.1 ");
            let mut code = [0; 3];
            put_decimal(u64::from(status.code()), &mut code);
            out.extend_from_slice(&code);
            // The space stays even where there is no phrase (RFC 9112, 4).
            out.push(b' ');
            out.extend_from_slice(status.phrase().as_bytes());
            b"\r\n"
        }
    };
    out.extend_from_slice(ready);
}

fn push_content_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    push_decimal(length, out);
}

/// Writes a number and the end of the line behind it. Most lengths are short, and what is of
/// fixed length costs no call.
#[inline(always)]
fn push_decimal(number: u64, out: &mut Vec<u8>) {
    let digit = |power| b'0' + (number as u16 / power % 10) as u8;
    match number {
        0..10 => out.extend_from_slice(&[digit(1), b'\r', b'\n']),
        10..100 => out.extend_from_slice(&[digit(10), digit(1), b'\r', b'\n']),
        100..1000 => out.extend_from_slice(&[digit(100), digit(10), digit(1), b'\r', b'\n']),
        _ => push_long_decimal(number, out),
    }
}

fn push_long_decimal(number: u64, out: &mut Vec<u8>) {
    let mut line = [0; DIGITS_MAX + 2];
    line[DIGITS_MAX..].copy_from_slice(b"\r\n");
    let start = put_decimal(number, &mut line[..DIGITS_MAX]);
    out.extend_from_slice(&line[start..]);
}

/// The most digits a `u64` has.
const DIGITS_MAX: usize = 20;

/// Writes a number so that it ends where the text ends, and returns where it begins.
fn put_decimal(number: u64, text: &mut [u8]) -> usize {
    let mut start = text.len();
    let mut rest = number;
    loop {
        start -= 1;
        text[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return start;
        }
    }
}
