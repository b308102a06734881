//! A growing array whose items never move.
//!
//! The hard fact: what never moves can be used through `&` while the array
//! grows, so nothing is borrowed, and no flag is checked, at any access.

use std::cell::{Cell, OnceCell};

/// The first chunk holds 2^6 items, and each other twice its predecessor's
/// until that is 2^19.
const FIRST_BITS: u32 = 6;
const OFFSET_BITS: u32 = 19;
const CHUNKS: usize = 32;

/// The highest number an item may have. There are 10.4 million below it, as
/// the first chunks leave numbers out.
pub(crate) const PLACE_MAX: u32 = ((CHUNKS as u32) << OFFSET_BITS) - 1;

/// Items by number, in chunks that are made as they are needed.
///
/// The number says which chunk it is (the five bits above) and where in it
/// (the 19 bits below), so that finding an item takes a shift and a mask.
pub(crate) struct Places<T> {
    chunks: [OnceCell<Box<[T]>>; CHUNKS],
    /// The number that comes next.
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

    /// Adds an item, and returns its number; `None` if all are given out.
    pub(crate) fn add(&self) -> Option<u32> {
        let number = self.end.get();
        let chunk = (number >> OFFSET_BITS) as usize;
        let bits = (FIRST_BITS + chunk as u32).min(OFFSET_BITS);
        let items = self.chunks.get(chunk)?;
        let items = items.get_or_init(|| (0..1 << bits).map(|_| T::default()).collect());
        let is_last =
            (number as usize + 1) % (1 << OFFSET_BITS) == items.len() % (1 << OFFSET_BITS);
        self.end.set(if is_last {
            (chunk as u32 + 1) << OFFSET_BITS
        } else {
            number + 1
        });
        Some(number)
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
        let first = places.add().expect("there is room");
        let first = places.get(first).expect("just added");
        let mut numbers = vec![0];
        for count in 1..5_000 {
            let number = places.add().expect("there is room");
            places.get(number).expect("just added").set(count);
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
        assert_eq!(count, 2 * (1 << 19) - 64 + 18 * (1 << 19));
        assert!(places.add().is_none());
        assert_eq!(places.numbers().last(), Some(PLACE_MAX));
    }
}
