//! Bytes, as hyper asks for them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::ReadBufCursor;

use crate::io::{AsyncRead, AsyncWrite};

/// How much is read at once: what hyper begins with, too. It goes through a
/// buffer on the stack, since to read into hyper's own, which is not
/// initialised, would take `unsafe`.
const READ_MAX: usize = 8 * 1024;

/// A stream of this crate that hyper can use.
///
/// # Examples
///
/// ```
/// use tourbillon::hyper::HyperIo;
/// use tourbillon::net::{TcpListener, TcpStream};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     let io = HyperIo::new(stream);
///     // ... hyper::client::conn::http1::handshake(io).await ...
///     assert!(io.get_ref().peer_addr().is_ok());
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct HyperIo<T>(T);

impl<T> HyperIo<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        HyperIo(stream)
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.0
    }

    /// The stream, to change its options.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::hyper::HyperIo;
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut io = HyperIo::new(stream);
    /// io.get_mut().set_nodelay(true)?;
    /// assert!(io.into_inner().nodelay()?);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: AsyncRead + Unpin> hyper::rt::Read for HyperIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut buf = [0; READ_MAX];
        let wanted = into.remaining().min(READ_MAX);
        let count = ready!(self.0.poll_read(cx, &mut buf[..wanted]))?;
        into.put_slice(&buf[..count]);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> hyper::rt::Write for HyperIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, bufs)
    }
}
