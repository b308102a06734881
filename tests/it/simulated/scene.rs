//! What all of a simulated world shares: the time, the weather, and the record of what happened.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tourbillon::time::ManualClock;

pub(super) struct Scene {
    pub(super) clock: ManualClock,
    now: Cell<u64>,
    is_calm: Cell<bool>,
    is_draining: Cell<bool>,
    log: RefCell<Log>,
}

/// All events in one number, and the last of them in words.
struct Log {
    hash: u64,
    count: u64,
    recent: VecDeque<Event>,
    recent_max: usize,
}

#[derive(Clone, Copy)]
struct Event {
    at: u64,
    whose: usize,
    what: &'static str,
    count: usize,
}

impl Scene {
    /// A scene that can show its last `recent_max` events.
    pub(super) fn new(recent_max: usize) -> Self {
        Scene {
            clock: ManualClock::new(),
            now: Cell::new(0),
            is_calm: Cell::new(false),
            is_draining: Cell::new(false),
            log: RefCell::new(Log {
                hash: 0xCBF2_9CE4_8422_2325,
                count: 0,
                recent: VecDeque::new(),
                recent_max,
            }),
        }
    }

    /// Milliseconds since the world began.
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    pub(super) fn advance(&self, millis: u64) {
        self.now.set(self.now.get() + millis);
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Whether the network has stopped to delay and to cut.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm.get()
    }

    pub(super) fn calm_down(&self) {
        self.is_calm.set(true);
        self.note(0, "the storm is over", 0);
    }

    /// Whether the server was told to stop.
    pub(super) fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    pub(super) fn drain(&self) {
        self.is_draining.set(true);
        self.note(0, "the server is told to stop", 0);
    }

    /// Writes down that something happened to a connection.
    pub(super) fn note(&self, whose: usize, what: &'static str, count: usize) {
        let at = self.now();
        let mut log = self.log.borrow_mut();
        let mut hash = log.hash;
        let words = [at, whose as u64, what.len() as u64, count as u64];
        let first = what.as_bytes().iter().map(|byte| u64::from(*byte));
        for word in words.into_iter().chain(first) {
            hash = (hash ^ word).wrapping_mul(0x0100_0000_01B3).rotate_left(23);
        }
        log.hash = hash;
        log.count += 1;
        if log.recent.len() == log.recent_max {
            log.recent.pop_front();
        }
        log.recent.push_back(Event {
            at,
            whose,
            what,
            count,
        });
    }

    /// All that has happened, as one number.
    pub(super) fn hash(&self) -> u64 {
        self.log.borrow().hash
    }

    pub(super) fn events(&self) -> u64 {
        self.log.borrow().count
    }
}

/// The last events, one a line.
impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.log.borrow().recent {
            let Event {
                at,
                whose,
                what,
                count,
            } = event;
            writeln!(f, "  {at:>7} ms, connection {whose}: {what} ({count})")?;
        }
        Ok(())
    }
}
