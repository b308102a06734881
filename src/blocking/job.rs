//! A job: a closure on its way to a worker, and the slot its outcome comes back in.
//!
//! The slot has two owners, the [`Outcome`] and the [`Work`]. Running or dropping the work gives up
//! its share, so from the moment a job's key is delivered the outcome is the only owner.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// What a worker runs: a closure that has already been told where its result goes.
pub(crate) type Work = Box<dyn FnOnce() + Send>;

/// Names one job between the pool and its caller.
///
/// The caller chooses it, as a rule a slab index with a generation, and keeps it unique among the
/// jobs that wait or run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct JobKey(pub u64);

impl JobKey {
    /// Its number among all jobs of its runtime: the high half.
    pub(crate) fn number(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Where and since when a job has run. To read the clock at its end, too, is left to whoever wants
/// to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The worker, from 1; the number in its thread's name.
    pub worker: u16,
    pub began: Instant,
}

/// The queue a job waits in. Each is first in, first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Work that ends by itself soon: files, compression, a query.
    #[default]
    Normal,
    /// Work that may hang for seconds on someone else, above all name resolution. It gets at most
    /// [`slow_max`](super::PoolLimits::slow_max) workers, so that a dead name server does not stop
    /// the file reads.
    Slow,
}

/// A job that a worker is running now.
#[derive(Clone, Debug)]
pub(crate) struct RunningJob {
    /// The key it was submitted under.
    pub key: JobKey,
    /// Its name, or the type of its closure.
    pub name: &'static str,
    /// Where it was submitted.
    pub place: &'static Location<'static>,
    /// When a worker took it.
    pub since: Instant,
    /// Which one: the number in its thread's name.
    pub worker: u16,
}

/// Receives the result of one job; made by [`job`].
///
/// Keep it until the job's key is delivered, even if nobody wants the result any more: the last
/// owner drops the result, and if that is the worker, then the result is dropped on the worker's
/// thread.
pub(crate) struct Outcome<T>(pub(super) Arc<Slot<T>>);

/// Where a worker leaves the result of a job.
pub(crate) type Slot<T> = Mutex<Option<thread::Result<T>>>;

impl<T> Outcome<T> {
    /// Takes the result: `None` before the job has ended, after the first take, and for ever if the
    /// job was cancelled.
    ///
    /// `Err` holds the payload of the panic that ended the job.
    pub(crate) fn take(&self) -> Option<thread::Result<T>> {
        // The lock covers a move in and a move out and no user code, so it cannot be poisoned by
        // one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// A further owner.
    pub(crate) fn slot(&self) -> Arc<Slot<T>> {
        Arc::clone(&self.0)
    }
}

impl<T> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").finish_non_exhaustive()
    }
}

/// Splits a closure into the work a worker runs and the outcome the caller keeps.
///
/// A panic of `f`, or of what it captured while that is dropped, becomes the `Err` of the outcome.
pub(crate) fn job<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> (Work, Outcome<T>) {
    let slot = Arc::new(Mutex::new(None));
    let outcome = Outcome(Arc::clone(&slot));
    let work = move || {
        // Nobody sees the captured values after a panic: `f` owns them and is gone.
        let result = catch_unwind(AssertUnwindSafe(f));
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    };
    (Box::new(work), outcome)
}
