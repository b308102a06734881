//! What must hold for any bytes, wherever the network cuts them.
//!
//! The first byte of an input chooses the cuts, the rest is what a client sends. Each oracle runs
//! the bytes whole and cut, and panics where the two differ or a promise is broken.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each fuzz target uses one of them"
)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tourbillon::http::{BodyLength, ResponseHead};
use tourbillon::http::{Event, Limits, Next, Protocol, ProtocolError, RequestHead};
use tourbillon::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tourbillon::server::{AccessLog, CloseReason, Config, Request, Response, Server};
use tourbillon::time::ManualClock;
use tourbillon::{Runtime, spawn};

/// A request head, and what else is pipelined behind it.
pub fn head(data: &[u8]) {
    let (cuts, bytes) = take_cuts(data);
    same_events(cuts, bytes);
}

/// A chunked body, and what is pipelined behind it.
pub fn chunks(data: &[u8]) {
    let (cuts, body) = take_cuts(data);
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    same_events(cuts, &[head, body].concat());
}

/// All that a client says on a connection with a whole server behind it.
pub fn connection(data: &[u8]) {
    let (cuts, bytes) = take_cuts(data);
    let whole = converse(&[bytes]);
    let cut = converse(&cut(cuts, bytes));
    assert_eq!(whole, cut, "cut by {cuts:#x}");
}

fn take_cuts(data: &[u8]) -> (u8, &[u8]) {
    match data.split_first() {
        Some((first, rest)) => (*first, rest),
        None => (0, data),
    }
}

/// Cuts bytes into pieces: of one byte each for 0, else at places drawn from the seed.
fn cut(seed: u8, bytes: &[u8]) -> Vec<&[u8]> {
    if seed == 0 {
        return bytes.chunks(1).collect();
    }
    let mut random = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let len = 1 + random as usize % (2 * usize::from(seed));
        let (piece, after) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// What a protocol made of its input.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Head(String),
    Body(Vec<u8>),
    End,
    Refused(ProtocolError),
}

fn same_events(cuts: u8, bytes: &[u8]) {
    let whole = events(&[bytes]);
    let cut = events(&cut(cuts, bytes));
    assert_eq!(whole, cut, "cut by {cuts:#x}");
}

/// Feeds a protocol, answers each request at once, and gathers what was said.
fn events(pieces: &[&[u8]]) -> Vec<Said> {
    // Small, so that inputs reach them.
    let limits = Limits {
        head_bytes_max: 512,
        target_bytes_max: 64,
        headers_max: 8,
        body_bytes_max: 4096,
        chunk_extension_bytes_max: 32,
        trailer_bytes_max: 64,
    };
    let mut protocol = Protocol::new();
    let mut request = RequestHead::default();
    let (mut said, mut input) = (Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let received = match protocol.receive(&limits, &input, &mut request) {
                Ok(received) => received,
                Err(error) => {
                    let again = protocol.receive(&limits, &input, &mut request);
                    assert_eq!(again, Err(error), "a refusal stays");
                    said.push(Said::Refused(error));
                    return said;
                }
            };
            assert!(received.consumed <= input.len());
            match received.event {
                Event::Head => {
                    check_head(&request);
                    said.push(Said::Head(format!("{request:?}")));
                }
                Event::Body(range) => {
                    assert!(!range.is_empty() && range.end <= received.consumed);
                    match said.last_mut() {
                        Some(Said::Body(body)) => body.extend_from_slice(&input[range]),
                        _ => said.push(Said::Body(input[range].to_vec())),
                    }
                }
                Event::End => said.push(Said::End),
                Event::NeedMore | Event::Paused => {
                    input.drain(..received.consumed);
                    break;
                }
            }
            input.drain(..received.consumed);
            if protocol.request_complete() && !answer(&mut protocol) {
                return said;
            }
        }
    }
    said
}

/// Answers, and tells whether the connection goes on.
fn answer(protocol: &mut Protocol) -> bool {
    let mut out = Vec::new();
    let head = ResponseHead::default();
    let sent = protocol.send_head(&head, BodyLength::Known(0), &[b'd'; 29], &mut out);
    sent.expect("a complete request may be answered");
    matches!(protocol.finish_exchange(), Next::KeepAlive)
}

fn check_head(head: &RequestHead) {
    assert!(head.target().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(head.path().starts_with('/') || head.path() == "*");
    assert!(!head.path().contains('?'));
    let _ = (
        head.query(),
        head.host(),
        head.method_text(),
        head.version(),
    );
    for (name, value) in head.headers().iter() {
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
        let may_stand = |byte: u8| byte == b'\t' || byte >= b' ' && byte != 0x7f;
        assert!(
            value.iter().all(|byte| may_stand(*byte)),
            "{name}: {value:?}"
        );
    }
}

/// A loop and a server for all inputs of this thread.
struct World {
    runtime: Runtime,
    time: ManualClock,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new({
        let time = ManualClock::new();
        let runtime = Runtime::builder().manual_clock(&time).build();
        World { runtime: runtime.expect("a fuzz target may have a loop"), time }
    });
}

/// Reads a body to its end, if there is one to read, and tells its length.
async fn app(request: Request) -> Response {
    let line = format!("{} {}", request.method_text(), request.head().target());
    let collected = request.into_body().collect(4096).await;
    match collected {
        Ok(body) => Response::text(format!("{line} {}", body.len())),
        Err(error) => Response::text(error.to_string()).with_status(error.status()),
    }
}

/// Says these pieces one after the other, hears the answers, and lets all time pass. Dates and
/// interim answers are left out: a client that did not wait for a 100 gets none.
fn converse(pieces: &[&[u8]]) -> (String, CloseReason) {
    WORLD.with_borrow_mut(|world| {
        let limits = Limits {
            head_bytes_max: 512,
            body_bytes_max: 4096,
            ..Limits::default()
        };
        let config = Config {
            limits,
            access_log: AccessLog::off(),
            ..Config::default()
        };
        let (here, there) = duplex(1 << 20);
        let reason = Rc::new(RefCell::new(None));
        let told = Rc::clone(&reason);
        let entered = world.runtime.enter();
        let server = Server::new(app, config);
        let serving = spawn(async move {
            let ended = server.serve_connection(there, None).await;
            *told.borrow_mut() = Some(ended);
        });
        drop(entered);
        let mut client = Client {
            stream: here,
            heard: Vec::new(),
        };
        for piece in pieces {
            client.say(&mut world.runtime, piece);
        }
        client.end(&mut world.runtime);
        // Every timeout there is, one after the other.
        for _ in 0..20 {
            if reason.borrow().is_some() {
                break;
            }
            world.time.advance(Duration::from_secs(31));
            client.listen(&mut world.runtime);
        }
        client.listen(&mut world.runtime);
        drop(serving);
        let reason = reason.borrow().expect("every connection ends");
        (without_dates(&client.heard), reason)
    })
}

struct Client {
    stream: DuplexStream,
    heard: Vec<u8>,
}

impl Client {
    fn say(&mut self, runtime: &mut Runtime, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let stream = &mut self.stream;
            let written = runtime.block_on(poll_fn(|cx| Poll::Ready(stream.poll_write(cx, bytes))));
            match written {
                Poll::Ready(Ok(count)) => bytes = &bytes[count..],
                // The server reads no more.
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
            self.listen(runtime);
        }
    }

    fn end(&mut self, runtime: &mut Runtime) {
        let stream = &mut self.stream;
        let closed = runtime.block_on(poll_fn(|cx| stream.poll_close(cx)));
        closed.expect("a stream in memory can be closed");
        self.listen(runtime);
    }

    fn listen(&mut self, runtime: &mut Runtime) {
        runtime
            .run_until_stalled()
            .expect("a loop without sockets turns");
        let mut buf = [0; 4096];
        loop {
            let stream = &mut self.stream;
            let read = runtime.block_on(poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut buf))));
            match read {
                Poll::Ready(Ok(count)) if count > 0 => self.heard.extend_from_slice(&buf[..count]),
                _ => break,
            }
        }
    }
}

fn without_dates(heard: &[u8]) -> String {
    let text = String::from_utf8_lossy(heard);
    let is_kept = |line: &&str| !line.starts_with("date: ");
    let lines: Vec<&str> = text.split("\r\n").filter(is_kept).collect();
    lines.join("\n").replace("HTTP/1.1 100 Continue\n\n", "")
}
