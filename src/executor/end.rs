//! How a task ends: what becomes of its outcome, and who hears of it.
//!
//! The hard fact: three leave a place, the task, its handle and its number in
//! the ready queue, in any order, and the last of them frees it.

use std::any::Any;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::kept::{Kept, Outcome, kept};
use super::tasks::{Executor, State, Task};
use super::ticket::{GENERATION_MAX, Ticket};
use super::waker::{ticket_in, waker};
use crate::queue::Place;
use crate::watch::{EndReason, WaitKind, waits_for, waker_cloned};

/// What is left of a task, for the caller to wake and to drop: both may run
/// the user's code.
#[must_use = "somebody may wait for this"]
pub(crate) struct Left {
    pub(crate) waiting: Option<Waker>,
    pub(crate) outcome: Option<Outcome>,
}

impl Executor {
    /// Ends a task whose future is gone: its wakers reach nobody from now on.
    /// How it ended is kept for its handle; without one it is what is left.
    #[inline]
    pub(crate) fn retire(&self, ticket: Ticket, outcome: Outcome) -> Left {
        let (slot, generation) = (ticket.slot(), ticket.generation());
        self.alive.set(self.alive.get() - 1);
        self.watched(|watch| watch.ended(slot, reason_of(&outcome)));
        let (next, state) = if generation == GENERATION_MAX {
            (None, State::Retired)
        } else {
            (Some(generation + 1), State::Gone)
        };
        let place = self.tasks.admit(slot, next);
        let task = &place.value;
        task.state.set(state);
        if task.fixed_name.get().is_none() {
            drop(self.extra(slot).name.take());
        }
        let waiting = self.take_waiting(slot, task);
        if !task.is_held.get() {
            self.free_if_left(slot, place);
            let outcome = Some(outcome);
            return Left { waiting, outcome };
        }
        let before = task.kept.replace(Some(kept(outcome)));
        debug_assert!(before.is_none(), "its future is gone");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(before);
        Left {
            waiting,
            outcome: None,
        }
    }

    /// Takes the waker of whoever awaits the task's end.
    #[inline]
    fn take_waiting(&self, slot: u32, task: &Task) -> Option<Waker> {
        match task.waiting.replace(Ticket::NOBODY) {
            Ticket::NOBODY => None,
            Ticket::STRANGER => self.extra(slot).waiting.take(),
            ticket => Some(waker(ticket)),
        }
    }

    /// Gives how a task ended and releases its place, or files whom to wake
    /// when it does. Only for its handle: the place may be another's then.
    #[inline]
    pub(super) fn poll_outcome(&self, ticket: Ticket, cx: &Context<'_>) -> Poll<Box<dyn Any>> {
        let slot = ticket.slot();
        let place = self.tasks.at(slot);
        if place.holds(ticket.generation()) && self.is_awaited(ticket, cx.waker()) {
            return Poll::Pending;
        }
        let Some(ended) = place.value.kept.take() else {
            return Poll::Pending;
        };
        self.let_go(slot, place);
        Poll::Ready(ended.open())
    }

    /// Files whom to wake when the task ends. Whether it lives yet: cloning
    /// and dropping wakers may have ended it.
    #[inline(never)]
    fn is_awaited(&self, ticket: Ticket, waker: &Waker) -> bool {
        let waiting = &self.tasks.at(ticket.slot()).value.waiting;
        match ticket_in(waker) {
            Some(own) if waiting.get() != Ticket::STRANGER => {
                waker_cloned();
                waiting.set(own);
            }
            own => self.file_stranger(ticket, own, waker),
        }
        let lives = self.lives(ticket);
        if lives {
            waits_for(WaitKind::Task, ticket.slot());
        }
        lives
    }

    /// Files a waker that is not ours, or one of ours in the place of such.
    ///
    /// It may run code when it is cloned and when it is dropped, even turn
    /// the loop, and panic: so nothing is filed before the last of that.
    #[cold]
    fn file_stranger(&self, ticket: Ticket, own: Option<Ticket>, waker: &Waker) {
        let task = &self.tasks.at(ticket.slot()).value;
        let filed = &self.extra(ticket.slot()).waiting;
        let before = filed.take();
        if before
            .as_ref()
            .is_some_and(|before| before.will_wake(waker))
        {
            return filed.set(before);
        }
        drop(before);
        let cloned = waker.clone();
        if self.lives(ticket) {
            task.waiting.set(own.unwrap_or(Ticket::STRANGER));
            filed.set(own.is_none().then_some(cloned));
        }
    }

    /// Lets go of the place that was kept for the handle of a task. Gives
    /// who waited, and how the task ended if it has.
    #[inline]
    pub(super) fn release(&self, ticket: Ticket) -> (Option<Waker>, Option<Box<dyn Any>>) {
        let slot = ticket.slot();
        let place = self.tasks.at(slot);
        let has_ended = !place.holds(ticket.generation());
        let ended = has_ended.then(|| place.value.kept.take()).flatten();
        let waiting = self.take_waiting(slot, &place.value);
        self.let_go(slot, place);
        (waiting, ended.map(Kept::open))
    }

    #[inline]
    fn let_go(&self, slot: u32, place: &Place<Task>) {
        place.value.is_held.set(false);
        self.free_if_left(slot, place);
    }
}

fn reason_of(outcome: &Outcome) -> EndReason {
    match outcome {
        Ok(_) => EndReason::Done,
        Err(error) if error.is_panic() => EndReason::Panicked,
        Err(_) => EndReason::Aborted,
    }
}
