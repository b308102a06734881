//! Accepting TCP connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::stream::TcpStream;
use crate::reactor::Direction;
use crate::runtime::{Registered, Sleep, current};
use crate::sys::{self, ListenOptions};

/// How long accepting rests when the descriptor table is full. nginx rests
/// 500 ms, actix-server 510, tokio's users a second; closing connections
/// free descriptors sooner than that.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// How often the log says that the table is full.
const FULL_LOG_EVERY: Duration = Duration::from_secs(1);

/// Accepts TCP connections.
///
/// Dropping it closes it; connections that nobody accepted are reset.
pub struct TcpListener {
    io: Registered<mio::net::TcpListener>,
    sets_nodelay: bool,

    // While the descriptor table is full.
    pause: Option<Sleep>,
    logged_at: Option<Instant>,
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
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let parts = current();
        listener.set_nonblocking(true)?;
        let io = Registered::new(parts, mio::net::TcpListener::from_std(listener))?;
        io.assume_readable();
        Ok(TcpListener {
            io,
            sets_nodelay: false,
            pause: None,
            logged_at: None,
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
    pub fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(Pin::new(pause).poll(cx));
                self.pause = None;
            }
            let accepted = self.io.poll_io(cx, Direction::Read, |io| io.accept());
            match ready!(accepted) {
                Ok((io, address)) => {
                    if self.sets_nodelay {
                        io.set_nodelay(true)?;
                    }
                    let stream = TcpStream::accepted(Rc::clone(self.io.parts()), io)?;
                    return Poll::Ready(Ok((stream, address)));
                }
                Err(error) if sys::is_peer_gone_on_accept(&error) => {}
                Err(error) if sys::is_resource_exhausted(&error) => self.rest(&error),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The address it listens on, with the port that was taken.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// Refuses the first in the queue and rests.
    #[cold]
    fn rest(&mut self, error: &io::Error) {
        let parts = self.io.parts();
        let now = parts.now();
        let is_quiet = self.logged_at.is_none_or(|at| now - at >= FULL_LOG_EVERY);
        if is_quiet {
            self.logged_at = Some(now);
            log::warn!(
                "accepting pauses: {error}. Raise the limit on open files (ulimit -n) or lower \
                 the limit on connections"
            );
        }
        let refused = parts.reactor.lend_reserve(|| {
            let connection = self.io.get().accept();
            connection.map(drop)
        });
        if let Err(error) = refused {
            log::debug!("the first in the queue could not be refused: {error}");
        }
        let end = parts.read_clock() + FULL_PAUSE;
        self.pause = Some(Sleep::new(Rc::clone(parts), Some(end)));
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get().as_raw_fd()
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
