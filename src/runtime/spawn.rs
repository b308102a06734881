//! Tasks: futures that the loop polls beside each other.

use std::borrow::Cow;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::current::{current, current_executor};
use super::parts::Parts;
use super::tasks::TaskEventKind;
use crate::executor::{JoinHandle, Name};
use crate::watch::{WaitKind, waits_for};

/// Spawns `future` as a task of the current runtime.
///
/// It is polled first in the next turn, after all that was ready before. It
/// need not be `Send`. Its name is its type; see [`spawn_named`] for another.
/// The task runs whether or not the handle is awaited.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::{cell::Cell, rc::Rc};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let count = Rc::new(Cell::new(0));
/// let shared = Rc::clone(&count);
/// rt.block_on(async {
///     tourbillon::spawn(async move { shared.set(shared.get() + 1) }).await.unwrap();
/// });
/// assert_eq!(count.get(), 1);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    spawn_at(future, Name::OfType, Location::caller())
}

/// Spawns `future` as a task that carries `name` in logs.
///
/// # Panics
///
/// When no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{spawn_named, tasks};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let worker = spawn_named("worker 3", async { 3 });
/// assert_eq!(tasks()[0].name, "worker 3");
/// assert_eq!(worker.await.unwrap(), 3);
/// # });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Cow<'static, str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    spawn_at(future, Name::Given(name.into()), Location::caller())
}

/// Spawns one of many that are called the same.
#[track_caller]
pub(crate) fn spawn_as<F>(name: fn() -> &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    spawn_at(future, Name::Fixed(name), Location::caller())
}

#[track_caller]
pub(super) fn spawn_at<F>(
    future: F,
    name: Name,
    place: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + 'static,
{
    let (executor, is_hooked) = current_executor();
    let handle = executor.spawn(future, name, place);
    if is_hooked {
        current().tell(TaskEventKind::Spawned, handle.ticket());
    }
    handle
}

impl Parts {
    #[track_caller]
    pub(crate) fn spawn<F>(&self, future: F, name: Name) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        let handle = Rc::clone(&self.executor).spawn(future, name, Location::caller());
        self.tell(TaskEventKind::Spawned, handle.ticket());
        handle
    }
}

/// Lets everything else that is ready run first.
///
/// The kernel is asked now and then while tasks yield, not at each yield.
///
/// # Cancellation
///
/// Dropping it has no effect.
///
/// # Examples
///
/// A long computation that lets the others have their turn:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{spawn, yield_now};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let sum = spawn(async {
///     let mut sum = 0_u64;
///     for part in (0..100_000_u64).collect::<Vec<_>>().chunks(1000) {
///         sum += part.iter().sum::<u64>();
///         yield_now().await;
///     }
///     sum
/// });
/// assert_eq!(sum.await.unwrap(), 4_999_950_000);
/// # });
/// # Ok(())
/// # }
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
///
/// # Examples
///
/// It is a future with a name, so it can be a field:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::pin::Pin;
/// use std::task::{Context, Poll};
/// use tourbillon::{YieldNow, yield_now};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// struct Polite(YieldNow);
///
/// impl Future for Polite {
///     type Output = &'static str;
///
///     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
///         Pin::new(&mut self.0).poll(cx).map(|()| "after you")
///     }
/// }
/// assert_eq!(Polite(yield_now()).await, "after you");
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        waits_for(WaitKind::Yield, 0);
        Poll::Pending
    }
}
