//! Tasks and timers, as hyper asks for them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::runtime::{LooseSleep, current, spawn};

/// Spawns what hyper wants to run beside a connection, as tasks of the
/// current runtime. Nothing has to be `Send`.
///
/// # Examples
///
/// ```
/// use hyper::rt::Executor;
/// use tourbillon::hyper::HyperExecutor;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async { HyperExecutor.execute(async {}) });
/// assert_eq!(rt.stats().tasks_spawned, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperExecutor;

impl<F> hyper::rt::Executor<F> for HyperExecutor
where
    F: Future + 'static,
{
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    fn execute(&self, future: F) {
        spawn(future).detach();
    }
}

/// Gives hyper its timers: those of the current runtime, on its clock.
///
/// # Examples
///
/// ```
/// use hyper::rt::Timer;
/// use std::time::Duration;
/// use tourbillon::hyper::HyperTimer;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async { HyperTimer.sleep(Duration::from_millis(1)).await });
/// assert_eq!(rt.stats().timers_fired, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperTimer;

impl hyper::rt::Timer for HyperTimer {
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    fn sleep(&self, delay: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        let now = self.now();
        // Thirty years are for ever, for a connection.
        let never = Duration::from_secs(30 * 365 * 86_400);
        self.sleep_until(now.checked_add(delay).unwrap_or(now + never))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(HyperSleep(LooseSleep::until(deadline)))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<HyperSleep>() {
            Some(mut own) => own.0.reset(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }

    fn now(&self) -> Instant {
        current().read_clock()
    }
}

struct HyperSleep(LooseSleep);

impl Future for HyperSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl hyper::rt::Sleep for HyperSleep {}
