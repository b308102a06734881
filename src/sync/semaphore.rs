//! Permits that tasks take and give back; what the other locks and the channels are made of.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::error::{AcquireError, TryAcquireError};
use super::waiters::{Place, Standing, Waiters};
use crate::runtime::wake_quietly;
use crate::watch::{WaitKind, waits_for};

/// A number of permits. Who finds too few waits in line.
///
/// Who wants many permits is not starved by those who want few: nobody is
/// served before the first in line, and so permits may lie idle until there
/// are enough for it.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::rc::Rc;
/// use tourbillon::sync::Semaphore;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let lanes = Rc::new(Semaphore::new(2));
/// rt.block_on(async {
///     for _ in 0..10 {
///         let permit = Rc::clone(&lanes).acquire_owned().await.unwrap();
///         tourbillon::spawn(async move {
///             tourbillon::yield_now().await; // two of them at a time
///             drop(permit);
///         })
///         .detach();
///     }
///     let _all = lanes.acquire_many(2).await.unwrap(); // the last has ended
/// });
/// # Ok(())
/// # }
/// ```
pub struct Semaphore {
    available: Cell<usize>,
    is_closed: Cell<bool>,
    waiters: Waiters,
    /// What those say who wait, when they are asked.
    waits: WaitKind,
}

impl Semaphore {
    /// Makes a semaphore with so many permits.
    pub fn new(permits: usize) -> Self {
        Self::waited_for_as(WaitKind::Lock, permits)
    }

    /// The same, as a part of something else.
    pub(super) fn waited_for_as(waits: WaitKind, permits: usize) -> Self {
        Semaphore {
            available: Cell::new(permits),
            is_closed: Cell::new(false),
            waiters: Waiters::default(),
            waits,
        }
    }

    /// How many permits nobody has. There may be some while somebody waits,
    /// who then wants more than that.
    pub fn available_permits(&self) -> usize {
        self.available.get()
    }

    /// Adds permits, or gives back those of permits that were
    /// [forgotten](SemaphorePermit::forget).
    ///
    /// # Panics
    ///
    /// When there would be more than `usize::MAX`.
    ///
    /// # Examples
    ///
    /// More workers, more work at a time:
    ///
    /// ```
    /// # use tourbillon::sync::Semaphore;
    /// let slots = Semaphore::new(1);
    /// slots.add_permits(2);
    /// let two = slots.try_acquire_many(2).unwrap();
    /// assert_eq!(slots.available_permits(), 1);
    /// drop(two);
    /// assert_eq!(slots.available_permits(), 3);
    /// assert!(!slots.is_closed());
    /// ```
    pub fn add_permits(&self, count: usize) {
        let has_place = self.available.get().checked_add(count).is_some();
        assert!(has_place, "a semaphore has at most usize::MAX permits");
        self.give_back(count);
    }

    /// Serves those in line for as long as there is enough for the first.
    fn give_back(&self, count: usize) {
        // Too many only if some were added that it never had.
        let available = self.available.get().saturating_add(count);
        self.available.set(available);
        while let Some((count, waker)) = self.waiters.choose(self.available.get()) {
            self.available.set(self.available.get() - count);
            wake_quietly(waker);
        }
    }

    /// Ends all waiting: those in line, and whoever comes from now on, get an
    /// error. Permits that somebody has been given stay valid.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::sync::{Semaphore, TryAcquireError};
    ///
    /// let tickets = Semaphore::new(1);
    /// let ticket = tickets.try_acquire().unwrap();
    /// assert_eq!(tickets.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// drop(ticket);
    /// tickets.close();
    /// assert_eq!(tickets.try_acquire().unwrap_err(), TryAcquireError::Closed);
    /// ```
    pub fn close(&self) {
        self.is_closed.set(true);
        self.waiters.release_all();
    }

    /// Whether it has been closed.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Waits for a permit; not at all if there is one and nobody waits.
    ///
    /// # Errors
    ///
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the line. Permits it had been given and has
    /// not taken go to the next in line.
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for `count` permits at once. It waits for as long as there are
    /// fewer, which may be for ever.
    ///
    /// # Errors
    ///
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        Acquire {
            semaphore: self,
            count,
            place: Place::default(),
        }
    }

    /// Waits for a permit that may outlive the borrow of the semaphore, as a
    /// task's must.
    ///
    /// # Errors
    ///
    /// When the semaphore is closed.
    ///
    /// # Cancellation
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_owned(self: Rc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire().await?.forget();
        Ok(OwnedSemaphorePermit(Some(self)))
    }

    /// Takes a permit if there is one and nobody waits.
    ///
    /// # Errors
    ///
    /// When there is none for the caller, or the semaphore is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits at once if there are as many and nobody waits.
    ///
    /// # Errors
    ///
    /// When there are fewer for the caller, or the semaphore is closed.
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        match self.take(count) {
            Some(Ok(())) => Ok(SemaphorePermit {
                semaphore: self,
                count,
            }),
            Some(Err(AcquireError)) => Err(TryAcquireError::Closed),
            None => Err(TryAcquireError::NoPermits),
        }
    }

    /// `None` if one would have to wait.
    fn take(&self, count: usize) -> Option<Result<(), AcquireError>> {
        if self.is_closed() {
            return Some(Err(AcquireError));
        }
        let left = self.available.get().checked_sub(count)?;
        if self.waiters.len() > 0 {
            return None;
        }
        self.available.set(left);
        Some(Ok(()))
    }

    /// Takes `count` permits, or waits for them at `place`.
    pub(super) fn poll_acquire(
        &self,
        count: usize,
        place: &Place,
        cx: &Context<'_>,
    ) -> Poll<Result<(), AcquireError>> {
        let polled = self
            .waiters
            .poll(place, count, cx, |standing| match standing {
                Standing::Outside => self.take(count),
                Standing::Chosen => Some(Ok(())),
                Standing::Released => Some(Err(AcquireError)),
            });
        if polled.is_pending() {
            waits_for(self.waits, 0);
        }
        polled
    }

    /// Gives up `place`. What it had been given goes to the next in line; if
    /// it was in line, those behind may have waited for it alone.
    pub(super) fn give_up(&self, place: &Place) {
        if let Some(count) = self.waiters.leave(place) {
            self.give_back(count);
        }
    }

    /// How many are in line, or have been served and have not come yet.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.waiters.held()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available.get())
            .field("closed", &self.is_closed.get())
            .field("waiting", &self.waiters.len())
            .finish()
    }
}

/// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::sync::{Acquire, Semaphore};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let doors = Semaphore::new(1);
/// let next: Acquire<'_> = doors.acquire(); // stands in line when it is polled
/// let first = doors.acquire().await.unwrap();
/// drop(first);
/// assert!(next.await.is_ok());
/// # });
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing until it is awaited"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    count: usize,
    place: Place,
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<SemaphorePermit<'a>, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Acquire {
            semaphore, count, ..
        } = *self;
        semaphore
            .poll_acquire(count, &self.place, cx)
            .map_ok(|()| SemaphorePermit { semaphore, count })
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        self.semaphore.give_up(&self.place);
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("semaphore", self.semaphore)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Permits of a [`Semaphore`], given back when this is dropped.
///
/// # Examples
///
/// A connection that broke does not go back to the pool:
///
/// ```
/// use tourbillon::sync::{Semaphore, SemaphorePermit};
///
/// fn give_back(connection: SemaphorePermit<'_>, is_broken: bool) {
///     if is_broken {
///         connection.forget();
///     }
/// }
///
/// let pool = Semaphore::new(2);
/// give_back(pool.try_acquire().unwrap(), false);
/// give_back(pool.try_acquire().unwrap(), true);
/// assert_eq!(pool.available_permits(), 1);
/// ```
#[derive(Debug)]
#[must_use = "the permit is given back when it is dropped"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl SemaphorePermit<'_> {
    /// Never gives the permits back: the semaphore has so many fewer.
    pub fn forget(self) {
        mem::forget(self);
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.give_back(self.count);
    }
}

/// One permit of a [`Semaphore`] that is kept alive by it; given back when
/// this is dropped.
///
/// # Examples
///
/// It can go where a borrow cannot, such as into a task:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::rc::Rc;
/// use tourbillon::{spawn, sync::OwnedSemaphorePermit, sync::Semaphore};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// async fn work(slot: OwnedSemaphorePermit) {
///     slot.forget(); // ... and this one is never given back
/// }
///
/// let slots = Rc::new(Semaphore::new(2));
/// let slot = Rc::clone(&slots).acquire_owned().await.unwrap();
/// spawn(work(slot)).await.unwrap();
/// assert_eq!(slots.available_permits(), 1);
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the permit is given back when it is dropped"]
pub struct OwnedSemaphorePermit(Option<Rc<Semaphore>>);

impl OwnedSemaphorePermit {
    /// Never gives the permit back: the semaphore has one fewer.
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        if let Some(semaphore) = &self.0 {
            semaphore.give_back(1);
        }
    }
}
