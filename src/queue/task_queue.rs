//! The one door into the loop from outside its thread.
//!
//! The hard fact: a sender must ring the bell if the loop sleeps, and must
//! not pay a system call if it does not. The handshake that decides this is
//! where runtimes lose wakes (a flag read here, a queue read there, and an
//! order in between that only the memory model knows). So the flag lives
//! under the same mutex as the posts: `park` sets `parked` only if nothing
//! waits, and the sender that finds it set clears it and rings. There is no
//! third case and nothing to fence.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Posts from any thread, taken out whole by the loop thread.
pub(crate) struct TaskQueue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Whether anything waits, readable without the lock. Only a hint: a
    /// stale `false` delays a post by a turn, since `park` looks again under
    /// the lock before the loop may sleep.
    hint: AtomicBool,
    ring: Box<dyn Fn() + Send + Sync>,
}

struct Waiting<T> {
    posts: Vec<T>,
    /// The loop sleeps, or is about to: whoever posts must ring.
    parked: bool,
    closed: bool,
}

impl<T> TaskQueue<T> {
    /// Makes an empty queue whose loop can be roused by `ring`.
    ///
    /// The loop counts as parked from the start, so that a post made before
    /// its first turn is seen by a host that sleeps on the runtime's fd.
    pub(crate) fn new(ring: impl Fn() + Send + Sync + 'static) -> Self {
        let waiting = Waiting {
            posts: Vec::new(),
            parked: true,
            closed: false,
        };
        TaskQueue {
            waiting: Mutex::new(waiting),
            hint: AtomicBool::new(false),
            ring: Box::new(ring),
        }
    }

    /// Adds `post`, and rings if the loop is parked. Any thread.
    ///
    /// Gives the post back when the queue is closed.
    pub(crate) fn post(&self, post: T) -> Result<(), T> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(post);
        }
        waiting.posts.push(post);
        let ring = std::mem::take(&mut waiting.parked);
        self.hint.store(true, Ordering::Relaxed);
        drop(waiting);
        if ring {
            (self.ring)();
        }
        Ok(())
    }

    /// Rouses a loop that is parked, and posts nothing. Any thread.
    pub(crate) fn rouse(&self) {
        let ring = std::mem::take(&mut self.lock().parked);
        if ring {
            (self.ring)();
        }
    }

    /// Whether something waits, by the hint: no lock is taken.
    pub(crate) fn seems_empty(&self) -> bool {
        !self.hint.load(Ordering::Relaxed)
    }

    /// How many posts wait. Any thread.
    pub(crate) fn len(&self) -> usize {
        self.lock().posts.len()
    }

    /// Moves all posts into `into`, which must be empty, and says that the
    /// loop is awake. Loop thread.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        debug_assert!(into.is_empty(), "the last batch was not finished");
        let mut waiting = self.lock();
        waiting.parked = false;
        self.hint.store(false, Ordering::Relaxed);
        std::mem::swap(&mut waiting.posts, into);
    }

    /// Says that the loop is about to sleep, unless something waits. Returns
    /// whether it may. Loop thread.
    pub(crate) fn park(&self) -> bool {
        let mut waiting = self.lock();
        waiting.parked = waiting.posts.is_empty();
        waiting.parked
    }

    /// Refuses posts from now on and returns those that waited.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.parked = false;
        self.hint.store(false, Ordering::Relaxed);
        std::mem::take(&mut waiting.posts)
    }

    /// Nothing panics while the lock is held but a failed allocation, and a
    /// vector is whole then too: poison carries no news here.
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for TaskQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.lock();
        f.debug_struct("TaskQueue")
            .field("posts", &waiting.posts.len())
            .field("parked", &waiting.parked)
            .field("closed", &waiting.closed)
            .finish_non_exhaustive()
    }
}
