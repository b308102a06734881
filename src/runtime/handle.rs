//! What other threads hold of a runtime.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::current::{current, try_current};
use super::parts::Post;
use super::spawn::spawn_at;
use crate::executor::Name;
use crate::queue::TaskQueue;

/// Reaches a runtime from any thread.
///
/// What is sent runs on the loop's thread, in the turn that begins after it
/// arrived, first in, first out. Sending takes one short lock and, if the
/// loop sleeps, one system call. A handle does not keep the runtime alive.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::new()?;
/// let handle = rt.handle();
/// let other = std::thread::spawn(move || {
///     handle.call(|| println!("on the loop's thread")).unwrap();
///     handle.stop().unwrap();
/// });
/// rt.run()?;
/// other.join().unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Handle {
    door: Arc<TaskQueue<Post>>,
}

impl Handle {
    pub(super) fn new(door: Arc<TaskQueue<Post>>) -> Self {
        Handle { door }
    }

    /// The handle of the runtime that is entered on this thread.
    ///
    /// # Panics
    ///
    /// When none is.
    ///
    /// # Examples
    ///
    /// A task that has a thread answer:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Handle, Runtime, spawn};
    /// let mut rt = Runtime::new()?;
    /// rt.spawn(async {
    ///     let home = Handle::current();
    ///     std::thread::spawn(move || home.stop());
    /// })
    /// .detach();
    /// rt.run()
    /// # }
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        Handle::new(Arc::clone(&current().door))
    }

    /// The same, but `None` when no runtime is entered: for a library that
    /// works with and without one.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(tourbillon::Handle::try_current().is_none());
    /// let rt = tourbillon::Runtime::new()?;
    /// let _entered = rt.enter();
    /// assert!(tourbillon::Handle::try_current().is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_current() -> Option<Self> {
        try_current().map(|parts| Handle::new(Arc::clone(&parts.door)))
    }

    /// Has the loop call `callback` on its thread.
    ///
    /// # Errors
    ///
    /// When the runtime has shut down; `callback` is dropped here then.
    #[track_caller]
    pub fn call(&self, callback: impl FnOnce() + Send + 'static) -> Result<(), Closed> {
        self.send(Post::Call(Box::new(callback), Location::caller()))
    }

    /// Has the loop call `make` on its thread and spawn the future it
    /// returns. The future need not be `Send`: it never leaves that thread.
    ///
    /// # Errors
    ///
    /// When the runtime has shut down; `make` is dropped here then.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Runtime, sleep, stop};
    /// use std::{rc::Rc, time::Duration};
    ///
    /// let mut rt = Runtime::new()?;
    /// let handle = rt.handle();
    /// std::thread::spawn(move || {
    ///     handle.spawn(|| async {
    ///         let _not_send = Rc::new("made on the loop's thread, and stays there");
    ///         sleep(Duration::from_millis(1)).await;
    ///         stop();
    ///     })
    /// });
    /// rt.run()
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, make: impl FnOnce() -> F + Send + 'static) -> Result<(), Closed>
    where
        F: Future + 'static,
    {
        let place = Location::caller();
        self.send(Post::Call(
            Box::new(move || spawn_at(make(), Name::OfType, place).detach()),
            place,
        ))
    }

    /// Makes [`Runtime::run`](crate::Runtime::run) return after its turn.
    ///
    /// # Errors
    ///
    /// When the runtime has shut down.
    pub fn stop(&self) -> Result<(), Closed> {
        self.send(Post::Stop)
    }

    fn send(&self, post: Post) -> Result<(), Closed> {
        self.door.post(post).map_err(|_| Closed)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// The runtime has shut down.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{Closed, Runtime};
///
/// let rt = Runtime::new()?;
/// let handle = rt.handle();
/// drop(rt);
/// assert_eq!(handle.call(|| println!("too late")), Err(Closed));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime has shut down: nothing can be sent to it any more")
    }
}

impl std::error::Error for Closed {}

impl From<Closed> for std::io::Error {
    fn from(closed: Closed) -> Self {
        std::io::Error::new(std::io::ErrorKind::BrokenPipe, closed)
    }
}
