//! A beat that does not drift.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::current::current;
use super::sleep::Sleep;

/// Beats every `period`, first at once.
///
/// # Panics
///
/// When `period` is zero, or no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::{Duration, Instant};
/// use tourbillon::interval;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let began = Instant::now();
/// let mut beat = interval(Duration::from_millis(2));
/// for _ in 0..3 {
///     beat.tick().await; // at 0, 2 and 4 ms, however long the work takes
/// }
/// assert!(began.elapsed() >= Duration::from_millis(4));
/// # });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let now = current().read_clock();
    interval_at(now, period)
}

/// Beats every `period`, first at `start`.
///
/// # Panics
///
/// When `period` is zero, or no runtime is entered on this thread.
///
/// # Examples
///
/// Not before a first period has passed:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::{Duration, Instant};
/// use tourbillon::interval_at;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let period = Duration::from_millis(2);
/// let first = Instant::now() + period;
/// let mut beat = interval_at(first, period);
/// assert_eq!(beat.tick().await, first);
/// assert_eq!(beat.tick().await, first + period);
/// # });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period above zero");
    Interval {
        sleep: Sleep::new(current(), Some(start)),
        next: Some(start),
        period,
        missed: MissedTicks::Burst,
    }
}

/// What becomes of beats that fell into a time when nobody listened.
///
/// # Examples
///
/// After a pause of five beats and a half:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::{MissedTicks, Runtime, interval, sleep, time::ManualClock};
///
/// let time = ManualClock::new();
/// let mut rt = Runtime::builder().manual_clock(&time).auto_advance(true).build()?;
/// rt.block_on(async {
///     for (missed, next) in [(MissedTicks::Burst, 20), (MissedTicks::Skip, 60)] {
///         let start = time.now();
///         let mut beat = interval(Duration::from_secs(10)).missed_ticks(missed);
///         beat.tick().await;
///         sleep(Duration::from_secs(55)).await;
///         beat.tick().await; // due while nobody listened
///         assert_eq!(beat.tick().await - start, Duration::from_secs(next));
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// They follow at once, one by one, until the beat has caught up.
    #[default]
    Burst,
    /// The next one comes a whole period after the late one.
    Delay,
    /// They are left out: the next one comes when the beat is next due.
    Skip,
}

/// Gives the beats of [`interval`].
///
/// # Examples
///
/// Whichever comes first, by hand:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::future::poll_fn;
/// use std::task::Poll;
/// use std::time::Duration;
/// use tourbillon::{Interval, interval};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let mut fast: Interval = interval(Duration::from_millis(1));
/// let mut slow = interval(Duration::from_secs(60));
/// slow.tick().await;
/// let winner = poll_fn(|cx| match slow.poll_tick(cx) {
///     Poll::Ready(_) => Poll::Ready("slow"),
///     Poll::Pending => fast.poll_tick(cx).map(|_| "fast"),
/// });
/// assert_eq!(winner.await, "fast");
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    /// `None` once the beat has passed the last instant there is.
    next: Option<Instant>,
    period: Duration,
    missed: MissedTicks,
}

impl Interval {
    /// Waits for the next beat and returns the time it was due at.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no beat.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Sets what becomes of missed beats. Default: [`MissedTicks::Burst`].
    #[must_use]
    pub fn missed_ticks(mut self, missed: MissedTicks) -> Self {
        self.missed = missed;
        self
    }

    /// Polls for the next beat.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let Some(due) = self.next else {
            return Poll::Pending;
        };
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let now = self.sleep.now();
        self.next = match self.missed {
            MissedTicks::Burst => due.checked_add(self.period),
            MissedTicks::Delay => now.checked_add(self.period),
            MissedTicks::Skip => {
                let late = now.saturating_duration_since(due).as_nanos();
                let into = (late % self.period.as_nanos()) as u64;
                let left = self.period - Duration::from_nanos(into);
                now.checked_add(left)
            }
        };
        if let Some(next) = self.next {
            self.sleep.reset(next);
        }
        Poll::Ready(due)
    }
}
