//! How much is said in a minute.

use std::collections::VecDeque;

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
        while self
            .said
            .front()
            .is_some_and(|&at| now.saturating_sub(at) >= MINUTE)
        {
            self.said.pop_front();
        }
        if self.said.len() >= self.most {
            self.held_back += 1;
            return None;
        }
        self.said.push_back(now);
        Some(std::mem::take(&mut self.held_back))
    }
}
