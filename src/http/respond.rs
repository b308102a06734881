//! The other half of `Protocol`: how a response is framed and whether it was sent as declared.
//!
//! The application says what it knows of the length; the framing follows from that, the request's
//! version and method, and the status. Whatever the application wrote into `content-length` or
//! `transfer-encoding` itself is dropped: two sources for one fact is how responses get split.

use super::encode;
use super::error::SendError;
use super::head::{ResponseHead, Version};
use super::headers::{Headers, Known};
use super::protocol::{CloseReason, Protocol, Reading};
use super::status::Status;

/// What the sender knows of a response's body before it sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// The body has exactly this many bytes.
    Known(u64),
    /// The body ends when it ends.
    Unknown,
}

/// Where the response side stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sending {
    /// No head was sent.
    #[default]
    Waiting,
    /// In a body of declared length: this much is missing. At 0 the response is complete.
    Length { left: u64 },
    /// In a chunked body.
    Chunked,
    /// In a body that the close of the connection will end.
    UntilClose,
    /// The response ends at its head; bytes of a body are swallowed.
    Dropped,
    /// The response is complete.
    Done,
    /// The response is not what its head declared.
    Broken(SendError),
}

impl Sending {
    fn takes_bytes(self) -> bool {
        matches!(
            self,
            Sending::Length { left: 1.. } | Sending::Chunked | Sending::UntilClose
        )
    }
}

impl Protocol {
    /// Tells whether the client waits for a 100 before it sends its body, and may get one
    /// (RFC 9110, 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.expects_continue && self.sending == Sending::Waiting
    }

    /// Invites the body of a client that waits for it; does nothing otherwise.
    ///
    /// The right moment is the first read of the body: a response that does not need it can then
    /// save the client the sending.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) {
        if self.expects_continue() {
            self.expects_continue = false;
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Sends a 1xx response, such as 103 with its hints (RFC 9110, 15.2). HTTP/1.0 does not know
    /// them, so to such a client nothing is written.
    ///
    /// # Errors
    ///
    /// Refuses a final status and 101, which belong to `send_head`, and anything after the head.
    pub fn send_interim(
        &mut self,
        head: &ResponseHead,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.sending != Sending::Waiting {
            return Err(SendError::HeadSent);
        }
        if !head.status.is_interim() || head.status == Status::SWITCHING_PROTOCOLS {
            return Err(SendError::InterimStatus);
        }
        if self.version == Version::Http11 {
            encode::interim(head, out);
        }
        Ok(())
    }

    /// Sends the head of the response, with the framing that suits the request.
    ///
    /// A known length becomes `content-length`. An unknown one becomes chunks on HTTP/1.1 and a
    /// close on 1.0. 1xx, 204 and 304 have neither; a response to HEAD has what GET would have.
    /// The `date` is what [`http_date`](super::http_date) gives, kept by the caller; a `date` of
    /// the application goes before it.
    ///
    /// It may also be called without a request, for a 408 or a 503: the connection then closes.
    ///
    /// # Errors
    ///
    /// Refuses a second head, a 1xx status other than 101, 101 to an HTTP/1.0 client, 101 where
    /// either side names no protocol (RFC 9110, 7.8), and 101 before the request is complete.
    /// Nothing is written then.
    pub fn send_head(
        &mut self,
        head: &ResponseHead,
        length: BodyLength,
        date: &[u8; 29],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let (framing, connection) = self.begin_response(head, length)?;
        encode::response(head, framing, connection, date, out);
        Ok(())
    }

    /// Sends a response whose body is there: `send_head`, `send_body` and `send_end` in one, since
    /// nearly every response is one of these.
    ///
    /// # Errors
    ///
    /// As `send_head`; the others cannot fail.
    #[inline(always)]
    pub(crate) fn send_whole(
        &mut self,
        head: &ResponseHead,
        body: &[u8],
        date: &[u8; 29],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let length = BodyLength::Known(body.len() as u64);
        let (framing, connection) = self.begin_response(head, length)?;
        encode::response(head, framing, connection, date, out);
        if self.sending != Sending::Dropped {
            self.body_sent += body.len() as u64;
            out.extend_from_slice(body);
        }
        self.sending = Sending::Done;
        Ok(())
    }

    /// Decides how a response is framed, if it may be sent.
    #[inline(always)]
    fn begin_response(
        &mut self,
        head: &ResponseHead,
        length: BodyLength,
    ) -> Result<(encode::Framing, encode::Connection), SendError> {
        if self.sending != Sending::Waiting {
            return Err(SendError::HeadSent);
        }
        let upgrades = head.status == Status::SWITCHING_PROTOCOLS;
        if head.status.is_interim() {
            self.check_upgrade(head, upgrades)?;
        }
        let (framing, sending) = self.choose_framing(head.status, length);
        self.settle_close(head, sending);
        self.sending = sending;
        let connection = match self.close {
            _ if upgrades => encode::Connection::Implied,
            Some(_) => encode::Connection::Close,
            None if self.confirm_keep_alive => encode::Connection::KeepAlive,
            None => encode::Connection::Implied,
        };
        self.upgraded = upgrades;
        Ok((framing, connection))
    }

    #[cold]
    fn check_upgrade(&self, head: &ResponseHead, upgrades: bool) -> Result<(), SendError> {
        if !upgrades || self.version == Version::Http10 {
            return Err(SendError::InterimStatus);
        }
        if !head.headers.known().has(Known::Upgrade) || !self.wants_upgrade {
            return Err(SendError::UpgradeUnasked);
        }
        // What is left of the request would be taken for the other protocol.
        if !self.request_complete() {
            return Err(SendError::UpgradeEarly);
        }
        Ok(())
    }

    #[inline]
    fn choose_framing(&self, status: Status, length: BodyLength) -> (encode::Framing, Sending) {
        let (framing, sending) = match length {
            _ if status.ends_at_head() => (encode::Framing::None, Sending::Dropped),
            // A 205 has no content, and says so with a length of 0 (RFC 9110, 15.3.6).
            _ if status == Status::RESET_CONTENT => (encode::Framing::Length(0), Sending::Dropped),
            BodyLength::Known(left) => (encode::Framing::Length(left), Sending::Length { left }),
            BodyLength::Unknown if self.version == Version::Http11 => {
                (encode::Framing::Chunked, Sending::Chunked)
            }
            BodyLength::Unknown => (encode::Framing::None, Sending::UntilClose),
        };
        if self.head_only {
            (framing, Sending::Dropped)
        } else {
            (framing, sending)
        }
    }

    /// Finds out, before the head is written, whether this response is the last: a close that
    /// was announced loses nobody a request (RFC 9112, 9.6).
    #[inline]
    fn settle_close(&mut self, head: &ResponseHead, sending: Sending) {
        if head.headers.known().has(Known::Connection)
            && head.headers.has_token("connection", "close")
        {
            self.close.get_or_insert(CloseReason::ServerAsked);
        }
        if sending == Sending::UntilClose {
            self.close.get_or_insert(CloseReason::EndsBody);
        }
        // A client that waits for a 100 and gets a final answer may send its body or may not:
        // what comes next can be told no more (RFC 9110, 10.1.1).
        if self.expects_continue {
            self.close.get_or_insert(CloseReason::RequestUnread);
        }
        // An answer to no request, such as a 408.
        if matches!(self.reading, Reading::Head { .. }) {
            self.close.get_or_insert(CloseReason::ServerAsked);
        }
    }

    /// Tells whether a response was begun. If not, one may still be sent, after an error too.
    pub fn response_begun(&self) -> bool {
        self.sending != Sending::Waiting
    }

    /// Tells whether bytes given to `send_body` will be written: not for HEAD, 204, 205 and 304,
    /// and not once the declared length is reached. Whoever is told no can save the making.
    pub fn wants_body(&self) -> bool {
        self.sending.takes_bytes()
    }

    /// Tells whether bytes of a body would be written behind a head with this status and length:
    /// what [`wants_body`](Protocol::wants_body) will say once the head is sent.
    pub fn will_send_body(&self, status: Status, length: BodyLength) -> bool {
        let (_, sending) = self.choose_framing(status, length);
        sending.takes_bytes()
    }

    /// Tells whether a body is being sent whose end is the close of the connection. If it cannot
    /// be sent to its end, only a reset keeps the client from taking what came for the whole
    /// (RFC 9112, 8).
    pub fn ends_by_close(&self) -> bool {
        self.sending == Sending::UntilClose
    }

    /// Tells whether the response is complete: its last byte was handed out, or its end, where
    /// the framing needs one.
    pub fn response_complete(&self) -> bool {
        matches!(
            self.sending,
            Sending::Length { left: 0 } | Sending::Dropped | Sending::Done
        )
    }

    /// Sends bytes of the body, with the framing around them.
    ///
    /// # Errors
    ///
    /// Refuses bytes beyond the declared length, and then writes none of them; the connection
    /// will close. Refuses bytes before the head and after the end.
    pub fn send_body(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.chunk_prefix(data.len(), out)?;
        if self.sending != Sending::Dropped {
            out.extend_from_slice(data);
            out.extend_from_slice(self.chunk_suffix(data.len()));
        }
        Ok(())
    }

    /// Counts a piece of body that the caller writes itself, and writes what goes before it. What
    /// goes after it is [`chunk_suffix`](Protocol::chunk_suffix): so a big piece needs no copy.
    ///
    /// The piece itself must not be written where [`wants_body`](Protocol::wants_body) said no
    /// before this call.
    ///
    /// # Errors
    ///
    /// As `send_body`.
    pub fn chunk_prefix(&mut self, len: usize, out: &mut Vec<u8>) -> Result<(), SendError> {
        match &mut self.sending {
            Sending::Length { left } => match left.checked_sub(len as u64) {
                Some(rest) => *left = rest,
                None => {
                    return self.break_off(SendError::MoreThanDeclared);
                }
            },
            // A chunk of size 0 would end the body.
            Sending::Chunked if len > 0 => encode::chunk_size(len, out),
            Sending::Chunked | Sending::UntilClose | Sending::Dropped => {}
            Sending::Done if len == 0 => {}
            Sending::Waiting => return Err(SendError::NoHead),
            Sending::Done => return Err(SendError::Ended),
            Sending::Broken(error) => return Err(*error),
        }
        if self.sending != Sending::Dropped {
            self.body_sent += len as u64;
        }
        Ok(())
    }

    /// Returns how many bytes of this response's body were handed out so far, without framing.
    pub fn body_sent(&self) -> u64 {
        self.body_sent
    }

    /// Returns what goes after a piece of body of this length.
    pub fn chunk_suffix(&self, len: usize) -> &'static [u8] {
        if self.sending == Sending::Chunked && len > 0 {
            b"\r\n"
        } else {
            b""
        }
    }

    /// Ends the body. Calling it again does no harm, nor does leaving it out after a body of
    /// declared length.
    ///
    /// # Errors
    ///
    /// Refuses an end before the declared length; the connection will close, which tells the
    /// client that the body is cut.
    pub fn send_end(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        match self.sending {
            Sending::Waiting => return Err(SendError::NoHead),
            Sending::Length { left: 1.. } => {
                return self.break_off(SendError::LessThanDeclared);
            }
            Sending::Broken(error) => return Err(error),
            Sending::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
            Sending::Length { .. } | Sending::UntilClose | Sending::Dropped | Sending::Done => {}
        }
        self.sending = Sending::Done;
        Ok(())
    }

    /// Ends the body with trailer fields (RFC 9112, 7.1.2). They are written behind chunks only;
    /// where there are none, to an HTTP/1.0 client or behind a body of declared length, this is
    /// `send_end`. The client need not have sent `te: trailers`: without it, it may drop them
    /// (RFC 9110, 6.5.1).
    ///
    /// # Errors
    ///
    /// Refuses a field that [`Headers::check_trailers`] refuses, and then writes nothing; else as
    /// `send_end`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::http::*;
    /// let mut protocol = Protocol::new();
    /// let input = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    /// protocol.receive(&Limits::default(), input, &mut RequestHead::default())?;
    ///
    /// let mut out = Vec::new();
    /// let head = ResponseHead::new(Status::OK);
    /// protocol.send_head(&head, BodyLength::Unknown, &http_date(0), &mut out)?;
    /// protocol.send_body(b"tick", &mut out)?;
    /// let mut trailers = Headers::new();
    /// trailers.append("server-timing", "total;dur=1")?;
    /// protocol.send_trailers(&trailers, &mut out)?;
    /// assert!(out.ends_with(b"4\r\ntick\r\n0\r\nserver-timing: total;dur=1\r\n\r\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_trailers(
        &mut self,
        trailers: &Headers,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if trailers.check_trailers().is_err() {
            return Err(SendError::TrailerField);
        }
        if self.sending != Sending::Chunked {
            return self.send_end(out);
        }
        encode::last_chunk(trailers, out);
        self.sending = Sending::Done;
        Ok(())
    }

    /// From here on the response cannot be made whole any more, only cut off.
    fn break_off(&mut self, error: SendError) -> Result<(), SendError> {
        self.sending = Sending::Broken(error);
        Err(error)
    }
}
