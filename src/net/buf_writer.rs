//! Many small writes, gathered into few large ones.

use crate::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

/// Bytes gathered: std's number, and tokio's.
const CAPACITY: usize = 8 * 1024;

/// Writes to `W` through a buffer.
///
/// What is in the buffer goes out when it is full, by [`flush`](Self::flush)
/// and by [`close`](Self::close). Dropping it does not: what is left is lost.
/// Reading goes straight through to `W`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::BufWriter;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut sent = Vec::new();
///     let mut writer = BufWriter::new(&mut sent);
///     for word in ["escapement ", "wheel"] {
///         writer.write_all(word.as_bytes()).await?;
///     }
///     writer.flush().await?;
///     assert_eq!(sent, b"escapement wheel");
///     Ok(())
/// })
/// # }
/// ```
pub struct BufWriter<W> {
    writer: W,
    buf: Vec<u8>,
    /// How much of `buf` is out already.
    start: usize,
    capacity: usize,
}

impl<W> BufWriter<W> {
    /// Wraps `writer`, with a buffer of 8 KiB.
    pub fn new(writer: W) -> Self {
        Self::with_capacity(CAPACITY, writer)
    }

    /// Wraps `writer`, with a buffer of `capacity` bytes.
    pub fn with_capacity(capacity: usize, writer: W) -> Self {
        BufWriter {
            writer,
            buf: Vec::new(),
            start: 0,
            capacity,
        }
    }

    /// What has been written and has not gone out.
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.start..]
    }

    /// What is written to.
    pub fn get_ref(&self) -> &W {
        &self.writer
    }

    /// What is written to. Writing to it directly overtakes what is in the
    /// buffer.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Gives back what is written to. What is in the buffer is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::BufWriter;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut writer = BufWriter::with_capacity(6, Vec::new());
    /// writer.write_all(b"tick").await?;
    /// assert_eq!((writer.buffer(), writer.get_ref().len()), (&b"tick"[..], 0));
    /// writer.write_all(b"tack").await?; // no room: the first goes out
    /// writer.get_mut().push(b' ');
    /// writer.flush().await?;
    /// assert_eq!(writer.into_inner(), b"tick tack");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_inner(self) -> W {
        self.writer
    }
}

impl<W: AsyncWrite> BufWriter<W> {
    /// Writes all of `buf`, to the buffer if it fits.
    ///
    /// # Errors
    ///
    /// What writing says; `WriteZero` if no more is taken.
    ///
    /// # Cancellation
    ///
    /// Some of `buf` may have been written, and how much is lost.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match poll_fn(|cx| self.poll_write(cx, buf)).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => buf = &buf[count..],
            }
        }
        Ok(())
    }

    /// Sends what is in the buffer.
    ///
    /// # Errors
    ///
    /// What writing says; `WriteZero` if no more is taken.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte: flush again.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends what is in the buffer, and tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte: close again.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{BufWriter, UnixStream, copy};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (one, mut other) = UnixStream::pair()?;
    /// let mut writer = BufWriter::new(one);
    /// writer.write_all(b"tick").await?;
    /// writer.close().await?;
    /// let mut sent = Vec::new();
    /// copy(&mut other, &mut sent).await?; // ends, since no more will come
    /// assert_eq!(sent, b"tick");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn close(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_close(cx)).await
    }

    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.start < self.buf.len() {
            match ready!(self.writer.poll_write(cx, &self.buf[self.start..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.start += count,
            }
        }
        self.buf.clear();
        self.start = 0;
        Poll::Ready(Ok(()))
    }
}

impl<W: AsyncWrite> AsyncWrite for BufWriter<W> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.buf.len() + buf.len() > self.capacity {
            ready!(self.poll_empty(cx))?;
        }
        if buf.len() >= self.capacity {
            return self.writer.poll_write(cx, buf);
        }
        if self.buf.capacity() == 0 {
            self.buf.reserve_exact(self.capacity);
        }
        self.buf.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.writer.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        self.writer.poll_close(cx)
    }
}

impl<R: AsyncRead> AsyncRead for BufWriter<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.writer.poll_read(cx, buf)
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("writer", &self.writer)
            .field("held", &self.buffer().len())
            .finish_non_exhaustive()
    }
}
