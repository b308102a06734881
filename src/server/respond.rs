//! A response, from what a handler gave back to bytes on their way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::access_log::Entry;
use super::body::{Kind, Stream};
use super::close_reason::CloseReason;
use super::connection::{Connection, broken};
use super::exchange::{UNWANTED_BYTES_MAX, unfinished};
use super::handler::Handler;
use super::output::{FLAT_BYTES_MAX, OUT_BYTES_LOW};
use super::pool;
use super::response::Response;
use super::transport::Transport;
use crate::executor::panic_text;
use crate::http::{self, Headers, Status};

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Encodes the response. What is too large to be gathered, or is made
    /// while it is sent, is left for [`send_rest`](Self::send_rest).
    pub(super) fn encode(
        &mut self,
        mut response: Response,
        line: Option<&mut Entry>,
    ) -> Result<Option<Kind>, CloseReason> {
        let body = response.take_body();
        let length = body.length();
        let mut body = body.0;
        if !self.protocol.will_send_body(response.status(), length) {
            // A stream that is not polled reads no request either, and must
            // not count as its reader below.
            body = Kind::Empty;
        }
        if self.shared().counts.is_draining() || !self.can_skip_body() {
            self.protocol.close_after_response();
        }
        self.invite_body_of_a_stream();
        let date = self.shared().date(self.now());
        let out = self.output.buffer();
        if let Err(error) = self
            .protocol
            .send_head(&response.parts().head, length, &date, out)
        {
            log::error!("a handler's response cannot be sent: {error}");
            body = Kind::Empty;
            response.headers_mut().clear();
            response = response.with_status(Status::INTERNAL_SERVER_ERROR);
            let length = http::BodyLength::Known(0);
            let sent = self
                .protocol
                .send_head(&response.parts().head, length, &date, out);
            sent.map_err(|_| unfinished())?;
        }
        self.answered_with = Some(response.status());
        if let Some(line) = line {
            let access_log = &self.shared().config.access_log;
            access_log.see_response(line, &response.parts().head);
        }
        drop(response);
        match body {
            Kind::Empty => {}
            Kind::Bytes(bytes) if bytes.len() <= FLAT_BYTES_MAX => {
                let out = self.output.buffer();
                self.protocol
                    .send_body(&bytes, out)
                    .map_err(|_| unfinished())?;
            }
            rest => return Ok(Some(rest)),
        }
        self.end_body(&Headers::new())?;
        Ok(None)
    }

    /// Sends the body of a response whose head is encoded.
    pub(super) async fn send_rest(&mut self, rest: Kind) -> Result<(), CloseReason> {
        let mut trailers = Headers::new();
        match rest {
            Kind::Empty => {}
            Kind::Bytes(bytes) => self.send_large(&bytes).await?,
            Kind::File(part) => self.send_file(part).await?,
            Kind::Stream(stream) => trailers = self.send_stream(stream).await?,
        }
        self.end_body(&trailers)
    }

    /// Encodes what comes behind a body.
    fn end_body(&mut self, trailers: &Headers) -> Result<(), CloseReason> {
        let out = self.output.buffer();
        let sent = self.protocol.send_trailers(trailers, out);
        sent.map_err(|error| {
            log::error!("a response was cut off: {error}");
            unfinished()
        })
    }

    /// Whoever makes the response may read the request meanwhile: the client
    /// that waits for an invitation must get it before the head.
    fn invite_body_of_a_stream(&mut self) {
        let body = self.body.as_ref();
        let is_read_on = body.is_some_and(|body| Rc::strong_count(&body.0) > 1);
        if is_read_on && self.protocol.expects_continue() {
            self.protocol.send_continue(self.output.buffer());
        }
    }

    /// Whether the connection survives if nobody reads the rest of the
    /// request's body. Somebody may, while the response still streams.
    fn can_skip_body(&self) -> bool {
        match &self.body {
            Some(body) if Rc::strong_count(&body.0) == 1 => {
                let left = self.protocol.request_remaining();
                left.is_some_and(|left| left <= UNWANTED_BYTES_MAX)
            }
            _ => true,
        }
    }

    /// Sends bytes from where they are, behind what is encoded.
    pub(super) async fn send_large(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        let out = self.output.buffer();
        self.protocol
            .chunk_prefix(bytes.len(), out)
            .map_err(|_| unfinished())?;
        let mut rest = bytes;
        self.wait(|connection, cx| {
            let before = connection.output.len() + rest.len();
            match connection
                .output
                .poll_flush_with(&mut rest, &mut connection.transport, cx)
            {
                Poll::Ready(written) => Poll::Ready(written.map_err(|error| broken(&error))),
                Poll::Pending => {
                    let has_moved = connection.output.len() + rest.len() < before;
                    connection.poll_write_timeout(has_moved, cx)
                }
            }
        })
        .await
    }

    /// Sends a body while it is made, and returns what is to come behind it.
    async fn send_stream(&mut self, mut stream: Stream) -> Result<Headers, CloseReason> {
        if self.protocol.ends_by_close() {
            self.forbid_orderly_close()
                .map_err(|error| broken(&error))?;
        }
        self.wait(|connection, cx| connection.poll_stream(&mut stream, cx))
            .await?;
        Ok(stream.slot.take_trailers())
    }

    fn poll_stream(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), CloseReason>> {
        loop {
            // What was made goes out, nearly all of it, before more is.
            match self.poll_flush(cx) {
                Poll::Ready(Err(reason)) => return Poll::Ready(Err(reason)),
                Poll::Pending if self.output.len() > OUT_BYTES_LOW => {
                    return self.poll_presence(cx).map(Err);
                }
                _ => {}
            }
            self.set_inside(true);
            let making = catch_unwind(AssertUnwindSafe(|| stream.poll_making(cx)));
            self.set_inside(false);
            let piece = stream.slot.take(pool::take_buffer(), cx);
            let has_piece = !piece.is_empty();
            let sent = self.protocol.send_body(&piece, self.output.buffer());
            pool::give_buffer(piece);
            if let Err(error) = sent {
                log::error!("a response was cut off: {error}");
                return Poll::Ready(Err(unfinished()));
            }
            match making {
                Ok(Poll::Ready(Ok(()))) => return Poll::Ready(Ok(())),
                Ok(Poll::Ready(Err(error))) => {
                    log::warn!("a response was cut off, its body failed: {error}");
                    return Poll::Ready(Err(unfinished()));
                }
                Ok(Poll::Pending) => {}
                Err(payload) => {
                    let text = panic_text(&*payload);
                    log::error!("a response was cut off, its body panicked: {text}");
                    return Poll::Ready(Err(unfinished()));
                }
            }
            // With room again, or more of the request, the maker may go on.
            if has_piece {
                continue;
            }
            match self.poll_body(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(reason)) => return Poll::Ready(Err(reason)),
                Poll::Pending => {
                    return self.poll_presence(cx).map(Err);
                }
            }
        }
    }
}
