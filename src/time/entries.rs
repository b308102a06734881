//! Where timers live: one growing array, with lists threaded through it by index.
//!
//! A slot of the array outlives the timers in it, and so does its generation: that is how a key
//! of a timer long gone is told from the key of the one that lives there now. (The crate `slab`
//! forgets what was in a vacant slot, and a generation counted elsewhere could come round.)

use super::level::Place;

/// The end of a list. No entry has this index: see [`Entries::insert`].
const NONE: u32 = u32::MAX;

// A server holds one timer a connection; the loop's values are up to three words.
const _: () = assert!(size_of::<Entry<[u64; 3]>>() < 64);

/// Names one timer in the [`Wheel`](super::Wheel) that gave it out.
///
/// Once the timer fired or was cancelled the key is stale for ever: it finds nothing, even when
/// another timer has taken its memory.
///
/// # Examples
///
/// ```
/// use tourbillon::time::{TimerKey, Wheel};
///
/// let mut wheel = Wheel::new();
/// let tea: TimerKey = wheel.insert(180_000, "tea");
/// assert_eq!(wheel.cancel(tea), Some("tea"));
/// let toast = wheel.insert(60_000, "toast"); // where the other was
/// assert_eq!((wheel.cancel(tea), wheel.cancel(toast)), (None, Some("toast")));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: u32,
}

/// One timer, or a vacant place for one.
pub(super) struct Entry<T> {
    /// `None` while vacant.
    value: Option<T>,
    /// When it fires. Not before the slot it is filed in begins, but perhaps after that slot
    /// ends: moving a deadline later does not refile.
    pub(super) deadline: u64,
    prev: u32,
    /// The next in the list; while vacant, the next vacant entry.
    next: u32,
    generation: u32,
    /// The list it is linked into.
    pub(super) place: Place,
}

/// All timers of a wheel.
pub(super) struct Entries<T> {
    array: Vec<Entry<T>>,
    first_vacant: u32,
    len: usize,
}

impl<T> Entries<T> {
    pub(super) fn new() -> Self {
        Entries {
            array: Vec::new(),
            first_vacant: NONE,
            len: 0,
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Stores a timer, linked nowhere yet, and returns its key and its index.
    #[inline]
    pub(super) fn insert(&mut self, deadline: u64, value: T) -> (TimerKey, u32) {
        let index = match self.first_vacant {
            NONE => self.grow(),
            index => index,
        };
        let entry = &mut self.array[index as usize];
        self.first_vacant = entry.next;
        self.len += 1;
        entry.value = Some(value);
        entry.deadline = deadline;
        let key = TimerKey {
            index,
            generation: entry.generation,
        };
        (key, index)
    }

    /// Adds a vacant entry that is last, and alone, among the vacant.
    #[cold]
    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.array.len()).unwrap_or(NONE);
        assert!(index != NONE, "a wheel holds fewer than 2^32 - 1 timers");
        self.array.push(Entry {
            value: None,
            deadline: 0,
            prev: NONE,
            next: NONE,
            generation: 0,
            place: Place::Overdue,
        });
        index
    }

    /// Takes the value out; the entry must have been unlinked. `None` if it was vacant.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.array[index as usize];
        let value = entry.value.take()?;
        self.len -= 1;
        // An entry whose generation would come round is used no more: 56 bytes lost for every
        // 2^32 timers, and no key can ever name a stranger.
        if let Some(generation) = entry.generation.checked_add(1) {
            entry.generation = generation;
            entry.next = self.first_vacant;
            self.first_vacant = index;
        }
        Some(value)
    }

    /// Takes every value out, whatever list it was linked into.
    pub(super) fn remove_all(&mut self, into: &mut Vec<T>) {
        into.reserve(self.len);
        // `grow` keeps the length below `u32::MAX`.
        for index in 0..self.array.len() as u32 {
            into.extend(self.remove(index));
        }
    }

    /// Returns the index of the timer that `key` names, unless it is gone.
    #[inline]
    pub(super) fn find(&self, key: TimerKey) -> Option<u32> {
        let entry = self.array.get(key.index as usize)?;
        let alive = entry.generation == key.generation && entry.value.is_some();
        alive.then_some(key.index)
    }

    #[inline]
    pub(super) fn at(&self, index: u32) -> &Entry<T> {
        &self.array[index as usize]
    }

    #[inline]
    pub(super) fn at_mut(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.array[index as usize]
    }

    #[inline]
    pub(super) fn value_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        let entry = self.array.get_mut(key.index as usize)?;
        if entry.generation == key.generation {
            entry.value.as_mut()
        } else {
            None
        }
    }
}

/// A first-in, first-out list through the entries, from whose middle one can be unlinked.
#[derive(Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: List = List {
        head: NONE,
        tail: NONE,
    };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    #[inline]
    pub(super) fn push_back<T>(&mut self, entries: &mut Entries<T>, index: u32) {
        let entry = entries.at_mut(index);
        entry.prev = self.tail;
        entry.next = NONE;
        match self.tail {
            NONE => self.head = index,
            tail => entries.at_mut(tail).next = index,
        }
        self.tail = index;
    }

    /// Takes out an entry that is in this list.
    #[inline]
    pub(super) fn unlink<T>(&mut self, entries: &mut Entries<T>, index: u32) {
        let entry = entries.at(index);
        let (prev, next) = (entry.prev, entry.next);
        match prev {
            NONE => self.head = next,
            prev => entries.at_mut(prev).next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => entries.at_mut(next).prev = prev,
        }
    }

    /// Takes the first entry off the list.
    #[inline]
    pub(super) fn pop_front<T>(&mut self, entries: &mut Entries<T>) -> Option<u32> {
        if self.is_empty() {
            return None;
        }
        let index = self.head;
        self.unlink(entries, index);
        Some(index)
    }

    /// Walks the list from first to last.
    pub(super) fn iter<'a, T>(&self, entries: &'a Entries<T>) -> impl Iterator<Item = u32> + 'a {
        let linked = |index: u32| (index != NONE).then_some(index);
        std::iter::successors(linked(self.head), move |&index| {
            linked(entries.at(index).next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Entries;

    #[test]
    fn an_entry_is_reused_until_its_generations_run_out() {
        let mut entries = Entries::new();
        let (first, index) = entries.insert(1, 'a');
        assert_eq!(entries.remove(index), Some('a'));
        let (second, index) = entries.insert(1, 'b');
        assert_eq!(entries.array.len(), 1);
        assert_ne!(first, second);

        entries.at_mut(index).generation = u32::MAX;
        assert_eq!(entries.remove(index), Some('b'));
        assert_eq!(entries.remove(index), None);
        let (third, index) = entries.insert(1, 'c');
        assert_eq!(entries.array.len(), 2);
        assert_eq!((entries.find(third), entries.len()), (Some(index), 1));
        let retired = super::TimerKey {
            index: 0,
            generation: u32::MAX,
        };
        assert_eq!(entries.find(retired), None);
        assert_eq!(entries.value_mut(retired), None);
    }
}
