//! How a connection ends: so that its last answer arrives.

use std::io;
use std::task::{Context, Poll};

use super::close_reason::CloseReason;
use super::connection::{Connection, Wait};
use super::handler::Handler;
use super::transport::Transport;
use crate::http;

/// Bytes that nobody wants are taken in up to here after a final answer.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Sends what is still to be sent, and closes so that it arrives.
    ///
    /// A close with unread bytes in the socket makes the kernel reset the
    /// connection, and a reset may overtake the answer. So the writing side
    /// is closed first, and what comes is dropped for a while.
    pub(super) async fn close(&mut self, reason: CloseReason) {
        let is_broken = matches!(
            reason,
            CloseReason::Broken(_) | CloseReason::ClientGone | CloseReason::WriteTimeout
        );
        if is_broken {
            return;
        }
        // What a half-closed client has left lying up to its deadline is not
        // waited for any longer.
        let is_late = reason == CloseReason::HalfCloseTimeout;
        if !is_late && self.wait(Self::poll_flush).await.is_err() {
            return;
        }
        self.give_link_back();
        // Dropped as it is, the transport resets: the client must not take
        // this close for the end of a body that was cut off.
        if self.protocol.ends_by_close() || self.allow_orderly_close().is_err() {
            return;
        }
        // A client that was not told before, or that did not ask, may have
        // sent more by now. One that asked for the close should not have.
        let is_expected = matches!(
            reason,
            CloseReason::Http(http::CloseReason::ClientAsked)
                | CloseReason::ClientLeft
                | CloseReason::IdleTimeout
                | CloseReason::Draining
        );
        if is_expected && !self.lingers && !self.has_unread().await {
            return;
        }
        self.made_progress();
        if self.wait(Self::poll_close_write).await.is_err() {
            return;
        }
        let mut left = LINGER_BYTES_MAX;
        self.made_progress();
        self.wait(|connection, cx| connection.poll_linger(&mut left, cx))
            .await;
    }

    /// The end of the body that is being sent will be the close. So from here
    /// on any close is a reset, even that of a process that is killed, until
    /// the body is out to its last byte.
    pub(super) fn forbid_orderly_close(&mut self) -> io::Result<()> {
        self.resets = true;
        self.transport.reset_on_close(true)
    }

    fn allow_orderly_close(&mut self) -> io::Result<()> {
        if !self.resets {
            return Ok(());
        }
        self.resets = false;
        self.transport.reset_on_close(false)
    }

    /// Whether the client has sent what nobody will read. Costs no system
    /// call if the kernel has not announced any.
    async fn has_unread(&mut self) -> bool {
        self.wait(|connection, cx| {
            let filled = connection
                .input
                .poll_fill(&mut connection.transport, cx, usize::MAX);
            Poll::Ready(matches!(filled, Poll::Ready(Ok(1..))))
        })
        .await
    }

    /// Tells the client that no more will come.
    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(closed) = self.transport.poll_close(cx) {
            return Poll::Ready(closed);
        }
        let limit = self.shared().config.linger_timeout;
        self.poll_deadline(Wait::Linger, limit, cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_linger(&mut self, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.input.clear();
            match self.input.poll_fill(&mut self.transport, cx, usize::MAX) {
                Poll::Ready(Ok(count)) if count > 0 && *left > count => *left -= count,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let limit = self.shared().config.linger_timeout;
                    return self.poll_deadline(Wait::Linger, limit, cx);
                }
            }
        }
    }
}
