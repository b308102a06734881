//! Waiting for a point in time, and giving up at one.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::current::current;
use super::parts::{Due, Parts};
use crate::time::TimerKey;
use crate::watch::{WaitKind, waits_for};

/// Waits until `delay` has passed.
///
/// Never ends early; late by up to two milliseconds (the wheel's tick and the
/// kernel's rounding), plus what the loop was busy with.
///
/// # Cancellation
///
/// Dropping it takes the timer out of the wheel, in constant time.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::{Duration, Instant};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let began = Instant::now();
/// tourbillon::sleep(Duration::from_millis(2)).await;
/// assert!(began.elapsed() >= Duration::from_millis(2));
/// # });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn sleep(delay: Duration) -> Sleep {
    let parts = current();
    let deadline = parts.read_clock().checked_add(delay);
    Sleep::new(parts, deadline)
}

/// Waits until the clock has passed `deadline`. One that has passed already
/// ends at once.
///
/// # Cancellation
///
/// Dropping it takes the timer out of the wheel, in constant time.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// Several steps, all until the same time:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::{Duration, Instant};
/// use tourbillon::{sleep_until, spawn};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let then = Instant::now() + Duration::from_millis(2);
/// let other = spawn(sleep_until(then));
/// sleep_until(then).await;
/// other.await.unwrap();
/// assert!(Instant::now() >= then);
/// # });
/// # Ok(())
/// # }
/// ```
#[inline]
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(current(), Some(deadline))
}

/// The future of [`sleep`] and [`sleep_until`]. Its deadline can be moved.
///
/// # Examples
///
/// Pushed back by whatever happens meanwhile:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::{Duration, Instant};
/// use tourbillon::{Sleep, sleep};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let mut idle: Sleep = sleep(Duration::from_millis(1));
/// let later = Instant::now() + Duration::from_millis(3);
/// idle.reset(later);
/// assert_eq!(idle.deadline(), Some(later));
/// (&mut idle).await;
/// assert!(Instant::now() >= later);
/// # });
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Sleep {
    parts: Rc<Parts>,
    /// `None` is later than any instant.
    deadline: Option<Instant>,
    /// What the wheel was told, and the deadline it was told: never later
    /// than `deadline`, or the wheel would be too late.
    timer: Option<(TimerKey, Option<Instant>)>,
    /// The tick of that, for those who ask what is waited for.
    filed_tick: u32,
}

impl Sleep {
    pub(crate) fn new(parts: Rc<Parts>, deadline: Option<Instant>) -> Self {
        Sleep {
            parts,
            deadline,
            timer: None,
            filed_tick: 0,
        }
    }

    /// The point in time it waits for, if an `Instant` can name it.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits for `deadline` from now on.
    ///
    /// To a later one this is a store: when the old deadline comes, the task
    /// is polled once and the sleep files itself anew. So a timeout that is
    /// pushed back with every message costs next to nothing. Does not wake
    /// anybody: whoever moves a deadline before now should await the sleep
    /// again.
    #[inline]
    pub fn reset(&mut self, deadline: Instant) {
        self.reset_to(Some(deadline));
    }

    /// The same; `None` is later than any instant.
    #[inline]
    pub(crate) fn reset_to(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        if let Some((key, filed)) = self.timer
            && is_before(deadline, filed)
        {
            let tick = self.tick();
            self.parts.move_timer(key, tick);
            self.timer = Some((key, deadline));
            self.filed_tick = tick as u32;
        }
    }

    fn tick(&self) -> u64 {
        self.deadline
            .map_or(u64::MAX, |at| self.parts.clock.tick_for(at))
    }

    /// The runtime it belongs to.
    #[inline]
    pub(crate) fn parts(&self) -> &Rc<Parts> {
        &self.parts
    }

    /// The time by the runtime it belongs to.
    pub(super) fn now(&self) -> Instant {
        self.parts.now()
    }

    /// Whether the wheel holds it still, by the clock alone: what it was filed
    /// for has not come. For a task that alone ever polls it, that is as good
    /// as a poll, and touches no memory of the wheel.
    #[inline]
    pub(crate) fn is_surely_filed(&self) -> bool {
        let is_filed = match self.timer {
            Some((_, Some(filed))) => self.parts.now() < filed,
            _ => false,
        };
        if is_filed {
            waits_for(WaitKind::Timer, self.filed_tick);
        }
        is_filed
    }

    fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline <= self.parts.now())
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_over() {
            self.cancel();
            return Poll::Ready(());
        }
        if let Some((key, _)) = self.timer
            && let Some(Due::Wake(waker)) = self.parts.wheel.borrow_mut().get_mut(key)
            && waker.will_wake(cx.waker())
        {
            waits_for(WaitKind::Timer, self.filed_tick);
            return Poll::Pending;
        }
        // Not filed yet, fired at a deadline that has been moved since, or
        // for another task. A foreign waker may run code when it is cloned
        // or dropped: the wheel is not borrowed then.
        let due = Due::Wake(cx.waker().clone());
        self.cancel();
        let tick = self.tick();
        let key = self.parts.insert_timer(tick, due);
        self.timer = Some((key, self.deadline));
        self.filed_tick = tick as u32;
        waits_for(WaitKind::Timer, self.filed_tick);
        Poll::Pending
    }
}

/// Whether `deadline` comes before `other`, `None` being never.
fn is_before(deadline: Option<Instant>, other: Option<Instant>) -> bool {
    match (deadline, other) {
        (Some(deadline), Some(other)) => deadline < other,
        (deadline, None) => deadline.is_some(),
        (None, Some(_)) => false,
    }
}

impl Sleep {
    fn cancel(&mut self) {
        if let Some((key, _)) = self.timer.take() {
            let timer = self.parts.wheel.borrow_mut().cancel(key);
            // With the wheel released: see above.
            drop(timer);
        }
    }
}

impl Drop for Sleep {
    #[inline]
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Awaits `future`, but gives up once `limit` has passed.
///
/// The future is polled before the clock is looked at, so one that is ready
/// in time always wins.
///
/// # Errors
///
/// [`Elapsed`] if the time ran out; the future has been dropped by then.
///
/// # Cancellation
///
/// Dropping it drops `future`.
///
/// # Panics
///
/// When no runtime is entered on the thread that polls it.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::{Elapsed, timeout};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let limit = Duration::from_millis(2);
/// assert_eq!(timeout(limit, async { 42 }).await, Ok(42));
/// assert_eq!(timeout(limit, std::future::pending::<()>()).await, Err(Elapsed));
/// # });
/// # Ok(())
/// # }
/// ```
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = sleep(limit);
    poll_fn(move |cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}

/// An operation took longer than the limit set by [`timeout`].
///
/// # Examples
///
/// As an error of I/O, which `?` makes of it:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::{Error, ErrorKind, Result};
/// use std::time::Duration;
/// use tourbillon::timeout;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// async fn answer() -> Result<()> {
///     Ok(timeout(Duration::from_millis(2), std::future::pending()).await?)
/// }
/// let error: Error = answer().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::TimedOut);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit passed before the operation ended")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}
