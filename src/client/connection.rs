//! One connection, seen from the client.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use super::error::ClientError;
use super::request::{ClientRequest, Content};
use crate::http::{
    AnswerError, BodyLength, ClientProtocol, Event, Limits, ResponseHead, SendError, Status,
};
use crate::io::{AsyncRead, AsyncWrite};

/// Bytes of answers that are read while a request is still being written: a
/// server that gets no rid of its answers takes no more requests.
const READ_AHEAD_MAX: usize = 1024 * 1024;

/// Interim answers (1xx) that are passed over before one final answer. RFC 9110
/// has no limit; a server that sends hints for ever must not keep one waiting
/// for ever.
const INTERIM_MAX: usize = 16;

/// What one read may bring.
const READ_BYTES: usize = 16 * 1024;

/// A connection over any stream of bytes.
///
/// Requests are answered in their order. Send several before the first answer
/// is read, and they are pipelined (RFC 9112, 9.3.2).
///
/// # Examples
///
/// ```
/// use tourbillon::client::{ClientRequest, Connection};
/// use tourbillon::io::duplex;
/// use tourbillon::server::{Config, Request, Server};
///
/// # fn main() -> std::io::Result<()> {
/// tourbillon::Runtime::new()?.block_on(async {
///     let server = Server::new(async |r: Request| r.path().to_owned(), Config::default());
///     let (here, there) = duplex(4096);
///     let served = tourbillon::spawn(server.serve_connection(there, None));
///
///     let mut connection = Connection::new(here);
///     for path in ["/tick", "/tock"] {
///         let request = ClientRequest::new("GET", path).unwrap();
///         let request = request.with_header("host", "localhost").unwrap();
///         connection.send(&request).await.unwrap();
///     }
///     for path in ["/tick", "/tock"] {
///         let head = connection.receive().await.unwrap();
///         assert_eq!(head.status.code(), 200);
///         assert_eq!(connection.body(100).await.unwrap(), path.as_bytes());
///     }
///     assert!(connection.is_reusable());
///     drop(connection);
///     served.await.unwrap();
/// });
/// # Ok(())
/// # }
/// ```
pub struct Connection<S> {
    stream: S,
    protocol: ClientProtocol,
    limits: Limits,
    input: Vec<u8>,
    /// How much of the input is done with.
    consumed: usize,
    has_ended: bool,
    /// Something has come since the last request was sent.
    has_heard: bool,
    /// Interim answers since the last final one.
    interim: usize,
    output: Vec<u8>,
    /// How much of the output has gone.
    written: usize,
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    /// Takes over a stream on which nothing was said yet.
    pub fn new(stream: S) -> Self {
        Connection {
            stream,
            protocol: ClientProtocol::new(),
            limits: Limits::default(),
            input: Vec::new(),
            consumed: 0,
            has_ended: false,
            has_heard: false,
            interim: 0,
            output: Vec::new(),
            written: 0,
        }
    }

    /// Sends a request, and returns when all of it is on its way.
    ///
    /// # Errors
    ///
    /// `Closed` when either side has said that the connection ends; `Io`
    /// when it is broken. An answer may have come all the same.
    ///
    /// # Cancellation
    ///
    /// Part of the request may have been sent: the rest goes out with the next
    /// call that sends.
    pub async fn send(&mut self, request: &ClientRequest) -> Result<(), ClientError> {
        self.begin(request)?;
        while self.send_more().await? {}
        Ok(())
    }

    /// Makes a request ready to be sent by [`send_more`](Self::send_more).
    pub(super) fn begin(&mut self, request: &ClientRequest) -> Result<(), ClientError> {
        self.encode(request).map_err(|_| ClientError::Closed)?;
        self.has_heard = false;
        Ok(())
    }

    /// Sends as much as is taken at once, and tells whether there is more.
    pub(super) async fn send_more(&mut self) -> Result<bool, ClientError> {
        poll_fn(|cx| self.poll_send(cx)).await
    }

    fn encode(&mut self, request: &ClientRequest) -> Result<(), SendError> {
        let out = &mut self.output;
        let length = match &request.body {
            Content::None => None,
            Content::Bytes(bytes) => Some(BodyLength::Known(bytes.len() as u64)),
            Content::Chunks(_) => Some(BodyLength::Unknown),
        };
        self.protocol.send_head(request.head(), length, out)?;
        match &request.body {
            Content::None => {}
            Content::Bytes(bytes) => self.protocol.send_body(bytes, out)?,
            Content::Chunks(chunks) => {
                for chunk in chunks {
                    self.protocol.send_body(chunk, out)?;
                }
            }
        }
        self.protocol.send_end(out)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, ClientError>> {
        while self.written < self.output.len() {
            match self.stream.poll_write(cx, &self.output[self.written..]) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    // Moving the rest to the front each time would take longer
                    // than sending it.
                    self.written += count;
                    return Poll::Ready(Ok(true));
                }
                Poll::Ready(Ok(_)) => return broken(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(error)) => return broken(error),
                Poll::Pending => {
                    let is_full = self.input.len() - self.consumed >= READ_AHEAD_MAX;
                    if is_full || self.has_ended {
                        return Poll::Pending;
                    }
                    ready!(self.poll_fill(cx))?;
                }
            }
        }
        self.written = 0;
        self.output.clear();
        // A kept connection keeps no room for the longest body it ever sent.
        self.output.shrink_to(READ_BYTES);
        let flushed = self.stream.poll_flush(cx);
        flushed.map_ok(|()| false).map_err(ClientError::Io)
    }

    /// Reads once, behind what is there.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        self.input.drain(..self.consumed);
        self.consumed = 0;
        let before = self.input.len();
        self.input.resize(before + READ_BYTES, 0);
        let read = self.stream.poll_read(cx, &mut self.input[before..]);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        self.input.truncate(before + count);
        ready!(read).map_err(ClientError::Io)?;
        self.has_ended = count == 0;
        self.has_heard |= count > 0;
        Poll::Ready(Ok(()))
    }

    /// Waits for the head of the next answer. Up to 16 interim answers (1xx)
    /// are passed over; what is unread of the answer before is read and
    /// dropped.
    ///
    /// # Errors
    ///
    /// `Answer` when it breaks HTTP or is cut off, `TooManyInterim` when more
    /// interim answers come before it, `Io` when the connection is broken.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: the next call goes on.
    pub async fn receive(&mut self) -> Result<ResponseHead, ClientError> {
        while self.chunk().await?.is_some() {}
        loop {
            let head = poll_fn(|cx| self.poll_head(cx)).await?;
            match self.interim {
                0 => return Ok(head),
                1..=INTERIM_MAX => {}
                _ => return Err(ClientError::TooManyInterim),
            }
        }
    }

    /// Waits for the next head, be it final or interim: 100, 103.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive), but interim answers are never too many;
    /// and `Answer` when an answer's body is being read.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: the next call goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::client::{ClientError, Connection};
    /// use tourbillon::io::{AsyncRead, AsyncWrite};
    ///
    /// /// Prints what comes, and gives the stream back with what is not HTTP.
    /// async fn watch<S: AsyncRead + AsyncWrite>(
    ///     mut connection: Connection<S>,
    /// ) -> Result<(S, Vec<u8>), ClientError> {
    ///     while connection.receive_any().await?.status.is_interim() {
    ///         println!("a hint");
    ///     }
    ///     while let Some(piece) = connection.chunk().await? {
    ///         println!("{} bytes", piece.len());
    ///     }
    ///     Ok(connection.into_parts())
    /// }
    /// # let _ = watch::<tourbillon::net::TcpStream>;
    /// ```
    pub async fn receive_any(&mut self) -> Result<ResponseHead, ClientError> {
        poll_fn(|cx| self.poll_head(cx)).await
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, ClientError>> {
        // Before it is looked at, so that nothing of the body is lost.
        if self.protocol.in_body() {
            return Poll::Ready(Err(AnswerError::Unasked.into()));
        }
        let mut head = ResponseHead::default();
        loop {
            let unread = &self.input[self.consumed..];
            let received = self.protocol.receive(&self.limits, unread, &mut head)?;
            match received.event {
                Event::Head => {
                    self.consumed += received.consumed;
                    let switches = head.status == Status::SWITCHING_PROTOCOLS;
                    let is_interim = head.status.is_interim() && !switches;
                    self.interim = if is_interim { self.interim + 1 } else { 0 };
                    return Poll::Ready(Ok(head));
                }
                Event::NeedMore => self.consumed += received.consumed,
                Event::Paused => return Poll::Ready(Err(ClientError::Closed)),
                Event::Body(_) | Event::End => {
                    return Poll::Ready(Err(AnswerError::Unasked.into()));
                }
            }
            ready!(self.poll_more(cx))?;
        }
    }

    /// Waits for the next piece of the answer's body; `None` is its end.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: the next call goes on.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, ClientError>> {
        let mut head = ResponseHead::default();
        while !self.protocol.answer_complete() {
            let unread = &self.input[self.consumed..];
            let received = self.protocol.receive(&self.limits, unread, &mut head)?;
            let piece = match received.event {
                Event::Body(range) => Some(unread[range].to_vec()),
                Event::Head => return Poll::Ready(Err(AnswerError::Unasked.into())),
                _ => None,
            };
            self.consumed += received.consumed;
            if piece.is_some() {
                return Poll::Ready(Ok(piece));
            }
            if !self.protocol.answer_complete() && self.consumed == self.input.len() {
                ready!(self.poll_more(cx))?;
            }
        }
        Poll::Ready(Ok(None))
    }

    /// Reads on, and notes an end of the input where there is one.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        if !self.has_ended {
            ready!(self.poll_fill(cx))?;
        }
        if self.has_ended {
            self.protocol.end_of_input()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the rest of the answer's body, but at most `max` bytes.
    ///
    /// # Errors
    ///
    /// `TooLong` as soon as more has come; else as [`receive`](Self::receive).
    ///
    /// # Cancellation
    ///
    /// What was read so far is lost.
    pub async fn body(&mut self, max: usize) -> Result<Vec<u8>, ClientError> {
        let mut all = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if all.len() + piece.len() > max {
                return Err(ClientError::TooLong);
            }
            all.extend(piece);
        }
        Ok(all)
    }

    /// Tells whether another request may be sent: nobody has announced the
    /// end, every answer was read, and nothing came that was not asked for.
    pub fn is_reusable(&self) -> bool {
        let is_idle = self.protocol.answer_complete() && self.protocol.unanswered() == 0;
        let is_clean = self.input.len() == self.consumed && self.output.is_empty();
        self.protocol.keeps_alive() && is_idle && is_clean && !self.has_ended
    }

    /// Whether nothing more of the answer's body is to come.
    pub(super) fn has_read_all(&self) -> bool {
        self.protocol.answer_complete()
    }

    /// What it runs over.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Whether anything has come since the last request was sent, be it a
    /// hint.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// Tells, without waiting, whether the server has closed an idle
    /// connection or said something on it.
    pub(super) fn poll_is_stale(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_fill(cx).is_ready()
    }

    /// Returns the stream, with what was read of it and not used: after an
    /// upgrade, say.
    pub fn into_parts(mut self) -> (S, Vec<u8>) {
        self.input.drain(..self.consumed);
        (self.stream, self.input)
    }
}

fn broken<T>(error: io::Error) -> Poll<Result<T, ClientError>> {
    Poll::Ready(Err(ClientError::Io(error)))
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("unanswered", &self.protocol.unanswered())
            .finish_non_exhaustive()
    }
}
