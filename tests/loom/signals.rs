//! Signals: none is lost, whatever the handler and its listener find each other doing.
//!
//! A handler is another thread here. A real one may run on its listener's own thread, where it ends
//! before the listener goes on, and sees its steps in their order: that is one of the interleavings
//! tried, so these are strictly more. The pipe is a count under a lock, since the kernel has one.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use loom::model;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

use crate::pending::Pending;

const ONE: u32 = 1 << 2;
const OTHER: u32 = 1 << 15;

/// The row of the handler's table that a model is about.
struct Row {
    pending: Pending,
    is_open: AtomicBool,
    bytes: Mutex<usize>,
    condvar: Condvar,
}

impl Row {
    fn new() -> Arc<Self> {
        Arc::new(Row {
            pending: Pending::new(),
            is_open: AtomicBool::new(false),
            bytes: Mutex::new(0),
            condvar: Condvar::new(),
        })
    }

    /// As a listener begins: the pipe is there before anything is wanted.
    fn listen(&self, wanted: u32) {
        self.is_open.store(true, Ordering::Release);
        self.pending.listen(wanted, || self.drain()).unwrap();
    }

    /// The handler; says whether it has written.
    fn arrive(&self, bit: u32) -> bool {
        let has_written = Cell::new(false);
        self.pending.arrive(bit, || {
            // As OnceLock::get looks.
            assert!(self.is_open.load(Ordering::Acquire), "no pipe to write to");
            *self.bytes.lock().unwrap() += 1;
            self.condvar.notify_all();
            has_written.set(true);
        });
        has_written.get()
    }

    fn arrives(self: &Arc<Self>, bit: u32) -> JoinHandle<bool> {
        let row = Arc::clone(self);
        thread::spawn(move || row.arrive(bit))
    }

    fn drain(&self) -> io::Result<bool> {
        Ok(std::mem::take(&mut *self.bytes.lock().unwrap()) > 0)
    }

    fn read(&self) -> Option<u32> {
        self.pending.take(|| self.drain()).unwrap()
    }

    fn sleep_until_readable(&self) {
        let mut bytes = self.bytes.lock().unwrap();
        while *bytes == 0 {
            bytes = self.condvar.wait(bytes).unwrap();
        }
    }

    /// Reads until there is something, and sleeps while there is not.
    fn wait(&self) -> u32 {
        loop {
            if let Some(bit) = self.read() {
                return bit;
            }
            self.sleep_until_readable();
        }
    }
}

/// A lost one would be a listener that sleeps for ever: loom calls that a deadlock.
#[test]
fn two_signals_at_once_are_both_read() {
    model(|| {
        let row = Row::new();
        row.listen(ONE | OTHER);
        let handlers = [ONE, OTHER].map(|bit| row.arrives(bit));
        assert_eq!(row.wait() | row.wait(), ONE | OTHER);
        for handler in handlers {
            handler.join().unwrap();
        }
        assert_eq!(row.read(), None);
    });
}

/// The second is sent when the first was read, and another thread is at it all the while.
#[test]
fn a_signal_that_comes_again_is_read_again() {
    model(|| {
        let row = Row::new();
        row.listen(ONE);
        let beside = row.arrives(ONE);
        assert_eq!(row.wait(), ONE);
        let again = row.arrives(ONE);
        assert_eq!(row.wait(), ONE);
        beside.join().unwrap();
        again.join().unwrap();
        // The one beside may have come last of all, and nothing after it.
        let _ = row.read();
        assert_eq!(row.read(), None);
    });
}

/// What is pending once every handler has ended has its byte, or a sleeper would miss it.
#[test]
fn no_bit_is_left_without_a_byte() {
    model(|| {
        let row = Row::new();
        row.listen(ONE | OTHER);
        let handlers = [ONE, ONE].map(|bit| row.arrives(bit));
        while row.read().is_some() {}
        for handler in handlers {
            handler.join().unwrap();
        }
        let is_readable = *row.bytes.lock().unwrap() > 0;
        assert!(row.read().is_none() || is_readable);
    });
}

#[test]
fn threads_that_share_a_listener_share_no_signal() {
    model(|| {
        let row = Row::new();
        row.listen(ONE);
        let handler = row.arrives(ONE);
        let beside = Arc::clone(&row);
        let reader = thread::spawn(move || beside.read());
        let here = row.read();
        handler.join().unwrap();
        let readers = [here, reader.join().unwrap(), row.read()];
        assert_eq!(readers.iter().flatten().count(), 1, "{readers:?}");
    });
}

/// The handler was there for other listeners: from when it finds this one, its signals are heard.
#[test]
fn a_new_listener_gets_what_found_it() {
    model(|| {
        let row = Row::new();
        let handler = row.arrives(ONE);
        row.listen(ONE);
        if handler.join().unwrap() {
            assert_eq!(row.read(), Some(ONE));
        }
        assert_eq!(row.read(), None);
    });
}

/// It was called for the last listener, and may be before, between or behind any steps of the next.
#[test]
fn a_late_handler_hides_no_signal_from_the_next_listener() {
    model(|| {
        let row = Row::new();
        row.listen(ONE);
        let late = row.arrives(ONE);
        row.pending.ignore();
        assert!(!row.arrive(ONE), "nobody wants it");
        row.listen(ONE);
        row.arrive(ONE);
        row.sleep_until_readable();
        assert_eq!(row.wait(), ONE);
        late.join().unwrap();
    });
}

#[test]
fn a_late_handler_gives_the_next_listener_only_what_it_wants() {
    model(|| {
        let row = Row::new();
        row.listen(ONE);
        let late = row.arrives(ONE);
        row.pending.ignore();
        row.listen(OTHER);
        assert_eq!(row.read(), None);
        row.arrive(OTHER);
        row.sleep_until_readable();
        assert_eq!(row.wait(), OTHER);
        late.join().unwrap();
        assert_eq!(row.read(), None);
    });
}

/// A handler that has ended before is not late.
#[test]
fn what_came_before_a_listener_is_not_given_to_it() {
    model(|| {
        let row = Row::new();
        row.listen(ONE);
        let has_ended = Arc::new(AtomicBool::new(false));
        let (beside, ends) = (Arc::clone(&row), Arc::clone(&has_ended));
        let handler = thread::spawn(move || {
            beside.arrive(ONE);
            ends.store(true, Ordering::Release);
        });
        row.pending.ignore();
        let is_before = has_ended.load(Ordering::Acquire);
        row.listen(ONE);
        let is_readable = *row.bytes.lock().unwrap() > 0;
        let read = row.read();
        assert!(!is_before || (!is_readable && read.is_none()));
        handler.join().unwrap();
    });
}
