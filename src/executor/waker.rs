//! Wakers that are integers, and where a wake goes.
//!
//! A wake on the loop's own thread finds the executor through a
//! thread-local, compares a number, sets a flag and pushes a slot: no atomic
//! read-modify-write, no lock, no allocation. From anywhere else the ticket
//! goes through the registry to its runtime's task queue. If that runtime is
//! gone, its place in the registry is empty and nothing happens.

#![expect(
    unsafe_code,
    reason = "std builds a Waker from raw parts only; see `waker` below"
)]

use std::cell::Cell;
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};

use super::tasks::Executor;
use super::ticket::Ticket;

thread_local! {
    /// The executor whose runtime is entered on this thread. It is taken out
    /// and put back for each wake, which costs less than a borrow.
    ///
    /// Never dropped by the thread's end: what needs no destructor costs no
    /// check at each access. Guards leave `None` behind.
    static ENTERED: Cell<Option<ManuallyDrop<Rc<Executor>>>> = const { Cell::new(None) };
}

/// Restores what was entered before, also when a panic unwinds through it.
#[derive(Debug)]
pub(crate) struct Entered {
    before: Option<ManuallyDrop<Rc<Executor>>>,
}

/// Makes `executor` the one that local wakes go to until the guard is
/// dropped. Guards nest, and must be dropped in reverse order.
pub(crate) fn enter(executor: Rc<Executor>) -> Entered {
    Entered {
        before: ENTERED.replace(Some(ManuallyDrop::new(executor))),
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let entered = ENTERED.replace(self.before.take());
        drop(entered.map(ManuallyDrop::into_inner));
    }
}

/// Wakes the task that `ticket` names, wherever this is called.
#[inline]
fn wake(ticket: Ticket) {
    let woken_here = ENTERED.try_with(|entered| {
        let Some(executor) = entered.take() else {
            return false;
        };
        let is_ours = executor.number() == ticket.runtime();
        if is_ours {
            executor.wake(ticket);
        }
        entered.set(Some(executor));
        is_ours
    });
    if woken_here != Ok(true) {
        wake_from_afar(ticket);
    }
}

type RemoteWake = Arc<dyn Fn(Ticket) + Send + Sync>;

/// By runtime number: how to send a wake there from another thread.
struct Registry {
    wakes: Vec<Option<RemoteWake>>,
    last: u16,
}

static REGISTRY: RwLock<Registry> = RwLock::new(Registry {
    wakes: Vec::new(),
    last: 0,
});

#[cold]
fn wake_from_afar(ticket: Ticket) {
    let registry = REGISTRY.read().unwrap_or_else(PoisonError::into_inner);
    let wake = registry.wakes.get(usize::from(ticket.runtime())).cloned();
    // Not held across the call: the last clone of a runtime's wake may free
    // its task queue, and with it callbacks of the user's.
    drop(registry);
    if let Some(Some(wake)) = wake {
        wake(ticket);
    }
}

/// A runtime's place in the registry, given back on drop.
#[derive(Debug)]
pub(crate) struct Registration {
    number: u16,
}

impl Registration {
    /// The number that this runtime's tickets carry. Never zero.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Takes a number for a runtime whose wakes from other threads go to `wake`.
///
/// A number comes again only after all the others were given out, so that a
/// waker leaked by a dead runtime does not soon meet a living one.
///
/// # Errors
///
/// When 65,535 runtimes are alive in this process.
pub(crate) fn register(wake: impl Fn(Ticket) + Send + Sync + 'static) -> io::Result<Registration> {
    let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
    let mut number = registry.last;
    for _ in 0..u16::MAX {
        number = number.checked_add(1).unwrap_or(1);
        let index = usize::from(number);
        if registry.wakes.len() <= index {
            registry.wakes.resize_with(index + 1, || None);
        }
        if registry.wakes[index].is_none() {
            registry.wakes[index] = Some(Arc::new(wake));
            registry.last = number;
            return Ok(Registration { number });
        }
    }
    Err(io::Error::other(
        "65,535 runtimes are alive in this process: drop some before making more",
    ))
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut registry = REGISTRY.write().unwrap_or_else(PoisonError::into_inner);
        let wake = registry.wakes[usize::from(self.number)].take();
        drop(registry);
        drop(wake);
    }
}

#[cfg(target_pointer_width = "64")]
mod raw {
    use std::ptr;
    use std::task::{RawWaker, RawWakerVTable, Waker};

    use super::{Ticket, wake};
    use crate::watch::waker_cloned;

    /// One static table, so that `Waker::will_wake` compares equal for equal
    /// tickets: a promoted constant may have several addresses.
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake_word, wake_word, forget);

    fn clone(word: *const ()) -> RawWaker {
        waker_cloned();
        RawWaker::new(word, &TABLE)
    }

    fn wake_word(word: *const ()) {
        wake(Ticket::from_bits(word.addr() as u64));
    }

    fn forget(_word: *const ()) {}

    /// A waker for the task that `ticket` names. Costs nothing to make, to
    /// clone and to drop.
    #[inline]
    pub(crate) fn waker(ticket: Ticket) -> Waker {
        let word = ptr::without_provenance(ticket.to_bits() as usize);
        // SAFETY: the contract of RawWaker asks that the table's functions be
        // thread-safe and manage what the word owns. The word is an integer
        // that owns nothing and is never dereferenced; `wake` may be called
        // on any thread.
        unsafe { Waker::from_raw(RawWaker::new(word, &TABLE)) }
    }

    /// The ticket that a waker of ours carries. As good as a clone of it, and
    /// half as large.
    #[inline]
    pub(crate) fn ticket_in(waker: &Waker) -> Option<Ticket> {
        let is_ours = ptr::eq(waker.vtable(), &TABLE);
        is_ours.then(|| Ticket::from_bits(waker.data().addr() as u64))
    }
}

#[cfg(not(target_pointer_width = "64"))]
mod raw {
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    use super::{Ticket, wake};

    struct Carried(Ticket);

    impl Wake for Carried {
        fn wake(self: Arc<Self>) {
            wake(self.0);
        }

        fn wake_by_ref(self: &Arc<Self>) {
            wake(self.0);
        }
    }

    /// A waker for the task that `ticket` names. A word of 32 bits does not
    /// hold a safe ticket, so here it is carried in an `Arc`.
    pub(crate) fn waker(ticket: Ticket) -> Waker {
        Waker::from(Arc::new(Carried(ticket)))
    }

    /// Nobody looks into an `Arc`.
    pub(crate) fn ticket_in(_waker: &Waker) -> Option<Ticket> {
        None
    }
}

pub(super) use raw::ticket_in;
pub(crate) use raw::waker;
