//! What a connection runs over.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::net::{PeerState, TcpStream, UnixStream};

/// A stream of bytes in both directions, closed by dropping it.
///
/// TCP is one; a pair of buffers in memory is another, and that is how the
/// tests run a whole server and its clients in one thread.
pub trait Transport: 'static {
    /// Reads what has arrived; zero means that the peer sends no more.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as fits.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes from several buffers as much as fits.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[][..], |buf| &**buf))
    }

    /// What is known of the peer without reading. Unless it is gone, the
    /// task is woken when that changes.
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState;

    /// Tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn close_write(&mut self) -> io::Result<()>;

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
    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        TcpStream::poll_read(self, cx, buf)
    }

    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        TcpStream::poll_write(self, cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        TcpStream::poll_write_vectored(self, cx, bufs)
    }

    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        TcpStream::poll_peer(self, cx)
    }

    fn close_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn reset_on_close(&mut self, resets: bool) -> io::Result<()> {
        self.set_linger(resets.then_some(Duration::ZERO))
    }
}

/// Knows one end only: a body whose end is the close (HTTP/1.0) looks whole
/// to the client even when it was cut.
impl Transport for UnixStream {
    #[inline]
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        UnixStream::poll_read(self, cx, buf)
    }

    #[inline]
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        UnixStream::poll_write(self, cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        UnixStream::poll_write_vectored(self, cx, bufs)
    }

    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        UnixStream::poll_peer(self, cx)
    }

    fn close_write(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
