//! What streams of bytes have in common.
//!
//! The names are the field's; the traits of tokio and of futures-io differ
//! from these in that they want `Pin<&mut Self>`. A stream here does not mind
//! being moved between polls, so `&mut self` is enough.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

/// Bytes that arrive.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::task::{Context, Poll};
/// use tourbillon::io::AsyncRead;
/// use tourbillon::net::copy;
///
/// /// The same byte, a number of times.
/// struct Repeat(u8, usize);
///
/// impl AsyncRead for Repeat {
///     fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
///         let count = self.1.min(buf.len());
///         buf[..count].fill(self.0);
///         self.1 -= count;
///         Poll::Ready(Ok(count))
///     }
/// }
///
/// # fn main() -> io::Result<()> {
/// let mut copied = Vec::new();
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(copy(&mut Repeat(b'=', 5), &mut copied))?;
/// assert_eq!(copied, b"=====");
/// # Ok(())
/// # }
/// ```
pub trait AsyncRead {
    /// Reads what has arrived into `buf` and tells how much. Zero means that
    /// no more will come, or that `buf` is empty. If nothing is there yet,
    /// the task is woken when there is.
    ///
    /// What `buf` held before means nothing: it may be of another stream.
    /// Telling more than was read would hand that on.
    ///
    /// # Errors
    ///
    /// When the stream is broken. Never `WouldBlock`.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
}

/// Bytes that are sent.
///
/// # Examples
///
/// ```
/// use std::future::poll_fn;
/// use std::io;
/// use tourbillon::io::AsyncWrite;
///
/// async fn greet(stream: &mut impl AsyncWrite) -> io::Result<()> {
///     let mut left = &b"hello"[..];
///     while !left.is_empty() {
///         let count = poll_fn(|cx| stream.poll_write(cx, left)).await?;
///         left = &left[count..];
///     }
///     poll_fn(|cx| stream.poll_flush(cx)).await
/// }
///
/// # fn main() -> io::Result<()> {
/// let mut sent = Vec::new();
/// tourbillon::Runtime::new()?.block_on(greet(&mut sent))?;
/// assert_eq!(sent, b"hello");
/// # Ok(())
/// # }
/// ```
pub trait AsyncWrite {
    /// Writes as much of `buf` as fits and tells how much that was: not zero,
    /// unless `buf` is empty or no more is ever taken. If nothing fits, the
    /// task is woken when something does.
    ///
    /// # Errors
    ///
    /// When the stream is broken. Never `WouldBlock`.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// The same from several buffers, in their order. By default from the
    /// first that is not empty.
    ///
    /// # Errors
    ///
    /// As [`poll_write`](Self::poll_write).
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[][..], |buf| &**buf))
    }

    /// Sends what a buffer of the stream's own holds back. By default there
    /// is none.
    ///
    /// # Errors
    ///
    /// When the stream is broken.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = cx;
        Poll::Ready(Ok(()))
    }

    /// Flushes, and tells the peer that no more will come. It can still
    /// answer. A peer that is gone already is no error.
    ///
    /// # Errors
    ///
    /// When the stream is broken.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::io::AsyncWrite;
    /// use std::{future::poll_fn, io::IoSlice};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut sent = Vec::new();
    /// let parts = [IoSlice::new(b""), IoSlice::new(b"body")];
    /// let count = poll_fn(|cx| sent.poll_write_vectored(cx, &parts)).await.unwrap();
    /// assert_eq!(&sent[..count], b"body");
    /// poll_fn(|cx| sent.poll_close(cx)).await.unwrap();
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl<R: AsyncRead + ?Sized> AsyncRead for &mut R {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf)
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWrite for &mut W {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_close(cx)
    }
}

/// Reads from memory, and moves the slice on.
impl AsyncRead for &[u8] {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(self, buf))
    }
}

/// Appends to memory, without a limit.
impl AsyncWrite for Vec<u8> {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
