//! One request and its response.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::access_log::{Ending, Entry};
use super::body_rate::BodyRate;
use super::close_reason::CloseReason;
use super::connection::{Connection, Wait};
use super::handler::Handler;
use super::request::Request;
use super::request_body::{BodyError, BodySlot, OpenBody, RequestBody};
use super::response::Response;
use super::state::Shared;
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
    /// Has the request answered. An error says why the connection ends.
    pub(super) async fn exchange(&mut self, request: Request) -> Result<(), CloseReason> {
        self.requests += 1;
        if self.requests >= self.shared().config.requests_per_connection_max {
            self.protocol.close_after_response();
        }
        let head = request.head();
        let mut line = self.begin_line(head);
        let (began, requests) = (self.parts.now(), self.requests);
        self.place.note(|open| {
            open.is_busy = true;
            open.requests = requests;
            open.request.begin(head.method_text(), head.target(), began);
        });
        let body = if self.protocol.request_complete() {
            RequestBody::empty()
        } else {
            let slot = Rc::<BodySlot>::default();
            self.body = Some(OpenBody(Rc::clone(&slot)));
            self.body_rate = BodyRate::default();
            RequestBody::from_slot(slot)
        };
        let shared = Rc::clone(self.shared());
        let answered = match self.enter(&shared).await {
            Ok(Some(running)) => {
                let answered = match self.handle(request, body, &shared).await {
                    Ok(response) => self.respond(response, line.as_deref_mut()).await,
                    Err(reason) => Err(reason),
                };
                // What is left of the request is no work of the application's.
                drop(running);
                answered
            }
            Ok(None) => {
                drop(body);
                let refused = refusal(shared.config.retry_after);
                self.respond(refused, line.as_deref_mut()).await
            }
            Err(reason) => Err(reason),
        };
        self.note_answered(line, began, answered.err());
        answered?;
        self.finish().await
    }

    /// Has the application make the response.
    async fn handle(
        &mut self,
        mut request: Request,
        body: RequestBody,
        shared: &Shared<H>,
    ) -> Result<Response, CloseReason> {
        let state = shared.lifespan_state.borrow().clone();
        request.arrive(body, self.peer, state, self.link.share());
        // In a block of its own, so that `handle` itself is called when it
        // is polled, where a panic is caught.
        let mut handler = pin!(async { shared.app.handle(request).await });
        self.wait(|connection, cx| connection.poll_handler(handler.as_mut(), cx))
            .await
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
            if self.link.is_shared() {
                self.link.asks().note_connection(cx);
            }
            // It waits for its body, or for something else. Answers to earlier
            // requests, hints and a 100, must not wait with it.
            let reason = match self.poll_body(cx) {
                Poll::Ready(Ok(())) => continue,
                Poll::Ready(Err(reason)) => reason,
                Poll::Pending => match self.poll_flush(cx) {
                    Poll::Ready(Err(reason)) => reason,
                    _ => {
                        self.note_waiting(true);
                        ready!(self.poll_presence(cx))
                    }
                },
            };
            self.link.client_left();
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
        for hints in self.link.asks().take_hints() {
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
                let deadline = self.half_closed.get_or_insert_with(|| {
                    let deadline = self.parts.now().checked_add(limit);
                    Sleep::new(Rc::clone(&self.parts), deadline)
                });
                let over = Pin::new(deadline).poll(cx);
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
            return Poll::Pending;
        }
        // What is there already was not waited with (RFC 9110, 10.1.1).
        if self.protocol.expects_continue() && self.input.is_empty() {
            self.protocol.send_continue(self.output.buffer());
        }
        loop {
            if self.decode_body(&slot) {
                self.made_progress();
                self.body_rate.end_wait(self.parts.now());
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
                    let error = ready!(self.poll_body_timeout(cx));
                    self.fail_body(&slot, error);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Nothing more of a body has come: there is a deadline for the next
    /// read, and one that only bytes push back.
    fn poll_body_timeout(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let config = &self.place.shared.config;
        let (min, grace) = (config.body_rate_min, config.body_rate_grace);
        let now = self.parts.now();
        self.body_rate.begin_wait(now);
        let patience = self.body_rate.patience(now, min, grace);
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
                self.body_rate.received(range.len());
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

    /// Ends the exchange: takes in what is left of the request, if that is
    /// little, and asks the protocol what comes next.
    async fn finish(&mut self) -> Result<(), CloseReason> {
        if let Some(body) = self.body.take() {
            body.0.finish(Err(BodyError::Late));
            if self.protocol.keeps_alive() && !self.protocol.request_complete() {
                // The handler's own wait for this body is over.
                self.made_progress();
                self.wait(Self::poll_skip_body).await?;
            }
        }
        self.lingers = !self.protocol.request_complete() || !self.input.is_empty();
        self.note_exchange_ended();
        let next = self.protocol.finish_exchange();
        if next != Next::Upgrade {
            self.link.finish();
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

    fn begin_line(&self, head: &RequestHead) -> Option<Box<Entry>> {
        let now = || self.parts.read_clock();
        self.shared().config.access_log.begin(head, now)
    }

    /// Counts and logs a response that has ended, or why there is none.
    fn note_answered(
        &mut self,
        line: Option<Box<Entry>>,
        began: Instant,
        cut_off: Option<CloseReason>,
    ) {
        let bytes = self.protocol.body_sent();
        if let Some(status) = self.answered_with.take() {
            let took = self.parts.now().saturating_duration_since(began);
            let metrics = &self.shared().counts.metrics;
            metrics.count(status, cut_off.is_none(), bytes, took);
        }
        if let Some(mut line) = line {
            line.client = self.link.client().or(self.peer);
            line.route = self.link.route();
            let end = Ending {
                bytes,
                took: self
                    .parts
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
