//! Unix sockets: listening with a mode and a backlog, and who is at the other end.

use std::io;
use std::mem::{self, offset_of};
use std::os::fd::{AsRawFd, BorrowedFd};
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use libc::{c_int, socklen_t};

use super::socket::{check, stream_socket};

const PATH_AT: usize = offset_of!(libc::sockaddr_un, sun_path);

/// How many bytes the path of a Unix socket may have; one more ends it.
pub(crate) const UNIX_PATH_MAX: usize = mem::size_of::<libc::sockaddr_un>() - PATH_AT - 1;

/// Opens a listening Unix socket, nonblocking and closed on exec.
///
/// `bound` runs when the socket has its name and nobody can connect yet: the time to set the mode
/// of its file.
pub(crate) fn listen_unix(
    address: &SocketAddr,
    backlog: u32,
    bound: impl FnOnce() -> io::Result<()>,
) -> io::Result<UnixListener> {
    let socket = stream_socket(libc::AF_UNIX)?;
    let (name, size) = sockaddr(address);
    let name: *const libc::sockaddr_un = &raw const name;
    // SAFETY: bind(2) reads `size` bytes, which is at most the size of the sockaddr_un.
    check(unsafe { libc::bind(socket.as_raw_fd(), name.cast(), size) })?;
    bound()?;
    let backlog = c_int::try_from(backlog).unwrap_or(c_int::MAX);
    // SAFETY: listen(2) takes an open descriptor and a number; no memory is involved.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(UnixListener::from(socket))
}

/// What the kernel knows an address by, and how much of it counts. std has checked the length.
fn sockaddr(address: &SocketAddr) -> (libc::sockaddr_un, socklen_t) {
    // SAFETY: all zeroes is a valid sockaddr_un: numbers only.
    let mut name: libc::sockaddr_un = unsafe { mem::zeroed() };
    name.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let mut copy = |at: usize, bytes: &[u8]| {
        for (to, from) in name.sun_path[at..].iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        at + bytes.len()
    };
    // A path ends with a zero byte that counts, an abstract name begins with one.
    let used = match (address.as_pathname(), abstract_name(address)) {
        (Some(path), _) => copy(0, path.as_os_str().as_bytes()) + 1,
        (None, Some(abstract_name)) => copy(1, abstract_name),
        (None, None) => 0,
    };
    let size = socklen_t::try_from(PATH_AT + used).expect("a socket address is a few bytes");
    (name, size)
}

#[cfg(target_os = "linux")]
fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    address.as_abstract_name()
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
    None
}

/// The process at the other end of a Unix socket, as it was when it connected, or began to listen.
///
/// # Examples
///
/// Only for the same user:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{UCred, UnixStream};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// fn may_enter(peer: UCred, owner: u32) -> bool {
///     peer.uid == owner
/// }
///
/// let (here, there) = UnixStream::pair()?;
/// let owner = there.peer_cred()?.uid;
/// assert!(may_enter(here.peer_cred()?, owner));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UCred {
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its number, on Linux and macOS. By now it may be another's.
    pub pid: Option<i32>,
}

/// Asks who is at the other end (`SO_PEERCRED`; unix(7)).
#[cfg(target_os = "linux")]
pub(crate) fn peer_cred(fd: BorrowedFd<'_>) -> io::Result<UCred> {
    let mut cred = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    option(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, &mut cred)?;
    Ok(UCred {
        uid: cred.uid,
        gid: cred.gid,
        pid: Some(cred.pid),
    })
}

/// Asks who is at the other end (getpeereid(3)).
#[cfg(not(target_os = "linux"))]
pub(crate) fn peer_cred(fd: BorrowedFd<'_>) -> io::Result<UCred> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: getpeereid(3) writes two numbers through pointers to two that live here.
    check(unsafe { libc::getpeereid(fd.as_raw_fd(), &raw mut uid, &raw mut gid) })?;
    let pid = peer_pid(fd)?;
    Ok(UCred { uid, gid, pid })
}

#[cfg(target_vendor = "apple")]
fn peer_pid(fd: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    let mut pid: libc::pid_t = 0;
    option(fd, libc::SOL_LOCAL, libc::LOCAL_PEERPID, &mut pid)?;
    Ok(Some(pid))
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn peer_pid(_: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    Ok(None)
}

/// Reads an option whose C type is laid out as `T`: plain numbers.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn option<T: Copy>(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &mut T) -> io::Result<()> {
    let mut size = socklen_t::try_from(mem::size_of::<T>()).expect("an option is a few bytes");
    let value: *mut T = value;
    // SAFETY: getsockopt(2) writes at most as many bytes as `size` says, which is what `value`
    // has, and any bytes are numbers.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value.cast(), &raw mut size) })?;
    Ok(())
}
