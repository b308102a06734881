//! A recording as lanes for a terminal: the loop, the workers, the requests, all on one axis.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::iter;

use super::lives::{Lives, Request, culprit};
use super::plain::{lasting, plain, short_function};
use crate::watch::{EventKind, Recording};

const NAME: usize = 22;
const TIME: usize = 13;
const WIDTH_MIN: usize = 60;
const WIDTH_MAX: usize = 240;
const WORKERS_MAX: usize = 16;
const REQUESTS_MAX: usize = 40;
const STALLS_MAX: usize = 8;

/// What a lane is drawn with. They differ by shape, not by colour.
struct Signs {
    on_loop: char,
    on_worker: char,
    waits: char,
    answered: char,
    idle: char,
}

const SIGNS: Signs = Signs {
    on_loop: '█',
    on_worker: '▒',
    waits: '░',
    answered: '│',
    idle: '·',
};

const ASCII: Signs = Signs {
    on_loop: '#',
    on_worker: '%',
    waits: '-',
    answered: '|',
    idle: '.',
};

/// Time in cells: how many ns of each were spent on something.
struct Lane<'a> {
    axis: &'a Axis,
    cells: Vec<u64>,
}

struct Axis {
    begin: u64,
    /// ns in a cell, at least 1.
    cell: u64,
    cells: usize,
}

/// Where a request was worked on.
#[derive(Default)]
struct Work {
    on_loop: Vec<(u64, u64)>,
    on_worker: Vec<(u64, u64)>,
}

impl Recording {
    /// The recording as lanes for a terminal, without colour: that many columns, 60 to 240; in
    /// ASCII alone if asked for. Control characters of names are replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::watch::Recording;
    ///
    /// let lanes = Recording::new().timeline(80, true);
    /// assert!(lanes.lines().any(|line| line.starts_with(" loop")));
    /// ```
    pub fn timeline(&self, width: usize, ascii: bool) -> String {
        let lives = Lives::of(self);
        let cells = width.clamp(WIDTH_MIN, WIDTH_MAX) - NAME - TIME - 3;
        let span = lives.end.saturating_sub(lives.begin).max(1);
        let axis = Axis {
            begin: lives.begin,
            cell: span.div_ceil(cells as u64).max(1),
            cells,
        };
        let signs = if ascii { &ASCII } else { &SIGNS };
        let mut text = head(&axis);
        threads(&mut text, &lives, &axis, signs);
        requests(&mut text, &lives, &axis, signs);
        foot(&mut text, &lives, signs);
        match ascii {
            true => text
                .replace('µ', "u")
                .replace('…', "~")
                .replace(|c: char| !c.is_ascii(), "?"),
            false => text,
        }
    }
}

/// The times of the axis, at its quarters.
fn head(axis: &Axis) -> String {
    let mut line = " ".repeat(NAME + 1);
    for quarter in 0..4 {
        let cell = axis.cells * quarter / 4;
        let time = match cell as u64 * axis.cell {
            0 => "0".to_owned(),
            at => lasting(at),
        };
        let gap = (NAME + 1 + cell).checked_sub(line.chars().count());
        // A time that is too long for its quarter takes the place of the next.
        if let Some(gap) = gap {
            line.extend(iter::repeat_n(' ', gap));
            line.push_str(&time);
        }
    }
    line + "\n"
}

fn row(text: &mut String, name: &str, cells: &str, time: &str) {
    let name = plain(name, NAME - 1);
    let gap = " ".repeat((NAME - 1).saturating_sub(name.chars().count()));
    let line = format!(" {name}{gap} {cells} {time}");
    let _ = writeln!(text, "{}", line.trim_end());
}

fn threads(text: &mut String, lives: &Lives<'_>, axis: &Axis, signs: &Signs) {
    let mut lane = Lane::new(axis);
    for poll in lives.tasks.values().flat_map(|task| &task.polls) {
        lane.add(poll.at, poll.until);
    }
    for event in &lives.recording.events {
        if let EventKind::Call { .. } = event.kind {
            lane.add(event.at, event.until());
        }
    }
    row(text, "loop", &lane.drawn(signs.on_loop, signs.idle), "");
    let mut workers: BTreeMap<u16, Lane<'_>> = BTreeMap::new();
    for run in lives.jobs.values().filter_map(|job| job.run) {
        let lane = workers.entry(run.worker).or_insert_with(|| Lane::new(axis));
        lane.add(run.at, run.until);
        if workers.len() > WORKERS_MAX {
            workers.pop_last();
        }
    }
    for (number, lane) in workers {
        let cells = lane.drawn(signs.on_worker, signs.idle);
        row(text, &lives.worker_name(number), &cells, "");
    }
}

fn requests(text: &mut String, lives: &Lives<'_>, axis: &Axis, signs: &Signs) {
    let shown: Vec<(&u32, &Request<'_>)> = lives.requests.iter().take(REQUESTS_MAX).collect();
    let mut work: BTreeMap<u32, Work> = BTreeMap::new();
    for (&number, task) in &lives.tasks {
        for poll in &task.polls {
            if let Some(request) = lives.request_of(number, poll.at, poll.until) {
                let on_loop = &mut work.entry(request).or_default().on_loop;
                on_loop.push((poll.at, poll.until));
            }
        }
    }
    for job in lives.jobs.values() {
        let at = job.submitted.unwrap_or_default();
        let request = lives.request_of(job.task, at, at);
        if let (Some(request), Some(run)) = (request, job.run) {
            let on_worker = &mut work.entry(request).or_default().on_worker;
            on_worker.push((run.at, run.until));
        }
    }
    for (&number, request) in shown {
        let cells = request_cells(request, work.get(&number), lives, axis, signs);
        let begin = request.sent.or(request.begin).unwrap_or(lives.begin);
        let time = request.end.map(|end| lasting(end.saturating_sub(begin)));
        let name = format!("{number} {}", request.name);
        row(text, &name, &cells, &time.unwrap_or_default());
    }
    let more = lives.requests.len().saturating_sub(REQUESTS_MAX);
    if more > 0 {
        let _ = writeln!(text, " {more} more requests");
    }
}

fn request_cells(
    request: &Request<'_>,
    work: Option<&Work>,
    lives: &Lives<'_>,
    axis: &Axis,
    signs: &Signs,
) -> String {
    let lane = |spans: &[(u64, u64)]| {
        let mut lane = Lane::new(axis);
        for &(from, until) in spans {
            lane.add(from, until);
        }
        lane
    };
    let on_loop = lane(work.map_or(&[], |work| &work.on_loop));
    let on_worker = lane(work.map_or(&[], |work| &work.on_worker));
    let begin = request.sent.or(request.begin).unwrap_or(lives.begin);
    let first = axis.place(begin);
    let last = axis.place(request.end.unwrap_or(lives.end)).max(first);
    let cell = |at: usize| match at {
        _ if at == last && request.end.is_some() => signs.answered,
        _ if at < first || at > last => signs.idle,
        _ if on_loop.is_busy(at) => signs.on_loop,
        _ if on_worker.is_busy(at) => signs.on_worker,
        _ => signs.waits,
    };
    (0..axis.cells).map(cell).collect()
}

fn foot(text: &mut String, lives: &Lives<'_>, signs: &Signs) {
    let Signs {
        on_loop,
        on_worker,
        waits,
        answered,
        ..
    } = signs;
    let _ = writeln!(
        text,
        "\n {on_loop} on the loop   {on_worker} on a worker   {waits} waiting   {answered} answered"
    );
    let stalls = &lives.recording.stalls;
    for stall in stalls.iter().take(STALLS_MAX) {
        let (from, until) = lives.stall_span(stall);
        let function = short_function(culprit(stall));
        let place = stall.culprit().map(|frame| frame.place());
        let line = format!(
            "stuck {} in {function}  {}",
            lasting(until - from),
            place.unwrap_or_default()
        );
        let _ = writeln!(text, " {}", plain(line.trim_end(), WIDTH_MAX));
    }
    if stalls.len() > STALLS_MAX {
        let _ = writeln!(text, " {} more stalls", stalls.len() - STALLS_MAX);
    }
    if lives.recording.lost() > 0 {
        let _ = writeln!(text, " {} events lost", lives.recording.lost());
    }
}

impl Axis {
    /// The cell of a time.
    fn place(&self, at: u64) -> usize {
        let cell = at.saturating_sub(self.begin) / self.cell;
        usize::try_from(cell).map_or(self.cells - 1, |cell| cell.min(self.cells - 1))
    }
}

impl<'a> Lane<'a> {
    fn new(axis: &'a Axis) -> Self {
        Lane {
            axis,
            cells: vec![0; axis.cells],
        }
    }

    fn add(&mut self, from: u64, until: u64) {
        let axis = self.axis;
        for at in axis.place(from)..=axis.place(until) {
            let begin = axis.begin.saturating_add(at as u64 * axis.cell);
            let end = begin.saturating_add(axis.cell).min(until);
            let spent = end.saturating_sub(begin.max(from));
            self.cells[at] = self.cells[at].saturating_add(spent);
        }
    }

    /// Whether at least half of a cell was spent.
    fn is_busy(&self, at: usize) -> bool {
        self.cells[at] > 0 && self.cells[at] >= self.axis.cell / 2
    }

    fn drawn(&self, busy: char, idle: char) -> String {
        let sign = |at| if self.is_busy(at) { busy } else { idle };
        (0..self.axis.cells).map(sign).collect()
    }
}
