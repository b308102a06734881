//! Channels and locks for tasks of one thread.
//!
//! ```text
//!   waiters ── who waits, first come, first served
//!      ├── Event       lets everybody go
//!      ├── Barrier     lets everybody go, once enough have come
//!      ├── CancellationToken   lets everybody go for good, and all below it
//!      ├── Notify      wakes the first, or all; keeps one permit
//!      └── Semaphore   serves the first, once there is enough for it
//!             ├── Mutex     one permit, and a value behind it
//!             └── channel   two semaphores: free places, and values
//!   oneshot ── one value, and at most one waker at each end
//! ```
//!
//! There are no atomics and no locks in here: tasks of one thread share these
//! through `Rc`, and values need not be `Send`. Between threads, use the
//! channels of `async-channel`, `futures` or `tokio::sync`: they work
//! unchanged on this runtime.
//!
//! None of these needs a runtime. Where one is entered, what is had without
//! waiting is one of the 128 operations that a poll may do, so tasks that
//! always have something for each other cannot starve the sockets.
//!
//! # What is true of all of them
//!
//! - A future takes its place in line when it is first polled. Who has waited
//!   longest is served first, and nobody overtakes, not even by `try_`.
//! - What somebody is woken for is kept for them. If they are dropped before
//!   they took it, it goes to the next in line.
//! - Dropping a future takes it out of the line, in constant time.
//! - A waker that panics is logged, and the others are woken all the same.
//!
//! # Condition variables
//!
//! asyncio has `Condition`. On one thread nothing changes between two awaits,
//! so a plain cell and a [`Notify`] do the same: look, then wait.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use std::{cell::Cell, rc::Rc};
//! use tourbillon::sync::Notify;
//!
//! let mut rt = tourbillon::Runtime::new()?;
//! let tank = Rc::new((Cell::new(0), Notify::new()));
//! let filler = Rc::clone(&tank);
//! rt.block_on(async {
//!     tourbillon::spawn(async move {
//!         for _ in 0..3 {
//!             filler.0.set(filler.0.get() + 1);
//!             filler.1.notify_all();
//!             tourbillon::yield_now().await;
//!         }
//!     })
//!     .detach();
//!     while tank.0.get() < 3 {
//!         tank.1.notified().await;
//!     }
//! });
//! # Ok(())
//! # }
//! ```
//!
//! # Readers and writers
//!
//! A lock that many may read at once is a [`Semaphore`] as well: one permit
//! to read, all of them to write. It is fair, so writers are not starved.

mod waiters;
mod event;
mod barrier;
mod family;
mod cancellation;
mod notify;
mod semaphore;
mod mutex;
pub mod channel;
pub mod oneshot;
mod error;
#[cfg(test)]
mod tests;

pub use barrier::Barrier;
pub use cancellation::{CancellationToken, DropGuard, WaitForCancellationFuture};
pub use error::{AcquireError, TryAcquireError};
pub use event::Event;
pub use mutex::{Mutex, MutexGuard};
pub use notify::{Notified, Notify};
pub use semaphore::{Acquire, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
