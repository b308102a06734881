//! The parts of a runtime, as code on its thread sees them.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::builder::{Builder, HostWaker};
use super::callbacks::{Callback, Callbacks};
use super::jobs::{Jobs, LateJobs, RanFor, deliver_to};
use super::tasks::TaskHook;
use super::watching::Watchers;
use crate::blocking::{JobKey, Pool, PoolLimits, Work};
use crate::executor::{self, Executor, Registration, Ticket};
use crate::queue::TaskQueue;
use crate::reactor::Reactor;
use crate::time::{Clock, TimerKey, Wheel};

/// What other threads may send through the task queue.
pub(crate) enum Post {
    Wake(Ticket),
    Call(Box<dyn FnOnce() + Send>, &'static Location<'static>),
    JobEnded(JobKey, Work, RanFor),
    Stop,
}

/// What a timer does when it is due.
pub(super) enum Due {
    Wake(Waker),
    /// The callback in this place.
    Call(u32),
}

/// Everything a turn works on. Lives on the loop thread.
pub(crate) struct Parts {
    // Where work waits.
    pub(super) door: Arc<TaskQueue<Post>>,
    pub(super) callbacks: RefCell<Callbacks>,
    pub(super) executor: Rc<Executor>,
    pub(super) wheel: RefCell<Wheel<Due>>,
    pub(super) jobs: RefCell<Jobs>,
    pub(super) late_jobs: Arc<LateJobs>,

    // Whom it waits for.
    pub(crate) reactor: Reactor,
    pub(super) pool: Pool,
    pub(super) clock: Clock,

    // This turn.
    pub(super) now: Cell<Instant>,
    /// The same in the wheel's ticks.
    pub(super) tick: Cell<u64>,
    pub(super) next_tick_at: Cell<Instant>,
    /// The tick has changed since timers were last expired, or one was
    /// filed whose time had come already.
    pub(super) timers_may_be_due: Cell<bool>,
    /// When the kernel should be asked again at the latest, and whether that
    /// time has come, or so much has run.
    pub(super) ask_by: Cell<Instant>,
    pub(super) kernel_is_due: Cell<bool>,
    /// How many calls and polls may run before the clock is read, and how
    /// many will have run by then since the kernel was asked.
    pub(super) unclocked: Cell<u32>,
    pub(super) ran: Cell<u32>,
    /// Operations that the running poll may still do; see `poll_budget`.
    pub(super) budget: Cell<u32>,
    /// Whether senders at the door know that they must ring.
    pub(super) parked: Cell<bool>,
    pub(super) stopping: Cell<bool>,
    /// The runtime ends: jobs are refused.
    pub(super) closing: Cell<bool>,
    pub(super) counts: Counts,

    // Emptied in every turn, kept for their capacity.
    pub(super) due: Cell<Vec<Due>>,
    pub(super) posts: Cell<Vec<Post>>,
    pub(super) woken: Cell<Vec<Waker>>,

    /// Who looks at it, until the runtime ends.
    pub(super) watchers: Watchers,
    /// Whom to tell of tasks.
    pub(super) task_hook: Option<TaskHook>,
    /// Whether a manual clock moves itself when nothing else can happen.
    pub(super) auto_advance: bool,
    pub(super) shutdown_timeout: Duration,
    pub(super) workers_max: usize,
    pub(super) registration: Registration,
}

/// Counters of the loop itself; the rooms below keep their own.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) turns: Cell<u64>,
    pub(super) parks: Cell<u64>,
    pub(super) polls: Cell<u64>,
    pub(super) callbacks: Cell<u64>,
    pub(super) timers_fired: Cell<u64>,
    pub(super) panics: Cell<u64>,
    pub(super) jobs: Cell<u64>,
}

/// Adds one; a counter that wraps after 580 years at 1 GHz needs no check.
pub(super) fn count(counter: &Cell<u64>) {
    counter.set(counter.get().wrapping_add(1));
}

/// Operations a poll may do before it is asked to let others run.
const BUDGET: u32 = 128;

impl Parts {
    #[track_caller]
    pub(super) fn new(builder: &Builder) -> io::Result<Self> {
        let reactor = Reactor::new()?;
        let bell = reactor.bell();
        let door = match builder.host_waker.clone() {
            None => TaskQueue::new(bell),
            Some(HostWaker(wake)) => TaskQueue::new(move || {
                bell();
                wake();
            }),
        };
        let door = Arc::new(door);
        let wakes = Arc::clone(&door);
        let registration = executor::register(move |ticket| {
            // A closed door means that the task is gone, or about to be.
            let _ = wakes.post(Post::Wake(ticket));
        })?;
        let limits = PoolLimits {
            workers_max: builder.blocking_workers_max,
            keep_alive: builder.blocking_keep_alive,
            queue_max: builder.blocking_queue_max,
            slow_max: builder.blocking_slow_max,
        };
        let late_jobs = Arc::new(LateJobs::default());
        let is_watched = builder.watched().is_some();
        let deliver = deliver_to(Arc::clone(&door), Arc::clone(&late_jobs), is_watched);
        let pool = Pool::new(limits, builder.thread_name.clone(), Arc::new(deliver));
        let clock = builder.clock.clone();
        let now = clock.now();
        let (watch, watchers) = Watchers::begin(builder, &clock)?;
        let executor = Executor::new(registration.number(), builder.shuffle_seed, watch);
        if builder.is_debugged {
            executor.debug();
        }
        Ok(Parts {
            door,
            callbacks: RefCell::default(),
            executor: Rc::new(executor),
            wheel: RefCell::new(Wheel::new()),
            jobs: RefCell::default(),
            late_jobs,
            reactor,
            pool,
            clock,
            now: Cell::new(now),
            tick: Cell::new(0),
            next_tick_at: Cell::new(now),
            timers_may_be_due: Cell::new(false),
            ask_by: Cell::new(now),
            kernel_is_due: Cell::new(false),
            unclocked: Cell::new(1),
            ran: Cell::new(1),
            budget: Cell::new(u32::MAX),
            parked: Cell::new(true),
            stopping: Cell::new(false),
            closing: Cell::new(false),
            counts: Counts::default(),
            due: Cell::default(),
            posts: Cell::default(),
            woken: Cell::default(),
            watchers,
            task_hook: builder.task_hook.clone(),
            auto_advance: builder.auto_advance && builder.clock.is_manual(),
            shutdown_timeout: builder.shutdown_timeout,
            workers_max: builder.blocking_workers_max,
            registration,
        })
    }

    /// The time as of this turn: at most 16 polls old, and free of charge.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// The time by the clock, for a deadline that must not come early.
    pub(crate) fn read_clock(&self) -> Instant {
        self.clock.now()
    }

    /// Gives the next poll its full budget.
    #[inline]
    pub(super) fn renew_budget(&self) {
        self.budget.set(BUDGET);
    }

    /// Ends the counting: what is polled between turns is polled by the host,
    /// whose time is its own. It may never turn again.
    #[inline]
    pub(super) fn lift_budget(&self) {
        self.budget.set(u32::MAX);
    }

    /// Whether the running poll may do another operation. If not, its task
    /// is queued again and told to return: a peer that sends faster than its
    /// task reads must not hold up the rest of the loop.
    #[inline]
    pub(crate) fn poll_budget(&self, cx: &Context<'_>) -> Poll<()> {
        if self.budget.get() == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Takes an operation that got somewhere from the budget. One that has
    /// to wait is free: a task may wait for any number of sockets.
    #[inline]
    pub(crate) fn spend(&self) {
        self.budget.set(self.budget.get().saturating_sub(1));
    }

    /// Files a timer. One whose time has come fires in the next turn.
    pub(super) fn insert_timer(&self, tick: u64, due: Due) -> TimerKey {
        if tick <= self.tick.get() {
            self.timers_may_be_due.set(true);
        }
        if let Some(watch) = self.watch() {
            // One that is as good as never has no deadline to tell.
            let left = u32::try_from(tick.saturating_sub(self.tick.get()));
            if let Ok(left) = left {
                watch.timer_set(Duration::from_millis(left.into()));
            }
        }
        self.wheel.borrow_mut().insert(tick, due)
    }

    /// Moves a timer that waits to another time.
    pub(super) fn move_timer(&self, key: TimerKey, tick: u64) {
        if tick <= self.tick.get() {
            self.timers_may_be_due.set(true);
        }
        self.wheel.borrow_mut().move_to(key, tick);
    }

    pub(super) fn push_callback(&self, callback: Callback) {
        self.callbacks.borrow_mut().push(callback);
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("number", &self.registration.number())
            .field("executor", &self.executor)
            .field("reactor", &self.reactor)
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}
