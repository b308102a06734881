//! Datagrams over Unix sockets.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::socket_file;
use crate::reactor::{Direction, FdSource};
use crate::runtime::{Queued, Registered, Sleep, current};

type Source = FdSource<std::os::unix::net::UnixDatagram>;

/// How long to wait at first, and at most, before sending again to a receiver
/// whose queue is full; see [`UnixDatagram::send_to`].
const FULL_PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(16)];

/// A Unix socket for datagrams: none is lost on the way, and their order is
/// kept.
///
/// Tasks may share one in an `Rc`: those that receive are served in the order
/// in which they began, and so are those that send. What does not fit into
/// the buffer of a receive is cut off and gone.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::UnixDatagram;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let (one, other) = UnixDatagram::pair()?;
///     one.send(b"tick").await?;
///     one.send(b"tock").await?;
///     let mut buf = [0; 16];
///     assert_eq!(other.recv(&mut buf).await?, 4);
///     assert_eq!(&buf[..4], b"tick");
///     Ok(())
/// })
/// # }
/// ```
pub struct UnixDatagram(Queued<Source>);

impl UnixDatagram {
    /// Opens a socket at `path`; on Linux, a path that begins with a zero
    /// byte is an abstract name.
    ///
    /// Its file is left behind when this is dropped, and in the way of the
    /// next `bind`: remove it before or after.
    ///
    /// # Errors
    ///
    /// As [`UnixListener::bind`](super::UnixListener::bind).
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    ///
    /// # Examples
    ///
    /// A log daemon, and one of its clients:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixDatagram;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let name = format!("tourbillon-datagrams-{}", std::process::id());
    /// # let here = std::env::temp_dir().join(name);
    /// # std::fs::create_dir_all(&here)?;
    /// let path = here.join("log");
    /// let daemon = UnixDatagram::bind(&path)?;
    /// let client = UnixDatagram::unbound()?;
    /// client.send_to(b"it began", &path).await?;
    /// let (count, from) = daemon.recv_from(&mut [0; 512]).await?;
    /// assert!(count == 8 && from.is_unnamed());
    /// client.connect(&path)?; // for the rest, and told of room in its queue
    /// client.send(b"it ended").await?;
    /// assert_eq!(client.peer_addr()?.as_pathname(), daemon.local_addr()?.as_pathname());
    /// # std::fs::remove_dir_all(&here)?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let bound = socket_file::address(path)
            .and_then(|address| std::os::unix::net::UnixDatagram::bind_addr(&address));
        Self::from_std(
            bound.map_err(|error| socket_file::named("cannot bind a socket to", path, error))?,
        )
    }

    /// Opens a socket without a name, which can send but not be answered.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(std::os::unix::net::UnixDatagram::unbound()?)
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
        let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(other)?))
    }

    /// Takes over a socket made elsewhere, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// When the kernel's poll does not take it.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        let parts = current();
        socket.set_nonblocking(true)?;
        let source = Registered::new(parts, FdSource(socket))?;
        source.assume_readable();
        Ok(UnixDatagram(Queued::new(source)))
    }

    /// Gives the socket away, blocking again. What was not received stays in
    /// it.
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the socket refuses the change.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixDatagram;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
    /// let one = UnixDatagram::from_std(one)?;
    /// one.send(b"tick").await?;
    /// one.into_std()?.send(b"tack")?; // which would wait for room
    /// assert_eq!(other.recv(&mut [0; 64])?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixDatagram> {
        let socket = self.0.source().get().0.try_clone()?;
        self.0.source().release()?;
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Makes the socket at `path` the one to [`send`](Self::send) to, and the
    /// only one to receive from. Takes effect at once.
    ///
    /// # Errors
    ///
    /// `NotFound` without a file, `ConnectionRefused` without a socket behind
    /// it, ...; the message names the path.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let io = self.0.source().get();
        socket_file::address(path)
            .and_then(|address| io.0.connect_addr(&address))
            .map_err(|error| socket_file::named("cannot connect to", path, error))
    }

    /// Sends a datagram to the connected socket, waiting while its queue is
    /// full (on Linux 10 datagrams long, `net.unix.max_dgram_qlen`).
    ///
    /// # Errors
    ///
    /// What send(2) says: not connected, too long, `ConnectionRefused` if the
    /// receiver is gone. FreeBSD and macOS say `ENOBUFS` of a full queue,
    /// instead of having this wait.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.io(Direction::Write, |io| io.0.send(buf)).await
    }

    /// Sends a datagram to the socket at `path`, waiting while its queue is
    /// full.
    ///
    /// The kernel tells of room in the queue of a *connected* socket only. So
    /// this tries again from time to time: after a millisecond at first,
    /// after 16 in the end. Who sends much should connect.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send) and [`connect`](Self::connect).
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    pub async fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        let named = |error| socket_file::named("cannot send to", path, error);
        let address = socket_file::address(path).map_err(named)?;
        let source = self.0.source();
        let parts = source.parts();
        let [mut pause, pause_max] = FULL_PAUSES;
        let mut rest: Option<Sleep> = None;
        // Not by the reactor: a try that would block makes the kernel report
        // room in this socket's own buffer, and so would spin.
        let attempt = |cx: &mut Context<'_>| loop {
            if let Some(rest) = &mut rest {
                ready!(Pin::new(rest).poll(cx));
            }
            ready!(parts.poll_budget(cx));
            let sent = source.get().0.send_to_addr(buf, &address);
            match sent.as_ref().map_err(io::Error::kind) {
                Err(io::ErrorKind::WouldBlock) => {}
                Err(io::ErrorKind::Interrupted) => continue,
                _ => {
                    parts.spend();
                    return Poll::Ready(sent);
                }
            }
            let end = parts.read_clock() + pause;
            pause = (pause * 2).min(pause_max);
            match &mut rest {
                Some(rest) => rest.reset(end),
                None => rest = Some(Sleep::new(Rc::clone(parts), Some(end))),
            }
        };
        self.0
            .in_line(Direction::Write, attempt)
            .await
            .map_err(named)
    }

    /// Receives a datagram into `buf`. Returns how many bytes it has, or how
    /// many of them fitted: the rest is gone.
    ///
    /// # Errors
    ///
    /// What recv(2) says; `ConnectionReset` when a connected peer is gone.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.io(Direction::Read, |io| io.0.recv(buf)).await
    }

    /// Receives a datagram into `buf`, as [`recv`](Self::recv), and says who
    /// sent it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no datagram.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.io(Direction::Read, |io| io.0.recv_from(buf)).await
    }

    /// Polls for what [`send`](Self::send) waits for.
    ///
    /// Of several tasks that poll for one direction, the last is woken, and
    /// takes the place of one that awaits.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixDatagram;
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (one, other) = UnixDatagram::pair()?;
    /// poll_fn(|cx| one.poll_send(cx, b"tick")).await?;
    /// poll_fn(|cx| one.poll_send(cx, b"tack")).await?;
    /// let mut buf = [0; 64];
    /// assert_eq!(poll_fn(|cx| other.poll_recv(cx, &mut buf)).await?, 4);
    /// let (count, from) = poll_fn(|cx| other.poll_recv_from(cx, &mut buf)).await?;
    /// assert!(count == 4 && from.is_unnamed());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let source = self.0.source();
        source.poll_io(cx, Direction::Write, |io| io.0.send(buf))
    }

    /// Polls for what [`recv`](Self::recv) waits for; see
    /// [`poll_send`](Self::poll_send).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let source = self.0.source();
        source.poll_io(cx, Direction::Read, |io| io.0.recv(buf))
    }

    /// Polls for what [`recv_from`](Self::recv_from) waits for; see
    /// [`poll_send`](Self::poll_send).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let source = self.0.source();
        source.poll_io(cx, Direction::Read, |io| io.0.recv_from(buf))
    }

    /// Closes one direction, or both.
    ///
    /// # Errors
    ///
    /// What shutdown(2) says.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UnixDatagram;
    /// use std::{io::ErrorKind, net::Shutdown};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (one, _other) = UnixDatagram::pair()?;
    /// one.shutdown(Shutdown::Write)?;
    /// let error = one.send(b"too late").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.source().get().0.shutdown(how)
    }

    /// The address of this socket.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.source().get().0.local_addr()
    }

    /// The address it is connected to.
    ///
    /// # Errors
    ///
    /// `NotConnected` if to none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.source().get().0.peer_addr()
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.0.source().get().0.as_raw_fd()
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnixDatagram")
            .field("fd", &self.as_raw_fd())
            .field("address", &self.local_addr().ok())
            .finish()
    }
}
