//! What threads did, as slices that nest: turns and sleeps, in them polls and calls, in them
//! stalls.

use std::collections::BTreeMap;

use super::chrome::{LOOP, WORKERS, micros};
use super::lives::{Lives, culprit};
use crate::watch::{Event, EventKind, Stall, quoted};

/// What a thread did for some time.
pub(super) struct Slice {
    pub(super) at: u64,
    pub(super) until: u64,
    pub(super) name: String,
    pub(super) category: &'static str,
    /// The inside of a JSON object.
    pub(super) args: String,
}

/// A thread by its number, and its slices: those that contain stand before what is in them.
pub(super) struct Thread {
    pub(super) id: u32,
    pub(super) slices: Vec<Slice>,
}

impl Thread {
    /// The slices that are in no other, so that one search finds whether a time is in any.
    pub(super) fn outer(&self) -> Vec<(u64, u64)> {
        let mut outer: Vec<(u64, u64)> = Vec::new();
        for slice in &self.slices {
            let is_in = outer.last().is_some_and(|&(_, until)| slice.at < until);
            if !is_in {
                outer.push((slice.at, slice.until));
            }
        }
        outer
    }
}

/// The loop first, then the workers by number.
pub(super) fn threads(lives: &Lives<'_>) -> Vec<Thread> {
    let mut ranks: [Vec<Slice>; 3] = Default::default();
    let mut workers: BTreeMap<u32, Vec<Slice>> = BTreeMap::new();
    for event in &lives.recording.events {
        match event.kind {
            EventKind::Turn { .. } | EventKind::Park { .. } => ranks[0].extend(outer(lives, event)),
            EventKind::Poll { .. } | EventKind::Call { .. } => ranks[1].extend(inner(lives, event)),
            EventKind::JobRun { worker, .. } => {
                let slices = workers.entry(WORKERS + u32::from(worker)).or_default();
                slices.extend(job(lives, event));
            }
            _ => {}
        }
    }
    let stalls = &lives.recording.stalls;
    ranks[2].extend(stalls.iter().map(|stall| stuck(lives, stall)));
    let mut threads = vec![Thread {
        id: LOOP,
        slices: nested(ranks),
    }];
    threads.extend(workers.into_iter().map(|(id, slices)| Thread {
        id,
        slices: nested([slices, Vec::new(), Vec::new()]),
    }));
    threads
}

fn slice(event: &Event, name: String, category: &'static str, args: String) -> Slice {
    Slice {
        at: event.at,
        until: event.until(),
        name,
        category,
        args,
    }
}

fn outer(lives: &Lives<'_>, event: &Event) -> Option<Slice> {
    Some(match event.kind {
        EventKind::Turn {
            polls,
            events,
            timers,
            callbacks,
            ..
        } => {
            let args = format!(
                r#""polls":{polls},"events":{events},"timers":{timers},"callbacks":{callbacks}"#
            );
            slice(event, "turn".to_owned(), "turn", args)
        }
        EventKind::Park {
            timeout_ms, events, ..
        } => {
            let backend = match lives.recording.backend.as_str() {
                "" => "kernel",
                backend => backend,
            };
            let timeout = timeout_ms.map_or(-1, i64::from);
            let args = format!(r#""timeout_ms":{timeout},"events":{events}"#);
            slice(event, format!("asleep ({backend})"), "park", args)
        }
        _ => return None,
    })
}

fn inner(lives: &Lives<'_>, event: &Event) -> Option<Slice> {
    let task = event.task;
    Some(match event.kind {
        EventKind::Poll {
            number,
            result,
            wait,
            ready,
            ..
        } => {
            let (result, wait) = (result.text(), wait.text());
            let ends = format!(r#""result":"{result}","waits_for":"{wait}""#);
            let args = format!(r#""task":{task},"poll":{number},{ends},"ready":{ready}"#);
            slice(event, lives.task_name(task, event.at), "poll", args)
        }
        EventKind::Call {
            place,
            is_completion,
            ..
        } => {
            let name = if is_completion {
                "completion"
            } else {
                "callback"
            };
            let place = quoted(lives.recording.name(place));
            let args = format!(r#""task":{task},"place":{place}"#);
            slice(event, name.to_owned(), "call", args)
        }
        _ => return None,
    })
}

fn job(lives: &Lives<'_>, event: &Event) -> Option<Slice> {
    let EventKind::JobRun { job, waited_us, .. } = event.kind else {
        return None;
    };
    let name = match lives.jobs.get(&job).map_or("", |job| job.name) {
        "" => format!("job {job}"),
        name => name.to_owned(),
    };
    let args = format!(
        r#""job":{job},"task":{},"waited_us":{waited_us}"#,
        event.task
    );
    Some(slice(event, name, "job", args))
}

fn stuck(lives: &Lives<'_>, stall: &Stall) -> Slice {
    let (at, until) = lives.stall_span(stall);
    let mut stack = String::new();
    for frame in &stall.stack {
        stack.push_str(&format!("{} ({})\n", frame.function, frame.place()));
    }
    let args = format!(
        r#""stall":{},"task":{},"verdict":"{}","stack":{},"us":{}"#,
        stall.id,
        stall.task,
        stall.verdict.name(),
        quoted(stack.trim_end()),
        micros(until - at)
    );
    Slice {
        at,
        until,
        name: format!("STUCK in {}", culprit(stall)),
        category: "stall",
        args,
    }
}

/// Cuts each slice so that it ends within what it began in, then puts them into one order.
fn nested(ranks: [Vec<Slice>; 3]) -> Vec<Slice> {
    let mut fitted: Vec<(usize, Slice)> = Vec::new();
    let mut above: Vec<Vec<(u64, u64)>> = Vec::new();
    for (rank, mut slices) in ranks.into_iter().enumerate() {
        slices.sort_by_key(|slice| slice.at);
        let starts: Vec<u64> = slices.iter().skip(1).map(|slice| slice.at).collect();
        for (slice, next) in slices.iter_mut().zip(starts) {
            slice.until = slice.until.min(next);
        }
        for outer in &above {
            for slice in &mut slices {
                slice.until = slice.until.min(limit(outer, slice.at)).max(slice.at);
            }
        }
        above.push(slices.iter().map(|slice| (slice.at, slice.until)).collect());
        fitted.extend(slices.into_iter().map(|slice| (rank, slice)));
    }
    fitted.sort_by(|(rank, one), (other_rank, other)| {
        let by_time = one.at.cmp(&other.at).then(other.until.cmp(&one.until));
        by_time.then(rank.cmp(other_rank))
    });
    fitted.into_iter().map(|(_, slice)| slice).collect()
}

/// The end of the slice that a time is in; else the begin of the next.
fn limit(outer: &[(u64, u64)], at: u64) -> u64 {
    let next = outer.partition_point(|&(from, _)| from <= at);
    let holds = next.checked_sub(1).map(|last| outer[last].1);
    let begin = outer.get(next).map_or(u64::MAX, |&(from, _)| from);
    holds.filter(|&until| until > at).unwrap_or(begin)
}
