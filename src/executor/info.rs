//! Who a task is and how it fares, for logs, hooks and lists.

use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

use super::ticket::Ticket;
use crate::watch::WaitKind;

/// Names a task of this process. Two tasks that live at once have two, and
/// one that has ended gives its own away only after millions of others.
///
/// # Examples
///
/// A list of those that one has not heard of yet:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::collections::HashSet;
/// use tourbillon::{TaskId, spawn};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let task = spawn(async {});
/// let known = HashSet::<TaskId>::from([task.id()]);
/// let other = spawn(async {});
/// assert!(known.contains(&task.id()) && !known.contains(&other.id()));
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(u64);

impl TaskId {
    pub(super) fn of(ticket: Ticket) -> Self {
        TaskId(ticket.to_bits())
    }

    /// Its slot in the executor.
    pub(crate) fn slot(self) -> u32 {
        Ticket::from_bits(self.0).slot()
    }
}

/// The runtime's number, the slot's, and how many tasks the slot had before.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ticket = Ticket::from_bits(self.0);
        let (runtime, slot) = (ticket.runtime(), ticket.slot());
        write!(f, "{runtime}.{slot}.{}", ticket.generation())
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// What a task is doing.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{TaskState, spawn, tasks, yield_now};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let task = spawn(std::future::pending::<()>());
/// assert_eq!(tasks()[0].state, TaskState::Ready);
/// yield_now().await;
/// assert_eq!(tasks()[0].state, TaskState::Waiting);
/// task.abort();
/// assert_eq!(tasks()[0].state, TaskState::Aborting);
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It waits for somebody to wake it.
    Waiting,
    /// It was woken, and will be polled in its turn.
    Ready,
    /// It is being polled.
    Running,
    /// It was aborted, and will be dropped in its turn.
    Aborting,
}

/// Who a task is, and how it fared when this was taken.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{spawn_named, tasks, yield_now};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let task = spawn_named("listener", std::future::pending::<()>());
/// yield_now().await;
/// let info = tasks().pop().expect("there is one task");
/// assert_eq!((info.id, &*info.name, info.polls), (task.id(), "listener", 1));
/// println!("{info}: {:?}", info.state); // task "listener" (spawned at src/..): Waiting
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its number.
    pub id: TaskId,
    /// The name given to [`spawn_named`](crate::spawn_named), or its type.
    pub name: Cow<'static, str>,
    /// Where it was spawned.
    pub place: &'static Location<'static>,
    /// What it is doing.
    pub state: TaskState,
    /// How often it has been polled; begins again at zero after 2^32.
    pub polls: u32,
    /// What it said it waits for when it was last polled.
    pub waits_for: WaitKind,
    pub(crate) waiting: Waiting,
}

/// More of what a task waits for, for the dump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Which one of the kind: a descriptor, a tick, a job, a slot.
    pub(crate) which: u32,
    /// Since which tick.
    pub(crate) since: u32,
    /// Somebody may hold its waker.
    pub(crate) is_reachable: bool,
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task \"{}\" (spawned at {})", self.name, self.place)
    }
}
