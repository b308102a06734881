//! What pages have asked to be kept, and who looks: it is let go when nobody does any more.
//!
//! A page that pauses the loop may be closed, or its machine fall asleep, and a program is not to
//! stand still for that. What was asked for without a page stays until it is taken back: a script
//! may pause and step for as long as it likes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::runtime::{Watcher, sleep, spawn};
use crate::watch::Recording;

/// A page that is loaded anew is back sooner.
const LEFT_FOR: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The gate as pages have it, the frozen recording, and the pages.
pub(super) struct Hold {
    watcher: Watcher,
    viewers: Cell<usize>,
    /// Whether a page has looked since something is held, however shortly.
    was_seen: Cell<bool>,
    /// Whether the gate is closed, and by a page or a script.
    holds_gate: Cell<bool>,
    /// The recording as it was when somebody said so.
    frozen: RefCell<Option<Arc<Recording>>>,
    /// Whether a task sees to it that this ends.
    is_seen_to: Cell<bool>,
}

impl Hold {
    pub(super) fn new(watcher: Watcher) -> Rc<Self> {
        Rc::new(Hold {
            watcher,
            viewers: Cell::new(0),
            was_seen: Cell::new(false),
            holds_gate: Cell::new(false),
            frozen: RefCell::default(),
            is_seen_to: Cell::new(false),
        })
    }

    pub(super) fn pause(self: &Rc<Self>) {
        self.watcher.pause();
        self.see_to(true);
    }

    pub(super) fn step(self: &Rc<Self>) {
        self.watcher.step();
        self.see_to(true);
    }

    pub(super) fn slow(self: &Rc<Self>, delay: Duration) {
        self.watcher.slow(delay);
        self.see_to(true);
    }

    pub(super) fn go(&self) {
        self.watcher.go();
        self.holds_gate.set(false);
    }

    pub(super) fn freeze(self: &Rc<Self>, recording: Recording) {
        *self.frozen.borrow_mut() = Some(Arc::new(recording));
        self.see_to(false);
    }

    pub(super) fn thaw(&self) {
        *self.frozen.borrow_mut() = None;
    }

    pub(super) fn frozen(&self) -> Option<Arc<Recording>> {
        self.frozen.borrow().clone()
    }

    pub(super) fn viewers(&self) -> usize {
        self.viewers.get()
    }

    /// One page more, until what this returns is dropped.
    pub(super) fn viewer(self: &Rc<Self>) -> Viewer {
        self.viewers.set(self.viewers.get() + 1);
        self.was_seen.set(true);
        Viewer(Rc::clone(self))
    }

    /// Has a task look whether anybody still looks, while anything is held.
    fn see_to(self: &Rc<Self>, holds_gate: bool) {
        self.holds_gate.set(holds_gate || self.holds_gate.get());
        if self.is_seen_to.replace(true) {
            return;
        }
        self.was_seen.set(self.viewers.get() > 0);
        let hold = Rc::clone(self);
        spawn(async move {
            let mut left: Option<Instant> = None;
            while hold.holds_gate.get() || hold.frozen.borrow().is_some() {
                left = match hold.viewers.get() {
                    0 if hold.was_seen.get() => left.or_else(|| Some(Instant::now())),
                    _ => None,
                };
                if left.is_some_and(|left| left.elapsed() >= LEFT_FOR) {
                    hold.let_go();
                }
                sleep(LOOK_EVERY).await;
            }
            hold.is_seen_to.set(false);
        })
        .detach();
    }

    fn let_go(&self) {
        self.thaw();
        if self.holds_gate.get() {
            log::warn!("the page that held the loop is gone: the dial lets the loop go");
            self.go();
        }
    }
}

/// A page that looks.
pub(super) struct Viewer(Rc<Hold>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.set(self.0.viewers.get() - 1);
    }
}
