//! The client's side of HTTP/1.1: requests out, answers in, as strict and as free of I/O as
//! [`Protocol`](super::Protocol) is.
//!
//! The hard fact: an answer does not say what it answers. Where its body ends depends on the
//! method that was asked with (RFC 9112, 6.3), so the methods of all requests that are on their
//! way are kept in order.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;

use super::body::{ChunkDecoder, Decoded};
use super::encode::{self, Framing};
use super::error::{ProtocolError, SendError};
use super::head::{Method, RequestHead, ResponseHead};
use super::headers::Known;
use super::limits::Limits;
use super::protocol::{Event, Received};
use super::respond::BodyLength;
use super::status::Status;

/// The state machine of one connection, seen from the client.
///
/// Requests may be sent before the answers to earlier ones have come: they are answered in order
/// (RFC 9112, 9.3.2).
///
/// # Examples
///
/// ```
/// use tourbillon::http::*;
///
/// let mut protocol = ClientProtocol::new();
/// let mut out = Vec::new();
/// let mut request = RequestHead::new("GET", "/clock")?;
/// request.headers_mut().append("host", "localhost")?;
/// protocol.send_head(&request, None, &mut out)?;
/// assert_eq!(out, b"GET /clock HTTP/1.1\r\nhost: localhost\r\n\r\n");
///
/// let mut head = ResponseHead::default();
/// let input = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntick";
/// let received = protocol.receive(&Limits::default(), input, &mut head)?;
/// assert_eq!((received.event, head.status), (Event::Head, Status::OK));
/// let rest = &input[received.consumed..];
/// assert_eq!(protocol.receive(&Limits::default(), rest, &mut head)?.event, Event::Body(0..4));
/// assert!(protocol.answer_complete() && protocol.keeps_alive());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientProtocol {
    /// The requests whose answers have not begun, oldest first.
    asked: VecDeque<Asked>,
    reading: Reading,
    sending: Sending,
    /// No request may follow on this connection.
    closes: bool,
}

/// What of a request is needed to understand its answer.
#[derive(Debug, Clone, Copy)]
struct Asked {
    method: Method,
    /// It offers other protocols to switch to.
    upgrades: bool,
}

#[derive(Debug, Clone, Default)]
enum Reading {
    /// Between two answers, or in a head of which this much was looked at in vain.
    #[default]
    Between,
    Head {
        scanned: usize,
    },
    Length {
        left: u64,
    },
    Chunked(ChunkDecoder),
    UntilClose,
    /// The connection belongs to another protocol, or to nobody.
    Closed,
    Failed(AnswerError),
}

/// Where the body of the request that is being sent stands.
#[derive(Debug, Clone, Copy, Default)]
enum Sending {
    #[default]
    Nothing,
    Length {
        left: u64,
    },
    Chunked,
}

impl ClientProtocol {
    /// Creates the state of a new connection.
    pub fn new() -> ClientProtocol {
        ClientProtocol::default()
    }

    /// Encodes the head of a request. A `length` adds the field that frames the body; a request
    /// without one has no body.
    ///
    /// `content-length` and `transfer-encoding` of the head are not sent, since framing is not
    /// the caller's; `connection` is. Host is the caller's duty (RFC 9112, 3.2).
    ///
    /// # Errors
    ///
    /// `HeadSent` while the body of another request is unfinished, `Ended` when the connection
    /// takes no more.
    pub fn send_head(
        &mut self,
        head: &RequestHead,
        length: Option<BodyLength>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if !matches!(self.sending, Sending::Nothing) {
            return Err(SendError::HeadSent);
        }
        if !self.keeps_alive() {
            return Err(SendError::Ended);
        }
        let (framing, sending) = match length {
            None => (Framing::None, Sending::Nothing),
            Some(BodyLength::Known(0)) => (Framing::Length(0), Sending::Nothing),
            Some(BodyLength::Known(left)) => (Framing::Length(left), Sending::Length { left }),
            Some(BodyLength::Unknown) => (Framing::Chunked, Sending::Chunked),
        };
        self.sending = sending;
        let known = head.headers.known();
        self.asked.push_back(Asked {
            method: head.method(),
            upgrades: known.has(Known::Upgrade),
        });
        self.closes = known.has(Known::Connection) && head.headers.has_token("connection", "close");
        encode::request(head, framing, out);
        Ok(())
    }

    /// Encodes bytes of the request's body.
    ///
    /// # Errors
    ///
    /// Refuses more bytes than the head announced, and then encodes none of them.
    pub fn send_body(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        match &mut self.sending {
            Sending::Nothing if data.is_empty() => {}
            Sending::Nothing => return Err(SendError::MoreThanDeclared),
            Sending::Length { left } => {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or(SendError::MoreThanDeclared)?;
                out.extend_from_slice(data);
                if *left == 0 {
                    self.sending = Sending::Nothing;
                }
            }
            // A chunk of size 0 would end the body.
            Sending::Chunked if data.is_empty() => {}
            Sending::Chunked => {
                encode::chunk_size(data.len(), out);
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Ends the request's body.
    ///
    /// # Errors
    ///
    /// `LessThanDeclared`, and the connection is of no more use.
    pub fn send_end(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        match std::mem::take(&mut self.sending) {
            Sending::Nothing => Ok(()),
            Sending::Chunked => {
                out.extend_from_slice(b"0\r\n\r\n");
                Ok(())
            }
            Sending::Length { .. } => {
                self.closes = true;
                Err(SendError::LessThanDeclared)
            }
        }
    }

    /// Tells whether another request may be sent.
    pub fn keeps_alive(&self) -> bool {
        let is_over = matches!(
            self.reading,
            Reading::UntilClose | Reading::Closed | Reading::Failed(_)
        );
        !self.closes && !is_over
    }

    /// How many requests have no answer yet, not even the head of one.
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// Tells whether the answer that was begun last has come to its end.
    pub fn answer_complete(&self) -> bool {
        matches!(
            self.reading,
            Reading::Between | Reading::Head { .. } | Reading::Closed
        )
    }

    /// Tells whether what comes next belongs to an answer's body.
    pub(crate) fn in_body(&self) -> bool {
        matches!(
            self.reading,
            Reading::Length { .. } | Reading::Chunked(_) | Reading::UntilClose
        )
    }

    /// Reads what it can from the start of `input`; see
    /// [`Protocol::receive`](super::Protocol::receive) for the events. Interim answers come as
    /// heads too, each before the one it announces. `Paused` means that nothing was asked.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the answer, and says it again at each later call.
    pub fn receive(
        &mut self,
        limits: &Limits,
        input: &[u8],
        head: &mut ResponseHead,
    ) -> Result<Received, AnswerError> {
        let outcome = match &mut self.reading {
            Reading::Between if self.asked.is_empty() && input.is_empty() => Ok(paused()),
            Reading::Between | Reading::Head { .. } => self.receive_head(limits, input, head),
            Reading::Length { left } => {
                let taken = (input.len() as u64).min(*left);
                *left -= taken;
                if *left == 0 {
                    self.reading = Reading::Between;
                }
                Ok(body(taken as usize))
            }
            Reading::Chunked(decoder) => match decoder.decode(limits, input) {
                Ok((consumed, Decoded::Data(range))) => Ok(Received {
                    consumed,
                    event: Event::Body(range),
                }),
                Ok((consumed, Decoded::NeedMore)) => Ok(Received {
                    consumed,
                    event: Event::NeedMore,
                }),
                Ok((consumed, Decoded::End)) => {
                    self.reading = Reading::Between;
                    Ok(Received {
                        consumed,
                        event: Event::End,
                    })
                }
                Err(error) => Err(AnswerError::Chunk(error)),
            },
            Reading::UntilClose => Ok(body(input.len())),
            Reading::Closed => Ok(paused()),
            Reading::Failed(error) => Err(*error),
        };
        if let Err(error) = outcome {
            self.reading = Reading::Failed(error);
        }
        outcome
    }

    /// Notes that no more input will come.
    ///
    /// # Errors
    ///
    /// `CutOff` when an answer was to come, or more of one.
    pub fn end_of_input(&mut self) -> Result<(), AnswerError> {
        match self.reading {
            Reading::Failed(error) => return Err(error),
            Reading::Between if self.asked.is_empty() => {}
            Reading::UntilClose | Reading::Closed => {}
            _ => {
                self.reading = Reading::Failed(AnswerError::CutOff);
                return Err(AnswerError::CutOff);
            }
        }
        self.reading = Reading::Closed;
        Ok(())
    }

    fn receive_head(
        &mut self,
        limits: &Limits,
        input: &[u8],
        head: &mut ResponseHead,
    ) -> Result<Received, AnswerError> {
        let Some(Asked { method, upgrades }) = self.asked.front().copied() else {
            return Err(AnswerError::Unasked);
        };
        let window = &input[..input.len().min(limits.head_bytes_max)];
        let begin = match self.reading {
            // The end may have begun before.
            Reading::Head { scanned } => scanned.saturating_sub(3),
            _ => 0,
        };
        let end = window[begin.min(window.len())..]
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n");
        let Some(end) = end else {
            if window.len() == limits.head_bytes_max {
                return Err(AnswerError::HeadTooLong);
            }
            self.reading = Reading::Head {
                scanned: window.len(),
            };
            return Ok(Received {
                consumed: 0,
                event: Event::NeedMore,
            });
        };
        let lines = &window[..begin + end + 2];
        let is_http10 = parse_head(lines, head)?;
        let switches = head.status == Status::SWITCHING_PROTOCOLS;
        if switches && !upgrades {
            return Err(AnswerError::UpgradeUnasked);
        }
        if head.status.is_interim() && !switches {
            self.reading = Reading::Between;
        } else {
            self.asked.pop_front();
            self.begin_answer(method, head, is_http10)?;
        }
        Ok(Received {
            consumed: lines.len() + 2,
            event: Event::Head,
        })
    }

    /// Finds out where the answer ends (RFC 9112, 6.3), and whether the connection outlives it.
    fn begin_answer(
        &mut self,
        method: Method,
        head: &ResponseHead,
        is_http10: bool,
    ) -> Result<(), AnswerError> {
        let headers = &head.headers;
        let stays = headers.has_token("connection", "keep-alive") || !is_http10;
        self.closes |= !stays || headers.has_token("connection", "close");
        // A tunnel begins here, and what the head says of a body says nothing.
        let is_tunnel = method == Method::Connect && (200..300).contains(&head.status.code());
        if is_tunnel || head.status == Status::SWITCHING_PROTOCOLS {
            self.reading = Reading::Closed;
            return Ok(());
        }
        let mut lengths = headers.get_all("content-length");
        let length = lengths.next().map(decimal).transpose()?;
        let is_coded = headers.contains("transfer-encoding");
        if lengths.next().is_some() || is_coded && (length.is_some() || is_http10) {
            return Err(AnswerError::Framing);
        }
        self.reading = if method == Method::Head || head.status.ends_at_head() {
            Reading::Between
        } else if is_coded {
            let codings: Vec<&[u8]> = headers.get_all("transfer-encoding").collect();
            match codings[..] {
                [coding] if coding.eq_ignore_ascii_case(b"chunked") => {
                    Reading::Chunked(ChunkDecoder::default())
                }
                _ => return Err(AnswerError::Framing),
            }
        } else {
            match length {
                Some(0) => Reading::Between,
                Some(left) => Reading::Length { left },
                None => Reading::UntilClose,
            }
        };
        Ok(())
    }
}

fn paused() -> Received {
    Received {
        consumed: 0,
        event: Event::Paused,
    }
}

fn body(taken: usize) -> Received {
    let event = if taken == 0 {
        Event::NeedMore
    } else {
        Event::Body(0..taken)
    };
    Received {
        consumed: taken,
        event,
    }
}

/// Parses status line and fields, each of which ends in CR LF. Tells whether this is HTTP/1.0.
fn parse_head(lines: &[u8], head: &mut ResponseHead) -> Result<bool, AnswerError> {
    head.clear();
    let mut rest = lines;
    let mut is_http10 = None;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or(AnswerError::LineEnd)?;
        let line = rest[..end]
            .strip_suffix(b"\r")
            .ok_or(AnswerError::LineEnd)?;
        if line.contains(&b'\r') {
            return Err(AnswerError::LineEnd);
        }
        rest = &rest[end + 1..];
        if is_http10.is_some() {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.ok_or(AnswerError::Field)?);
            let name = str::from_utf8(name).map_err(|_| AnswerError::Field)?;
            let appended = head.headers.append(name, &value[1..]);
            appended.map_err(|_| AnswerError::Field)?;
        } else {
            let (status, is_old) = parse_status_line(line).ok_or(AnswerError::StatusLine)?;
            head.status = status;
            is_http10 = Some(is_old);
        }
    }
    is_http10.ok_or(AnswerError::StatusLine)
}

/// `HTTP/1.1 200 OK`, of which the phrase may be empty and the space before it must not be
/// missing (RFC 9112, 4).
fn parse_status_line(line: &[u8]) -> Option<(Status, bool)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (version, rest) = rest.split_first()?;
    let is_http10 = match version {
        b'0' => true,
        b'1' => false,
        _ => return None,
    };
    let [b' ', a, b, c, b' ', ..] = rest else {
        return None;
    };
    let code = [*a, *b, *c].iter().try_fold(0, |code, digit| {
        digit
            .is_ascii_digit()
            .then(|| code * 10 + u16::from(digit - b'0'))
    })?;
    Some((Status::new(code)?, is_http10))
}

fn decimal(value: &[u8]) -> Result<u64, AnswerError> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(value).ok().filter(|_| is_number);
    text.and_then(|text| text.parse().ok())
        .ok_or(AnswerError::Framing)
}

/// What is wrong with an answer.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerError {
    /// Something came that nothing was asked for.
    Unasked,
    /// A 101 came, and the request has no `upgrade` field (RFC 9110, 7.8).
    UpgradeUnasked,
    /// The first line is not `HTTP/1.x`, a status and a space (RFC 9112, 4).
    StatusLine,
    /// A line of the head does not end in CR LF (RFC 9112, 2.2).
    LineEnd,
    /// A field is malformed (RFC 9112, 5).
    Field,
    /// The head is longer than `head_bytes_max`.
    HeadTooLong,
    /// The fields that say where the body ends contradict each other, or cannot be understood
    /// (RFC 9112, 6.3).
    Framing,
    /// The chunks are malformed, or longer than a limit allows.
    Chunk(ProtocolError),
    /// The connection ended before the answer did.
    CutOff,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AnswerError::Unasked => "an answer came that nothing was asked for",
            AnswerError::UpgradeUnasked => "a 101 came, and the request asked for no upgrade",
            AnswerError::StatusLine => "the answer does not begin with a status line of HTTP/1.x",
            AnswerError::LineEnd => "a line of the answer's head does not end in CR LF",
            AnswerError::Field => "a header field of the answer is malformed",
            AnswerError::HeadTooLong => "the answer's head is too long (limit: head_bytes_max)",
            AnswerError::Framing => "the answer does not say clearly where its body ends",
            AnswerError::Chunk(error) => error.message(),
            AnswerError::CutOff => "the connection ended before the answer did",
        })
    }
}

impl Error for AnswerError {}
