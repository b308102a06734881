//! TCP options that the standard library has no word for.

use std::io::{self, IoSlice};
use std::mem;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use libc::{c_int, c_void, socklen_t};

use super::fault::NamedError;

/// Whether a socket that `accept` returns has the listener's `TCP_NODELAY`, so that setting it once
/// per listener is enough.
///
/// Linux copies it (a test here holds that). The BSD and macOS kernels appear to do the same, but
/// do not document it and nobody has tested it here: there, set it on each accepted socket.
pub(crate) const ACCEPTED_INHERIT_NODELAY: bool = cfg!(target_os = "linux");

/// How to listen.
///
/// # Examples
///
/// Two that share a port, as two workers of a server do:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{ListenOptions, TcpListener};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
/// let one = TcpListener::bind_with("127.0.0.1:0".parse().unwrap(), &options)?;
/// let other = TcpListener::bind_with(one.local_addr()?, &options)?;
/// assert_eq!(one.local_addr()?, other.local_addr()?);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// How many connections the kernel completes before the program accepts them. Default: 2048, as
    /// in Uvicorn. Linux lowers it to `net.core.somaxconn`, 4096 on current kernels.
    pub backlog: u32,
    /// Whether the port may be taken while old connections of it are in TIME_WAIT. Default: yes,
    /// else a restarted server has to wait for a minute.
    pub reuse_address: bool,
    /// Whether several sockets may listen on the same port and share its connections, as several
    /// worker processes do. Default: no. Linux and FreeBSD spread the connections evenly; macOS
    /// does not.
    pub reuse_port: bool,
    /// Whether an IPv6 socket refuses IPv4 peers; `None`, the default, leaves it to the system.
    pub only_v6: Option<bool>,
    /// Whether accepted connections send small writes at once (`TCP_NODELAY`). Default: yes.
    pub no_delay: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 2048,
            reuse_address: true,
            reuse_port: false,
            only_v6: None,
            no_delay: true,
        }
    }
}

/// How many slices one call of [`send_vectored`] takes: IOV_MAX, of which every system here has at
/// least this.
pub(crate) const SLICES_MAX: usize = 1024;

/// Sends from several buffers. Unlike writev(2) it raises no SIGPIPE, so it is safe in programs
/// that have not ignored that signal: those whose main function is not Rust's.
pub(crate) fn send_vectored(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    // macOS has no such flag; there std sets SO_NOSIGPIPE on its sockets.
    #[cfg(target_vendor = "apple")]
    const FLAGS: c_int = 0;
    #[cfg(not(target_vendor = "apple"))]
    const FLAGS: c_int = libc::MSG_NOSIGNAL;
    // SAFETY: all zeroes is a valid msghdr: no name, no buffers, no control data.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = bufs.as_ptr().cast_mut().cast();
    message.msg_iovlen = bufs.len().min(SLICES_MAX) as _;
    // SAFETY: IoSlice has the layout of iovec, and sendmsg only reads through the pointers, to
    // buffers that are borrowed for the whole call.
    let sent = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, FLAGS) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Opens a listening TCP socket, nonblocking and closed on exec.
///
/// # Errors
///
/// The error names the address and, for the usual mistakes, the remedy;
/// [`raw_os_error`](super::raw_os_error) finds the number of the kernel's in it.
pub(crate) fn listen(addr: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    bind_and_listen(addr, options).map_err(|error| {
        let remedy = match error.raw_os_error() {
            Some(libc::EADDRINUSE) => Some("another socket listens there, choose another port"),
            Some(libc::EADDRNOTAVAIL) => Some("no interface of this machine has that address"),
            Some(libc::EACCES) if addr.port() < 1024 => {
                Some("ports below 1024 need a privilege, choose one above")
            }
            _ => None,
        };
        NamedError::wrap(error, format!("cannot listen on {addr}"), remedy)
    })
}

fn bind_and_listen(addr: SocketAddr, options: &ListenOptions) -> io::Result<TcpListener> {
    let socket = stream_socket(family_of(addr))?;
    let fd = socket.as_fd();
    if options.reuse_address {
        set_option(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, &c_int::from(true))?;
    }
    if options.reuse_port {
        set_option(fd, libc::SOL_SOCKET, SHARED_PORT, &c_int::from(true))?;
    }
    if let (Some(only_v6), SocketAddr::V6(_)) = (options.only_v6, addr) {
        let only_v6 = c_int::from(only_v6);
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, &only_v6)?;
    }
    if options.no_delay {
        set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, &c_int::from(true))?;
    }
    match addr {
        SocketAddr::V4(addr) => bind(fd, &sockaddr_v4(addr))?,
        SocketAddr::V6(addr) => bind(fd, &sockaddr_v6(addr))?,
    }
    let backlog = c_int::try_from(options.backlog).unwrap_or(c_int::MAX);
    // SAFETY: listen(2) takes an open descriptor and a number; no memory is involved.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(TcpListener::from(socket))
}

pub(super) fn family_of(addr: SocketAddr) -> c_int {
    match addr {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    }
}

/// FreeBSD spreads connections only over sockets that ask for it by this other name.
#[cfg(target_os = "freebsd")]
const SHARED_PORT: c_int = libc::SO_REUSEPORT_LB;
#[cfg(not(target_os = "freebsd"))]
const SHARED_PORT: c_int = libc::SO_REUSEPORT;

#[cfg(not(target_vendor = "apple"))]
pub(super) fn stream_socket(family: c_int) -> io::Result<OwnedFd> {
    open_socket(
        family,
        libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
    )
}

/// macOS cannot create a socket nonblocking and closed on exec, so between the calls a fork on
/// another thread may inherit it.
#[cfg(target_vendor = "apple")]
pub(super) fn stream_socket(family: c_int) -> io::Result<OwnedFd> {
    let socket = open_socket(family, libc::SOCK_STREAM)?;
    // SAFETY: F_SETFD takes a number and touches no memory.
    check(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
    set_nonblocking(socket.as_fd())?;
    Ok(socket)
}

fn open_socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes three numbers.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: the descriptor was just opened and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes reads and writes on the open file behind `fd` return instead of wait.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL takes nothing, and touches no memory.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes a number, and touches no memory.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

pub(super) fn sockaddr_v4(addr: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        sin_len: mem::size_of::<libc::sockaddr_in>() as u8,
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: addr.port().to_be(),
        sin_addr: libc::in_addr {
            // The octets are in network order already, so they keep their order in memory.
            s_addr: u32::from_ne_bytes(addr.ip().octets()),
        },
        sin_zero: [0; 8],
    }
}

pub(super) fn sockaddr_v6(addr: SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        sin6_len: mem::size_of::<libc::sockaddr_in6>() as u8,
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: addr.port().to_be(),
        sin6_flowinfo: addr.flowinfo(),
        sin6_addr: libc::in6_addr {
            s6_addr: addr.ip().octets(),
        },
        sin6_scope_id: addr.scope_id(),
    }
}

/// Binds to a socket address of either family.
pub(super) fn bind<A>(fd: BorrowedFd<'_>, addr: &A) -> io::Result<()> {
    let addr: *const A = addr;
    // SAFETY: bind(2) reads as many bytes as the third argument says, and the reference vouches for
    // that many. All callers pass a sockaddr whose family tells its type.
    check(unsafe { libc::bind(fd.as_raw_fd(), addr.cast(), size_of_option::<A>()) })?;
    Ok(())
}

/// TCP keep-alive: how a connection that says nothing is found dead.
///
/// The kernel counts whole seconds; a duration is rounded up, and zero becomes one second.
///
/// # Examples
///
/// A peer that vanished is found after a minute and a half:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::net::{Keepalive, TcpListener, TcpStream};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?).await?;
/// let patience = Keepalive {
///     idle: Duration::from_secs(60),
///     interval: Duration::from_secs(10),
///     retries: 3,
/// };
/// stream.set_keepalive(Some(patience))?;
/// assert_eq!(stream.keepalive()?, Some(patience));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time from one unanswered probe to the next.
    pub interval: Duration,
    /// Unanswered probes after which the connection is reset.
    pub retries: u32,
}

/// macOS has its own name for the silence before the first probe.
#[cfg(target_vendor = "apple")]
const KEEPALIVE_IDLE: c_int = libc::TCP_KEEPALIVE;
#[cfg(not(target_vendor = "apple"))]
const KEEPALIVE_IDLE: c_int = libc::TCP_KEEPIDLE;

/// Turns keep-alive probes of a TCP socket on, or with `None` off.
///
/// # Errors
///
/// Linux refuses more than 32767 seconds and more than 127 probes. Whether the socket probes at all
/// is unchanged then.
pub(crate) fn set_keepalive(fd: BorrowedFd<'_>, keepalive: Option<Keepalive>) -> io::Result<()> {
    if let Some(Keepalive {
        idle,
        interval,
        retries,
    }) = keepalive
    {
        let retries = c_int::try_from(retries).unwrap_or(c_int::MAX);
        let tcp = libc::IPPROTO_TCP;
        set_option(fd, tcp, KEEPALIVE_IDLE, &whole_seconds(idle).max(1))?;
        set_option(
            fd,
            tcp,
            libc::TCP_KEEPINTVL,
            &whole_seconds(interval).max(1),
        )?;
        set_option(fd, tcp, libc::TCP_KEEPCNT, &retries)?;
    }
    // The switch comes last, so that no probe is sent at the system's default times.
    let on = c_int::from(keepalive.is_some());
    set_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, &on)
}

/// Reads the keep-alive of a TCP socket back; `None` if it is off.
///
/// # Errors
///
/// Fails if `fd` is no TCP socket.
pub(crate) fn keepalive(fd: BorrowedFd<'_>) -> io::Result<Option<Keepalive>> {
    if int_option(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE)? == 0 {
        return Ok(None);
    }
    let tcp = |name| int_option(fd, libc::IPPROTO_TCP, name).map(c_int::unsigned_abs);
    Ok(Some(Keepalive {
        idle: Duration::from_secs(tcp(KEEPALIVE_IDLE)?.into()),
        interval: Duration::from_secs(tcp(libc::TCP_KEEPINTVL)?.into()),
        retries: tcp(libc::TCP_KEEPCNT)?,
    }))
}

/// macOS counts `SO_LINGER` in clock ticks, and seconds under another name.
#[cfg(target_vendor = "apple")]
const LINGER_SECONDS: c_int = libc::SO_LINGER_SEC;
#[cfg(not(target_vendor = "apple"))]
const LINGER_SECONDS: c_int = libc::SO_LINGER;

/// Chooses what closing a socket does with bytes that are not sent yet.
///
/// `None`, the system's default: close returns at once and the kernel keeps sending. Zero: the
/// bytes are thrown away and the peer gets a reset, so that nothing stays in TIME_WAIT. More: close
/// may block for that long, even on a nonblocking socket, so a loop has no use for it.
///
/// # Errors
///
/// Fails if `fd` is no socket.
pub(crate) fn set_linger(fd: BorrowedFd<'_>, linger: Option<Duration>) -> io::Result<()> {
    let option = libc::linger {
        l_onoff: c_int::from(linger.is_some()),
        l_linger: linger.map_or(0, whole_seconds),
    };
    set_option(fd, libc::SOL_SOCKET, LINGER_SECONDS, &option)
}

/// Rounds up, so that a short time does not become none.
fn whole_seconds(time: Duration) -> c_int {
    let seconds = time
        .as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0));
    c_int::try_from(seconds).unwrap_or(c_int::MAX)
}

/// Sets an option whose C type is laid out as `T`.
pub(super) fn set_option<T: Copy>(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &T,
) -> io::Result<()> {
    let value: *const T = value;
    let size = size_of_option::<T>();
    // SAFETY: setsockopt(2) reads as many bytes as the last argument says, and the reference
    // vouches for that many.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.cast(), size) })?;
    Ok(())
}

pub(super) fn int_option(fd: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<c_int> {
    let mut value: c_int = 0;
    let mut size = size_of_option::<c_int>();
    let target: *mut c_void = (&raw mut value).cast();
    // SAFETY: getsockopt(2) writes at most as many bytes as `size` says, which is what `value` has.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, target, &raw mut size) })?;
    Ok(value)
}

pub(super) fn size_of_option<T>() -> socklen_t {
    socklen_t::try_from(mem::size_of::<T>()).expect("a socket option is a few bytes")
}

/// Turns the -1 of a system call into the error that `errno` holds.
pub(super) fn check(answer: c_int) -> io::Result<c_int> {
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}
