//! Signals that futures can await.
//!
//! ```text
//!   SIGTERM ──▶ sys::SignalPipe ──readable──▶ reactor ──▶ Signals::recv().await
//! ```
//!
//! Several listeners, in several runtimes, may wait for the same signal:
//! each of them hears it.

mod signals;

pub use crate::sys::Signal;
pub use signals::Signals;
