//! What a connection runs over.

use std::fs::File;
use std::io;
use std::task::{Context, Poll};
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

    /// Sends a part of `file` from `offset` on, at most `len` bytes, without
    /// their passing through this program. Zero means that the file ends at
    /// `offset`.
    ///
    /// The server calls it when all that was written before is on its way.
    /// Does not do it by default: for transports that encrypt or store.
    ///
    /// # Errors
    ///
    /// `Unsupported` if it does not do it, or not from such a file: nothing
    /// was sent then, and the server reads the file and writes. Else what
    /// broke.
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<usize>> {
        let _ = (cx, file, offset, len);
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl Transport for TcpStream {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        TcpStream::poll_peer(self, cx)
    }

    fn reset_on_close(&mut self, resets: bool) -> io::Result<()> {
        self.set_linger(resets.then_some(Duration::ZERO))
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_send_file(self, cx, file, offset, len)
    }
}

/// Knows one end only: a body whose end is the close (HTTP/1.0) looks whole
/// to the client even when it was cut.
impl Transport for UnixStream {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        UnixStream::poll_peer(self, cx)
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<usize>> {
        UnixStream::poll_send_file(self, cx, file, offset, len)
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
