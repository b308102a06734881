//! What the page is told while it happens, and what is asked of the demo meanwhile.
//!
//! ```text
//!   client.rs   begins, sent, answered ───▶ ┌──────┐ ── snapshot ──▶ page.rs
//!   watchdog    who holds the loop ───────▶ │ Feed │ ◀── opened, ask, look ── page.rs
//!   keyboard    Enter ────────────────────▶ └──────┘ ── next ──▶ session.rs
//! ```
//!
//! A run without `--watch` has none of this, and pays nothing for it.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tourbillon::{Dump, StallReport, TaskState};

use super::facts::{Culprit, HeavyFact, LightFact, Plan, Run};
use super::runs::Both;
use super::tape;

/// A poll that is seen to have lasted so long holds the loop.
const HELD: Duration = Duration::from_millis(10);

/// More than there is between two looks.
const LOOKED: Duration = Duration::from_millis(80);

/// How far the demo is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// For somebody to begin.
    Waits,
    Asked,
    A,
    B,
    /// Both runs are over, and may be asked for again.
    Over,
    /// The demo ends.
    Ended,
}

/// One of the client's requests, counted from 1.
#[derive(Clone, Copy)]
pub(super) enum Lane {
    Heavy(usize),
    Light(usize),
}

/// One run as far as it is known. Times are milliseconds since its start.
#[derive(Clone)]
pub(super) struct Panel {
    pub(super) heavy: Vec<Seen>,
    pub(super) light: Vec<Seen>,
    /// Polls that held the loop.
    pub(super) held: Vec<Span>,
    /// Jobs, by their worker.
    pub(super) jobs: Vec<Span>,
    pub(super) culprit: Option<Culprit>,
    /// How late the loop was at most; known when the run is over.
    pub(super) stuck: Option<f64>,
    start: Instant,
    stalls_before: u64,
}

/// A request, as far as it got. When its work began and ended is known by its answer.
#[derive(Clone, Default)]
pub(super) struct Seen {
    pub(super) sent: Option<f64>,
    pub(super) work: Option<(f64, f64)>,
    pub(super) answered: Option<f64>,
    pub(super) thread: String,
}

/// Something that keeps a thread.
#[derive(Clone)]
pub(super) struct Span {
    /// The task it is of, and its n-th poll.
    who: (String, u32),
    /// The worker; 0 is the loop.
    pub(super) worker: usize,
    pub(super) from: f64,
    pub(super) until: f64,
    /// It was there when it was last looked for.
    pub(super) lasts: bool,
}

/// What came of the last runs that are over.
#[derive(Clone)]
pub(super) struct Outcome {
    pub(super) both: Arc<Both>,
    /// As `--json` prints them.
    pub(super) json: String,
    pub(super) sentences: Vec<String>,
}

/// All of it, as it is at one moment.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) step: Step,
    /// How often something has changed.
    pub(super) revision: u64,
    pub(super) runs: u32,
    pub(super) a: Option<Panel>,
    pub(super) b: Option<Panel>,
    pub(super) outcome: Option<Outcome>,
}

struct State {
    now: Snapshot,
    is_opened: bool,
    enters: usize,
    input_ended: bool,
}

pub(super) struct Feed {
    state: Mutex<State>,
    changed: Condvar,
}

impl Feed {
    pub(super) fn new() -> Self {
        let now = Snapshot {
            step: Step::Waits,
            revision: 0,
            runs: 0,
            a: None,
            b: None,
            outcome: None,
        };
        let state = Mutex::new(State {
            now,
            is_opened: false,
            enters: 0,
            input_ended: false,
        });
        Feed {
            state,
            changed: Condvar::new(),
        }
    }

    /// Waits until somebody wants something: a run, or else the end.
    ///
    /// The first run begins when the page is open, by Enter, or when there is no more input; all
    /// others are asked for, and Enter is the end.
    pub(super) fn next(&self) -> bool {
        let mut state = self.lock();
        loop {
            let is_first = state.now.runs == 0;
            let is_asked = state.now.step == Step::Asked || is_first && state.is_opened;
            let said = state.input_ended || state.enters > 0;
            if is_asked || is_first && said {
                if !is_asked {
                    state.enters = state.enters.saturating_sub(1);
                }
                state.now.step = Step::Asked;
                return true;
            }
            if said {
                return false;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Enter was pressed.
    pub(super) fn enter(&self) {
        self.change(|state| state.enters += 1);
    }

    /// Nobody will press it any more.
    pub(super) fn input_ended(&self) {
        self.change(|state| state.input_ended = true);
    }

    /// Somebody looks at the page.
    pub(super) fn opened(&self) {
        self.change(|state| state.is_opened = true);
    }

    /// Asks for a run; not while there is one.
    pub(super) fn ask(&self) -> bool {
        self.change(|state| {
            let may = matches!(state.now.step, Step::Waits | Step::Over);
            if may {
                state.now.step = Step::Asked;
            }
            may
        })
    }

    /// A run begins, the blocking one or the other.
    pub(super) fn begins(&self, is_a: bool, plan: &Plan, start: Instant, stalls_before: u64) {
        let panel = Panel {
            heavy: vec![Seen::default(); plan.heavy],
            light: vec![Seen::default(); plan.light],
            held: Vec::new(),
            jobs: Vec::new(),
            culprit: None,
            stuck: None,
            start,
            stalls_before,
        };
        self.change(|state| {
            let now = &mut state.now;
            if is_a {
                now.runs += 1;
                (now.step, now.a, now.b) = (Step::A, Some(panel), None);
            } else {
                (now.step, now.b) = (Step::B, Some(panel));
            }
        });
    }

    pub(super) fn sent(&self, lane: Lane) {
        self.note(|panel| {
            let at = panel.since_start(Instant::now());
            panel.seen(lane).sent = Some(at);
        });
    }

    pub(super) fn answered(&self, lane: Lane, at: Instant) {
        self.note(|panel| {
            let at = panel.since_start(at);
            panel.seen(lane).answered = Some(at);
        });
    }

    /// What the watchdog has found, while the loop is stuck or afterwards.
    pub(super) fn stalled(&self, report: &StallReport) {
        self.note(|panel| {
            if u64::from(report.stall.id) > panel.stalls_before {
                panel.culprit = tape::culprit(&report.stall);
            }
        });
    }

    /// Notes down who holds the loop, and which jobs run.
    pub(super) fn look(&self, dump: &Dump) {
        self.note(|panel| panel.look(dump));
    }

    /// A run is over, and this came of it.
    pub(super) fn measured(&self, run: &Run, culprit: Option<Culprit>) {
        self.note(|panel| panel.measured(run, culprit));
    }

    /// Both runs are over.
    pub(super) fn over(&self, outcome: Outcome) {
        self.change(|state| {
            state.now.outcome = Some(outcome);
            state.now.step = Step::Over;
        });
    }

    /// Says to the page that there will be no more.
    pub(super) fn ends(&self) {
        self.change(|state| state.now.step = Step::Ended);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().now.clone()
    }

    /// The same, if there is anything new in it.
    pub(super) fn news(&self, revision: Option<u64>) -> Option<Snapshot> {
        let state = self.lock();
        (revision != Some(state.now.revision)).then(|| state.now.clone())
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.lock().now.step, Step::A | Step::B)
    }

    fn note(&self, write: impl FnOnce(&mut Panel)) {
        self.change(|state| {
            let panel = match state.now.step {
                Step::A => &mut state.now.a,
                Step::B => &mut state.now.b,
                _ => return,
            };
            panel.as_mut().map(write);
        });
    }

    fn change<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = write(&mut state);
        state.now.revision += 1;
        self.changed.notify_all();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing but stores and copies is made under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Panel {
    /// Milliseconds from the start until then; before it they are negative.
    pub(super) fn since_start(&self, at: Instant) -> f64 {
        let after = at.saturating_duration_since(self.start);
        let before = self.start.saturating_duration_since(at);
        (after.as_secs_f64() - before.as_secs_f64()) * 1000.0
    }

    fn seen(&mut self, lane: Lane) -> &mut Seen {
        match lane {
            Lane::Heavy(number) => &mut self.heavy[number - 1],
            Lane::Light(number) => &mut self.light[number - 1],
        }
    }

    fn look(&mut self, dump: &Dump) {
        let now = self.since_start(Instant::now());
        self.held.iter_mut().for_each(|span| span.lasts = false);
        self.jobs.iter_mut().for_each(|span| span.lasts = false);
        for task in &dump.tasks {
            let since = now - task.since.as_secs_f64() * 1000.0;
            let is_held = task.state == TaskState::Running && task.since >= HELD;
            let (list, worker, from) = match worker_of(&task.reason) {
                // The task has waited since before if its job was in the queue.
                Some(worker) if task.since > LOOKED => (&mut self.jobs, worker, now),
                Some(worker) => (&mut self.jobs, worker, since),
                None if is_held => (&mut self.held, 0, since),
                None => continue,
            };
            let who = (task.id.clone(), task.polls);
            match list.iter_mut().find(|span| span.who == who) {
                Some(span) => (span.until, span.lasts) = (now, true),
                None => list.push(Span {
                    who,
                    worker,
                    from: from.max(0.0),
                    until: now,
                    lasts: true,
                }),
            }
        }
    }

    /// Puts what was measured in the place of what was seen.
    fn measured(&mut self, run: &Run, culprit: Option<Culprit>) {
        self.light = run.light.iter().map(Seen::light).collect();
        self.heavy = run.heavy.iter().map(Seen::heavy).collect();
        (self.culprit, self.stuck) = (culprit, Some(run.stuck));
        self.held.clear();
        self.jobs.clear();
        for heavy in &run.heavy {
            let list = match heavy.on_loop {
                true => &mut self.held,
                false => &mut self.jobs,
            };
            let worker = heavy.thread.strip_prefix("worker-");
            list.push(Span {
                who: Default::default(),
                worker: worker.and_then(|n| n.parse().ok()).unwrap_or(0),
                from: heavy.began,
                until: heavy.ended,
                lasts: false,
            });
        }
    }
}

impl Seen {
    fn light(light: &LightFact) -> Self {
        Seen {
            sent: Some(light.scheduled),
            work: Some((light.handled, light.handled)),
            answered: Some(light.answered),
            thread: String::new(),
        }
    }

    fn heavy(heavy: &HeavyFact) -> Self {
        Seen {
            sent: Some(heavy.start),
            work: Some((heavy.began, heavy.ended)),
            answered: Some(heavy.answered),
            thread: heavy.thread.clone(),
        }
    }
}

/// What a dump says of a task whose job runs: `job 7, on worker 2 for 300.1ms`.
fn worker_of(reason: &str) -> Option<usize> {
    let (_, rest) = reason.split_once("on worker ")?;
    rest.split(' ').next()?.parse().ok()
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lane::Heavy(number) => write!(f, "heavy request {number}"),
            Lane::Light(number) => write!(f, "light request {number}"),
        }
    }
}
