//! What the loop has done so far.

use super::current::current;
use super::parts::Parts;

/// Counters of a [`Runtime`](crate::Runtime), from its start to now.
///
/// # Examples
///
/// What did one piece of work cost?
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{Runtime, Stats};
///
/// let mut rt = Runtime::new()?;
/// let before: Stats = rt.stats();
/// rt.block_on(async { tourbillon::spawn(async {}).await.unwrap() });
/// let after = rt.stats();
/// assert_eq!(after.tasks_spawned - before.tasks_spawned, 1);
/// assert!(after.polls - before.polls >= 2); // the task, and who waited for it
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns begun.
    pub turns: u64,
    /// Times the kernel was asked who is ready.
    pub parks: u64,
    /// Polls of tasks and of the future in `block_on`.
    pub polls: u64,
    /// Wakes that found their task, on the loop's thread or from another.
    pub wakes: u64,
    /// Callbacks called.
    pub callbacks: u64,
    /// Tasks spawned.
    pub tasks_spawned: u64,
    /// Tasks that live now.
    pub tasks_alive: usize,
    /// Timers that came due.
    pub timers_fired: u64,
    /// Timers that wait now.
    pub timers_waiting: usize,
    /// Jobs handed to the blocking pool.
    pub jobs: u64,
    /// Jobs that wait for a worker now.
    pub jobs_queued: usize,
    /// Jobs that run now.
    pub jobs_running: usize,
    /// Threads of the pool now.
    pub workers: usize,
    /// Threads the pool may have.
    pub workers_max: usize,
    /// Sockets and other sources registered now.
    pub sources: usize,
    /// Events that came after their source was closed, and were dropped.
    pub late_events: u64,
    /// Panics caught: tasks, callbacks and what they dropped.
    pub panics: u64,
}

/// Counts what the current runtime has done so far.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{spawn, stats};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let task = spawn(async {});
/// assert_eq!(stats().tasks_alive, 1);
/// task.await.unwrap();
/// assert_eq!(stats().tasks_alive, 0);
/// # });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn stats() -> Stats {
    current().stats()
}

impl Parts {
    pub(super) fn stats(&self) -> Stats {
        let (tasks_alive, tasks_spawned, wakes) = self.executor.counts();
        let (sources, late_events) = self.reactor.counts();
        let pool = self.pool.stats();
        Stats {
            turns: self.counts.turns.get(),
            parks: self.counts.parks.get(),
            polls: self.counts.polls.get(),
            wakes,
            callbacks: self.counts.callbacks.get(),
            tasks_spawned,
            tasks_alive,
            timers_fired: self.counts.timers_fired.get(),
            timers_waiting: self.wheel.borrow().len(),
            jobs: self.counts.jobs.get(),
            jobs_queued: pool.queued,
            jobs_running: pool.running,
            workers: pool.workers,
            workers_max: self.workers_max,
            sources,
            late_events,
            panics: self.counts.panics.get(),
        }
    }
}
