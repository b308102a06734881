//! A sleep that may be moved between threads, for traits that demand it.
//!
//! The hard fact: it holds numbers and nothing of the runtime's, so it finds
//! its timer again only where that runtime is entered. Dropped elsewhere, it
//! leaves a timer behind that wakes its task once for nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use super::current::{current, try_current};
use super::parts::{Due, Parts};
use crate::time::TimerKey;
use crate::watch::{WaitKind, waits_for};

/// Waits until `deadline` by the clock of the runtime that polls it.
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub(crate) struct LooseSleep {
    deadline: Instant,
    /// What the wheel of the runtime with this number was told.
    timer: Option<(u16, TimerKey)>,
}

impl LooseSleep {
    pub(crate) fn until(deadline: Instant) -> Self {
        LooseSleep {
            deadline,
            timer: None,
        }
    }

    pub(crate) fn reset(&mut self, deadline: Instant) {
        self.cancel();
        self.deadline = deadline;
    }

    fn cancel(&mut self) {
        let Some((number, key)) = self.timer.take() else {
            return;
        };
        let parts = try_current().filter(|parts| parts.registration.number() == number);
        let due = parts.and_then(|parts| parts.wheel.borrow_mut().cancel(key));
        // With the wheel released: a foreign waker may run code.
        drop(due);
    }
}

impl Parts {
    fn file(&self, deadline: Instant, cx: &Context<'_>) -> (u16, TimerKey) {
        let due = Due::Wake(cx.waker().clone());
        let key = self.insert_timer(self.clock.tick_for(deadline), due);
        (self.registration.number(), key)
    }
}

impl Future for LooseSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.cancel();
        let parts = current();
        if self.deadline <= parts.now() {
            return Poll::Ready(());
        }
        self.timer = Some(parts.file(self.deadline, cx));
        waits_for(WaitKind::Timer, parts.clock.tick_for(self.deadline) as u32);
        Poll::Pending
    }
}

impl Drop for LooseSleep {
    fn drop(&mut self) {
        self.cancel();
    }
}
