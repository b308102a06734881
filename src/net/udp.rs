//! Datagrams over UDP.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll};

use crate::reactor::{Direction, FdSource};
use crate::runtime::{Queued, Registered, current};
use crate::sys::NamedError;

type Source = FdSource<std::net::UdpSocket>;

/// A UDP socket.
///
/// Every method takes `&self`, so tasks may share one in an `Rc`: those that
/// receive are served in the order in which they began, and so are those that
/// send.
///
/// A datagram is received whole or cut: what does not fit into the buffer is
/// gone, and nothing says so. A buffer of 65,536 bytes holds any; with one
/// byte more than the largest that is expected, a full one tells a cut one.
/// An empty datagram is one, and no end.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::UdpSocket;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0")?;
///     let client = UdpSocket::bind("127.0.0.1:0")?;
///     client.send_to(b"tick", server.local_addr()?).await?;
///     let mut buf = [0; 64];
///     let (count, from) = server.recv_from(&mut buf).await?;
///     assert_eq!((&buf[..count], from), (&b"tick"[..], client.local_addr()?));
///     Ok(())
/// })
/// # }
/// ```
pub struct UdpSocket(Queued<Source>);

impl UdpSocket {
    /// Opens a socket at `address`. Port 0 takes a free one; see
    /// [`local_addr`](Self::local_addr). Of several addresses the first that
    /// can be had is taken; a name is looked up here and now, so a program
    /// that is running should give numbers.
    ///
    /// # Errors
    ///
    /// When the address is taken, not this machine's, or not permitted; the
    /// message names it.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut refused = None;
        for address in address.to_socket_addrs()? {
            match std::net::UdpSocket::bind(address) {
                Ok(socket) => return Self::from_std(socket),
                Err(error) => {
                    let attempt = format!("cannot bind a UDP socket to {address}");
                    refused = Some(NamedError::wrap(error, attempt, None));
                }
            }
        }
        Err(refused.unwrap_or_else(|| io::Error::other("the name to bind to has no address")))
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
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let inherited = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let socket = UdpSocket::from_std(inherited)?;
    /// socket.send_to(b"to myself", socket.local_addr()?).await?;
    /// let socket = socket.into_std()?; // from here on it blocks
    /// assert_eq!(socket.recv(&mut [0; 64])?, 9);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[track_caller]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let parts = current();
        socket.set_nonblocking(true)?;
        let source = Registered::new(parts, FdSource(socket))?;
        source.assume_readable();
        Ok(UdpSocket(Queued::new(source)))
    }

    /// Gives the socket away, blocking again. What was not received stays in
    /// it.
    ///
    /// # Errors
    ///
    /// When the kernel's poll or the socket refuses the change.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        let socket = self.with(std::net::UdpSocket::try_clone)?;
        self.0.source().release()?;
        socket.set_nonblocking(false)?;
        Ok(socket)
    }

    /// Makes `address` the one to [`send`](Self::send) to, and the only one
    /// to receive from. Takes effect at once; connecting again changes it.
    ///
    /// Nothing is sent, so a peer that is not there is found only by sending:
    /// its machine answers (ICMP), and the *next* call on this socket, be it
    /// to send or to receive, fails with `ConnectionRefused`. That error is
    /// given once, and the socket goes on to work. What was queued from
    /// others before stays, and is received.
    ///
    /// # Errors
    ///
    /// What connect(2) says: unreachable, a broadcast address, ...
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let server = UdpSocket::bind("127.0.0.1:0")?;
    /// let client = UdpSocket::bind("127.0.0.1:0")?;
    /// client.connect(server.local_addr()?)?;
    /// assert_eq!(client.peer_addr()?, server.local_addr()?);
    /// client.send(b"tick").await?;
    /// let mut buf = [0; 64];
    /// assert_eq!(server.recv(&mut buf).await?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn connect(&self, address: SocketAddr) -> io::Result<()> {
        self.with(|io| io.connect(address))
    }

    /// Sends a datagram to the connected address, waiting for room in the
    /// socket's buffer. Returns its length: it is sent whole or not at all.
    ///
    /// # Errors
    ///
    /// What send(2) says: not connected, too long (65,507 bytes is the most
    /// over IPv4), or `ConnectionRefused` for an *earlier* one; see
    /// [`connect`](Self::connect).
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.io(Direction::Write, |io| io.0.send(buf)).await
    }

    /// Sends a datagram to `target`, waiting for room in the socket's buffer.
    ///
    /// # Errors
    ///
    /// What sendto(2) says; `PermissionDenied` for a broadcast address before
    /// [`set_broadcast`](Self::set_broadcast).
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has sent nothing.
    pub async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        let send = |io: &Source| io.0.send_to(buf, target);
        self.0.io(Direction::Write, send).await
    }

    /// Receives a datagram into `buf`. Returns how many bytes it has, or how
    /// many of them fitted: the rest is gone.
    ///
    /// # Errors
    ///
    /// What recv(2) says; `ConnectionRefused` if an earlier one was sent to
    /// where nobody is (see [`connect`](Self::connect)).
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

    /// As [`recv_from`](Self::recv_from), but leaves the datagram to be
    /// received again.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    ///
    /// # Examples
    ///
    /// Who is it, and is it worth a large buffer?
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let server = UdpSocket::bind("127.0.0.1:0")?;
    /// # let client = UdpSocket::bind("127.0.0.1:0")?;
    /// # client.send_to(b"tick", server.local_addr()?).await?;
    /// let (_, from) = server.peek_from(&mut [0; 1]).await?;
    /// assert_eq!(from, client.local_addr()?);
    /// assert_eq!(server.recv(&mut [0; 64]).await?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.io(Direction::Read, |io| io.0.peek_from(buf)).await
    }

    /// Does now what [`send`](Self::send) may wait to do.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room, else as [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::UdpSocket;
    /// use std::io::ErrorKind::WouldBlock;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let [one, other] = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    /// let mut buf = [0; 64];
    /// assert_eq!(other.try_recv(&mut buf).unwrap_err().kind(), WouldBlock);
    /// assert_eq!(other.try_recv_from(&mut buf).unwrap_err().kind(), WouldBlock);
    /// one.try_send_to(b"tick", other.local_addr()?)?;
    /// one.connect(other.local_addr()?)?;
    /// one.try_send(b"tack")?;
    /// assert_eq!(other.recv(&mut buf).await?, 4);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        let source = self.0.source();
        source.try_io(Direction::Write, |io| io.0.send(buf))
    }

    /// Does now what [`send_to`](Self::send_to) may wait to do.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room, else as [`send_to`](Self::send_to).
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        let source = self.0.source();
        source.try_io(Direction::Write, |io| io.0.send_to(buf, target))
    }

    /// Does now what [`recv`](Self::recv) may wait to do.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing, else as [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let source = self.0.source();
        source.try_io(Direction::Read, |io| io.0.recv(buf))
    }

    /// Does now what [`recv_from`](Self::recv_from) may wait to do.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is nothing, else as [`recv`](Self::recv).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let source = self.0.source();
        source.try_io(Direction::Read, |io| io.0.recv_from(buf))
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
    /// # use tourbillon::net::UdpSocket;
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let [one, other] = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    /// let (from, to) = (one.local_addr()?, other.local_addr()?);
    /// one.connect(to)?;
    /// poll_fn(|cx| one.poll_send(cx, b"tick")).await?;
    /// poll_fn(|cx| one.poll_send_to(cx, b"tack", to)).await?;
    /// let mut buf = [0; 64];
    /// assert_eq!(poll_fn(|cx| other.poll_recv(cx, &mut buf)).await?, 4);
    /// assert_eq!(poll_fn(|cx| other.poll_recv_from(cx, &mut buf)).await?, (4, from));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let source = self.0.source();
        source.poll_io(cx, Direction::Write, |io| io.0.send(buf))
    }

    /// Polls for what [`send_to`](Self::send_to) waits for; see
    /// [`poll_send`](Self::poll_send).
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let source = self.0.source();
        source.poll_io(cx, Direction::Write, |io| io.0.send_to(buf, target))
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

    /// The address of this socket, with the port that was taken.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.with(std::net::UdpSocket::local_addr)
    }

    /// The address it is connected to.
    ///
    /// # Errors
    ///
    /// `NotConnected` if to none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.with(std::net::UdpSocket::peer_addr)
    }
}

impl UdpSocket {
    pub(super) fn with<T>(
        &self,
        ask: impl FnOnce(&std::net::UdpSocket) -> io::Result<T>,
    ) -> io::Result<T> {
        ask(&self.0.source().get().0)
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.source().get().0.as_raw_fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket")
            .field("fd", &self.as_raw_fd())
            .field("address", &self.local_addr().ok())
            .finish()
    }
}
