//! Signals that futures can await.
//!
//! ```text
//!   SIGTERM ──▶ sys::SignalPipe ──readable──▶ reactor ──▶ Signals::recv().await
//! ```
//!
//! Several listeners, in several runtimes, may wait for the same signal:
//! each of them hears it. Up to 64 live in a process at a time. Signals of
//! one kind that come before anybody looks are one, as in the kernel; so for
//! counting things they are no use. In a child made by fork and not by exec
//! a listener of the parent's is an error.
//!
//! While a signal is listened for it does nothing else; with its last
//! listener, what it did before is put back. Only handlers set up by other
//! code while a listener lives are left alone.

mod signals;
mod dump_on_quit;

pub use crate::sys::Signal;
pub use dump_on_quit::{DumpOnQuit, dump_on_quit};
pub use signals::{Signals, ctrl_c};
