//! Who waits, in the order they came.
//!
//! A place in line is named by an index and by a serial number that is never given out again. So
//! a place that was let go finds nobody, even when another waits in its memory: to let everybody
//! go is to forget them.
//!
//! Wakers may be foreign, and run any code when they are cloned, woken or dropped. Nothing is
//! borrowed then, and what was known before is looked up again after.

use std::cell::{Cell, RefCell};

use std::task::{Context, Poll, Waker, ready};

use slab::Slab;

use crate::runtime::{drop_waker_quietly, try_current, wake_quietly};
use crate::watch::{WaitKind, waits_for};

/// A first-in, first-out line, which one may leave from its middle.
#[derive(Default)]
pub(super) struct Waiters(RefCell<Line>);

#[derive(Default)]
struct Line {
    /// Those in line, and those who were chosen and have not come yet.
    waiters: Slab<Waiter>,
    first: Option<usize>,
    last: Option<usize>,
    len: usize,
    /// How often somebody lined up: once a nanosecond, it lasts for 580 years.
    serial: u64,
}

struct Waiter {
    serial: u64,
    /// How much it waits for, where that matters.
    wants: usize,
    /// `None` once it is chosen; it stands in line no more.
    waker: Option<Waker>,
    before: Option<usize>,
    after: Option<usize>,
}

/// Somebody's place in one line, if they have one. To be given up by [`Waiters::leave`].
#[derive(Default)]
pub(super) struct Place(Cell<Option<Key>>);

#[derive(Clone, Copy)]
struct Key {
    index: usize,
    serial: u64,
}

/// How somebody stands who does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Never lined up.
    Outside,
    /// By [`Waiters::choose`]: what it was chosen for is its own now.
    Chosen,
    /// By [`Waiters::release_all`].
    Released,
}

impl Waiters {
    /// Asks `settle` whether the wait is over, and lines up if not. It is
    /// asked of those who do not wait, and must settle what is chosen or
    /// released: the place is empty by then.
    pub(super) fn poll<T>(
        &self,
        place: &Place,
        wants: usize,
        cx: &Context<'_>,
        settle: impl Fn(Standing) -> Option<T>,
    ) -> Poll<T> {
        let polled = budgeted(cx, || {
            if let Some(seen) = self.look(place, cx.waker(), &settle) {
                return seen;
            }
            let waker = cx.waker().clone();
            if let Some(seen) = self.look(place, cx.waker(), &settle) {
                // What was settled, a permit maybe, is nobody's if this unwinds.
                drop_waker_quietly(waker);
                return seen;
            }
            let replaced = self.0.borrow_mut().line_up(place, wants, waker);
            drop(replaced);
            Poll::Pending
        });
        if polled.is_pending() {
            waits_for(WaitKind::Notify, 0);
        }
        polled
    }

    /// `None` if the waker has to be stored.
    fn look<T>(
        &self,
        place: &Place,
        waker: &Waker,
        settle: impl Fn(Standing) -> Option<T>,
    ) -> Option<Poll<T>> {
        let standing = match place.0.get() {
            None => Standing::Outside,
            Some(key) => {
                let mut line = self.0.borrow_mut();
                match line.find(key).map(|waiter| &waiter.waker) {
                    Some(Some(waiting)) => {
                        return waiting.will_wake(waker).then_some(Poll::Pending);
                    }
                    Some(None) => {
                        line.waiters.remove(key.index);
                        Standing::Chosen
                    }
                    None => Standing::Released,
                }
            }
        };
        place.0.set(None);
        settle(standing).map(Poll::Ready)
    }

    /// Chooses the first in line, if it wants no more than `offer`, and says
    /// what it wants. Whoever calls this wakes it.
    pub(super) fn choose(&self, offer: usize) -> Option<(usize, Waker)> {
        self.0.borrow_mut().choose(offer)
    }

    /// Lets everybody go who is in line, first come, first woken.
    pub(super) fn release_all(&self) {
        // All have left before the first is woken, who may do anything.
        let mut wakers = Vec::new();
        self.release_into(&mut wakers);
        wakers.into_iter().for_each(wake_quietly);
    }

    /// The same, but whoever calls this wakes them: it has more to let go
    /// before the first may do anything.
    pub(super) fn release_into(&self, wakers: &mut Vec<Waker>) {
        self.0.borrow_mut().release_into(wakers);
    }

    /// Gives a place up, if there is one. Returns what it leaves to the next
    /// in line: nothing if it was in line itself, all it wanted if chosen.
    pub(super) fn leave(&self, place: &Place) -> Option<usize> {
        let key = place.0.take()?;
        let waiter = self.0.borrow_mut().leave(key)?;
        let Some(waker) = waiter.waker else {
            return Some(waiter.wants);
        };
        drop_waker_quietly(waker);
        Some(0)
    }

    /// How many are in line.
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len
    }

    /// The same, and those who were chosen and have not come yet.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.0.borrow().waiters.len()
    }
}

impl Line {
    fn find(&self, key: Key) -> Option<&Waiter> {
        let waiter = self.waiters.get(key.index)?;
        (waiter.serial == key.serial).then_some(waiter)
    }

    /// Takes the last place, or keeps that which `place` names. Returns the
    /// waker that was stored there.
    fn line_up(&mut self, place: &Place, wants: usize, waker: Waker) -> Option<Waker> {
        if let Some(key) = place.0.get() {
            return self.waiters[key.index].waker.replace(waker);
        }
        let serial = self.serial;
        self.serial += 1;
        let index = self.waiters.insert(Waiter {
            serial,
            wants,
            waker: Some(waker),
            before: self.last,
            after: None,
        });
        match self.last.replace(index) {
            None => self.first = Some(index),
            Some(before) => self.waiters[before].after = Some(index),
        }
        self.len += 1;
        place.0.set(Some(Key { index, serial }));
        None
    }

    fn choose(&mut self, offer: usize) -> Option<(usize, Waker)> {
        let first = self.first?;
        let wants = self.waiters[first].wants;
        if wants > offer {
            return None;
        }
        self.unlink(first);
        Some((wants, self.waiters[first].waker.take()?))
    }

    fn release_into(&mut self, wakers: &mut Vec<Waker>) {
        wakers.reserve(self.len);
        while let Some(first) = self.first {
            self.unlink(first);
            wakers.extend(self.waiters.remove(first).waker);
        }
    }

    fn leave(&mut self, key: Key) -> Option<Waiter> {
        let in_line = self.find(key)?.waker.is_some();
        if in_line {
            self.unlink(key.index);
        }
        Some(self.waiters.remove(key.index))
    }

    fn unlink(&mut self, index: usize) {
        let (before, after) = (self.waiters[index].before, self.waiters[index].after);
        match before {
            None => self.first = after,
            Some(before) => self.waiters[before].after = after,
        }
        match after {
            None => self.last = before,
            Some(after) => self.waiters[after].before = before,
        }
        self.len -= 1;
    }
}

/// A place in a line where everybody is let go, never one alone: so whoever
/// gives up has nothing to pass on.
pub(super) struct Visit<'a> {
    waiters: &'a Waiters,
    place: Place,
}

impl<'a> Visit<'a> {
    pub(super) fn new(waiters: &'a Waiters) -> Self {
        let place = Place::default();
        Visit { waiters, place }
    }

    /// See [`Waiters::poll`].
    pub(super) fn poll<T>(
        &self,
        cx: &Context<'_>,
        settle: impl Fn(Standing) -> Option<T>,
    ) -> Poll<T> {
        self.waiters.poll(&self.place, 0, cx, settle)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.waiters.leave(&self.place);
    }
}

/// Polls at the cost of one operation, if it gets somewhere: two tasks that
/// always have something for each other must let the loop ask the kernel.
pub(super) fn budgeted<T>(cx: &Context<'_>, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
    let Some(parts) = try_current() else {
        return poll();
    };
    ready!(parts.poll_budget(cx));
    let polled = poll();
    if polled.is_ready() {
        parts.spend();
    }
    polled
}
