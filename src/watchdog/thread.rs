//! The watchdog's thread: sleeps, looks, and says what it has found.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::sys::{
    Origin, PulseCells, Sampler, StackSample, StackTarget, ThreadId, accept_queue, is_traced,
    readable_now,
};
use crate::watch::Stall;

use super::findings::Findings;
use super::quota::Quota;
use super::report::{Stage, StallReport, ms};
use super::rounds::{Look, Rounds, Stuck};
use super::symbols::{Symbols, warm_up};
use super::verdict::Facts;
use super::watchdog::Watchdog;
use super::watched::{Culprit, Waiting, Watched};

/// How long a thread may take to answer before its stack is done without.
const PATIENCE: Duration = Duration::from_millis(50);

/// A loop that is watched, for as long as this lives. It belongs to the loop's thread.
#[derive(Debug)]
pub(crate) struct Watching {
    thread: Option<JoinHandle<()>>,
    bed: Arc<Bed>,
    findings: Arc<Findings>,
    /// Dropped after the thread has ended; none if stacks cannot be had.
    target: Option<StackTarget>,
    armed: String,
    origin: Origin,
}

impl Watching {
    /// Begins to watch the loop that is turned on the calling thread.
    ///
    /// # Errors
    ///
    /// If no thread can be started. That there are no stacks is none: see [`armed`](Self::armed).
    pub(crate) fn start<B: Watched + PulseCells>(
        config: &Watchdog,
        board: Arc<B>,
    ) -> io::Result<Self> {
        let target = match config.samples {
            0 => Err("no stacks: none were asked for".to_owned()),
            _ => StackTarget::here(Arc::clone(&board) as _, config.signal)
                .map_err(|error| format!("no stacks: {error}")),
        };
        let how = match &target {
            Ok(target) => target.test().to_string(),
            Err(why) => why.clone(),
        };
        let answers = target.as_ref().is_ok_and(|target| target.test().answers);
        let target = target.ok();
        let sampler = target.as_ref().map(StackTarget::sampler);
        let (bed, findings) = (Arc::new(Bed::default()), Arc::new(Findings::default()));
        let means = Means {
            thread: ThreadId::here(),
            sampler: sampler.filter(|_| answers),
            how: how.clone(),
        };
        let guard = Guard::new(config, board, means, Arc::clone(&findings));
        let its_bed = Arc::clone(&bed);
        let thread = Builder::new()
            .name("tourbillon-watchdog".to_owned())
            .spawn(move || guard.watch(&its_bed))?;
        if sampler.is_some() {
            warm_up();
        }
        Ok(Self {
            thread: Some(thread),
            bed,
            findings,
            target,
            armed: format!("watchdog armed: {}, {how}", ms(config.threshold)),
            origin: Origin::here(),
        })
    }

    /// The list itself, for other threads.
    pub(crate) fn findings(&self) -> Arc<Findings> {
        Arc::clone(&self.findings)
    }

    /// That it watches, and how it takes stacks, in one line.
    pub(crate) fn armed(&self) -> &str {
        &self.armed
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if !self.origin.is_here() {
            // A fork has no such thread, and may find its locks taken for ever.
            std::mem::forget(self.target.take());
            return;
        }
        self.bed.wake();
        if let Some(thread) = self.thread.take() {
            // Its panics were caught where they can happen, and were written by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Where the thread sleeps, and is told that it is over.
#[derive(Debug, Default)]
struct Bed {
    is_over: Mutex<bool>,
    woken: Condvar,
}

impl Bed {
    fn wake(&self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_all();
    }

    /// Says whether it is over.
    fn sleep(&self, nap: Duration) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let slept = self
            .woken
            .wait_timeout_while(is_over, nap, |is_over| !*is_over);
        *slept.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How it looks at the loop's thread.
pub(super) struct Means {
    pub(super) thread: ThreadId,
    pub(super) sampler: Option<Sampler>,
    /// How stacks are taken, or why not.
    pub(super) how: String,
}

/// What lives on the watchdog's thread.
pub(super) struct Guard {
    config: Watchdog,
    board: Arc<dyn Watched>,
    means: Means,
    findings: Arc<Findings>,
    rounds: Rounds,
    quota: Quota,
    symbols: Symbols,
    stalls: u32,
    /// The processor time of the loop's thread when the running number was first seen.
    cpu_before: Option<Duration>,
    open: Option<Open>,
    is_debugged: bool,
    shows_all: bool,
}

/// The stall that is not over.
struct Open {
    report: StallReport,
    since: u64,
    /// Whether it was written out, and not held back.
    is_said: bool,
    /// Where it was at each sample.
    places: Vec<String>,
}

impl Guard {
    pub(super) fn new(
        config: &Watchdog,
        board: Arc<dyn Watched>,
        means: Means,
        findings: Arc<Findings>,
    ) -> Self {
        let nanos = |duration: Duration| duration.as_nanos() as u64;
        Self {
            rounds: Rounds::new(nanos(config.threshold), nanos(config.nap())),
            quota: Quota::new(config.reports_per_minute),
            config: config.clone(),
            board,
            means,
            findings,
            symbols: Symbols::new(),
            stalls: 0,
            cpu_before: None,
            open: None,
            is_debugged: false,
            shows_all: std::env::var_os("TOURBILLON_FULL_STACK").is_some_and(|all| all == "1"),
        }
    }

    fn watch(mut self, bed: &Bed) {
        let nap = self.config.nap();
        loop {
            self.rest();
            if bed.sleep(nap) {
                return;
            }
            self.look();
        }
    }

    pub(super) fn rest(&mut self) {
        self.rounds.rest(self.board.now());
    }

    /// One look at the loop, and what follows from it.
    pub(super) fn look(&mut self) -> Look {
        let now = self.board.now();
        let look = self.rounds.look(now, self.board.beat());
        if let Some(gap) = look.gap {
            self.findings.gap(gap);
        }
        if look.is_new {
            self.cpu_before = self.means.thread.cpu_time();
        }
        if let Some((seq, since)) = look.over {
            self.over(now, seq, since);
        }
        if let Some(stuck) = look.stuck {
            self.stuck(now, stuck);
        }
        if let Some((turn, since, ended)) = look.slow {
            self.slow(now, turn, since, ended);
        }
        self.give_up(now);
        look
    }

    fn stuck(&mut self, now: u64, stuck: Stuck) {
        if is_traced() == Some(true) {
            if !self.is_debugged {
                let rest = "stalls are not reported until it detaches";
                (self.config.say)(&format!("tourbillon: a debugger is attached, {rest}\n"));
            }
            self.is_debugged = true;
            return;
        }
        self.is_debugged = false;
        let elapsed = Duration::from_nanos(now.saturating_sub(stuck.since));
        // Before the thread is interrupted, which changes what it does.
        let facts = Facts::of(self.means.thread, self.cpu_before, elapsed);
        let sample = self.sample(stuck);
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(now, stuck),
        };
        open.since = stuck.since;
        let report = &mut open.report;
        report.elapsed = elapsed;
        report.cpu = facts.cpu;
        report.stall.verdict = facts.verdict();
        report.syscall = facts.call.map(|call| call.to_string());
        report.waiting = self.waiting();
        if let Some(sample) = sample {
            report.how = sample.how.text().to_owned();
            report.stall.stack = self.symbols.frames(&sample.pcs);
            open.places.push(place(&report.stall));
            report.stall.same = same(&open.places);
        }
        if report.stage == Stage::Began {
            report.stall.report = report.to_string();
        }
        self.tell(&open);
        open.report.stage = Stage::Lasts;
        self.open = Some(open);
    }

    fn begin(&mut self, now: u64, stuck: Stuck) -> Open {
        self.stalls += 1;
        self.board.mark_stuck(stuck.seq);
        let mut culprit = self.board.culprit();
        if self.board.beat().seq != stuck.seq {
            // It has just ended: this may be the next one.
            culprit = Culprit::default();
        }
        let quota = self.quota.ask(now);
        Open {
            report: StallReport {
                stage: Stage::Began,
                stall: Stall {
                    id: self.stalls,
                    at: stuck.since,
                    task: culprit.task,
                    label: culprit.label,
                    place: self.symbols.place(&culprit.place),
                    poll: culprit.poll,
                    ..Stall::default()
                },
                elapsed: Duration::ZERO,
                limit: self.config.threshold,
                cpu: None,
                syscall: None,
                how: self.means.how.clone(),
                waiting: Waiting::default(),
                held_back: quota.unwrap_or(0),
                shows_all: self.shows_all,
            },
            since: stuck.since,
            is_said: quota.is_some(),
            places: Vec::new(),
        }
    }

    fn sample(&self, stuck: Stuck) -> Option<StackSample> {
        let sampler = self.means.sampler?;
        if stuck.look > self.config.samples {
            return None;
        }
        let sample = sampler.sample(stuck.seq, PATIENCE)?;
        (!sample.is_stale && !sample.pcs.is_empty()).then_some(sample)
    }

    fn waiting(&self) -> Waiting {
        let fds = self.board.fds();
        let queues = fds.iter().filter_map(|&fd| accept_queue(fd));
        let accept = queues.max_by_key(|&(waiting, _)| waiting);
        let listens = |fd: &i32| accept_queue(*fd).is_some();
        let readable = readable_now(&fds);
        Waiting {
            unread: readable.iter().filter(|fd| !listens(fd)).count() as u32,
            accept,
            ..self.board.waiting()
        }
    }

    fn over(&mut self, now: u64, seq: u64, since: u64) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        let took = self
            .board
            .took(seq)
            .unwrap_or_else(|| now.saturating_sub(since));
        let report = &mut open.report;
        report.stage = Stage::Over;
        report.elapsed = Duration::from_nanos(took);
        report.stall.took = Some(took);
        let line = report.to_string();
        report.stall.report.push_str(&line);
        self.tell(&open);
    }

    fn slow(&mut self, now: u64, turn: u64, since: u64, ended: u64) {
        self.findings.slow_turn();
        if self.quota.ask(now).is_none() {
            return;
        }
        let lasted = Duration::from_nanos(now.saturating_sub(since)).as_millis();
        let limit = ms(self.config.threshold);
        (self.config.say)(&match self.config.is_json {
            true => format!(
                "{{\"tourbillon\":\"slow-turn\",\"turn\":{turn},\"ms\":{lasted},\
                 \"ended\":{ended}}}\n"
            ),
            false => format!(
                "tourbillon: slow turn: turn {turn} has lasted {lasted} ms (limit {limit}), \
                 {ended} polls and calls ended in it, none too long alone\n"
            ),
        });
    }

    fn give_up(&self, now: u64) {
        let Some((open, limit)) = self.open.as_ref().zip(self.config.abort_after) else {
            return;
        };
        let elapsed = Duration::from_nanos(now.saturating_sub(open.since));
        if elapsed >= limit {
            let elapsed = ms(elapsed);
            (self.config.say)(&format!("tourbillon: loop stuck for {elapsed}: aborting\n"));
            std::process::abort();
        }
    }

    /// Writes a report out, files it, and hands it to the program.
    fn tell(&self, open: &Open) {
        let report = &open.report;
        if open.is_said {
            (self.config.say)(&match self.config.is_json {
                true => report.json() + "\n",
                false => report.to_string(),
            });
        }
        self.findings.stall(report);
        if let Some(on_stall) = &self.config.on_stall {
            // What it leaves half done is its own; the panic hook has told of it.
            let _ = catch_unwind(AssertUnwindSafe(|| on_stall(report)));
        }
    }
}

/// Where a stall was, for comparing.
fn place(stall: &Stall) -> String {
    stall
        .culprit()
        .map_or_else(String::new, |frame| frame.function.clone())
}

/// How many of the places are the last one, and how many there are.
fn same(places: &[String]) -> (u32, u32) {
    let equal = places.iter().filter(|place| Some(*place) == places.last());
    (equal.count() as u32, places.len() as u32)
}
