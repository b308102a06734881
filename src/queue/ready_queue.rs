//! Slot numbers of the futures to poll, each at most once.
//!
//! The flag that says "already in it" is kept here and not with the future,
//! so that a wake touches one dense byte array and nothing else. It is
//! cleared when the number is taken out, before the poll: a wake during the
//! poll then queues the future again, and none is lost.

use std::collections::VecDeque;

/// First in, first out, and without doubles.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    order: VecDeque<u32>,
    /// By slot number: whether it stands in `order`.
    queued: Vec<bool>,
    /// The state of the dice that pick the next number, if the order is
    /// shuffled; zero if not.
    dice: u64,
}

impl ReadyQueue {
    /// An empty queue that hands out its numbers in the order they came, or
    /// in an order drawn from `seed`.
    ///
    /// A program that is right under every shuffled order does not lean on
    /// the accident of one: the simulated world of the tests uses this.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        ReadyQueue {
            // Zero would mean "not shuffled", and is where xorshift stands still.
            dice: seed.map_or(0, |seed| seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1)),
            ..ReadyQueue::default()
        }
    }

    /// Adds `slot` unless it is already in. Allocates only when `slot` is
    /// larger than any before.
    #[inline]
    pub(crate) fn push(&mut self, slot: u32) {
        let index = slot as usize;
        if index >= self.queued.len() {
            self.queued.resize(index + 1, false);
        }
        if !self.queued[index] {
            self.queued[index] = true;
            self.order.push_back(slot);
        }
    }

    /// Takes out the next slot number.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<u32> {
        if self.dice != 0 {
            self.shuffle();
        }
        let slot = self.order.pop_front()?;
        self.queued[slot as usize] = false;
        Some(slot)
    }

    /// How many are in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Brings a number drawn by the dice to the front.
    #[cold]
    fn shuffle(&mut self) {
        // xorshift64: small, and the same on every machine.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        if !self.order.is_empty() {
            let index = self.dice % self.order.len() as u64;
            self.order.swap(0, index as usize);
        }
    }
}
