//! How `spawn` and its like find the runtime: a thread-local.
//!
//! It is set while a turn runs and while a guard of [`Runtime::enter`] lives.
//! Guards nest, so that a loop may be turned inside a task of another.
//!
//! [`Runtime::enter`]: crate::Runtime::enter

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::parts::Parts;
use crate::executor::{self, Entered, Executor};

thread_local! {
    /// Taken out and put back for each look, which costs less than a borrow.
    ///
    /// Never dropped by the thread's end, so that a runtime which is kept in
    /// another thread-local can end there. Guards leave `None` behind.
    static CURRENT: Cell<Option<ManuallyDrop<Rc<Parts>>>> = const { Cell::new(None) };
}

/// What `look` makes of the parts of the current runtime, if there is one.
#[inline]
fn look<T>(look: impl FnOnce(&Rc<Parts>) -> T) -> Option<T> {
    CURRENT.with(|current| {
        let parts = current.take()?;
        let seen = look(&parts);
        current.set(Some(parts));
        Some(seen)
    })
}

/// The parts of the runtime that is entered on this thread.
///
/// # Panics
///
/// When none is.
#[inline]
#[track_caller]
pub(crate) fn current() -> Rc<Parts> {
    match try_current() {
        Some(parts) => parts,
        None => panic!(
            "no tourbillon runtime is entered on this thread: call this from a task or a \
             callback of one, or hold the guard of Runtime::enter()"
        ),
    }
}

/// The executor of the runtime that is entered on this thread, alone, and
/// whether there is a hook for tasks.
///
/// # Panics
///
/// When none is.
#[inline]
#[track_caller]
pub(super) fn current_executor() -> (Rc<Executor>, bool) {
    let of = |parts: &Rc<Parts>| (Rc::clone(&parts.executor), parts.task_hook.is_some());
    look(of).unwrap_or_else(|| of(&current()))
}

/// The parts of the runtime that is entered on this thread, or nothing.
#[inline]
pub(crate) fn try_current() -> Option<Rc<Parts>> {
    look(Rc::clone)
}

/// While this lives, free functions such as [`spawn`](crate::spawn) go to
/// the runtime it came from.
///
/// Guards may be nested and must be dropped in reverse order.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::{Runtime, spawn};
///
/// let mut rt = Runtime::new()?;
/// let task = {
///     let _guard = rt.enter();
///     spawn(async { 42 }) // without it: a panic
/// };
/// assert_eq!(rt.block_on(task).unwrap(), 42);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the runtime is left again when the guard is dropped"]
pub struct EnterGuard {
    before: Option<ManuallyDrop<Rc<Parts>>>,
    executor: Option<Entered>,
}

pub(crate) fn enter(parts: &Rc<Parts>) -> EnterGuard {
    EnterGuard {
        before: CURRENT.replace(Some(ManuallyDrop::new(Rc::clone(parts)))),
        executor: Some(executor::enter(Rc::clone(&parts.executor))),
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        drop(self.executor.take());
        let left = CURRENT.replace(self.before.take());
        drop(left.map(ManuallyDrop::into_inner));
    }
}

thread_local! {
    /// Whether a loop turns on this thread: what runs now is its task or
    /// callback.
    static TURNING: Cell<bool> = const { Cell::new(false) };
}

/// While this lives, a loop turns on this thread.
#[derive(Debug)]
pub(super) struct Turning {
    before: bool,
}

impl Turning {
    /// For one who may turn a loop inside a task of another, as long as he
    /// does not sleep in it.
    pub(super) fn begin() -> Self {
        Turning {
            before: TURNING.replace(true),
        }
    }

    /// For one who turns a loop until something has happened.
    ///
    /// # Panics
    ///
    /// When another loop turns on this thread already.
    #[track_caller]
    pub(super) fn begin_blocking(what: &str) -> Self {
        assert!(
            !TURNING.get(),
            "{what} was called inside a task or a callback of another runtime, whose loop would \
             stand still meanwhile: await instead, turn the inner one with \
             Runtime::turn(Some(Duration::ZERO)), or give it a thread of its own"
        );
        Self::begin()
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        TURNING.set(self.before);
    }
}
