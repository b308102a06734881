//! The life of a worker thread, and the one mutex it shares with the pool.
//!
//! A worker is in one of four states, each a number in the [`Ledger`], so that a submit can tell
//! whether anybody will come for the new job without asking a thread:
//!
//! ```text
//!   started ──▶ arriving ──── a job ────▶ running
//!                 ▲  │ ◀─ done, deliver ─────┘
//!                 │  └─ no job ─▶ idle ── keep-alive over, or closed ──▶ left
//!                 │                │ a submit rings for one of them
//!                 └── wakes up ─ called
//! ```
//!
//! Every change happens under the mutex. So a worker that gives up waiting and a job that arrives
//! cannot miss each other: either the worker has left before the submit counts, or the submit has
//! called it and it stays.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::{JobKey, Lane, Ran, RunningJob, Work};
use super::lanes::{Lanes, QueuedJob};
use super::pool::PoolStats;

/// What the pool and its workers share.
pub(super) struct Workshop {
    ledger: Mutex<Ledger>,
    /// Idle workers sleep here; so does a shutdown, once no submit can ring any more.
    pub(super) bell: Condvar,
    keep_alive: Duration,
    deliver: Deliver,
}

/// Who is told of a job that has run.
pub(super) type Deliver = Arc<dyn Fn(JobKey, Ran) + Send + Sync>;

/// What the mutex guards.
pub(super) struct Ledger {
    pub(super) lanes: Lanes,
    pub(super) running: Vec<RunningJob>,
    running_slow: usize,
    slow_max: usize,
    /// Threads that live, in whatever state.
    pub(super) workers: usize,
    /// Which numbers they have, from 1: true is taken.
    numbers: Vec<bool>,
    /// Workers that sleep and that nobody has rung for.
    pub(super) idle: usize,
    /// Workers that sleep although the bell has rung for them. Which of the sleepers wakes up does
    /// not matter: the first to do so takes the call.
    pub(super) called: usize,
    /// Workers awake between two jobs: just started, or delivering. They look at the lanes next.
    pub(super) arriving: usize,
    pub(super) closed: bool,
    /// Whether the system refused the last thread asked for, so that the log says so once and not
    /// per job.
    pub(super) refused: bool,
    pub(super) started: u64,
    pub(super) finished: u64,
}

impl Workshop {
    pub(super) fn new(slow_max: usize, keep_alive: Duration, deliver: Deliver) -> Self {
        let ledger = Ledger {
            lanes: Lanes::default(),
            running: Vec::new(),
            running_slow: 0,
            slow_max,
            workers: 0,
            numbers: Vec::new(),
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
        PoolStats {
            queued: ledger.lanes.waiting(),
            running: ledger.running.len(),
            idle: ledger.idle + ledger.called,
            workers: ledger.workers,
            started: ledger.started,
            finished: ledger.finished,
        }
    }

    /// The jobs that run now, longest first.
    pub(super) fn running(&self) -> Vec<RunningJob> {
        let mut running = self.lock().running.clone();
        running.sort_by_key(|job| job.since);
        running
    }

    /// Runs jobs until the worker has been idle for the keep-alive or the pool is closed: a
    /// worker's whole life.
    pub(super) fn work(&self, number: u16) {
        let mut ledger = self.lock();
        ledger.arriving -= 1;
        loop {
            if let Some((job, began)) = ledger.start_next(number) {
                drop(ledger);
                self.run(job, number, began);
                ledger = self.lock();
                ledger.arriving -= 1;
            } else if let Some(called) = self.wait_for_call(ledger, number) {
                ledger = called;
            } else {
                return;
            }
        }
    }

    /// Runs one job and delivers its key.
    fn run(&self, job: QueuedJob, worker: u16, began: Instant) {
        let QueuedJob {
            key,
            lane,
            name,
            place,
            work,
        } = job;
        // The call consumes the work: on return its captured values and its share of the outcome
        // slot are gone.
        contain(work, || {
            log::error!("blocking job `{name}` from {place} panicked outside of its outcome")
        });

        let took = began.elapsed();
        let ran = Ran {
            worker,
            began,
            took,
        };
        // The worker counts as arriving before the loop hears of the result. A loop that answers
        // with the next job then leaves it to this worker, where it would otherwise ring for
        // another one or start a thread. It takes no job before it has delivered, although that
        // would spare a lock: whoever delivers may be slow, and who waits could be cancelled yet.
        self.lock().finish(key, lane);
        contain(
            || (self.deliver)(key, ran),
            || log::error!("blocking job `{name}` from {place}: its delivery panicked"),
        );
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

impl Ledger {
    /// How many jobs wait that no worker is on its way to.
    pub(super) fn unattended(&self) -> usize {
        let slow_places = self.slow_max - self.running_slow;
        self.lanes
            .runnable(slow_places)
            .saturating_sub(self.called + self.arriving)
    }

    /// The lowest number that no worker has.
    pub(super) fn take_number(&mut self) -> u16 {
        let free = self.numbers.iter().position(|&taken| !taken);
        let at = free.unwrap_or(self.numbers.len());
        if at == self.numbers.len() {
            self.numbers.push(true);
        }
        self.numbers[at] = true;
        u16::try_from(at + 1).unwrap_or(u16::MAX)
    }

    /// The thread was not started that this number was for.
    pub(super) fn give_number(&mut self, number: u16) {
        self.numbers[usize::from(number) - 1] = false;
    }

    fn start_next(&mut self, worker: u16) -> Option<(QueuedJob, Instant)> {
        let job = self.lanes.pop(self.running_slow < self.slow_max)?;
        let QueuedJob {
            key,
            lane,
            name,
            place,
            ..
        } = job;
        let since = Instant::now();
        self.running.push(RunningJob {
            key,
            name,
            place,
            since,
            worker,
        });
        self.running_slow += usize::from(lane == Lane::Slow);
        Some((job, since))
    }

    fn finish(&mut self, key: JobKey, lane: Lane) {
        let at = self.running.iter().position(|job| job.key == key);
        self.running
            .swap_remove(at.expect("a job runs until its worker finishes it"));
        self.running_slow -= usize::from(lane == Lane::Slow);
        self.arriving += 1;
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
