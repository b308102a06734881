//! The few system calls that the bare loops and the load make.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Edge-triggered: each descriptor is told about once and never changed.
const READABLE: i32 = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;

/// What a call of C returned, or why it failed.
///
/// # Errors
///
/// The thread's `errno`, if it returned -1.
pub fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}

/// An epoll instance and room for what it reports.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// # Errors
    ///
    /// If the process has no descriptor left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed, and the descriptor belongs to nobody else yet.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        let events = Vec::with_capacity(1024);
        Ok(Epoll { fd, events })
    }

    /// Reports when there is something to read, and if that is wanted, room to write.
    ///
    /// # Errors
    ///
    /// If the descriptor is no socket.
    pub fn add(&self, fd: RawFd, key: usize, writes: bool) -> io::Result<()> {
        let room = if writes { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event {
            events: (READABLE | room) as u32,
            u64: key as u64,
        };
        let epoll = self.fd.as_raw_fd();
        // SAFETY: the kernel reads the event during the call only.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
    }

    /// Waits, for ever if `millis` is -1, and says how many events there are.
    ///
    /// # Errors
    ///
    /// None that is to be expected; an interruption counts as no event.
    pub fn wait(&mut self, millis: i32) -> io::Result<usize> {
        let (room, max) = (self.events.as_mut_ptr(), self.events.capacity() as i32);
        // SAFETY: the vector has room for that many events, and they live as long as it.
        let count = match check(unsafe { libc::epoll_wait(self.fd.as_raw_fd(), room, max, millis) })
        {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => 0,
            other => other? as usize,
        };
        // SAFETY: the kernel has written the first `count` of them.
        unsafe { self.events.set_len(count) };
        Ok(count)
    }

    /// The key of an event, and what happened.
    pub fn event(&self, place: usize) -> (usize, u32) {
        let event = self.events[place];
        (event.u64 as usize, event.events)
    }
}

/// Reads what is there: `Ok(None)` means nothing, and `Ok(Some(0))` the end.
///
/// # Errors
///
/// What the connection died of.
pub fn recv(fd: RawFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    let (room, len) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the kernel writes at most `len` bytes into the buffer.
    outcome(unsafe { libc::recv(fd, room, len, libc::MSG_DONTWAIT) })
}

/// Drops up to `len` bytes that are there, without copying them (tcp(7), `MSG_TRUNC`).
///
/// # Errors
///
/// What the connection died of.
pub fn skip(fd: RawFd, len: usize) -> io::Result<Option<usize>> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
    // SAFETY: with this flag a TCP socket writes nothing anywhere.
    outcome(unsafe { libc::recv(fd, std::ptr::null_mut(), len, flags) })
}

/// Sends what the kernel takes of `head` and then `body`: `Ok(None)` means nothing.
///
/// # Errors
///
/// What the connection died of.
pub fn send(fd: RawFd, head: &[u8], body: &[u8]) -> io::Result<Option<usize>> {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    if body.is_empty() {
        // SAFETY: the kernel reads `head` during the call only.
        return outcome(unsafe { libc::send(fd, head.as_ptr().cast(), head.len(), flags) });
    }
    let part = |bytes: &[u8]| libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut parts = [part(head), part(body)];
    // SAFETY: all zeros is a valid `msghdr`: no address, no parts, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_mut_ptr();
    message.msg_iovlen = 2;
    // SAFETY: the kernel reads both parts during the call only.
    outcome(unsafe { libc::sendmsg(fd, &message, flags) })
}

fn outcome(returned: isize) -> io::Result<Option<usize>> {
    if returned >= 0 {
        return Ok(Some(returned as usize));
    }
    match io::Error::last_os_error() {
        fault if fault.kind() == io::ErrorKind::WouldBlock => Ok(None),
        fault => Err(fault),
    }
}

/// Switches Nagle's algorithm off.
///
/// # Errors
///
/// If the descriptor is no TCP socket.
pub fn set_nodelay(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY)
}

/// Switches an option on.
///
/// # Errors
///
/// If the socket has no such option.
pub fn set_option(fd: RawFd, level: i32, name: i32) -> io::Result<()> {
    let (on, len) = (&1_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the kernel reads one integer during the call only.
    check(unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(on).cast(), len) })
        .map(drop)
}
