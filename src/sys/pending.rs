//! The two words that a signal handler shares with one listener: what is wanted, what has come.
//!
//! The handler runs beside the listener or in the middle of it, and neither waits for the other;
//! what keeps a signal from being lost is the order of their steps alone:
//!
//! ```text
//!   arrive   is it wanted?      set the bit        write a byte
//!   take     look at the bits   empty the pipe     look again, if a byte was in it
//!   listen   empty the pipe     clear the bits     say what is wanted
//! ```
//!
//! So no bit is left without a byte: whoever empties the pipe looks at the bits after it. A byte
//! may be left without a bit, which wakes a listener for nothing.
//!
//! The pipe is a closure here, and nothing is static, so that loom can try every interleaving of
//! this file (tests/loom). The kernel takes a lock for each read and write of a pipe; so what came
//! before a byte is seen by whoever has read it.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// One row's signals, a bit each.
pub(super) struct Pending {
    /// The signals its listener asked for; no bit while it has none.
    wanted: AtomicU32,
    /// The signals that have come and that the listener has not taken.
    come: AtomicU32,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self {
            wanted: AtomicU32::new(0),
            come: AtomicU32::new(0),
        }
    }

    /// Begins for a new listener, which is given nothing of handlers that have ended before; one
    /// that is late may still leave it a signal. `drain` empties the pipe and tells whether
    /// anything was in it; if it fails, nothing has begun.
    pub(super) fn listen(
        &self,
        wanted: u32,
        drain: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<()> {
        // A handler that is late for the last listener may leave something at any of these steps.
        // Were the pipe emptied last, its bit could be left without its byte, and would hide every
        // later signal of its kind.
        drain()?;
        // A swap, not a store: loom knows one order only of read-modify-writes.
        self.come.swap(0, Ordering::SeqCst);
        self.wanted.store(wanted, Ordering::SeqCst);
        Ok(())
    }

    /// Wants nothing from now on, but for handlers that have looked already.
    pub(super) fn ignore(&self) {
        self.wanted.store(0, Ordering::SeqCst);
    }

    /// Notes a signal, if it is wanted, and has `write` put a byte into the pipe, if none is there
    /// or on its way for the same signal. Async-signal-safe if `write` is.
    pub(super) fn arrive(&self, bit: u32, write: impl FnOnce()) {
        if self.wanted.load(Ordering::SeqCst) & bit == 0 {
            return;
        }
        if self.come.fetch_or(bit, Ordering::SeqCst) & bit == 0 {
            write();
        }
    }

    /// Takes the lowest bit that has come and is wanted. `None` means that the pipe was empty
    /// after the last look, so that the next signal makes it readable.
    pub(super) fn take(&self, drain: impl Fn() -> io::Result<bool>) -> io::Result<Option<u32>> {
        loop {
            if let Some(bit) = self.take_lowest() {
                return Ok(Some(bit));
            }
            // The handler sets the bit before it writes the byte. So after a byte was drained, its
            // bit is there to be seen; and with no byte left, any later bit brings its own.
            if !drain()? {
                return Ok(None);
            }
        }
    }

    fn take_lowest(&self) -> Option<u32> {
        loop {
            // A late handler's bit may be none of this listener's.
            let wanted = self.wanted.load(Ordering::SeqCst);
            let come = self.come.load(Ordering::SeqCst) & wanted;
            let lowest = come & come.wrapping_neg();
            if lowest == 0 {
                return None;
            }
            // Threads that share the listener may be here at once: who clears the bit has it.
            if self.come.fetch_and(!lowest, Ordering::SeqCst) & lowest != 0 {
                return Some(lowest);
            }
        }
    }
}
