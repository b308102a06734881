//! What another thread is doing, as far as the kernel tells: its time on the processor, its state,
//! the system call it is in.
//!
//! On Linux by the thread's own clock and proc(5); elsewhere nothing is told, and every answer is
//! none. A thread that has ended has none either; a number that was given to another thread since
//! gives wrong answers, and does no harm.

use std::fmt;
use std::time::Duration;

/// A thread of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadId {
    #[cfg(target_os = "linux")]
    number: libc::pid_t,
    #[cfg(not(target_os = "linux"))]
    thread: libc::pthread_t,
}

/// What the scheduler has it down as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "elsewhere nothing is told")
)]
pub(crate) enum RunState {
    /// On a processor, or waiting for one.
    Running,
    /// Waiting for something, in the kernel.
    Asleep,
    /// Stopped by a signal or a debugger.
    Stopped,
}

/// What a system call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "elsewhere nothing is told")
)]
pub(crate) enum WaitsFor {
    /// Time to pass.
    Time,
    /// A lock, a condition, another thread.
    Lock,
    /// A file, a pipe, a terminal.
    File,
    /// The other end of a socket.
    Socket,
    /// Anything else.
    Other,
}

/// A system call that a thread is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Syscall {
    pub(crate) number: i64,
    pub(crate) waits_for: WaitsFor,
    /// As in the manual; "system call 17" where it is not known here.
    pub(crate) name: String,
}

#[cfg(target_os = "linux")]
impl ThreadId {
    /// The calling thread.
    pub(crate) fn here() -> Self {
        // SAFETY: gettid(2) takes nothing and returns a number.
        let number = unsafe { libc::syscall(libc::SYS_gettid) };
        Self {
            number: number as libc::pid_t,
        }
    }

    /// Sends it a signal; false if it has gone.
    pub(super) fn signal(self, signal: libc::c_int) -> bool {
        // By tgkill(2), which takes numbers: pthread_kill(3) must not be given a thread that ended.
        // SAFETY: it takes three numbers, and signals no thread but of this process.
        let result =
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), self.number, signal) };
        result == 0
    }

    /// How long it has been on a processor in all.
    pub(crate) fn cpu_time(self) -> Option<Duration> {
        // How the kernel writes "the scheduler's time of this thread" as a clock; it is what
        // pthread_getcpuclockid(3) makes of a thread, and needs none that lives.
        let clock = (!self.number << 3) | 6;
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: clock_gettime(2) writes one timespec through a pointer to one that lives here,
        // and refuses clocks that do not exist.
        if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
            return None;
        }
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanoseconds))
    }

    /// What it is down as, from `/proc/self/task/N/stat`.
    pub(crate) fn run_state(self) -> Option<RunState> {
        let text = self.read("stat")?;
        // The name is in parentheses, and may hold any of its own.
        let (_, rest) = text.rsplit_once(')')?;
        match rest.trim_start().chars().next()? {
            'R' => Some(RunState::Running),
            'S' | 'D' | 'I' => Some(RunState::Asleep),
            'T' | 't' => Some(RunState::Stopped),
            _ => None,
        }
    }

    /// The call it is in, from `/proc/self/task/N/syscall`; none if it is in none.
    pub(crate) fn syscall(self) -> Option<Syscall> {
        let text = self.read("syscall")?;
        // "running", or the number and its six arguments.
        let mut words = text.split_whitespace();
        let number: i64 = words.next()?.parse().ok().filter(|&number| number >= 0)?;
        let first = words.next().and_then(|word| word.strip_prefix("0x"));
        let first = first.and_then(|digits| i64::from_str_radix(digits, 16).ok());
        let (name, mut waits_for) = named(number);
        if waits_for == WaitsFor::File && first.is_some_and(is_socket) {
            waits_for = WaitsFor::Socket;
        }
        Some(Syscall {
            number,
            waits_for,
            name: name.map_or_else(|| format!("system call {number}"), str::to_owned),
        })
    }

    fn read(self, file: &str) -> Option<String> {
        let path = format!("/proc/self/task/{}/{file}", self.number);
        std::fs::read_to_string(path).ok()
    }
}

#[cfg(not(target_os = "linux"))]
impl ThreadId {
    /// The calling thread.
    pub(crate) fn here() -> Self {
        Self {
            // SAFETY: it returns the calling thread's handle, and has no other effect.
            thread: unsafe { libc::pthread_self() },
        }
    }

    /// Sends it a signal. The thread lives: a target keeps it, and only targets are signalled.
    pub(super) fn signal(self, signal: libc::c_int) -> bool {
        // SAFETY: the thread has not ended; whoever calls this holds its target's lock.
        unsafe { libc::pthread_kill(self.thread, signal) == 0 }
    }

    /// Not told.
    pub(crate) fn cpu_time(self) -> Option<Duration> {
        None
    }

    /// Not told.
    pub(crate) fn run_state(self) -> Option<RunState> {
        None
    }

    /// Not told.
    pub(crate) fn syscall(self) -> Option<Syscall> {
        None
    }
}

/// Whether this process is being traced: a debugger may hold it for any time. `None` where the
/// kernel does not tell.
pub(crate) fn is_traced() -> Option<bool> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"))?;
    Some(line.trim() != "0")
}

/// Whether the descriptor is a socket.
#[cfg(target_os = "linux")]
fn is_socket(fd: i64) -> bool {
    let path = format!("/proc/self/fd/{fd}");
    let target = std::fs::read_link(path).unwrap_or_default();
    target.to_string_lossy().starts_with("socket:")
}

/// What is known of a system call by its number.
#[cfg(target_os = "linux")]
#[allow(
    clippy::useless_conversion,
    reason = "a c_long has 32 bits on other processors"
)]
fn named(number: i64) -> (Option<&'static str>, WaitsFor) {
    let found =
        [TIMES, LOCKS, FILES, SOCKETS, OTHERS]
            .into_iter()
            .find_map(|(waits_for, calls)| {
                let (_, name) = calls
                    .iter()
                    .find(|&&(known, _)| i64::from(known) == number)?;
                Some((Some(*name), waits_for))
            });
    found.unwrap_or_else(|| (old_name(number), old_kind(number)))
}

#[cfg(target_os = "linux")]
type Calls = (WaitsFor, &'static [(libc::c_long, &'static str)]);

#[cfg(target_os = "linux")]
const TIMES: Calls = (
    WaitsFor::Time,
    &[
        (libc::SYS_nanosleep, "nanosleep"),
        (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    ],
);

#[cfg(target_os = "linux")]
const LOCKS: Calls = (
    WaitsFor::Lock,
    &[(libc::SYS_futex, "futex"), (449, "futex_waitv")],
);

#[cfg(target_os = "linux")]
const FILES: Calls = (
    WaitsFor::File,
    &[
        (libc::SYS_read, "read"),
        (libc::SYS_write, "write"),
        (libc::SYS_readv, "readv"),
        (libc::SYS_writev, "writev"),
        (libc::SYS_pread64, "pread"),
        (libc::SYS_pwrite64, "pwrite"),
        (libc::SYS_preadv, "preadv"),
        (libc::SYS_pwritev, "pwritev"),
        (libc::SYS_openat, "openat"),
        (libc::SYS_fsync, "fsync"),
        (libc::SYS_fdatasync, "fdatasync"),
        (libc::SYS_sync, "sync"),
        (libc::SYS_close, "close"),
        (libc::SYS_flock, "flock"),
        (libc::SYS_getdents64, "getdents"),
        (libc::SYS_statx, "statx"),
        (libc::SYS_unlinkat, "unlinkat"),
        (libc::SYS_renameat2, "rename"),
        (libc::SYS_ftruncate, "ftruncate"),
        (libc::SYS_fallocate, "fallocate"),
        (libc::SYS_copy_file_range, "copy_file_range"),
        (libc::SYS_sendfile, "sendfile"),
        (libc::SYS_splice, "splice"),
    ],
);

#[cfg(target_os = "linux")]
const SOCKETS: Calls = (
    WaitsFor::Socket,
    &[
        (libc::SYS_connect, "connect"),
        (libc::SYS_accept, "accept"),
        (libc::SYS_accept4, "accept"),
        (libc::SYS_recvfrom, "recv"),
        (libc::SYS_recvmsg, "recvmsg"),
        (libc::SYS_recvmmsg, "recvmmsg"),
        (libc::SYS_sendto, "send"),
        (libc::SYS_sendmsg, "sendmsg"),
        (libc::SYS_sendmmsg, "sendmmsg"),
    ],
);

#[cfg(target_os = "linux")]
const OTHERS: Calls = (
    WaitsFor::Other,
    &[
        (libc::SYS_wait4, "wait4"),
        (libc::SYS_waitid, "waitid"),
        (libc::SYS_ppoll, "ppoll"),
        (libc::SYS_pselect6, "pselect"),
        (libc::SYS_epoll_pwait, "epoll_pwait"),
        (libc::SYS_rt_sigtimedwait, "sigtimedwait"),
        (libc::SYS_rt_sigsuspend, "sigsuspend"),
        (libc::SYS_msync, "msync"),
        (libc::SYS_munmap, "munmap"),
        (libc::SYS_getrandom, "getrandom"),
        (libc::SYS_sched_yield, "sched_yield"),
    ],
);

/// Those that newer processors never had.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn old_name(number: i64) -> Option<&'static str> {
    Some(match number {
        libc::SYS_open => "open",
        libc::SYS_stat => "stat",
        libc::SYS_lstat => "lstat",
        libc::SYS_poll => "poll",
        libc::SYS_select => "select",
        libc::SYS_epoll_wait => "epoll_wait",
        libc::SYS_pause => "pause",
        libc::SYS_unlink => "unlink",
        libc::SYS_rename => "rename",
        _ => return None,
    })
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn old_kind(number: i64) -> WaitsFor {
    match number {
        libc::SYS_open | libc::SYS_stat | libc::SYS_lstat | libc::SYS_unlink | libc::SYS_rename => {
            WaitsFor::File
        }
        _ => WaitsFor::Other,
    }
}

#[cfg(all(target_os = "linux", not(target_arch = "x86_64")))]
fn old_name(_number: i64) -> Option<&'static str> {
    None
}

#[cfg(all(target_os = "linux", not(target_arch = "x86_64")))]
fn old_kind(_number: i64) -> WaitsFor {
    WaitsFor::Other
}

impl fmt::Display for Syscall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
