//! One turn of the loop: gather, run, park. Start reading here.
//!
//! This file is the only place on the loop thread that calls user code, so
//! re-entrancy, panics and borrows are a matter of this one file. Its rule:
//! take out, release, call, put back. Nothing is borrowed while a callback
//! runs, a future is polled or dropped, or a waker is woken.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::parts::{Callback, CallbackKind, Due, Parts, Post, count};
use crate::executor::{self, CheckedOut, JoinError, TaskFuture, Ticket, panic_text};

/// While work waits, the kernel is asked after this many calls and polls, and
/// not at every turn: a task that wakes itself polls in some 20 ns, and
/// asking costs 90. tokio asks after 61, async-executor after 200.
const UNASKED_MAX: u32 = 128;

/// ... or after this long, should they be slow. rloop allows 250 us.
const UNASKED_TIME_MAX: Duration = Duration::from_micros(100);

/// While work runs, the clock is read once in this many calls and polls:
/// reading costs 18 ns, so this way 1 ns a poll. A power of two.
const CLOCK_EVERY: u32 = 16;

/// The future that `block_on` holds on its own stack.
pub(super) struct Root<'a> {
    pub(super) future: Pin<&'a mut dyn Future<Output = ()>>,
    pub(super) done: bool,
}

impl Parts {
    /// Moves what has become due to where it will run. Calls nothing but the
    /// wakers of due timers, which may be foreign.
    pub(super) fn gather(&self) {
        count(&self.counts.turns);
        if self.timers_may_be_due.take() {
            self.expire_timers();
        }
        if self.parked.get() || !self.door.seems_empty() {
            self.open_door();
        }
    }

    fn expire_timers(&self) {
        let mut batch = self.due.take();
        self.wheel.borrow_mut().expire(self.tick.get(), &mut batch);
        for due in batch.drain(..) {
            count(&self.counts.timers_fired);
            match due {
                Due::Wake(waker) => self.wake(waker),
                Due::Call(callback) => self.push_callback(callback),
            }
        }
        self.due.set(batch);
    }

    /// Takes in what other threads have sent.
    fn open_door(&self) {
        self.parked.set(false);
        let mut batch = self.posts.take();
        self.door.take(&mut batch);
        for post in batch.drain(..) {
            match post {
                Post::Wake(ticket) => self.executor.wake(ticket),
                Post::Call(call, place) => {
                    self.push_callback(Callback {
                        call,
                        place,
                        kind: CallbackKind::Plain,
                    });
                }
                Post::JobEnded(key) => self.job_ended(key),
                Post::Stop => self.stopping.set(true),
            }
        }
        self.posts.set(batch);
    }

    /// Runs what is ready now, and nothing that it starts.
    ///
    /// Both counts are taken before the first call, so a callback that posts
    /// itself and a task that wakes itself wait a turn, and cannot starve the
    /// sockets. A slow batch ends early; the rest keeps its place.
    ///
    /// Returns whether anything ran.
    pub(super) fn run(&self, mut root: Option<&mut Root<'_>>) -> bool {
        let callback_count = self.callbacks.borrow().len();
        let ready_count = self.executor.ready_count();
        for left in (0..callback_count).rev() {
            let Some(callback) = self.callbacks.borrow_mut().pop_front() else {
                break;
            };
            self.call(callback);
            if self.count_run(1, left > 0) {
                break;
            }
        }
        // At least one poll, however slow the callbacks were.
        let mut left = ready_count;
        while left > 0 {
            let stretch = self.until_clock().min(left);
            for _ in 0..stretch {
                match self.executor.check_out() {
                    CheckedOut::Task(ticket, future) => self.poll(ticket, future),
                    CheckedOut::Aborted(ticket, future) => self.drop_aborted(ticket, future),
                    CheckedOut::Root(ticket) => self.poll_root(ticket, root.as_deref_mut()),
                    CheckedOut::Vacant => {}
                }
            }
            left -= stretch;
            if self.count_run(stretch, left > 0) {
                break;
            }
        }
        callback_count + ready_count > 0
    }

    /// Asks the kernel who is ready: now and then while work waits, else
    /// until the next deadline, but no longer than `park_max`.
    pub(super) fn park(&self, park_max: Option<Duration>) -> io::Result<()> {
        if self.work_waits() && !self.kernel_is_due() {
            return Ok(());
        }
        self.ask_kernel(park_max)
    }

    /// Asks the kernel who is ready: without waiting if work waits.
    pub(super) fn ask_kernel(&self, park_max: Option<Duration>) -> io::Result<()> {
        let mut timeout = Some(Duration::ZERO);
        if self.work_waits() {
            // What waits comes first.
        } else if self.door.park() {
            // From here on senders ring. What they sent before, `door.park`
            // would have seen; so nothing can slip in between.
            self.parked.set(true);
            timeout = self.until_next_deadline();
            timeout = timeout.map_or(park_max, |left| {
                Some(park_max.map_or(left, |max| left.min(max)))
            });
        }
        let mut woken = self.woken.take();
        count(&self.counts.parks);
        let asked = self.reactor.park(timeout, &mut woken);
        self.begin();
        self.ran_since.set(0);
        woken.drain(..).for_each(|waker| self.wake(waker));
        self.woken.set(woken);
        asked
    }

    /// Whether something would run if another turn began now.
    pub(super) fn work_waits(&self) -> bool {
        self.executor.ready_count() > 0
            || !self.callbacks.borrow().is_empty()
            || !self.door.seems_empty()
    }

    /// How long until a timer is due, by the clock and not by this turn's
    /// idea of it: what just ran may have taken long.
    pub(super) fn until_next_deadline(&self) -> Option<Duration> {
        let tick = self.wheel.borrow().next_deadline()?;
        let deadline = self.clock.instant_at(tick)?;
        if self.clock.is_manual() && deadline > self.clock.now() {
            // Only a hand moves that clock: sleeping would not.
            return None;
        }
        Some(deadline.saturating_duration_since(self.clock.now()))
    }

    /// How many calls or polls may follow before the clock is read again.
    /// The first few are timed closely, after 1, 2, 4 and 8 of them: two that
    /// compute for a second must not run in a row.
    #[inline]
    fn until_clock(&self) -> usize {
        let ran = self.ran_since.get();
        let next = if ran < CLOCK_EVERY {
            (ran + 1).next_power_of_two()
        } else {
            (ran / CLOCK_EVERY + 1) * CLOCK_EVERY
        };
        (next - ran) as usize
    }

    /// Counts calls or polls, and says whether the batch should end so that
    /// the kernel is asked. If none follow, the kernel is asked anyway, and
    /// the clock need not be read before.
    #[inline]
    fn count_run(&self, count: usize, more_follow: bool) -> bool {
        let ran = self.ran_since.get() + count as u32;
        self.ran_since.set(ran);
        let is_early = more_follow && ran < CLOCK_EVERY && ran.is_power_of_two();
        if is_early || ran.is_multiple_of(CLOCK_EVERY) {
            self.is_slow.set(self.refresh_now() >= self.ask_by.get());
        }
        self.kernel_is_due()
    }

    #[inline]
    fn kernel_is_due(&self) -> bool {
        self.ran_since.get() >= UNASKED_MAX || self.is_slow.get()
    }

    /// Begins to measure how long work runs. Where the loop has slept, or its
    /// host did something else, that time is not counted.
    pub(super) fn begin(&self) {
        self.ask_by.set(self.refresh_now() + UNASKED_TIME_MAX);
        self.is_slow.set(false);
    }

    /// Brings this turn's idea of the time up to date.
    pub(super) fn refresh_now(&self) -> Instant {
        let now = self.clock.now();
        self.now.set(now);
        // A comparison most times, instead of a division.
        if now >= self.next_tick_at.get() {
            let tick = self.clock.ticks_passed(now);
            self.tick.set(tick);
            self.timers_may_be_due.set(true);
            let next = self.clock.instant_at(tick + 1);
            self.next_tick_at.set(next.unwrap_or(now));
        }
        now
    }
}

/// User code, called.
impl Parts {
    fn call(&self, callback: Callback) {
        count(&self.counts.callbacks);
        self.renew_budget();
        let place = callback.place;
        if let Err(payload) = catch_unwind(AssertUnwindSafe(callback.call)) {
            self.note_panic(&format_args!("callback from {place}"), payload);
        }
    }

    #[inline]
    fn poll(&self, ticket: Ticket, mut future: TaskFuture) {
        count(&self.counts.polls);
        self.renew_budget();
        // Dropping such a waker does nothing; this way it is not even called.
        let waker = ManuallyDrop::new(executor::waker(ticket));
        let mut cx = Context::from_waker(&waker);
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx))) {
            Ok(Poll::Pending) => self.executor.check_in(ticket, future),
            Ok(Poll::Ready(())) => self.end(ticket, future),
            Err(payload) => self.end_panicked(ticket, future, payload),
        }
    }

    fn poll_root(&self, ticket: Ticket, root: Option<&mut Root<'_>>) {
        // Without a root this is a late wake of a `block_on` that returned.
        let Some(root) = root else { return };
        count(&self.counts.polls);
        self.renew_budget();
        let waker = ManuallyDrop::new(executor::waker(ticket));
        let mut cx = Context::from_waker(&waker);
        // A panic of the root's is one of whoever called `block_on`.
        root.done = root.future.as_mut().poll(&mut cx).is_ready();
    }

    fn end(&self, ticket: Ticket, future: TaskFuture) {
        let join = self.executor.retire(ticket);
        self.drop_quietly("what a finished task held", (future, join));
    }

    #[cold]
    fn end_panicked(&self, ticket: Ticket, future: TaskFuture, payload: Box<dyn Any + Send>) {
        count(&self.counts.panics);
        if let Some(facts) = self.executor.facts(ticket) {
            log::error!("{facts} panicked: {}", panic_text(&*payload));
        }
        self.drop_quietly("the future of a task that panicked", future);
        self.fail(ticket, JoinError::panicked(payload));
    }

    #[cold]
    pub(super) fn drop_aborted(&self, ticket: Ticket, future: TaskFuture) {
        self.drop_quietly("the future of an aborted task", future);
        self.fail(ticket, JoinError::aborted());
    }

    fn fail(&self, ticket: Ticket, error: JoinError) {
        if let Some(join) = self.executor.retire(ticket) {
            let told = catch_unwind(AssertUnwindSafe(move || join.fail(error)));
            if let Err(payload) = told {
                self.note_panic(
                    &"the waker of whoever awaited a task, or its payload",
                    payload,
                );
            }
        }
    }

    /// Calls the completions that are queued, when the runtime ends, and
    /// drops all other callbacks. Returns whether there were any.
    pub(super) fn end_callbacks(&self) -> bool {
        let callbacks = self.callbacks.take();
        let had_any = !callbacks.is_empty();
        for callback in callbacks {
            if callback.kind == CallbackKind::Completion {
                self.call(callback);
            } else {
                self.drop_quietly("a callback that was never called", callback);
            }
        }
        had_any
    }

    /// Wakes a waker that may be foreign, and so may panic.
    #[inline]
    pub(super) fn wake(&self, waker: Waker) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            self.note_panic(&"a waker", payload);
        }
    }

    /// Drops what may be the user's, and so may panic.
    #[inline]
    pub(super) fn drop_quietly<T>(&self, what: &str, value: T) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            self.note_panic(&format_args!("dropping {what}"), payload);
        }
    }

    #[cold]
    pub(super) fn note_panic(&self, who: &dyn fmt::Display, payload: Box<dyn Any + Send>) {
        count(&self.counts.panics);
        log::error!("{who} panicked: {}", panic_text(&*payload));
        // A payload may panic when it is dropped, and so on without end.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}
