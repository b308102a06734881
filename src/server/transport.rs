//! What a connection runs over.

use std::io;
use std::task::Context;
use std::time::Duration;

use crate::io::{AsyncRead, AsyncWrite, DuplexStream};
use crate::net::{PeerState, TcpStream, UnixStream};

/// A stream of bytes in both directions, closed by dropping it.
///
/// TCP is one; a pair of buffers in memory is another, and that is how the
/// tests run a whole server and its clients in one thread.
///
/// The server never calls `poll_flush`: what a write has taken must be on its
/// way. A transport with a buffer of its own, such as TLS with its records,
/// takes no more in `poll_write` than it can pass on, and sends what is left
/// over when it is next polled, for reading as well: whoever waits for an
/// answer is polled for that.
pub trait Transport: AsyncRead + AsyncWrite + 'static {
    /// What is known of the peer without reading. Unless it is gone, the
    /// task is woken when that changes.
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState;

    /// Chooses how a later close by dropping ends the connection: `true` for
    /// a reset, which the peer sees as an error and which may destroy what it
    /// has not read; `false`, as at the start, for an orderly end.
    ///
    /// The server asks for it while it sends a body whose end is the close
    /// itself (HTTP/1.0), and takes it back when that body is complete. Does
    /// nothing by default, for transports that know one end only.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn reset_on_close(&mut self, resets: bool) -> io::Result<()> {
        let _ = resets;
        Ok(())
    }
}

impl Transport for TcpStream {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        TcpStream::poll_peer(self, cx)
    }

    fn reset_on_close(&mut self, resets: bool) -> io::Result<()> {
        self.set_linger(resets.then_some(Duration::ZERO))
    }
}

/// Knows one end only: a body whose end is the close (HTTP/1.0) looks whole
/// to the client even when it was cut.
impl Transport for UnixStream {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        UnixStream::poll_peer(self, cx)
    }
}

/// Knows one end only, as a Unix socket.
impl Transport for DuplexStream {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        self.watch_peer(cx);
        match self.peer_has_ended() {
            (_, true) => PeerState::Gone,
            (true, false) => PeerState::HalfClosed,
            (false, false) => PeerState::Open,
        }
    }
}
