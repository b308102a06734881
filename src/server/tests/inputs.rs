//! What a transport says to have read.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use crate::io::{AsyncRead, AsyncWrite};
use crate::net::PeerState;
use crate::server::Transport;
use crate::server::input::Input;

/// Says that it has read so many bytes more than it could.
struct Liar(usize);

impl AsyncRead for Liar {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len() + self.0))
    }
}

impl AsyncWrite for Liar {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Liar {
    fn poll_peer(&mut self, _: &mut Context<'_>) -> PeerState {
        PeerState::Open
    }
}

/// Behind what one read may bring lie bytes of other clients.
#[test]
fn a_transport_that_claims_more_than_it_could_read_is_not_believed() {
    for (more, is_believed) in [(0, true), (1, false)] {
        let mut input = Input::default();
        let mut cx = Context::from_waker(Waker::noop());
        let fill = || input.poll_fill(&mut Liar(more), &mut cx, 1024).is_ready();
        let filled = catch_unwind(AssertUnwindSafe(fill));
        assert_eq!(filled.is_ok(), is_believed);
        assert_eq!(input.unread().len(), if is_believed { 1024 } else { 0 });
    }
}
