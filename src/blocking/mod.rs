//! Threads for work that would block the loop.
//!
//! A loop that waits inside a file read, a name lookup or a long calculation serves nobody
//! meanwhile. Such work goes to a few threads of this room, and the loop is told when it is done.
//!
//! ```text
//!   loop thread                     one mutex                     worker threads
//!
//!   job(closure) ── Work ─────▶ ┌──────────────────┐
//!                 submit        │ normal  ■ ■ ■ ■  │   oldest    ┌────────────────────┐
//!                               │ slow    ■ ■      │ ──────────▶ │ run, catch a panic │
//!                 cancel        └──────────────────┘    first    │ keep the result    │
//!           ◀── Work given back                                  │ deliver it         │
//!   result_of(Work) ◀────────── deliver(JobKey, Work) ────────── └────────────────────┘
//! ```
//!
//! What crosses to a worker is `Send`; the continuation (a waker, or a callback that may hold an
//! `Rc`) stays with the caller, filed under a [`JobKey`]. So this room knows neither tasks nor the
//! loop: news leaves it through the `deliver` closure given to [`Pool::new`].
//!
//! The promises, each held by a test of the same words in `tests.rs`:
//!
//! - A job runs once, or its [`Work`] comes back unrun: by cancel, by refusal or by shutdown.
//! - A panic is a value of the job. No worker dies of one.
//! - When `deliver` is called no lock is held, and the worker gives the job away: its result is
//!   dropped by whoever it is delivered to.
//! - A thread is started only if no worker is free or about to be; idle ones leave, down to none.

mod job;
mod lanes;
mod pool;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use job::{JobKey, Lane, Ran, RunningJob, Work, job, result_of};
pub(crate) use lanes::JobPlace;
pub(crate) use pool::{Pool, PoolLimits, PoolStats, Refused};
