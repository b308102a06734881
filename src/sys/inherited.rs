//! Listening sockets that another process has opened.

use std::io;
use std::mem;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use libc::{c_int, socklen_t};

use super::fault::NamedError;
use super::socket::{check, int_option, set_option};

/// A listening socket, by its family.
#[derive(Debug)]
pub(crate) enum InheritedListener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// Takes a listening stream socket by its number.
///
/// What it gives is a duplicate, closed on exec: so nothing is closed that is somebody else's, and
/// a number may be taken again. The descriptor itself stays open, and is marked to be closed on
/// exec as well.
///
/// # Errors
///
/// When the number is no open descriptor, or not of a stream socket that listens, on TCP or a Unix
/// socket. The message says which number it is.
pub(crate) fn inherit_listener(fd: RawFd) -> io::Result<InheritedListener> {
    let named = |error| NamedError::wrap(error, format!("cannot listen on descriptor {fd}"), None);
    take(fd).map_err(named)
}

fn take(fd: RawFd) -> io::Result<InheritedListener> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number; a wrong descriptor is an error, EBADF.
    let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the descriptor was just opened and nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(copy) };
    if int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_TYPE)? != libc::SOCK_STREAM {
        return Err(io::Error::other("it is not a stream socket"));
    }
    if int_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? == 0 {
        return Err(io::Error::other("the socket does not listen"));
    }
    // SAFETY: F_SETFD takes a number and touches no memory; the descriptor was open just now.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    match family(&socket)? {
        libc::AF_INET | libc::AF_INET6 => {
            // Small answers are to leave at once; whoever opened the socket need not know.
            let on = c_int::from(true);
            set_option(socket.as_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, &on)?;
            Ok(InheritedListener::Tcp(socket.into()))
        }
        libc::AF_UNIX => Ok(InheritedListener::Unix(socket.into())),
        family => Err(io::Error::other(format!(
            "the socket is neither TCP nor Unix but of address family {family}"
        ))),
    }
}

fn family(socket: &OwnedFd) -> io::Result<c_int> {
    // SAFETY: all zeroes is a valid sockaddr_storage: numbers only.
    let mut name: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut size = socklen_t::try_from(mem::size_of_val(&name)).expect("an address is small");
    let target: *mut libc::sockaddr_storage = &raw mut name;
    // SAFETY: getsockname(2) writes at most as many bytes as `size` says, which is what `name` has.
    check(unsafe { libc::getsockname(socket.as_raw_fd(), target.cast(), &raw mut size) })?;
    Ok(c_int::from(name.ss_family))
}
