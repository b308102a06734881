//! Children: hearing of their end, sending them signals, and a thread that waits for several
//! descriptors at once.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::socket::check;

/// Opens a descriptor that becomes readable when the child `pid` ends, and is closed on exec.
///
/// The number must not have been freed by a wait, or it may be another's: open it for children of
/// one's own only, and before they are waited for.
///
/// # Errors
///
/// `Unsupported` where there is no such thing; on Linux before 5.3, or in a sandbox that does not
/// know the call, what the kernel says.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;

    let no_flags: libc::c_uint = 0;
    // SAFETY: pidfd_open(2) takes two numbers, and touches no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, no_flags) };
    let fd = check(libc::c_int::try_from(fd).expect("a descriptor is an int"))?;
    // SAFETY: the descriptor was just opened and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// There is no such thing here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn open_pidfd(_: u32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends the signal `number` to a child that has not been waited for; see [`open_pidfd`].
///
/// # Errors
///
/// What kill(2) says: no such signal, or not permitted since the child has become another user.
pub(crate) fn send_signal(pid: u32, number: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).expect("the kernel gave this number as a pid_t");
    // SAFETY: kill(2) takes two numbers, and touches no memory.
    check(unsafe { libc::kill(pid, number) })?;
    Ok(())
}

/// Blocks this thread until one of `fds` is readable or has failed, or `timeout` is over. Says
/// whether one is.
///
/// # Errors
///
/// What poll(2) says: out of memory. A signal that interrupts it ends it early.
pub(crate) fn wait_readable(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    let asked = |fd: &BorrowedFd<'_>| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut asked: Vec<libc::pollfd> = fds.iter().map(asked).collect();
    let millis = timeout.map_or(-1, |timeout| {
        // Rounded up: a wait that ends too soon would be begun again.
        timeout
            .as_micros()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(libc::c_int::MAX)
    });
    // SAFETY: poll(2) reads and writes as many pollfds as it is told of, and these live here.
    let ready = check(unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as _, millis) });
    match ready {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        ready => ready.map(|count| count > 0),
    }
}

/// Makes reads and writes on the open file behind `fd` wait instead of return.
pub(crate) fn set_blocking(fd: &impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: F_GETFL takes nothing, and touches no memory.
    let flags = check(unsafe { libc::fcntl(fd, libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes a number, and touches no memory.
    check(unsafe { libc::fcntl(fd, libc::F_SETFL, flags & !libc::O_NONBLOCK) })?;
    Ok(())
}
