//! A recording in the Trace Event Format, which Perfetto and chrome://tracing open.
//!
//! ```text
//!   process 1 "tourbillon"   1 event loop: turns, in them polls and calls, in those stalls
//!                            11.. workers: jobs        90 watchdog: stalls, gaps, losses
//!   process 2 "requests"     a span each, over each other
//!   process 3 "tasks"        a span each, with its wakes
//! ```
//!
//! Slices of a thread must nest, or the importer puts them elsewhere (google/perfetto#4280), so
//! what a clock made overlap is cut. Times are in µs with three decimals: to the nanosecond.

use std::cmp::Reverse;
use std::fmt::Write;

use super::counters;
use super::flows;
use super::lives::{Lives, culprit};
use super::slices::{Slice, Thread, threads};
use crate::watch::{EventKind, Recording, quoted};

pub(super) const LOOP: u32 = 1;
pub(super) const WORKERS: u32 = 10;
const WATCHDOG: u32 = 90;

/// Rows of one time in this order: what contains stands before what is in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Name,
    Slice,
    Begin,
    Point,
    Flow,
    End,
}

struct Row {
    at: u64,
    class: Class,
    long: Reverse<u64>,
    text: String,
}

/// The rows so far.
pub(super) struct Trace {
    rows: Vec<Row>,
}

impl Trace {
    /// A row with the fields that every one has; `rest` is the others, each behind a comma.
    pub(super) fn row(&mut self, class: Class, head: (&str, &str, u64), rest: &str) {
        let (phase, name, at) = head;
        let (name, time) = (quoted(name), micros(at));
        let text = format!(r#"{{"ph":"{phase}","name":{name},"ts":{time}{rest}}}"#);
        self.rows.push(Row {
            at,
            class,
            long: Reverse(0),
            text,
        });
    }
}

impl Recording {
    /// The recording as JSON in the Trace Event Format: <https://ui.perfetto.dev> opens it, and
    /// everything stays in the browser there.
    ///
    /// A poll is named by the request that its task works on, if there is one, else by its task: so
    /// the polls of one connection may have several names.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::watch::Recording;
    ///
    /// let json = Recording::new().chrome_json();
    /// assert!(json.starts_with("{\"traceEvents\":["));
    /// ```
    pub fn chrome_json(&self) -> String {
        let lives = Lives::of(self);
        let mut trace = Trace { rows: Vec::new() };
        let threads = threads(&lives);
        names(&mut trace, &lives, &threads);
        for thread in &threads {
            for slice in &thread.slices {
                add_slice(&mut trace, thread.id, slice);
            }
        }
        add_points(&mut trace, self);
        add_stalls(&mut trace, &lives);
        add_requests(&mut trace, &lives);
        add_tasks(&mut trace, &lives);
        flows::add(&mut trace, &lives, &threads);
        counters::add(&mut trace, &lives);
        trace.rows.sort_by_key(|row| (row.at, row.class, row.long));
        written(self, &trace.rows)
    }
}

fn written(recording: &Recording, rows: &[Row]) -> String {
    let bytes = rows.iter().map(|row| row.text.len() + 2).sum::<usize>();
    let mut json = String::with_capacity(bytes + 256);
    json.push_str("{\"traceEvents\":[");
    for (at, row) in rows.iter().enumerate() {
        json.push_str(if at == 0 { "\n" } else { ",\n" });
        json.push_str(&row.text);
    }
    let (level, backend) = (recording.level.text(), quoted(&recording.backend));
    let other = format!(
        r#"{{"level":"{level}","backend":{backend},"lost":{}}}"#,
        recording.lost()
    );
    let _ = write!(
        json,
        "\n],\"displayTimeUnit\":\"ms\",\"otherData\":{other}}}"
    );
    json
}

/// Nanoseconds as microseconds with three decimals.
pub(super) fn micros(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000, nanos % 1_000)
}

fn names(trace: &mut Trace, lives: &Lives<'_>, threads: &[Thread]) {
    let processes = [(1, "tourbillon"), (2, "requests"), (3, "tasks")];
    for (pid, name) in processes {
        let rest = format!(r#","pid":{pid},"tid":0,"args":{{"name":{}}}"#, quoted(name));
        trace.row(Class::Name, ("M", "process_name", 0), &rest);
    }
    let mut thread = |tid: u32, name: &str| {
        let rest = format!(r#","pid":1,"tid":{tid},"args":{{"name":{}}}"#, quoted(name));
        trace.row(Class::Name, ("M", "thread_name", 0), &rest);
    };
    thread(LOOP, "event loop");
    thread(WATCHDOG, "watchdog");
    for other in threads.iter().filter(|thread| thread.id != LOOP) {
        let worker = u16::try_from(other.id - WORKERS).unwrap_or(u16::MAX);
        thread(tid(other.id), &lives.worker_name(worker));
    }
}

/// The watchdog's number is no worker's.
pub(super) fn tid(thread: u32) -> u32 {
    thread + u32::from(thread >= WATCHDOG)
}

fn add_slice(trace: &mut Trace, thread: u32, slice: &Slice) {
    let took = slice.until - slice.at;
    let rest = format!(
        r#","dur":{},"cat":"{}","pid":1,"tid":{},"args":{{{}}}"#,
        micros(took),
        slice.category,
        tid(thread),
        slice.args
    );
    trace.row(Class::Slice, ("X", &slice.name, slice.at), &rest);
    if let Some(row) = trace.rows.last_mut() {
        row.long = Reverse(took);
    }
}

/// What has no length.
fn add_points(trace: &mut Trace, recording: &Recording) {
    for event in &recording.events {
        let at = event.at;
        let (name, cat, args) = match event.kind {
            EventKind::Lost { count } => {
                let args = format!(r#""args":{{"count":{count}}}"#);
                let rest = format!(r#","s":"g","cat":"recorder","pid":1,"tid":{WATCHDOG},{args}"#);
                trace.row(Class::Point, ("i", "LOST", at), &rest);
                continue;
            }
            EventKind::IoReady { fd, ready } => (
                format!("fd {fd} ready"),
                "io",
                format!(r#""ready":{ready}"#),
            ),
            EventKind::IoOp { fd, op, result } => {
                let name = format!("{} fd {fd}", op.text());
                (name, "io", format!(r#""result":{result}"#))
            }
            EventKind::TimerFire { late } => {
                let args = format!(r#""late_us":{}"#, micros(late));
                ("timer".to_owned(), "timer", args)
            }
            EventKind::Gate { what, delay_ms } => {
                let name = format!("gate: {}", what.text());
                (name, "gate", format!(r#""delay_ms":{delay_ms}"#))
            }
            EventKind::Mark { name, value } => {
                let name = recording.name(name).to_owned();
                (name, "mark", format!(r#""value":{value}"#))
            }
            EventKind::JobCancel { job } => (format!("job {job} cancelled"), "job", String::new()),
            _ => continue,
        };
        let rest = format!(r#","s":"t","cat":"{cat}","pid":1,"tid":{LOOP},"args":{{{args}}}"#);
        trace.row(Class::Point, ("i", &name, at), &rest);
    }
}

/// A stall is a slice of the loop as well; here it is told to all.
fn add_stalls(trace: &mut Trace, lives: &Lives<'_>) {
    let mut tell = |name: &str, at: u64, cat: &str, args: &str| {
        let rest = format!(r#","s":"g","cat":"{cat}","pid":1,"tid":{WATCHDOG},"args":{{{args}}}"#);
        trace.row(Class::Point, ("i", name, at), &rest);
    };
    for stall in &lives.recording.stalls {
        let name = format!("stall {}: {}", stall.id, culprit(stall));
        let args = format!(r#""report":{}"#, quoted(&stall.report));
        tell(&name, lives.stall_span(stall).0, "stall", &args);
    }
    for &(at, took) in &lives.recording.gaps {
        let args = format!(r#""us":{}"#, micros(took));
        tell("the process stood still", at, "gap", &args);
    }
}

/// A span that may lie over others: two rows with one id.
fn add_span(trace: &mut Trace, pid: u32, (name, id): (&str, u32), span: (u64, u64), args: &str) {
    let cat = if pid == 2 { "request" } else { "task" };
    let rest = |args: &str| {
        format!(r#","cat":"{cat}","id":"0x{id:x}","pid":{pid},"tid":{pid},"args":{{{args}}}"#)
    };
    trace.row(Class::Begin, ("b", name, span.0), &rest(args));
    trace.row(Class::End, ("e", name, span.1.max(span.0)), &rest(""));
}

fn add_requests(trace: &mut Trace, lives: &Lives<'_>) {
    for (&number, request) in &lives.requests {
        let begin = request.sent.or(request.begin).unwrap_or(lives.begin);
        let end = request.end.unwrap_or(lives.end);
        let name = match request.name {
            "" => format!("request {number}"),
            name => name.to_owned(),
        };
        let args = format!(
            r#""request":{number},"task":{},"status":{},"ended":{}"#,
            request.task,
            request.status,
            request.end.is_some()
        );
        add_span(trace, 2, (&name, number), (begin, end), &args);
    }
}

fn add_tasks(trace: &mut Trace, lives: &Lives<'_>) {
    for (&number, task) in lives.tasks.iter().filter(|&(&number, _)| number != 0) {
        let begin = task.spawned.unwrap_or(0).max(lives.begin);
        let (end, reason) = task
            .ended
            .map_or((lives.end, "alive"), |(at, reason)| (at, reason.text()));
        let name = lives.task_name(number, begin);
        let args = format!(
            r#""task":{number},"parent":{},"spawned_at":{},"end":"{reason}""#,
            task.parent,
            quoted(task.place)
        );
        add_span(trace, 3, (&name, number), (begin, end), &args);
    }
    for event in &lives.recording.events {
        if let EventKind::Wake { by, .. } = event.kind {
            let rest = format!(
                r#","cat":"task","id":"0x{:x}","pid":3,"tid":3,"args":{{"by":{by}}}"#,
                event.task
            );
            trace.row(Class::Point, ("n", "wake", event.at), &rest);
        }
    }
}
