//! A single-threaded event loop over epoll and kqueue, with an HTTP server
//! on top, that one can watch while it turns.
//!
//! # A server
//!
//! ```no_run
//! use tourbillon::server::{Config, blocking, serve};
//! use tourbillon::web::Router;
//!
//! let app = Router::new()
//!     .get("/", async |_| "Hello!")
//!     .get("/report", blocking(|_| "computed on a worker thread"));
//! serve(app, Config::default())?;
//! # Ok::<(), tourbillon::server::ServeError>(())
//! ```
//!
//! # A loop
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! use std::time::Duration;
//! use tourbillon::{Runtime, sleep, spawn, spawn_blocking};
//!
//! let mut rt = Runtime::new()?;
//! let sum = rt.block_on(async {
//!     let tick = spawn(async {
//!         sleep(Duration::from_millis(2)).await;
//!         1
//!     });
//!     let heavy = spawn_blocking(|| 41);
//!     tick.await.unwrap() + heavy.await.unwrap()
//! });
//! assert_eq!(sum, 42);
//! # Ok(())
//! # }
//! ```
//!
//! # What is true everywhere
//!
//! - One thread runs the loop, and everything on it may be `!Send`. What
//!   other threads hold is a [`Handle`].
//! - What a turn starts, a later turn runs. Nothing can starve the sockets
//!   but code that does not return: see [`spawn_blocking`] and [`offload`].
//! - Timers fire late, never early.
//! - A panic ends its task, job, callback or connection, never the loop.
//! - Dropping a future cancels it; each async function says what that means.
//! - Free functions such as [`spawn`] go to the runtime that is entered on
//!   this thread: in tasks and callbacks that is their own.
//! - A process that is forked from one with a runtime, and does not exec, gets
//!   an error from it where it would take its parent's events: from a turn,
//!   from a new socket, from a child's status. It may make a runtime of its
//!   own. Forks that go around the C library are not noticed, and what another
//!   thread had locked stays locked in the fork.
//! - Channels, locks and streams that need no particular runtime work
//!   unchanged on this one.
//!
//! # The rooms
//!
//! [`web`] is what applications are made of, and [`server`] serves them. It
//! is built of [`http`] (a protocol without I/O), [`net`] and [`signal`] (what
//! futures await, as are [`fs`], [`process`] and [`stdin()`]) and the loop
//! itself, whose parts are private but made to be read: start at
//! `src/runtime/turn.rs`. [`sync`] and [`task`] are how tasks of one thread
//! wait for each other and end together. ARCHITECTURE.md is the map, and
//! docs/names.md says what the calls of asyncio, libuv and tokio are called
//! here.
//!
//! # Features
//!
//! None is on by default, and each only adds: `json` (serde), `compression`
//! (flate2), `futures-io` (streams for crates that want its traits) and
//! `hyper` (hyper's traits).

mod queue;
pub mod io;
pub mod time;
pub mod http;
mod sys;
pub mod watch;
pub mod export;
mod reactor;
mod executor;
mod blocking;
mod watchdog;
mod runtime;
pub mod net;
pub mod fs;
pub mod process;
pub mod signal;
mod stdin;
pub mod task;
pub mod sync;
pub mod client;
pub mod server;
pub mod web;
pub mod dial;
#[cfg(feature = "hyper")]
pub mod hyper;

/// Opens the page for a loop that the environment wants watched. The one thing
/// that is handed down: the runtime does not know the rooms above it.
const OPEN_DIAL: fn(Watcher, std::net::SocketAddr) -> Option<Box<dyn std::any::Any>> =
    dial::open_and_say;

pub use executor::{CancelOnDrop, JoinError, JoinHandle, TaskId, TaskInfo, TaskState};
pub use reactor::{Interest, Ready};
pub use runtime::{
    AsyncFd, Builder, Closed, DetachedJob, Dump, Elapsed, EnterGuard, FdWatch, Handle, Interval,
    Job, JobHandle, MissedTicks, Runtime, ShutdownReport, Sleep, Stats, TaskDump, TaskEvent,
    TaskEventKind, Timer, Watcher, YieldNow, assert_no_stall, call_at, call_later, call_soon,
    expected_block, interval, interval_at, mark, no_unwind, offload, sleep, sleep_until, spawn,
    spawn_blocking, spawn_named, stats, stop, tasks, timeout, watch_fd, yield_now,
};
pub use stdin::{Stdin, stdin};
pub use watchdog::{Stage, StallReport, Waiting, Watchdog};
