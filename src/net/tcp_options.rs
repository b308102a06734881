//! Options of a TCP connection.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::stream::TcpStream;
use crate::sys::{self, Keepalive};

/// Options. Each takes effect at once.
impl TcpStream {
    /// Sends small writes at once (`true`), or gathers them while the peer
    /// owes an acknowledgement (`false`: Nagle's algorithm).
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect(listener.local_addr()?).await?;
    /// assert!(!stream.nodelay()?);
    /// stream.set_nodelay(true)?; // for short messages that somebody waits for
    /// assert!(stream.nodelay()?);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_nodelay(&self, at_once: bool) -> io::Result<()> {
        self.0.get().set_nodelay(at_once)
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.get().nodelay()
    }

    /// Has the kernel ask a silent peer whether it is still there; `None`
    /// turns that off, the default.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        sys::set_keepalive(self.0.get().as_fd(), keepalive)
    }

    /// How the kernel asks a silent peer, if it does.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
        sys::keepalive(self.0.get().as_fd())
    }

    /// What becomes of unsent data on close: `None` (the default) sends it
    /// in the background, zero discards it and resets the connection.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    ///
    /// # Examples
    ///
    /// A connection that is to end at once, and leave nothing in the kernel:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::time::Duration;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// client.set_linger(Some(Duration::ZERO))?;
    /// drop(client);
    /// let error = server.read(&mut [0; 8]).await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        sys::set_linger(self.0.get().as_fd(), time)
    }
}
