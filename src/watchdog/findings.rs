//! What the watchdog has found, for whoever asks: recordings, dumps, the page, tests.
//!
//! The loop never takes this lock.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::watch::Stall;

use super::report::StallReport;

/// How many of each are kept; older ones are forgotten.
const KEPT_MAX: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    stalls: VecDeque<Stall>,
    gaps: VecDeque<(u64, u64)>,
    slow_turns: u64,
    current: Option<StallReport>,
}

/// A copy of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Oldest first; the last may not be over.
    pub(crate) stalls: Vec<Stall>,
    /// When the whole process stood still, from and to, in nanoseconds of the board.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// Turns that were too long, though nothing in them was.
    pub(crate) slow_turns: u64,
    /// What holds the loop now, as it was last looked at.
    pub(crate) current: Option<StallReport>,
}

impl Findings {
    pub(crate) fn copy(&self) -> Found {
        let lists = self.lock();
        Found {
            stalls: lists.stalls.iter().cloned().collect(),
            gaps: lists.gaps.iter().copied().collect(),
            slow_turns: lists.slow_turns,
            current: lists.current.clone(),
        }
    }

    pub(super) fn gap(&self, gap: (u64, u64)) {
        keep(&mut self.lock().gaps, gap);
    }

    pub(super) fn slow_turn(&self) {
        self.lock().slow_turns += 1;
    }

    /// A stall began, was looked at again, or is over.
    pub(super) fn stall(&self, report: &StallReport) {
        let mut lists = self.lock();
        let stall = report.stall.clone();
        lists.current = stall.took.is_none().then(|| report.clone());
        match lists.stalls.back_mut().filter(|last| last.id == stall.id) {
            Some(last) => *last = stall,
            None => keep(&mut lists.stalls, stall),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        // Nothing but copies is made under it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep<T>(list: &mut VecDeque<T>, one: T) {
    if list.len() == KEPT_MAX {
        list.pop_front();
    }
    list.push_back(one);
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{KEPT_MAX, keep};

    #[test]
    fn the_last_are_kept_and_older_ones_are_forgotten() {
        let mut list = VecDeque::new();
        (0..KEPT_MAX + 44).for_each(|n| keep(&mut list, n));
        assert_eq!(list.len(), KEPT_MAX);
        assert_eq!(list.front(), Some(&44));
        assert_eq!(list.back(), Some(&(KEPT_MAX + 43)));
    }
}
