//! The life of a worker thread, and the one mutex it shares with the pool.
//!
//! A worker is in one of a few states, each a number that a submit can read, to tell whether
//! anybody will come for the new job without asking a thread:
//!
//! ```text
//!   started ──▶ arriving ──── a job ────▶ running
//!                 ▲  │ ◀─ delivering ────────┘
//!                 │  └─ lingers, no job ─▶ idle ── keep-alive over, or closed ──▶ left
//!                 │                         │ a submit rings for one of them
//!                 └────────── wakes up ── called
//! ```
//!
//! Every change happens under the mutex, but that from running to delivering: a worker says it by
//! a count, and enters it in the [`Ledger`] when it next takes the mutex for its next job. So a
//! job costs its worker the mutex once. And a worker that gives up waiting and a job that arrives
//! cannot miss each other: either the worker has left before the submit counts, or the submit has
//! called it and it stays.

use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::job::{JobKey, Lane, Ran, RunningJob, Work};
use super::lanes::{Lanes, QueuedJob};
use super::pool::PoolStats;

/// What the pool and its workers share.
pub(super) struct Workshop {
    ledger: Mutex<Ledger>,
    /// Idle workers sleep here; so does a shutdown, once no submit can ring any more.
    pub(super) bell: Condvar,
    /// Workers that have ended a job, and have not said so in the ledger yet. A submit counts them
    /// under the mutex. One that it sees here has still to take the mutex, and then looks at the
    /// lanes.
    delivering: AtomicUsize,
    /// A job has come since a worker last found none. Only a hint: under the mutex a worker looks
    /// again before it sleeps.
    news: AtomicBool,
    lingers: bool,
    /// There is more than one core.
    spins: bool,
    keep_alive: Duration,
    deliver: Deliver,
}

/// How long a worker without a job lets others have its core while the loop is behind with its
/// results. On the loop's core each job of a burst would otherwise wake it and put it to sleep
/// again: 12,700 switches for 100,000 jobs, and so 84 (November 2026, `taskset -c 0 runtimes
/// 100,000 --only=ours`).
const YIELD_MAX: Duration = Duration::from_micros(20);

/// How long it spins while the loop is not, if there is a core for each: the answer to a result is
/// often the next job. A busy loop gives it within a microsecond, and one that slept not within
/// any time worth spinning: a job and back took 0.5 us where it took 2 (November 2026, `runtimes
/// busy`, the best of rounds on a machine with other work). It never yields then: a busy loop on
/// the same core would keep that for a slice, and the trip took 4.7 ms.
const SPIN_MAX: Duration = Duration::from_micros(3);

/// Who is given a job that has run; says whether earlier news is unread there.
pub(super) type Deliver = Arc<dyn Fn(JobKey, Ran, Work) -> bool + Send + Sync>;

/// What the mutex guards.
pub(super) struct Ledger {
    pub(super) lanes: Lanes,
    /// Jobs that were taken, those that are being delivered among them.
    pub(super) taken: usize,
    taken_slow: usize,
    slow_max: usize,
    /// Threads that live, in whatever state.
    pub(super) workers: usize,
    /// By their numbers, which begin at 1.
    desks: Vec<Desk>,
    /// Workers that sleep and that nobody has rung for.
    pub(super) idle: usize,
    /// Workers that sleep although the bell has rung for them. Which of the sleepers wakes up does
    /// not matter: the first to do so takes the call.
    pub(super) called: usize,
    /// Workers awake without a job: just started, or lingering. They look at the lanes next.
    pub(super) arriving: usize,
    pub(super) closed: bool,
    /// Whether the system refused the last thread asked for, so that the log says so once and not
    /// per job.
    pub(super) refused: bool,
    pub(super) started: u64,
    pub(super) finished: u64,
}

/// What a worker of this number does.
#[derive(Default)]
struct Desk {
    is_taken: bool,
    job: Option<RunningJob>,
    /// That job has ended.
    has_ended: Arc<AtomicBool>,
}

impl Workshop {
    pub(super) fn new(
        slow_max: usize,
        lingers: bool,
        keep_alive: Duration,
        deliver: Deliver,
    ) -> Self {
        let ledger = Ledger {
            lanes: Lanes::default(),
            taken: 0,
            taken_slow: 0,
            slow_max,
            workers: 0,
            desks: Vec::new(),
            idle: 0,
            called: 0,
            arriving: 0,
            closed: false,
            refused: false,
            started: 0,
            finished: 0,
        };
        Self {
            ledger: Mutex::new(ledger),
            bell: Condvar::new(),
            delivering: AtomicUsize::new(0),
            news: AtomicBool::new(false),
            lingers,
            spins: thread::available_parallelism().is_ok_and(|cores| cores.get() > 1),
            keep_alive,
            deliver,
        }
    }

    /// Locks the ledger. No user code runs under this lock, so a poisoned one has still a
    /// consistent ledger.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts jobs and threads.
    pub(super) fn stats(&self) -> PoolStats {
        let ledger = self.lock();
        let running = self.running_count(&ledger);
        PoolStats {
            queued: ledger.lanes.waiting(),
            running,
            idle: ledger.idle + ledger.called,
            workers: ledger.workers,
            started: ledger.started,
            finished: ledger.finished + (ledger.taken - running) as u64,
        }
    }

    /// How many jobs run.
    pub(super) fn running_count(&self, ledger: &Ledger) -> usize {
        ledger.taken - self.delivering.load(Ordering::Relaxed)
    }

    /// How many jobs wait that no worker is on its way to.
    pub(super) fn unattended(&self, ledger: &Ledger) -> usize {
        let coming = ledger.called + ledger.arriving + self.delivering.load(Ordering::Relaxed);
        let slow_places = ledger.slow_max - ledger.taken_slow;
        let runnable = ledger.lanes.runnable(slow_places);
        runnable.saturating_sub(coming)
    }

    /// Tells a worker that lingers that a job has come.
    pub(super) fn tell(&self) {
        self.news.store(true, Ordering::Relaxed);
    }

    /// The jobs that run now, longest first.
    pub(super) fn running(&self) -> Vec<RunningJob> {
        let mut running = self.lock().running();
        running.sort_by_key(|job| job.since);
        running
    }

    /// Runs jobs until the worker has been idle for the keep-alive or the pool is closed: a
    /// worker's whole life.
    pub(super) fn work(&self, number: u16) {
        let mut ledger = self.lock();
        let has_ended = Arc::clone(&ledger.desk(number).has_ended);
        ledger.arriving -= 1;
        let mut linger = None;
        let mut spin = Spin::default();
        loop {
            if let Some((job, began)) = ledger.start_next(number) {
                drop(ledger);
                let lane = job.lane;
                let is_behind = self.run(job, number, began, &has_ended);
                linger = Some(is_behind).filter(|_| self.lingers);
                ledger = self.lock();
                self.delivering.fetch_sub(1, Ordering::Relaxed);
                ledger.finish(number, lane);
            } else if let Some(is_behind) = linger.take().filter(|_| !ledger.closed) {
                self.news.store(false, Ordering::Relaxed);
                ledger.arriving += 1;
                drop(ledger);
                self.linger(is_behind, &mut spin);
                ledger = self.lock();
                ledger.arriving -= 1;
            } else if let Some(called) = self.wait_for_call(ledger, number) {
                ledger = called;
            } else {
                return;
            }
        }
    }

    /// Stays awake for a moment, unless a job comes.
    fn linger(&self, is_behind: bool, spin: &mut Spin) {
        let since = Instant::now();
        let has_news = || self.news.load(Ordering::Relaxed);
        if is_behind {
            while !has_news() && since.elapsed() < YIELD_MAX {
                thread::yield_now();
            }
        } else if self.spins && spin.is_worth_it() {
            while !has_news() && since.elapsed() < SPIN_MAX {
                spin_loop();
            }
            spin.note(has_news());
        }
    }

    /// Runs one job and delivers it; says whether the loop is behind with its results.
    fn run(&self, job: QueuedJob, worker: u16, began: Instant, has_ended: &AtomicBool) -> bool {
        let QueuedJob { key, mut work, .. } = job;
        work.run();
        let (name, place) = (work.name(), work.place());
        let ran = Ran { worker, began };
        // The job has ended before the loop hears of the result, so nobody lists it any more. And a
        // loop that answers with the next job leaves it to this worker, where it would otherwise
        // ring for another one or start a thread. It takes no job before it has delivered: whoever
        // delivers may be slow, and who waits could be cancelled yet.
        has_ended.store(true, Ordering::Relaxed);
        self.delivering.fetch_add(1, Ordering::Relaxed);
        let mut is_behind = false;
        contain(
            || is_behind = (self.deliver)(key, ran, work),
            || log::error!("blocking job `{name}` from {place}: its delivery panicked"),
        );
        is_behind
    }

    /// Sleeps until called; `None` if the worker has left the pool instead.
    fn wait_for_call<'a>(
        &'a self,
        mut ledger: MutexGuard<'a, Ledger>,
        number: u16,
    ) -> Option<MutexGuard<'a, Ledger>> {
        let since = Instant::now();
        ledger.idle += 1;
        while !ledger.closed {
            let left = self.keep_alive.saturating_sub(since.elapsed());
            ledger = self
                .bell
                .wait_timeout(ledger, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            // A call counts even if the time ran out at the same moment: the submit relies on it.
            if ledger.called > 0 {
                ledger.called -= 1;
                return Some(ledger);
            }
            if since.elapsed() >= self.keep_alive {
                break;
            }
        }
        ledger.idle -= 1;
        ledger.workers -= 1;
        ledger.give_number(number);
        if ledger.workers == 0 {
            ledger.lanes.shrink();
            if ledger.closed {
                self.bell.notify_all();
            }
        }
        None
    }
}

/// What spinning has brought a worker.
#[derive(Default)]
struct Spin {
    /// Times in a row that no job came.
    misses: u32,
    skip: u32,
}

impl Spin {
    /// Not, for up to 64 times, after it was in vain: so a loop that sleeps, or needs the very core
    /// that the worker spins on, does not pay for it.
    fn is_worth_it(&mut self) -> bool {
        self.skip = self.skip.saturating_sub(1);
        self.skip == 0
    }

    fn note(&mut self, has_come: bool) {
        self.misses = if has_come {
            0
        } else {
            (self.misses + 1).min(6)
        };
        self.skip = 1 << self.misses;
    }
}

impl Ledger {
    /// The lowest number that no worker has.
    pub(super) fn take_number(&mut self) -> u16 {
        let free = self.desks.iter().position(|desk| !desk.is_taken);
        let at = free.unwrap_or(self.desks.len());
        if at == self.desks.len() {
            self.desks.push(Desk::default());
        }
        self.desks[at].is_taken = true;
        u16::try_from(at + 1).unwrap_or(u16::MAX)
    }

    /// The thread was not started that this number was for, or it has left.
    pub(super) fn give_number(&mut self, number: u16) {
        self.desk(number).is_taken = false;
    }

    fn desk(&mut self, number: u16) -> &mut Desk {
        &mut self.desks[usize::from(number) - 1]
    }

    /// The jobs that run, or have run and may not be delivered yet.
    pub(super) fn undelivered(&self) -> Vec<RunningJob> {
        let mut jobs: Vec<_> = self
            .desks
            .iter()
            .filter_map(|desk| desk.job.clone())
            .collect();
        jobs.sort_by_key(|job| job.since);
        jobs
    }

    fn running(&self) -> Vec<RunningJob> {
        let runs = |desk: &&Desk| !desk.has_ended.load(Ordering::Relaxed);
        let desks = self.desks.iter().filter(runs);
        desks.filter_map(|desk| desk.job.clone()).collect()
    }

    fn start_next(&mut self, worker: u16) -> Option<(QueuedJob, Instant)> {
        let job = self.lanes.pop(self.taken_slow < self.slow_max)?;
        let since = Instant::now();
        self.taken += 1;
        self.taken_slow += usize::from(job.lane == Lane::Slow);
        let desk = self.desk(worker);
        desk.has_ended.store(false, Ordering::Relaxed);
        desk.job = Some(RunningJob {
            key: job.key,
            name: job.work.name(),
            place: job.work.place(),
            since,
            worker,
        });
        Some((job, since))
    }

    fn finish(&mut self, worker: u16, lane: Lane) {
        self.desk(worker).job = None;
        self.taken -= 1;
        self.taken_slow -= usize::from(lane == Lane::Slow);
        self.finished += 1;
    }
}

/// Calls `f`, and `report` if it panics. Nothing that either does unwinds any further.
pub(super) fn contain(f: impl FnOnce(), report: impl FnOnce()) {
    // What `f` captured is consumed by the call, so nobody can see it half changed.
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        return;
    };
    // The logger is user code, and a payload's drop may panic too: each is caught by itself, since
    // two panics at once abort. What these panics carry is leaked, as its drop might be the next.
    let reported = catch_unwind(AssertUnwindSafe(report));
    let dropped = catch_unwind(AssertUnwindSafe(move || drop(payload)));
    std::mem::forget((reported, dropped));
}

/// Drops work that nobody will run; what its captured values do while they are dropped stays here.
pub(super) fn discard(work: Work) {
    contain(
        move || drop(work),
        || log::error!("a value captured by a cancelled blocking job panicked while dropped"),
    );
}
