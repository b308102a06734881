//! A single-threaded event loop over epoll and kqueue, with an HTTP server
//! on top, that one can watch while it turns.

mod queue;
pub mod http;
pub mod time;
mod sys;
mod reactor;
mod executor;
mod blocking;
mod runtime;
pub mod net;
pub mod signal;
pub mod server;

pub use executor::{CancelOnDrop, JoinError, JoinHandle};
pub use runtime::{
    Builder, Closed, DetachedJob, Elapsed, EnterGuard, Handle, Interval, Job, JobHandle,
    MissedTicks, Runtime, ShutdownReport, Sleep, Stats, Timer, YieldNow, call_at, call_later,
    call_soon, interval, interval_at, offload, sleep, sleep_until, spawn, spawn_blocking,
    spawn_named, timeout, yield_now,
};
