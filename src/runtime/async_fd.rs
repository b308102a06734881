//! A descriptor of somebody else's making that futures can await.
//!
//! The hard fact: readiness is edge-triggered and remembered. What was said
//! to be ready stays so until an operation would block, or until the kernel
//! is asked again.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use super::current::current;
use super::queued::Queued;
use super::registered::Registered;
use crate::reactor::{Direction, FdSource, Interest};
use crate::sys;

/// Something with a descriptor that the kernel can poll (a pipe, a socket, a
/// terminal, an eventfd, an inotify queue, another loop's pollable fd), to be
/// awaited.
///
/// The descriptor must be non-blocking, and making it so is up to the
/// caller: that flag belongs to everybody who shares the open file. It must
/// stay open, and stay the same, while this lives.
///
/// Several tasks may wait through one `&AsyncFd`; in each direction they are
/// served in the order in which they began.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use tourbillon::AsyncFd;
///
/// let (mut peer, socket) = UnixStream::pair()?;
/// socket.set_nonblocking(true)?;
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let socket = AsyncFd::new(socket)?;
///     peer.write_all(b"tick")?;
///     let mut buf = [0; 8];
///     let count = socket.read_with(|mut socket| socket.read(&mut buf)).await?;
///     assert_eq!(&buf[..count], b"tick");
///     Ok(())
/// })
/// # }
/// ```
pub struct AsyncFd<T: AsFd> {
    // Before `io`, so that the kernel's poll lets go of an open descriptor.
    source: Queued<FdSource<RawFd>>,
    io: T,
}

impl<T: AsFd> AsyncFd<T> {
    /// Has the kernel watch `io` for reading and writing.
    ///
    /// # Errors
    ///
    /// - `PermissionDenied` (`EPERM`) for what epoll cannot poll: regular
    ///   files and directories, which never make anybody wait as sockets do.
    ///   Read and write those with [`spawn_blocking`](crate::spawn_blocking).
    ///   kqueue and poll(2) take regular files, as always ready.
    /// - `AlreadyExists` if the descriptor is registered here already;
    ///   duplicate it (`try_clone`) to watch it twice. kqueue does not
    ///   notice, and the later one takes the place of the earlier.
    /// - When the descriptor is closed.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn new(io: T) -> io::Result<Self> {
        Self::with_interest(io, Interest::READABLE | Interest::WRITABLE)
    }

    /// Has the kernel watch `io` for `interest` only. Waiting for the other
    /// direction adds it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    ///
    /// # Examples
    ///
    /// The reading end of a pipe:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::AsyncFd;
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use tourbillon::Interest;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// ours.set_nonblocking(true)?;
    /// let ours = AsyncFd::with_interest(ours, Interest::READABLE)?;
    /// theirs.write_all(b"tick")?;
    /// ours.readable().await?;
    /// assert_eq!(ours.get_ref().read(&mut [0; 64])?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[track_caller]
    pub fn with_interest(io: T, interest: Interest) -> io::Result<Self> {
        let source = watch(&io, interest)?;
        Ok(AsyncFd {
            source: Queued::new(source),
            io,
        })
    }

    /// Waits until something can be read: data, the end, or an error.
    ///
    /// It stays so until a [`try_io`](Self::try_io) would block, or
    /// [`clear_ready`](Self::clear_ready); waiting again before that ends at
    /// once. Now and then the kernel is wrong, and a read would block.
    ///
    /// # Errors
    ///
    /// When the kernel's poll refuses to watch for reading.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no readiness.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Direction::Read).await
    }

    /// Waits until something can be written, or a write would fail at once.
    ///
    /// See [`readable`](Self::readable) for how long that stays so.
    ///
    /// # Errors
    ///
    /// When the kernel's poll refuses to watch for writing.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no readiness.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Direction::Write).await
    }

    /// Does `read` as soon as it can be done: waits for the kernel's word,
    /// tries, and waits again if it would block.
    ///
    /// # Errors
    ///
    /// What `read` says, other than `WouldBlock` and `Interrupted`.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready loses what `read` has lost in
    /// a call that would block: normally nothing.
    pub async fn read_with<R>(&self, mut read: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let attempt = |cx: &mut Context<'_>| self.poll_with(cx, Direction::Read, &mut read);
        self.source.in_line(Direction::Read, attempt).await
    }

    /// Does `write` as soon as it can be done.
    ///
    /// # Errors
    ///
    /// What `write` says, other than `WouldBlock` and `Interrupted`.
    ///
    /// # Cancellation
    ///
    /// As [`read_with`](Self::read_with).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::AsyncFd;
    /// use std::io::Write;
    /// use std::os::unix::net::UnixStream;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// ours.set_nonblocking(true)?;
    /// let ours = AsyncFd::new(ours)?;
    /// let more = [0; 4096];
    /// for _ in 0..10 {
    ///     let _count = ours.write_with(|mut socket| socket.write(&more)).await?;
    /// }
    /// drop(theirs);
    /// let error = ours.write_with(|mut socket| socket.write(&more)).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn write_with<R>(&self, mut write: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        let attempt = |cx: &mut Context<'_>| self.poll_with(cx, Direction::Write, &mut write);
        self.source.in_line(Direction::Write, attempt).await
    }

    /// Does `operation` now. If it would block, what it is done for
    /// (`interest`) is not ready until the kernel says so.
    ///
    /// # Errors
    ///
    /// What `operation` says, `WouldBlock` included.
    ///
    /// # Examples
    ///
    /// Waiting and trying apart, as the wrapper of a library does:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::AsyncFd;
    /// use std::io::{ErrorKind, Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use tourbillon::Interest;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut theirs, ours) = UnixStream::pair()?;
    /// ours.set_nonblocking(true)?;
    /// let ours = AsyncFd::new(ours)?;
    /// ours.writable().await?;
    /// let mut buf = [0; 64];
    /// let mut read = || ours.try_io(Interest::READABLE, |mut io| io.read(&mut buf));
    /// assert_eq!(read().unwrap_err().kind(), ErrorKind::WouldBlock);
    /// theirs.write_all(b"tick")?;
    /// ours.readable().await?;
    /// assert_eq!(read()?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let result = operation(&self.io);
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            for direction in interest.directions() {
                self.source.source().clear_ready(direction)?;
            }
        }
        result
    }

    /// Has the kernel say again whether it is ready, for those who read or
    /// write by other means, such as a library in C. Loses nothing, whether
    /// or not something is left; costs a system call.
    ///
    /// # Errors
    ///
    /// When the kernel's poll refuses, which none is known to do.
    pub fn clear_ready(&self, interest: Interest) -> io::Result<()> {
        self.source.source().ask_again(interest)
    }

    /// Polls for what [`readable`](Self::readable) waits for.
    ///
    /// The last task to poll is the one that is woken, and takes the place of
    /// one that awaits.
    ///
    /// # Errors
    ///
    /// As [`readable`](Self::readable).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx, Direction::Read)
    }

    /// Polls for what [`writable`](Self::writable) waits for. See
    /// [`poll_read_ready`](Self::poll_read_ready).
    ///
    /// # Errors
    ///
    /// As [`writable`](Self::writable).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::AsyncFd;
    /// use std::future::poll_fn;
    /// use std::os::unix::net::UnixStream;
    /// use tourbillon::Interest;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (ours, theirs) = UnixStream::pair()?;
    /// ours.set_nonblocking(true)?;
    /// let mut ours = AsyncFd::new(ours)?;
    /// poll_fn(|cx| ours.poll_write_ready(cx)).await?;
    /// ours.clear_ready(Interest::WRITABLE)?; // ask the kernel again
    /// poll_fn(|cx| ours.poll_write_ready(cx)).await?;
    /// drop(theirs);
    /// poll_fn(|cx| ours.poll_read_ready(cx)).await?;
    /// assert!(ours.get_mut().take_error()?.is_none());
    /// let _closed_soon: UnixStream = ours.into_inner();
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_ready(cx, Direction::Write)
    }

    /// What is watched.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The same, to be changed, but not exchanged for something with another
    /// descriptor: the kernel would go on to watch the old one.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.io
    }

    /// Gives it back, open and no longer watched.
    pub fn into_inner(self) -> T {
        drop(self.source);
        self.io
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        let attempt = |cx: &mut Context<'_>| self.poll_ready(cx, direction);
        self.source.in_line(direction, attempt).await
    }

    fn poll_ready(&self, cx: &mut Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let source = self.source.source();
        ready!(source.parts().poll_budget(cx));
        ready!(source.poll_ready(cx, direction))?;
        source.parts().spend();
        Poll::Ready(Ok(()))
    }

    /// As [`Registered::poll_io`], for an operation that is not ours: nothing
    /// is borrowed while it runs.
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: &mut impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let source = self.source.source();
        loop {
            ready!(self.poll_ready(cx, direction))?;
            match operation(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source.clear_ready(direction)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

/// Registers a descriptor, and explains why if the kernel refuses.
#[track_caller]
pub(super) fn watch(io: &impl AsFd, interest: Interest) -> io::Result<Registered<FdSource<RawFd>>> {
    let parts = current();
    let fd = io.as_fd().as_raw_fd();
    Registered::outlived(parts, FdSource(fd), interest)
        .map_err(|error| sys::cannot_watch(fd, error))
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_fd().as_raw_fd()
    }
}

impl<T: AsFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("io", &self.io)
            .finish_non_exhaustive()
    }
}
