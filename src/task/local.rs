//! Values that go with a task: Python's context variables.
//!
//! The hard fact: a value is in force while the future it was given to is
//! polled, and at no other time. So there is nothing to clean up after, two
//! tasks never see each other's, and a future that is polled by another task
//! takes its values along.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;

thread_local! {
    /// What is in force now, innermost last: the key's address, and a value.
    static CONTEXT: RefCell<Vec<(usize, Rc<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

/// A value that each task may have its own of: declared as a `static`, given
/// to a future with [`scope`](TaskLocal::scope), seen by everything that
/// future calls.
///
/// A task that is spawned inside does not see it, unless what it runs was
/// wrapped by [`inherit`]. The tasks of another runtime that is turned inside
/// do see it.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::spawn;
/// use tourbillon::task::{TaskLocal, inherit};
///
/// static REQUEST: TaskLocal<u64> = TaskLocal::new();
///
/// async fn log(line: &str) -> String {
///     match REQUEST.get() {
///         Some(number) => format!("#{number} {line}"),
///         None => format!("- {line}"),
///     }
/// }
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(REQUEST.scope(7, async {
///     assert_eq!(log("begins").await, "#7 begins");
///     assert_eq!(spawn(log("apart")).await.unwrap(), "- apart");
///     assert_eq!(spawn(inherit(log("on behalf"))).await.unwrap(), "#7 on behalf");
/// }));
/// # Ok(())
/// # }
/// ```
pub struct TaskLocal<T: 'static> {
    /// It has an address, so that no two statics share one.
    _place: u8,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> TaskLocal<T> {
    /// A key without a value.
    pub const fn new() -> Self {
        TaskLocal {
            _place: 0,
            value: PhantomData,
        }
    }

    fn key(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Awaits `future`, and has it see `value` here whenever it is polled.
    /// An inner scope hides an outer one.
    ///
    /// What the future holds is dropped outside of the scope.
    ///
    /// # Cancellation
    ///
    /// Dropping it drops `future` and `value`.
    pub async fn scope<F: Future>(&'static self, value: T, future: F) -> F::Output {
        let value: Rc<dyn Any> = Rc::new(value);
        within(vec![(self.key(), value)], future).await
    }

    /// Calls `look` with the value in force, or with `None`.
    ///
    /// # Examples
    ///
    /// A value that cannot be copied:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::task::TaskLocal;
    /// use std::cell::RefCell;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// static TRACE: TaskLocal<RefCell<Vec<&str>>> = TaskLocal::new();
    ///
    /// fn note(step: &'static str) {
    ///     TRACE.with(|trace| trace.expect("within a scope").borrow_mut().push(step));
    /// }
    ///
    /// let seen = TRACE.scope(RefCell::default(), async {
    ///     note("wound");
    ///     note("ticking");
    ///     TRACE.with(|trace| trace.map(RefCell::take))
    /// });
    /// assert_eq!(seen.await, Some(vec!["wound", "ticking"]));
    /// # });
    /// # Ok(())
    /// # }
    /// ```
    pub fn with<R>(&'static self, look: impl FnOnce(Option<&T>) -> R) -> R {
        let key = self.key();
        let found = CONTEXT.with_borrow(|context| {
            let values = context.iter().rev();
            let mut found = values.filter(|(at, _)| *at == key);
            found.next().map(|(_, value)| Rc::clone(value))
        });
        // With nothing borrowed: `look` may do anything.
        look(found.as_ref().and_then(|value| value.downcast_ref()))
    }

    /// A copy of the value in force, if there is one.
    pub fn get(&'static self) -> Option<T>
    where
        T: Clone,
    {
        self.with(|value| value.cloned())
    }
}

impl<T: 'static> Default for TaskLocal<T> {
    fn default() -> Self {
        TaskLocal::new()
    }
}

impl<T: 'static> fmt::Debug for TaskLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocal").finish_non_exhaustive()
    }
}

/// Takes along all values that are in force now: a task spawned with what
/// this returns sees them as its parent does.
///
/// # Cancellation
///
/// Dropping it drops `future`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::spawn;
/// use tourbillon::task::{TaskLocal, inherit};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// static USER: TaskLocal<&str> = TaskLocal::new();
///
/// USER.scope("Ada", async {
///     let child = spawn(inherit(async { USER.get() }));
///     let stranger = spawn(async { USER.get() });
///     assert_eq!((child.await.unwrap(), stranger.await.unwrap()), (Some("Ada"), None));
/// })
/// .await;
/// # });
/// # Ok(())
/// # }
/// ```
pub fn inherit<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let mut seen = Vec::<(usize, Rc<dyn Any>)>::new();
    CONTEXT.with_borrow(|context| {
        // Innermost first, and no value that another one hides.
        for (key, value) in context.iter().rev() {
            if seen.iter().all(|(known, _)| known != key) {
                seen.push((*key, Rc::clone(value)));
            }
        }
    });
    within(seen, future)
}

async fn within<F: Future>(values: Vec<(usize, Rc<dyn Any>)>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _scope = Scope::enter(&values);
        future.as_mut().poll(cx)
    })
    .await
}

/// Takes its values out of force when it is dropped, also by a panic.
struct Scope {
    outer: usize,
}

impl Scope {
    fn enter(values: &[(usize, Rc<dyn Any>)]) -> Self {
        CONTEXT.with_borrow_mut(|context| {
            let outer = context.len();
            context.extend_from_slice(values);
            Scope { outer }
        })
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // Gone with its thread: then so are the values.
        let inner = CONTEXT.try_with(|context| context.borrow_mut().split_off(self.outer));
        // With nothing borrowed: a value may be the last of its kind, and its
        // drop may look at others.
        drop(inner);
    }
}
