//! The loop's board, as the watchdog reads it.

use std::os::fd::RawFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::time::Duration;

use crate::sys::PulseCells;
use crate::watch::{Board, Phase, Runs, SlotState, WaitKind};

use super::watched::{Beat, Culprit, Doing, Took, Waiting, Watched};

impl PulseCells for Board {
    fn seq(&self) -> &AtomicU64 {
        self.pulse.seq_cell()
    }

    fn no_unwind(&self) -> &AtomicU8 {
        self.pulse.no_unwind_cell()
    }
}

impl Watched for Board {
    fn beat(&self) -> Beat {
        let doing = match self.pulse.phase() {
            Phase::Stopped | Phase::Park => Doing::Parked,
            Phase::Gate => Doing::Held,
            Phase::Gather | Phase::Run if self.pulse.is_expected() => Doing::Held,
            Phase::Gather | Phase::Run => Doing::Turning,
        };
        Beat {
            seq: self.pulse.seq(),
            turn: self.pulse.turn(),
            doing,
        }
    }

    fn culprit(&self) -> Culprit {
        let task = match self.pulse.runs() {
            None => None,
            Some(Runs::Callback(place)) => {
                return Culprit {
                    place: self.place_of(place).to_owned(),
                    ..Culprit::default()
                };
            }
            Some(Runs::Task(slot)) => self.slots.look(slot),
        };
        task.map_or_else(Culprit::default, |task| Culprit {
            task: task.number,
            label: self.title_of(&task),
            place: self.names.get(task.place).to_owned(),
            poll: task.polls,
        })
    }

    fn waiting(&self) -> Waiting {
        let tasks = self.slots.all();
        let is_ready = |state| state == SlotState::Ready;
        let ready = tasks.iter().filter(|task| is_ready(task.state)).count();
        // Those that nobody has looked at since they were due are still waiting for them.
        let waits = tasks.iter().map(|task| task.wait);
        let late = waits
            .filter(|wait| wait.kind == WaitKind::Timer)
            .filter_map(|wait| self.until(wait.which))
            .filter(|&until| until < 0);
        let late: Vec<u64> = late.map(i64::unsigned_abs).collect();
        Waiting {
            ready: ready as u32,
            callbacks: self.queues.callbacks.load(Relaxed),
            overdue: late.len() as u32,
            worst_late: Duration::from_millis(late.iter().copied().max().unwrap_or(0)),
            ..Waiting::default()
        }
    }

    fn fds(&self) -> Vec<RawFd> {
        self.fds.all().into_iter().map(|seen| seen.fd).collect()
    }

    fn mark_stuck(&self, seq: u64) {
        self.pulse.mark_stuck(seq);
    }

    fn took(&self, seq: u64) -> Option<Took> {
        let (took, ended) = self.pulse.stall_took(seq)?;
        let is_exact = self.ring.is_some();
        Some(Took {
            took,
            is_exact,
            ended,
        })
    }

    fn now(&self) -> u64 {
        Board::now(self)
    }
}
