//! Slot numbers of the futures to poll, each at most once.
//!
//! One word a slot says what a wake must know: which generation lives there,
//! and whether it is queued already. So a wake is one comparison with one
//! dense array, and touches no future. The flag is cleared when the number is
//! taken out, before the poll: a wake during the poll then queues the future
//! again, and none is lost.

use std::mem;

/// First in, first out, and without doubles.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    /// By slot number: the generation, shifted, and the flag `QUEUED`.
    marks: Vec<u32>,
    /// What is being taken out, from `next` on.
    batch: Vec<Entry>,
    next: usize,
    /// What comes after it. Two vectors that change places cost less than
    /// one ring.
    later: Vec<Entry>,
    /// The state of the dice that pick the next number, if the order is
    /// shuffled; zero if not.
    dice: u64,
}

/// Who was queued. The generation tells an entry whose task has ended from
/// one of the task that took over its slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

const QUEUED: u32 = 1;

/// The mark of a slot that takes no wake: no generation is that large.
const NOBODY: u32 = !QUEUED;

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

    /// Says which generation lives in `slot`; `None` is nobody. An entry of
    /// an earlier one is stale from now on.
    pub(crate) fn admit(&mut self, slot: u32, generation: Option<u32>) {
        let index = slot as usize;
        if index >= self.marks.len() {
            self.marks.resize(index + 1, NOBODY);
        }
        self.marks[index] = generation.map_or(NOBODY, |generation| generation << 1);
    }

    /// Whether this generation lives in `slot`.
    #[inline]
    pub(crate) fn holds(&self, slot: u32, generation: u32) -> bool {
        let mark = self.marks.get(slot as usize);
        mark.is_some_and(|mark| mark & !QUEUED == generation << 1)
    }

    /// The generation that lives in `slot`. Meaningless if nobody does.
    pub(crate) fn generation(&self, slot: u32) -> u32 {
        self.marks[slot as usize] >> 1
    }

    /// Adds `slot` if this generation lives there and it is not queued yet;
    /// says whether it did.
    #[inline]
    pub(crate) fn push(&mut self, slot: u32, generation: u32) -> bool {
        match self.marks.get_mut(slot as usize) {
            Some(mark) if *mark == generation << 1 => {
                *mark |= QUEUED;
                self.later.push(Entry { slot, generation });
                true
            }
            _ => false,
        }
    }

    /// Lets a task move into a slot that is admitted and not queued, and
    /// queues it. Returns its generation.
    #[inline]
    pub(crate) fn push_new(&mut self, slot: u32) -> u32 {
        let mark = &mut self.marks[slot as usize];
        let generation = *mark >> 1;
        *mark |= QUEUED;
        self.later.push(Entry { slot, generation });
        generation
    }

    /// Takes out the next entry. `Err` is a stale one: whoever counted a
    /// batch has counted it too.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Result<Entry, Entry>> {
        if self.next == self.batch.len() {
            self.batch.clear();
            self.next = 0;
            mem::swap(&mut self.batch, &mut self.later);
        }
        if self.dice != 0 {
            self.shuffle();
        }
        let entry = *self.batch.get(self.next)?;
        self.next += 1;
        match self.marks.get_mut(entry.slot as usize) {
            Some(mark) if *mark == entry.generation << 1 | QUEUED => {
                *mark &= !QUEUED;
                Some(Ok(entry))
            }
            _ => Some(Err(entry)),
        }
    }

    /// How many are in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.batch.len() - self.next + self.later.len()
    }

    /// Brings a number drawn by the dice to the front.
    #[cold]
    fn shuffle(&mut self) {
        // xorshift64: small, and the same on every machine.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let rest = &mut self.batch[self.next..];
        if !rest.is_empty() {
            let index = self.dice % rest.len() as u64;
            rest.swap(0, index as usize);
        }
    }
}
