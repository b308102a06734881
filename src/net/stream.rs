//! A TCP connection.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::connect;
use super::duplex::{self, Duplex};
use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::target::Target;
use crate::reactor::{Direction, PeerState};
use crate::runtime::{Parts, Registered, current};
use crate::sys::ConnectOptions;

/// A TCP connection, read and written by awaiting.
///
/// Dropping it closes it. Its options are the kernel's defaults, except that
/// connections accepted by a [`TcpListener`](super::TcpListener) have
/// Nagle's algorithm off.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{TcpListener, TcpStream};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut listener = TcpListener::bind("127.0.0.1:0")?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, _) = listener.accept().await?;
///     client.write_all(b"tick").await?;
///     let mut buf = [0; 4];
///     server.read_exact(&mut buf).await?;
///     assert_eq!(&buf, b"tick");
///     Ok(())
/// })
/// # }
/// ```
pub struct TcpStream(pub(super) Registered<mio::net::TcpStream>);

impl TcpStream {
    /// Connects to a host and port: `"example.org:80"`, `("example.org", 80)`,
    /// a `SocketAddr`, or what else makes a [`Target`].
    ///
    /// A name is looked up as by [`lookup_host`](super::lookup_host). If it
    /// has several addresses they are tried as RFC 8305 (Happy Eyeballs) has
    /// it: IPv6 and IPv4 in turns, the next one 250 ms after the last or at
    /// once when that has failed; the first to connect is taken. Several
    /// addresses that are given are tried the same way, in their order.
    ///
    /// There is no limit on the time but the system's, which is minutes; see
    /// the second example.
    ///
    /// # Errors
    ///
    /// What looking up the name says; else what connect(2) says (refused,
    /// unreachable, timed out, ...): the kind is that of the address that
    /// failed last, and the message names all that were tried.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes every socket that was being connected.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let port = listener.local_addr()?.port();
    /// let by_name = TcpStream::connect(("localhost", port)).await?;
    /// let by_number = TcpStream::connect(format!("127.0.0.1:{port}")).await?;
    /// assert_eq!(by_name.peer_addr()?, by_number.peer_addr()?);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    ///
    /// Within a time, looking up included. What is left of the lookup ends by
    /// itself, on its thread:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    /// use tourbillon::timeout;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let address = listener.local_addr()?;
    /// let limit = Duration::from_secs(5);
    /// let stream = timeout(limit, TcpStream::connect(address)).await??;
    /// # drop(stream);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn connect(target: impl Into<Target>) -> io::Result<Self> {
        connect::connect(target.into(), &ConnectOptions::default()).await
    }

    /// Connects as [`connect`](Self::connect) does, from a chosen address or
    /// with other options that a socket must have before it connects.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and what bind(2) and setsockopt(2) say.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes every socket that was being connected.
    pub async fn connect_with(
        target: impl Into<Target>,
        options: &ConnectOptions,
    ) -> io::Result<Self> {
        connect::connect(target.into(), options).await
    }

    /// Waits for the end of a handshake that has begun.
    pub(super) async fn connecting(socket: std::net::TcpStream) -> io::Result<Self> {
        let io = mio::net::TcpStream::from_std(socket);
        let stream = TcpStream(Registered::connecting(current(), io)?);
        poll_fn(|cx| stream.poll_connected(cx)).await?;
        Ok(stream)
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
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let parts = current();
        stream.set_nonblocking(true)?;
        let stream = Self::accepted(parts, mio::net::TcpStream::from_std(stream))?;
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
    /// One end for the loop, one for a thread that blocks:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::io::Read;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    /// let mut client = TcpStream::from_std(client)?;
    /// let mut server = listener.accept().await?.0.into_std()?;
    /// client.write_all(b"tick").await?;
    /// let mut buf = [0; 4];
    /// server.read_exact(&mut buf)?;
    /// assert_eq!(&buf, b"tick");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        let duplicate = self.0.get().as_fd().try_clone_to_owned()?;
        let stream = std::net::TcpStream::from(duplicate);
        self.0.release()?;
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    pub(super) fn accepted(parts: Rc<Parts>, io: mio::net::TcpStream) -> io::Result<Self> {
        Registered::new(parts, io).map(TcpStream)
    }

    /// Reads what has arrived into `buf`, waiting until something has.
    /// Returns how many bytes; zero means that the peer sends no more (or
    /// that `buf` is empty).
    ///
    /// # Errors
    ///
    /// What recv(2) says.
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
    /// `UnexpectedEof` if the peer closes first; else what recv(2) says.
    ///
    /// # Cancellation
    ///
    /// Bytes read so far are in `buf`, but how many is lost.
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        duplex::read_exact(self, buf).await
    }

    /// Writes as much of `buf` as fits, waiting until something does.
    /// Returns how many bytes were taken.
    ///
    /// # Errors
    ///
    /// What send(2) says. A broken connection is an error, never a signal.
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
    /// What send(2) says.
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
    /// What writev(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    ///
    /// # Examples
    ///
    /// A head and a body, and neither is copied:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::io::IoSlice;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// let parts = [IoSlice::new(b"head "), IoSlice::new(b"body")];
    /// assert_eq!(client.write_vectored(&parts).await?, 9);
    /// assert_eq!(client.write(b"!").await?, 1);
    /// let mut buf = [0; 10];
    /// server.read_exact(&mut buf).await?;
    /// assert_eq!(&buf, b"head body!");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        duplex::write_vectored(self, bufs).await
    }

    /// Splits it into a reading and a writing half that borrow it.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
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
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// let (mut reader, mut writer) = client.into_split();
    /// tourbillon::spawn(async move { writer.write_all(b"tick").await }).detach();
    /// let (mut from, mut to) = server.split();
    /// let mut buf = [0; 4];
    /// from.read_exact(&mut buf).await?;
    /// to.write_all(&buf).await?;
    /// reader.read_exact(&mut buf).await?;
    /// assert_eq!(&buf, b"tick");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::owned(self)
    }

    /// Closes one direction, or both. Closing the writing one is how the
    /// peer learns that no more will come, while it can still answer.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the peer has reset the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::net::Shutdown;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// client.shutdown(Shutdown::Write)?; // that was the question
    /// assert_eq!(server.read(&mut [0; 8]).await?, 0);
    /// server.write_all(b"42").await?;
    /// assert_eq!(client.read(&mut [0; 8]).await?, 2);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.close(how)
    }

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get().peer_addr()
    }

    /// The address at this end.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get().local_addr()
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
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::{future::poll_fn, io::IoSlice};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// let bufs = [IoSlice::new(b"tick")];
    /// assert_eq!(poll_fn(|cx| client.poll_write(cx, b"tack, ")).await?, 6);
    /// assert_eq!(poll_fn(|cx| client.poll_write_vectored(cx, &bufs)).await?, 4);
    /// let mut buf = [0; 10];
    /// let count = poll_fn(|cx| server.poll_read(cx, &mut buf)).await?;
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

    /// What is known of the peer without reading. Unless it is gone, the
    /// task is woken when that changes, or when data arrives; this takes the
    /// place of a waiting read.
    pub fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        self.0.poll_peer(cx)
    }

    /// Whether the kernel knows of no data and no end, whatever the loop has
    /// heard so far.
    pub(crate) fn is_quiet(&self) -> bool {
        let looked = self.0.get().peek(&mut [0]);
        matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_ready(cx, Direction::Write))?;
            let io = self.0.get();
            if let Some(error) = io.take_error()? {
                return Poll::Ready(Err(error));
            }
            match io.peer_addr() {
                Ok(_) => return Poll::Ready(Ok(())),
                // Woken too soon: the handshake is still under way.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    drop(io);
                    self.0.clear_ready(Direction::Write)?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Duplex for TcpStream {
    #[inline]
    fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let wanted = buf.len();
        let read = |mut io: &mio::net::TcpStream| io.read(buf);
        self.0.poll_move(cx, Direction::Read, wanted, read)
    }

    #[inline]
    fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = |mut io: &mio::net::TcpStream| io.write(buf);
        self.0.poll_move(cx, Direction::Write, buf.len(), write)
    }

    fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        duplex::poll_send_vectored(&self.0, cx, bufs)
    }

    fn close(&self, how: Shutdown) -> io::Result<()> {
        self.0.get().shutdown(how)
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.0.get().as_raw_fd()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpStream")
            .field("fd", &self.as_raw_fd())
            .field("peer", &self.peer_addr().ok())
            .finish()
    }
}
