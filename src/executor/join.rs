//! What `spawn` gives back: a handle on how the task ends.

use std::any::{Any, type_name};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::info::TaskId;
use super::kept::Output;
use super::tasks::Executor;
use super::ticket::Ticket;

/// A handle on a spawned task: await it for the task's result.
///
/// Dropping the handle detaches the task, which runs on; see
/// [`cancel_on_drop`](Self::cancel_on_drop) for the other choice. It is not
/// `Send`: the result never leaves the loop's thread.
///
/// The result is that of the future's last poll. What panics afterwards, when
/// the finished future is dropped, is logged and counted, and takes nothing
/// from it.
///
/// # Cancellation
///
/// Awaiting it and giving up loses nothing: the task runs on, and the handle
/// may be awaited again.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::spawn;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let sum = spawn(async { 1 + 2 });
/// assert_eq!(sum.await.unwrap(), 3);
///
/// let endless = spawn(std::future::pending::<()>());
/// assert!(!endless.is_finished());
/// endless.abort();
/// assert!(endless.await.unwrap_err().is_aborted());
///
/// spawn(async { println!("nobody waits for this") }).detach();
/// # });
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the handle detaches the task; use `drop` or `detach` to say so"]
pub struct JoinHandle<T> {
    executor: Rc<Executor>,
    /// The task's ticket; but where that has the runtime's number, which the
    /// executor knows, this has the state of the handle. A million handles
    /// are written and read with their tasks: sixteen bytes, and not more.
    marked: Ticket,
    /// Behind an `Rc`, so that the handle can be moved whatever `T` is.
    output: PhantomData<Rc<T>>,
}

/// The states of a handle. In this one the executor keeps a place for how the
/// task ends.
pub(super) const HELD: u16 = 0;
const GIVEN: u16 = 1;
/// The task was never taken: the runtime was closed, or full.
pub(super) const CLOSED: u16 = 2;
pub(super) const FULL: u16 = 3;

impl<T> JoinHandle<T> {
    #[inline]
    pub(super) fn new(executor: Rc<Executor>, state: u16, generation: u32, slot: u32) -> Self {
        JoinHandle {
            executor,
            marked: Ticket::new(state, generation, slot),
            output: PhantomData,
        }
    }

    #[inline]
    fn state(&self) -> u16 {
        self.marked.runtime()
    }

    #[inline]
    fn give(&mut self) {
        self.marked = Ticket::new(GIVEN, self.marked.generation(), self.marked.slot());
    }

    /// Asks the task to end. Its future is dropped in the next turn, and the
    /// handle then gives an error that [is aborted](JoinError::is_aborted).
    ///
    /// A task that has ended, or that ends before its future could be
    /// dropped, keeps its result.
    pub fn abort(&self) {
        self.executor.abort(self.ticket());
    }

    pub(crate) fn ticket(&self) -> Ticket {
        let number = self.executor.number();
        Ticket::new(number, self.marked.generation(), self.marked.slot())
    }

    /// The number of the task; meaningless if it was refused.
    ///
    /// # Examples
    ///
    /// Which of the tasks in a list is this?
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::{spawn, tasks};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let task = spawn(std::future::pending::<()>());
    /// assert!(tasks().iter().any(|info| info.id == task.id()));
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn id(&self) -> TaskId {
        TaskId::of(self.ticket())
    }

    /// Whether the task has ended, with a result or without.
    pub fn is_finished(&self) -> bool {
        self.state() != HELD || !self.executor.lives(self.marked)
    }

    /// Lets the task run on by itself. The same as dropping the handle, and
    /// easier to read.
    pub fn detach(mut self) {
        if self.state() == HELD {
            self.leave(false);
        }
    }

    /// Kept out of what drops a handle that has given its result.
    #[inline(never)]
    fn leave(&mut self, is_wanted: bool) {
        self.give();
        let left = self.executor.release(self.marked);
        if is_wanted
            && self.executor.is_debugged()
            && size_of::<T>() > 0
            && left
                .1
                .as_ref()
                .is_some_and(|ended| !ended.is::<JoinError>())
        {
            note_unread(type_name::<T>());
        }
        // An output may panic when it is dropped, and a handle that is
        // dropped must not.
        mem::forget(catch_unwind(AssertUnwindSafe(|| drop(left))));
    }

    /// Ties the task to the handle: when the handle is dropped before the
    /// task has ended, the task is aborted.
    pub fn cancel_on_drop(self) -> CancelOnDrop<T> {
        CancelOnDrop(self)
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    ///
    /// When polled again after it gave the result.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let refused = |why| Poll::Ready(Err(JoinError::refused(why)));
        let ended = match self.state() {
            HELD => ready!(self.executor.poll_outcome(self.marked, cx)),
            CLOSED => return refused("the runtime is shutting down"),
            FULL => return refused("over ten million tasks are alive already"),
            _ => panic!("a handle was polled after it gave its result"),
        };
        self.give();
        Poll::Ready(match ended.downcast::<Output<T>>() {
            Ok(output) => Ok(output.0),
            Err(ended) => {
                let error = ended.downcast::<JoinError>();
                Err(*error.expect("a task gives what its future gives, or why not"))
            }
        })
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if self.state() == HELD {
            self.leave(true);
        }
    }
}

/// Debug mode, as asyncio's: somebody waited for nothing, or forgot to wait.
#[cold]
fn note_unread(kind: &str) {
    let text = format_args!(
        "the result of a task, a {kind}, was never read: await its handle, \
                             or detach it"
    )
    .to_string();
    mem::forget(catch_unwind(|| log::warn!("{text}")));
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", &self.marked.slot())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// A [`JoinHandle`] that aborts its task when it is dropped.
///
/// # Examples
///
/// A helper that ends with whoever needs it:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::rc::Rc;
/// use tourbillon::{spawn, yield_now};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let held = Rc::new(());
/// let helper = Rc::clone(&held);
/// let helper = spawn(async move {
///     let _held = helper;
///     std::future::pending::<()>().await
/// })
/// .cancel_on_drop();
/// assert!(!helper.is_finished());
/// drop(helper); // as helper.abort() does, and as leaving by `?` would
/// yield_now().await;
/// assert_eq!(Rc::strong_count(&held), 1);
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping this handle aborts the task"]
pub struct CancelOnDrop<T>(JoinHandle<T>);

impl<T> CancelOnDrop<T> {
    /// Asks the task to end; see [`JoinHandle::abort`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::spawn;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let task = spawn(std::future::pending::<()>()).cancel_on_drop();
    /// task.abort();
    /// assert!(task.await.unwrap_err().is_aborted());
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(&self) {
        self.0.abort();
    }

    /// Whether the task has ended, with a result or without.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T: 'static> Future for CancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        // A task that has ended has retired its ticket: nothing happens then.
        self.0.abort();
    }
}

/// Why a task ended without a result.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{JoinError, spawn};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// fn say(error: JoinError) -> String {
///     if error.is_aborted() || error.is_refused() {
///         return error.to_string();
///     }
///     assert!(error.is_panic());
///     let payload = error.into_panic().expect("it panicked");
///     format!("panicked with {:?}", payload.downcast_ref::<&str>())
/// }
///
/// # std::panic::set_hook(Box::new(|_| ()));
/// let task = spawn(async { panic!("a wheel is missing") });
/// assert_eq!(say(task.await.unwrap_err()), "panicked with Some(\"a wheel is missing\")");
/// # });
/// # Ok(())
/// # }
/// ```
pub struct JoinError(Why);

enum Why {
    Aborted,
    Panicked(Box<dyn Any + Send>),
    Refused(&'static str),
}

impl JoinError {
    pub(crate) fn aborted() -> Self {
        JoinError(Why::Aborted)
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        JoinError(Why::Panicked(payload))
    }

    pub(crate) fn refused(why: &'static str) -> Self {
        JoinError(Why::Refused(why))
    }

    /// Whether the task or job was aborted, cancelled, or dropped with its
    /// runtime.
    pub fn is_aborted(&self) -> bool {
        matches!(self.0, Why::Aborted)
    }

    /// Whether it panicked.
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Why::Panicked(_))
    }

    /// Whether it never began: the runtime is shutting down, or a limit of
    /// it is reached.
    pub fn is_refused(&self) -> bool {
        matches!(self.0, Why::Refused(_))
    }

    /// Gives what it panicked with, for `std::panic::resume_unwind`.
    ///
    /// # Errors
    ///
    /// Gives the error back if it did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.0 {
            Why::Panicked(payload) => Ok(payload),
            _ => Err(self),
        }
    }
}

/// The text a panic carried, if it carried one.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a value that is not text"
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Why::Aborted => f.write_str("aborted or cancelled before it had ended"),
            Why::Panicked(payload) => write!(f, "panicked with: {}", panic_text(&**payload)),
            Why::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        std::io::Error::other(error.to_string())
    }
}
