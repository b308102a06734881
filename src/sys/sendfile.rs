//! From a file to a socket without a copy in between.
//!
//! Three kernels, three calls of one name: they differ in the order of their arguments and in how
//! they tell that only a part was sent.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::off_t;

/// Sends at most `len` bytes of `file`, from `offset` on, to `socket`. Zero means that the file
/// ends there (or that `len` is zero). Moves no file position, and raises no SIGPIPE.
///
/// # Errors
///
/// `Unsupported` if the kernel does not do it between these two, or not at that offset: then they
/// have to be read and written.
pub(crate) fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    len: usize,
) -> io::Result<usize> {
    let Ok(offset) = off_t::try_from(offset) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    if len == 0 {
        // FreeBSD and macOS would send all of it.
        return Ok(0);
    }
    without_sigpipe(|| call(socket, file, offset, len)).map_err(|error| {
        if is_refusal(&error) {
            return io::Error::new(io::ErrorKind::Unsupported, error);
        }
        error
    })
}

/// Whether an error says "not with these two", rather than that something broke.
fn is_refusal(error: &io::Error) -> bool {
    const REFUSALS: [i32; 7] = [
        libc::EINVAL,
        libc::ENOSYS,
        libc::ESPIPE,
        libc::ENOTSUP,
        libc::EOPNOTSUPP,
        libc::ENOTSOCK,
        libc::EOVERFLOW,
    ];
    error
        .raw_os_error()
        .is_some_and(|number| REFUSALS.contains(&number))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn call(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    mut offset: off_t,
    len: usize,
) -> io::Result<usize> {
    let (socket, file) = (socket.as_raw_fd(), file.as_raw_fd());
    // SAFETY: both descriptors are open for the call, which reads and writes one off_t that lives
    // here.
    let sent = unsafe { libc::sendfile(socket, file, &raw mut offset, len) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

#[cfg(target_os = "freebsd")]
fn call(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: off_t,
    len: usize,
) -> io::Result<usize> {
    let mut sent: off_t = 0;
    let (socket, file) = (socket.as_raw_fd(), file.as_raw_fd());
    // SAFETY: both descriptors are open for the call, no headers are passed, and the call writes
    // one off_t that lives here.
    let answer =
        unsafe { libc::sendfile(file, socket, offset, len, ptr::null_mut(), &raw mut sent, 0) };
    part_or_error(answer, sent)
}

#[cfg(target_vendor = "apple")]
fn call(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: off_t,
    len: usize,
) -> io::Result<usize> {
    let mut sent = off_t::try_from(len).unwrap_or(off_t::MAX);
    let (socket, file) = (socket.as_raw_fd(), file.as_raw_fd());
    // SAFETY: both descriptors are open for the call, no headers are passed, and the call reads
    // and writes one off_t that lives here.
    let answer = unsafe { libc::sendfile(file, socket, offset, &raw mut sent, ptr::null_mut(), 0) };
    part_or_error(answer, sent)
}

/// The BSD way: a full socket or a signal is an error even if a part was sent, and the part is
/// told beside it.
#[cfg(any(target_os = "freebsd", target_vendor = "apple"))]
fn part_or_error(answer: libc::c_int, sent: off_t) -> io::Result<usize> {
    if answer == 0 {
        return Ok(usize::try_from(sent).unwrap_or(0));
    }
    let error = io::Error::last_os_error();
    match (error.raw_os_error(), usize::try_from(sent)) {
        (Some(libc::EAGAIN | libc::EINTR), Ok(sent)) if sent > 0 => Ok(sent),
        _ => Err(error),
    }
}

/// sendfile has no flag against SIGPIPE, and a host whose main function is not Rust's dies of it.
/// So the signal is kept from this thread for the length of the call, and eaten if it came: it is
/// meant for the thread that made the call.
fn without_sigpipe<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let pipe = sigpipe_alone();
    // SAFETY: all zeroes is a valid signal set on every system here, and it is written before it
    // is read.
    let mut before: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the call reads one set and writes another, both of which live here.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const pipe, &raw mut before) };
    let result = call();
    // SAFETY: the call reads one set that lives here.
    let was_blocked = unsafe { libc::sigismember(&raw const before, libc::SIGPIPE) } == 1;
    let is_broken = matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EPIPE));
    if is_broken && !was_blocked {
        eat(&pipe);
    }
    // SAFETY: the call reads one set that lives here.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    result
}

fn sigpipe_alone() -> libc::sigset_t {
    // SAFETY: as above; sigemptyset makes it a set whatever zeroes are.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: both calls write to one set that lives here.
    unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
    }
    set
}

/// Takes a blocked SIGPIPE away, if one waits; does not wait for one.
#[cfg(not(target_vendor = "apple"))]
fn eat(pipe: &libc::sigset_t) {
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call reads a set that is borrowed and a time that lives here.
    unsafe { libc::sigtimedwait(pipe, ptr::null_mut(), &raw const at_once) };
}

/// The same where there is no sigtimedwait. Sockets made by std, mio and this crate have
/// SO_NOSIGPIPE there, so as a rule none waits.
#[cfg(target_vendor = "apple")]
fn eat(pipe: &libc::sigset_t) {
    // SAFETY: all zeroes is a valid signal set, and it is written before it is read.
    let mut waiting: libc::sigset_t = unsafe { mem::zeroed() };
    let mut signal = 0;
    // SAFETY: the calls read and write sets and one number that live here or are borrowed.
    unsafe {
        libc::sigpending(&raw mut waiting);
        if libc::sigismember(&raw const waiting, libc::SIGPIPE) == 1 {
            libc::sigwait(pipe, &raw mut signal);
        }
    }
}
