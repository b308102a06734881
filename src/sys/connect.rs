//! Beginning a TCP connection, with what has to be said before it begins.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libc::c_int;

use super::socket::{
    bind, check, family_of, set_option, size_of_option, sockaddr_v4, sockaddr_v6, stream_socket,
};

/// How to connect: what a socket must know before, and what is usually set at once.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{ConnectOptions, TcpListener, TcpStream};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let options = ConnectOptions {
///         local_address: Some("127.0.0.1:0".parse().unwrap()),
///         no_delay: true,
///         ..ConnectOptions::default()
///     };
///     let stream = TcpStream::connect_with(listener.local_addr()?, &options).await?;
///     assert!(stream.nodelay()?);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The address and port to come from; port 0 takes a free one. Addresses of the other family
    /// are not connected to. Default: what the system chooses.
    pub local_address: Option<SocketAddr>,
    /// Whether the port of `local_address` may be taken while an old connection of it is in
    /// TIME_WAIT. Default: no.
    pub reuse_address: bool,
    /// Whether small writes are sent at once (`TCP_NODELAY`). Default: no, as the system has it.
    pub no_delay: bool,
    /// Bytes the kernel may hold that are on their way to the peer (`SO_SNDBUF`; Linux doubles it
    /// for its own records). Default: the system's, which grows and shrinks by itself.
    pub send_buffer: Option<u32>,
    /// Bytes the kernel may hold that were not read (`SO_RCVBUF`; Linux doubles it). It bounds the
    /// window offered in the handshake, so it must be set before. Default: as above.
    pub receive_buffer: Option<u32>,
}

/// Opens a TCP socket, nonblocking and closed on exec, and begins to connect it.
///
/// It becomes writable when the connection is made or has failed.
pub(crate) fn connect(addr: SocketAddr, options: &ConnectOptions) -> io::Result<TcpStream> {
    let socket = stream_socket(family_of(addr))?;
    let fd = socket.as_fd();
    // There is no flag against SIGPIPE on a write there, only this.
    #[cfg(target_vendor = "apple")]
    set_flag(fd, libc::SOL_SOCKET, libc::SO_NOSIGPIPE)?;
    if options.reuse_address {
        set_flag(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    }
    if options.no_delay {
        set_flag(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    }
    let sizes = [
        (libc::SO_SNDBUF, options.send_buffer),
        (libc::SO_RCVBUF, options.receive_buffer),
    ];
    for (name, size) in sizes {
        if let Some(size) = size {
            let size = c_int::try_from(size).unwrap_or(c_int::MAX);
            set_option(fd, libc::SOL_SOCKET, name, &size)?;
        }
    }
    match (options.local_address, addr) {
        (None, _) => {}
        (Some(SocketAddr::V4(local)), SocketAddr::V4(_)) => bind(fd, &sockaddr_v4(local))?,
        (Some(SocketAddr::V6(local)), SocketAddr::V6(_)) => bind(fd, &sockaddr_v6(local))?,
        (Some(local), _) => {
            let text = format!("the local address {local} is of the other family");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    }
    match addr {
        SocketAddr::V4(addr) => begin(fd, &sockaddr_v4(addr))?,
        SocketAddr::V6(addr) => begin(fd, &sockaddr_v6(addr))?,
    }
    Ok(TcpStream::from(socket))
}

fn set_flag(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<()> {
    set_option(fd, level, name, &c_int::from(true))
}

/// Calls connect(2) with a socket address of either family.
fn begin<A>(fd: BorrowedFd<'_>, addr: &A) -> io::Result<()> {
    let addr: *const A = addr;
    // SAFETY: connect(2) reads as many bytes as the third argument says, and the reference vouches
    // for that many. Both callers pass a sockaddr whose family tells its type.
    let begun = check(unsafe { libc::connect(fd.as_raw_fd(), addr.cast(), size_of_option::<A>()) });
    match begun {
        // Interrupted or not, it goes on by itself.
        Err(error) if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => {
            Err(error)
        }
        _ => Ok(()),
    }
}
