//! How the end of a child is heard: by a pidfd, else by SIGCHLD.
//!
//! A pidfd is readable from the child's end on, and speaks of that child
//! alone. SIGCHLD speaks of all children, and several may be one: whoever
//! hears it has to look.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::reaper::Listening;
use crate::reactor::{Direction, FdSource};
use crate::runtime::{Parts, Registered};
use crate::sys::open_pidfd;

/// What tells of one child's end.
pub(super) enum ExitWatch {
    Pidfd(Pidfd),
    Sigchld(Listening),
}

/// A registered pidfd; the source goes before its descriptor is closed.
pub(super) struct Pidfd {
    source: Registered<FdSource<RawFd>>,
    _fd: OwnedFd,
}

impl ExitWatch {
    /// Listens for the end of the child `id`. A kernel, a sandbox or a full
    /// table that gives no pidfd is no reason to fail.
    pub(super) fn new(parts: &Rc<Parts>, id: u32, uses_pidfd: bool) -> Self {
        if uses_pidfd {
            match Pidfd::new(parts, id) {
                Ok(pidfd) => return ExitWatch::Pidfd(pidfd),
                Err(error) => log::debug!("SIGCHLD tells of process {id}, no pidfd: {error}"),
            }
        }
        ExitWatch::Sigchld(Listening::new())
    }

    /// Has the task woken by news. Says whether there are some already, to be
    /// [cleared](Self::clear) if they turn out to be none.
    pub(super) fn arm(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        match self {
            ExitWatch::Pidfd(pidfd) => match pidfd.source.poll_ready(cx, Direction::Read) {
                Poll::Ready(ready) => ready.map(|()| true),
                Poll::Pending => Ok(false),
            },
            ExitWatch::Sigchld(listening) => listening.arm(cx.waker()).map(|()| false),
        }
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        match self {
            ExitWatch::Pidfd(pidfd) => pidfd.source.clear_ready(Direction::Read),
            ExitWatch::Sigchld(_) => Ok(()),
        }
    }
}

impl Pidfd {
    fn new(parts: &Rc<Parts>, id: u32) -> io::Result<Self> {
        let fd = open_pidfd(id)?;
        let source = Registered::new(Rc::clone(parts), FdSource(fd.as_raw_fd()))?;
        Ok(Pidfd { source, _fd: fd })
    }
}

impl fmt::Debug for ExitWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ExitWatch::Pidfd(_) => "Pidfd",
            ExitWatch::Sigchld(_) => "Sigchld",
        })
    }
}
