//! What all streams of bytes have in common, so that the halves of each and
//! the loops around a read and a write exist once.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use crate::reactor::{Direction, EventSource};
use crate::runtime::Registered;
use crate::sys;

/// A stream of bytes in both directions: [`TcpStream`](super::TcpStream) or
/// [`UnixStream`](super::UnixStream). Nobody else can implement it.
pub trait Duplex {
    /// Reads what has arrived.
    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as fits.
    fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes from several buffers as much as fits.
    fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Closes one direction, or both.
    fn close(&self, how: Shutdown) -> io::Result<()>;
}

pub(super) async fn read(stream: &impl Duplex, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_recv(cx, buf)).await
}

pub(super) async fn read_exact(stream: &impl Duplex, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        match read(stream, &mut buf[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}

pub(super) async fn write(stream: &impl Duplex, buf: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_send(cx, buf)).await
}

pub(super) async fn write_all(stream: &impl Duplex, mut buf: &[u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match write(stream, buf).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => buf = &buf[count..],
        }
    }
    Ok(())
}

pub(super) async fn write_vectored(
    stream: &impl Duplex,
    bufs: &[IoSlice<'_>],
) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_send_vectored(cx, bufs)).await
}

/// Sends from several buffers over any socket.
pub(super) fn poll_send_vectored<S: EventSource + AsFd>(
    io: &Registered<S>,
    cx: &Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    // The kernel takes no more at once; the rest is another write.
    let bufs = &bufs[..bufs.len().min(sys::SLICES_MAX)];
    let wanted = bufs.iter().map(|buf| buf.len()).sum();
    let send = |io: &S| sys::send_vectored(io.as_fd(), bufs);
    io.poll_move(cx, Direction::Write, wanted, send)
}
