//! Tasks that end together: the nursery of trio, the TaskGroup of asyncio.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::executor::{JoinError, JoinHandle, Name};
use crate::runtime::{Parts, current, enter, wake_quietly};

/// Tasks of which none outlives the group, and whose first failure cancels
/// the others.
///
/// Every child gives a `Result`. When one gives an error or panics, the rest
/// are aborted at the start of the next turn, so those that fail later in the
/// same turn are heard as well. But a turn polls a hundred tasks or so, or for
/// 100 us: a child that was ready, and whose poll was left to the next turn, is
/// aborted unheard.
/// [`join`](TaskGroup::join) waits until all have ended, and then returns every
/// result or every failure. When the group is dropped instead, its children
/// are dropped there and then.
///
/// The results are kept until `join`. For an endless series of tasks, as the
/// connections of a server, let each give `()` and keep its failure to
/// itself, or use [`spawn`](crate::spawn).
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use tourbillon::{sleep, task::TaskGroup};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let group = TaskGroup::new();
///     for number in 1..=3 {
///         group.spawn(async move { Ok::<_, String>(number * number) });
///     }
///     assert_eq!(group.join().await.unwrap(), [1, 4, 9]);
///
///     let group = TaskGroup::new();
///     group.spawn(async {
///         sleep(Duration::from_secs(3600)).await;
///         Ok(())
///     });
///     group.spawn(async { Err("the second part is missing") });
///     let error = group.join().await.unwrap_err();
///     assert_eq!(error.failures.len(), 1, "and nobody has waited for an hour");
/// });
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping the group drops its tasks; await `join`"]
pub struct TaskGroup<T, E> {
    spawner: GroupSpawner<T, E>,
}

/// Spawns into a [`TaskGroup`] from elsewhere, such as from its children.
///
/// # Examples
///
/// A crawler: each page that is found is one more child.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::task::{GroupSpawner, TaskGroup};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// fn visit(page: u32, more: GroupSpawner<u32, String>) {
///     let others = more.clone();
///     more.spawn(async move {
///         for link in [2 * page, 2 * page + 1].into_iter().filter(|link| *link < 8) {
///             visit(link, others.clone());
///         }
///         Ok(page)
///     });
/// }
///
/// let group = TaskGroup::new();
/// visit(1, group.spawner());
/// assert_eq!(group.join().await.unwrap(), [1, 2, 3, 4, 5, 6, 7]);
/// # });
/// # Ok(())
/// # }
/// ```
pub struct GroupSpawner<T, E>(Rc<Group<T, E>>);

struct Group<T, E> {
    parts: Rc<Parts>,
    /// Those that have not said how they ended; the handle is missing only
    /// while a child is being spawned.
    children: RefCell<Slab<Option<JoinHandle<()>>>>,
    /// By the order in which they were spawned.
    results: RefCell<Vec<(u64, T)>>,
    failures: RefCell<Vec<Failure<E>>>,
    /// Those that ended without a word.
    lost: RefCell<Vec<JoinHandle<()>>>,
    spawned: Cell<u64>,
    /// Takes no more children; those that are left were told to end.
    closed: Cell<bool>,
    joining: Cell<Option<Waker>>,
}

impl<T: 'static, E: 'static> TaskGroup<T, E> {
    /// A group without tasks, of the current runtime.
    ///
    /// # Panics
    ///
    /// When no runtime is entered on this thread.
    #[track_caller]
    pub fn new() -> Self {
        let group = Group {
            parts: current(),
            children: RefCell::default(),
            results: RefCell::default(),
            failures: RefCell::default(),
            lost: RefCell::default(),
            spawned: Cell::new(0),
            closed: Cell::new(false),
            joining: Cell::new(None),
        };
        TaskGroup {
            spawner: GroupSpawner(Rc::new(group)),
        }
    }

    /// Spawns a child, to be polled first in the next turn.
    ///
    /// Returns whether it was taken: a group that has failed, or was
    /// cancelled, drops it instead.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> bool
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        self.spawner.spawn(future)
    }

    /// What children spawn further ones with.
    pub fn spawner(&self) -> GroupSpawner<T, E> {
        GroupSpawner(Rc::clone(&self.spawner.0))
    }

    /// Aborts all children, and takes no more. `join` then fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::task::TaskGroup;
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let group = TaskGroup::<(), String>::new();
    /// group.spawn(std::future::pending());
    /// assert!(group.len() == 1 && !group.is_empty());
    /// group.cancel();
    /// assert!(!group.spawn(async { Ok(()) }), "none is taken any more");
    /// assert!(group.join().await.unwrap_err().failures.is_empty());
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self) {
        self.group().close();
    }

    /// How many children have not ended.
    pub fn len(&self) -> usize {
        self.group().children.borrow().len()
    }

    /// Whether all children have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until all children have ended, also those that they spawn
    /// meanwhile. Returns what they gave, in the order they were spawned.
    ///
    /// # Errors
    ///
    /// If any child failed or the group was cancelled: everything that went
    /// wrong, in the order it did.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops all children, there and then.
    pub async fn join(self) -> Result<Vec<T>, GroupError<E>> {
        let group = self.group();
        poll_fn(|cx| group.poll_empty(cx)).await;
        let was_closed = group.closed.replace(true);
        let mut failures = group.failures.take();
        for child in group.lost.take() {
            let end = child.await;
            // Others were aborted by the group itself.
            failures.extend(end.err().filter(JoinError::is_panic).map(Failure::Lost));
        }
        if was_closed {
            return Err(GroupError { failures });
        }
        let mut results = group.results.take();
        results.sort_unstable_by_key(|(number, _)| *number);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    fn group(&self) -> &Group<T, E> {
        &self.spawner.0
    }
}

impl<T: 'static, E: 'static> Default for TaskGroup<T, E> {
    fn default() -> Self {
        TaskGroup::new()
    }
}

impl<T, E> Drop for TaskGroup<T, E> {
    fn drop(&mut self) {
        let group = &self.spawner.0;
        group.closed.set(true);
        let children = mem::take(&mut *group.children.borrow_mut());
        // What a child holds may do anything when it is dropped: nothing is
        // borrowed here, and the runtime catches what panics.
        let _entered = enter(&group.parts);
        for (_, child) in children {
            if let Some(child) = child {
                group.parts.drop_now(child.ticket());
            }
        }
    }
}

impl<T: 'static, E: 'static> GroupSpawner<T, E> {
    /// Spawns a child; see [`TaskGroup::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> bool
    where
        F: Future<Output = Result<T, E>> + 'static,
    {
        let group = &self.0;
        if group.closed.get() {
            return false;
        }
        let number = group.spawned.replace(group.spawned.get() + 1);
        let key = group.children.borrow_mut().insert(None);
        let report = Report {
            group: Rc::clone(group),
            key: Cell::new(Some(key)),
        };
        let child = group.parts.spawn(
            async move {
                let result = future.await;
                report.hand_in(number, result);
            },
            Name::OfType,
        );
        match group.children.borrow_mut().get_mut(key) {
            Some(place) => *place = Some(child),
            // It was dropped at once, as the runtime is shutting down; or the
            // group was, by a hook that heard of the spawn.
            None => {
                group.parts.drop_now(child.ticket());
                return false;
            }
        }
        if group.closed.get() {
            group.abort_all();
        }
        true
    }
}

impl<T: 'static, E: 'static> Group<T, E> {
    /// Tells all that are left to end.
    fn close(&self) {
        self.closed.set(true);
        self.abort_all();
    }

    /// The same, when this turn has ended.
    fn close_soon(self: &Rc<Self>) {
        if !self.closed.replace(true) {
            let group = Rc::clone(self);
            self.parts.call_soon(move || group.abort_all());
        }
    }

    /// Wakes whoever waits for the last child, once all there is to know of it
    /// is written down: a foreign waker may look at once.
    fn tell_if_empty(&self) {
        if self.children.borrow().is_empty()
            && let Some(waker) = self.joining.take()
        {
            wake_quietly(waker);
        }
    }

    fn abort_all(&self) {
        let children = self.children.borrow();
        children
            .iter()
            .filter_map(|(_, child)| child.as_ref())
            .for_each(JoinHandle::abort);
    }

    fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        // A foreign waker may run code when it is cloned or dropped: the
        // children are looked at afterwards.
        let before = self.joining.replace(Some(cx.waker().clone()));
        drop(before);
        match self.children.borrow().is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Says how a child has ended, when it is dropped at the latest.
struct Report<T: 'static, E: 'static> {
    group: Rc<Group<T, E>>,
    /// Used once: another child may get it after that.
    key: Cell<Option<usize>>,
}

impl<T: 'static, E: 'static> Report<T, E> {
    fn hand_in(self, number: u64, result: Result<T, E>) {
        let Some(child) = self.leave() else { return };
        match result {
            Ok(result) => self.group.results.borrow_mut().push((number, result)),
            Err(error) => {
                self.group.failures.borrow_mut().push(Failure::Error(error));
                self.group.close_soon();
            }
        }
        drop(child);
        self.group.tell_if_empty();
    }

    /// Takes the child out of the group. `None` if it is gone already, as
    /// the group was dropped.
    fn leave(&self) -> Option<Option<JoinHandle<()>>> {
        let key = self.key.take()?;
        self.group.children.borrow_mut().try_remove(key)
    }
}

impl<T: 'static, E: 'static> Drop for Report<T, E> {
    fn drop(&mut self) {
        // If it was not handed in, the child has panicked or was aborted: its
        // handle will know.
        if let Some(child) = self.leave() {
            self.group.lost.borrow_mut().extend(child);
            self.group.close_soon();
            self.group.tell_if_empty();
        }
    }
}

/// How a child of a group has failed.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::task::{Failure, TaskGroup};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let group = TaskGroup::<(), &str>::new();
/// group.spawn(async { Err("no such gear") });
/// for failure in group.join().await.unwrap_err().failures {
///     match failure {
///         Failure::Error(error) => assert_eq!(error, "no such gear"),
///         Failure::Lost(panic) => std::panic::resume_unwind(panic.into_panic().unwrap()),
///     }
/// }
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Failure<E> {
    /// It gave this error.
    Error(E),
    /// It panicked.
    Lost(JoinError),
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error(error) => error.fmt(f),
            Failure::Lost(error) => error.fmt(f),
        }
    }
}

/// What went wrong in a [`TaskGroup`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::task::{GroupError, TaskGroup};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let group = TaskGroup::<(), &str>::new();
/// group.spawn(std::future::pending());
/// group.spawn(async { Err("no such gear") });
/// let error: GroupError<&str> = group.join().await.unwrap_err();
/// assert_eq!(error.failures.len(), 1);
/// assert_eq!(error.to_string(), "a task of the group failed: no such gear");
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GroupError<E> {
    /// Every failure: first the errors, in the order they came, then the
    /// panics. Empty if the group was cancelled, by
    /// [`cancel`](TaskGroup::cancel) or with its runtime.
    pub failures: Vec<Failure<E>>,
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failures[..] {
            [] => f.write_str("the group of tasks was cancelled"),
            [failure] => write!(f, "a task of the group failed: {failure}"),
            [first, rest @ ..] => {
                let count = rest.len() + 1;
                write!(f, "{count} tasks of the group failed, first: {first}")
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for GroupError<E> {}

impl<T, E> Clone for GroupSpawner<T, E> {
    fn clone(&self) -> Self {
        GroupSpawner(Rc::clone(&self.0))
    }
}

impl<T, E> fmt::Debug for GroupSpawner<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let children = self.0.children.borrow().len();
        f.debug_struct("GroupSpawner")
            .field("children", &children)
            .field("closed", &self.0.closed.get())
            .finish()
    }
}

impl<T, E> fmt::Debug for TaskGroup<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskGroup").field(&self.spawner).finish()
    }
}
