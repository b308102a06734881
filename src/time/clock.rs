//! The one source of `now`, and the exchange between points in time and ticks.
//!
//! Rounding is what keeps a timer from firing early: the present is rounded down to a tick and a
//! deadline up, so when the two meet the deadline has truly passed.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The grain of the wheel: one millisecond, as in epoll's timeout.
pub const TICK: Duration = Duration::from_millis(1);

const TICKS_PER_SEC: u64 = 1_000;
const NANOS_PER_TICK: u32 = 1_000_000;

/// Tells the time and counts it in ticks of [`TICK`] since the clock was made.
///
/// A clock is real, or follows a [`ManualClock`]. Clones share the origin, so their ticks agree.
/// Cheap to clone; stays on its thread.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::time::Clock;
///
/// let clock = Clock::real();
/// let tick = clock.tick_for(clock.now() + Duration::from_secs(5));
/// assert!(tick >= 5_000);
/// ```
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Instant,
    /// Where a manual clock stands; `None` for a real one.
    hand: Option<Rc<Cell<Instant>>>,
}

impl Clock {
    /// Makes a clock that follows the system's monotonic time; tick 0 is this moment.
    pub fn real() -> Clock {
        Clock {
            origin: Instant::now(),
            hand: None,
        }
    }

    /// Returns the present.
    #[inline]
    pub fn now(&self) -> Instant {
        match &self.hand {
            None => Instant::now(),
            Some(hand) => hand.get(),
        }
    }

    /// Says whether this clock is moved by hand.
    ///
    /// A loop on such a clock must not park until a deadline: the time would not come.
    pub fn is_manual(&self) -> bool {
        self.hand.is_some()
    }

    /// Moves a manual clock forward to `then`, with all that share its hand. Does nothing to a
    /// real one, nor backwards.
    pub(crate) fn move_to(&self, then: Instant) {
        if let Some(hand) = &self.hand {
            hand.set(hand.get().max(then));
        }
    }

    /// Returns the whole ticks that had passed at `at`, rounded down; 0 before the origin.
    ///
    /// Saturates at `u64::MAX`.
    #[inline]
    pub fn ticks_passed(&self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.origin);
        ticks(passed.as_secs(), passed.subsec_nanos() / NANOS_PER_TICK)
    }

    /// Returns the first tick that is not before `deadline`; 0 before the origin.
    ///
    /// Rounded up, so that nothing fires early. Saturates at `u64::MAX`.
    #[inline]
    pub fn tick_for(&self, deadline: Instant) -> u64 {
        let ahead = deadline.saturating_duration_since(self.origin);
        ticks(
            ahead.as_secs(),
            ahead.subsec_nanos().div_ceil(NANOS_PER_TICK),
        )
    }

    /// Returns the moment at which `tick` begins, or `None` if an [`Instant`] cannot hold it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tourbillon::time::ManualClock;
    /// let clock = ManualClock::new().clock();
    /// let then = clock.now() + Duration::from_micros(1500);
    /// assert!(clock.is_manual());
    /// assert_eq!((clock.ticks_passed(then), clock.tick_for(then)), (1, 2));
    /// assert!(clock.instant_at(2).unwrap() >= then);
    /// ```
    #[inline]
    pub fn instant_at(&self, tick: u64) -> Option<Instant> {
        self.origin.checked_add(Duration::from_millis(tick))
    }
}

/// `Duration::as_millis` would go through `u128`; a deadline is moved on every HTTP request.
#[inline]
fn ticks(secs: u64, below_a_second: u32) -> u64 {
    secs.saturating_mul(TICKS_PER_SEC)
        .saturating_add(u64::from(below_a_second))
}

/// A clock that moves only when told to, for tests and simulations.
///
/// Clones share one hand: moving any of them moves all, and every [`Clock`] made from them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::time::ManualClock;
///
/// let time = ManualClock::new();
/// let clock = time.clock();
/// time.advance(Duration::from_secs(3600));
/// assert_eq!(clock.ticks_passed(clock.now()), 3_600_000);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    origin: Instant,
    hand: Rc<Cell<Instant>>,
}

impl ManualClock {
    /// Makes a clock that stands at tick 0.
    pub fn new() -> Self {
        let origin = Instant::now();
        ManualClock {
            origin,
            hand: Rc::new(Cell::new(origin)),
        }
    }

    /// Returns where the hand stands.
    pub fn now(&self) -> Instant {
        self.hand.get()
    }

    /// Moves the hand forward by `by`.
    ///
    /// # Panics
    ///
    /// Panics if that is further than an [`Instant`] can tell (on Linux, 292 billion years).
    pub fn advance(&self, by: Duration) {
        let moved = self.hand.get().checked_add(by);
        self.hand
            .set(moved.expect("a manual clock stays within what an Instant can hold"));
    }

    /// Returns a [`Clock`] that follows this hand.
    pub fn clock(&self) -> Clock {
        Clock {
            origin: self.origin,
            hand: Some(Rc::clone(&self.hand)),
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        ManualClock::new()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, ManualClock, TICK};

    #[test]
    fn ticks_round_so_that_nothing_fires_early() {
        let time = ManualClock::new();
        let clock = time.clock();
        let origin = time.now();
        let table = [
            (0, 0, 0),
            (1, 0, 1),
            (999_999, 0, 1),
            (1_000_000, 1, 1),
            (1_000_001, 1, 2),
            (999_000_001, 999, 1_000),
            (999_999_999, 999, 1_000),
            (1_000_000_000, 1_000, 1_000),
            (86_400_000_000_001, 86_400_000, 86_400_001),
        ];
        for (nanos, passed, due) in table {
            let at = origin + Duration::from_nanos(nanos);
            assert_eq!(clock.ticks_passed(at), passed, "{nanos} ns");
            assert_eq!(clock.tick_for(at), due, "{nanos} ns");
            let begins = clock.instant_at(due).expect("a tick of this century");
            assert!(begins >= at && begins < at + TICK, "{nanos} ns");
        }
    }

    #[test]
    fn ticks_saturate_at_both_ends() {
        let time = ManualClock::new();
        let before = time.now();
        time.advance(Duration::from_secs(1));
        let late = Clock::real();
        assert_eq!((late.ticks_passed(before), late.tick_for(before)), (0, 0));
        let clock = time.clock();
        if let Some(remote) = before.checked_add(Duration::new(u64::MAX / 4, 999_000_000)) {
            assert_eq!(clock.ticks_passed(remote), u64::MAX);
            assert_eq!(clock.tick_for(remote), u64::MAX);
        }
        if let Some(last) = clock.instant_at(u64::MAX) {
            assert_eq!(clock.ticks_passed(last), u64::MAX);
            assert_eq!(clock.tick_for(last), u64::MAX);
        }
    }

    #[test]
    fn a_manual_clock_moves_all_its_clones_and_nothing_else_does() {
        let time = ManualClock::default();
        let (clock, other) = (time.clock(), time.clone());
        let start = clock.now();
        other.advance(Duration::from_secs(3_600));
        for now in [time.now(), clock.now(), clock.clone().now()] {
            assert_eq!(now - start, Duration::from_secs(3_600));
        }
        assert_eq!(other.clock().ticks_passed(time.now()), 3_600_000);
        assert!(clock.is_manual() && !Clock::real().is_manual());
    }
}
