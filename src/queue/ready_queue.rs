//! The futures to poll: a queue threaded through the places they live in.
//!
//! A place knows which generation lives in it, whether it is queued already,
//! and which place is queued after it. So a wake is one comparison and a few
//! stores; it allocates nothing, and a place is queued at most once. The flag
//! is cleared when the place is taken out, before the poll: a wake during the
//! poll then queues it again, and none is lost.

use std::cell::Cell;

use super::places::Places;

/// First in, first out, and without doubles. Each place holds a `T`.
///
/// Everything in it is a `Cell`: user code may push while a batch is taken
/// out, and nothing is ever borrowed.
pub(crate) struct ReadyQueue<T> {
    places: Places<Place<T>>,
    /// Where it begins and ends; `NONE` when it is empty.
    head: Cell<u32>,
    tail: Cell<u32>,
    /// The first place that nobody lives in, which knows the next of them.
    vacant: Cell<u32>,
    /// How many ever came and went. The difference is the length; that they
    /// are two keeps a wake and a poll from waiting for one counter.
    pushed: Cell<u64>,
    popped: Cell<u64>,
    /// The state of the dice that set the order, if it is shuffled; zero if
    /// not.
    dice: Cell<u64>,
}

/// Where a future lives. A cache line each, when what it holds is a task.
#[repr(align(64))]
pub(crate) struct Place<T> {
    /// The generation, shifted, and the flag `QUEUED`.
    mark: Cell<u32>,
    /// The place that is queued after this one, or is vacant as it is.
    next: Cell<u32>,
    pub(crate) value: T,
}

/// A place that was taken out, or put in.
pub(crate) struct Next<'a, T> {
    pub(crate) slot: u32,
    /// Which generation lives there now. Meaningless if nobody does.
    pub(crate) generation: u32,
    pub(crate) place: &'a Place<T>,
}

const QUEUED: u32 = 1;

/// The mark of a place that takes no wake: no generation is that large.
const NOBODY: u32 = !QUEUED;

/// No place has this number.
const NONE: u32 = u32::MAX;

impl<T: Default> Default for Place<T> {
    fn default() -> Self {
        Place {
            mark: Cell::new(NOBODY),
            next: Cell::new(NONE),
            value: T::default(),
        }
    }
}

impl<T> Place<T> {
    /// Whether it is queued, whoever lives there.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.mark.get() & QUEUED != 0
    }

    /// Whether this generation lives there.
    #[inline]
    pub(crate) fn holds(&self, generation: u32) -> bool {
        self.mark.get() & !QUEUED == generation << 1
    }
}

impl<T: Default> ReadyQueue<T> {
    /// An empty queue that hands out its places in the order they came, or
    /// each batch in an order drawn from `seed`.
    ///
    /// A program that is right under every shuffled order does not lean on
    /// the accident of one: the simulated world of the tests uses this.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        // Zero would mean "not shuffled", and is where xorshift stands still.
        let dice = seed.map_or(0, |seed| seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1));
        ReadyQueue {
            places: Places::new(),
            head: Cell::new(NONE),
            tail: Cell::new(NONE),
            vacant: Cell::new(NONE),
            pushed: Cell::new(0),
            popped: Cell::new(0),
            dice: Cell::new(dice),
        }
    }

    /// Adds a place that generation 0 lives in, and returns its number;
    /// `None` if there are too many already.
    pub(crate) fn add(&self) -> Option<u32> {
        self.add_place().map(|(slot, _)| slot)
    }

    #[inline]
    fn add_place(&self) -> Option<(u32, &Place<T>)> {
        let (slot, place) = self.places.add()?;
        place.mark.set(0);
        Some((slot, place))
    }

    /// Queues a place that was vacated, or else one that is added; `None` if
    /// there are too many already.
    #[inline]
    pub(crate) fn push_vacant(&self) -> Option<Next<'_, T>> {
        let (slot, place) = match self.vacant.get() {
            NONE => self.add_place()?,
            slot => {
                let place = self.at(slot);
                self.vacant.set(place.next.get());
                (slot, place)
            }
        };
        let generation = place.mark.get() >> 1;
        self.append(slot, place);
        Some(Next {
            slot,
            generation,
            place,
        })
    }

    /// Leaves a place to whoever comes next, unless it is queued.
    #[inline]
    pub(crate) fn vacate(&self, slot: u32, place: &Place<T>) {
        if !place.is_queued() {
            place.next.set(self.vacant.replace(slot));
        }
    }

    /// The numbers of all places.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.places.numbers()
    }

    /// The place of this number.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> &Place<T> {
        let place = self.places.get(slot);
        place.expect("a place is used after it was added")
    }

    /// Says which generation lives in `slot` from now on; `None` is nobody.
    /// If the place is queued, it stays so.
    #[inline]
    pub(crate) fn admit(&self, slot: u32, generation: Option<u32>) -> &Place<T> {
        let place = self.at(slot);
        let queued = place.mark.get() & QUEUED;
        let mark = generation.map_or(NOBODY, |generation| generation << 1);
        place.mark.set(mark | queued);
        place
    }

    /// Whether this generation lives in `slot`.
    #[inline]
    pub(crate) fn holds(&self, slot: u32, generation: u32) -> bool {
        let place = self.places.get(slot);
        place.is_some_and(|place| place.holds(generation))
    }

    /// The generation that lives in `slot`. Meaningless if nobody does.
    #[inline]
    pub(crate) fn generation(&self, slot: u32) -> u32 {
        self.at(slot).mark.get() >> 1
    }

    /// Queues `slot` if this generation lives there and it is not queued
    /// yet; says whether it did.
    #[inline]
    pub(crate) fn push(&self, slot: u32, generation: u32) -> bool {
        match self.places.get(slot) {
            Some(place) if place.mark.get() == generation << 1 => {
                self.append(slot, place);
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn append(&self, slot: u32, place: &Place<T>) {
        place.mark.set(place.mark.get() | QUEUED);
        place.next.set(NONE);
        match self.tail.get() {
            NONE => self.head.set(slot),
            tail => self.at(tail).next.set(slot),
        }
        self.tail.set(slot);
        self.pushed.set(self.pushed.get() + 1);
    }

    /// Takes out the next place, whoever lives there now.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Next<'_, T>> {
        let slot = self.head.get();
        if slot == NONE {
            return None;
        }
        let place = self.at(slot);
        let next = place.next.get();
        self.head.set(next);
        if next == NONE {
            self.tail.set(NONE);
        }
        self.popped.set(self.popped.get() + 1);
        let mark = place.mark.get();
        place.mark.set(mark & !QUEUED);
        Some(Next {
            slot,
            generation: mark >> 1,
            place,
        })
    }

    /// The place that comes next, and the one after that.
    #[inline]
    pub(crate) fn peek(&self) -> (Option<&Place<T>>, Option<&Place<T>>) {
        let place = |slot: u32| self.places.get(slot);
        let next = place(self.head.get());
        (next, next.and_then(|next| place(next.next.get())))
    }

    /// How many are in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        (self.pushed.get() - self.popped.get()) as usize
    }

    /// How many ever were in it.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.get()
    }

    /// How many ever were taken out.
    #[inline]
    pub(crate) fn popped(&self) -> u64 {
        self.popped.get()
    }

    /// Counts what is to be taken out before the loop looks elsewhere. In a
    /// shuffled queue, this is where the order is drawn.
    #[inline]
    pub(crate) fn begin_batch(&self) -> usize {
        if self.dice.get() != 0 {
            self.shuffle();
        }
        self.len()
    }

    #[cold]
    fn shuffle(&self) {
        let linked = |slot: u32| (slot != NONE).then_some(slot);
        let next = |slot: &u32| linked(self.at(*slot).next.get());
        let mut order: Vec<u32> = std::iter::successors(linked(self.head.get()), next).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, self.roll(last + 1));
        }
        self.head.set(NONE);
        let mut tail = NONE;
        for slot in order.into_iter().rev() {
            self.at(slot).next.set(self.head.replace(slot));
            tail = if tail == NONE { slot } else { tail };
        }
        self.tail.set(tail);
    }

    /// A number below `sides`, by xorshift64: small, and the same on every
    /// machine.
    fn roll(&self, sides: usize) -> usize {
        let mut dice = self.dice.get();
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        self.dice.set(dice);
        (dice % sides as u64) as usize
    }
}
