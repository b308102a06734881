//! Slot numbers of the futures to poll, each at most once.
//!
//! One word a slot says what a wake must know: which generation lives there,
//! and whether it is queued already. So a wake is one comparison with one
//! dense array, and touches no future. The flag is cleared when the number is
//! taken out, before the poll: a wake during the poll then queues the future
//! again, and none is lost.

/// First in, first out, and without doubles.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    /// By slot number: the generation, shifted, and the flag `QUEUED`.
    marks: Vec<u32>,
    /// One is taken out, from `next` on, while the other is filled; then
    /// they change roles. That costs less than a ring, and less than changing
    /// places: a lone task that wakes itself went from 37 to 33 ns (November
    /// 2026, a 2-core cloud machine, pinned).
    lists: [Vec<Entry>; 2],
    /// Which of them is taken out: 0 or 1.
    front: usize,
    next: usize,
    /// The state of the dice that pick the next number, if the order is
    /// shuffled; zero if not.
    dice: u64,
}

/// Who was queued. The generation tells an entry whose task has ended from
/// one of the task that took over its slot.
///
/// One word and not two halves: written as two and read back as one at once,
/// they would have to go through the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry(u64);

impl Entry {
    #[inline]
    fn new(slot: u32, generation: u32) -> Self {
        Entry(u64::from(generation) << 32 | u64::from(slot))
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
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
                self.lists[self.front ^ 1].push(Entry::new(slot, generation));
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
        self.lists[self.front ^ 1].push(Entry::new(slot, generation));
        generation
    }

    /// Takes out the next entry. `Err` is a stale one: whoever counted a
    /// batch has counted it too.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Result<Entry, Entry>> {
        if self.next == self.lists[self.front].len() {
            self.lists[self.front].clear();
            self.next = 0;
            self.front ^= 1;
        }
        if self.dice != 0 {
            self.shuffle();
        }
        let entry = *self.lists[self.front].get(self.next)?;
        self.next += 1;
        match self.marks.get_mut(entry.slot() as usize) {
            Some(mark) if *mark == entry.generation() << 1 | QUEUED => {
                *mark &= !QUEUED;
                Some(Ok(entry))
            }
            _ => Some(Err(entry)),
        }
    }

    /// How many are in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let [one, other] = &self.lists;
        one.len() + other.len() - self.next
    }

    /// Brings a number drawn by the dice to the front.
    #[cold]
    fn shuffle(&mut self) {
        // xorshift64: small, and the same on every machine.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let rest = &mut self.lists[self.front][self.next..];
        if !rest.is_empty() {
            let index = self.dice % rest.len() as u64;
            rest.swap(0, index as usize);
        }
    }
}
