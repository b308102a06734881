//! Asks tasks to end, a whole family of them at once.
//!
//! All that a cancellation ends is ended before the first waker is called. So whoever is woken
//! finds every token below cancelled, and may do with them what it likes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::family::Node;
use super::waiters::{Standing, Visit};
use crate::runtime::wake_quietly;

/// Asks tasks to end, as `tokio_util::sync::CancellationToken`: once
/// cancelled it stays so, and with it all its children.
///
/// Clones share one state. A [child](Self::child_token) ends with its parent
/// and may end before it, which its parent and its siblings do not notice. A
/// parent may be dropped before its children, who then hear of the parent's
/// parent. Dropping a token does not cancel it; a [`DropGuard`] does.
///
/// Making a token costs one allocation, and the first to wait for it another.
/// Both are given back when its last clone is dropped, however long its parent
/// lives: a server may make a child per connection.
/// (One that several children outlive is kept until one of them is left.)
/// Making and dropping a token takes constant time, cancelling it a step for
/// each token below.
///
/// # Which to use
///
/// - A token *asks*. The task decides where it looks, and may first finish a
///   line, say goodbye or save its state.
/// - [`JoinHandle::abort`](crate::JoinHandle::abort) does not ask: the next
///   turn drops the future at the await where it stands, and what has to be
///   done then must be in a `Drop`. It is for one task, which you have the
///   handle of.
/// - A [`TaskGroup`] waits for the end of its tasks, and aborts them all when
///   one fails. It says nothing to tasks that are not its own; a token goes
///   wherever it is cloned to.
///
/// They go together: cancel the token, await the group's `join` within a
/// [`timeout`](crate::timeout). The time is up: the group is dropped, and
/// with it whoever did not listen.
///
/// # Other threads
///
/// A token is not `Send`. Another thread cancels one by
/// [`Handle::call`](crate::Handle::call), with a callback that finds it in a
/// `thread_local!`; or by a channel that a task listens to. What runs on
/// other threads itself, as the jobs of
/// [`spawn_blocking`](crate::spawn_blocking), needs an `AtomicBool` to look
/// at, or the token of tokio-util, which works on this runtime unchanged.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::CancellationToken;
///
/// thread_local! {
///     static STOP: CancellationToken = CancellationToken::new();
/// }
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let handle = rt.handle();
/// let other = std::thread::spawn(move || {
///     handle.call(|| STOP.with(CancellationToken::cancel)).unwrap();
/// });
/// let stop = STOP.with(CancellationToken::clone);
/// rt.block_on(stop.cancelled());
/// other.join().unwrap();
/// # Ok(())
/// # }
/// ```
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::sync::CancellationToken;
/// use tourbillon::task::TaskGroup;
/// use tourbillon::{sleep, timeout};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let stop = CancellationToken::new();
///     let group = TaskGroup::<_, String>::new();
///     for number in 0..3 {
///         let stop = stop.child_token();
///         group.spawn(async move {
///             let hour = sleep(Duration::from_secs(3600));
///             match stop.run_until_cancelled(hour).await {
///                 Some(()) => Ok("slept well"),
///                 None if number == 0 => Ok("woken, and not happy"),
///                 None => Ok("woken"),
///             }
///         });
///     }
///     tourbillon::yield_now().await;
///     stop.cancel();
///     let ends = timeout(Duration::from_secs(5), group.join()).await;
///     let ends = ends.expect("all of them listen").unwrap();
///     assert_eq!(ends, ["woken, and not happy", "woken", "woken"]);
/// });
/// # Ok(())
/// # }
/// ```
///
/// [`TaskGroup`]: crate::task::TaskGroup
pub struct CancellationToken(Rc<Node>);

impl CancellationToken {
    /// Makes a token that is not cancelled and has no parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::CancellationToken;
    ///
    /// assert!(!CancellationToken::new().is_cancelled());
    /// ```
    pub fn new() -> Self {
        CancellationToken::holding(Rc::default())
    }

    fn holding(node: Rc<Node>) -> Self {
        node.hold();
        CancellationToken(node)
    }

    /// Makes a token that is cancelled when this one is: at once, if this one
    /// is already. Cancelling the child does nothing to its parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let server = CancellationToken::new();
    /// let (first, second) = (server.child_token(), server.child_token());
    /// first.cancel();
    /// assert!(!server.is_cancelled() && !second.is_cancelled());
    /// server.cancel();
    /// assert!(second.is_cancelled());
    /// assert!(server.child_token().is_cancelled());
    /// ```
    #[must_use = "a child that is dropped at once is of no use"]
    pub fn child_token(&self) -> CancellationToken {
        CancellationToken::holding(self.0.child())
    }

    /// Cancels the token, its children, and theirs, and wakes everybody who
    /// waits for one of them. Once is enough: to do it again does nothing.
    ///
    /// All are cancelled before the first is woken. Those who wait for the
    /// parent are woken before those who wait for its children, and at one
    /// token first come is first woken.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let same = token.clone();
    /// same.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    pub fn cancel(&self) {
        if self.is_cancelled() {
            return;
        }
        let (wakers, parent) = self.0.cancel();
        wakers.into_iter().for_each(wake_quietly);
        // Last, as it may panic.
        if let Some(parent) = parent {
            parent.retire();
        }
    }

    /// Whether the token is cancelled. For work that does not await to look
    /// at, between two of its steps.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let token = CancellationToken::new();
    ///     let theirs = token.clone();
    ///     let count = tourbillon::spawn(async move {
    ///         let mut steps = 0;
    ///         while !theirs.is_cancelled() {
    ///             steps += 1;
    ///             tourbillon::yield_now().await;
    ///         }
    ///         steps
    ///     });
    ///     tourbillon::yield_now().await;
    ///     token.cancel();
    ///     assert!(count.await.unwrap() > 0);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the token is cancelled; not at all if it is.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the line, and has no other effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// let token = CancellationToken::new();
    /// let theirs = token.clone();
    /// rt.block_on(async {
    ///     tourbillon::spawn(async move { theirs.cancel() }).detach();
    ///     token.cancelled().await;
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        WaitForCancellationFuture {
            node: &self.0,
            visit: Visit::new(&self.0.waiters),
        }
    }

    /// The same, and the future keeps the token, so that it can be spawned or
    /// stored by itself.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops the token, and has no other effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let token = CancellationToken::new();
    ///     let end = tourbillon::spawn(token.child_token().cancelled_owned());
    ///     token.cancel();
    ///     end.await.unwrap();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancelled_owned(self) {
        self.cancelled().await;
    }

    /// Awaits `future`, but gives up when the token is cancelled: returns
    /// `None` then, and `future` has been dropped.
    ///
    /// The future is polled first, so one that is ready wins against a
    /// cancellation at the same time. A token that is cancelled when this is
    /// first polled gives `None` without polling `future` at all, as in
    /// tokio-util: a loop around it ends, even if `future` is always ready.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops `future`, and leaves the line.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::future::pending;
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let token = CancellationToken::new();
    ///     let theirs = token.clone();
    ///     tourbillon::spawn(async move { theirs.cancel() }).detach();
    ///     assert_eq!(token.run_until_cancelled(async { 7 }).await, Some(7));
    ///     assert_eq!(token.run_until_cancelled(pending::<u8>()).await, None);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        // No await before this: the future would be held once more.
        let mut future = pin!(future);
        let mut cancelled = self.cancelled();
        let mut has_begun = false;
        poll_fn(|cx| {
            // Cancelled before it began, the future is not polled: a loop
            // around this ends. To learn so costs an operation, below.
            has_begun |= !self.is_cancelled();
            if has_begun && let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            Pin::new(&mut cancelled).poll(cx).map(|()| None)
        })
        .await
    }

    /// Makes a guard that cancels the token when it is dropped, however that
    /// comes: at the end of a block, by `?`, a panic, or an abort.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// {
    ///     let _guard = token.clone().drop_guard();
    /// }
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }

    #[cfg(test)]
    pub(super) fn node(&self) -> &Rc<Node> {
        &self.0
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        CancellationToken::new()
    }
}

impl Clone for CancellationToken {
    fn clone(&self) -> Self {
        CancellationToken::holding(Rc::clone(&self.0))
    }
}

impl Drop for CancellationToken {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("is_cancelled", &self.is_cancelled())
            .field("waiting", &self.0.waiters.len())
            .finish()
    }
}

/// The future of [`CancellationToken::cancelled`]. Once it is ready it stays
/// so. It may be moved between polls.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::future::poll_fn;
/// use std::pin::Pin;
/// use tourbillon::sync::CancellationToken;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let token = CancellationToken::new();
/// rt.block_on(async {
///     let mut cancelled = token.cancelled();
///     let first = poll_fn(|cx| Pin::new(&mut cancelled).poll(cx).is_ready().into()).await;
///     token.cancel();
///     cancelled.await;
///     assert!(!first);
/// });
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct WaitForCancellationFuture<'a> {
    node: &'a Node,
    visit: Visit<'a>,
}

impl Future for WaitForCancellationFuture<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.visit.poll(cx, |standing| match standing {
            Standing::Outside => self.node.is_cancelled().then_some(()),
            Standing::Chosen | Standing::Released => Some(()),
        })
    }
}

impl fmt::Debug for WaitForCancellationFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForCancellationFuture")
            .field("is_cancelled", &self.node.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// Cancels a token when it is dropped; see [`CancellationToken::drop_guard`].
///
/// # Examples
///
/// ```
/// use tourbillon::sync::CancellationToken;
///
/// fn load(text: &str, failed: &CancellationToken) -> Result<u8, std::num::ParseIntError> {
///     let guard = failed.clone().drop_guard();
///     let number = text.parse()?;
///     guard.disarm();
///     Ok(number)
/// }
///
/// let failed = CancellationToken::new();
/// assert!(load("7", &failed).is_ok() && !failed.is_cancelled());
/// assert!(load("seven", &failed).is_err() && failed.is_cancelled());
/// ```
#[must_use = "dropping the guard cancels the token"]
pub struct DropGuard {
    /// `None` once it is disarmed.
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back, uncancelled unless somebody else has done it.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::CancellationToken;
    ///
    /// let guard = CancellationToken::new().drop_guard();
    /// assert!(!guard.disarm().is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancellationToken {
        let token = self.token.take();
        token.expect("a guard has its token until it is disarmed, which takes the guard")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            token.cancel();
        }
    }
}

impl fmt::Debug for DropGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DropGuard").field(&self.token).finish()
    }
}
