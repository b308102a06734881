//! What the process was given by its host: how many descriptors it may have.

use std::io;

use super::fault::NamedError;

/// Raises the soft limit on file descriptors to the hard one, and returns what it is then.
///
/// A server spends one descriptor per connection, and the usual soft limit of 1024 dates from
/// select(2), which this crate does not use. The limit holds for the process and what it starts
/// later; a child that calls select needs it lowered again.
///
/// # Errors
///
/// Fails if the system refuses, with the limit unchanged.
pub(crate) fn raise_fd_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit(2) writes one rlimit through a pointer to one that lives here.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let wanted = reachable(limit.rlim_max);
    if limit.rlim_cur < wanted {
        limit.rlim_cur = wanted;
        // SAFETY: setrlimit(2) reads one rlimit through a pointer to one that lives here.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
            let attempt = format!("cannot raise the limit on file descriptors to {wanted}");
            return Err(NamedError::wrap(io::Error::last_os_error(), attempt, None));
        }
    }
    Ok(widen(limit.rlim_cur))
}

/// macOS reports no hard limit at all, but refuses a soft one above `OPEN_MAX`.
#[cfg(target_vendor = "apple")]
fn reachable(hard: libc::rlim_t) -> libc::rlim_t {
    hard.min(10_240)
}

#[cfg(not(target_vendor = "apple"))]
fn reachable(hard: libc::rlim_t) -> libc::rlim_t {
    hard
}

/// `rlim_t` is signed on FreeBSD, where infinity is its largest positive value.
#[cfg(target_os = "freebsd")]
fn widen(limit: libc::rlim_t) -> u64 {
    limit.unsigned_abs()
}

#[cfg(not(target_os = "freebsd"))]
fn widen(limit: libc::rlim_t) -> u64 {
    limit
}
