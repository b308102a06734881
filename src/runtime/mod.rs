//! One turn, and everything one can ask of it.
//!
//! ```text
//!        other threads            clock               kernel
//!             │                     │                    │
//!             ▼                     ▼                    │
//!   GATHER  queue/task_queue    time/wheel               │      moves, calls nothing
//!             │ calls, wakes,       │ due timers         │
//!             │ completions         │                    │
//!             ▼                     ▼                    │
//!           callbacks           queue/ready_queue ◀──────┼──┐
//!             │                     │                    │  │
//!   RUN     call each           poll each                │  │  the only user code,
//!             │                     │                    │  │  a batch counted first
//!             └──────────┬──────────┘                    │  │
//!                        ▼                               │  │
//!   PARK    reactor: sleep until the next deadline ◀─────┘  │
//!           at most, or not at all if work waits ───────────┘
//! ```
//!
//! Start reading at `turn.rs`: the three phases are three short functions.
//! `parts.rs` holds what they work on, `current.rs` is how `spawn` and its
//! like find it, and the rest are the things one can ask for.

mod turn;
mod parts;
mod callbacks;
mod runtime;
mod builder;
mod environment;
mod current;
mod handle;
mod spawn;
mod tasks;
mod call;
mod sleep;
mod interval;
mod jump;
#[cfg(feature = "hyper")]
mod loose_sleep;
mod jobs;
mod offload;
mod registered;
mod queued;
mod async_fd;
mod fd_watch;
mod shutdown;
mod stats;
mod watching;
mod no_stall;
mod watcher;
mod flight;
mod dump;
mod trace;

pub use async_fd::AsyncFd;
pub use builder::Builder;
pub use call::{Timer, call_at, call_later, call_soon, stop};
pub use current::EnterGuard;
pub(crate) use current::{current, enter, try_current};
pub use dump::{Dump, TaskDump};
pub(crate) use environment::span;
pub use fd_watch::{FdWatch, watch_fd};
pub use handle::{Closed, Handle};
pub use interval::{Interval, MissedTicks, interval, interval_at};
#[cfg(feature = "hyper")]
pub(crate) use loose_sleep::LooseSleep;
pub use no_stall::assert_no_stall;
pub use offload::{Job, JobHandle, offload, spawn_blocking};
pub(crate) use parts::Parts;
pub(crate) use queued::Queued;
pub(crate) use registered::Registered;
pub use runtime::Runtime;
pub use shutdown::{DetachedJob, ShutdownReport};
pub use sleep::{Elapsed, Sleep, sleep, sleep_until, timeout};
pub(crate) use spawn::spawn_as;
pub use spawn::{YieldNow, spawn, spawn_named, yield_now};
pub use stats::{Stats, stats};
pub use tasks::{TaskEvent, TaskEventKind, tasks};
pub(crate) use turn::{drop_waker_quietly, wake_quietly};
pub(crate) use watcher::BACKEND;
pub use watcher::Watcher;
pub use watching::{expected_block, mark, no_unwind};
