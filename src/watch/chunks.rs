//! A growing array that one thread fills and others read, without a lock.
//!
//! Items never move and are never freed while somebody holds the array, and
//! each is made of atomics. So a reader can look at any of them at any time.

use std::sync::OnceLock;

/// As the executor numbers its slots (`queue/places.rs`): ten bits for the
/// chunk, 14 for the place in it. Eight chunks hold 64 items, eight twice as
/// many, and so on.
const OFFSET_BITS: u32 = 14;
const FIRST_BITS: u32 = 6;
const ALIKE: u32 = 8;
const CHUNKS: usize = 1024;

/// The number of an item of which only that it is the `nth` is known.
pub(super) fn number_of(nth: u32) -> u32 {
    let before = ALIKE << FIRST_BITS;
    let end = nth.saturating_add(before);
    let doublings = (end / before).ilog2().min(OFFSET_BITS - FIRST_BITS);
    let (offset, bits) = (end - (before << doublings), FIRST_BITS + doublings);
    let chunk = (ALIKE * doublings + (offset >> bits)).min(CHUNKS as u32);
    chunk << OFFSET_BITS | (offset % (1 << bits))
}

/// Items by number.
pub(super) struct Chunks<T> {
    chunks: [OnceLock<Box<[T]>>; CHUNKS],
}

impl<T: Default> Chunks<T> {
    pub(super) fn new() -> Self {
        Chunks {
            chunks: [const { OnceLock::new() }; CHUNKS],
        }
    }

    /// The item of this number, if there is room for it.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let chunk = self.chunks.get((number >> OFFSET_BITS) as usize)?;
        chunk.get()?.get((number % (1 << OFFSET_BITS)) as usize)
    }

    /// The same, which makes room.
    #[inline]
    pub(super) fn make(&self, number: u32) -> Option<&T> {
        self.get(number).or_else(|| self.grow(number))
    }

    #[cold]
    fn grow(&self, number: u32) -> Option<&T> {
        let chunk = number >> OFFSET_BITS;
        let bits = (FIRST_BITS + chunk / ALIKE).min(OFFSET_BITS);
        let made = || (0..1 << bits).map(|_| T::default()).collect();
        self.chunks.get(chunk as usize)?.get_or_init(made);
        self.get(number)
    }

    /// All there is room for, with their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &T)> {
        let chunks = self.chunks.iter().enumerate();
        chunks.flat_map(|(chunk, items)| {
            let items = items.get().map_or(&[][..], |items| &items[..]);
            ((chunk as u32) << OFFSET_BITS..).zip(items)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunks, number_of};

    #[test]
    fn each_has_a_number_of_its_own_and_none_is_left_out() {
        let chunks = Chunks::<()>::new();
        let numbers: Vec<u32> = (0..200_000).map(number_of).collect();
        for &number in &numbers {
            assert!(chunks.make(number).is_some(), "{number}");
        }
        let all = chunks.all().map(|(number, ())| number);
        assert!(all.take(numbers.len()).eq(numbers));
        assert!(chunks.make(number_of(u32::MAX)).is_none());
    }
}
