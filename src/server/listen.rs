//! Where a server listens: what one can ask for, and what came of it.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// Where to listen.
///
/// # Examples
///
/// On both loopback addresses and at a path:
///
/// ```
/// use tourbillon::server::{Config, Listen};
///
/// let config = Config {
///     listen: vec![
///         Listen::Tcp("127.0.0.1:8000".parse()?),
///         Listen::Tcp("[::1]:8000".parse()?),
///         Listen::Unix { path: "/run/app.sock".into(), mode: Some(0o660) },
///     ],
///     ..Config::default()
/// };
/// # let _ = config;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listen {
    /// A TCP address. Port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket at `path`. Its file is removed at the end. One that is
    /// there already is replaced if nobody listens on it; any other file is
    /// an error.
    Unix {
        /// Where the file is. On Linux a path that begins with a zero byte is
        /// an abstract name, without a file.
        path: PathBuf,
        /// Who may connect: the file's permission bits. `None` leaves it to
        /// the process's umask.
        mode: Option<u32>,
    },
    /// A listening socket that this process has inherited, TCP or Unix, by
    /// its number. A duplicate of it is used: whoever opened it keeps it, and
    /// when the server has stopped, connections wait for the next one.
    ///
    /// A duplicate shares its open file description (dup(2)), and that
    /// becomes nonblocking and stays so. For whoever else holds the socket,
    /// in this process or another, accept(2) fails with `WouldBlock` from
    /// then on where it used to wait.
    Fd(RawFd),
    /// The sockets that systemd hands over, by `LISTEN_PID` and `LISTEN_FDS`
    /// (sd_listen_fds(3)): descriptors from 3 on. None is an error.
    Systemd,
}

/// Where a server has come to listen.
///
/// # Examples
///
/// ```
/// use tourbillon::server::LocalAddr;
///
/// let address = LocalAddr::Tcp("[::1]:8000".parse()?);
/// assert_eq!(address.to_string(), "http://[::1]:8000");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalAddr {
    /// A TCP address, with the port that was taken.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A socket that was inherited, with its number, and its TCP address if
    /// it has one.
    Fd(RawFd, Option<SocketAddr>),
}

impl LocalAddr {
    /// Its TCP address, if it has one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            LocalAddr::Tcp(address) => Some(*address),
            LocalAddr::Unix(_) => None,
            LocalAddr::Fd(_, address) => *address,
        }
    }
}

/// As in the log: `http://127.0.0.1:8000`, `unix socket /run/app.sock`,
/// `socket fd 3`.
impl fmt::Display for LocalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalAddr::Tcp(address) => write!(f, "http://{address}"),
            // An abstract name begins with a zero byte.
            LocalAddr::Unix(path) => match path.to_str() {
                Some(name) if !name.contains(char::is_control) => write!(f, "unix socket {name}"),
                _ => write!(f, "unix socket {path:?}"),
            },
            LocalAddr::Fd(fd, _) => write!(f, "socket fd {fd}"),
        }
    }
}
