//! The pipes between us and a child.
//!
//! Only our end of a pipe is non-blocking: the two ends are two open files, so
//! the child's is as it expects.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::process::{self, Stdio};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::io::{AsyncRead, AsyncWrite};
use crate::reactor::{Direction, FdSource};
use crate::runtime::{Parts, Registered};
use crate::sys::{set_blocking, set_nonblocking};

/// How much room is made for a read whose size nobody knows: what a pipe
/// holds on Linux by default is eight of these.
const CHUNK: usize = 8 * 1024;

/// One end; the source goes before its descriptor is closed.
struct End<P> {
    source: Registered<FdSource<RawFd>>,
    pipe: P,
}

impl<P: AsFd + From<OwnedFd>> End<P> {
    fn new(parts: &Rc<Parts>, fd: OwnedFd) -> io::Result<Self> {
        set_nonblocking(fd.as_fd())?;
        let source = Registered::new(Rc::clone(parts), FdSource(fd.as_raw_fd()))?;
        source.assume_readable();
        Ok(End {
            source,
            pipe: fd.into(),
        })
    }

    fn into_stdio(self) -> io::Result<Stdio>
    where
        OwnedFd: From<P>,
    {
        self.source.release()?;
        set_blocking(&self.pipe)?;
        Ok(OwnedFd::from(self.pipe).into())
    }
}

impl End<PipeReader> {
    fn poll_read(&self, cx: &Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut pipe = &self.pipe;
        let wanted = buf.len();
        let read = |_: &FdSource<RawFd>| pipe.read(buf);
        self.source.poll_move(cx, Direction::Read, wanted, read)
    }

    fn poll_drain(&self, cx: &Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<()>> {
        loop {
            let filled = into.len();
            // Doubling, so that much output takes few reads.
            into.resize(filled + filled.clamp(CHUNK, 16 * CHUNK), 0);
            let read = self.poll_read(cx, &mut into[filled..]);
            let count = match read {
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            };
            into.truncate(filled + count);
            if ready!(read)? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl End<PipeWriter> {
    fn poll_write(&self, cx: &Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = &self.pipe;
        let write = |_: &FdSource<RawFd>| pipe.write(buf);
        self.source
            .poll_move(cx, Direction::Write, buf.len(), write)
    }
}

impl<P: AsRawFd> fmt::Debug for End<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End")
            .field("fd", &self.pipe.as_raw_fd())
            .finish()
    }
}

/// What a child reads as its input. Dropping it is the end of that input.
///
/// # Examples
///
/// `sort` begins when its input has ended:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::process::{ChildStdin, Command, Stdio};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// async fn feed(mut stdin: ChildStdin) -> std::io::Result<()> {
///     stdin.write_all(b"wheel\n").await?;
///     let _count = stdin.write(b"anchor\n").await?;
///     Ok(()) // dropped here: the end
/// }
///
/// let mut sort = Command::new("sort");
/// let mut child = sort.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// feed(child.stdin.take().expect("it is piped")).await?;
/// assert_eq!(child.wait_with_output().await?.stdout, b"anchor\nwheel\n");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct ChildStdin(End<PipeWriter>);

impl ChildStdin {
    pub(super) fn new(parts: &Rc<Parts>, end: process::ChildStdin) -> io::Result<Self> {
        End::new(parts, end.into()).map(ChildStdin)
    }

    /// Writes as much of `buf` as fits, waiting until something does.
    /// Returns how many bytes were taken.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if the child has closed its input or has ended. Where
    /// the process does not ignore SIGPIPE, as Rust programs do from their
    /// start, that signal comes instead, and ends the process.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_write(cx, buf)).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Cancellation
    ///
    /// Some of `buf` may have been written, and how much is lost.
    pub async fn write_all(&mut self, mut buf: &[u8]) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => buf = &buf[count..],
            }
        }
        Ok(())
    }

    /// Polls for what [`write`](Self::write) waits for.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, buf)
    }

    /// Polls to write from several buffers in one system call.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::{Command, Stdio};
    /// use std::{future::poll_fn, io::IoSlice};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut cat = Command::new("cat");
    /// let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let mut stdin = child.stdin.take().expect("it is piped");
    /// let parts = [IoSlice::new(b"one "), IoSlice::new(b"two")];
    /// assert_eq!(poll_fn(|cx| stdin.poll_write_vectored(cx, &parts)).await?, 7);
    /// assert_eq!(poll_fn(|cx| stdin.poll_write(cx, b"!")).await?, 1);
    /// drop(stdin);
    /// assert_eq!(child.wait_with_output().await?.stdout, b"one two!");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        let mut pipe = &self.0.pipe;
        let write = |_: &FdSource<RawFd>| pipe.write_vectored(bufs);
        self.0.source.poll_move(cx, Direction::Write, wanted, write)
    }

    /// Gives the pipe away, blocking again: another child may write into it.
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the pipe refuses the change.
    ///
    /// # Examples
    ///
    /// The first child's output becomes the second's input:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::{Command, Stdio};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut cat = Command::new("cat");
    /// let mut second = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let input = second.stdin.take().expect("it is piped").into_stdio()?;
    /// let first = Command::new("echo").arg("tick").stdout(input).status().await?;
    /// assert!(first.success());
    /// assert_eq!(second.wait_with_output().await?.stdout, b"tick\n");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_stdio(self) -> io::Result<Stdio> {
        self.0.into_stdio()
    }
}

impl AsRawFd for ChildStdin {
    fn as_raw_fd(&self) -> RawFd {
        self.0.pipe.as_raw_fd()
    }
}

/// What a child writes as its output.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::process::{Command, Stdio};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut first = Command::new("echo").arg("tick").stdout(Stdio::piped()).spawn()?;
///     let pipe = first.stdout.take().expect("it is piped").into_stdio()?;
///     let mut second = Command::new("cat").stdin(pipe).stdout(Stdio::piped()).spawn()?;
///     let mut text = Vec::new();
///     let mut stdout = second.stdout.take().expect("it is piped");
///     stdout.read_to_end(&mut text).await?;
///     assert_eq!(text, b"tick\n");
///     first.wait().await?;
///     second.wait().await?;
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct ChildStdout(End<PipeReader>);

impl ChildStdout {
    pub(super) fn new(parts: &Rc<Parts>, end: process::ChildStdout) -> io::Result<Self> {
        End::new(parts, end.into()).map(ChildStdout)
    }

    /// Reads what the child has written into `buf`, waiting until it has.
    /// Returns how many bytes; zero means that nobody has the other end any
    /// more (or that `buf` is empty).
    ///
    /// # Errors
    ///
    /// What read(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buf)).await
    }

    /// Appends everything up to the end to `into`, whatever its size. Returns
    /// how many bytes.
    ///
    /// # Errors
    ///
    /// What read(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte: what was read is in `into`.
    pub async fn read_to_end(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let before = into.len();
        poll_fn(|cx| self.poll_drain(cx, into)).await?;
        Ok(into.len() - before)
    }

    /// Polls for what [`read`](Self::read) waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::{Command, Stdio};
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut child = Command::new("echo").arg("tick").stdout(Stdio::piped()).spawn()?;
    /// let mut stdout = child.stdout.take().expect("it is piped");
    /// let mut buf = [0; 64];
    /// assert!(stdout.read(&mut buf[..2]).await? > 0);
    /// assert!(poll_fn(|cx| stdout.poll_read(cx, &mut buf)).await? > 0);
    /// child.wait().await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }

    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_drain(cx, into)
    }

    /// Gives the pipe away, blocking again: it may be another child's input.
    /// What was not read stays in it.
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the pipe refuses the change.
    pub fn into_stdio(self) -> io::Result<Stdio> {
        self.0.into_stdio()
    }
}

impl AsRawFd for ChildStdout {
    fn as_raw_fd(&self) -> RawFd {
        self.0.pipe.as_raw_fd()
    }
}

/// What a child writes as its errors.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::future::poll_fn;
/// use tourbillon::process::{ChildStderr, Command, Stdio};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let mut command = Command::new("sh");
/// command.args(["-c", "echo no such gear >&2"]).stderr(Stdio::piped());
/// let mut child = command.spawn()?;
/// let mut stderr: ChildStderr = child.stderr.take().expect("it is piped");
/// let mut text = vec![0; 2];
/// assert_eq!(stderr.read(&mut text[..1]).await?, 1);
/// assert_eq!(poll_fn(|cx| stderr.poll_read(cx, &mut text[1..])).await?, 1);
/// stderr.read_to_end(&mut text).await?;
/// assert_eq!(text, b"no such gear\n");
/// child.wait().await?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct ChildStderr(ChildStdout);

impl ChildStderr {
    pub(super) fn new(parts: &Rc<Parts>, end: process::ChildStderr) -> io::Result<Self> {
        End::new(parts, end.into()).map(|end| ChildStderr(ChildStdout(end)))
    }

    /// Reads what the child has written; see [`ChildStdout::read`].
    ///
    /// # Errors
    ///
    /// What read(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).await
    }

    /// Appends everything up to the end; see [`ChildStdout::read_to_end`].
    ///
    /// # Errors
    ///
    /// What read(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte: what was read is in `into`.
    pub async fn read_to_end(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        self.0.read_to_end(into).await
    }

    /// Polls for what [`read`](Self::read) waits for.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }

    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_drain(cx, into)
    }

    /// Gives the pipe away; see [`ChildStdout::into_stdio`].
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the pipe refuses the change.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::process::{Command, Stdio};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut complains = Command::new("sh");
    /// complains.args(["-c", "echo no such gear >&2"]).stderr(Stdio::piped());
    /// let mut first = complains.spawn()?;
    /// let errors = first.stderr.take().expect("it is piped").into_stdio()?;
    /// let count = Command::new("grep").args(["-c", "gear"]).stdin(errors).output().await?;
    /// assert_eq!(count.stdout, b"1\n");
    /// first.wait().await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_stdio(self) -> io::Result<Stdio> {
        self.0.into_stdio()
    }
}

impl AsRawFd for ChildStderr {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ChildStdin::poll_write(self, cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ChildStdin::poll_write_vectored(self, cx, bufs)
    }

    /// A pipe has one direction: only dropping it tells the child.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ChildStdout {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ChildStdout::poll_read(self, cx, buf)
    }
}

impl AsyncRead for ChildStderr {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ChildStderr::poll_read(self, cx, buf)
    }
}
