//! Asks the kernel who is ready.
//!
//! ```text
//!   poll_ready(key, cx) ──▶ ready bit set? ──yes──▶ try the system call
//!          ▲                     │ no                    │
//!          │                     ▼                       ▼ would block, or short
//!      waker wakes ◀── park ◀── waker stored        clear_ready(key)
//! ```
//!
//! Readiness is edge-triggered and remembered: a bit set by an event stays
//! until an operation finds the socket drained. So a socket known to be
//! empty costs no system call, and one known to be full of data costs no
//! visit to the kernel's poll. The reactor marks and collects; it never calls
//! a waker. `runtime/turn.rs` does that when nothing here is borrowed.

mod reactor;
mod fd;
mod interest;
mod reserve;
mod source;
mod token;

pub(crate) use fd::{EventSource, FdSource};
pub use interest::{Interest, Ready};

pub(crate) use reactor::Reactor;
pub use source::PeerState;
pub(crate) use source::{Direction, Source};

#[cfg(test)]
mod tests;
