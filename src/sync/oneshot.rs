//! One value, from one task to another.
//!
//! Sending is no wait, so there is no line: each end has at most one waker
//! stored.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::waiters::budgeted;
use crate::runtime::{drop_waker_quietly, wake_quietly};
use crate::watch::{WaitKind, waits_for};

pub use super::error::{RecvError, TryRecvError};

/// Makes a channel for a single value.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::oneshot;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let (sender, receiver) = oneshot::channel();
/// rt.block_on(async {
///     tourbillon::spawn(async move { sender.send("done").unwrap() }).detach();
///     assert_eq!(receiver.await, Ok("done"));
/// });
/// # Ok(())
/// # }
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Rc::new(Slot {
        value: Cell::new(None),
        is_closed: Cell::new(false),
        receiver: Seat::default(),
        sender: Seat::default(),
    });
    (Sender(Rc::clone(&slot)), Receiver(slot))
}

struct Slot<T> {
    value: Cell<Option<T>>,
    /// No value will come any more: it was sent, or either end has given up.
    is_closed: Cell<bool>,
    receiver: Seat,
    sender: Seat,
}

impl<T> Slot<T> {
    fn close(&self) {
        self.is_closed.set(true);
        self.receiver.wake();
        self.sender.wake();
    }

    fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.value.take() {
            Some(value) => Ok(value),
            None if self.is_closed.get() => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }
}

/// Where one waker is stored. It is taken out while code of its own runs.
#[derive(Default)]
struct Seat(Cell<Option<Waker>>);

impl Seat {
    fn take(&self, waker: &Waker) {
        let before = self.0.take();
        let seated = before.filter(|seated| seated.will_wake(waker));
        // In the meantime others may have looked for a waker here: whoever
        // takes a seat looks once more for what it waits for.
        let waker = seated.unwrap_or_else(|| waker.clone());
        drop(self.0.replace(Some(waker)));
    }

    fn leave(&self) {
        if let Some(waker) = self.0.take() {
            drop_waker_quietly(waker);
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.0.take() {
            wake_quietly(waker);
        }
    }

    /// Polls what can be over at any time.
    fn poll<T>(&self, cx: &Context<'_>, over: impl Fn() -> Option<T>) -> Poll<T> {
        budgeted(cx, || {
            if let Some(end) = over() {
                return Poll::Ready(end);
            }
            self.take(cx.waker());
            waits_for(WaitKind::Channel, 0);
            over().map_or(Poll::Pending, Poll::Ready)
        })
    }
}

/// The end that sends. Dropping it without sending is an end as well: the
/// receiver gets an error.
///
/// # Examples
///
/// A question with a way to answer it:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{spawn, sync::oneshot};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// fn look_up(name: &str, answer: oneshot::Sender<usize>) {
///     if !answer.is_closed() {
///         let _not_wanted_any_more = answer.send(name.len());
///     }
/// }
///
/// let (answer, answered) = oneshot::channel();
/// spawn(async { look_up("tourbillon", answer) }).detach();
/// assert_eq!(answered.await, Ok(10));
/// # });
/// # Ok(())
/// # }
/// ```
pub struct Sender<T>(Rc<Slot<T>>);

impl<T> Sender<T> {
    /// Sends the value. That it was sent does not say that it was received.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver is gone, or has closed.
    pub fn send(self, value: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(value);
        }
        self.0.value.set(Some(value));
        // Dropping this end wakes the other.
        Ok(())
    }

    /// Whether the receiver is gone, or has closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed.get()
    }

    /// Waits until the receiver is gone, or has closed: nobody wants the
    /// value any more.
    ///
    /// # Cancellation
    ///
    /// Dropping the future has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::oneshot;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// let (mut sender, receiver) = oneshot::channel();
    /// rt.block_on(async {
    ///     tourbillon::spawn(async { drop(receiver) }).detach();
    ///     sender.closed().await;
    ///     assert_eq!(sender.send("too late"), Err("too late"));
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Polls for what [`closed`](Self::closed) waits for.
    ///
    /// # Examples
    ///
    /// Work that ends when nobody wants its result:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::sync::oneshot;
    /// use std::future::poll_fn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut sender, receiver) = oneshot::channel::<u64>();
    /// tourbillon::spawn(async { drop(receiver) }).detach();
    /// let mut sum = 0_u64;
    /// poll_fn(|cx| {
    ///     sum += 1;
    ///     cx.waker().wake_by_ref();
    ///     sender.poll_closed(cx)
    /// })
    /// .await;
    /// assert!(sum > 1);
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.sender.poll(cx, || self.is_closed().then_some(()))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.sender.leave();
        self.0.close();
    }
}

/// The end that receives: a future, ready with the value once it was sent.
///
/// # Errors
///
/// [`RecvError`] if the sender was dropped, or this end closed, with no value
/// sent; and when polled again after it gave the value.
///
/// # Cancellation
///
/// Dropping it closes the channel; a value that was sent is dropped. Awaiting
/// `&mut receiver` and giving up loses nothing.
///
/// # Examples
///
/// With a limit on the time, after which a late answer still counts:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::{sync::oneshot, timeout};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (sender, mut receiver) = oneshot::channel();
/// assert!(timeout(Duration::from_millis(1), &mut receiver).await.is_err());
/// sender.send("late").unwrap();
/// receiver.close(); // no other would be taken now
/// assert_eq!(receiver.try_recv(), Ok("late"));
/// # });
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Receiver<T>(Rc<Slot<T>>);

impl<T> Receiver<T> {
    /// Takes the value if it was sent.
    ///
    /// # Errors
    ///
    /// When there is none yet, or none any more.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }

    /// Refuses the value from now on. One that was sent before can still be
    /// received.
    pub fn close(&mut self) {
        self.0.close();
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.receiver.poll(cx, || match self.0.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        })
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.receiver.leave();
        self.0.close();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("closed", &self.is_closed())
            .finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("closed", &self.0.is_closed.get())
            .finish()
    }
}
