//! A connection over a Unix socket.

use std::fmt;
use std::io::{self, IoSlice, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::duplex::{self, Duplex};
use super::socket_file;
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::reactor::{Direction, FdSource, PeerState};
use crate::runtime::{Parts, Registered, Sleep, current};
use crate::sys::{self, UCred};

/// How long to wait at first, and at most, before connecting again to a
/// listener whose backlog is full. The kernel does not tell when it is not.
const FULL_PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(64)];

/// A connection over a Unix socket, read and written by awaiting.
///
/// Dropping it closes it. It is used as a [`TcpStream`](super::TcpStream),
/// and its halves are the same, as [`ReadHalf<UnixStream>`](ReadHalf).
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::UnixStream;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let (mut parent, mut child) = UnixStream::pair()?;
///     parent.write_all(b"tick").await?;
///     let mut buf = [0; 4];
///     child.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"tick");
///     assert_eq!(child.peer_cred()?, parent.peer_cred()?);
///     Ok(())
/// })
/// # }
/// ```
pub struct UnixStream(pub(super) Registered<FdSource<std::os::unix::net::UnixStream>>);

impl UnixStream {
    /// Connects to the socket at `path`; on Linux, a path that begins with a
    /// zero byte is an abstract name.
    ///
    /// While the listener's backlog is full, this tries again, every
    /// millisecond at first and every 64 in the end: the kernel tells nobody
    /// when there is room. A limit is [`timeout`](crate::timeout)'s to set.
    ///
    /// # Errors
    ///
    /// `NotFound` without a file, `ConnectionRefused` if nobody listens on
    /// it, `PermissionDenied`, ...; the message names the path.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the socket.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{UnixListener, UnixStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let name = format!("tourbillon-unix-connect-{}", std::process::id());
    /// # let here = std::env::temp_dir().join(name);
    /// # std::fs::create_dir_all(&here)?;
    /// let path = here.join("socket");
    /// let error = UnixStream::connect(&path).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// let _listener = UnixListener::bind(&path)?;
    /// let stream = UnixStream::connect(&path).await?;
    /// assert_eq!(stream.peer_addr()?.as_pathname(), Some(&*path));
    /// assert!(stream.local_addr()?.is_unnamed());
    /// # std::fs::remove_dir_all(&here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let named = |error| socket_file::named("cannot connect to", path, error);
        let address = socket_file::address(path).map_err(named)?;
        let parts = current();
        let [mut pause, pause_max] = FULL_PAUSES;
        loop {
            match mio::net::UnixStream::connect_addr(&address) {
                Ok(io) => {
                    let io = std::os::unix::net::UnixStream::from(OwnedFd::from(io));
                    return Self::connected(parts, io);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let end = parts.read_clock() + pause;
                    Sleep::new(Rc::clone(&parts), Some(end)).await;
                    pause = (pause * 2).min(pause_max);
                }
                Err(error) => return Err(named(error)),
            }
        }
    }

    /// Makes two sockets that are connected with each other and have no name.
    ///
    /// # Errors
    ///
    /// What socketpair(2) says.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Takes over a connection made elsewhere, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the kernel's poll does not take it.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        let parts = current();
        stream.set_nonblocking(true)?;
        let stream = Self::connected(parts, stream)?;
        stream.0.assume_readable();
        Ok(stream)
    }

    /// Gives the connection away, blocking again. Unread data stays in it.
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the socket refuses the change.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixStream;
    /// use std::io::Read;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (one, mut other) = std::os::unix::net::UnixStream::pair()?;
    /// let mut one = UnixStream::from_std(one)?;
    /// one.write_all(b"tick").await?;
    /// drop(one.into_std()?);
    /// let mut text = String::new();
    /// other.read_to_string(&mut text)?;
    /// assert_eq!(text, "tick");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixStream> {
        let stream = self.0.get().0.try_clone()?;
        self.0.release()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    pub(super) fn connected(
        parts: Rc<Parts>,
        io: std::os::unix::net::UnixStream,
    ) -> io::Result<Self> {
        Registered::new(parts, FdSource(io)).map(UnixStream)
    }

    /// Reads what has arrived; see [`TcpStream::read`](super::TcpStream::read).
    ///
    /// # Errors
    ///
    /// What read(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        duplex::read(self, buf).await
    }

    /// Fills `buf`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the peer closes first; else what read(2) says.
    ///
    /// # Cancellation
    ///
    /// Bytes read so far are in `buf`, but how many is lost.
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        duplex::read_exact(self, buf).await
    }

    /// Writes as much of `buf` as fits; see
    /// [`TcpStream::write`](super::TcpStream::write).
    ///
    /// # Errors
    ///
    /// What sendmsg(2) says. A broken connection is an error, never a signal.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        duplex::write(self, buf).await
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// What sendmsg(2) says.
    ///
    /// # Cancellation
    ///
    /// Some of `buf` may have been written, and how much is lost.
    pub async fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        duplex::write_all(self, buf).await
    }

    /// Writes from several buffers in one system call. Returns how many
    /// bytes were taken.
    ///
    /// # Errors
    ///
    /// What sendmsg(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixStream;
    /// use std::io::IoSlice;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// let parts = [IoSlice::new(b"head "), IoSlice::new(b"body")];
    /// assert_eq!(one.write_vectored(&parts).await?, 9);
    /// assert_eq!(one.write(b"!").await?, 1);
    /// assert_eq!(other.read(&mut [0; 64]).await?, 10);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        duplex::write_vectored(self, bufs).await
    }

    /// Splits it into a reading and a writing half that borrow it.
    pub fn split(&mut self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
        split::borrowed(self)
    }

    /// Splits it into a reading and a writing half for two tasks. Dropping
    /// the writing half tells the peer that no more will come.
    ///
    /// # Examples
    ///
    /// One task writes while another reads:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixStream;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut one, other) = UnixStream::pair()?;
    /// let (mut reader, mut writer) = other.into_split();
    /// tourbillon::spawn(async move { writer.write_all(b"tick").await }).detach();
    /// let (mut from, mut to) = one.split();
    /// let mut buf = [0; 4];
    /// from.read_exact(&mut buf).await?;
    /// to.write_all(&buf).await?;
    /// assert_eq!(reader.read(&mut [0; 64]).await?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        split::owned(self)
    }

    /// Closes one direction, or both. Closing the writing one is how the
    /// peer learns that no more will come, while it can still answer.
    ///
    /// # Errors
    ///
    /// What shutdown(2) says.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixStream;
    /// use std::net::Shutdown;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// one.shutdown(Shutdown::Write)?; // that was the question
    /// assert_eq!(other.read(&mut [0; 8]).await?, 0);
    /// other.write_all(b"42").await?;
    /// assert_eq!(one.read(&mut [0; 8]).await?, 2);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.close(how)
    }

    /// The peer's address: the path it listens on, for one that accepted.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get().0.peer_addr()
    }

    /// The address at this end.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get().0.local_addr()
    }

    /// Which user and process is at the other end, by the kernel's word: as
    /// it was when it connected, or began to listen.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        sys::peer_cred(self.0.get().as_fd())
    }

    /// Polls for what [`read`](Self::read) waits for.
    #[inline]
    pub fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_recv(cx, buf)
    }

    /// Polls for what [`write`](Self::write) waits for.
    #[inline]
    pub fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf)
    }

    /// Polls for what [`write_vectored`](Self::write_vectored) waits for.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixStream;
    /// use std::{future::poll_fn, io::IoSlice};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// let bufs = [IoSlice::new(b"tick")];
    /// assert_eq!(poll_fn(|cx| one.poll_write(cx, b"tack, ")).await?, 6);
    /// assert_eq!(poll_fn(|cx| one.poll_write_vectored(cx, &bufs)).await?, 4);
    /// let mut buf = [0; 64];
    /// let count = poll_fn(|cx| other.poll_read(cx, &mut buf)).await?;
    /// assert!(b"tack, tick".starts_with(&buf[..count]));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send_vectored(cx, bufs)
    }

    /// What is known of the peer without reading; see
    /// [`TcpStream::poll_peer`](super::TcpStream::poll_peer). One that closed
    /// is gone at once, even if it has sent what is still unread.
    pub fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        self.0.poll_peer(cx)
    }
}

impl Duplex for UnixStream {
    /// Without the rule that a short read has drained the socket: one also
    /// stops where a descriptor was passed along with the bytes, or where
    /// another process wrote (unix(7)), and what follows was announced
    /// already.
    #[inline]
    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.0.poll_io(cx, Direction::Read, |io| (&io.0).read(buf))
    }

    /// By sendmsg(2), which is told to raise no SIGPIPE. write(2) would.
    #[inline]
    fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        duplex::poll_send_vectored(&self.0, cx, bufs)
    }

    fn close(&self, how: Shutdown) -> io::Result<()> {
        self.0.get().0.shutdown(how)
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.get().0.as_raw_fd()
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixStream")
            .field("fd", &self.as_raw_fd())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
