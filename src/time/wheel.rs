//! The wheel: files timers, and hands over those that are due.
//!
//! The one hard fact: a filed timer's list begins no later than its deadline. Every way to file,
//! move or refile keeps that, and it is why a timer cannot be missed.

use std::fmt;

use super::entries::{Entries, List, TimerKey};
use super::level::{Levels, Place, horizon_block};

/// A hierarchical timing wheel: timers with a value each, by deadline in ticks.
///
/// Inserting, cancelling and moving take constant time, and moving later is one store. The wheel
/// reads no clock: [`expire`](Wheel::expire) tells it the time, which starts at tick 0. Any
/// `u64` is a legal deadline; those more than 2^36 ticks ahead cost one look each time
/// 2^36 ticks have gone by.
///
/// Timers fire in ascending order of their deadlines, and those with equal deadlines in the
/// order they were inserted. A timer that was moved takes its place among its equals when the
/// wheel files it anew: at once if that was needed, else when its former slot comes up, which
/// may be after a timer that was inserted later.
///
/// Memory is reused and not given back: about 32 bytes and the value for each timer of the
/// largest number ever held, and 3 KiB for the wheel.
///
/// # Examples
///
/// ```
/// use tourbillon::time::Wheel;
///
/// let mut wheel = Wheel::new();
/// let tea = wheel.insert(180_000, "tea");
/// wheel.insert(60_000, "toast");
/// wheel.move_to(tea, 240_000);
///
/// let mut due = Vec::new();
/// wheel.expire(200_000, &mut due);
/// assert_eq!(due, ["toast"]);
/// assert_eq!(wheel.cancel(tea), Some("tea"));
/// ```
pub struct Wheel<T> {
    /// The tick up to which everything has been handed over; the wheel's present.
    elapsed: u64,
    levels: Levels,
    overdue: List,
    /// No later than any deadline in `overdue`; without meaning while that is empty.
    overdue_floor: u64,
    far: List,
    entries: Entries<T>,
    /// Kept for its memory: where overdue timers are put in order.
    overdue_order: Vec<u32>,
}

impl<T> Wheel<T> {
    /// Makes an empty wheel that stands at tick 0.
    pub fn new() -> Self {
        Wheel {
            elapsed: 0,
            levels: Levels::new(),
            overdue: List::EMPTY,
            overdue_floor: 0,
            far: List::EMPTY,
            entries: Entries::new(),
            overdue_order: Vec::new(),
        }
    }

    /// Adds a timer that is due at tick `deadline`.
    ///
    /// If that tick has passed, it is due at the next [`expire`](Wheel::expire).
    ///
    /// # Panics
    ///
    /// Panics if there are 2^32 - 1 timers already.
    #[inline]
    pub fn insert(&mut self, deadline: u64, value: T) -> TimerKey {
        let (key, index) = self.entries.insert(deadline, value);
        self.file(index, deadline);
        key
    }

    /// Removes a timer and returns its value, or `None` if it fired or was cancelled before.
    #[inline]
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let index = self.entries.find(key)?;
        self.unlink(index);
        self.entries.remove(index)
    }

    /// Returns a timer's value, or `None` if the timer is gone.
    #[inline]
    pub fn get_mut(&mut self, key: TimerKey) -> Option<&mut T> {
        self.entries.value_mut(key)
    }

    /// Returns the tick at which a timer is due, or `None` if it is gone.
    #[inline]
    pub fn deadline(&self, key: TimerKey) -> Option<u64> {
        let index = self.entries.find(key)?;
        Some(self.entries.at(index).deadline)
    }

    /// Makes a timer due at another tick; returns `false` if it is gone.
    ///
    /// To a later tick this is one store. To an earlier one it is that too, unless the timer is
    /// filed where the wheel would look too late; then it is filed anew.
    #[inline]
    pub fn move_to(&mut self, key: TimerKey, deadline: u64) -> bool {
        let Some(index) = self.entries.find(key) else {
            return false;
        };
        let entry = self.entries.at_mut(index);
        if deadline >= entry.deadline {
            entry.deadline = deadline;
        } else {
            self.move_earlier(index, deadline);
        }
        true
    }

    fn move_earlier(&mut self, index: u32, deadline: u64) {
        let elapsed = self.elapsed;
        let entry = self.entries.at_mut(index);
        entry.deadline = deadline;
        // For an overdue timer that is `elapsed`, so `overdue_floor` hears of all that matters.
        if deadline < entry.place.begins(elapsed) {
            self.unlink(index);
            self.file(index, deadline);
        }
    }

    /// Carries the wheel to tick `now` and appends the values of all timers due by then to
    /// `due`, in firing order.
    ///
    /// The time never goes back: an earlier `now` counts as the latest one seen. The cost is for
    /// timers fired and refiled, not for the ticks in between.
    #[inline]
    pub fn expire(&mut self, now: u64, due: &mut Vec<T>) {
        self.expire_each(now, &mut |_, value| due.push(value));
    }

    /// The same, for one who wants the deadlines too.
    #[inline]
    pub(crate) fn expire_each(&mut self, now: u64, fire: &mut impl FnMut(u64, T)) {
        let now = now.max(self.elapsed);
        while let Some(place) = self.first()
            && place.begins(self.elapsed) <= now
        {
            self.enter(place, now, fire);
        }
        self.elapsed = now;
    }

    /// Returns a tick before which nothing is due, or `None` if there are no timers.
    ///
    /// It is never later than the earliest deadline and may be earlier, when that timer is filed
    /// on a higher level or was moved later: whoever sleeps until then may wake to find nothing
    /// due. It will not wake in a circle: after `expire(now)` this is later than `now`, and each
    /// such wake files the timer closer to its deadline.
    #[inline]
    pub fn next_deadline(&self) -> Option<u64> {
        match self.first()? {
            Place::Overdue => Some(self.overdue_floor),
            place => Some(place.begins(self.elapsed)),
        }
    }

    /// Returns the number of timers.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether there are no timers.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// Removes all timers and appends their values to `into`, in no order to rely on.
    ///
    /// For a shutdown: all keys are stale afterwards, and the wheel can be used again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::time::Wheel;
    /// let mut wheel = Wheel::new();
    /// let tea = wheel.insert(180_000, "tea");
    /// assert!(wheel.next_deadline().unwrap() <= 180_000);
    /// assert_eq!(wheel.deadline(tea), Some(180_000));
    /// *wheel.get_mut(tea).unwrap() = "coffee";
    /// assert_eq!(wheel.len(), 1);
    ///
    /// let mut left = Vec::new();
    /// wheel.drain_all(&mut left);
    /// assert!(left == ["coffee"] && wheel.is_empty());
    /// ```
    pub fn drain_all(&mut self, into: &mut Vec<T>) {
        self.levels = Levels::new();
        self.overdue = List::EMPTY;
        self.far = List::EMPTY;
        self.entries.remove_all(into);
    }

    /// Links a timer that is in no list into the one it belongs to.
    #[inline]
    fn file(&mut self, index: u32, deadline: u64) {
        let place = Place::of(deadline, self.elapsed);
        self.entries.at_mut(index).place = place;
        match place {
            Place::Slot { level, slot } => {
                self.levels
                    .push_back(&mut self.entries, (level, slot), index);
            }
            Place::Far => self.far.push_back(&mut self.entries, index),
            Place::Overdue => {
                self.overdue_floor = if self.overdue.is_empty() {
                    deadline
                } else {
                    self.overdue_floor.min(deadline)
                };
                self.overdue.push_back(&mut self.entries, index);
            }
        }
    }

    #[inline]
    fn unlink(&mut self, index: u32) {
        match self.entries.at(index).place {
            Place::Slot { level, slot } => {
                self.levels.unlink(&mut self.entries, (level, slot), index);
            }
            Place::Far => self.far.unlink(&mut self.entries, index),
            Place::Overdue => self.overdue.unlink(&mut self.entries, index),
        }
    }

    /// Returns the list to look into next.
    #[inline]
    fn first(&self) -> Option<Place> {
        if !self.overdue.is_empty() {
            return Some(Place::Overdue);
        }
        match self.levels.first() {
            Some((level, slot)) => Some(Place::Slot { level, slot }),
            None if self.far.is_empty() => None,
            None => Some(Place::Far),
        }
    }

    /// Steps to where the list at `place` begins, and hands over or refiles what is in it.
    fn enter(&mut self, place: Place, now: u64, fire: &mut impl FnMut(u64, T)) {
        let mut list = match place {
            Place::Slot { level, slot } => {
                self.elapsed = place.begins(self.elapsed);
                self.levels.take((level, slot))
            }
            Place::Far => {
                self.elapsed = self.next_far_block(now);
                std::mem::replace(&mut self.far, List::EMPTY)
            }
            // Alone among the lists, this one mixes deadlines that are all due.
            Place::Overdue => return self.expire_overdue(fire),
        };
        while let Some(index) = list.pop_front(&mut self.entries) {
            self.fire_or_file(index, fire);
        }
    }

    /// Returns the start of the first 2^36-tick block that holds a far timer, or of the block of
    /// `now` if that is earlier.
    ///
    /// Going from one block to the next instead would take up to 2^28 steps.
    fn next_far_block(&self, now: u64) -> u64 {
        let deadlines = self.far.iter(&self.entries);
        let earliest = deadlines.map(|index| self.entries.at(index).deadline).min();
        horizon_block(earliest.map_or(now, |deadline| deadline.min(now)))
    }

    fn expire_overdue(&mut self, fire: &mut impl FnMut(u64, T)) {
        let mut order = std::mem::take(&mut self.overdue_order);
        order.extend(self.overdue.iter(&self.entries));
        self.overdue = List::EMPTY;
        // Stable, so that equal deadlines keep the order of the list.
        order.sort_by_key(|&index| self.entries.at(index).deadline);
        for index in order.drain(..) {
            self.fire_or_file(index, fire);
        }
        self.overdue_order = order;
    }

    #[inline]
    fn fire_or_file(&mut self, index: u32, fire: &mut impl FnMut(u64, T)) {
        let deadline = self.entries.at(index).deadline;
        if deadline <= self.elapsed {
            if let Some(value) = self.entries.remove(index) {
                fire(deadline, value);
            }
        } else {
            self.file(index, deadline);
        }
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Wheel::new()
    }
}

impl<T> fmt::Debug for Wheel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("elapsed", &self.elapsed)
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}
