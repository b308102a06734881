//! Callbacks: closures that the loop calls once, now or later.

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::callbacks::{Callback, CallbackKind};
use super::current::current;
use super::parts::{Due, Parts};
use crate::time::TimerKey;

/// Has the loop call `callback` in its next turn, after those handed in
/// before it. From another thread use [`Handle::call`](crate::Handle::call).
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{call_soon, stop};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let _guard = rt.enter();
/// call_soon(|| {
///     println!("first");
///     call_soon(stop); // in the turn after this one
/// });
/// rt.run()
/// # }
/// ```
#[track_caller]
pub fn call_soon(callback: impl FnOnce() + 'static) {
    current().call_soon(callback);
}

impl Parts {
    #[track_caller]
    pub(crate) fn call_soon(&self, callback: impl FnOnce() + 'static) {
        self.push_callback(Callback::new(callback, Location::caller()));
    }
}

/// Has the loop call `callback` once `delay` has passed; never early, and
/// late by up to two milliseconds plus what the loop was busy with.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let handle = rt.handle();
/// let _guard = rt.enter();
/// let never = tourbillon::call_later(Duration::from_millis(1), || unreachable!());
/// tourbillon::call_later(Duration::from_millis(2), move || handle.stop().unwrap());
/// assert!(never.cancel());
/// rt.run()
/// # }
/// ```
#[track_caller]
pub fn call_later(delay: Duration, callback: impl FnOnce() + 'static) -> Timer {
    let parts = current();
    let deadline = parts.read_clock().checked_add(delay);
    parts.call_at(deadline, Callback::new(callback, Location::caller()))
}

/// Has the loop call `callback` once the clock has passed `deadline`.
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
/// use tourbillon::{call_at, stop};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let _guard = rt.enter();
/// let teatime = Instant::now() + Duration::from_millis(2);
/// call_at(teatime, move || {
///     assert!(Instant::now() >= teatime);
///     stop();
/// });
/// rt.run()
/// # }
/// ```
#[track_caller]
pub fn call_at(deadline: Instant, callback: impl FnOnce() + 'static) -> Timer {
    current().call_at(Some(deadline), Callback::new(callback, Location::caller()))
}

/// Makes [`Runtime::run`](crate::Runtime::run) of the current runtime return
/// when it has finished this turn.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.spawn(async {
///     tourbillon::sleep(std::time::Duration::from_millis(1)).await;
///     tourbillon::stop();
/// })
/// .detach();
/// rt.run()
/// # }
/// ```
#[track_caller]
pub fn stop() {
    current().stopping.set(true);
}

impl Callback {
    pub(super) fn new(
        callback: impl FnOnce() + 'static,
        place: &'static Location<'static>,
    ) -> Self {
        Callback {
            call: Box::new(callback),
            place,
            kind: CallbackKind::Plain,
        }
    }
}

impl Parts {
    /// A delay so long that no `Instant` can name its end never ends.
    fn call_at(self: &Rc<Self>, deadline: Option<Instant>, callback: Callback) -> Timer {
        let tick = deadline.map_or(u64::MAX, |deadline| self.clock.tick_for(deadline));
        let file = |place| self.insert_timer(tick, Due::Call(place));
        let (place, key) = self.callbacks.borrow_mut().insert(callback, file);
        Timer {
            parts: Rc::clone(self),
            place,
            key,
        }
    }
}

/// A callback that waits for its time. Dropping this does not cancel it.
///
/// # Examples
///
/// A warning, unless all is well in time:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::{Timer, call_later};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let warning: Timer = call_later(Duration::from_secs(5), || eprintln!("this takes long"));
/// tourbillon::yield_now().await; // what may take long
/// assert!(warning.cancel(), "it was not said yet");
/// # });
/// # Ok(())
/// # }
/// ```
pub struct Timer {
    parts: Rc<Parts>,
    place: u32,
    key: TimerKey,
}

impl Timer {
    /// Cancels the callback, which is dropped here, unless it was called
    /// already. Says whether it did.
    pub fn cancel(self) -> bool {
        let callback = self.parts.callbacks.borrow_mut().take(self.place, self.key);
        // It may have come due in this turn, and then the wheel has it no more.
        self.parts.wheel.borrow_mut().cancel(self.key);
        callback.is_some()
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("key", &self.key).finish()
    }
}
