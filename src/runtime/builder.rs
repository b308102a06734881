//! Every limit of a runtime, its default and the reason for it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::runtime::Runtime;
use super::tasks::{TaskEvent, TaskHook};
use crate::time::{Clock, ManualClock};
use crate::watch::{Extent, Level};
use crate::watchdog::Watchdog;

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
    pub(super) auto_advance: bool,
    pub(super) shuffle_seed: Option<u64>,
    pub(super) task_hook: Option<TaskHook>,
    pub(super) host_waker: Option<HostWaker>,
    pub(super) watch: bool,
    pub(super) record: Option<Level>,
    pub(super) record_events_max: usize,
    pub(super) watchdog: Option<Watchdog>,
    pub(super) stalls_folder: Option<PathBuf>,
    /// Whether the environment may switch more on.
    pub(super) heeds_environment: bool,
    /// Warnings of the loop's debug mode.
    pub(super) is_debugged: bool,
    /// Where to open the page, if at all.
    pub(super) dial: Option<SocketAddr>,
}

/// How a host that does not look at the fd is told to turn the loop.
#[derive(Clone)]
pub(super) struct HostWaker(pub(super) Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for HostWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostWaker")
    }
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
            auto_advance: false,
            shuffle_seed: None,
            task_hook: None,
            host_waker: None,
            watch: false,
            record: None,
            record_events_max: 64 * 1024,
            watchdog: None,
            stalls_folder: None,
            heeds_environment: true,
            is_debugged: false,
            dial: None,
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
    ///
    /// # Examples
    ///
    /// Rather refuse than fall behind:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Runtime, spawn_blocking};
    /// use std::sync::mpsc;
    ///
    /// let mut rt = Runtime::builder().blocking_workers_max(1).blocking_queue_max(1).build()?;
    /// let (_end, wait) = mpsc::channel::<()>();
    /// rt.block_on(async {
    ///     let _runs = spawn_blocking(move || wait.recv());
    ///     let _waits = spawn_blocking(|| ());
    ///     let refused = spawn_blocking(|| ());
    ///     assert!(refused.await.unwrap_err().is_refused());
    /// });
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// # Examples
    ///
    /// Limits of a small program on a small machine:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// use std::time::Duration;
    ///
    /// let rt = Runtime::builder()
    ///     .blocking_workers_max(2)
    ///     .blocking_slow_max(1)
    ///     .blocking_keep_alive(Duration::from_secs(1))
    ///     .shutdown_timeout(Duration::from_millis(100))
    ///     .build()?;
    /// assert_eq!(rt.stats().workers_max, 2);
    /// assert!(rt.shutdown().jobs_detached.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn shutdown_timeout(mut self, time: Duration) -> Self {
        self.shutdown_timeout = time;
        self
    }

    /// Runs on a clock that is moved by hand, for tests and simulations.
    ///
    /// The loop then never sleeps for a timer. Use
    /// [`Runtime::run_until_stalled`], move the clock, and run again; or see
    /// [`auto_advance`](Builder::auto_advance).
    #[must_use]
    pub fn manual_clock(mut self, clock: &ManualClock) -> Self {
        self.clock = clock.clock();
        self
    }

    /// Lets a [manual clock](Builder::manual_clock) move itself to the next
    /// deadline whenever the loop would sleep, so that what takes hours takes
    /// no time. It moves only when nothing else can happen: no task is ready,
    /// no post waits, no socket has anything, and no job is out. Turns that
    /// must not sleep, as those of [`Runtime::run_until_stalled`], do not move
    /// it. Without a manual clock this does nothing.
    ///
    /// What another thread or process is about to do is not known here: a
    /// test that waits for one should move the clock by hand.
    ///
    /// # Examples
    ///
    /// A test of a retry that waits for an hour, and its pattern:
    ///
    /// ```
    /// use std::time::Duration;
    /// use tourbillon::time::ManualClock;
    /// use tourbillon::{Runtime, sleep};
    ///
    /// // #[test]
    /// fn a_retry_waits_for_an_hour() {
    ///     let time = ManualClock::new();
    ///     let mut rt = Runtime::builder()
    ///         .manual_clock(&time)
    ///         .auto_advance(true)
    ///         .build()
    ///         .unwrap();
    ///     let began = time.now();
    ///     rt.block_on(async { sleep(Duration::from_secs(3600)).await });
    ///     assert_eq!(time.now() - began, Duration::from_secs(3600));
    /// }
    /// # a_retry_waits_for_an_hour();
    /// ```
    #[must_use]
    pub fn auto_advance(mut self, by_itself: bool) -> Self {
        self.auto_advance = by_itself;
        self
    }

    /// Polls ready tasks in an order drawn from `seed` instead of first in,
    /// first out, for tests: a program that is right under every order does
    /// not lean on the accident of one. The same seed gives the same order.
    ///
    /// # Examples
    ///
    /// Three tasks under a thousand orders; what must hold under each goes last:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Runtime, spawn};
    /// use std::{cell::RefCell, rc::Rc};
    ///
    /// for seed in 0..1000 {
    ///     let mut rt = Runtime::builder().shuffle_ready_queue(seed).build()?;
    ///     let order = Rc::new(RefCell::new(Vec::new()));
    ///     for name in ["a", "b", "c"] {
    ///         let order = Rc::clone(&order);
    ///         rt.spawn(async move { order.borrow_mut().push(name) }).detach();
    ///     }
    ///     rt.run_until_stalled()?;
    ///     assert_eq!(order.borrow().len(), 3, "seed {seed}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn shuffle_ready_queue(mut self, seed: u64) -> Self {
        self.shuffle_seed = Some(seed);
        self
    }

    /// Has `hook` hear of every task: when it is spawned, before and after
    /// each poll, and when it has ended. For tracing and for tests; without a
    /// hook it costs a comparison a poll.
    ///
    /// The hook runs on the loop's thread, may do what a task may do, and
    /// holds up the loop while it runs. If it panics, that is logged.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::{cell::RefCell, rc::Rc};
    /// use tourbillon::TaskEventKind::{Finished, PollBegins, PollEnds, Spawned};
    /// use tourbillon::{Runtime, spawn_named};
    ///
    /// let heard = Rc::new(RefCell::new(Vec::new()));
    /// let hears = Rc::clone(&heard);
    /// let mut rt = Runtime::builder()
    ///     .on_task_event(move |event| hears.borrow_mut().push(event.kind))
    ///     .build()?;
    /// rt.block_on(async { spawn_named("one", async {}).await.unwrap() });
    /// assert_eq!(*heard.borrow(), [Spawned, PollBegins, PollEnds, Finished]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_task_event(mut self, hook: impl Fn(&TaskEvent) + 'static) -> Self {
        self.task_hook = Some(TaskHook(Rc::new(hook)));
        self
    }

    /// Has `wake` called when another thread has sent something to a loop
    /// that does not turn, besides making its fd readable: for a host that is
    /// told of work by a call, as a GUI's `post message`, and not by an fd.
    /// What sockets bring is told by the fd alone.
    ///
    /// It is called on that other thread, at most once until the loop has
    /// been turned, and must neither block nor panic.
    ///
    /// # Examples
    ///
    /// A host that sleeps in a queue of its own:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// use std::sync::mpsc;
    ///
    /// let (messages, queue) = mpsc::channel();
    /// let mut rt = Runtime::builder().host_waker(move || messages.send("turn").unwrap()).build()?;
    /// rt.run_until_stalled()?;
    /// let handle = rt.handle();
    /// std::thread::spawn(move || handle.call(|| println!("hello from outside")));
    /// assert_eq!(queue.recv(), Ok("turn"));
    /// rt.run_until_stalled()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn host_waker(mut self, wake: impl Fn() + Send + Sync + 'static) -> Self {
        self.host_waker = Some(HostWaker(Arc::new(wake)));
        self
    }

    /// Has the loop write down where it is and who its tasks are, so that other
    /// threads can look at any time: see [`Watcher`](crate::Watcher).
    ///
    /// Default: no. It costs some ten nanoseconds a poll and 128 bytes a task.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let rt = tourbillon::Runtime::builder().watch(true).build()?;
    /// assert!(rt.watcher().is_some());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn watch(mut self, watched: bool) -> Self {
        self.watch = watched;
        self
    }

    /// Has the loop write down what happens, in a ring that holds the last of
    /// it: [`Watcher::recording`](crate::Watcher::recording) takes it out.
    ///
    /// Default: nothing is recorded. [`Level::Lean`] costs one clock read a
    /// poll; [`Level::Full`] also notes each wake and each operation, for
    /// teaching and not for measuring. Of requests with ever new paths some
    /// 12,000 have names of their own, the rest one in common.
    ///
    /// # Examples
    ///
    /// A trace for Perfetto or Chrome:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::watch::Level;
    /// use tourbillon::{Runtime, spawn_blocking};
    ///
    /// let mut rt = Runtime::builder().record(Level::Lean).record_events_max(4096).build()?;
    /// rt.block_on(async { spawn_blocking(|| "work").await.unwrap() });
    /// let recording = rt.watcher().expect("it is watched").recording();
    /// assert!(recording.events.iter().any(|event| event.kind.name() == "job_run"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn record(mut self, level: Level) -> Self {
        self.record = Some(level);
        self
    }

    /// How many events the recorder keeps, rounded up to a power of two.
    ///
    /// Default: 65,536, which take 2 MiB.
    #[must_use]
    pub fn record_events_max(mut self, count: usize) -> Self {
        self.record_events_max = count;
        self
    }

    /// Has a thread look whether the loop still turns, and say who holds it up
    /// while it does not: see [`Watchdog`].
    ///
    /// Default: none, unless the environment asks for one.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use tourbillon::{Runtime, Watchdog};
    ///
    /// let watchdog = Watchdog::new().threshold(Duration::from_millis(50));
    /// let mut rt = Runtime::builder().watchdog(watchdog).build()?;
    /// rt.block_on(async { /* nothing that blocks */ });
    /// assert_eq!(rt.stalls(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn watchdog(mut self, watchdog: Watchdog) -> Self {
        self.watchdog = Some(watchdog);
        self
    }

    /// Keeps the events around each stall in a file of `folder`:
    /// `stall-1.json` and so on, for the first 32 stalls, half a second after
    /// each. The page opens them, also offline.
    ///
    /// Switches on a watchdog and the lean recorder, unless there are some.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let rt = tourbillon::Runtime::builder().record_stalls(std::env::temp_dir()).build()?;
    /// # drop(rt);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn record_stalls(mut self, folder: impl Into<PathBuf>) -> Self {
        self.stalls_folder = Some(folder.into());
        self.watchdog = self.watchdog.or_else(|| Some(Watchdog::new()));
        self.record = self.record.or(Some(Level::Lean));
        self
    }

    /// A runtime that watches another: nobody watches it, whatever the
    /// environment says.
    pub(crate) fn unwatched(mut self) -> Self {
        self.heeds_environment = false;
        self
    }

    /// What is to be written down for those who watch, if anybody does.
    pub(super) fn watched(&self) -> Option<Extent> {
        let is_asked_for = self.record.is_some() || self.watchdog.is_some() || self.dial.is_some();
        let is_watched = self.watch || is_asked_for;
        is_watched.then_some(Extent {
            level: self.record,
            events_max: self.record_events_max,
        })
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the poll's descriptors, or 65,535 runtimes
    /// are alive in this process.
    #[track_caller]
    pub fn build(self) -> io::Result<Runtime> {
        Runtime::from_builder(&self.with_environment())
    }
}
