//! What a loop lets others see: where it is, who its tasks are, what has happened.
//!
//! ```text
//!   the loop's thread                      any other thread
//!   Writer ──▶ pulse   one cache line ──▶  the watchdog: does it still turn?
//!          ──▶ slots   64 tasks a chunk ─▶  the dump: who waits for what?
//!          ──▶ ring    64 Ki events ─────▶  Recording ──▶ `export`, the dial
//!          ──▶ names, descriptors, lengths of queues
//!          ◀── gate    between two turns ── whoever studies it
//! ```
//!
//! The loop neither locks nor formats for those who watch, and allocates only where it meets a
//! name, or more tasks or descriptors than ever before: a reader copies, looks whether it was
//! overtaken, and copies again.

mod text;
mod wait;
mod pulse;
mod chunks;
mod slots;
mod fds;
mod gate;
mod event;
mod packed;
mod ring;
mod names;
mod stall;
mod recording;
mod board;
mod writer;
mod facts;
#[cfg(test)]
mod tests;

pub(crate) use board::{Board, Extent};
pub use event::{EndReason, Event, EventKind, GateKind, IoKind, NameId, PollResult};
pub(crate) use facts::{Completed, Handed};
pub(crate) use fds::FdSeen;
pub(crate) use names::cut;
pub(crate) use pulse::{Phase, Runs};
pub use recording::{Level, Recording};
pub(crate) use slots::{SlotState, TaskSeen};
pub use stall::{Frame, Owner, Stall, Verdict};
pub(crate) use text::{escaped, json_string, quoted};
pub use wait::WaitKind;
pub(crate) use wait::{Noted, Wait, set_tracer, take_noted, waits_for, waker_cloned};
pub(crate) use writer::Writer;
