//! Builds and owns the parts, and turns them.

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(not(mio_unsupported_force_poll_poll))]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Builder;
use super::current::{self, EnterGuard, Turning};
use super::dump::Dump;
use super::handle::Handle;
use super::parts::Parts;
use super::shutdown::ShutdownReport;
use super::stats::Stats;
use super::turn::Root;
use super::watcher::Watcher;
use crate::executor::{JoinHandle, Name};

/// An event loop and all that it owns: tasks, timers, sockets, threads.
///
/// It lives on the thread that made it. What other threads hold of it is a
/// [`Handle`]. Dropping it ends every task and waits for nothing; see
/// [`shutdown`](Runtime::shutdown) for the patient way.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// let sum = rt.block_on(async {
///     let two = tourbillon::spawn(async { 2 });
///     tourbillon::sleep(Duration::from_millis(1)).await;
///     two.await.unwrap() + 3
/// });
/// assert_eq!(sum, 5);
/// # Ok(())
/// # }
/// ```
pub struct Runtime {
    pub(super) parts: Rc<Parts>,
    pub(super) is_shut_down: bool,
}

impl Runtime {
    /// Makes a runtime with the default limits.
    ///
    /// # Errors
    ///
    /// See [`Builder::build`].
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Builder::default().build()
    }

    /// Starts from the default limits to set others.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// let rt = Runtime::builder().blocking_workers_max(1).build()?;
    /// assert_eq!(rt.stats().workers_max, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    #[track_caller]
    pub(super) fn from_builder(builder: &Builder) -> io::Result<Self> {
        let runtime = Runtime {
            parts: Rc::new(Parts::new(builder)?),
            is_shut_down: false,
        };
        if let Some(flight) = &runtime.parts.watchers.flight
            && let Some(watcher) = runtime.watcher()
        {
            flight.follow(watcher);
        }
        if let Some(address) = builder.dial
            && let Some(watcher) = runtime.watcher()
        {
            // The page is a floor above, so it is handed in: see `lib.rs`.
            let page = crate::OPEN_DIAL(watcher, address);
            *runtime.parts.watchers.page.borrow_mut() = page;
        }
        Ok(runtime)
    }

    /// Runs the loop until `future` is ready, and returns what it gave.
    ///
    /// Spawned tasks run beside it. Those that are left when it returns stay
    /// where they are, and run on when the loop is turned again.
    ///
    /// # Panics
    ///
    /// If `future` does; inside a task or a callback of another runtime; or if
    /// the kernel's poll fails, which means that its descriptor was closed
    /// behind the runtime's back.
    #[track_caller]
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let _turning = Turning::begin_blocking("Runtime::block_on");
        let _entered = self.enter();
        let parts = Rc::clone(&self.parts);
        let _turned = parts.turned();
        let place = Location::caller();
        parts.watched(|watch| watch.blocks_on(place));
        let mut output = None;
        self.run_root(pin!(async { output = Some(future.await) }));
        output.expect("a root that is done has left its output")
    }

    fn run_root(&mut self, future: Pin<&mut dyn Future<Output = ()>>) {
        let mut root = Root {
            future,
            done: false,
        };
        self.parts.executor.wake_root();
        self.parts.begin();
        loop {
            self.parts.gather();
            self.parts.run(Some(&mut root));
            if root.done {
                return;
            }
            if let Err(error) = self.parts.park(None) {
                panic!("the loop cannot ask the kernel who is ready: {error}");
            }
        }
    }

    /// Runs the loop until [`stop`](Runtime::stop) is called.
    ///
    /// # Errors
    ///
    /// When the kernel's poll fails.
    ///
    /// # Panics
    ///
    /// Inside a task or a callback of another runtime.
    #[track_caller]
    pub fn run(&mut self) -> io::Result<()> {
        let _turning = Turning::begin_blocking("Runtime::run");
        let _entered = self.enter();
        let _turned = self.parts.turned();
        self.parts.begin();
        loop {
            self.parts.gather();
            self.parts.run(None);
            if self.parts.stopping.take() {
                return Ok(());
            }
            self.parts.park(None)?;
        }
    }

    /// Makes [`run`](Runtime::run) return when it has finished the turn it
    /// is in, or the first of the next call if none is running.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// let mut rt = Runtime::new()?;
    /// rt.spawn(async { println!("in the first turn") }).detach();
    /// rt.stop();
    /// rt.run()?; // that turn, and no other
    /// assert_eq!(rt.stats().turns, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self) {
        self.parts.stopping.set(true);
    }

    /// Runs one turn: gathers what is due, runs what is ready, and asks the
    /// kernel who is ready next.
    ///
    /// A turn that ran something returns at once. One with nothing to run
    /// sleeps until there is, but no longer than `park_max` (`None`: as long
    /// as it takes; zero: not at all); what became ready while it slept runs
    /// in the next turn. So a loop may look between turns whether it is done:
    /// `while !task.is_finished() { rt.turn(None)? }`.
    ///
    /// What runs is what was ready when the turn began. If that takes long,
    /// over 100 us, the rest of it is left to the next turn, after the kernel
    /// was asked.
    ///
    /// A host that watches the runtime's fd calls
    /// [`run_until_stalled`](Runtime::run_until_stalled) instead when the fd
    /// is readable or [`next_timeout`](Runtime::next_timeout) has passed.
    ///
    /// # Errors
    ///
    /// When the kernel's poll fails.
    ///
    /// # Examples
    ///
    /// A host that has something to do between turns:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Runtime, sleep};
    /// use std::time::Duration;
    ///
    /// let mut rt = Runtime::new()?;
    /// let task = rt.spawn(sleep_a_while());
    /// # async fn sleep_a_while() { sleep(Duration::from_millis(2)).await }
    /// let mut frames = 0;
    /// while !task.is_finished() {
    ///     rt.turn(Some(Duration::from_millis(1)))?;
    ///     frames += 1; // draw, and look at the keyboard
    /// }
    /// assert!(frames > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn turn(&mut self, park_max: Option<Duration>) -> io::Result<()> {
        let _turning = Turning::begin();
        let _entered = self.enter();
        let _turned = self.parts.turned();
        self.parts.begin();
        self.parts.gather();
        let has_run = self.parts.run(None);
        let park_max = if has_run {
            Some(Duration::ZERO)
        } else {
            park_max
        };
        self.parts.ask_kernel(park_max)
    }

    /// Runs turns until nothing is ready, without sleeping.
    ///
    /// A task that always wakes itself keeps this from returning.
    ///
    /// # Errors
    ///
    /// As [`turn`](Runtime::turn).
    pub fn run_until_stalled(&mut self) -> io::Result<()> {
        loop {
            self.turn(Some(Duration::ZERO))?;
            if self.next_timeout() != Some(Duration::ZERO) {
                return Ok(());
            }
        }
    }

    /// How long the loop could sleep if nothing came from outside: zero if
    /// work waits, `None` if only a socket, another thread or a moved clock
    /// can bring any. With far timers it may be shorter than the time to the
    /// first, never longer: the wheel looks in between.
    ///
    /// A host that sleeps in its own poll must sleep no longer than this.
    ///
    /// # Examples
    ///
    /// A host with a poll of its own, which watches the runtime's fd as well:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::{Runtime, call_later};
    /// use std::time::Duration;
    ///
    /// let mut rt = Runtime::new()?;
    /// let _guard = rt.enter();
    /// assert_eq!(rt.next_timeout(), None);
    /// call_later(Duration::from_millis(1), || println!("tick"));
    /// while let Some(rest) = rt.next_timeout() {
    ///     std::thread::sleep(rest); // or poll(2), with that timeout
    ///     rt.run_until_stalled()?;
    /// }
    /// assert_eq!(rt.stats().timers_fired, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_timeout(&self) -> Option<Duration> {
        if self.parts.work_waits() {
            return Some(Duration::ZERO);
        }
        self.parts.until_next_deadline()
    }

    /// Makes this the runtime that [`spawn`](crate::spawn) and the other
    /// free functions go to, until the guard is dropped.
    pub fn enter(&self) -> EnterGuard {
        current::enter(&self.parts)
    }

    /// Spawns a task; see [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
    {
        self.parts.spawn(future, Name::OfType)
    }

    /// What other threads may hold of this runtime.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// let mut rt = Runtime::new()?;
    /// let handle = rt.handle();
    /// std::thread::spawn(move || handle.stop());
    /// rt.run()
    /// # }
    /// ```
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.parts.door))
    }

    /// Counts what the loop has done so far.
    pub fn stats(&self) -> Stats {
        self.parts.stats()
    }

    /// What every task waits for, since when and from where.
    ///
    /// For another thread there is [`Watcher::dump`].
    pub fn dump(&self) -> Dump {
        self.parts.dump()
    }

    /// How often the watchdog has found the loop stuck.
    ///
    /// Zero without one: see [`Builder::watchdog`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let mut rt = tourbillon::Runtime::builder().watchdog(tourbillon::Watchdog::new()).build()?;
    /// rt.block_on(async { /* what must not block */ });
    /// assert_eq!(rt.stalls(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stalls(&self) -> u64 {
        self.watcher().map_or(0, |watcher| watcher.stalls())
    }

    /// What other threads may look at this runtime with, if it is watched:
    /// see [`Builder::watch`].
    pub fn watcher(&self) -> Option<Watcher> {
        Watcher::of(&self.parts)
    }

    /// Ends the runtime in order, and says what would not end; see
    /// [`ShutdownReport`].
    ///
    /// New tasks are refused and those that live are dropped, then timers,
    /// then jobs: those that wait are cancelled, those that run are given
    /// [`Builder::shutdown_timeout`] to end.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::Runtime;
    /// let rt = Runtime::new()?;
    /// rt.spawn(std::future::pending::<()>()).detach();
    /// let report = rt.shutdown();
    /// assert_eq!(report.tasks_dropped, 1);
    /// assert!(report.jobs_detached.is_empty(), "all that ran have ended");
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(mut self) -> ShutdownReport {
        let wait = self.parts.shutdown_timeout;
        self.shut_down(wait)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.is_shut_down {
            self.shut_down(Duration::ZERO);
        }
    }
}

/// Readable when the loop has something to do; for a host's own poll.
#[cfg(not(mio_unsupported_force_poll_poll))]
impl AsFd for Runtime {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.parts.reactor.as_fd()
    }
}

#[cfg(not(mio_unsupported_force_poll_poll))]
impl AsRawFd for Runtime {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}
