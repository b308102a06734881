//! How much is said in a minute.

use std::collections::VecDeque;
use std::mem;

const MINUTE: u64 = 60_000_000_000;

/// So many in any minute, and a count of the others.
#[derive(Debug)]
pub(super) struct Quota {
    most: usize,
    /// When the last were let through, in nanoseconds.
    said: VecDeque<u64>,
    held_back: u32,
}

impl Quota {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: most as usize,
            said: VecDeque::new(),
            held_back: 0,
        }
    }

    /// Lets one through, with how many were held back before it; or holds it back.
    pub(super) fn ask(&mut self, now: u64) -> Option<u32> {
        self.forget(now);
        if self.said.len() >= self.most {
            self.held_back += 1;
            return None;
        }
        self.said.push_back(now);
        Some(mem::take(&mut self.held_back))
    }

    /// So many were not told of after all.
    pub(super) fn lost(&mut self, stalls: u32) {
        self.held_back += stalls;
    }

    /// How many were held back, once there is room again and nothing has come to say it with.
    pub(super) fn left_over(&mut self, now: u64) -> Option<u32> {
        if self.held_back == 0 {
            return None;
        }
        self.forget(now);
        let has_room = self.said.len() < self.most;
        has_room.then(|| mem::take(&mut self.held_back))
    }

    /// How many were held back and were not told of, at the end.
    pub(super) fn all_left(&mut self) -> Option<u32> {
        let left = mem::take(&mut self.held_back);
        (left > 0 && self.most > 0).then_some(left)
    }

    fn forget(&mut self, now: u64) {
        let is_old = |&at: &u64| now.saturating_sub(at) >= MINUTE;
        while self.said.front().is_some_and(is_old) {
            self.said.pop_front();
        }
    }
}
