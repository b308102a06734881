//! A descriptor kept in reserve for the day the table is full.
//!
//! With no descriptor left, a pending connection can be neither accepted nor
//! refused: it stays in the kernel's queue and its client hangs. Giving the
//! reserve away for a moment lets the loop accept it and close it, so that
//! the client learns at once.

use std::cell::RefCell;
use std::fs::File;
use std::io;

/// An open `/dev/null`, worth one descriptor.
#[derive(Debug)]
pub(super) struct Reserve(RefCell<Option<File>>);

impl Reserve {
    pub(super) fn new() -> Self {
        let reserve = Reserve(RefCell::new(None));
        reserve.refill();
        reserve
    }

    /// Frees the descriptor, runs `accept_and_close`, takes it back.
    pub(super) fn lend(&self, accept_and_close: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        drop(self.0.borrow_mut().take());
        let result = accept_and_close();
        self.refill();
        result
    }

    /// Another thread may have taken the last descriptor meanwhile; then the
    /// reserve stays empty until the next try.
    fn refill(&self) {
        let mut file = self.0.borrow_mut();
        if file.is_none() {
            *file = File::open("/dev/null").ok();
        }
    }
}
