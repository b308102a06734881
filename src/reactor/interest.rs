//! What is asked of the kernel about a source, and what it answers.

use std::fmt;
use std::ops::BitOr;

use super::source::Direction;

/// Which readiness of a descriptor one wants to hear of.
///
/// # Examples
///
/// ```
/// use tourbillon::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert!(!Interest::WRITABLE.is_readable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    reads: bool,
    writes: bool,
}

impl Interest {
    /// Something can be read, or the end of it.
    pub const READABLE: Interest = Interest {
        reads: true,
        writes: false,
    };

    /// Something can be written, or would fail at once.
    pub const WRITABLE: Interest = Interest {
        reads: false,
        writes: true,
    };

    /// Whether it includes [`READABLE`](Self::READABLE).
    pub const fn is_readable(self) -> bool {
        self.reads
    }

    /// Whether it includes [`WRITABLE`](Self::WRITABLE).
    pub const fn is_writable(self) -> bool {
        self.writes
    }

    /// The directions it is made of.
    pub(crate) fn directions(self) -> impl Iterator<Item = Direction> {
        let reads = self.reads.then_some(Direction::Read);
        reads
            .into_iter()
            .chain(self.writes.then_some(Direction::Write))
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Interest {
            reads: self.reads || other.reads,
            writes: self.writes || other.writes,
        }
    }
}

/// What the kernel has said of a descriptor.
///
/// # Examples
///
/// Which of the two it was, and whether more will come:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::os::unix::net::UnixStream;
/// use tourbillon::{Interest, Runtime, stop, watch_fd};
///
/// let (theirs, ours) = UnixStream::pair()?;
/// drop(theirs);
/// let mut rt = Runtime::new()?;
/// let _guard = rt.enter();
/// let both = Interest::READABLE | Interest::WRITABLE;
/// let _watch = watch_fd(ours, both, |ready| {
///     assert!(ready.is_readable() && ready.is_read_closed());
///     assert!(ready.is_writable() && ready.is_write_closed() && !ready.is_error());
///     stop();
/// })?;
/// rt.run()
/// # }
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) read_closed: bool,
    pub(super) write_closed: bool,
    pub(super) error: bool,
}

impl Ready {
    /// Whether a read has something to give: data, the end, or an error.
    pub fn is_readable(&self) -> bool {
        self.readable || self.read_closed
    }

    /// Whether a write has something to tell: room, or an error.
    pub fn is_writable(&self) -> bool {
        self.writable || self.write_closed
    }

    /// Whether the other end sends no more: a hang-up, or half of one. What
    /// it sent before may still be there to read.
    pub fn is_read_closed(&self) -> bool {
        self.read_closed
    }

    /// Whether the other end takes no more.
    pub fn is_write_closed(&self) -> bool {
        self.write_closed
    }

    /// Whether the kernel reports an error (`EPOLLERR`), such as a pipe
    /// without a reader. A read or write says which one.
    pub fn is_error(&self) -> bool {
        self.error
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = [
            ("readable", self.readable),
            ("writable", self.writable),
            ("read closed", self.read_closed),
            ("write closed", self.write_closed),
            ("error", self.error),
        ];
        let said = said.iter().filter(|(_, is)| *is).map(|(word, _)| word);
        f.debug_set().entries(said).finish()
    }
}
