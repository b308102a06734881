//! Wakes tasks, and carries no value.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waiters::{Place, Standing, Waiters};
use crate::runtime::wake_quietly;

/// Wakes one waiting task or all of them, as `tokio::sync::Notify`.
///
/// [`notify_one`](Self::notify_one) with nobody waiting is remembered, once,
/// for the next who waits. So whoever looks at a state, and waits if it is
/// not as wished, misses nothing.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::{cell::Cell, rc::Rc};
/// use tourbillon::sync::Notify;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let mailbox = Rc::new((Cell::new(None), Notify::new()));
/// let theirs = Rc::clone(&mailbox);
/// rt.block_on(async {
///     tourbillon::spawn(async move {
///         theirs.0.set(Some("a letter"));
///         theirs.1.notify_one();
///     })
///     .detach();
///     while mailbox.0.take().is_none() {
///         mailbox.1.notified().await;
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Notify {
    has_permit: Cell<bool>,
    /// How often `notify_all` was called.
    rounds: Cell<u64>,
    waiters: Waiters,
}

impl Notify {
    /// Makes a notifier without a permit.
    pub fn new() -> Self {
        Notify::default()
    }

    /// Wakes the task that has waited longest. If none waits, leaves a permit
    /// that lets the next one pass; there is never more than one.
    pub fn notify_one(&self) {
        match self.waiters.choose(usize::MAX) {
            Some((_, waker)) => wake_quietly(waker),
            None => self.has_permit.set(true),
        }
    }

    /// Wakes all who wait, and lets pass all [`Notified`] that were made
    /// before and have not been polled. Leaves no permit.
    pub fn notify_all(&self) {
        self.rounds.set(self.rounds.get().wrapping_add(1));
        self.waiters.release_all();
    }

    /// Waits to be notified; not at all if there is a permit, which is used
    /// up.
    ///
    /// The future counts for [`notify_all`](Self::notify_all) as soon as it is
    /// made, and stands in line for [`notify_one`](Self::notify_one) as soon
    /// as it is polled.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the line. If `notify_one` had chosen it, the
    /// next in line is woken in its place, or the permit is left.
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            made_in: self.rounds.get(),
            place: Place::default(),
        }
    }

    /// Places taken in line.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.waiters.held()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify")
            .field("has_permit", &self.has_permit.get())
            .field("waiting", &self.waiters.len())
            .finish_non_exhaustive()
    }
}

/// The future of [`Notify::notified`]. Once it is ready it may be polled
/// again, and waits anew.
///
/// # Examples
///
/// Made before a look, so that no news comes between the two:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::cell::Cell;
/// use tourbillon::sync::{Notified, Notify};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (is_done, news) = (Cell::new(false), Notify::new());
/// let notified: Notified<'_> = news.notified();
/// if !is_done.get() {
///     is_done.set(true); // as others may, before this waits
///     news.notify_all();
///     notified.await;
/// }
/// # });
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    /// The round of `notify_all` that it has heard already.
    made_in: u64,
    place: Place,
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let notify = self.notify;
        let settle = |standing| match standing {
            Standing::Outside if notify.rounds.get() != self.made_in => Some(()),
            Standing::Outside => notify.has_permit.take().then_some(()),
            Standing::Chosen | Standing::Released => Some(()),
        };
        let polled = notify.waiters.poll(&self.place, 1, cx, settle);
        if polled.is_ready() {
            self.made_in = notify.rounds.get();
        }
        polled
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        if self.notify.waiters.leave(&self.place) == Some(1) {
            self.notify.notify_one();
        }
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified")
            .field("notify", self.notify)
            .finish_non_exhaustive()
    }
}
