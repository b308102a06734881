//! What can be wrong: it is closed, or one would have to wait.

use std::error::Error;
use std::fmt;

/// The semaphore was closed.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::{AcquireError, Semaphore};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let doors = Semaphore::new(1);
/// doors.close();
/// assert_eq!(doors.acquire().await.unwrap_err(), AcquireError);
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError;

/// Why a permit was not taken at once.
///
/// # Examples
///
/// ```
/// use tourbillon::sync::{Semaphore, TryAcquireError};
///
/// let seats = Semaphore::new(0);
/// let answer = match seats.try_acquire() {
///     Ok(_seat) => "come in",
///     Err(TryAcquireError::NoPermits) => "wait, or come back later",
///     Err(TryAcquireError::Closed) => "we have closed",
/// };
/// assert_eq!(answer, "wait, or come back later");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore was closed.
    Closed,
    /// Too few permits are left, or others wait for them.
    NoPermits,
}

/// A value that was not sent, since the channel was closed.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::channel::{self, SendError};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (sender, receiver) = channel::bounded(1);
/// drop(receiver);
/// let SendError(letter) = sender.send("a letter").await.unwrap_err();
/// assert_eq!(letter, "a letter"); // back to whoever wrote it
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// A value that was not sent at once, and why.
///
/// # Examples
///
/// The newest is worth more than the oldest:
///
/// ```
/// use tourbillon::sync::channel::{self, TrySendError};
///
/// let (sender, receiver) = channel::bounded(1);
/// sender.try_send(1).unwrap();
/// if let Err(error @ TrySendError::Full(_)) = sender.try_send(2) {
///     receiver.try_recv().unwrap();
///     sender.try_send(error.into_inner()).unwrap();
/// }
/// assert_eq!(receiver.try_recv(), Ok(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The channel was closed.
    Closed(T),
    /// The channel is full, or others wait to send.
    Full(T),
}

impl<T> TrySendError<T> {
    /// Gives the value back.
    pub fn into_inner(self) -> T {
        let (TrySendError::Closed(value) | TrySendError::Full(value)) = self;
        value
    }
}

/// The sender was dropped, or the receiver closed, with no value sent.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::oneshot::{self, RecvError};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (sender, receiver) = oneshot::channel::<u32>();
/// drop(sender); // as when the task that was to answer has panicked
/// assert_eq!(receiver.await, Err(RecvError));
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

/// Why no value was received at once.
///
/// # Examples
///
/// ```
/// use tourbillon::sync::channel::{self, TryRecvError};
///
/// let (sender, receiver) = channel::unbounded::<u32>();
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty)); // look again later
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed)); // do not
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// The channel was closed, and no value is left.
    Closed,
    /// There is no value, or those that are there are for others who wait.
    Empty,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "the semaphore is closed",
            TryAcquireError::NoPermits => "too few permits are left",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed")
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Closed(_) => "the channel is closed",
            TrySendError::Full(_) => "the channel is full",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed, and no value was sent")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Closed => "the channel is closed, and no value is left",
            TryRecvError::Empty => "the channel has no value yet",
        })
    }
}

// The value need not be printable.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Closed(_) => "Closed(..)",
            TrySendError::Full(_) => "Full(..)",
        })
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
