//! Values from many tasks to many tasks: the bounded buffer of two semaphores.
//!
//! ```text
//!   send:  take from `room`, put a value in, add to `items`
//!   recv:  take from `items`, take a value out, add to `room`
//! ```
//!
//! Lines, fairness and cancellation are those of the semaphores. (E. W. Dijkstra, "Cooperating
//! sequential processes", 1965, section 4.3.)

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::error::TryAcquireError;
use super::semaphore::Semaphore;
use super::waiters::Place;
use crate::watch::WaitKind;

pub use super::error::{SendError, TryRecvError, TrySendError};

/// Makes a channel that holds up to `capacity` values. Who sends more waits.
///
/// # Panics
///
/// When `capacity` is zero: two tasks that must meet can send a
/// [`oneshot`](super::oneshot) sender along, for the answer.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::channel;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let (sender, receiver) = channel::bounded(8);
/// rt.block_on(async {
///     tourbillon::spawn(async move {
///         for number in 0..100 {
///             sender.send(number).await.unwrap();
///         }
///     })
///     .detach();
///     let mut sum = 0;
///     while let Some(number) = receiver.recv().await {
///         sum += number;
///     }
///     assert_eq!(sum, 4950);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0,
        "a channel must hold at least one value: its capacity was 0"
    );
    ends(capacity)
}

/// Makes a channel that holds as many values as memory does: sending never
/// waits.
///
/// # Examples
///
/// ```
/// use tourbillon::sync::channel;
///
/// let (sender, receiver) = channel::unbounded();
/// sender.try_send("one").unwrap();
/// sender.try_send("two").unwrap();
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Ok("one"));
/// assert_eq!(receiver.try_recv(), Ok("two"));
/// assert_eq!(receiver.try_recv(), Err(channel::TryRecvError::Closed));
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    ends(UNBOUNDED)
}

/// More values than memory holds, unless they have no size.
const UNBOUNDED: usize = usize::MAX;

fn ends<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Rc::new(Channel {
        queue: RefCell::default(),
        capacity,
        room: Semaphore::waited_for_as(WaitKind::Channel, capacity),
        items: Semaphore::waited_for_as(WaitKind::Channel, 0),
        senders: Cell::new(1),
        receivers: Cell::new(1),
    });
    let sender = Sender {
        channel: Rc::clone(&channel),
        place: Place::default(),
    };
    let receiver = Receiver {
        channel,
        place: Place::default(),
    };
    (sender, receiver)
}

struct Channel<T> {
    queue: RefCell<VecDeque<T>>,
    capacity: usize,
    /// A permit for each free place. Closed with the channel.
    room: Semaphore,
    /// A permit for each value that is promised to nobody. Closed once the
    /// channel is, and the last value has been taken: what is promised to one
    /// receiver may yet pass to another.
    items: Semaphore,
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

impl<T> Channel<T> {
    /// Puts a value in, for which a permit of `room` was taken.
    fn put(&self, value: T) -> Result<(), SendError<T>> {
        // Since the permit was given, the channel may have been closed.
        if self.room.is_closed() {
            return Err(SendError(value));
        }
        self.queue.borrow_mut().push_back(value);
        self.items.add_permits(1);
        Ok(())
    }

    /// Takes a value out, for which a permit of `items` was taken.
    fn take(&self) -> T {
        let value = self.queue.borrow_mut().pop_front();
        self.room.add_permits(1);
        self.close_if_drained();
        value.expect("there is a value for each permit")
    }

    fn close(&self) {
        self.room.close();
        self.close_if_drained();
    }

    fn close_if_drained(&self) {
        if self.room.is_closed() && self.queue.borrow().is_empty() {
            self.items.close();
        }
    }

    fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    fn capacity(&self) -> Option<usize> {
        Some(self.capacity).filter(|&capacity| capacity != UNBOUNDED)
    }

    fn describe(&self, mut end: fmt::DebugStruct<'_, '_>) -> fmt::Result {
        end.field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.room.is_closed())
            .finish()
    }
}

/// The end that sends. When the last clone is dropped the channel is closed,
/// and receivers get what is left.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{spawn, sync::channel};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (sender, receiver) = channel::bounded(2);
/// for number in 1..=3 {
///     let sender = sender.clone();
///     spawn(async move { sender.send(number).await }).detach();
/// }
/// assert!(sender.is_empty() && sender.len() == 0 && sender.capacity() == Some(2));
/// drop(sender);
/// assert_eq!(receiver.recv().await, Some(1));
/// # });
/// # Ok(())
/// # }
/// ```
pub struct Sender<T> {
    channel: Rc<Channel<T>>,
    /// That of `poll_send`.
    place: Place,
}

impl<T> Sender<T> {
    /// Sends a value, once there is room for it.
    ///
    /// Values that are sent one after another are received in that order.
    ///
    /// # Errors
    ///
    /// Gives the value back if the channel is closed, or is while this waits.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready drops the value, which was not
    /// sent; room it had been given goes to the next in line.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.stop_polling();
        match self.channel.room.acquire().await {
            Ok(room) => room.forget(),
            Err(_) => return Err(SendError(value)),
        }
        self.channel.put(value)
    }

    /// Sends a value if there is room for it and nobody waits to send.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is no room, or the channel is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::channel::{self, TrySendError};
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.stop_polling();
        match self.channel.room.try_acquire() {
            Ok(room) => room.forget(),
            Err(TryAcquireError::NoPermits) => return Err(TrySendError::Full(value)),
            Err(TryAcquireError::Closed) => return Err(TrySendError::Closed(value)),
        }
        let sent = self.channel.put(value);
        sent.map_err(|SendError(value)| TrySendError::Closed(value))
    }

    /// Polls until the value is sent, which is taken out of its place then.
    /// With `None` in it there is nothing to send, and it is ready.
    ///
    /// A sender whose last poll was pending stands in line until it is polled
    /// to the end, sends in another way, or is dropped.
    ///
    /// # Errors
    ///
    /// Gives the value back if the channel is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::sync::channel;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut sender, receiver) = channel::bounded(1);
    /// let mut value = Some(7);
    /// std::future::poll_fn(|cx| sender.poll_send(cx, &mut value)).await.unwrap();
    /// assert_eq!(value, None);
    /// sender.close();
    /// assert!(sender.is_closed() && sender.send(8).await.is_err());
    /// assert_eq!(receiver.recv().await, Some(7));
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut Option<T>,
    ) -> Poll<Result<(), SendError<T>>> {
        if value.is_none() {
            return Poll::Ready(Ok(()));
        }
        let room = ready!(self.channel.room.poll_acquire(1, &self.place, cx));
        let value = value.take().expect("it was seen above");
        Poll::Ready(match room {
            Ok(()) => self.channel.put(value),
            Err(_) => Err(SendError(value)),
        })
    }

    /// Closes the channel for all: nothing can be sent any more, and what was
    /// sent can still be received.
    pub fn close(&self) {
        self.channel.close();
    }

    /// Whether the channel is closed: by [`close`](Self::close) of either
    /// end, or because all receivers are gone.
    pub fn is_closed(&self) -> bool {
        self.channel.room.is_closed()
    }

    /// How many values wait to be received.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no value waits to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it holds at most; `None` if it is unbounded.
    pub fn capacity(&self) -> Option<usize> {
        self.channel.capacity()
    }

    /// Places taken in the lines of senders and of receivers.
    #[cfg(test)]
    pub(super) fn held(&self) -> [usize; 2] {
        [self.channel.room.held(), self.channel.items.held()]
    }

    /// Whoever goes over from `poll_send` to another method must not wait
    /// behind a place of its own.
    fn stop_polling(&self) {
        self.channel.room.give_up(&self.place);
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        let channel = Rc::clone(&self.channel);
        channel.senders.set(channel.senders.get() + 1);
        let place = Place::default();
        Sender { channel, place }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.stop_polling();
        let left = self.channel.senders.get() - 1;
        self.channel.senders.set(left);
        if left == 0 {
            self.channel.close();
        }
    }
}

/// The end that receives. Clones share the values: each goes to one of them.
/// When the last clone is dropped the channel is closed, and the values that
/// are left are dropped.
///
/// # Examples
///
/// No more orders, but those that came are served:
///
/// ```
/// use tourbillon::sync::channel;
///
/// let (sender, receiver) = channel::bounded(8);
/// sender.try_send("tea").unwrap();
/// receiver.close();
/// assert!(receiver.is_closed() && sender.try_send("toast").is_err());
/// assert!(!receiver.is_empty() && receiver.len() == 1 && receiver.capacity() == Some(8));
/// assert_eq!(receiver.try_recv(), Ok("tea"));
/// ```
pub struct Receiver<T> {
    channel: Rc<Channel<T>>,
    /// That of `poll_recv`.
    place: Place,
}

impl<T> Receiver<T> {
    /// Receives the next value; `None` once the channel is closed and no
    /// value is left.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no value: one that was there for it goes to
    /// the next in line, or back to the front.
    pub async fn recv(&self) -> Option<T> {
        self.stop_polling();
        match self.channel.items.acquire().await {
            Ok(item) => item.forget(),
            Err(_) => return None,
        }
        Some(self.channel.take())
    }

    /// Takes the next value if there is one and nobody waits for it.
    ///
    /// # Errors
    ///
    /// When there is none for the caller, now or for ever.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.stop_polling();
        match self.channel.items.try_acquire() {
            Ok(item) => item.forget(),
            Err(TryAcquireError::NoPermits) => return Err(TryRecvError::Empty),
            Err(TryAcquireError::Closed) => return Err(TryRecvError::Closed),
        }
        Ok(self.channel.take())
    }

    /// Polls for what [`recv`](Self::recv) waits for.
    ///
    /// A receiver whose last poll was pending stands in line, where a value
    /// may be kept for it, until it is polled to the end, receives in another
    /// way, or is dropped.
    ///
    /// # Examples
    ///
    /// A receiver as a stream:
    ///
    /// ```
    /// use futures::stream::{self, StreamExt};
    /// use tourbillon::sync::channel;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// let (sender, mut receiver) = channel::unbounded();
    /// sender.try_send(20).unwrap();
    /// sender.try_send(22).unwrap();
    /// drop(sender);
    /// let numbers = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    /// assert_eq!(rt.block_on(numbers.fold(0, async |sum, number| sum + number)), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let item = ready!(self.channel.items.poll_acquire(1, &self.place, cx));
        Poll::Ready(item.ok().map(|()| self.channel.take()))
    }

    /// Closes the channel for all: nothing can be sent any more, and what was
    /// sent can still be received.
    pub fn close(&self) {
        self.channel.close();
    }

    /// Whether the channel is closed: by [`close`](Self::close) of either
    /// end, or because all senders are gone. Values may be left.
    pub fn is_closed(&self) -> bool {
        self.channel.room.is_closed()
    }

    /// How many values wait to be received.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no value waits to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it holds at most; `None` if it is unbounded.
    pub fn capacity(&self) -> Option<usize> {
        self.channel.capacity()
    }

    /// As for the sender.
    fn stop_polling(&self) {
        self.channel.items.give_up(&self.place);
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        let channel = Rc::clone(&self.channel);
        channel.receivers.set(channel.receivers.get() + 1);
        let place = Place::default();
        Receiver { channel, place }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.stop_polling();
        let left = self.channel.receivers.get() - 1;
        self.channel.receivers.set(left);
        if left == 0 {
            self.channel.close();
            // A value may hold an end of this channel: it goes when nothing is borrowed.
            let queue = self.channel.queue.take();
            drop(queue);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.describe(f.debug_struct("Sender"))
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.describe(f.debug_struct("Receiver"))
    }
}
