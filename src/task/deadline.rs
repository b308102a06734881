//! A limit that can be moved while what it limits runs.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

use crate::runtime::{Elapsed, sleep, sleep_until, wake_quietly};

/// A time limit that can be moved, also by what it limits: asyncio's
/// `timeout().reschedule()`. For a limit that stays see
/// [`timeout`](crate::timeout).
///
/// Clones share the deadline.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::task::Deadline;
/// use tourbillon::{Runtime, sleep, time::ManualClock};
///
/// let time = ManualClock::new();
/// let mut rt = Runtime::builder().manual_clock(&time).auto_advance(true).build()?;
/// rt.block_on(async {
///     let deadline = Deadline::after(Duration::from_secs(10));
///     let progress = deadline.clone();
///     let download = async move {
///         for _part in 0..5 {
///             sleep(Duration::from_secs(9)).await;
///             progress.reset_after(Duration::from_secs(10));
///         }
///     };
///     assert!(deadline.limit(download).await.is_ok());
///     assert!(deadline.limit(sleep(Duration::from_secs(60))).await.is_err());
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Deadline(Rc<Shared>);

struct Shared {
    /// `None` is later than any instant.
    at: Cell<Option<Instant>>,
    /// Whom to wake when it is moved closer; and how often that was done, as
    /// all keys are stale then.
    limiting: RefCell<Slab<Waker>>,
    round: Cell<u64>,
}

impl Deadline {
    /// A deadline `delay` from now.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn after(delay: Duration) -> Self {
        Self::new(sleep(delay).deadline())
    }

    /// A deadline at a point in time.
    pub fn at(deadline: Instant) -> Self {
        Self::new(Some(deadline))
    }

    fn new(at: Option<Instant>) -> Self {
        Deadline(Rc::new(Shared {
            at: Cell::new(at),
            limiting: RefCell::default(),
            round: Cell::new(0),
        }))
    }

    /// The point in time, if an `Instant` can name it.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.at.get()
    }

    /// Moves it to another point in time. To a later one that is a store; to
    /// a sooner one it wakes the tasks that are limited by it.
    ///
    /// # Examples
    ///
    /// Sooner than it was, by somebody else:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{spawn, task::Deadline};
    /// use std::time::{Duration, Instant};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let tonight = Instant::now() + Duration::from_secs(36_000);
    /// let deadline = Deadline::at(tonight);
    /// assert_eq!(deadline.deadline(), Some(tonight));
    /// let impatient = deadline.clone();
    /// spawn(async move { impatient.reset(Instant::now()) }).detach();
    /// assert!(deadline.limit(std::future::pending::<()>()).await.is_err());
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(&self, deadline: Instant) {
        self.move_to(Some(deadline));
    }

    /// Moves it to `delay` from now.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn reset_after(&self, delay: Duration) {
        self.move_to(sleep(delay).deadline());
    }

    fn move_to(&self, then: Option<Instant>) {
        let before = self.0.at.replace(then);
        let is_sooner = match (then, before) {
            (Some(then), Some(before)) => then < before,
            (then, None) => then.is_some(),
            (None, Some(_)) => false,
        };
        if is_sooner {
            let limiting = self.0.limiting.take();
            self.0.round.set(self.0.round.get() + 1);
            limiting
                .into_iter()
                .for_each(|(_, waker)| wake_quietly(waker));
        }
    }

    /// Awaits `future`, but gives up at the deadline, wherever that is by
    /// then. The future is polled first, so one that is ready in time wins.
    ///
    /// # Errors
    ///
    /// [`Elapsed`] if the time ran out; the future has been dropped by then.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops `future`; the deadline can be used again.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on the thread that polls it.
    pub async fn limit<F: Future>(&self, future: F) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let mut watch = Watch {
            shared: &self.0,
            key: None,
        };
        let mut timer = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            watch.store(cx);
            let Some(deadline) = self.0.at.get() else {
                timer = None;
                return Poll::Pending;
            };
            let timer = timer.get_or_insert_with(|| sleep_until(deadline));
            timer.reset(deadline);
            Pin::new(timer).poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }
}

/// One future's place among those that a deadline limits.
struct Watch<'a> {
    shared: &'a Shared,
    /// Its key, in this round.
    key: Option<(usize, u64)>,
}

impl Watch<'_> {
    /// Sees to it that this task is woken when the deadline comes closer.
    fn store(&mut self, cx: &Context<'_>) {
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        let limiting = self.shared.limiting.borrow();
        let known = self.key().and_then(|key| limiting.get(key));
        if known.is_some_and(is_known) {
            return;
        }
        drop(limiting);
        // A foreign waker may run code when it is cloned or dropped.
        let waker = cx.waker().clone();
        let before = self.leave();
        let key = self.shared.limiting.borrow_mut().insert(waker);
        self.key = Some((key, self.shared.round.get()));
        drop(before);
    }

    fn key(&self) -> Option<usize> {
        let (key, round) = self.key?;
        (round == self.shared.round.get()).then_some(key)
    }

    fn leave(&mut self) -> Option<Waker> {
        let key = self.key()?;
        self.key = None;
        self.shared.limiting.borrow_mut().try_remove(key)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Deadline").field(&self.deadline()).finish()
    }
}
