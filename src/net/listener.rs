//! Accepting TCP connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::accepting::Accepting;
use super::stream::TcpStream;
use crate::runtime::{Registered, current};
use crate::sys::{self, ListenOptions};

/// Accepts TCP connections.
///
/// Dropping it closes it; connections that nobody accepted are reset.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{TcpListener, TcpStream};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let mut listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let client = async move { TcpStream::connect(address).await?.write_all(b"tick").await };
/// tourbillon::spawn(client).detach();
///
/// let (mut peer, from) = listener.accept().await?;
/// let mut buf = [0; 4];
/// peer.read_exact(&mut buf).await?;
/// assert_eq!((&buf, from.ip()), (b"tick", address.ip()));
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpListener {
    accepting: Accepting<mio::net::TcpListener>,
    sets_nodelay: bool,
}

impl TcpListener {
    /// Listens on `address`, with the default [`ListenOptions`]. Port 0
    /// takes a free one; see [`local_addr`](Self::local_addr). Of several
    /// addresses the first that can be listened on is taken; a name is looked
    /// up here and now, so a program that is running should give numbers.
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
            match Self::bind_with(address, &ListenOptions::default()) {
                Ok(listener) => return Ok(listener),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| io::Error::other("the name to listen on has no address")))
    }

    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn bind_with(address: SocketAddr, options: &ListenOptions) -> io::Result<Self> {
        let listener = sys::listen(address, options)?;
        let mut listener = Self::from_std(listener)?;
        listener.sets_nodelay = options.no_delay && !sys::ACCEPTED_INHERIT_NODELAY;
        Ok(listener)
    }

    /// Takes over a listening socket made elsewhere, and makes it
    /// non-blocking. Nagle's algorithm stays as that socket has it.
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
    /// A socket that a supervisor has opened, or a test:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let inherited = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let early = std::net::TcpStream::connect(inherited.local_addr()?)?;
    /// let mut listener = TcpListener::from_std(inherited)?;
    /// let (_, from) = listener.accept().await?;
    /// assert_eq!(from, early.local_addr()?);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let parts = current();
        listener.set_nonblocking(true)?;
        let io = Registered::new(parts, mio::net::TcpListener::from_std(listener))?;
        Ok(TcpListener {
            accepting: Accepting::new(io),
            sets_nodelay: false,
        })
    }

    /// Waits for a connection.
    ///
    /// Connections that ended before they were accepted are passed over. If
    /// the descriptor table is full, this logs it, closes the connection
    /// that waited longest so that its client learns, rests for 100 ms and
    /// goes on: it neither fails nor spins.
    ///
    /// # Errors
    ///
    /// What accept(2) says, other than the above.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    pub async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for what [`accept`](Self::accept) waits for.
    ///
    /// # Examples
    ///
    /// All that have connected, and no waiting for more:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::future::poll_fn;
    /// use std::task::Poll;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// let _client = TcpStream::connect(listener.local_addr()?).await?;
    /// let mut peers = Vec::new();
    /// poll_fn(|cx| {
    ///     while let Poll::Ready(accepted) = listener.poll_accept(cx)? {
    ///         peers.push(accepted);
    ///     }
    ///     Poll::Ready(Ok::<(), std::io::Error>(()))
    /// })
    /// .await?;
    /// assert_eq!(peers.len(), 1);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accepted = self.accepting.poll_accept(cx, |io| io.accept());
        let (io, address) = ready!(accepted)?;
        if self.sets_nodelay {
            io.set_nodelay(true)?;
        }
        let stream = TcpStream::accepted(Rc::clone(self.accepting.io.parts()), io)?;
        Poll::Ready(Ok((stream, address)))
    }

    /// The address it listens on, with the port that was taken.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.accepting.io.get().local_addr()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.accepting.io.get().as_raw_fd()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpListener")
            .field("fd", &self.as_raw_fd())
            .field("address", &self.local_addr().ok())
            .finish()
    }
}
