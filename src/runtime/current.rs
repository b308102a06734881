//! How `spawn` and its like find the runtime: a thread-local.
//!
//! It is set while a turn runs and while a guard of [`Runtime::enter`] lives.
//! Guards nest, so that a loop may be turned inside a task of another.
//!
//! [`Runtime::enter`]: crate::Runtime::enter

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

use super::parts::Parts;
use crate::executor::{self, Entered, Executor};

thread_local! {
    /// Never dropped by the thread's end, so that a runtime which is kept in
    /// another thread-local can end there. Guards leave `None` behind.
    static CURRENT: RefCell<ManuallyDrop<Option<Rc<Parts>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
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

/// The executor of the runtime that is entered on this thread, alone.
///
/// # Panics
///
/// When none is.
#[inline]
#[track_caller]
pub(super) fn current_executor() -> Rc<Executor> {
    let executor = CURRENT.with(|current| {
        let current = current.borrow();
        current.as_ref().map(|parts| Rc::clone(&parts.executor))
    });
    executor.unwrap_or_else(|| Rc::clone(&current().executor))
}

/// The same, or nothing.
pub(crate) fn try_current() -> Option<Rc<Parts>> {
    CURRENT.with(|current| Option::clone(&current.borrow()))
}

/// While this lives, free functions such as [`spawn`](crate::spawn) go to
/// the runtime it came from.
///
/// Guards may be nested and must be dropped in reverse order.
#[derive(Debug)]
#[must_use = "the runtime is left again when the guard is dropped"]
pub struct EnterGuard {
    before: Option<Rc<Parts>>,
    executor: Option<Entered>,
}

pub(super) fn enter(parts: &Rc<Parts>) -> EnterGuard {
    EnterGuard {
        before: ManuallyDrop::into_inner(
            CURRENT.replace(ManuallyDrop::new(Some(Rc::clone(parts)))),
        ),
        executor: Some(executor::enter(Rc::clone(&parts.executor))),
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        drop(self.executor.take());
        let before = ManuallyDrop::new(self.before.take());
        drop(ManuallyDrop::into_inner(CURRENT.replace(before)));
    }
}
