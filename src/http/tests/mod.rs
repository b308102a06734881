//! The room's tests by topic, and the conversation they are all held in.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod chunks;
mod client;
mod cuts;
mod dates;
mod fuzz;
mod headers;
mod limits;
mod memory;
mod persistence;
mod refusals;
mod requests;
mod responses;
mod smuggling;
mod trailers;

use super::{BodyLength, CloseReason, Event, Limits, Next, Protocol, ProtocolError};
use super::{RequestHead, ResponseHead, SendError, Status, http_date};

/// A server's whole side of a connection, as far as the protocol knows it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// One text per complete request: line, fields and body.
    requests: Vec<String>,
    end: End,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum End {
    /// The protocol waits for more.
    #[default]
    Waiting,
    Refused(ProtocolError),
    Closed(CloseReason),
}

/// Lets `input` arrive in pieces that end at `cuts` and at the end of the input, and answers each
/// request with a 204 as soon as it is complete.
fn converse(limits: &Limits, input: &[u8], cuts: &[usize]) -> Seen {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let mut seen = Seen::default();
    let mut body = Vec::new();
    let mut position = 0;
    for arrived in cuts.iter().copied().chain([input.len()]) {
        loop {
            let received = match protocol.receive(limits, &input[position..arrived], &mut head) {
                Ok(received) => received,
                Err(error) => {
                    assert_eq!(
                        protocol.receive(limits, b"GET ", &mut head),
                        Err(error),
                        "an error stays"
                    );
                    assert!(!protocol.keeps_alive());
                    seen.end = End::Refused(error);
                    return seen;
                }
            };
            match received.event {
                Event::NeedMore | Event::Paused => {
                    position += received.consumed;
                    break;
                }
                Event::Head => body.clear(),
                Event::Body(range) => {
                    assert!(!range.is_empty() && range.end <= received.consumed);
                    body.extend_from_slice(&input[position..arrived][range]);
                }
                Event::End => assert!(protocol.request_complete()),
            }
            assert!(
                received.consumed > 0,
                "every event but a pause makes progress"
            );
            position += received.consumed;
            if protocol.request_complete() {
                assert_eq!(protocol.request_remaining(), Some(0));
                seen.requests
                    .push(format!("{head:?} {}", String::from_utf8_lossy(&body)));
                if let Next::Close(reason) = answer(&mut protocol, Status::NO_CONTENT, b"").1 {
                    seen.end = End::Closed(reason);
                    return seen;
                }
            }
        }
    }
    seen
}

/// Lets `input` arrive at once, with the default limits.
fn whole(input: impl AsRef<[u8]>) -> Seen {
    converse(&Limits::default(), input.as_ref(), &[])
}

/// Answers the current request and returns what was written and what comes next.
fn answer(protocol: &mut Protocol, status: Status, body: &[u8]) -> (String, Next) {
    let mut out = Vec::new();
    let head = ResponseHead::new(status);
    protocol
        .send_head(
            &head,
            BodyLength::Known(body.len() as u64),
            &http_date(0),
            &mut out,
        )
        .unwrap();
    protocol.send_body(body, &mut out).unwrap();
    protocol.send_end(&mut out).unwrap();
    (String::from_utf8(out).unwrap(), protocol.finish_exchange())
}

/// Gives a protocol and the head that have just received this request.
fn requested(request: &str) -> (Protocol, RequestHead) {
    let mut protocol = Protocol::new();
    let mut head = RequestHead::default();
    let received = protocol
        .receive(&Limits::default(), request.as_bytes(), &mut head)
        .expect("a good head");
    assert_eq!(received.event, Event::Head, "{request:?}");
    (protocol, head)
}

/// Sends a head without fields and returns what was written after the date, up to the empty line.
fn framing_of(
    protocol: &mut Protocol,
    status: Status,
    length: BodyLength,
) -> Result<String, SendError> {
    let mut out = Vec::new();
    protocol.send_head(&ResponseHead::new(status), length, &http_date(0), &mut out)?;
    let text = String::from_utf8(out).unwrap();
    let (line, rest) = text.split_once("\r\n").unwrap();
    assert_eq!(
        line,
        format!("HTTP/1.1 {} {}", status.code(), status.phrase())
    );
    let rest = rest
        .strip_prefix("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
        .unwrap();
    Ok(rest.strip_suffix("\r\n").unwrap().to_owned())
}

/// A small generator (xorshift64*): the same seed gives the same run on every machine.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Returns a number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// Returns `count` places to cut something of this length, in order.
    fn cuts(&mut self, len: usize, count: usize) -> Vec<usize> {
        let mut cuts: Vec<_> = (0..count).map(|_| self.below(len + 1)).collect();
        cuts.sort_unstable();
        cuts
    }
}
