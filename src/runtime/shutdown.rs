//! How a runtime ends: in order, in bounded time, and saying what did not.
//!
//! 1. The door closes: other threads are told that the runtime is gone.
//! 2. Tasks are dropped with the runtime entered, round by round, since what
//!    they drop may spawn (refused), wake (nothing) or offload (refused).
//! 3. Callbacks and timers are dropped, uncalled; completions are called.
//! 4. Jobs that wait are cancelled; those that run get their time.
//! 5. Completions are called: with their result if the job has ended, else
//!    with an aborted error.
//! 6. The runtime's number goes back. Sockets close with those who own them.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::time::{Duration, Instant};

use super::jobs::JobEnd;
use super::parts::{Parts, Post};
use super::runtime::Runtime;

/// Rounds of dropping before shutdown goes on without the rest. What is
/// dropped may hand in more, but a third round is rare.
const ROUNDS_MAX: usize = 1000;

/// What [`Runtime::shutdown`] left behind.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{Runtime, ShutdownReport};
///
/// fn exit_code(report: &ShutdownReport) -> u8 {
///     u8::from(!report.jobs_detached.is_empty())
/// }
///
/// let rt = Runtime::new()?;
/// rt.spawn(std::future::pending::<()>()).detach();
/// let report = rt.shutdown();
/// assert_eq!((report.tasks_dropped, report.jobs_cancelled), (1, 0));
/// assert_eq!(exit_code(&report), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that were dropped before they had ended.
    pub tasks_dropped: usize,
    /// Jobs that had not begun, and never will.
    pub jobs_cancelled: usize,
    /// Jobs that run on, on threads of their own, and whose results are lost.
    pub jobs_detached: Vec<DetachedJob>,
}

/// A job that did not end in time.
///
/// # Examples
///
/// Who has kept the program from ending in time:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::{sync::mpsc, time::Duration};
/// use tourbillon::{Runtime, spawn_blocking};
///
/// let mut rt = Runtime::builder().shutdown_timeout(Duration::ZERO).build()?;
/// let (begun, has_begun) = mpsc::channel();
/// let (_end, wait) = mpsc::channel::<()>();
/// let endless = move || (begun.send(()), wait.recv());
/// rt.block_on(async { drop(spawn_blocking(endless)) });
/// has_begun.recv().unwrap();
/// let job = rt.shutdown().jobs_detached[0];
/// println!("{job}"); // job "..." (offloaded at src/..), running for 1.2ms
/// assert_eq!(job.place.file(), file!());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DetachedJob {
    /// Its type.
    pub name: &'static str,
    /// Where it was handed in.
    pub place: &'static Location<'static>,
    /// How long it had run when the runtime gave up.
    pub ran_for: Duration,
}

impl fmt::Display for DetachedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, place) = (self.name, self.place);
        write!(
            f,
            "job \"{name}\" (offloaded at {place}), running for {:.1?}",
            self.ran_for
        )
    }
}

impl Runtime {
    pub(super) fn shut_down(&mut self, wait: Duration) -> ShutdownReport {
        self.is_shut_down = true;
        let _entered = self.enter();
        let parts = &self.parts;
        let mut report = ShutdownReport::default();
        parts.closing.set(true);
        let posts = parts.door.close();
        report.tasks_dropped = parts.drop_tasks();
        parts.end_posts(posts);
        parts.end_waiting();
        parts.end_jobs(wait, &mut report);
        // A completion may have handed in more.
        parts.end_waiting();
        parts.watchers.end();
        report
    }
}

impl Parts {
    fn drop_tasks(&self) -> usize {
        self.executor.close();
        let mut dropped = 0;
        for _ in 0..ROUNDS_MAX {
            let left = self.executor.take_all();
            if left.is_empty() {
                break;
            }
            dropped += left.len();
            for (ticket, future) in left {
                self.drop_aborted(ticket, future);
            }
        }
        dropped
    }

    fn end_posts(&self, posts: Vec<Post>) {
        for post in posts {
            match post {
                Post::JobEnded(key, work, ran) => self.end_job(key, JobEnd::Ran(work, ran)),
                post => self.drop_quietly("a callback from another thread", post),
            }
        }
    }

    /// Calls completions, drops other callbacks and timers, and again for
    /// what these handed in.
    fn end_waiting(&self) {
        for _ in 0..ROUNDS_MAX {
            let mut timers = Vec::new();
            self.wheel.borrow_mut().drain_all(&mut timers);
            let had_timers = !timers.is_empty();
            for timer in timers {
                self.drop_quietly("a timer that was never due", timer);
            }
            if !self.end_callbacks() && !had_timers {
                return;
            }
        }
        log::error!("callbacks hand in others without end: the runtime ends without the last");
        // Dropping them would only go on with it.
        let mut timers = Vec::new();
        self.wheel.borrow_mut().drain_all(&mut timers);
        mem::forget((self.callbacks.take(), timers));
    }

    fn end_jobs(&self, wait: Duration, report: &mut ShutdownReport) {
        let closed = self.pool.shutdown(wait);
        report.jobs_cancelled = closed.cancelled.len();
        for (key, work) in closed.cancelled {
            self.end_job(key, JobEnd::Aborted);
            self.drop_quietly("what a cancelled job held", work);
        }
        for (key, work, ran) in self.late_jobs.close() {
            self.end_job(key, JobEnd::Ran(work, ran));
        }
        // From here on a result is its worker's to drop.
        let now = Instant::now();
        for job in &closed.still_running {
            if self.jobs.borrow().has_ended(job.key) {
                continue;
            }
            report.jobs_detached.push(DetachedJob {
                name: job.name,
                place: job.place,
                ran_for: now.saturating_duration_since(job.since),
            });
        }
        let keys = self.jobs.borrow().keys();
        for key in keys {
            self.end_job(key, JobEnd::Aborted);
        }
        for job in &report.jobs_detached {
            log::warn!("{job}: the runtime ends without it");
        }
    }
}
