//! A flag that tasks can wait for.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;

use super::waiters::{Standing, Visit, Waiters};

/// A flag that is set and cleared by hand, and that tasks wait for, as
/// `asyncio.Event`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::rc::Rc;
/// use tourbillon::sync::Event;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let started = Rc::new(Event::new());
/// let waiting = Rc::clone(&started);
/// rt.block_on(async {
///     let task = tourbillon::spawn(async move { waiting.wait().await });
///     started.set();
///     task.await.unwrap();
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Event {
    is_set: Cell<bool>,
    waiters: Waiters,
}

impl Event {
    /// Makes an event that is not set.
    pub fn new() -> Self {
        Event::default()
    }

    /// Sets the flag and wakes everybody who waits for it. They go on even if
    /// it is cleared before they are polled.
    pub fn set(&self) {
        self.is_set.set(true);
        self.waiters.release_all();
    }

    /// Clears the flag: whoever waits from now on waits for the next
    /// [`set`](Self::set).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::sync::Event;
    /// let may_run = Event::new();
    /// may_run.set();
    /// may_run.clear(); // a pause, until it is set again
    /// assert!(!may_run.is_set());
    /// ```
    pub fn clear(&self) {
        self.is_set.set(false);
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        self.is_set.get()
    }

    /// Waits until the flag is set; not at all if it is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the line, and has no other effect.
    pub async fn wait(&self) {
        let visit = Visit::new(&self.waiters);
        poll_fn(|cx| {
            visit.poll(cx, |standing| match standing {
                Standing::Outside => self.is_set().then_some(()),
                Standing::Chosen | Standing::Released => Some(()),
            })
        })
        .await;
    }

    /// Places taken in line.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.waiters.held()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("is_set", &self.is_set())
            .field("waiting", &self.waiters.len())
            .finish()
    }
}
