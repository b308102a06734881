//! Connections through a load balancer that says whose they are.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use super::close_reason::CloseReason;
use super::connection::{Connection, HEAD_READ_MAX, Wait, broken};
use super::handler::Handler;
use super::proxy_protocol::parse_proxy_head;
use super::transport::Transport;

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Whether the peer is to say for whom it speaks.
    pub(super) fn is_proxied(&self) -> bool {
        let trusted = &self.shared().config.proxy_protocol;
        trusted
            .as_ref()
            .is_some_and(|peers| peers.trusts_peer(self.place.peer()))
    }

    /// Reads what it says, and takes the client it names for the peer. One
    /// that looks whether the server lives names none, and stays the peer.
    pub(super) async fn read_proxy_head(&mut self) -> Result<(), CloseReason> {
        let source = self.wait(Self::poll_proxy_head).await?;
        if source.is_some() {
            self.place.open.peer.set(source);
        }
        self.made_progress();
        Ok(())
    }

    fn poll_proxy_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<SocketAddr>, CloseReason>> {
        loop {
            match parse_proxy_head(self.input.unread()) {
                Ok(Some(head)) => {
                    self.input.consume(head.length);
                    return Poll::Ready(Ok(head.source));
                }
                Ok(None) => {}
                Err(_) => return Poll::Ready(Err(CloseReason::ProxyHead)),
            }
            let filled = self.input.poll_fill(&mut self.transport, cx, HEAD_READ_MAX);
            match filled {
                Poll::Ready(Ok(0)) if self.input.is_empty() => {
                    return Poll::Ready(Err(CloseReason::ClientLeft));
                }
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(CloseReason::ClientGone)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(&error))),
                Poll::Pending if self.input.is_empty() && self.shared().counts.is_draining() => {
                    return Poll::Ready(Err(CloseReason::Draining));
                }
                Poll::Pending => {
                    let limit = self.shared().config.head_timeout;
                    let over = self.poll_deadline(Wait::Head, limit, cx);
                    return over.map(|()| Err(CloseReason::HeadTimeout));
                }
            }
        }
    }
}
