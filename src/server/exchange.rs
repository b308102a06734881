//! One request and its response.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::access_log::{Ending, Entry};
use super::close_reason::CloseReason;
use super::connection::{Connection, Wait};
use super::handler::Handler;
use super::request::Request;
use super::request_body::{BodyError, BodySlot, OpenBody, RequestBody};
use super::response::Response;
use super::running::Running;
use super::transport::Transport;
use super::turn_away::refusal;
use crate::executor::panic_text;
use crate::http::{self, Event, Next, RequestHead, Status};
use crate::net::PeerState;
use crate::runtime::Sleep;

/// The rest of a body that nobody wants is taken in up to here, to keep the
/// connection; a longer one costs the connection instead.
pub(super) const UNWANTED_BYTES_MAX: u64 = 64 * 1024;

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Answers requests until there is a reason to end.
    ///
    /// An idle connection keeps the room for all of this. So what is seldom
    /// awaited is boxed. The rest is in one piece: three that await each
    /// other cost each request some 150 instructions more.
    pub(super) async fn answer_requests(&mut self) -> CloseReason {
        let shared = Rc::clone(self.shared());
        loop {
            let mut request = match self.wait(Self::poll_head).await {
                Ok(request) => request,
                Err(ended) => return self.say_why(ended),
            };
            let mut line = self.begin(&mut request);
            // Until the response is sent: what is left of the request then is
            // no work of the application's.
            let running = match shared.in_flight.try_enter() {
                Some(entered) => Some(Running::new(&shared, entered)),
                None => match Box::pin(self.wait_for_place(&shared)).await {
                    Ok(running) => running,
                    Err(reason) => {
                        self.note_answered(line, Some(reason));
                        return reason;
                    }
                },
            };
            let made = if running.is_some() {
                // In a block of its own, so that `handle` itself is called
                // when it is polled, where a panic is caught.
                let mut handler = pin!(async { shared.app.handle(request).await });
                self.wait(|connection, cx| connection.poll_handler(handler.as_mut(), cx))
                    .await
            } else {
                drop(request);
                Ok(refusal(shared.config.retry_after))
            };
            let rest = made.and_then(|made| self.send_at_once(made, line.as_deref_mut()));
            let answered = match rest {
                Ok(None) => Ok(()),
                Ok(Some(rest)) => Box::pin(self.send_rest(rest, line.as_deref_mut())).await,
                Err(reason) => Err(reason),
            };
            drop(running);
            self.note_answered(line, answered.err());
            if let Err(reason) = answered {
                return reason;
            }
            if self.ends_body_unread()
                && let Err(reason) = Box::pin(self.wait(Self::poll_skip_body)).await
            {
                return reason;
            }
            if let Err(reason) = self.finish() {
                return reason;
            }
        }
    }

    /// Notes that there is a request, and gives it what it comes with.
    #[inline]
    fn begin(&mut self, request: &mut Request) -> Option<Box<Entry>> {
        let config = &self.shared().config;
        let now = || self.parts().read_clock();
        let line = config.access_log.begin(request.head(), now);
        if self.link().requests() >= config.requests_per_connection_max {
            self.protocol.close_after_response();
        }
        let body = if self.protocol.request_complete() {
            RequestBody::empty()
        } else {
            let slot = Rc::<BodySlot>::default();
            slot.declared
                .set(self.protocol.request_remaining().unwrap_or(0));
            self.body = Some(OpenBody(Rc::clone(&slot)));
            RequestBody::from_slot(slot)
        };
        let state = self.shared().lifespan_state.borrow().clone();
        request.arrive(body, state, self.link().share());
        line
    }

    /// Ends the handler's wait for its body. Whether there is a rest of it to
    /// be taken in.
    #[inline]
    fn ends_body_unread(&mut self) -> bool {
        let Some(body) = self.body.take() else {
            return false;
        };
        body.0.finish(Err(BodyError::Late));
        let is_unread = self.protocol.keeps_alive() && !self.protocol.request_complete();
        if is_unread {
            self.made_progress();
        }
        is_unread
    }

    /// Polls the handler, and does what it waits for.
    fn poll_handler<F>(
        &mut self,
        mut handler: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response, CloseReason>>
    where
        F: Future<Output = Response>,
    {
        loop {
            self.set_inside(true);
            let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx)));
            self.set_inside(false);
            self.send_hints();
            match polled {
                Ok(Poll::Ready(response)) => {
                    return Poll::Ready(self.left.take().map_or(Ok(response), Err));
                }
                Ok(Poll::Pending) => {}
                Err(payload) => {
                    let counts = &self.shared().counts;
                    counts.handler_panics.set(counts.handler_panics.get() + 1);
                    log::error!("a handler panicked: {}", panic_text(&*payload));
                    self.protocol.close_after_response();
                    let text = "Internal Server Error";
                    let response = Response::plain(Status::INTERNAL_SERVER_ERROR, text);
                    return Poll::Ready(Ok(response));
                }
            }
            if self.left.is_some() {
                return Poll::Pending;
            }
            if self.link().is_shared() {
                self.link().asks().note_connection(cx);
            }
            // It waits for its body, or for something else. Answers to earlier
            // requests, hints and a 100, must not wait with it.
            let reason = match self.poll_body(cx) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(reason)) => reason,
                Poll::Pending => match self.poll_flush(cx) {
                    Poll::Ready(Err(reason)) => reason,
                    _ => {
                        ready!(self.poll_presence(cx))
                    }
                },
            };
            self.link().client_left();
            if self.shared().config.cancel_on_disconnect {
                return Poll::Ready(Err(reason));
            }
            // Once more, so that it may learn what happened to its body.
            self.body = None;
            self.left = Some(reason);
        }
    }

    /// Tells who reads the request's body whether they are polled from here:
    /// then this looks, when they have been, whether they want more.
    pub(super) fn set_inside(&self, is_inside: bool) {
        if let Some(body) = &self.body {
            body.0.set_inside(is_inside);
        }
    }

    /// Encodes the hints that the handler has asked for.
    fn send_hints(&mut self) {
        if self.link().asks().is_empty() {
            return;
        }
        for hints in self.link().asks().take_hints() {
            let sent = self.protocol.send_interim(&hints, self.output.buffer());
            if let Err(error) = sent {
                log::debug!("hints were not sent: {error}");
            }
        }
    }

    /// Ready when the client is gone, or seems so for too long. That time is
    /// counted once: a client that goes on reading, however slowly, or that
    /// has sent further requests before, gets no more of it.
    pub(super) fn poll_presence(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        match self.transport.poll_peer(cx) {
            PeerState::Open => Poll::Pending,
            PeerState::Gone => Poll::Ready(CloseReason::ClientGone),
            PeerState::HalfClosed => {
                let limit = self.shared().config.half_close_timeout;
                if self.half_closed.is_none() {
                    let deadline = self.now().checked_add(limit);
                    let sleep = Sleep::new(Rc::clone(self.parts()), deadline);
                    self.half_closed = Some(Box::new(sleep));
                }
                let deadline = self.half_closed.as_mut().expect("it was set above");
                let over = Pin::new(&mut **deadline).poll(cx);
                over.map(|()| CloseReason::HalfCloseTimeout)
            }
        }
    }

    /// Reads for whoever wants more of the request's body. Ready when it has
    /// given them something, if only an end, or when writing failed.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        let Some(slot) = self.body.as_ref().map(|body| Rc::clone(&body.0)) else {
            return Poll::Pending;
        };
        if !slot.is_wanted(cx) {
            // It may have been, and is not the client's time any more.
            slot.rate.borrow_mut().end_wait(self.now());
            self.gave_up(Wait::Body);
            return Poll::Pending;
        }
        // What is there already was not waited with (RFC 9110, 10.1.1).
        if self.protocol.expects_continue() && self.input.is_empty() {
            self.protocol.send_continue(self.output.buffer());
        }
        loop {
            if self.decode_body(&slot) {
                self.made_progress();
                slot.rate.borrow_mut().end_wait(self.now());
                return Poll::Ready(Ok(()));
            }
            if let Err(reason) = ready!(self.poll_flush(cx)) {
                self.fail_body(&slot, BodyError::Disconnected);
                return Poll::Ready(Err(reason));
            }
            match self.input.poll_fill(&mut self.transport, cx, usize::MAX) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => {
                    self.fail_body(&slot, BodyError::Disconnected);
                    return Poll::Ready(Ok(()));
                }
                Poll::Pending => {
                    let error = ready!(self.poll_body_timeout(&slot, cx));
                    self.fail_body(&slot, error);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Nothing more of a body has come: there is a deadline for the next
    /// read, and one that only bytes push back.
    fn poll_body_timeout(&mut self, slot: &BodySlot, cx: &mut Context<'_>) -> Poll<BodyError> {
        let config = &self.place.shared.config;
        let (min, grace) = (config.body_rate_min, config.body_rate_grace);
        let now = self.now();
        let patience = {
            let mut rate = slot.rate.borrow_mut();
            rate.begin_wait(now);
            rate.patience(now, min, grace)
        };
        let limit = patience.map_or(config.body_timeout, |time| time.min(config.body_timeout));
        ready!(self.poll_deadline(Wait::Body, limit, cx));
        let is_slow = patience.is_some_and(|time| time.is_zero());
        Poll::Ready(match is_slow {
            true => BodyError::TooSlow,
            false => BodyError::Timeout,
        })
    }

    /// Tells the reader that no more will come. What follows on this
    /// connection has no meaning then, so the response announces the close.
    fn fail_body(&mut self, slot: &BodySlot, error: BodyError) {
        self.protocol.close_after_response();
        slot.finish(Err(error));
    }

    /// Decodes what has come, and says whether that gave the reader anything.
    fn decode_body(&mut self, slot: &BodySlot) -> bool {
        // Written at the next head only, which is not what comes here.
        let mut head = RequestHead::default();
        let limits = &self.place.shared.config.limits;
        loop {
            let unread = self.input.unread();
            let received = match self.protocol.receive(limits, unread, &mut head) {
                Ok(received) => received,
                Err(error) => {
                    self.fail_body(slot, BodyError::Refused(error));
                    return true;
                }
            };
            let needs_more = received.event == Event::NeedMore;
            let mut has_given = false;
            if let Event::Body(range) = received.event {
                slot.rate.borrow_mut().received(range.len());
                slot.give(unread[range].to_vec());
                has_given = true;
            }
            self.input.consume(received.consumed);
            if self.protocol.request_complete() {
                slot.finish(Ok(()));
                return true;
            }
            if has_given || needs_more {
                return has_given;
            }
        }
    }

    /// Ends the exchange, and asks the protocol what comes next.
    #[inline]
    fn finish(&mut self) -> Result<(), CloseReason> {
        self.lingers = !self.protocol.request_complete() || !self.input.is_empty();
        self.note_exchange_ended();
        let next = self.protocol.finish_exchange();
        if next != Next::Upgrade {
            self.link().end();
        }
        match next {
            Next::KeepAlive => Ok(()),
            Next::Close(reason) => Err(CloseReason::Http(reason)),
            Next::Upgrade => Err(CloseReason::Upgraded),
        }
    }

    /// Takes in what is left of the request before another protocol begins,
    /// inviting it if the client waits for that. If it is too much, the 101
    /// will be refused.
    pub(super) async fn skip_before_switch(&mut self) -> Result<(), CloseReason> {
        let Some(body) = self.body.take() else {
            return Ok(());
        };
        body.0.finish(Err(BodyError::Late));
        if self.protocol.request_complete() {
            return Ok(());
        }
        self.protocol.send_continue(self.output.buffer());
        self.made_progress();
        self.wait(Self::poll_skip_body).await?;
        if !self.protocol.request_complete() {
            self.protocol.close_after_response();
        }
        Ok(())
    }

    /// Takes in the rest. It has one deadline for all of it, which a client
    /// cannot push back by sending it byte by byte.
    fn poll_skip_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        let left = self.protocol.request_remaining();
        if left.is_none_or(|left| left > UNWANTED_BYTES_MAX) {
            return Poll::Ready(Ok(()));
        }
        let mut head = RequestHead::default();
        loop {
            let limits = &self.place.shared.config.limits;
            let received = self
                .protocol
                .receive(limits, self.input.unread(), &mut head);
            let Ok(received) = received else {
                return Poll::Ready(Ok(()));
            };
            self.input.consume(received.consumed);
            if self.protocol.request_complete() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_flush(cx))?;
            match self.input.poll_fill(&mut self.transport, cx, usize::MAX) {
                Poll::Ready(Ok(count)) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(Err(CloseReason::ClientGone)),
                Poll::Pending => {
                    let limit = self.shared().config.body_timeout;
                    let over = self.poll_deadline(Wait::Body, limit, cx);
                    return over.map(|()| Ok(()));
                }
            }
        }
    }

    /// Counts and logs a response that has ended, or why there is none.
    #[inline(always)]
    fn note_answered(&mut self, line: Option<Box<Entry>>, cut_off: Option<CloseReason>) {
        let bytes = self.protocol.body_sent();
        if let Some(status) = self.answered_with.take() {
            let took = self.link().age(self.now());
            let metrics = &self.shared().counts.metrics;
            metrics.count(status, cut_off.is_none(), bytes, took);
            if let Some(watch) = self.parts().watch() {
                self.link().tell_end(watch, status, bytes);
            }
        }
        if let Some(mut line) = line {
            line.client = self.link().client().or(self.place.peer());
            line.route = self.link().route();
            let end = Ending {
                bytes,
                took: self
                    .parts()
                    .read_clock()
                    .saturating_duration_since(line.began),
                reason: cut_off.map(|reason| reason.to_string()),
            };
            self.shared().config.access_log.end(&line, &end);
        }
    }
}

pub(super) fn unfinished() -> CloseReason {
    CloseReason::Http(http::CloseReason::ResponseUnfinished)
}
