//! What is said of a stall: as text for people, and as a line of JSON for machines.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::watch::{Frame, Owner, Stall, Verdict, escaped, quoted};

use super::watched::Waiting;

/// How far a stall is when it is reported.
///
/// # Examples
///
/// ```
/// use tourbillon::Stage;
///
/// assert_ne!(Stage::Began, Stage::Over);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has just been noticed.
    Began,
    /// It still lasts, and was looked at once more.
    Lasts,
    /// The loop is free again.
    Over,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Began => "stall",
            Stage::Lasts => "still",
            Stage::Over => "free",
        }
    }
}

/// A stall, as [`Watchdog::on_stall`](crate::Watchdog::on_stall) is told of it.
///
/// `Display` gives the text that is written to standard error.
///
/// # Examples
///
/// ```
/// use tourbillon::{StallReport, Watchdog};
///
/// fn alert(report: &StallReport) {
///     eprintln!("{} holds the loop: {}", report.stall.label, report.json());
/// }
/// let watchdog = Watchdog::new().on_stall(alert);
/// # let _ = watchdog;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StallReport {
    /// How far it is.
    pub stage: Stage,
    /// Who, where, and what it does; `took` is none until it is over.
    pub stall: Stall,
    /// How long it has lasted, since it was first seen.
    pub elapsed: Duration,
    /// The threshold.
    pub limit: Duration,
    /// How long the thread was on a processor meanwhile, where the system tells.
    pub cpu: Option<Duration>,
    /// The system call it is in.
    pub syscall: Option<String>,
    /// How the stack was taken, or why there is none.
    pub how: String,
    /// Who waits.
    pub waiting: Waiting,
    /// Stalls that were not reported before this one, because there were too many.
    pub held_back: u32,
    pub(super) shows_all: bool,
}

/// Frames of the program that are shown, innermost first.
const SHOWN_MAX: usize = 8;

impl StallReport {
    /// The report as one line of JSON, without the line's end.
    ///
    /// Times are milliseconds; `stack` holds all frames, innermost first.
    ///
    /// # Examples
    ///
    /// ```
    /// let watchdog = tourbillon::Watchdog::new().on_stall(|report| println!("{}", report.json()));
    /// # let _ = watchdog;
    /// ```
    pub fn json(&self) -> String {
        let mut text = String::from("{");
        let stall = &self.stall;
        let verdict = stall.verdict;
        pair(&mut text, "tourbillon", quoted(self.stage.name()));
        pair(&mut text, "id", stall.id);
        pair(&mut text, "ms", millis(self.elapsed));
        pair(&mut text, "limit_ms", millis(self.limit));
        pair(&mut text, "task", stall.task);
        pair(&mut text, "label", quoted(&stall.label));
        pair(&mut text, "place", quoted(&stall.place));
        pair(&mut text, "poll", stall.poll);
        pair(&mut text, "kind", quoted(verdict.name()));
        pair(&mut text, "verdict", quoted(verdict.text()));
        let cpu = self.cpu.map_or_else(|| "null".to_owned(), millis);
        pair(&mut text, "cpu_ms", cpu);
        let call = self.syscall.as_ref();
        let call = call.map_or_else(|| "null".to_owned(), |call| quoted(call).to_string());
        pair(&mut text, "syscall", call);
        let frames: Vec<String> = stall.stack.iter().map(frame_json).collect();
        pair(&mut text, "stack", format!("[{}]", frames.join(",")));
        pair(&mut text, "how", quoted(&self.how));
        let (same, of) = stall.same;
        pair(&mut text, "same", format!("[{same},{of}]"));
        pair(&mut text, "waiting", waiting_json(&self.waiting));
        pair(&mut text, "held_back", self.held_back);
        pair(&mut text, "try", quoted(verdict.hint()));
        text.push('}');
        text
    }

    /// The frames that are shown, the culprit first: those of the program that it was called by.
    /// All, if that was asked for.
    fn shown(&self) -> Vec<&Frame> {
        let stack = &self.stall.stack;
        if self.shows_all {
            return stack.iter().collect();
        }
        let is_shown = |frame: &&Frame| matches!(frame.owner, Owner::Yours | Owner::Unknown);
        let from = self.stall.culprit_at().unwrap_or(0);
        let callers = stack.iter().skip(from);
        let shown: Vec<_> = callers.filter(is_shown).take(SHOWN_MAX).collect();
        // Where nothing is the program's, what is there is better than nothing.
        if shown.is_empty() {
            return stack.iter().take(SHOWN_MAX).collect();
        }
        shown
    }

    fn write_began(&self, f: &mut impl Write) -> fmt::Result {
        let stall = &self.stall;
        if self.held_back > 0 {
            let held_back = self.held_back;
            writeln!(f, "tourbillon: {held_back} more stalls were not reported")?;
        }
        let head = format!(
            "tourbillon: loop stuck for {} and counting (limit {})",
            ms(self.elapsed),
            ms(self.limit)
        );
        writeln!(f, "{head:<78} stall {}", stall.id)?;
        let who = match stall.task {
            0 if stall.place.is_empty() => "unknown: it ended as it was looked at".to_owned(),
            0 => "a callback".to_owned(),
            1 => format!("main (#1), poll {}", stall.poll),
            task => {
                let label = escaped(&stall.label);
                format!("#{task} \"{label}\", poll {}", stall.poll)
            }
        };
        let place = escaped(&stall.place);
        match (stall.place.is_empty(), stall.task) {
            (true, _) => writeln!(f, "  task     {who}")?,
            (_, 0) => writeln!(f, "  task     {who:<44}  handed in at {place}")?,
            _ => writeln!(f, "  task     {who:<44}  spawned at {place}")?,
        }
        writeln!(f, "  state    {}", self.state())?;
        self.write_stack(f)?;
        writeln!(f, "  waiting  {}", waiting_text(&self.waiting))?;
        writeln!(f, "  try      {}", stall.verdict.hint())
    }

    /// `on CPU, 101 of 103 ms`
    fn state(&self) -> String {
        let mut state = self.stall.verdict.text().to_owned();
        if let Some(call) = &self.syscall
            && self.stall.verdict != Verdict::Cpu
        {
            let _ = write!(state, " ({})", escaped(call));
        }
        if let Some(cpu) = self.cpu {
            let (cpu, elapsed) = (millis(cpu), ms(self.elapsed));
            let _ = match self.stall.verdict {
                Verdict::Cpu => write!(state, ", {cpu} of {elapsed}"),
                _ => write!(state, ", on CPU {cpu} of {elapsed}"),
            };
        }
        state
    }

    fn write_stack(&self, f: &mut impl Write) -> fmt::Result {
        let stack = &self.stall.stack;
        if stack.is_empty() {
            return writeln!(f, "  stack    none: {}", escaped(&self.how));
        }
        let shown = self.shown();
        for (at, frame) in shown.iter().enumerate() {
            let head = if at == 0 { "stuck in " } else { "" };
            let (function, place) = (escaped(&frame.function), escaped(&frame.place()));
            let line = format!("  {head:<9}{function:<44}  {place}");
            writeln!(f, "{}", line.trim_end())?;
        }
        let hidden = stack.len() - shown.len();
        if hidden > 0 {
            let is_own = |frame: &&Frame| frame.owner == Owner::Yours;
            let own = stack.iter().filter(is_own).count();
            let whose = match own > SHOWN_MAX {
                true => "other",
                false => "runtime and library",
            };
            let all = "TOURBILLON_FULL_STACK=1 shows them";
            writeln!(f, "           ({hidden} {whose} frames hidden, {all})")?;
        }
        Ok(())
    }

    fn write_lasts(&self, f: &mut impl Write) -> fmt::Result {
        let (same, of) = self.stall.same;
        let elapsed = ms(self.elapsed);
        write!(
            f,
            "tourbillon: loop still stuck after {elapsed}, {}",
            self.state()
        )?;
        if let Some(frame) = self.stall.culprit() {
            let place = frame.place();
            let place = if place.is_empty() {
                place
            } else {
                format!(" at {place}")
            };
            let function = escaped(&frame.function);
            write!(
                f,
                ", in {function}{}, same place in {same} of {of} samples",
                escaped(&place)
            )?;
        }
        writeln!(f, "     stall {}", self.stall.id)
    }

    fn write_over(&self, f: &mut impl Write) -> fmt::Result {
        let (same, of) = self.stall.same;
        write!(f, "tourbillon: loop free again after {}", ms(self.elapsed))?;
        if of > 0 {
            write!(f, ", same place in {same} of {of} samples")?;
        }
        writeln!(f, "     stall {}", self.stall.id)
    }
}

impl fmt::Display for StallReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::Began => self.write_began(f),
            Stage::Lasts => self.write_lasts(f),
            Stage::Over => self.write_over(f),
        }
    }
}

/// Who waits, in one line.
fn waiting_text(waiting: &Waiting) -> String {
    let mut parts = Vec::new();
    let mut count = |count: u32, one: &str, many: &str| match count {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        count => parts.push(format!("{count} {many}")),
    };
    count(waiting.ready, "ready task", "ready tasks");
    count(waiting.callbacks, "callback", "callbacks");
    count(waiting.overdue, "timer overdue", "timers overdue");
    count(waiting.unread, "socket unread", "sockets unread");
    if let Some((waiting, limit)) = waiting.accept.filter(|&(waiting, _)| waiting > 0) {
        parts.push(format!("accept queue {waiting} of {limit}"));
    }
    if !waiting.worst_late.is_zero() {
        parts.push(format!("worst {} late", ms(waiting.worst_late)));
    }
    if parts.is_empty() {
        return "nobody".to_owned();
    }
    parts.join(", ")
}

fn waiting_json(waiting: &Waiting) -> String {
    let accept = waiting.accept.map_or_else(
        || "null".to_owned(),
        |(now, limit)| format!("[{now},{limit}]"),
    );
    let mut text = String::from("{");
    pair(&mut text, "ready", waiting.ready);
    pair(&mut text, "callbacks", waiting.callbacks);
    pair(&mut text, "overdue", waiting.overdue);
    pair(&mut text, "worst_late_ms", millis(waiting.worst_late));
    pair(&mut text, "unread", waiting.unread);
    pair(&mut text, "accept", accept);
    text.push('}');
    text
}

fn frame_json(frame: &Frame) -> String {
    let mut text = String::from("{");
    pair(&mut text, "function", quoted(&frame.function));
    pair(&mut text, "file", quoted(&frame.file));
    pair(&mut text, "line", frame.line);
    pair(&mut text, "owner", quoted(frame.owner.text()));
    text.push('}');
    text
}

/// Adds a name and a value that is JSON already.
fn pair(text: &mut String, name: &str, value: impl fmt::Display) {
    if !text.ends_with('{') {
        text.push(',');
    }
    let _ = write!(text, "\"{name}\":{value}");
}

/// Whole milliseconds.
fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

pub(super) fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}
