//! Blocking jobs: run by a worker, answered on the loop's thread.
//!
//! Only the job crosses to a worker. What happens with its result, a
//! callback or the waker of a task, stays here in a slab on the loop's
//! thread, and so may hold an `Rc`. The worker sends back nothing but a key.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use slab::Slab;

use super::callbacks::{Callback, CallbackKind};
use super::current::{current, try_current};
use super::parts::{Parts, count};
use super::turn::log_panic;
use crate::blocking::{self, JobKey, JobPlace, Lane, Ran, Refused};
use crate::executor::{JoinCell, JoinError};
use crate::watch::{Handed, WaitKind, Writer, waits_for};

/// How a job left the pool.
pub(super) enum JobEnd {
    /// On which worker and when, as far as it is known.
    Ran(Option<Ran>),
    Cancelled,
    Refused(&'static str),
}

/// What waits here for one job.
struct Waiting {
    generation: u32,
    place: &'static Location<'static>,
    /// When it was handed in, by the board of those who watch.
    handed: Handed,
    end: Box<dyn FnOnce(JobEnd)>,
}

/// The jobs that are out, by key: slab index and generation.
#[derive(Default)]
pub(super) struct Jobs {
    waiting: Slab<Waiting>,
    generation: u32,
}

impl Jobs {
    fn insert(
        &mut self,
        place: &'static Location<'static>,
        handed: Handed,
        end: Box<dyn FnOnce(JobEnd)>,
    ) -> JobKey {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let index = self.waiting.insert(Waiting {
            generation,
            place,
            handed,
            end,
        });
        JobKey(u64::from(generation) << 32 | index as u64)
    }

    fn remove(&mut self, key: JobKey) -> Option<Waiting> {
        let index = (key.0 & u64::from(u32::MAX)) as usize;
        let waiting = self.waiting.get(index)?;
        if u64::from(waiting.generation) != key.0 >> 32 {
            return None;
        }
        Some(self.waiting.remove(index))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keys of all that is out.
    pub(super) fn keys(&self) -> Vec<JobKey> {
        let key = |(index, waiting): (usize, &Waiting)| {
            JobKey(u64::from(waiting.generation) << 32 | index as u64)
        };
        self.waiting.iter().map(key).collect()
    }
}

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
    let (key, queued) = parts.submit(job, completion, Lane::Normal, Location::caller());
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
    pub(crate) fn submit<T, J, C>(
        &self,
        job: J,
        completion: C,
        lane: Lane,
        place: &'static Location<'static>,
    ) -> (JobKey, Option<JobPlace>)
    where
        T: Send + 'static,
        J: FnOnce() -> T + Send + 'static,
        C: FnOnce(Result<T, JoinError>) + 'static,
    {
        count(&self.counts.jobs);
        let (work, outcome) = blocking::job(job);
        let end = move |end| {
            completion(match end {
                JobEnd::Ran(_) => match outcome.take() {
                    Some(Ok(value)) => Ok(value),
                    Some(Err(payload)) => {
                        note_job_panic(type_name::<J>(), place, &*payload);
                        Err(JoinError::panicked(payload))
                    }
                    None => Err(JoinError::aborted()),
                },
                JobEnd::Cancelled => Err(JoinError::aborted()),
                JobEnd::Refused(why) => Err(JoinError::refused(why)),
            });
        };
        let handed = self.watch().map(Writer::hand_in).unwrap_or_default();
        let key = self.jobs.borrow_mut().insert(place, handed, Box::new(end));
        if let Some(watch) = self.watch() {
            watch.job_submitted(
                key.number(),
                self.pool.stats().queued,
                type_name::<J>(),
                place,
            );
        }
        let submitted = if self.closing.get() {
            Err(Refused::Closed(work))
        } else {
            self.pool.submit(key, lane, type_name::<J>(), place, work)
        };
        let refused = match submitted {
            Ok(queued) => return (key, Some(queued)),
            Err(refused) => refused,
        };
        let why = match &refused {
            Refused::Full(_) => "the blocking pool's queue is full",
            Refused::Closed(_) => "the runtime is shutting down",
            Refused::NoThread(..) => "the system starts no thread for the blocking pool",
        };
        self.file_end(key, JobEnd::Refused(why));
        // Last: the logger is the user's, and may panic.
        if let Refused::NoThread(error, _) = &refused {
            log::error!("the system starts no thread for a blocking job: {error}");
        }
        self.drop_quietly("what a refused job held", refused.into_work());
        (key, None)
    }

    /// A worker says that it has run this job.
    pub(super) fn job_ended(&self, key: JobKey, ran: Option<Ran>) {
        self.file_end(key, JobEnd::Ran(ran));
    }

    /// Queues what follows a job, to be called in the run phase.
    pub(super) fn file_end(&self, key: JobKey, how: JobEnd) {
        let waiting = self.jobs.borrow_mut().remove(key);
        if let Some(Waiting {
            place, end, handed, ..
        }) = waiting
        {
            let job = key.number();
            let completed = self.watch().map(|watch| match how {
                JobEnd::Ran(Some(ran)) => {
                    watch.job_ran(job, handed, ran.worker, ran.began, ran.took)
                }
                _ => watch.job_cancelled(job, handed),
            });
            self.push_callback(Callback {
                call: Box::new(move || end(how)),
                place,
                kind: CallbackKind::Completion(completed.unwrap_or_default()),
            });
        }
    }

    fn cancel_job(&self, key: JobKey, queued: JobPlace) -> bool {
        let Some(work) = self.pool.cancel(queued) else {
            return false;
        };
        self.file_end(key, JobEnd::Cancelled);
        // What the job captured is dropped here, on the loop's thread.
        self.drop_quietly("what a cancelled job held", work);
        true
    }
}

/// The result may never be looked at, so the log must say it.
fn note_job_panic(name: &str, place: &Location<'_>, payload: &(dyn Any + Send)) {
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
    queued: Option<JobPlace>,
}

impl Job {
    /// Takes the job out of the pool's queue, and says whether it could. A
    /// job that has begun runs to its end.
    ///
    /// Whoever waits for it is told in the next turn, by an error that
    /// [is aborted](JoinError::is_aborted).
    pub fn cancel(&self) -> bool {
        self.queued
            .is_some_and(|queued| self.parts.cancel_job(self.key, queued))
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
    cell: Rc<JoinCell<T>>,
    job: Job,
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
        let cell = Rc::new(JoinCell::new());
        let end = Rc::clone(&cell);
        let completion = move |result| end.end(result);
        let (key, queued) = parts.submit(job, completion, lane, place);
        JobHandle {
            cell,
            job: Job { parts, key, queued },
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
        self.cell.is_ended()
    }
}

impl<T> Future for JobHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// When polled again after it gave the result.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.cell.poll(cx);
        if polled.is_pending() {
            waits_for(WaitKind::Job, self.job.key.number());
        }
        polled
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
