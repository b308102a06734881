//! A growing array whose items never move.
//!
//! The hard fact: what never moves can be used through `&` while the array
//! grows, so nothing is borrowed, and no flag is checked, at any access.

use std::cell::{Cell, OnceCell};

/// The first chunks hold 2^6 items; eight are of one size, then eight of
/// twice that, until it is 2^14.
///
/// So at most an eighth of what is there waits for its first use. Were each
/// chunk twice its predecessor, it would be up to half: 100,000 idle tasks
/// had room for 131,008. And a chunk of tasks, 1 MiB, is still in the cache
/// when it is first used: a million spawns and joins take 58 ns each with
/// chunks of 2^16, 54 with 2^13 (November 2026, `runtimes spawn memory` in
/// benches/peers).
const FIRST_BITS: u32 = 6;
const ALIKE: u32 = 8;
const OFFSET_BITS: u32 = 14;
const CHUNKS: usize = 1024;

/// The highest number an item may have. There are 15.8 million below it, as
/// the first chunks leave numbers out.
pub(crate) const PLACE_MAX: u32 = ((CHUNKS as u32) << OFFSET_BITS) - 1;

/// Items by number, in chunks that are made as they are needed.
///
/// The number says which chunk it is (the ten bits above) and where in it
/// (the 14 bits below), so that finding an item takes a shift and a mask.
pub(crate) struct Places<T> {
    chunks: [OnceCell<Box<[T]>>; CHUNKS],
    /// The number that comes next, if its chunk has room for it.
    end: Cell<u32>,
}

impl<T: Default> Places<T> {
    pub(crate) fn new() -> Self {
        Places {
            chunks: [const { OnceCell::new() }; CHUNKS],
            end: Cell::new(0),
        }
    }

    /// The item of this number. One that was not added yet may be there
    /// already, as its default.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let offset = number % (1 << OFFSET_BITS);
        let chunk = self.chunks.get((number >> OFFSET_BITS) as usize)?;
        chunk.get()?.get(offset as usize)
    }

    /// Adds an item, and returns it with its number; `None` if all are given
    /// out.
    #[inline]
    pub(crate) fn add(&self) -> Option<(u32, &T)> {
        let number = self.end.get();
        let (number, item) = match self.get(number) {
            Some(item) => (number, item),
            None => self.add_chunk(number)?,
        };
        self.end.set(number + 1);
        Some((number, item))
    }

    /// The first item of another chunk, as there is none of this number.
    #[cold]
    fn add_chunk(&self, number: u32) -> Option<(u32, &T)> {
        let first = number.next_multiple_of(1 << OFFSET_BITS);
        Some((first, self.make(first)?))
    }

    /// The item of this number, whose chunk is made if there is none. `None`
    /// if it has no room for the number.
    pub(crate) fn make(&self, number: u32) -> Option<&T> {
        let chunk = number >> OFFSET_BITS;
        let bits = (FIRST_BITS + chunk / ALIKE).min(OFFSET_BITS);
        let items = self.chunks.get(chunk as usize)?;
        items.get_or_init(|| (0..1 << bits).map(|_| T::default()).collect());
        self.get(number)
    }

    /// The numbers of all that were added, in ascending order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let chunks = self.chunks.iter().enumerate();
        let all = chunks.flat_map(|(chunk, items)| {
            let items = items.get().map_or(0, |items| items.len() as u32);
            (0..items).map(move |offset| (chunk as u32) << OFFSET_BITS | offset)
        });
        all.take_while(|&number| number < self.end.get())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ptr;

    use super::{PLACE_MAX, Places};

    #[test]
    fn an_item_stays_where_it_is_while_the_array_grows() {
        let places = Places::<Cell<u32>>::new();
        assert!(places.get(0).is_none());
        let (_, first) = places.add().expect("there is room");
        let mut numbers = vec![0];
        for count in 1..5_000 {
            let (number, item) = places.add().expect("there is room");
            item.set(count);
            numbers.push(number);
        }
        assert!(ptr::eq(first, places.get(0).expect("it is there")));
        for (count, &number) in numbers.iter().enumerate() {
            assert_eq!(places.get(number).expect("added").get(), count as u32);
        }
        assert!(numbers.is_sorted());
        assert!(places.numbers().eq(numbers));
        assert!(places.get(u32::MAX).is_none() && places.get(64).is_none());
    }

    #[test]
    fn when_all_numbers_are_given_out_there_is_no_item_more() {
        let places = Places::<()>::new();
        let count = std::iter::from_fn(|| places.add()).count();
        assert_eq!(count, 8 * ((1 << 14) - 64) + 960 * (1 << 14));
        assert!(places.add().is_none() && places.add().is_none());
        assert_eq!(places.numbers().last(), Some(PLACE_MAX));
    }

    #[test]
    fn a_chunk_can_be_made_before_its_time() {
        let places = Places::<Cell<u32>>::new();
        places.make(70 << 14 | 3).expect("it has room").set(7);
        assert!(places.get(0).is_none() && places.make(64).is_none());
        assert_eq!(places.get(70 << 14 | 3).map(Cell::get), Some(7));
        assert_eq!(places.numbers().count(), 0);
    }
}
