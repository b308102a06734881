//! One frame: the loop as it is now, in one line of JSON.
//!
//! Whole frames and no differences: a page that comes late needs no history, and nothing can drift.
//! One is 2 KiB of a quiet loop and some 60 of a busy one; each list in it has an end, and texts of
//! strangers are cut, so that ten a second are nothing on the loopback.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use super::history::History;
use super::tables::{Tables, list, milliseconds};
use crate::runtime::{BACKEND, Watcher};
use crate::watch::{Board, Phase, quoted};
use crate::watchdog::{Found, StallReport};

/// What does not change from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) allows_gate: bool,
    pub(super) is_same_loop: bool,
    pub(super) source: Option<Source>,
}

/// A source text, its lines in JSON already.
#[derive(Clone, Debug)]
pub(super) struct Source {
    file: String,
    lines: String,
}

impl Source {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Source {
            file: file.to_owned(),
            lines: list(text.lines().map(|line| quoted(line).to_string())),
        }
    }

    /// With the line marked where the task was spawned that is at the front.
    fn json(&self, tables: &Tables) -> String {
        let place = tables.front().and_then(|place| place.rsplit_once(':'));
        let line = place.filter(|(file, _)| *file == self.file);
        let line = line.map_or("0", |(_, line)| line);
        let (file, lines) = (quoted(&self.file), &self.lines);
        format!("{{\"file\":{file},\"first\":1,\"line\":{line},\"lines\":{lines}}}")
    }
}

/// The next frame.
pub(super) fn frame(
    number: u64,
    setting: &Setting,
    watcher: &Watcher,
    history: &mut History,
) -> String {
    let board = watcher.board();
    history.read_on(board);
    let tables = Tables::take(watcher);
    let found = watcher.found();
    let now = board.now();
    let mut text = String::with_capacity(8 * 1024);
    let mut pair = |key: &str, value: &str| {
        let comma = if text.is_empty() { '{' } else { ',' };
        let _ = write!(text, "{comma}\"{key}\":{value}");
    };
    pair("n", &number.to_string());
    pair("t", &milliseconds(now));
    pair("up", &format!("{:.1}", now as f64 / 1e9));
    pair("name", &quoted(&setting.name).to_string());
    pair("pid", &std::process::id().to_string());
    pair("state", &quoted(state(board, &found)).to_string());
    pair("turn", &board.pulse.turn().to_string());
    pair("phase", &quoted(board.pulse.phase().name()).to_string());
    let (busy, longest, p99) = measures(board, history, found.current.as_ref(), now);
    pair("busy", &busy);
    pair("longest", &longest);
    pair("p99_turn_ms", &p99);
    let level = board.level.map_or("off", |level| level.text());
    pair("level", &quoted(level).to_string());
    pair("lost", &history.lost.to_string());
    let reach = now.saturating_sub(history.reaches_back_to());
    pair("span_s", &format!("{:.1}", reach as f64 / 1e9));
    let capacity = board.ring.as_ref().map_or(0, |ring| ring.capacity());
    pair("capacity", &capacity.to_string());
    let current = found.current.as_ref();
    pair("stall", &stuck(current, now));
    pair("stalls", &stalls(&found));
    pair("stalls_all", &watcher.stalls().to_string());
    pair("queues", &tables.queues(board));
    pair("kernel", &kernel(&tables, current));
    pair("fds", &tables.fds());
    pair("tasks", &tables.tasks(board, |task| history.woken_by(task)));
    pair("tasks_more", &tables.tasks_more().to_string());
    pair("workers", &tables.workers());
    pair("pool", &tables.pool());
    pair("turns", &turns(history));
    pair("slices", &slices(history));
    pair("requests", &requests(history));
    pair("gate", &gate(board, setting.allows_gate));
    pair(
        "same_loop",
        if setting.is_same_loop {
            "true"
        } else {
            "false"
        },
    );
    // Which is shown beside a loop that is paused, and is long.
    let source = setting.source.as_ref();
    let source = source.filter(|_| board.gate.state().is_paused);
    pair(
        "source",
        &source.map_or_else(|| "null".to_owned(), |text| text.json(&tables)),
    );
    text.push('}');
    text
}

fn state(board: &Board, found: &Found) -> &'static str {
    if found.current.is_some() {
        return "stuck";
    }
    match board.pulse.phase() {
        Phase::Stopped => "stopped",
        Phase::Gate if board.gate.state().is_paused => "paused",
        Phase::Park => "asleep",
        Phase::Gate | Phase::Gather | Phase::Run => "running",
    }
}

/// What only a recorder knows: the busy share, the longest poll, the slow turns.
fn measures(
    board: &Board,
    history: &History,
    stuck: Option<&StallReport>,
    now: u64,
) -> (String, String, String) {
    let null = || "null".to_owned();
    if board.ring.is_none() {
        return (null(), null(), null());
    }
    let still = stuck.map(|report| {
        let stall = &report.stall;
        (now.saturating_sub(stall.at), stall.task, &*stall.label)
    });
    let longest = history.longest().into_iter().chain(still);
    let longest = longest.max_by_key(|one| one.0);
    let longest = longest.map_or_else(null, |(took, task, name)| {
        let (ms, name) = (milliseconds(took), quoted(name));
        format!("{{\"ms\":{ms},\"task\":{task},\"name\":{name}}}")
    });
    let p99 = history.p99_turn().map_or_else(null, milliseconds);
    let busy = history.busy(now, stuck.map(|report| report.stall.at));
    (format!("{busy:.3}"), longest, p99)
}

/// What holds the loop: `ms` until now, and the rest as the watchdog last looked, after `of_ms`.
fn stuck(report: Option<&StallReport>, now: u64) -> String {
    let Some(report) = report else {
        return "null".to_owned();
    };
    let stall = &report.stall;
    let frames = stall.stack.iter().map(|frame| {
        let (function, file) = (quoted(&frame.function), quoted(&frame.file));
        let (line, owner) = (frame.line, quoted(frame.owner.text()));
        format!("[{function},{file},{line},{owner}]")
    });
    let cpu = report.cpu.map_or_else(
        || "null".to_owned(),
        |cpu| milliseconds(cpu.as_nanos() as u64),
    );
    format!(
        "{{\"id\":{},\"ms\":{},\"task\":{},\"name\":{},\"spawned\":{},\"poll\":{},\"kind\":{},\
         \"verdict\":{},\"cpu_ms\":{cpu},\"of_ms\":{},\"where\":{},\"same\":[{},{}],\
         \"hint\":{},\"how\":{},\"report\":{}}}",
        stall.id,
        milliseconds(now.saturating_sub(stall.at)),
        stall.task,
        quoted(&stall.label),
        quoted(&stall.place),
        stall.poll,
        quoted(stall.verdict.name()),
        quoted(stall.verdict.text()),
        milliseconds(report.elapsed.as_nanos() as u64),
        list(frames),
        stall.same.0,
        stall.same.1,
        quoted(stall.verdict.hint()),
        quoted(&report.how),
        quoted(&stall.report),
    )
}

/// The last of them; what came before is in the recording.
const STALLS_SHOWN: usize = 20;

fn stalls(found: &Found) -> String {
    let last = found.stalls.iter().rev().take(STALLS_SHOWN).rev();
    list(last.map(|stall| {
        let culprit = stall.culprit().cloned().unwrap_or_default();
        format!(
            "{{\"id\":{},\"at\":{:.1},\"ms\":{},\"over\":{},\"task\":{},\"name\":{},\"where\":{},\
             \"file\":{},\"line\":{},\"verdict\":{},\"report\":{}}}",
            stall.id,
            stall.at as f64 / 1e9,
            milliseconds(stall.took.unwrap_or_default()),
            stall.took.is_some(),
            stall.task,
            quoted(&stall.label),
            quoted(&culprit.function),
            quoted(&culprit.file),
            culprit.line,
            quoted(stall.verdict.text()),
            quoted(&stall.report),
        )
    }))
}

fn kernel(tables: &Tables, current: Option<&StallReport>) -> String {
    let unread = tables.unread();
    let accept = current.and_then(|report| report.waiting.accept);
    let accept = accept.map_or_else(
        || "null".to_owned(),
        |(now, most)| format!("[{now},{most}]"),
    );
    let fds = tables.fd_count();
    format!("{{\"name\":\"{BACKEND}\",\"fds\":{fds},\"unread\":{unread},\"accept\":{accept}}}")
}

fn turns(history: &History) -> String {
    list(history.turns.iter().map(|turn| {
        let (at, took) = (milliseconds(turn.at), milliseconds(turn.took));
        let (number, polls, events) = (turn.number, turn.polls, turn.events);
        let (timers, callbacks) = (turn.timers, turn.callbacks);
        format!("[{number},{at},{took},{polls},{events},{timers},{callbacks}]")
    }))
}

fn slices(history: &History) -> String {
    list(history.slices.iter().map(|slice| {
        let lane = match slice.worker {
            0 => "loop".to_owned(),
            worker => format!("w{worker}"),
        };
        let (at, took) = (milliseconds(slice.at), milliseconds(slice.took));
        let (kind, task, name) = (slice.kind, slice.task, quoted(&slice.name));
        format!("[\"{lane}\",{at},{took},\"{kind}\",{task},{name}]")
    }))
}

fn requests(history: &History) -> String {
    list(history.requests.iter().map(|request| {
        let (number, name, status) = (request.number, quoted(&request.name), request.status);
        let began = milliseconds(request.began);
        let ended = request
            .ended
            .map_or_else(|| "null".to_owned(), milliseconds);
        let task = request.task;
        format!("[{number},{name},{began},{ended},{status},{task}]")
    }))
}

fn gate(board: &Board, is_allowed: bool) -> String {
    let state = board.gate.state();
    format!(
        "{{\"allowed\":{is_allowed},\"paused\":{},\"slow_ms\":{},\"paused_ms\":{}}}",
        state.is_paused,
        state.slow.as_millis(),
        state.held.as_millis(),
    )
}

/// How long the loop's queues are, as far as it has said.
pub(super) fn queue_counts(board: &Board) -> (u32, u32, u32) {
    let queues = &board.queues;
    (
        queues.taken.load(Relaxed),
        queues.callbacks.load(Relaxed),
        queues.timers.load(Relaxed),
    )
}
