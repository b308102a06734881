//! Numbers over time in a trace: how long queues are, how many workers are busy.

use super::chrome::{Class, Trace};
use super::lives::Lives;
use crate::watch::EventKind;

pub(super) fn add(trace: &mut Trace, lives: &Lives<'_>) {
    let mut fds: i64 = 0;
    for event in &lives.recording.events {
        let (name, value) = match event.kind {
            EventKind::Poll { ready, .. } => ("ready tasks", i64::from(ready)),
            EventKind::Take { depth, .. } => ("posts waiting", i64::from(depth)),
            EventKind::JobSubmit { queued, .. } => ("jobs waiting", i64::from(queued)),
            EventKind::FdAdd { .. } => {
                fds += 1;
                ("descriptors added", fds)
            }
            EventKind::FdDel { .. } => {
                fds -= 1;
                ("descriptors added", fds)
            }
            _ => continue,
        };
        count(trace, name, event.at, value);
    }
    // A job's begin and end are known once it is over, so they are put into their order first.
    let runs = lives.jobs.values().filter_map(|job| job.run);
    let mut steps: Vec<(u64, i64)> = runs
        .flat_map(|run| [(run.at, 1), (run.until, -1)])
        .collect();
    steps.sort_unstable();
    let mut busy = 0;
    for (at, step) in steps {
        busy += step;
        count(trace, "workers busy", at, busy);
    }
}

fn count(trace: &mut Trace, name: &str, at: u64, value: i64) {
    let rest = format!(r#","pid":1,"tid":0,"args":{{"count":{value}}}"#);
    trace.row(Class::Point, ("C", name, at), &rest);
}
