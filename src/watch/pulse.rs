//! The pulse: where the loop is, in one cache line, without reading a clock.
//!
//! `seq` is odd while user code runs. So whoever looks twice, some time apart,
//! and sees the same odd number knows that one poll or callback has run all
//! that time. The loop pays two stores a poll for it.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

/// What the loop does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// It is not being turned.
    #[default]
    Stopped,
    /// Timers and posts become callbacks and ready tasks.
    Gather,
    /// Callbacks are called, tasks are polled.
    Run,
    /// It asks the kernel who is ready.
    Park,
    /// Somebody holds it between two turns.
    Gate,
}

impl Phase {
    const ALL: [Phase; 5] = [
        Phase::Stopped,
        Phase::Gather,
        Phase::Run,
        Phase::Park,
        Phase::Gate,
    ];

    pub(crate) fn name(self) -> &'static str {
        ["stopped", "gather", "run", "park", "gate"][self as usize]
    }
}

/// What runs, where it is no task's poll: this bit, and where the callback
/// was handed in, by name.
const CALLBACK: u64 = 1 << 63;

/// Who runs, as far as the pulse says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runs {
    /// The task in this slot.
    Task(u32),
    /// The callback that was handed in at the place of this name.
    Callback(u32),
}

/// Written by the loop's thread alone, but for the last fields.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Pulse {
    seq: AtomicU64,
    turn: AtomicU64,
    runs: AtomicU64,
    phase: AtomicU8,
    /// How often a region was entered that is known to block.
    expected: AtomicU8,
    /// How often a region was entered that unwinds by itself.
    no_unwind: AtomicU8,
    /// By the watchdog: the number at which it saw the loop stuck, and how
    /// often it did.
    stuck_at: AtomicU64,
    pub(crate) stalls: AtomicU32,
    /// By the loop: how long the last stall was and when it ended, in
    /// nanoseconds, and at which number.
    stall_took: AtomicU64,
    stall_ended: AtomicU64,
    stall_over: AtomicU64,
}

impl Pulse {
    /// The number that changes when user code begins and ends.
    pub(crate) fn seq_cell(&self) -> &AtomicU64 {
        &self.seq
    }

    /// What is read of the pulse after it is not older.
    pub(crate) fn seq(&self) -> u64 {
        self.seq.load(Acquire)
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Relaxed)
    }

    pub(crate) fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Relaxed)).min(4)]
    }

    /// Who runs, if anybody does.
    pub(crate) fn runs(&self) -> Option<Runs> {
        if self.seq().is_multiple_of(2) {
            return None;
        }
        // Whoever reads `seq` after this sees at least that of who runs.
        let runs = self.runs.load(Acquire);
        Some(match runs & CALLBACK {
            0 => Runs::Task(runs as u32),
            _ => Runs::Callback(runs as u32),
        })
    }

    /// Whether a region runs that has said that it blocks.
    pub(crate) fn is_expected(&self) -> bool {
        self.expected.load(Relaxed) > 0
    }

    /// Above zero while a region runs whose stack must not be unwound.
    pub(crate) fn no_unwind_cell(&self) -> &AtomicU8 {
        &self.no_unwind
    }
}

/// For the loop's thread.
impl Pulse {
    #[inline]
    pub(super) fn begin(&self, runs: Runs) {
        let word = match runs {
            Runs::Task(slot) => u64::from(slot),
            Runs::Callback(place) => CALLBACK | u64::from(place),
        };
        self.runs.store(word, Release);
        // Also after a beginning whose end was lost.
        self.seq.store((self.seq.load(Relaxed) + 1) | 1, Release);
    }

    /// Ends what `begin` began, and says whether the watchdog had seen it
    /// stuck.
    #[inline]
    pub(super) fn end(&self) -> bool {
        let seq = self.seq.load(Relaxed);
        // Also after an end that had no beginning: a hook may panic before.
        self.seq.store((seq | 1) + 1, Release);
        self.stuck_at.load(Relaxed) == seq
    }

    /// Says how long the stall was at most that has just ended, and when that
    /// was.
    #[cold]
    pub(super) fn stall_ended(&self, took: u64, ended: u64) {
        self.stall_took.store(took, Relaxed);
        self.stall_ended.store(ended, Relaxed);
        let seq = self.seq.load(Relaxed);
        self.stall_over.store(seq - 1, Release);
    }

    #[inline]
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    #[inline]
    pub(super) fn next_turn(&self) {
        self.turn.store(self.turn.load(Relaxed) + 1, Relaxed);
        self.enter(Phase::Gather);
    }

    /// Raises or lowers the count of regions that are known to block.
    pub(super) fn expect(&self, up: bool) {
        step(&self.expected, up);
    }

    /// The same for regions that must not be unwound.
    pub(super) fn forbid_unwind(&self, up: bool) {
        step(&self.no_unwind, up);
    }
}

/// One thread writes, so this needs no atomic addition.
fn step(count: &AtomicU8, up: bool) {
    let now = count.load(Relaxed);
    let next = if up {
        now.saturating_add(1)
    } else {
        now.saturating_sub(1)
    };
    count.store(next, Relaxed);
}

/// For the watchdog.
impl Pulse {
    /// Has the loop say how long it was when what runs at `seq` has ended.
    pub(crate) fn mark_stuck(&self, seq: u64) {
        self.stalls.fetch_add(1, Relaxed);
        self.stuck_at.store(seq, Relaxed);
    }

    /// How long the stall was at most that was marked at `seq`, and when it
    /// ended, if the loop has told.
    pub(crate) fn stall_took(&self, seq: u64) -> Option<(u64, u64)> {
        let over = self.stall_over.load(Acquire);
        (over == seq).then(|| {
            let (took, ended) = (&self.stall_took, &self.stall_ended);
            (took.load(Relaxed), ended.load(Relaxed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Pulse, Runs};

    #[test]
    fn a_lost_beginning_or_end_turns_nothing_around() {
        let pulse = Pulse::default();
        pulse.end();
        assert_eq!(pulse.runs(), None);
        for slot in 0..3 {
            pulse.begin(Runs::Task(slot));
            assert_eq!(pulse.runs(), Some(Runs::Task(slot)), "its end will be lost");
        }
        assert!(!pulse.end());
        assert_eq!(pulse.runs(), None);
    }

    #[test]
    fn what_was_marked_says_how_long_it_was() {
        let pulse = Pulse::default();
        pulse.begin(Runs::Callback(7));
        let seq = pulse.seq();
        pulse.mark_stuck(seq);
        assert_eq!(pulse.stall_took(seq), None);
        assert!(pulse.end());
        pulse.stall_ended(5, 12);
        assert_eq!(pulse.stall_took(seq), Some((5, 12)));
        pulse.begin(Runs::Task(1));
        assert!(!pulse.end(), "the next is not marked");
        assert_eq!(pulse.stall_took(seq + 2), None);
    }
}
