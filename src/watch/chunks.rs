//! A growing array that one thread fills and others read, without a lock.
//!
//! Items never move and are never freed while somebody holds the array, and
//! each is made of atomics. So a reader can look at any of them at any time.

use std::sync::OnceLock;

/// As the executor numbers its slots: five bits for the chunk, 19 for the
/// place in it. The first chunk holds 64 items, each other twice as many.
const OFFSET_BITS: u32 = 19;
const FIRST_BITS: u32 = 6;
const CHUNKS: usize = 32;

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
        let bits = (FIRST_BITS + chunk).min(OFFSET_BITS);
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
