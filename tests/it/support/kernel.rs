//! System calls that std does not have, for tests that look at what the kernel did.

use std::os::fd::RawFd;
use std::time::Duration;

/// Waits for `fd` to become readable; says whether it did before `limit`.
#[cfg(not(mio_unsupported_force_poll_poll))]
#[allow(unsafe_code)]
pub(crate) fn is_readable(fd: RawFd, limit: Duration) -> bool {
    let mut asked = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = i32::try_from(limit.as_millis()).unwrap();
    loop {
        // SAFETY: one live pollfd is passed, with its count.
        let count = unsafe { libc::poll(&mut asked, 1, millis) };
        let error = std::io::Error::last_os_error();
        match count {
            -1 if error.kind() == std::io::ErrorKind::Interrupted => {}
            -1 => panic!("poll: {error}"),
            count => return count == 1,
        }
    }
}

/// CPU time this process has used so far.
#[allow(unsafe_code)]
pub(crate) fn cpu_time() -> Duration {
    // SAFETY: rusage is plain numbers, for which zero is a value, and the call fills it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// What this thread has computed so far, by itself.
#[allow(unsafe_code)]
pub(crate) fn thread_cpu_time() -> Duration {
    // SAFETY: timespec is plain numbers, for which zero is a value, and the call fills it.
    let time = unsafe {
        let mut time = std::mem::zeroed::<libc::timespec>();
        let clock = libc::CLOCK_THREAD_CPUTIME_ID;
        assert_eq!(libc::clock_gettime(clock, &mut time), 0);
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Sets how many descriptors this process may have open.
#[allow(unsafe_code)]
pub(crate) fn limit_descriptors(count: u64) {
    // SAFETY: both calls take a pointer to one live rlimit.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = count as libc::rlim_t;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// Lets this process have as many descriptors open as it may.
#[allow(unsafe_code)]
pub(crate) fn raise_descriptor_limit() {
    // SAFETY: both calls take a pointer to one live rlimit.
    unsafe {
        let mut limit = std::mem::zeroed::<libc::rlimit>();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// Gives SIGPIPE back its default, which kills: what a host not written in Rust has.
#[allow(unsafe_code)]
pub(crate) fn default_sigpipe() {
    // SAFETY: no handler of ours is involved.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Sends one byte out of band.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn send_urgent(fd: RawFd, byte: u8) {
    // SAFETY: one live byte is passed, with its length.
    let sent = unsafe { libc::send(fd, (&raw const byte).cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
}

/// Sends one byte over a Unix socket, and a descriptor with it.
#[allow(unsafe_code)]
pub(crate) fn send_with_descriptor(socket: RawFd, byte: u8, passed: RawFd) {
    let mut bytes = [byte];
    let mut slice = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: 1,
    };
    let mut control = [0_u64; 8];
    // SAFETY: the message points to one live slice and to a control buffer that is large enough
    // and aligned for one header with one descriptor; zero is a value for the rest of it.
    unsafe {
        let mut message = std::mem::zeroed::<libc::msghdr>();
        message.msg_iov = &raw mut slice;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header)
            .cast::<RawFd>()
            .write_unaligned(passed);
        assert_eq!(libc::sendmsg(socket, &raw const message, 0), 1);
    }
}

/// A descriptor that is not open, to be handed in by mistake.
#[allow(unsafe_code)]
pub(crate) fn closed_descriptor() -> std::os::fd::BorrowedFd<'static> {
    // SAFETY: it breaks the promise that it is open, as a caller's mistake would; nothing but
    // system calls that check it uses it.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(1_000_000) }
}

/// An event counter of Linux's.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn event_counter() -> std::fs::File {
    use std::os::fd::FromRawFd;
    // SAFETY: the descriptor is new, and nobody else's.
    unsafe {
        let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
        assert!(fd >= 0);
        std::fs::File::from_raw_fd(fd)
    }
}

/// A queue of what happens in a folder.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn folder_events(folder: &std::path::Path) -> std::fs::File {
    use std::os::fd::FromRawFd;
    let folder = std::ffi::CString::new(folder.to_str().unwrap()).unwrap();
    // SAFETY: the descriptor is new, and nobody else's; the path is a live C string.
    unsafe {
        let fd = libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC);
        assert!(fd >= 0);
        assert!(libc::inotify_add_watch(fd, folder.as_ptr(), libc::IN_CREATE) >= 0);
        std::fs::File::from_raw_fd(fd)
    }
}

/// Duplicates a descriptor, as a library that keeps a socket alive would.
#[allow(unsafe_code)]
pub(crate) fn duplicate(fd: RawFd) -> std::os::fd::OwnedFd {
    // SAFETY: the caller's fd is open for the length of the call.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned().unwrap()
}

/// The sizes of a socket's sending and receiving buffer.
#[allow(unsafe_code)]
pub(crate) fn buffer_sizes(fd: RawFd) -> (i32, i32) {
    let size = |name| {
        let (mut size, mut len) = (0_i32, 4 as libc::socklen_t);
        // SAFETY: one live int is passed, with its length.
        let answer = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut size).cast(), &mut len)
        };
        assert_eq!(answer, 0);
        size
    };
    (size(libc::SO_SNDBUF), size(libc::SO_RCVBUF))
}
