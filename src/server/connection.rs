//! The life of one connection, top to bottom.
//!
//! One task drives it. It is written as a sequence of waits, each a small
//! poll function: for a head, for the handler, for room in the socket. All
//! of them go through [`Connection::wait`], which gives the thread's shared
//! buffers back before the task sleeps.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::access_log::Ending;
use super::close_reason::CloseReason;
use super::handler::Handler;
use super::input::Input;
use super::link::OpenLink;
use super::output::{OUT_BYTES_MAX, Output};
use super::request::Request;
use super::request_body::OpenBody;
use super::response::Response;
use super::state::{Place, Shared};
use super::transport::Transport;
use super::upgrade;
use crate::http::{self, Protocol, ProtocolError, RequestHead, Status};
use crate::runtime::{Parts, Sleep, current};

/// What one read may bring while a head is awaited. Bounds what a client
/// that pipelines can make a connection keep while a handler waits.
pub(super) const HEAD_READ_MAX: usize = 64 * 1024;

/// Requests answered in a row before the rest of the loop has its turn.
const IN_A_ROW_MAX: u32 = 64;

pub(super) struct Connection<T, H> {
    // For the whole connection.
    pub(super) transport: T,
    pub(super) place: Place<H>,
    pub(super) protocol: Protocol,
    timer: Sleep,
    /// Runs since the client was seen to have closed its sending side. Boxed,
    /// since nearly none does.
    pub(super) half_closed: Option<Box<Sleep>>,
    is_fresh: bool,

    // Until the task next sleeps.
    pub(super) input: Input,
    pub(super) output: Output,
    in_a_row: u32,

    // For what is being waited for now.
    waits_for: Wait,

    // For the exchange in progress.
    /// Some while there is one, and then until its answer has gone.
    link: Option<OpenLink>,
    /// Its status, once the head is encoded.
    pub(super) answered_with: Option<Status>,
    /// The client has left, and its handler goes on all the same.
    pub(super) left: Option<CloseReason>,
    pub(super) body: Option<OpenBody>,
    /// Bytes may come that nobody will read: the close must be a soft one.
    pub(super) lingers: bool,
    /// The transport was told to reset when it is closed.
    pub(super) resets: bool,
}

/// What the deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing yet: the next wait sets a deadline of its own.
    Nothing,
    Request,
    Head,
    Body,
    Write,
    Linger,
}

/// How the wait for a head ends without one.
pub(super) enum NoHead {
    Close(CloseReason),
    Refused(ProtocolError),
}

impl<T: Transport, H: Handler> Connection<T, H> {
    pub(super) fn new(transport: T, place: Place<H>) -> Self {
        Connection {
            transport,
            place,
            protocol: Protocol::new(),
            timer: Sleep::new(current(), None),
            half_closed: None,
            is_fresh: true,
            input: Input::default(),
            output: Output::default(),
            in_a_row: 0,
            waits_for: Wait::Nothing,
            link: None,
            answered_with: None,
            left: None,
            body: None,
            lingers: false,
            resets: false,
        }
    }

    /// Serves until the end, and says why it came.
    ///
    /// Not an `async fn`: that would hold the connection twice, as what it
    /// was given and as what it works on, for as long as a client is idle.
    #[expect(clippy::manual_async_fn, reason = "an async fn is larger, see above")]
    pub(super) fn run(mut self) -> impl Future<Output = CloseReason> {
        async move {
            let reason = match self.is_proxied() {
                // In a box, so that none is larger for those that are.
                true => Box::pin(self.read_proxy_head()).await.err(),
                false => None,
            };
            let reason = match reason {
                Some(reason) => reason,
                None => self.answer_requests().await,
            };
            if reason == CloseReason::Upgraded {
                // In a box, so that none is larger for those that switch.
                return Box::pin(self.switch()).await;
            }
            self.close(reason).await;
            match self.place.peer() {
                Some(peer) => log::debug!("connection from {peer} closed: {reason}"),
                None => log::debug!("connection closed: {reason}"),
            }
            reason
        }
    }

    /// Hands the transport over to who has asked for it, and stays in its
    /// place until they are done.
    async fn switch(mut self) -> CloseReason {
        // Up to here the link tells who has asked, should this end early.
        if let Err(reason) = self.wait(Self::poll_flush).await {
            return reason;
        }
        let Some(slot) = self.link().asks().take_upgrade() else {
            log::warn!("a 101 was sent, and nobody had asked for the stream");
            self.close(CloseReason::Upgraded).await;
            return CloseReason::Upgraded;
        };
        let read = self.input.unread().to_vec();
        self.input.clear();
        self.input.release();
        self.output.release();
        let transport = Box::new(self.transport);
        upgrade::hand_over(transport, read, slot).await;
        CloseReason::Upgraded
    }

    /// Waits by polling, and gives the shared buffers back before the task
    /// sleeps.
    #[inline]
    pub(super) fn wait<R>(
        &mut self,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<R>,
    ) -> impl Future<Output = R> {
        poll_fn(move |cx| {
            let polled = poll(self, cx);
            if polled.is_pending() {
                self.input.release();
                self.output.release();
                self.in_a_row = 0;
            }
            polled
        })
    }

    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Request, NoHead>> {
        loop {
            if self.output.len() >= OUT_BYTES_MAX {
                match self.poll_flush(cx) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(reason)) => return Poll::Ready(Err(NoHead::Close(reason))),
                    Poll::Pending => return Poll::Pending,
                }
            }
            let is_tired = self.in_a_row >= IN_A_ROW_MAX;
            if !self.input.is_empty() && !is_tired {
                match self.parse_head() {
                    Ok(Some(request)) => return Poll::Ready(Ok(request)),
                    Ok(None) => {}
                    Err(error) => return Poll::Ready(Err(NoHead::Refused(error))),
                }
            }
            // No answer waits for the client's next request to come.
            match self.poll_flush(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(reason)) => return Poll::Ready(Err(NoHead::Close(reason))),
                Poll::Pending => return Poll::Pending,
            }
            if is_tired {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.input.poll_fill(&mut self.transport, cx, HEAD_READ_MAX) {
                Poll::Ready(Ok(0)) => {
                    let reason = if self.input.is_empty() {
                        CloseReason::ClientLeft
                    } else {
                        CloseReason::ClientGone
                    };
                    return Poll::Ready(Err(NoHead::Close(reason)));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    let reason = CloseReason::Broken(error.kind());
                    return Poll::Ready(Err(NoHead::Close(reason)));
                }
                Poll::Pending if self.input.is_empty() && self.shared().counts.is_draining() => {
                    return Poll::Ready(Err(NoHead::Close(CloseReason::Draining)));
                }
                Poll::Pending => return self.poll_head_timeout(cx),
            }
        }
    }

    #[inline]
    fn parse_head(&mut self) -> Result<Option<Request>, ProtocolError> {
        let mut request = Request::blank();
        let limits = &self.place.shared.config.limits;
        let head = &mut request.parts_mut().head;
        let input = self.input.unread();
        let (consumed, is_head) = self.protocol.receive_head(limits, input, head)?;
        if is_head {
            self.in_a_row += 1;
            self.waits_for = Wait::Nothing;
            self.take_link();
            self.begin_link(request.head());
        }
        self.input.consume(consumed);
        Ok(is_head.then_some(request))
    }

    /// Notes what is asked for, which the unread bytes begin with.
    #[inline(always)]
    fn begin_link(&self, head: &RequestHead) {
        let mut bytes = self.input.unread();
        // Empty lines may come before it.
        while let [b'\r' | b'\n', rest @ ..] = bytes {
            bytes = rest;
        }
        let (now, watch) = (self.now(), self.parts().watch());
        self.link().begin(head, bytes, now, watch);
    }

    /// Nothing more has come: a head has its deadline, an idle connection
    /// another, and a fresh one must not be silent for longer than a head
    /// may take.
    fn poll_head_timeout(&mut self, cx: &mut Context<'_>) -> Poll<Result<Request, NoHead>> {
        let config = &self.place.shared.config;
        let (wait, limit, reason) = if !self.input.is_empty() {
            (Wait::Head, config.head_timeout, CloseReason::HeadTimeout)
        } else if self.is_fresh {
            (Wait::Request, config.head_timeout, CloseReason::HeadTimeout)
        } else {
            (Wait::Request, config.keep_alive, CloseReason::IdleTimeout)
        };
        self.give_link_back();
        self.poll_deadline(wait, limit, cx)
            .map(|()| Err(NoHead::Close(reason)))
    }

    /// Polls the deadline of what is being waited for. The first poll of a
    /// wait sets it.
    #[inline]
    pub(super) fn poll_deadline(
        &mut self,
        wait: Wait,
        limit: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.waits_for != wait {
            self.waits_for = wait;
            let deadline = self.now().checked_add(limit);
            self.timer.reset_to(deadline);
        }
        // A task that the server has spawned is never another.
        if self.place.open.task.get().is_some() && self.timer.is_surely_filed() {
            return Poll::Pending;
        }
        Pin::new(&mut self.timer).poll(cx)
    }

    /// Forgets this wait, if it is the one: nobody wants its end any more.
    pub(super) fn gave_up(&mut self, wait: Wait) {
        if self.waits_for == wait {
            self.made_progress();
        }
    }

    /// Forgets what was waited for: the next wait has a deadline of its own.
    #[inline]
    pub(super) fn made_progress(&mut self) {
        self.waits_for = Wait::Nothing;
    }

    /// Writes what is encoded. The client must take in something now and
    /// then.
    #[inline]
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        if self.output.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let before = self.output.len();
        match self.output.poll_flush(&mut self.transport, cx) {
            Poll::Ready(Ok(())) => {
                if self.waits_for == Wait::Write {
                    self.made_progress();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(CloseReason::Broken(error.kind()))),
            Poll::Pending => {
                let has_moved = self.output.len() < before;
                self.poll_write_timeout(has_moved, cx)
            }
        }
    }

    pub(super) fn poll_write_timeout(
        &mut self,
        has_moved: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), CloseReason>> {
        if has_moved {
            self.made_progress();
        }
        if let Some(body) = &self.body {
            body.0.rate.borrow_mut().end_wait(self.now());
        }
        let limit = self.shared().config.write_timeout;
        self.poll_deadline(Wait::Write, limit, cx)
            .map(|()| Err(CloseReason::WriteTimeout))
    }

    pub(super) fn shared(&self) -> &Rc<Shared<H>> {
        &self.place.shared
    }

    /// The runtime it lives in.
    #[inline]
    pub(super) fn parts(&self) -> &Rc<Parts> {
        self.timer.parts()
    }

    /// When this turn of the loop began.
    #[inline]
    pub(super) fn now(&self) -> Instant {
        self.parts().now()
    }

    /// What this exchange's request is linked by.
    #[inline]
    pub(super) fn link(&self) -> &OpenLink {
        let link = self.link.as_ref();
        link.expect("an exchange has taken one")
    }

    /// Takes a link for an exchange, unless that of the last will do.
    #[inline]
    fn take_link(&mut self) {
        if self.link.as_ref().is_some_and(|link| !link.is_used_up()) {
            return;
        }
        self.give_link_back();
        let link = self.shared().take_link();
        let shown = link.share();
        let open = &self.place.open;
        link.serve(open.peer.get(), open.requests.get());
        drop(open.link.replace(Some(shown)));
        self.link = Some(link);
    }

    /// An idle connection needs none, and without one is seen to be idle.
    pub(super) fn give_link_back(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        let is_used_up = link.is_used_up();
        let open = &self.place.open;
        open.requests.set(link.requests());
        drop(open.link.take());
        if !is_used_up {
            self.shared().give_link(link);
        }
    }

    /// Tells the client why there was no head, if it should know.
    #[cold]
    pub(super) fn say_why(&mut self, ended: NoHead) -> CloseReason {
        match ended {
            NoHead::Close(reason) => self.say_timeout(reason),
            NoHead::Refused(error) => self.refuse(error),
        }
    }

    /// A client whose head is too slow is told; one that is idle is not.
    fn say_timeout(&mut self, reason: CloseReason) -> CloseReason {
        if reason == CloseReason::HeadTimeout && !self.input.is_empty() {
            let status = Status::REQUEST_TIMEOUT;
            self.answer(status, "the request head took too long");
            self.log_refusal(status, &reason);
        }
        reason
    }

    /// Tells the client what was wrong with its request.
    fn refuse(&mut self, error: ProtocolError) -> CloseReason {
        let refused = &self.shared().counts.requests_refused;
        refused.set(refused.get() + 1);
        self.answer(error.status(), error.message());
        self.log_refusal(error.status(), &error);
        CloseReason::Http(http::CloseReason::Refused(error))
    }

    fn log_refusal(&self, status: Status, reason: &dyn fmt::Display) {
        let access_log = &self.shared().config.access_log;
        if let Some(mut line) = access_log.refused(status, || self.parts().read_clock()) {
            line.client = self.place.peer();
            let end = Ending {
                bytes: self.protocol.body_sent(),
                took: Duration::ZERO,
                reason: Some(reason.to_string()),
            };
            access_log.end(&line, &end);
        }
    }

    /// Encodes a final answer that no handler made.
    fn answer(&mut self, status: Status, text: &'static str) {
        self.lingers = true;
        let date = *self.shared().date(self.now());
        let response = Response::plain(status, text);
        let head = &response.parts().head;
        let out = self.output.buffer();
        let sent = self.protocol.send_whole(head, text.as_bytes(), &date, out);
        if let Err(error) = sent {
            log::debug!("the client could not be told \"{text}\": {error}");
        }
    }

    /// Notes that an exchange has ended, and a deadline for the next begins.
    pub(super) fn note_exchange_ended(&mut self) {
        self.is_fresh = false;
        self.made_progress();
    }
}

/// What a broken transport says, as a reason.
pub(super) fn broken(error: &io::Error) -> CloseReason {
    CloseReason::Broken(error.kind())
}
