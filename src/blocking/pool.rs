//! The pool as its caller sees it: submit, cancel, look, shut down.
//!
//! Submitting locks a mutex and pushes; only if no worker is on its way does it also wake one
//! (about a microsecond) or start one (tens of them).

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::job::{JobKey, Lane, RunningJob, Work};
use super::lanes::{JobPlace, QueuedJob};
use super::worker::{Deliver, Ledger, Workshop, contain, discard};

/// How large a pool may grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolLimits {
    /// Most threads at a time; at least 1 is used. Default: twice the cores, but 4 at most, because
    /// more threads than that take time from the loop rather than from the disk (libuv chose 4 as
    /// well).
    pub workers_max: usize,
    /// How long a thread without work stays. Default: 10 s, as in tokio.
    pub keep_alive: Duration,
    /// How many jobs may wait once every worker has one; beyond that a submit is refused. Default:
    /// no limit.
    pub queue_max: Option<usize>,
    /// Most workers that run jobs of the slow lane; at least 1 and at most `workers_max` are used.
    /// Default: half of them, rounded up.
    pub slow_max: usize,
}

impl PoolLimits {
    /// The default limits for a pool of `workers_max` threads.
    pub(crate) fn with_workers(workers_max: usize) -> Self {
        let workers_max = workers_max.max(1);
        Self {
            workers_max,
            keep_alive: Duration::from_secs(10),
            queue_max: None,
            slow_max: workers_max.div_ceil(2),
        }
    }
}

impl Default for PoolLimits {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with_workers(cores.saturating_mul(2).min(4))
    }
}

/// A pool in numbers, all of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) struct PoolStats {
    /// Jobs that wait for a worker.
    pub queued: usize,
    /// Jobs that run.
    pub running: usize,
    /// Threads that sleep.
    pub idle: usize,
    /// Threads that live.
    pub workers: usize,
    /// Threads started since the pool was made.
    pub started: u64,
    /// Jobs ended since the pool was made.
    pub finished: u64,
}

/// Why a job was not taken; it hands the work back, to be dropped or kept by the caller.
pub(crate) enum Refused {
    /// Every worker is busy and [`queue_max`](PoolLimits::queue_max) jobs wait.
    Full(Work),
    /// The pool has been shut down.
    Closed(Work),
    /// There is no worker and the system refused to start one.
    NoThread(io::Error, Work),
}

impl Refused {
    /// Gives the work back.
    pub(crate) fn into_work(self) -> Work {
        match self {
            Self::Full(work) | Self::Closed(work) | Self::NoThread(_, work) => work,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => {
                f.write_str("the blocking pool is full: wait for a job to end, or raise queue_max")
            }
            Self::Closed(_) => f.write_str("the blocking pool has been shut down"),
            Self::NoThread(error, _) => write!(
                f,
                "cannot start the first thread of the blocking pool: {error}"
            ),
        }
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Closed(_) => f.write_str("Closed(..)"),
            Self::NoThread(error, _) => write!(f, "NoThread({error:?}, ..)"),
        }
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoThread(error, _) => Some(error),
            Self::Full(_) | Self::Closed(_) => None,
        }
    }
}

/// What a shutdown leaves behind.
pub(crate) struct Shutdown {
    /// Jobs that never ran, oldest first. Their captured values are dropped by whoever drops these.
    pub cancelled: Vec<(JobKey, Work)>,
    /// Jobs that were not delivered in time, or only just. Their threads are detached: they finish,
    /// deliver, and leave.
    pub still_running: Vec<RunningJob>,
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field(
                "cancelled",
                &self
                    .cancelled
                    .iter()
                    .map(|(key, _)| *key)
                    .collect::<Vec<_>>(),
            )
            .field("still_running", &self.still_running)
            .finish()
    }
}

/// Starts a thread of the given name; tests put one in that refuses.
pub(super) type Spawn = dyn Fn(String, Life) -> io::Result<()> + Send + Sync;

/// What a thread of the pool does.
pub(super) type Life = Box<dyn FnOnce() + Send>;

/// Threads that run jobs, started when needed and gone when not.
///
/// Dropping it is a [`shutdown`](Self::shutdown) that waits for nothing: jobs that wait are dropped
/// unrun, in the dropping thread; jobs that run finish on detached threads.
pub(crate) struct Pool {
    workshop: Arc<Workshop>,
    workers_max: usize,
    queue_max: Option<usize>,
    thread_name: String,
    spawn: Box<Spawn>,
}

impl Pool {
    /// Creates a pool without threads; the first job starts the first one.
    ///
    /// Threads are named `thread_name` and a number; Linux shows the first 15 bytes of that.
    /// `deliver` is called once for each job that ran, on the worker's thread, with no lock held,
    /// and says whether earlier news is unread where it goes to: then its worker yields at times.
    /// It should only pass the job on, since its worker takes no other job meanwhile. It is still
    /// called for jobs that end after a shutdown.
    pub(crate) fn new(limits: PoolLimits, thread_name: String, deliver: Deliver) -> Self {
        let spawn = |name, life: Life| thread::Builder::new().name(name).spawn(life).map(drop);
        Self::with_spawn(limits, thread_name, true, deliver, Box::new(spawn))
    }

    /// The same with threads from elsewhere, as under loom, where none may linger.
    pub(crate) fn with_spawn(
        limits: PoolLimits,
        mut thread_name: String,
        lingers: bool,
        deliver: Deliver,
        spawn: Box<Spawn>,
    ) -> Self {
        // The standard library panics at a thread name with a NUL in it, and a name is no reason to
        // panic.
        thread_name.retain(|letter| letter != '\0');
        let workers_max = limits.workers_max.max(1);
        let slow_max = limits.slow_max.clamp(1, workers_max);
        let workshop = Arc::new(Workshop::new(slow_max, lingers, limits.keep_alive, deliver));
        Self {
            workshop,
            workers_max,
            queue_max: limits.queue_max,
            thread_name,
            spawn,
        }
    }

    /// Hands a job to the workers; what it returns is for [`cancel`](Self::cancel).
    ///
    /// If the system refuses a further thread while at least one worker lives, the job waits for
    /// that one.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives the work back: the pool is full or closed, or has no thread and cannot get
    /// one.
    pub(crate) fn submit(&self, key: JobKey, lane: Lane, work: Work) -> Result<JobPlace, Refused> {
        let mut ledger = self.workshop.lock();
        if ledger.closed {
            return Err(Refused::Closed(work));
        }
        if self.is_full(&ledger) {
            return Err(Refused::Full(work));
        }
        let queued = ledger.lanes.push(QueuedJob { key, lane, work });
        self.workshop.tell();
        if self.workshop.unattended(&ledger) == 0 {
            return Ok(queued);
        }
        if ledger.idle > 0 {
            ledger.idle -= 1;
            ledger.called += 1;
            // Ringing after the unlock spares the woken worker a second sleep, at the mutex.
            drop(ledger);
            self.workshop.bell.notify_one();
            return Ok(queued);
        }
        if ledger.workers == self.workers_max {
            return Ok(queued);
        }
        let Err(error) = self.start_worker(&mut ledger) else {
            return Ok(queued);
        };
        if ledger.workers > 0 {
            let workers = ledger.workers;
            let told = std::mem::replace(&mut ledger.refused, true);
            drop(ledger);
            if !told {
                let warn = || {
                    log::warn!(
                        "blocking pool: no thread beyond the {workers} it has, \
                         jobs wait for those: {error}"
                    );
                };
                // The job is in the queue, whatever the logger does.
                contain(warn, || ());
            }
            return Ok(queued);
        }
        let job = ledger
            .lanes
            .take(queued)
            .expect("a job just queued under this lock still waits");
        Err(Refused::NoThread(error, job.work))
    }

    /// Takes back a job that still waits; `None` once a worker has it.
    ///
    /// The work comes back unrun, so its captured values are dropped here and not on a worker.
    pub(crate) fn cancel(&self, queued: JobPlace) -> Option<Work> {
        self.workshop.lock().lanes.take(queued).map(|job| job.work)
    }

    /// Counts jobs and threads.
    pub(crate) fn stats(&self) -> PoolStats {
        self.workshop.stats()
    }

    /// Lists the jobs that run now, longest first.
    pub(crate) fn running(&self) -> Vec<RunningJob> {
        self.workshop.running()
    }

    /// The same for other threads: counts, and what runs.
    pub(crate) fn looker(&self) -> impl Fn() -> (PoolStats, Vec<RunningJob>) + Send + Sync + use<> {
        let workshop = Arc::clone(&self.workshop);
        move || (workshop.stats(), workshop.running())
    }

    /// Closes the pool: takes back what waits, gives what runs up to `wait` to end, then lets go of
    /// it.
    ///
    /// Further submits are refused. It blocks the caller until the last worker has delivered and
    /// left, or `wait` is over. Calling it again only waits again.
    pub(crate) fn shutdown(&self, wait: Duration) -> Shutdown {
        let asked = Instant::now();
        let mut ledger = self.workshop.lock();
        ledger.closed = true;
        let waiting = ledger.lanes.drain();
        self.workshop.bell.notify_all();
        while ledger.workers > 0 {
            let left = wait.saturating_sub(asked.elapsed());
            if left.is_zero() {
                break;
            }
            ledger = self
                .workshop
                .bell
                .wait_timeout(ledger, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let still_running = ledger.undelivered();
        drop(ledger);
        Shutdown {
            cancelled: waiting.into_iter().map(|job| (job.key, job.work)).collect(),
            still_running,
        }
    }

    /// Whether a further job would wait beyond `queue_max`. Counting what runs, too, keeps a burst
    /// into an idle pool from being refused only because its workers are still waking up.
    fn is_full(&self, ledger: &Ledger) -> bool {
        let unfinished = ledger.lanes.waiting() + self.workshop.running_count(ledger);
        self.queue_max
            .is_some_and(|queue_max| unfinished >= self.workers_max.saturating_add(queue_max))
    }

    /// Starts one worker, under the lock: so there is no moment at which a thread is counted that
    /// may never come to be, and a job is never left to it.
    fn start_worker(&self, ledger: &mut Ledger) -> io::Result<()> {
        let number = ledger.take_number();
        let name = format!("{}-{number}", self.thread_name);
        let workshop = Arc::clone(&self.workshop);
        let started = (self.spawn)(name, Box::new(move || workshop.work(number)));
        if started.is_err() {
            ledger.give_number(number);
        }
        started?;
        ledger.started += 1;
        ledger.workers += 1;
        ledger.arriving += 1;
        ledger.refused = false;
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (_, work) in self.shutdown(Duration::ZERO).cancelled {
            discard(work);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("thread_name", &self.thread_name)
            .field("stats", &self.stats())
            .finish()
    }
}
