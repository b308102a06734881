//! Blocking jobs: run by a worker, answered on the loop's thread.
//!
//! Only the job crosses to a worker. What happens with its result, a
//! callback or the waker of a task, stays here in a slab on the loop's
//! thread, and so may hold an `Rc`. The worker sends the job back with its result.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;

use super::current::{current, try_current};
use super::jobs::{Awaited, End, JobEnd};
use super::parts::{Parts, count};
use super::turn::{drop_waker_quietly, log_panic, log_quietly};
use crate::blocking::{self, JobKey, JobPlace, Lane, Refused, Work, result_of};
use crate::executor::JoinError;
use crate::watch::{WaitKind, Writer, waits_for};

/// Runs `job` on a thread of the blocking pool, then has the loop call
/// `completion` with what it returned.
///
/// The completion is called on the loop's thread, in a later turn, exactly
/// once: also when the job panics, is cancelled, or is refused because the
/// pool's queue is full. It never leaves that thread, so it may hold an
/// `Rc`; the job never touches it, so it must be `Send`.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::new()?;
/// let handle = rt.handle();
/// let _guard = rt.enter();
/// tourbillon::offload(|| 6 * 7, move |answer| {
///     assert_eq!(answer.unwrap(), 42);
///     handle.stop().unwrap();
/// });
/// rt.run()
/// # }
/// ```
#[track_caller]
pub fn offload<T, J, C>(job: J, completion: C) -> Job
where
    T: Send + 'static,
    J: FnOnce() -> T + Send + 'static,
    C: FnOnce(Result<T, JoinError>) + 'static,
{
    let parts = current();
    let work = blocking::job(Location::caller(), job);
    let end = move |end| {
        let (work, why) = match end {
            JobEnd::Ran(work, _) => (Some(work), None),
            JobEnd::Refused(why) => (None, Some(why)),
            JobEnd::Aborted => (None, None),
        };
        work.iter().for_each(note_job_panic);
        completion(of_job(work.and_then(result_of), why));
    };
    let end = End::Completion(Box::new(end));
    let (key, queued) = parts.submit(work, end, Lane::Normal);
    Job { parts, key, queued }
}

/// Runs `job` on a thread of the blocking pool. Await the handle for what
/// it returned.
///
/// The job begins when a worker is free, whether or not the handle is
/// awaited or dropped.
///
/// # Cancellation
///
/// Dropping the handle does not stop the job; see [`JobHandle::cancel`].
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::spawn_blocking;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let sum = spawn_blocking(|| (1..=1_000_000_u64).sum::<u64>());
/// // ... the loop is free meanwhile ...
/// assert_eq!(sum.await.unwrap(), 500_000_500_000);
/// # });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn spawn_blocking<T, J>(job: J) -> JobHandle<T>
where
    T: Send + 'static,
    J: FnOnce() -> T + Send + 'static,
{
    JobHandle::submit(current(), Lane::Normal, Location::caller(), job)
}

impl Parts {
    /// Hands a job to the pool and files what follows it. It has no place there if it was refused.
    fn submit(&self, work: Work, end: End, lane: Lane) -> (JobKey, Result<JobPlace, &'static str>) {
        count(&self.counts.jobs);
        let (name, place) = (work.name(), work.place());
        let handed = self.watch().map(Writer::hand_in).unwrap_or_default();
        let key = self.jobs.borrow_mut().insert(place, handed, end);
        if let Some(watch) = self.watch() {
            watch.job_submitted(key.number(), self.pool.stats().queued, name, place);
        }
        let submitted = if self.closing.get() {
            Err(Refused::Closed(work))
        } else {
            self.pool.submit(key, lane, work)
        };
        let refused = match submitted {
            Ok(queued) => return (key, Ok(queued)),
            Err(refused) => refused,
        };
        let why = match &refused {
            Refused::Full(_) => "the blocking pool's queue is full",
            Refused::Closed(_) => "the runtime is shutting down",
            Refused::NoThread(..) => "the system starts no thread for the blocking pool",
        };
        self.end_job(key, JobEnd::Refused(why));
        if let Refused::NoThread(error, _) = &refused {
            let log = || log::error!("the system starts no thread for a blocking job: {error}");
            log_quietly(log);
        }
        self.drop_quietly("what a refused job held", refused.into_work());
        (key, Err(why))
    }

    fn cancel_job(&self, key: JobKey, queued: JobPlace) -> bool {
        let Some(work) = self.pool.cancel(queued) else {
            return false;
        };
        self.end_job(key, JobEnd::Aborted);
        // What the job captured is dropped here, on the loop's thread.
        self.drop_quietly("what a cancelled job held", work);
        true
    }
}

/// What a job left, as whoever waits for it is told.
fn of_job<T>(
    result: Option<thread::Result<T>>,
    refused: Option<&'static str>,
) -> Result<T, JoinError> {
    match (result, refused) {
        (Some(Ok(value)), _) => Ok(value),
        (Some(Err(payload)), _) => Err(JoinError::panicked(payload)),
        (None, Some(why)) => Err(JoinError::refused(why)),
        (None, None) => Err(JoinError::aborted()),
    }
}

/// The result may never be looked at, so the log must say it.
pub(super) fn note_job_panic(work: &Work) {
    let Some(payload) = work.panic() else { return };
    let (name, place) = (work.name(), work.place());
    log_panic(
        &format_args!("job \"{name}\" (offloaded at {place})"),
        payload,
    );
    if let Some(parts) = try_current() {
        count(&parts.counts.panics);
    }
}

/// A job in the blocking pool. Dropping this changes nothing.
///
/// # Examples
///
/// A job that is not wanted any more, and had not begun:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::sync::mpsc;
/// use tourbillon::{Runtime, offload, spawn_blocking};
///
/// let mut rt = Runtime::builder().blocking_workers_max(1).build()?;
/// let _guard = rt.enter();
/// let (end, wait) = mpsc::channel::<()>();
/// let first = spawn_blocking(move || wait.recv().is_err());
/// let second = offload(|| unreachable!(), |result: Result<(), _>| {
///     assert!(result.unwrap_err().is_aborted());
/// });
/// assert!(second.cancel());
/// drop(end);
/// assert!(rt.block_on(first).unwrap());
/// # Ok(())
/// # }
/// ```
pub struct Job {
    parts: Rc<Parts>,
    key: JobKey,
    /// Its place in the pool, or why it was refused.
    queued: Result<JobPlace, &'static str>,
}

impl Job {
    /// Takes the job out of the pool's queue, and says whether it could. A
    /// job that has begun runs to its end.
    ///
    /// Whoever waits for it is told in the next turn, by an error that
    /// [is aborted](JoinError::is_aborted).
    pub fn cancel(&self) -> bool {
        self.queued
            .is_ok_and(|queued| self.parts.cancel_job(self.key, queued))
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("key", &self.key).finish()
    }
}

/// A job whose result can be awaited; given by [`spawn_blocking`].
///
/// # Cancellation
///
/// Awaiting it and giving up loses nothing: the job runs on, and the handle
/// may be awaited again.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::sync::mpsc;
/// use tourbillon::{Runtime, spawn_blocking};
///
/// let mut rt = Runtime::builder().blocking_workers_max(1).build()?;
/// let _guard = rt.enter();
/// let (end, wait) = mpsc::channel::<()>();
/// let first = spawn_blocking(move || wait.recv().is_err());
/// let second = spawn_blocking(|| unreachable!());
/// assert!(second.cancel() && !first.is_finished());
/// drop(end);
/// rt.block_on(async {
///     assert!(second.await.unwrap_err().is_aborted());
///     assert!(first.await.unwrap());
/// });
/// # Ok(())
/// # }
/// ```
pub struct JobHandle<T> {
    job: Job,
    /// The result was given out.
    is_given: bool,
    /// Kept from where `T` was known to be `'static`.
    result_of: fn(Work) -> Option<thread::Result<T>>,
}

impl<T: Send + 'static> JobHandle<T> {
    /// Hands a job to the pool, in the lane it belongs to.
    pub(crate) fn submit<J>(
        parts: Rc<Parts>,
        lane: Lane,
        place: &'static Location<'static>,
        job: J,
    ) -> Self
    where
        J: FnOnce() -> T + Send + 'static,
    {
        let work = blocking::job(place, job);
        let (key, queued) = parts.submit(work, End::Handle(Awaited::OUT), lane);
        JobHandle {
            job: Job { parts, key, queued },
            is_given: false,
            result_of,
        }
    }
}

impl<T> JobHandle<T> {
    /// Takes the job out of the pool's queue; see [`Job::cancel`].
    pub fn cancel(&self) -> bool {
        self.job.cancel()
    }

    /// Whether the job has ended, with a result or without.
    pub fn is_finished(&self) -> bool {
        !self.job.parts.jobs.borrow().is_out(self.job.key)
    }
}

impl<T> Future for JobHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// When polled again after it gave the result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Job { parts, key, queued } = &this.job;
        assert!(
            !this.is_given,
            "a handle was polled after it gave its result"
        );
        let Poll::Ready(work) = parts.poll_end(*key, cx) else {
            waits_for(WaitKind::Job, key.number());
            return Poll::Pending;
        };
        this.is_given = true;
        Poll::Ready(of_job(work.and_then(this.result_of), queued.err()))
    }
}

impl<T> Drop for JobHandle<T> {
    fn drop(&mut self) {
        let Job { parts, key, .. } = &self.job;
        if self.is_given {
            return;
        }
        // Their drop is the user's code, so nothing is borrowed then.
        let (waiter, unwanted) = parts.jobs.borrow_mut().disown(*key);
        if let Some(waiter) = waiter {
            drop_waker_quietly(waiter);
        }
        if let Some(work) = unwanted {
            parts.drop_quietly("the result of a job without a handle", work);
        }
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle")
            .field("job", &self.job.key)
            .field("finished", &self.is_finished())
            .finish()
    }
}
