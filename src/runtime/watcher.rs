//! What other threads hold of a runtime to look at it.

use std::fmt;
use std::panic::Location;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::current::try_current;
use super::dump::{Dump, Source, TaskDump, dump_of};
use super::parts::{Parts, Post};
use super::trace::{Traced, trace};
use crate::blocking::{PoolStats, RunningJob};
use crate::queue::TaskQueue;
use crate::sys::stack_here;
use crate::watch::{Board, Event, EventKind, GateKind, Recording, TaskSeen};
use crate::watchdog::{Findings, Found, Watching};

/// Looks at a loop from any thread, also while that loop is stuck.
///
/// Made by [`Runtime::watcher`](crate::Runtime::watcher). It reads what the
/// loop has written down and never makes it wait, but for the gate, which is
/// there for that. It does not keep the runtime alive; what it shows of one
/// that is gone is the last it said.
///
/// # Examples
///
/// Who waits for what, seen from another thread:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::Runtime;
///
/// let mut rt = Runtime::builder().watch(true).build()?;
/// let watcher = rt.watcher().expect("it is watched");
/// rt.block_on(async {
///     let _waits = tourbillon::spawn_named("waiter", std::future::pending::<()>());
///     tourbillon::yield_now().await;
///     let dump = std::thread::spawn(move || watcher.dump()).join().unwrap();
///     assert!(dump.to_string().contains("waiter"));
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Watcher {
    board: Arc<Board>,
    door: Arc<TaskQueue<Post>>,
    pool: Arc<PoolLooker>,
    workers_max: usize,
    findings: Option<Arc<Findings>>,
}

type PoolLooker = dyn Fn() -> (PoolStats, Vec<RunningJob>) + Send + Sync;

impl Watcher {
    pub(super) fn of(parts: &Parts) -> Option<Self> {
        let board = Arc::clone(parts.watch()?.board());
        let watching = parts.watchers.watchdog.borrow();
        let findings = watching.as_ref().map(Watching::findings);
        Some(Watcher {
            board,
            door: Arc::clone(&parts.door),
            pool: Arc::new(parts.pool.looker()),
            workers_max: parts.workers_max,
            findings,
        })
    }

    /// What every task waits for, since when and from where.
    pub fn dump(&self) -> Dump {
        let source = Source::Board(&self.board);
        Dump::take(source, (self.pool)(), self.door.len())
    }

    /// The same, and of each task that waits, where in its code that is:
    /// the loop is asked to poll them once, and what they wait for notes the
    /// stack. Waits `patience` for it at most; without an answer, as from a
    /// loop that is stuck, [`missing`](Dump::missing) says so.
    ///
    /// The polls are ordinary ones, 256 a turn: to a task it is one wake
    /// without a reason. One that was lost may go on by it. Of a future that
    /// is not of this crate the place is known only if it clones its waker at
    /// each poll. Names of functions need the feature `symbols`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use tourbillon::{Runtime, sleep, spawn_blocking, spawn_named};
    ///
    /// let mut rt = Runtime::builder().watch(true).build()?;
    /// let watcher = rt.watcher().expect("it is watched");
    /// rt.block_on(async {
    ///     let _waits = spawn_named("waiter", async { sleep(Duration::from_secs(60)).await });
    ///     let dump = move || watcher.dump_with_stacks(Duration::from_secs(5));
    ///     println!("{}", spawn_blocking(dump).await.unwrap());
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn dump_with_stacks(&self, patience: Duration) -> Dump {
        let mut dump = self.dump();
        match self.trace(patience) {
            Ok(traced) => dump.add_stacks(traced),
            Err(missing) => dump.missing = Some(missing),
        }
        dump
    }

    #[track_caller]
    fn trace(&self, patience: Duration) -> Result<Vec<Traced>, String> {
        let unknown = |why: String| format!("where tasks wait is not known: {why}");
        if stack_here().is_empty() {
            return Err(unknown("this system tells no stacks".to_owned()));
        }
        if try_current().is_some_and(|parts| Arc::ptr_eq(&parts.door, &self.door)) {
            return Err(unknown(
                "the loop's own thread cannot wait for it".to_owned(),
            ));
        }
        let (tell, told) = mpsc::channel();
        let board = Arc::clone(&self.board);
        // Past the end of the clock there is no deadline.
        let until = Instant::now().checked_add(patience);
        let call = Box::new(move || trace(board, until, tell));
        if self
            .door
            .post(Post::Call(call, Location::caller()))
            .is_err()
        {
            return Err(unknown("the runtime has ended".to_owned()));
        }
        let late = |_| unknown(format!("the loop has not told within {patience:?}"));
        told.recv_timeout(patience).map_err(late)
    }

    /// What has happened since the recorder was switched on, as far back as
    /// its ring reaches. Without a recorder it is empty.
    ///
    /// # Examples
    ///
    /// What a run looked like, in a terminal:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::{Runtime, watch::Level, yield_now};
    ///
    /// let mut rt = Runtime::builder().record(Level::Lean).build()?;
    /// rt.block_on(async { yield_now().await });
    /// let watcher = rt.watcher().expect("it is watched");
    /// println!("{}", watcher.recording().timeline(80, false));
    /// assert_eq!((watcher.stalls(), watcher.slow_turns()), (0, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording(&self) -> Recording {
        let (mut events, lost) = self.board.events();
        events.sort_by_key(|event| event.at);
        if lost > 0 {
            let at = events.first().map_or(0, |first| first.at);
            let kind = EventKind::Lost { count: lost };
            events.insert(0, Event { at, task: 0, kind });
        }
        let mut recording = Recording::new();
        recording.began = self.board.began_at;
        recording.until = self.board.now();
        recording.level = self.board.level.unwrap_or_default();
        recording.events = events;
        recording.names = self.board.names.texts();
        recording.workers = (1..=self.workers_max)
            .map(|n| format!("worker-{n}"))
            .collect();
        recording.backend = BACKEND.to_owned();
        let found = self.found();
        recording.stalls = found.stalls;
        recording.gaps = found.gaps;
        recording
    }

    /// How often the watchdog has found the loop stuck.
    pub fn stalls(&self) -> u64 {
        self.board.pulse.stalls.load(Relaxed).into()
    }

    /// How many turns were longer than the watchdog's threshold although no
    /// poll in them was: many things that are each too small to blame.
    pub fn slow_turns(&self) -> u64 {
        self.found().slow_turns
    }

    /// Holds the loop before its next turn, and until [`go`](Watcher::go), also
    /// if this watcher is dropped. Its timers are late by that afterwards.
    ///
    /// # Examples
    ///
    /// Turn by turn:
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::time::Duration;
    /// use tourbillon::{Runtime, stop, yield_now};
    ///
    /// let mut rt = Runtime::builder().watch(true).build()?;
    /// let watcher = rt.watcher().expect("it is watched");
    /// watcher.pause();
    /// let student = std::thread::spawn(move || {
    ///     watcher.step(); // one turn, and look
    ///     watcher.slow(Duration::from_millis(1));
    ///     watcher.go();
    /// });
    /// rt.block_on(async { yield_now().await });
    /// student.join().unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self) {
        self.gate(GateKind::Pause, Duration::ZERO);
    }

    /// Lets one turn pass of a loop that is held, or holds it if it is not.
    pub fn step(&self) {
        self.gate(GateKind::Step, Duration::ZERO);
    }

    /// Lets the loop go, at full speed.
    pub fn go(&self) {
        self.gate(GateKind::Go, Duration::ZERO);
    }

    /// Has the loop wait before each turn, for two seconds at most.
    pub fn slow(&self, delay: Duration) {
        self.gate(GateKind::Slow, delay);
    }

    fn gate(&self, what: GateKind, delay: Duration) {
        self.board.gate.ask(what, delay);
        // One that is asleep in the kernel comes to the gate now.
        if what != GateKind::Go {
            self.door.rouse();
        }
    }

    /// The board itself, for rooms that show it.
    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What the watchdog has found, if there is one.
    pub(crate) fn found(&self) -> Found {
        let findings = self.findings.as_ref();
        findings.map(|findings| findings.copy()).unwrap_or_default()
    }

    /// One task, as in a dump.
    pub(crate) fn task(&self, seen: &TaskSeen, jobs: &[RunningJob]) -> TaskDump {
        dump_of(&self.board, seen, jobs)
    }

    /// Counts of the pool, and what it runs.
    pub(crate) fn pool(&self) -> (PoolStats, Vec<RunningJob>) {
        (self.pool)()
    }

    /// How many posts wait for the loop to take them in.
    pub(crate) fn posts_waiting(&self) -> usize {
        self.door.len()
    }

    pub(crate) fn workers_max(&self) -> usize {
        self.workers_max
    }
}

/// What the kernel is asked with.
pub(crate) const BACKEND: &str = if cfg!(mio_unsupported_force_poll_poll) {
    "poll"
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    "epoll"
} else {
    "kqueue"
};

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("board", &self.board)
            .finish_non_exhaustive()
    }
}
