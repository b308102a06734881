//! A value for one task at a time.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::error::TryAcquireError;
use super::semaphore::{Semaphore, SemaphorePermit};

/// A lock that may be held across an await. First come, first served.
///
/// It is needed where several tasks await in the middle of what they do with
/// a value; without an await in between, a `RefCell` does. It is not
/// poisoned: when a holder panics, the next finds the value as it was left.
/// Who locks it twice waits for ever.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::rc::Rc;
/// use tourbillon::sync::Mutex;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let count = Rc::new(Mutex::new(0));
/// let shared = Rc::clone(&count);
/// rt.block_on(async {
///     let task = tourbillon::spawn(async move { *shared.lock().await += 1 });
///     let mut guard = count.lock().await;
///     let before = *guard;
///     tourbillon::yield_now().await;
///     *guard = before + 1;
///     drop(guard);
///     task.await.unwrap();
///     assert_eq!(*count.lock().await, 2);
/// });
/// # Ok(())
/// # }
/// ```
pub struct Mutex<T: ?Sized> {
    turn: Semaphore,
    /// Borrowed by whoever has the one permit of `turn`.
    value: RefCell<T>,
}

impl<T> Mutex<T> {
    /// Makes a lock that nobody holds.
    pub fn new(value: T) -> Self {
        Mutex {
            turn: Semaphore::new(1),
            value: RefCell::new(value),
        }
    }

    /// Gives the value back.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::sync::Mutex;
    /// let mut log = Mutex::new(vec!["begins"]);
    /// log.get_mut().push("ends"); // nobody can hold it: no lock
    /// assert_eq!(log.into_inner(), ["begins", "ends"]);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the lock is free, and takes it.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the line. If the lock had been given to it,
    /// it goes to the next.
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        let permit = self.turn.acquire().await;
        self.guard(permit.expect("nobody can close the semaphore of a mutex"))
    }

    /// Takes the lock if nobody holds it or waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::sync::Mutex;
    /// let printer = Mutex::new(0);
    /// let mut job = printer.try_lock().expect("nobody prints");
    /// *job += 1;
    /// assert!(printer.try_lock().is_none());
    /// drop(job);
    /// assert_eq!(printer.try_lock().as_deref(), Some(&1));
    /// ```
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.turn.try_acquire() {
            Ok(permit) => Some(self.guard(permit)),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => None,
        }
    }

    /// The value, which nobody else can hold while the lock is borrowed
    /// mutably.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn guard<'a>(&'a self, permit: SemaphorePermit<'a>) -> MutexGuard<'a, T> {
        MutexGuard {
            value: self.value.borrow_mut(),
            _permit: permit,
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex")
            .field("turn", &self.turn)
            .field("value", &&self.value)
            .finish()
    }
}

/// The value of a [`Mutex`], which is unlocked when this is dropped.
///
/// # Examples
///
/// For a function that must be called with the lock held:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::{Mutex, MutexGuard};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// fn withdraw(account: &mut MutexGuard<'_, u32>, amount: u32) {
///     **account -= amount;
/// }
///
/// let account = Mutex::new(100);
/// withdraw(&mut account.lock().await, 30);
/// assert_eq!(*account.lock().await, 70);
/// # });
/// # Ok(())
/// # }
/// ```
#[must_use = "the mutex is unlocked when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    // Released before the permit is, since a waker may take the lock at once.
    value: RefMut<'a, T>,
    _permit: SemaphorePermit<'a>,
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
