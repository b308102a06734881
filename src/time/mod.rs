//! Time: a clock that says what tick it is, and a wheel that says what is due.
//!
//! Nothing here sleeps or asks the kernel for anything but the time, and only [`Clock`] does
//! that. [`Wheel`] counts in ticks of one millisecond and learns of the present from its
//! argument, so a test can carry it a century ahead in one call.
//!
//! # The wheel
//!
//! Six levels of 64 slots. A slot of level 0 is one tick wide; a slot of any other level is as
//! wide as the whole level below it. `elapsed` is the wheel's present. Write it and a deadline in
//! base 64: the first digit in which they differ picks the level, and the deadline's digit there
//! the slot.
//!
//! ```text
//!   level         5   4   3   2   1   0
//!   elapsed   ..  0   0   0   2   7  40
//!   deadline  ..  0   0   0   2   9  13      differs first at level 1: filed in its slot 9
//!
//!             slot 0         9                   40              63     a slot     all 64
//!   level 0        . . . . . . . . . . . . . . . ^ # . . # . . . .      1 ms       64 ms
//!   level 1        . . . . ^ # . . . . . # . . . . . . . . . . . .      64 ms      4 s
//!   level 2        . ^ . . . . . . . . . . . . . . . . . . . . . #      4 s        4.4 min
//!   level 3        ^ . . . . . . . . . . . . . . . . . . . . . . .      4.4 min    4.7 h
//!   level 4        ^ . . . . . . . . . . . . . . . . . . . . . . .      4.7 h      12.4 days
//!   level 5        ^ . . # . . . . . . . . . . . . . . . . . . . .      12.4 days  2.2 years
//!                  |     |
//!                  |     `-- # holds a list of timers
//!                  `-------- ^ the digit of `elapsed`: a hand of the watch
//!
//!   overdue   o-o       the deadline had come when the timer was filed: due at the next look
//!   far       o-o-o     another digit above level 5: looked at when the top hand has gone round
//! ```
//!
//! Three facts carry the rest:
//!
//! - **Only slots to the right of a hand are ever filled**, so the lowest level that holds
//!   anything holds the earliest slot, and it is the lowest set bit of that level's occupancy
//!   word. Time jumps from one filled slot to the next; the ticks between cost nothing.
//! - **When a hand reaches a slot above level 0, its timers are filed anew** and land lower down,
//!   at most once a level unless they were moved. No slot holds timers of two different rounds, not
//!   even on the top level, because what lies beyond its round waits in `far`.
//! - **Timers with one deadline always stand in one list, in the order they came**, for where a
//!   timer is filed depends on its deadline and `elapsed` alone. Firing keeps that order.
//!
//! Moving a deadline later is one store: the timer stays where it is filed, and is filed anew
//! when its old slot comes up. A connection that pushes its keep-alive deadline ahead on every
//! request therefore touches no list until the old deadline passes.

mod clock;
mod wheel;

// What the wheel leans on, top down.
mod level;

mod entries;

#[cfg(test)]
mod tests;

pub use clock::{Clock, ManualClock, TICK};
pub use entries::TimerKey;
pub use wheel::Wheel;
