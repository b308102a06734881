//! Errors of the kernel: naming what failed, and telling apart what a server has to tell apart.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::fd::RawFd;

/// An error of the kernel together with what was being done, as the inside of an [`io::Error`].
///
/// It exists because `io::Error` holds either a number or a text; this holds both. [`raw_os_error`]
/// finds the number again.
#[derive(Debug)]
pub(crate) struct NamedError {
    attempt: String,
    source: io::Error,
    remedy: Option<&'static str>,
}

impl NamedError {
    /// Wraps `source`, which ended the `attempt`; the `remedy` is what the reader can do about it.
    pub(crate) fn wrap(
        source: io::Error,
        attempt: String,
        remedy: Option<&'static str>,
    ) -> io::Error {
        let kind = source.kind();
        let named = Self {
            attempt,
            source,
            remedy,
        };
        io::Error::new(kind, named)
    }
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.attempt, self.source)?;
        self.remedy.map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

impl Error for NamedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Why a descriptor could not be registered with the kernel's poll, and what to do about it.
pub(crate) fn cannot_watch(fd: RawFd, error: io::Error) -> io::Error {
    let remedy = match (error.raw_os_error(), error.kind()) {
        (Some(libc::EPERM), _) => Some(
            "the kernel cannot poll regular files and directories: use spawn_blocking for them",
        ),
        (_, io::ErrorKind::AlreadyExists) => Some(
            "it is watched already: watch it once for both directions, or watch a duplicate of it",
        ),
        (Some(libc::EBADF), _) => Some("it is not open"),
        _ => None,
    };
    NamedError::wrap(error, format!("cannot watch descriptor {fd}"), remedy)
}

/// The number the kernel gave (`errno`), also from inside an error that names what failed.
///
/// The errors of `fs` and `process` have a text of their own, and [`io::Error`] keeps either a
/// number or a text: its own `raw_os_error` finds none in them.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # let mut rt = tourbillon::Runtime::new()?;
/// let error = rt.block_on(tourbillon::fs::read("/no/such/file")).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// assert_eq!(tourbillon::fs::raw_os_error(&error), Some(2));
/// # Ok(())
/// # }
/// ```
pub fn raw_os_error(error: &io::Error) -> Option<i32> {
    error.raw_os_error().or_else(|| {
        let named = error.get_ref()?.downcast_ref::<NamedError>()?;
        named.source.raw_os_error()
    })
}

/// Whether the process (`EMFILE`) or the machine (`ENFILE`) has no file descriptor left.
///
/// A listener that fails so stays readable, so a loop must not simply try again: it would spin.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(raw_os_error(error), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether the kernel lacks descriptors or memory: try again later, with less.
pub(crate) fn is_resource_exhausted(error: &io::Error) -> bool {
    is_out_of_descriptors(error)
        || matches!(raw_os_error(error), Some(libc::ENOBUFS | libc::ENOMEM))
}

/// Whether a failed `accept` speaks only of the one connection it would have returned: go on with
/// the next.
///
/// Linux hands errors that already wait on the new socket to `accept`, and accept(2) asks to treat
/// them "like `EAGAIN` by retrying". `EPERM` is a firewall's word about this peer.
pub(crate) fn is_peer_gone_on_accept(error: &io::Error) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if raw_os_error(error) == Some(libc::ENONET) {
        return true;
    }
    matches!(
        raw_os_error(error),
        Some(
            libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ETIMEDOUT
                | libc::EPERM
        )
    )
}
