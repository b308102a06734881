//! Looking at tasks: a list of those that live, and a hook that hears of each.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::current::current;
use super::parts::Parts;
use super::runtime::Runtime;
use crate::executor::{Outcome, TaskInfo, Ticket};

/// What has happened to a task, for the hook of
/// [`Builder::on_task_event`](crate::Builder::on_task_event).
///
/// # Examples
///
/// A line for each task that ends:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{Runtime, TaskEvent, TaskEventKind};
///
/// fn report(event: &TaskEvent) {
///     if event.kind == TaskEventKind::Finished {
///         println!("{} has ended after {} polls", event.task, event.task.polls);
///     }
/// }
///
/// let mut rt = Runtime::builder().on_task_event(report).build()?;
/// rt.block_on(async { tourbillon::spawn(async {}).await.unwrap() });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskEvent {
    /// What has happened.
    pub kind: TaskEventKind,
    /// To whom.
    pub task: TaskInfo,
}

/// What can happen to a task.
///
/// # Examples
///
/// How many tasks have panicked?
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::{cell::Cell, rc::Rc};
/// use tourbillon::{Runtime, TaskEventKind, spawn};
///
/// let panicked = Rc::new(Cell::new(0));
/// let counts = Rc::clone(&panicked);
/// let mut rt = Runtime::builder()
///     .on_task_event(move |event| {
///         let is_panic = event.kind == TaskEventKind::Panicked;
///         counts.set(counts.get() + u32::from(is_panic));
///     })
///     .build()?;
/// let _error = rt.block_on(async { spawn(async { panic!("a wheel is missing") }).await });
/// assert_eq!(panicked.get(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskEventKind {
    /// It was spawned, and waits for its first poll.
    Spawned,
    /// It is about to be polled.
    PollBegins,
    /// It was polled, and has not panicked.
    PollEnds,
    /// Its future gave an output, and has been dropped.
    Finished,
    /// It panicked.
    Panicked,
    /// It was aborted, or dropped with its runtime.
    Aborted,
}

impl TaskEventKind {
    pub(super) fn of_end(outcome: &Outcome) -> Self {
        match outcome {
            Ok(_) => TaskEventKind::Finished,
            Err(error) if error.is_panic() => TaskEventKind::Panicked,
            Err(_) => TaskEventKind::Aborted,
        }
    }
}

/// Whom to tell of tasks.
#[derive(Clone)]
pub(super) struct TaskHook(pub(super) Rc<dyn Fn(&TaskEvent)>);

impl fmt::Debug for TaskHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskHook")
    }
}

/// Lists the tasks of the current runtime; see [`Runtime::tasks`].
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{TaskState, spawn_named, tasks, yield_now};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let idle = spawn_named("idle", std::future::pending::<()>());
///     yield_now().await;
///     assert_eq!((&*tasks()[0].name, tasks()[0].state), ("idle", TaskState::Waiting));
///     idle.abort();
///     assert_eq!(tasks()[0].state, TaskState::Aborting);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn tasks() -> Vec<TaskInfo> {
    current().executor.infos()
}

impl Runtime {
    /// Lists the tasks that live, in no order to rely on. The future that
    /// `block_on` holds is none of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// let rt = Runtime::new()?;
    /// rt.spawn(std::future::pending::<()>()).detach();
    /// for task in rt.tasks() {
    ///     println!("{}: {:?}, {} polls", task, task.state, task.polls);
    /// }
    /// assert_eq!(rt.tasks().len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.parts.executor.infos()
    }
}

impl Parts {
    /// Tells the hook, if there is one, of a task that lives.
    #[inline]
    pub(super) fn tell(&self, kind: TaskEventKind, ticket: Ticket) {
        if let Some(hook) = &self.task_hook {
            self.tell_hook(hook, kind, ticket);
        }
    }

    #[cold]
    fn tell_hook(&self, hook: &TaskHook, kind: TaskEventKind, ticket: Ticket) {
        let Some(task) = self.executor.info(ticket) else {
            return;
        };
        let event = TaskEvent { kind, task };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (hook.0)(&event))) {
            self.note_panic(&"the hook for tasks", payload);
        }
    }
}
