//! Who notices that the loop is stuck: a thread that looks at its pulse, and says what holds it.
//!
//! ```text
//!   the pulse ──▶ rounds: the same odd number for 100 ms? ──▶ the kernel: on CPU? in which call?
//!                                                        └──▶ a sample of the stack ──▶ names
//!   report ◀── tray ◀── verdict ◀────────────────────────────────────────────────────────┘
//!     ├──▶ standard error, and `on_stall`
//!     └──▶ findings, for recordings, dumps and the page
//! ```
//!
//! It lives on threads of its own, for one that lived on the loop would be stuck with it: one
//! looks, and one tells, which may take longer than a nap.

mod watchdog;
mod watched;
mod board;
mod rounds;
mod quota;
mod verdict;
mod symbols;
mod naming;
mod report;
mod findings;
mod teller;
mod tray;
mod guard;
mod thread;
#[cfg(test)]
mod tests;

pub(crate) use findings::{Findings, Found};
pub use report::{Stage, StallReport};
pub(crate) use symbols::Symbols;
pub(crate) use thread::Watching;
pub use watchdog::Watchdog;
pub use watched::Waiting;
