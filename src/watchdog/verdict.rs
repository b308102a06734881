//! What a thread that holds the loop is doing, by what the kernel says of it.

use std::time::Duration;

use crate::sys::{RunState, Syscall, ThreadId, WaitsFor};
use crate::watch::Verdict;

/// What the kernel says of a thread at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) state: Option<RunState>,
    /// The system call it is in.
    pub(super) call: Option<Syscall>,
    /// How long it was on a processor since it was first seen, and how long ago that was.
    pub(super) cpu: Option<Duration>,
    pub(super) elapsed: Duration,
}

impl Facts {
    /// Asks about `thread`, which had used `before` of its processor `elapsed` ago. It has to be
    /// asked before the thread is interrupted, which changes what it does.
    pub(super) fn of(thread: ThreadId, before: Option<Duration>, elapsed: Duration) -> Self {
        let now = thread.cpu_time();
        let cpu = now
            .zip(before)
            .map(|(now, before)| now.saturating_sub(before));
        Self {
            state: thread.run_state(),
            call: thread.syscall(),
            cpu: cpu.map(|cpu| cpu.min(elapsed)),
            elapsed,
        }
    }

    /// The share of its time that it was on a processor, in percent.
    fn share(&self) -> Option<u128> {
        let cpu = self.cpu?.as_nanos() * 100;
        cpu.checked_div(self.elapsed.as_nanos())
    }

    pub(super) fn verdict(&self) -> Verdict {
        // A thread that computes may be met in a short call, so its time goes before its state.
        if self.share().is_some_and(|share| share > 80) {
            return Verdict::Cpu;
        }
        match (self.state, &self.call) {
            (Some(RunState::Running), _) => match self.share() {
                Some(share) if share < 50 => Verdict::Starved,
                Some(_) => Verdict::Cpu,
                None => Verdict::Unknown,
            },
            (_, Some(call)) => match call.waits_for {
                WaitsFor::Time => Verdict::Sleep,
                WaitsFor::Lock => Verdict::Lock,
                WaitsFor::File => Verdict::File,
                WaitsFor::Socket => Verdict::Socket,
                WaitsFor::Other => Verdict::Kernel,
            },
            (Some(RunState::Asleep), None) => Verdict::Kernel,
            _ => Verdict::Unknown,
        }
    }
}
