//! Reading by lines and by lengths, out of a buffer with a limit.
//!
//! What has been read and not yet been handed out stays in the buffer, also
//! when a future is dropped half-way. A line is handed out as a part of the
//! buffer, so the longest line allowed is what the memory is bounded by.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::lines::Lines;
use crate::io::{AsyncRead, AsyncWrite};

/// Bytes asked for at a time: std's number, and tokio's.
const CAPACITY: usize = 8 * 1024;

/// Reads from `R` through a buffer.
///
/// The buffer is 8 KiB, allocated by the first read; a longer line makes it
/// grow, up to the limit given with each call, and the next read after that
/// line gives the memory back. Bytes that were read ahead are in the buffer
/// only: look at [`buffer`](Self::buffer) before [`into_inner`](Self::into_inner).
///
/// Writing goes straight through to `R`, so a stream in both directions can
/// be wrapped as a whole.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::BufReader;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut reader = BufReader::new(&b"GET /\r\nHost: a\r\n\r\nbody"[..]);
///     let mut lines = reader.lines(1024);
///     while let Some(line) = lines.next_line().await? {
///         if line.is_empty() {
///             break;
///         }
///     }
///     let mut body = [0; 4];
///     reader.read_exact(&mut body).await?;
///     assert_eq!(&body, b"body");
///     Ok(())
/// })
/// # }
/// ```
pub struct BufReader<R> {
    reader: R,
    /// Empty until it is needed. What is held is `start..end`.
    buf: Vec<u8>,
    start: usize,
    end: usize,
    capacity: usize,
}

impl<R> BufReader<R> {
    /// Wraps `reader`, with a buffer of 8 KiB.
    pub fn new(reader: R) -> Self {
        Self::with_capacity(CAPACITY, reader)
    }

    /// Wraps `reader`, with a buffer of `capacity` bytes; zero counts as one.
    pub fn with_capacity(capacity: usize, reader: R) -> Self {
        BufReader {
            reader,
            buf: Vec::new(),
            start: 0,
            end: 0,
            capacity: capacity.max(1),
        }
    }

    /// What has been read and not yet been handed out.
    pub fn buffer(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Drops `count` bytes of [`buffer`](Self::buffer).
    ///
    /// # Panics
    ///
    /// When it holds fewer.
    pub fn consume(&mut self, count: usize) {
        let held = self.end - self.start;
        assert!(
            count <= held,
            "{count} bytes cannot be consumed of a buffer that holds {held}"
        );
        self.start += count;
    }

    /// What is read from.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// What is read from. Reading from it directly leaves out what is in the
    /// buffer.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Gives back what is read from. What is in the buffer is lost.
    ///
    /// # Examples
    ///
    /// What was read ahead, before the stream goes to somebody else:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::BufReader;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut reader = BufReader::with_capacity(8, &b"CONNECT\nsecret"[..]);
    /// assert_eq!(reader.read_line(80).await?, "CONNECT\n");
    /// assert!(reader.buffer().is_empty() && !reader.get_ref().is_empty());
    /// assert_eq!(reader.read(&mut [0; 2]).await?, 2);
    /// let ahead = reader.buffer().to_vec();
    /// assert_eq!([&ahead, reader.into_inner()].concat(), b"cret");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_inner(self) -> R {
        self.reader
    }

    fn take(&mut self, count: usize) -> &[u8] {
        self.start += count;
        &self.buf[self.start - count..self.start]
    }
}

impl<R: AsyncRead> BufReader<R> {
    /// Reads until the buffer is not empty, and gives it. Empty means that
    /// no more will come. [`consume`](Self::consume) what was used.
    ///
    /// # Errors
    ///
    /// What reading says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    ///
    /// # Examples
    ///
    /// Skips the spaces, wherever the reads have cut them:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::BufReader;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut reader = BufReader::with_capacity(2, &b"     tick"[..]);
    /// while reader.fill_buf().await?.starts_with(b" ") {
    ///     reader.consume(1);
    /// }
    /// assert_eq!(reader.read_line(80).await?, "tick");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn fill_buf(&mut self) -> io::Result<&[u8]> {
        poll_fn(|cx| self.poll_fill(cx)).await?;
        Ok(self.buffer())
    }

    /// Polls for what [`fill_buf`](Self::fill_buf) waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::BufReader;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut reader = BufReader::new(&b"tick"[..]);
    /// std::future::poll_fn(|cx| reader.poll_fill_buf(cx).map_ok(drop)).await?;
    /// assert_eq!(reader.buffer(), b"tick");
    /// assert!(reader.get_mut().is_empty());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_fill_buf(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(self.poll_fill(cx))?;
        Poll::Ready(Ok(self.buffer()))
    }

    /// Reads what has arrived into `buf`, from the buffer first. Zero means
    /// that no more will come, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// What reading says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof`, with both numbers, if the end comes first; else what
    /// reading says.
    ///
    /// # Cancellation
    ///
    /// If `buf` is no longer than the buffer (8 KiB, or as chosen), dropping
    /// the future loses no byte, and neither does an error. Else bytes read so
    /// far are in `buf`, but how many is lost.
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        let wanted = buf.len();
        if wanted <= self.capacity {
            while self.buffer().len() < wanted {
                if self.read_more(wanted).await? == 0 {
                    return Err(ended_early(self.buffer().len(), wanted));
                }
            }
            buf.copy_from_slice(self.take(wanted));
            return Ok(());
        }
        let mut filled = 0;
        while filled < wanted {
            match self.read(&mut buf[filled..]).await? {
                0 => return Err(ended_early(filled, wanted)),
                count => filled += count,
            }
        }
        Ok(())
    }

    /// Reads up to and including the next `byte`, and gives all of it. At the
    /// end, what is left comes without it, and then nothing, for ever.
    ///
    /// # Errors
    ///
    /// `InvalidData` if `limit` bytes are there, and `byte` is not among them.
    /// They stay in the buffer: a larger limit finds them again. Else what
    /// reading says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::io::ErrorKind;
    /// use tourbillon::net::BufReader;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let mut reader = BufReader::new(&b"key=a long value;"[..]);
    ///     assert_eq!(reader.read_until(b'=', 8).await?, b"key=");
    ///     let error = reader.read_until(b';', 8).await.unwrap_err();
    ///     assert_eq!(error.kind(), ErrorKind::InvalidData);
    ///     assert_eq!(reader.read_until(b';', 80).await?, b"a long value;");
    ///     assert_eq!(reader.read_until(b';', 80).await?, b"");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn read_until(&mut self, byte: u8, limit: usize) -> io::Result<&[u8]> {
        let count = self.find(byte, limit).await?;
        Ok(self.take(count))
    }

    /// Reads a line, and gives it with the `\n` that ends it. At the end of
    /// the stream, what is left comes without one, and then nothing, for ever.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the line is longer than `limit` bytes, its end
    /// included; it stays in the buffer. `InvalidData` if it is not UTF-8; it
    /// is passed over, and the next call gives the next line. Else what
    /// reading says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::net::BufReader;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let mut reader = BufReader::new(&b"one\ntwo"[..]);
    ///     assert_eq!(reader.read_line(100).await?, "one\n");
    ///     assert_eq!(reader.read_line(100).await?, "two");
    ///     assert_eq!(reader.read_line(100).await?, "");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn read_line(&mut self, limit: usize) -> io::Result<&str> {
        let line = self.read_until(b'\n', limit).await?;
        std::str::from_utf8(line).map_err(|error| {
            let text = format!(
                "a line of {} bytes is not UTF-8 from byte {} on: read it with read_until",
                line.len(),
                error.valid_up_to()
            );
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }

    /// The lines that follow, one by one, each of at most `limit` bytes with
    /// its end.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::net::BufReader;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let mut reader = BufReader::new(&b"one\r\ntwo\n\nfour"[..]);
    ///     let (mut lines, mut read) = (reader.lines(100), Vec::new());
    ///     while let Some(line) = lines.next_line().await? {
    ///         read.push(line.to_owned());
    ///     }
    ///     assert_eq!(read, ["one", "two", "", "four"]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn lines(&mut self, limit: usize) -> Lines<'_, R> {
        Lines::new(self, limit)
    }

    /// How many bytes it is to the next `byte` and with it, or to the end.
    async fn find(&mut self, byte: u8, limit: usize) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let held = self.buffer();
            let window = &held[..held.len().min(limit)];
            let found = window[searched..].iter().position(|&found| found == byte);
            if let Some(at) = found {
                return Ok(searched + at + 1);
            }
            if held.len() >= limit {
                return Err(over(byte, limit));
            }
            searched = held.len();
            if self.read_more(limit).await? == 0 {
                return Ok(searched);
            }
        }
    }

    /// Reads once. The buffer must hold fewer bytes than `needed`, and may
    /// grow to that.
    async fn read_more(&mut self, needed: usize) -> io::Result<usize> {
        self.make_room(needed);
        poll_fn(|cx| self.poll_more(cx)).await
    }

    fn make_room(&mut self, needed: usize) {
        let held = self.end - self.start;
        if held == 0 {
            (self.start, self.end) = (0, 0);
            if self.buf.len() != self.capacity {
                // The first time, or after a line longer than that.
                self.buf = vec![0; self.capacity];
            }
        } else if self.end == self.buf.len() {
            self.buf.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
            if held == self.buf.len() {
                // By doubling: memory follows what the peer has sent, not
                // what it is allowed to send.
                let size = (2 * held).min(needed.max(self.capacity));
                self.buf.reserve_exact(size - held);
                self.buf.resize(size, 0);
            }
        }
    }

    /// Reads into what is free behind what is held.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let free = &mut self.buf[self.end..];
        let count = ready!(self.reader.poll_read(cx, free))?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.start == self.end {
            self.make_room(1);
            ready!(self.poll_more(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

fn over(byte: u8, limit: usize) -> io::Error {
    let what = match byte {
        b'\n' => String::from("no line ends"),
        byte => format!("there is no byte {:?}", char::from(byte)),
    };
    let text = format!(
        "{what} within the limit of {limit} bytes: close the connection, or allow more if the \
         peer may send more"
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn ended_early(count: usize, wanted: usize) -> io::Error {
    let text = format!("the stream ended after {count} of {wanted} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

impl<R: AsyncRead> AsyncRead for BufReader<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.start == self.end && buf.len() >= self.capacity {
            return self.reader.poll_read(cx, buf);
        }
        ready!(self.poll_fill(cx))?;
        let count = buf.len().min(self.end - self.start);
        buf[..count].copy_from_slice(self.take(count));
        Poll::Ready(Ok(count))
    }
}

impl<W: AsyncWrite> AsyncWrite for BufReader<W> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.reader.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.reader.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reader.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reader.poll_close(cx)
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("reader", &self.reader)
            .field("held", &(self.end - self.start))
            .finish_non_exhaustive()
    }
}
