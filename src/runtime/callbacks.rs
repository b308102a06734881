//! Closures that wait to be called, in order.
//!
//! The hard fact: a callback that waits for a timer may be cancelled until it
//! is called, so also when it is due and stands in line with a hundred thousand
//! others, and then none of them may search the line. So it has a place that it
//! keeps: the wheel and the line hold no more than the number of that place,
//! and whoever finds it empty, or taken by a later timer, goes on.

use std::collections::VecDeque;
use std::panic::Location;

use slab::Slab;

use crate::time::TimerKey;
use crate::watch::Completed;

/// A closure that the loop calls once, and where it was handed in.
pub(super) struct Callback {
    pub(super) call: Box<dyn FnOnce()>,
    pub(super) place: &'static Location<'static>,
    pub(super) kind: CallbackKind,
}

/// What a callback is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallbackKind {
    Plain,
    /// It tells how a job ended, and is called even when the runtime ends.
    Completion(Completed),
}

impl CallbackKind {
    /// The job whose end it tells, as those who watch want it.
    pub(super) fn completed(self) -> Option<Completed> {
        match self {
            CallbackKind::Plain => None,
            CallbackKind::Completion(completed) => Some(completed),
        }
    }
}

/// Those in line, first in, first out; and those that wait for their time.
#[derive(Default)]
pub(super) struct Callbacks {
    line: VecDeque<InLine>,
    timed: Slab<Timed>,
}

enum InLine {
    Now(Callback),
    /// One that has waited for this timer, in its place.
    Due(u32, TimerKey),
}

struct Timed {
    timer: TimerKey,
    callback: Callback,
}

impl Callbacks {
    pub(super) fn push(&mut self, callback: Callback) {
        self.line.push_back(InLine::Now(callback));
    }

    /// Stores a callback that waits for a timer: `file` is told its place, and
    /// says which timer.
    pub(super) fn insert(
        &mut self,
        callback: Callback,
        file: impl FnOnce(u32) -> TimerKey,
    ) -> (u32, TimerKey) {
        let entry = self.timed.vacant_entry();
        let place = u32::try_from(entry.key()).expect("2^32 callbacks fit into no memory");
        let timer = file(place);
        entry.insert(Timed { timer, callback });
        (place, timer)
    }

    /// Puts one that has waited for its time in line.
    pub(super) fn push_due(&mut self, place: u32) {
        if let Some(timed) = self.timed.get(place as usize) {
            self.line.push_back(InLine::Due(place, timed.timer));
        }
    }

    /// Takes out the first in line; `Some(None)` is one that was cancelled.
    pub(super) fn pop(&mut self) -> Option<Option<Callback>> {
        Some(match self.line.pop_front()? {
            InLine::Now(callback) => Some(callback),
            InLine::Due(place, timer) => self.take(place, timer),
        })
    }

    /// Takes out the one that waits, or has waited, for this timer.
    pub(super) fn take(&mut self, place: u32, timer: TimerKey) -> Option<Callback> {
        let place = place as usize;
        if self.timed.get(place)?.timer != timer {
            return None;
        }
        Some(self.timed.remove(place).callback)
    }

    /// How many are in line, the cancelled among them.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Takes out all that are left, also those that wait for their time.
    pub(super) fn take_all(&mut self) -> Vec<Callback> {
        let mut all = Vec::with_capacity(self.line.len() + self.timed.len());
        while let Some(next) = self.pop() {
            all.extend(next);
        }
        all.extend(self.timed.drain().map(|timed| timed.callback));
        all
    }
}
