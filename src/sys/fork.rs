//! Noticing that this process is a fork of the one that made something.
//!
//! After fork(2) parent and child share what descriptors stand for: a child that asks an inherited
//! epoll takes the parent's events, and one that changes it changes the parent's. So whatever owns
//! such a thing remembers where it was made and looks before it touches the kernel.
//!
//! Looking is one load. The kernel is not asked for the process id: a handler that fork(3) itself
//! calls in the child counts one up. What goes around the C library (`clone` as a bare system call)
//! is not noticed, nor is vfork, whose child may do nothing but exec anyway.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between this process and the first that looked.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// The process that something was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin(u32);

impl Origin {
    /// This process. The first call has fork(3) tell of its children from then on.
    pub(crate) fn here() -> Self {
        static WATCHED: Once = Once::new();
        WATCHED.call_once(|| {
            // SAFETY: the handler is alive for ever and only adds to an atomic, which is
            // async-signal-safe, as a child of a process with threads needs it.
            let refused = unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
            if refused != 0 {
                log::warn!("forks of this process will not be noticed: out of memory");
            }
        });
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// Whether this still is that process. The count changes in a child before it has more than the
    /// one thread, so no order between threads is needed.
    #[inline]
    pub(crate) fn is_here(self) -> bool {
        FORKS.load(Ordering::Relaxed) == self.0
    }

    /// Refuses to go on in a forked child.
    ///
    /// # Errors
    ///
    /// `Unsupported`, if this process is a fork of the one that was remembered.
    #[inline]
    pub(crate) fn check(self) -> io::Result<()> {
        if self.is_here() {
            Ok(())
        } else {
            Err(forked())
        }
    }
}

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

#[cold]
fn forked() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "this process was forked from the one that the runtime belongs to, and would take its \
         events: exec a program, or make a new Runtime here",
    )
}
