//! One connection's side of HTTP/1.1: what came, what may come next, and how an exchange ends.
//!
//! The hard fact: request and response of an exchange move independently. A response may end
//! while the request's body is still coming, or begin before it; only when both sides are done
//! may the next head be read. `respond.rs` is the other half of this type.

use std::ops::Range;

use super::body::{BodyKind, ChunkDecoder, Decoded};
use super::error::ProtocolError;
use super::head::{Method, RequestHead, Version};
use super::headers::is_token_byte;
use super::limits::Limits;
use super::parse::{self, Facts};
use super::respond::Sending;

/// How many empty lines may precede a request line. RFC 9112, 2.2 asks to skip at least one, for
/// old clients that sent one after a POST body; without a bound they would cost work for ever.
const EMPTY_LINES_MAX: u8 = 4;

/// The state machine of one connection. It does no I/O and reads no clock.
///
/// The caller reads into a buffer of its own and calls [`receive`](Protocol::receive), dropping
/// what was consumed, until the answer is `NeedMore` or `Paused`. It answers with `send_head`,
/// `send_body` and `send_end`, which append to a buffer that the caller writes out. When both
/// sides are done it calls [`finish_exchange`](Protocol::finish_exchange) and learns whether the
/// connection goes on.
///
/// # Examples
///
/// ```
/// use tourbillon::http::*;
///
/// let mut protocol = Protocol::new();
/// let mut request = RequestHead::default();
/// let input = b"GET /clock HTTP/1.1\r\nHost: localhost\r\n\r\n";
///
/// let received = protocol.receive(&Limits::default(), input, &mut request)?;
/// assert_eq!(received.event, Event::Head);
/// assert_eq!((request.path(), protocol.request_complete()), ("/clock", true));
///
/// let mut out = Vec::new();
/// let response = ResponseHead::new(Status::OK);
/// protocol.send_head(&response, BodyLength::Known(4), &http_date(0), &mut out)?;
/// protocol.send_body(b"tick", &mut out)?;
/// assert_eq!(protocol.finish_exchange(), Next::KeepAlive);
/// assert!(out.ends_with(b"content-length: 4\r\n\r\ntick"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Protocol {
    pub(super) reading: Reading,
    pub(super) sending: Sending,
    /// Why the connection will end with this exchange, if it will. The first cause stays.
    pub(super) close: Option<CloseReason>,
    pub(super) body: BodyKind,
    pub(super) version: Version,
    /// The request is HEAD, so the response has no body, whatever it announces.
    pub(super) head_only: bool,
    /// An HTTP/1.0 client asked to stay, and has to be told that it may.
    pub(super) confirm_keep_alive: bool,
    /// The client waits for a 100 before it sends the body.
    pub(super) expects_continue: bool,
    /// Bytes of the response's body that were handed out.
    pub(super) body_sent: u64,
    /// The client asks for another protocol.
    pub(super) wants_upgrade: bool,
    /// A 101 was sent: what comes next is another protocol's.
    pub(super) upgraded: bool,
    /// How many empty lines came before the head that is being read.
    empty_lines: u8,
}

/// Where the request side stands.
#[derive(Debug, Clone)]
pub(super) enum Reading {
    /// Waiting for a head; this many bytes of it were looked at in vain.
    Head { scanned: usize },
    /// In a body of declared length: this much is missing.
    Length { left: u64 },
    /// In a chunked body.
    Chunked(ChunkDecoder),
    /// The request is complete.
    Done,
    /// What came was refused; nothing after it has a meaning.
    Failed(ProtocolError),
    /// The connection's last exchange is over.
    Closed,
}

impl Default for Reading {
    fn default() -> Self {
        Reading::Head { scanned: 0 }
    }
}

/// What [`Protocol::receive`] made of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// How many bytes at the start of the input are done with. With `Event::Body` these include
    /// the body bytes, so use those before dropping them.
    pub consumed: usize,
    /// What they mean.
    pub event: Event,
}

/// One step of a request.
///
/// After `Head`, `Body` and `End` the request may be complete: see
/// [`Protocol::request_complete`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing can be said before more bytes come.
    NeedMore,
    /// The request head is there, in the `head` argument.
    Head,
    /// These bytes of the input are body; never empty.
    Body(Range<usize>),
    /// A chunked body ended. A body of declared length ends with its last byte and has no `End`.
    End,
    /// The request is complete and its exchange is not, or the connection has had its last
    /// exchange. Bytes that are there already stay in the caller's buffer.
    Paused,
}

/// What comes after an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The connection is ready for the next request, which may be in the buffer already.
    KeepAlive,
    /// The connection is to be closed once what was written is out.
    Close(CloseReason),
    /// A 101 was sent: the bytes from here on belong to the other protocol (RFC 9110, 7.8).
    Upgrade,
}

/// Why the protocol wants the connection closed.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client asked: `connection: close`, or HTTP/1.0 without keep-alive (RFC 9112, 9.3).
    ClientAsked,
    /// The server asked, through [`Protocol::close_after_response`] or a `connection: close` of
    /// the application.
    ServerAsked,
    /// The length of the response was unknown and the client too old for chunks, so that the
    /// close is the end of the body (RFC 9112, 6.3).
    EndsBody,
    /// The response ended before the request's body was read to its end.
    RequestUnread,
    /// The response was not finished, or not as declared: the close tells the client. Where
    /// [`Protocol::ends_by_close`] it has to be a reset.
    ResponseUnfinished,
    /// The request was refused.
    Refused(ProtocolError),
}

impl Protocol {
    /// Creates the state of a new connection.
    pub fn new() -> Protocol {
        Protocol::default()
    }

    /// Reads what it can from the start of `input`.
    ///
    /// The caller owns the buffer: it drops `consumed` bytes and calls again with the rest and
    /// what has come since. A head is parsed in place and only when it is complete; one that
    /// comes in drips is not parsed again before a new line end came.
    ///
    /// `head` is written once, at `Event::Head`. It keeps its memory, so with a warm one nothing
    /// is allocated.
    ///
    /// # Errors
    ///
    /// Says why the request is refused, and says it again at each later call. Unless a response
    /// was begun, one can still be sent; it will announce the close. `head` then holds the method
    /// and the target if they were legible.
    pub fn receive(
        &mut self,
        limits: &Limits,
        input: &[u8],
        head: &mut RequestHead,
    ) -> Result<Received, ProtocolError> {
        let outcome = match &mut self.reading {
            Reading::Head { .. } => {
                let (consumed, is_head) = self.receive_head(limits, input, head)?;
                let event = match is_head {
                    true => Event::Head,
                    false => Event::NeedMore,
                };
                return Ok(Received { consumed, event });
            }
            Reading::Length { left } => {
                let taken = (input.len() as u64).min(*left);
                *left -= taken;
                if *left == 0 {
                    self.reading = Reading::Done;
                }
                Ok(self.received_body(0..taken as usize, taken as usize))
            }
            Reading::Chunked(decoder) => match decoder.decode(limits, input) {
                Ok((consumed, Decoded::Data(range))) => Ok(self.received_body(range, consumed)),
                Ok((consumed, Decoded::NeedMore)) => Ok(Received {
                    consumed,
                    event: Event::NeedMore,
                }),
                Ok((consumed, Decoded::End)) => {
                    self.reading = Reading::Done;
                    Ok(Received {
                        consumed,
                        event: Event::End,
                    })
                }
                Err(error) => Err(error),
            },
            Reading::Done | Reading::Closed => Ok(Received {
                consumed: 0,
                event: Event::Paused,
            }),
            Reading::Failed(error) => Err(*error),
        };
        outcome.map_err(|error| self.refuse(error))
    }

    /// Remembers why, and says it again.
    #[cold]
    fn refuse(&mut self, error: ProtocolError) -> ProtocolError {
        self.reading = Reading::Failed(error);
        self.close = Some(CloseReason::Refused(error));
        error
    }

    /// The same for where a head is awaited, and nearly nothing else can come: returns how many
    /// bytes of the input are done with, and whether the head is complete.
    #[inline]
    pub(crate) fn receive_head(
        &mut self,
        limits: &Limits,
        input: &[u8],
        head: &mut RequestHead,
    ) -> Result<(usize, bool), ProtocolError> {
        if !matches!(self.reading, Reading::Head { .. }) {
            let received = self.receive(limits, input, head)?;
            return Ok((received.consumed, false));
        }
        match self.read_head(limits, input, head) {
            Err(error) => Err(self.refuse(error)),
            read => read,
        }
    }

    fn received_body(&mut self, range: Range<usize>, consumed: usize) -> Received {
        if range.is_empty() {
            return Received {
                consumed,
                event: Event::NeedMore,
            };
        }
        // The client did not wait: a 100 would tell it nothing (RFC 9110, 10.1.1).
        self.expects_continue = false;
        Received {
            consumed,
            event: Event::Body(range),
        }
    }

    #[inline(always)]
    fn read_head(
        &mut self,
        limits: &Limits,
        input: &[u8],
        head: &mut RequestHead,
    ) -> Result<(usize, bool), ProtocolError> {
        let skipped = match input.first() {
            Some(byte) if is_token_byte(*byte) => 0,
            _ => self.skip_to_request(input, head)?,
        };
        let rest = &input[skipped..];
        if rest.is_empty() || rest[0] == b'\r' {
            return Ok((skipped, false));
        }
        // The method is known before the rest of the head is, and if that never comes the answer
        // to it, a 408, must have no body either (RFC 9110, 9.3.2).
        self.head_only = rest.starts_with(b"HEAD ");
        if let Reading::Head {
            scanned: scanned @ 1..,
        } = self.reading
        {
            // Parsing from the start at each drip would make a slow head cost its length squared.
            let fresh = rest.get(scanned..).unwrap_or_default();
            if !fresh.contains(&b'\n') && rest.len() < limits.head_bytes_max {
                self.reading = Reading::Head {
                    scanned: rest.len(),
                };
                return Ok((skipped, false));
            }
        }
        match Self::parse_lines(limits, rest, head) {
            Ok(Some(facts)) => {
                self.begin_exchange(limits, &facts, head)?;
                Ok((skipped + facts.len, true))
            }
            Ok(None) => {
                self.reading = Reading::Head {
                    scanned: rest.len(),
                };
                Ok((skipped, false))
            }
            Err(error) => {
                self.version = head.version;
                self.head_only = head.method == Method::Head;
                Err(error)
            }
        }
    }

    /// Parses a head, and judges a line only when it is there to its end: a fault in half a line
    /// would be found or not, as the network cuts.
    #[inline]
    fn parse_lines(
        limits: &Limits,
        input: &[u8],
        head: &mut RequestHead,
    ) -> Result<Option<Facts>, ProtocolError> {
        match parse::parse_head(limits, input, head) {
            Err(error) if input.len() < limits.head_bytes_max => {
                Self::judge_lines(limits, input, head, error)
            }
            outcome => outcome,
        }
    }

    #[cold]
    fn judge_lines(
        limits: &Limits,
        input: &[u8],
        head: &mut RequestHead,
        error: ProtocolError,
    ) -> Result<Option<Facts>, ProtocolError> {
        let last = input.iter().rposition(|byte| *byte == b'\n');
        let lines = last.map_or(0, |last| last + 1);
        if lines == input.len() {
            return Err(error);
        }
        parse::parse_head(limits, &input[..lines], head)
    }

    /// Skips empty lines, and refuses at once what cannot begin a request: a TLS handshake must
    /// not wait for a line end that never comes. A CR at the end of the input stays there, since
    /// its LF may be on the way.
    #[cold]
    fn skip_to_request(
        &mut self,
        input: &[u8],
        head: &mut RequestHead,
    ) -> Result<usize, ProtocolError> {
        let mut skipped = 0;
        let refused = loop {
            match &input[skipped..] {
                [b'\r', b'\n', ..] if self.empty_lines == EMPTY_LINES_MAX => {
                    break ProtocolError::EmptyLines;
                }
                [b'\r', b'\n', ..] => {
                    self.empty_lines += 1;
                    skipped += 2;
                }
                [] | [b'\r'] => return Ok(skipped),
                [b'\r' | b'\n', ..] => break ProtocolError::LineEnd,
                [byte, ..] if is_token_byte(*byte) => return Ok(skipped),
                _ => break ProtocolError::FirstByte,
            }
        };
        // Nothing of the last request may be taken for a part of this one.
        head.clear();
        Err(refused)
    }

    #[inline]
    fn begin_exchange(
        &mut self,
        limits: &Limits,
        facts: &Facts,
        head: &RequestHead,
    ) -> Result<(), ProtocolError> {
        self.version = head.version;
        self.head_only = head.method == Method::Head;
        self.body = facts.body;
        // HTTP/1.1 stays unless told to close, HTTP/1.0 closes unless told to stay, and close
        // outranks keep-alive (RFC 9112, 9.3).
        let is_old = head.version == Version::Http10;
        let stays = !facts.wants_close && (!is_old || facts.wants_keep_alive);
        if !stays {
            self.close.get_or_insert(CloseReason::ClientAsked);
        }
        self.confirm_keep_alive = is_old && stays;
        self.reading = match facts.body {
            BodyKind::None | BodyKind::Length(0) => Reading::Done,
            BodyKind::Length(length) if length > limits.body_bytes_max => {
                return Err(ProtocolError::BodyTooLong);
            }
            BodyKind::Length(left) => Reading::Length { left },
            BodyKind::Chunked => Reading::Chunked(ChunkDecoder::default()),
        };
        // An HTTP/1.0 client cannot mean it, and without a body there is nothing to wait for
        // (RFC 9110, 10.1.1).
        self.expects_continue = facts.expects_continue && !is_old && !self.request_complete();
        // An HTTP/1.0 client cannot mean that either (RFC 9110, 7.8).
        self.wants_upgrade = facts.wants_upgrade && !is_old;
        Ok(())
    }

    /// Returns how the body of the current request is framed.
    pub fn request_body(&self) -> BodyKind {
        self.body
    }

    /// Tells whether the current request was read to its end. A request without a body is
    /// complete with its head.
    pub fn request_complete(&self) -> bool {
        matches!(self.reading, Reading::Done)
    }

    /// Returns how many bytes of the request's body are still to come, if that is known: 0 for a
    /// complete request, `None` in a chunked body and before a head.
    ///
    /// Who has sent the response decides by this whether to read the rest and drop it, which
    /// keeps the connection, or to close.
    pub fn request_remaining(&self) -> Option<u64> {
        match self.reading {
            Reading::Done => Some(0),
            Reading::Length { left } => Some(left),
            _ => None,
        }
    }

    /// Tells whether part of a head has come: the connection is not idle, and the deadline for
    /// the head applies.
    pub fn in_head(&self) -> bool {
        matches!(self.reading, Reading::Head { scanned: 1.. })
    }

    /// Tells whether the connection will take another request after this exchange, as far as is
    /// known now.
    pub fn keeps_alive(&self) -> bool {
        self.close.is_none()
    }

    /// Makes this exchange the last one. The response announces it if its head was not sent yet.
    pub fn close_after_response(&mut self) {
        self.close.get_or_insert(CloseReason::ServerAsked);
    }

    /// Ends the exchange and says what becomes of the connection.
    ///
    /// To keep a connection whose request has a body nobody wanted, call `receive` and drop what
    /// comes until [`request_complete`](Protocol::request_complete), and then this.
    pub fn finish_exchange(&mut self) -> Next {
        if self.upgraded && self.request_complete() {
            self.reading = Reading::Closed;
            return Next::Upgrade;
        }
        let reason = if let Reading::Failed(error) = self.reading {
            Some(CloseReason::Refused(error))
        } else if !self.response_complete() {
            Some(CloseReason::ResponseUnfinished)
        } else if self.close.is_none() && !self.request_complete() {
            Some(CloseReason::RequestUnread)
        } else {
            self.close
        };
        *self = Protocol::new();
        match reason {
            None => Next::KeepAlive,
            Some(reason) => {
                self.reading = Reading::Closed;
                self.close = Some(reason);
                Next::Close(reason)
            }
        }
    }
}
