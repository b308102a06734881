//! What a task reads from.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use super::reader::{Input, LINE_MAX};
use crate::io::AsyncRead;

/// Takes the process's input, to be read by awaiting.
///
/// Nothing is read before the first read. No runtime need be entered.
///
/// # Errors
///
/// `ResourceBusy` while another [`Stdin`] lives.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut stdin = tourbillon::stdin()?;
///     while let Some(line) = stdin.next_line().await? {
///         println!("{}", line.to_uppercase());
///     }
///     Ok(())
/// })
/// # }
/// ```
pub fn stdin() -> io::Result<Stdin> {
    if Input::take() {
        return Ok(Stdin { _private: () });
    }
    let message = "the process's input is being read: drop the other Stdin, or share it";
    Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
}

/// The process's input; given by [`stdin`]. One lives at a time.
///
/// What was read ahead stays when it is dropped, and is the next one's. The
/// reading thread goes through the standard library's [`std::io::Stdin`] and
/// holds its lock while it waits for input: what that has buffered comes
/// first, and other code that reads by it waits in turn.
///
/// It is `Send`.
///
/// # Examples
///
/// A password and what follows it, of whatever size:
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::Stdin;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// async fn input(stdin: &mut Stdin) -> std::io::Result<(String, Vec<u8>)> {
///     let password = stdin.next_line().await?.unwrap_or_default();
///     let mut rest = Vec::new();
///     stdin.read_to_end(&mut rest).await?;
///     Ok((password, rest))
/// }
///
/// let (_password, rest) = input(&mut tourbillon::stdin()?).await?;
/// println!("{} bytes", rest.len());
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Stdin {
    _private: (),
}

impl Stdin {
    /// Reads what there is into `buf`, waiting until there is something.
    /// Returns how many bytes; zero means the end (or that `buf` is empty).
    /// At a terminal one may read on after an end.
    ///
    /// # Errors
    ///
    /// What read(2) says, or when the system starts no thread.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte. The thread goes on waiting for
    /// input; what comes is kept for the next read.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Reads a line, and gives it without its end (`\n` or `\r\n`); `None`
    /// after the last. A last line may lack its end.
    ///
    /// # Errors
    ///
    /// `InvalidData` for a line that is not UTF-8 or is longer than 1 MiB,
    /// which is left for [`read`](Self::read); else as there.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte: half a line is kept.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        poll_fn(|cx| self.poll_line(cx)).await
    }

    /// Appends everything up to the end to `into`, whatever its size. Returns
    /// how many bytes.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte: what was read is in `into`.
    pub async fn read_to_end(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let before = into.len();
        let mut chunk = [0; 4096];
        loop {
            match self.read(&mut chunk).await? {
                0 => return Ok(into.len() - before),
                count => into.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// Polls for what [`read`](Self::read) waits for.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        Input::poll(cx.waker(), |input| {
            if input.bytes.is_empty() {
                return input.end.take().map(|end| end.map(|()| 0));
            }
            // The deque is in two pieces, so it gives its bytes in two reads.
            let (front, _) = input.bytes.as_slices();
            let count = front.len().min(buf.len());
            buf[..count].copy_from_slice(&front[..count]);
            input.bytes.drain(..count);
            Some(Ok(count))
        })
    }

    /// Polls for what [`next_line`](Self::next_line) waits for.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut stdin = tourbillon::stdin()?;
    /// let mut buf = [0; 64];
    /// let name = poll_fn(|cx| stdin.poll_line(cx)).await?;
    /// let count = poll_fn(|cx| stdin.poll_read(cx, &mut buf)).await?;
    /// let more = stdin.read(&mut buf[count..]).await?;
    /// println!("{name:?}, and {count} and {more} bytes");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        Input::poll(cx.waker(), |input| {
            let found = input.bytes.iter().position(|&byte| byte == b'\n');
            let length = match found {
                Some(at) => at + 1,
                None if input.end.is_some() && !input.bytes.is_empty() => input.bytes.len(),
                None if input.bytes.len() > LINE_MAX => LINE_MAX + 1,
                None => return input.end.take().map(|end| end.map(|()| None)),
            };
            Some(input.take_line(length).map(Some))
        })
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        Input::give_back();
    }
}

impl AsyncRead for Stdin {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Stdin::poll_read(self, cx, buf)
    }
}
