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
use crate::http::{Headers, SendError, Status};

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Sends the response if its body can be gathered. One that is large, or
    /// made while it is sent, is for [`send_rest`](Self::send_rest), and so is
    /// a 101.
    #[inline]
    pub(super) fn send_at_once(
        &mut self,
        mut response: Response,
        line: Option<&mut Entry>,
    ) -> Result<Option<Response>, CloseReason> {
        let bytes: &[u8] = match &response.body().0 {
            _ if response.status() == Status::SWITCHING_PROTOCOLS => return Ok(Some(response)),
            Kind::Empty => &[],
            Kind::Bytes(bytes) if bytes.len() <= FLAT_BYTES_MAX => bytes,
            _ => return Ok(Some(response)),
        };
        self.before_head();
        let date = self.place.shared.date(self.now());
        let head = &response.parts().head;
        let out = self.output.buffer();
        let sent = self.protocol.send_whole(head, bytes, &date, out);
        drop(date);
        if let Err(error) = sent {
            self.replace_unsendable(&mut response, error)?;
        }
        self.note_head(&response, line);
        Ok(None)
    }

    /// Encodes the head, and leaves the body.
    fn send_head(
        &mut self,
        response: &mut Response,
        line: Option<&mut Entry>,
    ) -> Result<(), CloseReason> {
        let length = response.body().length();
        if !self.protocol.will_send_body(response.status(), length) {
            // A stream that is not polled reads no request either, and must
            // not count as its reader below.
            drop(response.take_body());
        }
        self.before_head();
        let date = self.place.shared.date(self.now());
        let head = &response.parts().head;
        let out = self.output.buffer();
        let sent = self.protocol.send_head(head, length, &date, out);
        drop(date);
        if let Err(error) = sent {
            self.replace_unsendable(response, error)?;
        }
        self.note_head(response, line);
        Ok(())
    }

    /// Decides what becomes of the connection and of the request's body.
    #[inline]
    fn before_head(&mut self) {
        if self.shared().counts.is_draining() {
            self.protocol.close_after_response();
        }
        if self.body.is_some() {
            if !self.can_skip_body() {
                self.protocol.close_after_response();
            }
            self.invite_body_of_a_stream();
        }
    }

    /// Answers 500 in place of a response that HTTP has no form for.
    #[cold]
    fn replace_unsendable(
        &mut self,
        response: &mut Response,
        error: SendError,
    ) -> Result<(), CloseReason> {
        log::error!("a handler's response cannot be sent: {error}");
        *response = Response::new(Status::INTERNAL_SERVER_ERROR);
        let date = self.place.shared.date(self.now());
        let head = &response.parts().head;
        let out = self.output.buffer();
        let sent = self.protocol.send_whole(head, b"", &date, out);
        sent.map_err(|_| unfinished())
    }

    /// Notes what the head said.
    #[inline]
    fn note_head(&mut self, response: &Response, line: Option<&mut Entry>) {
        self.answered_with = Some(response.status());
        if let Some(line) = line {
            let access_log = &self.shared().config.access_log;
            access_log.see_response(line, &response.parts().head);
        }
    }

    /// Sends what of a response could not be sent at once.
    pub(super) async fn send_rest(
        &mut self,
        mut response: Response,
        line: Option<&mut Entry>,
    ) -> Result<(), CloseReason> {
        if response.status() == Status::SWITCHING_PROTOCOLS {
            self.skip_before_switch().await?;
        }
        self.send_head(&mut response, line)?;
        let rest = response.take_body().0;
        drop(response);
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
