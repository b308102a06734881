//! What a loop lets others see: what happened on it, and for how long.
//!
//! ```text
//!   the loop ──▶ ring of events ──▶ Recording ──▶ `export`: what other programs open
//!            └─▶ names, once each ──┘   ▲
//!                        the watchdog ──┘ stalls, with their stacks
//! ```

mod wait;
mod event;
mod packed;
#[cfg_attr(not(test), allow(dead_code))]
mod ring;
#[cfg_attr(not(test), allow(dead_code))]
mod names;
mod stall;
mod recording;
#[cfg(test)]
mod tests;

pub use event::{EndReason, Event, EventKind, GateKind, IoKind, NameId, PollResult};
pub use recording::{Level, Recording};
pub use stall::{Frame, Owner, Stall, Verdict};
pub use wait::WaitKind;
