//! Who waits at the sockets while nobody looks at them: asked from any thread, changing nothing.
//!
//! The numbers may be stale when they are asked about. One that stands for something else by now
//! gives a wrong count, and one that stands for nothing is not counted.

use std::os::fd::RawFd;

/// How many connections wait to be accepted at a listening TCP socket, and how many may. None for
/// other sockets, and on other systems than Linux.
#[cfg(target_os = "linux")]
pub(crate) fn accept_queue(fd: RawFd) -> Option<(u32, u32)> {
    const LISTEN: u8 = 10;
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: getsockopt(2) writes at most `size` bytes to a buffer of that size, and the size. A
    // number that is no TCP socket is refused.
    let refused = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    // SAFETY: zeroes are a valid tcp_info, and so is what the kernel wrote over them.
    let info = unsafe { info.assume_init() };
    // For a listener, tcp(7) means these two fields otherwise: what waits, and the backlog.
    (refused == 0 && info.tcpi_state == LISTEN).then_some((info.tcpi_unacked, info.tcpi_sacked))
}

/// Not told.
#[cfg(not(target_os = "linux"))]
pub(crate) fn accept_queue(_fd: RawFd) -> Option<(u32, u32)> {
    None
}

/// Which of these descriptors can be read now, without blocking.
pub(crate) fn readable_now(fds: &[RawFd]) -> Vec<RawFd> {
    let ask = |&fd: &RawFd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut asked: Vec<libc::pollfd> = fds.iter().map(ask).collect();
    poll_now(&mut asked);
    let said = asked
        .iter()
        .filter(|one| one.revents & (libc::POLLIN | libc::POLLHUP) != 0);
    said.map(|one| one.fd).collect()
}

pub(super) fn poll_now(asked: &mut [libc::pollfd]) {
    // SAFETY: poll(2) reads and writes as many pollfd as it is told there are; with no time to
    // wait it returns at once. On an error it has written nothing.
    unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, 0) };
}
