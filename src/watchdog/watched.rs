//! What the watchdog looks at: the loop's board, or one that a test has made up.

use std::os::fd::RawFd;
use std::time::Duration;

/// A loop, as its watchdog sees it from another thread.
pub(crate) trait Watched: Send + Sync + 'static {
    /// Where it is.
    fn beat(&self) -> Beat;

    /// Who runs; nobody's name if that has just changed.
    fn culprit(&self) -> Culprit;

    /// Who waits for it. `unread` and `accept` are not asked of it.
    fn waiting(&self) -> Waiting;

    /// The descriptors that it watches.
    fn fds(&self) -> Vec<RawFd>;

    /// Has it measure how long what runs at `seq` holds it.
    fn mark_stuck(&self, seq: u64);

    /// How long what was marked at `seq` has held it, once that is over.
    fn took(&self, seq: u64) -> Option<Took>;

    /// Nanoseconds since the board was made; it does not go on while the machine is suspended.
    fn now(&self) -> u64;
}

/// One look at the pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    /// Odd while user code runs.
    pub(crate) seq: u64,
    pub(crate) turn: u64,
    pub(crate) doing: Doing,
}

/// What may be blamed on what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It turns.
    Turning,
    /// It waits for the kernel, or is not being turned.
    Parked,
    /// Somebody holds it, or has said that it will block.
    Held,
}

/// A stall that is over, by the loop's own word; nanoseconds of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Took {
    /// How long it was; unless that is exact, from when the loop last looked at its clock, which
    /// was before all polls of the turn.
    pub(crate) took: u64,
    /// There is a recorder, so the clock is read at each poll.
    pub(crate) is_exact: bool,
    pub(crate) ended: u64,
}

/// Who holds the loop; a callback without a place is nobody that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Culprit {
    /// Its number; 0 for a callback.
    pub(crate) task: u32,
    pub(crate) label: String,
    /// Where it was spawned, or handed in.
    pub(crate) place: String,
    /// The n-th poll of the task.
    pub(crate) poll: u32,
}

/// Who waits while the loop is stuck.
///
/// # Examples
///
/// ```
/// use tourbillon::Waiting;
///
/// assert_eq!(Waiting::default().ready, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Tasks that could run.
    pub ready: u32,
    /// Callbacks that could be called.
    pub callbacks: u32,
    /// Timers whose time has passed, or one, if it is known only that there are some.
    pub overdue: u32,
    /// How late the latest of them is.
    pub worst_late: Duration,
    /// Sockets and pipes with something to read.
    pub unread: u32,
    /// Connections that wait to be accepted, and how many may, at the fullest listener.
    pub accept: Option<(u32, u32)>,
}
