//! Arrows in a trace: from a wake to the poll it led to, and along with a job.
//!
//! An arrow ends where it begins in no slice: Perfetto drops what it cannot bind.

use std::collections::BTreeMap;

use super::chrome::{Class, LOOP, Trace, WORKERS, tid};
use super::lives::Lives;
use super::slices::Thread;
use crate::watch::EventKind;

/// Where slices are, by thread.
struct Places(BTreeMap<u32, Vec<(u64, u64)>>);

impl Places {
    fn of(threads: &[Thread]) -> Self {
        Places(
            threads
                .iter()
                .map(|thread| (thread.id, thread.outer()))
                .collect(),
        )
    }

    fn holds(&self, &(thread, at): &(u32, u64)) -> bool {
        let Some(outer) = self.0.get(&thread) else {
            return false;
        };
        let next = outer.partition_point(|&(from, _)| from <= at);
        let last = next.checked_sub(1).map(|last| outer[last]);
        last.is_some_and(|(from, until)| at < until || at == from)
    }
}

pub(super) fn add(trace: &mut Trace, lives: &Lives<'_>, threads: &[Thread]) {
    let places = Places::of(threads);
    for (&number, job) in &lives.jobs {
        let worker = job.run.map(|run| (WORKERS + u32::from(run.worker), run.at));
        let submit = job.submitted.map(|at| (LOOP, at));
        let back = job.called_back.map(|at| (LOOP, at));
        let poll = job.called_back.and_then(|at| lives.poll_at(job.task, at));
        let poll = poll.map(|poll| (LOOP, poll.at));
        let stops: Vec<(u32, u64)> = [submit, worker, back, poll].into_iter().flatten().collect();
        arrow(trace, &places, ("job", number), &stops);
    }
    let mut number = 0;
    for event in &lives.recording.events {
        if let EventKind::Wake { .. } = event.kind
            && let Some(poll) = lives.poll_at(event.task, event.at)
            && poll.at > event.at
        {
            number += 1;
            let stops = [(LOOP, event.at), (LOOP, poll.at)];
            arrow(trace, &places, ("wake", number), &stops);
        }
    }
}

/// Rows for the stops that are in a slice and in the order of time, if they are two or more.
fn arrow(trace: &mut Trace, places: &Places, (cat, id): (&str, u32), stops: &[(u32, u64)]) {
    let mut way: Vec<(u32, u64)> = Vec::new();
    for &stop in stops.iter().filter(|stop| places.holds(stop)) {
        if way.last().is_none_or(|&(_, at)| at <= stop.1) {
            way.push(stop);
        }
    }
    if way.len() < 2 {
        return;
    }
    for (step, &(thread, at)) in way.iter().enumerate() {
        let (phase, bind) = match step {
            0 => ("s", ""),
            _ if step + 1 == way.len() => ("f", r#","bp":"e""#),
            _ => ("t", ""),
        };
        let rest = format!(
            r#","cat":"{cat}","id":"0x{id:x}","pid":1,"tid":{}{bind}"#,
            tid(thread)
        );
        trace.row(Class::Flow, (phase, cat, at), &rest);
    }
}
