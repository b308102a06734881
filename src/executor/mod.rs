//! Polls futures.
//!
//! The life of a task, from `spawn` to the value in its join handle:
//!
//! ```text
//!            spawn                 check_out              Ready
//!   future ────────▶ idle+queued ───────────▶ running ───────────▶ retired
//!                      ▲    ▲                   │  │                  │
//!                 wake │    └──── woken while ──┘  │ Pending          ▼
//!                      │          running          ▼             slot is free,
//!                    idle ◀────────────────── check_in           generation + 1
//! ```
//!
//! The executor owns the futures and nobody else does: a [`Waker`] is an
//! integer ([`ticket`]), so it cannot keep a future alive, cannot dangle, and
//! can be cloned, dropped and leaked on any thread. It never polls by
//! itself: `runtime/turn.rs` checks a future out of its slot, polls it with
//! nothing borrowed, and checks it in again.
//!
//! [`Waker`]: std::task::Waker

mod ticket;
mod waker;
mod info;
mod kept;
mod tasks;
mod end;
mod look;
mod join;

pub use info::{TaskId, TaskInfo, TaskState};
pub(crate) use join::panic_text;
pub use join::{CancelOnDrop, JoinError, JoinHandle};
pub(crate) use kept::{Outcome, TaskFuture};
pub(crate) use tasks::{CheckedOut, Executor, Name, Seat};
pub(crate) use ticket::Ticket;
pub(crate) use waker::{Entered, Registration, enter, register, waker};

#[cfg(test)]
mod tests;
