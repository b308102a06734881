//! Streams as the traits of the crate futures-io have them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::buf_reader::BufReader;
use crate::io::{AsyncRead, AsyncWrite};

/// A stream of this crate for whoever asks for `futures_io::AsyncRead` and
/// `AsyncWrite`, and around a [`BufReader`] for `AsyncBufRead`: WebSocket and
/// TLS crates, and the combinators of `futures`.
///
/// Behind the feature `futures-io`. Adds no buffer of its own.
///
/// # Examples
///
/// ```
/// use std::pin::Pin;
/// use futures_io::AsyncWrite;
/// use tourbillon::net::{FuturesIo, TcpListener, TcpStream};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let stream = TcpStream::connect(listener.local_addr()?).await?;
///     let mut stream = FuturesIo::new(stream);
///     std::future::poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, b"tick")).await?;
///     assert!(stream.into_inner().peer_addr().is_ok());
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FuturesIo<T>(T);

impl<T> FuturesIo<T> {
    /// Wraps a stream.
    pub fn new(stream: T) -> Self {
        FuturesIo(stream)
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
    /// # use tourbillon::net::{FuturesIo, TcpListener, TcpStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut stream = FuturesIo::new(stream);
    /// stream.get_mut().set_nodelay(true)?;
    /// assert!(stream.get_ref().nodelay()?);
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

impl<T: AsyncRead + Unpin> futures_io::AsyncRead for FuturesIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> futures_io::AsyncWrite for FuturesIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }
}

impl<R: AsyncRead + Unpin> futures_io::AsyncBufRead for FuturesIo<BufReader<R>> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_mut().0.poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.0.consume(count);
    }
}
