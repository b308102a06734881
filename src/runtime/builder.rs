//! Every limit of a runtime, its default and the reason for it.

use std::io;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use super::runtime::Runtime;
use crate::time::{Clock, ManualClock};

/// Sets the limits of a [`Runtime`] before it is made.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut rt = tourbillon::Runtime::builder()
///     .blocking_workers_max(2)
///     .thread_name("resizer")
///     .build()?;
/// let answer = rt.block_on(async { tourbillon::spawn_blocking(|| 6 * 7).await });
/// assert_eq!(answer.unwrap(), 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    pub(super) blocking_workers_max: usize,
    pub(super) blocking_queue_max: Option<usize>,
    pub(super) blocking_slow_max: usize,
    pub(super) blocking_keep_alive: Duration,
    pub(super) thread_name: String,
    pub(super) shutdown_timeout: Duration,
    pub(super) clock: Clock,
    pub(super) shuffle_seed: Option<u64>,
}

impl Default for Builder {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = (2 * cores).min(4);
        Builder {
            blocking_workers_max: workers,
            blocking_queue_max: None,
            blocking_slow_max: workers.div_ceil(2),
            blocking_keep_alive: Duration::from_secs(10),
            thread_name: String::from("tourbillon"),
            shutdown_timeout: Duration::from_secs(5),
            clock: Clock::real(),
            shuffle_seed: None,
        }
    }
}

impl Builder {
    /// How many threads the blocking pool may have. They start when there is
    /// work for them.
    ///
    /// Default: twice the cores, at most 4, which is libuv's number. A pool
    /// is for work that waits or computes; more threads than cores only help
    /// the first kind. Zero counts as one.
    #[must_use]
    pub fn blocking_workers_max(mut self, count: usize) -> Self {
        self.blocking_workers_max = count.max(1);
        self.blocking_slow_max = self.blocking_workers_max.div_ceil(2);
        self
    }

    /// How many jobs may wait for a worker. A job past that is refused.
    ///
    /// Default: no limit, as in tokio and libuv.
    #[must_use]
    pub fn blocking_queue_max(mut self, count: usize) -> Self {
        self.blocking_queue_max = Some(count);
        self
    }

    /// How many workers may look up names at once.
    ///
    /// Default: half of the pool, rounded up, so that a slow name server
    /// does not stop the reading of files.
    #[must_use]
    pub fn blocking_slow_max(mut self, count: usize) -> Self {
        self.blocking_slow_max = count.max(1);
        self
    }

    /// How long a worker waits for work before its thread ends.
    ///
    /// Default: 10 s, as in tokio.
    #[must_use]
    pub fn blocking_keep_alive(mut self, time: Duration) -> Self {
        self.blocking_keep_alive = time;
        self
    }

    /// The name that the threads of the pool carry, before their number.
    ///
    /// Default: `tourbillon`.
    #[must_use]
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// How long [`Runtime::shutdown`] waits for jobs that run. Those that
    /// run longer are named in the log and left to end by themselves.
    ///
    /// Default: 5 s.
    #[must_use]
    pub fn shutdown_timeout(mut self, time: Duration) -> Self {
        self.shutdown_timeout = time;
        self
    }

    /// Runs on a clock that is moved by hand, for tests and simulations.
    ///
    /// The loop then never sleeps for a timer. Use
    /// [`Runtime::run_until_stalled`], move the clock, and run again.
    #[must_use]
    pub fn manual_clock(mut self, clock: &ManualClock) -> Self {
        self.clock = clock.clock();
        self
    }

    /// Polls ready tasks in an order drawn from `seed` instead of first in,
    /// first out, for tests: a program that is right under every order does
    /// not lean on the accident of one. The same seed gives the same order.
    #[must_use]
    pub fn shuffle_ready_queue(mut self, seed: u64) -> Self {
        self.shuffle_seed = Some(seed);
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the poll's descriptors, or 65,535 runtimes
    /// are alive in this process.
    #[track_caller]
    pub fn build(self) -> io::Result<Runtime> {
        Runtime::from_builder(&self)
    }
}
