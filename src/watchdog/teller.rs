//! Who says what was seen: looks the names up, writes it out, files it, and tells the program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::sys::StackSample;
use crate::watch::Stall;

use super::findings::Findings;
use super::report::{Stage, StallReport, ms};
use super::symbols::Symbols;
use super::verdict::Facts;
use super::watchdog::Watchdog;
use super::watched::{Culprit, Waiting};

/// What there is to say.
#[derive(Debug)]
pub(super) enum News {
    /// It is stuck, or still is.
    Stuck(Box<Seen>),
    /// What it was stuck in is over, after so many nanoseconds.
    Over {
        id: u32,
        /// When, before it was first seen.
        began: u64,
        took: u64,
    },
    /// A turn of many things, each short enough.
    Slow {
        turn: u64,
        lasted: Duration,
        /// Polls and calls that ended in it.
        ended: u64,
    },
    /// A debugger has it.
    Debugged,
    /// So many stalls were not written out, and the time for that is over.
    HeldBack { stalls: u32 },
}

/// A loop that is stuck, as it was at one look.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: u32,
    pub(super) since: u64,
    pub(super) is_first: bool,
    /// Whether it is to be written out; asked of the first.
    pub(super) is_said: bool,
    pub(super) held_back: u32,
    pub(super) elapsed: Duration,
    pub(super) who: Culprit,
    pub(super) facts: Facts,
    pub(super) sample: Option<StackSample>,
    pub(super) waiting: Waiting,
}

/// What lives on the thread that tells.
pub(super) struct Teller {
    config: Watchdog,
    findings: Arc<Findings>,
    symbols: Symbols,
    /// How stacks are taken, or why not.
    how: String,
    open: Option<Open>,
    shows_all: bool,
}

/// The stall that is not over.
struct Open {
    report: StallReport,
    /// Whether it was written out, and not held back.
    is_said: bool,
    /// Where it was at each sample.
    places: Vec<String>,
}

impl Teller {
    pub(super) fn new(config: &Watchdog, findings: Arc<Findings>, how: String) -> Self {
        Self {
            config: config.clone(),
            findings,
            symbols: Symbols::new(),
            how,
            open: None,
            shows_all: std::env::var_os("TOURBILLON_FULL_STACK").is_some_and(|all| all == "1"),
        }
    }

    pub(super) fn tell(&mut self, news: News) {
        match news {
            News::Stuck(seen) => self.stuck(*seen),
            News::Over { id, began, took } => self.over(id, began, took),
            News::Slow {
                turn,
                lasted,
                ended,
            } => self.slow(turn, lasted, ended),
            News::Debugged => self.say(
                "a debugger is attached, stalls are not reported until it detaches",
                "{\"tourbillon\":\"debugger\"}",
            ),
            News::HeldBack { stalls } => self.say(
                &format!("{stalls} more stalls were not reported"),
                &format!("{{\"tourbillon\":\"held-back\",\"stalls\":{stalls}}}"),
            ),
        }
    }

    fn stuck(&mut self, seen: Seen) {
        let mut open = match self.open.take().filter(|_| !seen.is_first) {
            Some(open) => open,
            None => self.begin(&seen),
        };
        let report = &mut open.report;
        report.elapsed = seen.elapsed;
        report.cpu = seen.facts.cpu;
        report.stall.verdict = seen.facts.verdict();
        report.syscall = seen.facts.call.map(|call| call.to_string());
        report.waiting = seen.waiting;
        if let Some(sample) = seen.sample {
            if open.places.is_empty() {
                // The first names may take a while; until then the page shows what is known.
                self.findings.stall(report);
            }
            report.how = sample.how.text().to_owned();
            report.stall.stack = self.symbols.frames(&sample.pcs);
            open.places.push(place(&report.stall));
            report.stall.same = same(&open.places);
        }
        if report.stage == Stage::Began {
            report.stall.report = report.to_string();
        }
        self.pass_on(&open);
        open.report.stage = Stage::Lasts;
        self.open = Some(open);
    }

    fn begin(&self, seen: &Seen) -> Open {
        let who = &seen.who;
        Open {
            report: StallReport {
                stage: Stage::Began,
                stall: Stall {
                    id: seen.id,
                    at: seen.since,
                    task: who.task,
                    label: who.label.clone(),
                    place: self.symbols.place(&who.place),
                    poll: who.poll,
                    ..Stall::default()
                },
                elapsed: Duration::ZERO,
                limit: self.config.threshold,
                cpu: None,
                syscall: None,
                how: self.how.clone(),
                waiting: Waiting::default(),
                held_back: seen.held_back,
                shows_all: self.shows_all,
            },
            is_said: seen.is_said,
            places: Vec::new(),
        }
    }

    fn over(&mut self, id: u32, began: u64, took: u64) {
        let Some(mut open) = self.open.take().filter(|open| open.report.stall.id == id) else {
            return;
        };
        let report = &mut open.report;
        report.stage = Stage::Over;
        report.elapsed = Duration::from_nanos(took);
        (report.stall.at, report.stall.took) = (began, Some(took));
        let line = report.to_string();
        report.stall.report.push_str(&line);
        self.pass_on(&open);
    }

    fn slow(&self, turn: u64, lasted: Duration, ended: u64) {
        let (lasted, limit) = (lasted.as_millis(), ms(self.config.threshold));
        self.say(
            &format!(
                "slow turn: turn {turn} has lasted {lasted} ms (limit {limit}), \
                 {ended} polls and calls ended in it, none too long alone"
            ),
            &format!(
                "{{\"tourbillon\":\"slow-turn\",\"turn\":{turn},\"ms\":{lasted},\
                 \"ended\":{ended}}}"
            ),
        );
    }

    /// Writes a line, the one or the other.
    fn say(&self, text: &str, json: &str) {
        (self.config.say)(&match self.config.is_json {
            true => format!("{json}\n"),
            false => format!("tourbillon: {text}\n"),
        });
    }

    /// Writes a report out, files it, and hands it to the program.
    fn pass_on(&self, open: &Open) {
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
