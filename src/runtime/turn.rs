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
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::callbacks::{Callback, CallbackKind};
use super::jobs::JobEnd;
use super::parts::{Due, Parts, Post, count};
use super::tasks::TaskEventKind;
use crate::executor::{self, CheckedOut, JoinError, Outcome, Seat, TaskFuture, Ticket, panic_text};
use crate::watch::take_noted;

/// While work waits, the kernel is asked after this many calls and polls, and
/// not at every turn: a task that wakes itself polls in some 20 ns, and
/// asking costs 90. tokio asks after 61, async-executor after 200.
const UNASKED_MAX: u32 = 128;

/// ... or after this long, should they be slow. rloop allows 250 us.
const UNASKED_TIME_MAX: Duration = Duration::from_micros(100);

/// While work runs, the clock is read once in this many calls and polls:
/// reading costs 18 ns, so this way 1 ns a poll.
const CLOCK_EVERY: u32 = 16;

/// The future that `block_on` holds on its own stack.
pub(super) struct Root<'a> {
    pub(super) future: Pin<&'a mut dyn Future<Output = ()>>,
    pub(super) done: bool,
}

/// What of a turn's callbacks, or of its tasks, is still to be run.
struct Batch {
    left: usize,
    has_run: bool,
}

impl Batch {
    fn of(left: usize) -> Self {
        Batch {
            left,
            has_run: false,
        }
    }
}

/// The task that is being polled.
type Polled = Option<(Ticket, TaskFuture)>;

impl Parts {
    /// Moves what has become due to where it will run. Calls nothing but the
    /// wakers of due timers and of ended jobs, which may be foreign.
    #[inline]
    pub(super) fn gather(&self) {
        count(&self.counts.turns);
        if self.watch().is_some_and(|watch| watch.turn_begins()) {
            // While it was held, nothing ran: a turn in slow motion is a whole turn.
            self.begin();
        }
        if self.timers_may_be_due.get() {
            self.expire_timers();
        }
        if self.parked.get() || !self.door.seems_empty() {
            self.open_door();
        }
    }

    fn expire_timers(&self) {
        self.timers_may_be_due.set(false);
        let mut batch = self.due.take();
        let now = self.tick.get();
        self.wheel.borrow_mut().expire_each(now, &mut |tick, due| {
            self.watched(|watch| watch.timer_fired(Duration::from_millis(now - tick.min(now))));
            batch.push(due);
        });
        // All callbacks first: a waker may be foreign, and cancel the timer of
        // a callback that is due, and file another, which gets its place.
        for due in &batch {
            if let Due::Call(place) = due {
                self.callbacks.borrow_mut().push_due(*place);
            }
            count(&self.counts.timers_fired);
        }
        for due in batch.drain(..) {
            if let Due::Wake(waker) = due {
                self.wake(waker);
            }
        }
        self.due.set(batch);
    }

    /// Takes in what other threads have sent.
    fn open_door(&self) {
        self.parked.set(false);
        let mut batch = self.posts.take();
        self.door.take(&mut batch);
        self.watched(|watch| watch.took_posts(batch.len()));
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
                Post::JobEnded(key, work, ran) => self.end_job(key, JobEnd::Ran(work, ran)),
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
    #[inline]
    pub(super) fn run(&self, root: Option<&mut Root<'_>>) -> bool {
        let callbacks = self.callbacks.borrow().len();
        let ready = self.executor.begin_batch();
        self.watched(|watch| watch.run_begins(ready, callbacks));
        if callbacks > 0 {
            self.run_callbacks(Batch::of(callbacks));
        }
        if ready > 0 {
            self.run_tasks(Batch::of(ready), root);
        }
        self.lift_budget();
        self.watched(|watch| watch.run_ends());
        callbacks + ready > 0
    }

    fn run_callbacks(&self, mut batch: Batch) {
        while let Some(stretch) = self.next_stretch(&mut batch) {
            for _ in 0..stretch {
                let next = self.callbacks.borrow_mut().pop();
                if let Some(callback) = next.flatten() {
                    self.call(callback);
                }
            }
        }
    }

    /// Panics are caught once for the whole batch and not at each poll: what
    /// panicked is found in `polled`, whole, and the batch goes on.
    fn run_tasks(&self, mut batch: Batch, mut root: Option<&mut Root<'_>>) {
        let mut polled = None;
        loop {
            let ready = || self.run_ready(&mut batch, &mut polled, root.as_deref_mut());
            let Err(payload) = catch_unwind(AssertUnwindSafe(ready)) else {
                return;
            };
            let noted = take_noted();
            let Some((ticket, future)) = polled.take() else {
                // A panic of the root's is one of whoever called `block_on`.
                self.lift_budget();
                self.poll_ended(0, noted);
                resume_unwind(payload);
            };
            self.end_panicked(ticket, future, payload);
            self.poll_ended(ticket.slot(), noted);
        }
    }

    #[inline]
    fn run_ready(&self, batch: &mut Batch, polled: &mut Polled, mut root: Option<&mut Root<'_>>) {
        while let Some(stretch) = self.next_stretch(batch) {
            for _ in 0..stretch {
                match self.executor.check_out() {
                    CheckedOut::Task(ticket, future, seat) => {
                        self.poll(ticket, future, seat, polled);
                    }
                    CheckedOut::Aborted(ticket, future) => self.drop_aborted(ticket, future),
                    CheckedOut::Root(ticket) => self.poll_root(ticket, root.as_deref_mut()),
                    CheckedOut::Vacant => {}
                }
            }
        }
    }

    /// Asks the kernel who is ready: now and then while work waits, else
    /// until the next deadline, but no longer than `park_max`.
    #[inline]
    pub(super) fn park(&self, park_max: Option<Duration>) -> io::Result<()> {
        if self.work_waits() && !self.kernel_is_due.get() && !self.kernel_became_due() {
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
            if let Some(then) = self.next_jump(park_max) {
                return self.jump(then);
            }
        }
        self.sleep(timeout)
    }

    pub(super) fn sleep(&self, timeout: Option<Duration>) -> io::Result<()> {
        let mut woken = self.woken.take();
        count(&self.counts.parks);
        let asked = match self.watch() {
            None => {
                let asked = self.reactor.park(timeout, &mut woken);
                self.begin();
                asked
            }
            Some(watch) => self.watched_park(watch, timeout, &mut woken),
        };
        self.executor.expect_woken(woken.len());
        woken.drain(..).for_each(|waker| self.wake(waker));
        self.woken.set(woken);
        asked
    }

    /// Whether something would run if another turn began now.
    pub(super) fn work_waits(&self) -> bool {
        self.executor.ready_count() > 0
            || self.callbacks.borrow().len() > 0
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

    /// How many of a batch to run before the clock is looked at again; they
    /// count as run. `None` when it is done, or when the kernel should be
    /// asked before the rest of it.
    ///
    /// One that panics takes the rest of its stretch with it: the batch ends
    /// up to 15 early.
    #[inline]
    fn next_stretch(&self, batch: &mut Batch) -> Option<usize> {
        if batch.left == 0 || self.kernel_became_due() && batch.has_run {
            return None;
        }
        // One of each batch is run, however slow what came before it was.
        let stretch = (self.unclocked.get() as usize).max(1).min(batch.left);
        let unclocked = self.unclocked.get().saturating_sub(stretch as u32);
        self.unclocked.set(unclocked);
        batch.left -= stretch;
        batch.has_run = true;
        Some(stretch)
    }

    /// Whether so much has run, or for so long, that the kernel should be
    /// asked.
    #[inline]
    fn kernel_became_due(&self) -> bool {
        self.unclocked.get() == 0 && self.look_at_clock()
    }

    /// The first few calls and polls are timed closely, after 1, 2, 4
    /// and 8 of them: two that compute for a second must not run in a row.
    fn look_at_clock(&self) -> bool {
        let ran = self.ran.get();
        let is_due = ran >= UNASKED_MAX || self.refresh_now() >= self.ask_by.get();
        self.kernel_is_due.set(is_due);
        if !is_due {
            let stretch = ran.min(CLOCK_EVERY);
            self.unclocked.set(stretch);
            self.ran.set(ran + stretch);
        }
        is_due
    }

    /// Begins to count and to time what runs until the kernel is asked.
    /// Where the loop has slept, or its host did something else, that time
    /// is not counted.
    pub(super) fn begin(&self) {
        self.ask_by.set(self.refresh_now() + UNASKED_TIME_MAX);
        self.kernel_is_due.set(false);
        self.unclocked.set(1);
        self.ran.set(1);
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
        let (place, kind) = (callback.place, callback.kind);
        self.watched(|watch| watch.call_begins(place));
        if let Err(payload) = catch_unwind(AssertUnwindSafe(callback.call)) {
            self.note_panic(&format_args!("callback from {place}"), payload);
        }
        self.watched(|watch| watch.call_ends(place, kind.completed()));
    }

    /// Polls a task. If it panics, its future is left in `polled`.
    #[inline]
    fn poll(&self, ticket: Ticket, future: TaskFuture, seat: Seat<'_>, polled: &mut Polled) {
        count(&self.counts.polls);
        self.renew_budget();
        self.tell(TaskEventKind::PollBegins, ticket);
        self.watched(|watch| watch.poll_begins(ticket.slot()));
        // Dropping such a waker does nothing; this way it is not even called.
        let waker = ManuallyDrop::new(executor::waker(ticket));
        let mut cx = Context::from_waker(&waker);
        let (_, future) = polled.insert((ticket, future));
        let poll = future.as_mut().poll_boxed(&mut cx);
        let Some((_, future)) = polled.take() else {
            return;
        };
        let noted = take_noted();
        match poll {
            Poll::Pending => {
                seat.check_in(future, noted, self.tick.get());
                self.tell(TaskEventKind::PollEnds, ticket);
            }
            Poll::Ready(output) => {
                self.tell(TaskEventKind::PollEnds, ticket);
                self.end(ticket, future, Ok(output));
            }
        }
        self.poll_ended(ticket.slot(), noted);
    }

    fn poll_root(&self, ticket: Ticket, root: Option<&mut Root<'_>>) {
        // Without a root this is a late wake of a `block_on` that returned.
        let Some(root) = root else { return };
        count(&self.counts.polls);
        self.renew_budget();
        let waker = ManuallyDrop::new(executor::waker(ticket));
        let mut cx = Context::from_waker(&waker);
        self.watched(|watch| watch.poll_begins(ticket.slot()));
        root.done = root.future.as_mut().poll(&mut cx).is_ready();
        let noted = take_noted();
        self.poll_ended(ticket.slot(), noted);
    }

    /// The future goes first: whoever is told of the end finds released what
    /// the task held.
    fn end(&self, ticket: Ticket, future: TaskFuture, outcome: Outcome) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
            let info = self.executor.info(ticket).map(|info| info.to_string());
            let who = info.as_deref().unwrap_or("a task");
            self.note_panic(&format_args!("dropping what {who} held"), payload);
        }
        self.tell(TaskEventKind::of_end(&outcome), ticket);
        let left = self.executor.retire(ticket, outcome);
        if let Some(waker) = left.waiting {
            self.wake(waker);
        }
        if let Some(outcome) = left.outcome {
            self.drop_quietly("the result of a task without a handle", outcome);
        }
    }

    #[cold]
    fn end_panicked(&self, ticket: Ticket, future: TaskFuture, payload: Box<dyn Any + Send>) {
        count(&self.counts.panics);
        if let Some(info) = self.executor.info(ticket) {
            log_panic(&info, &*payload);
        }
        self.end(ticket, future, Err(JoinError::panicked(payload)));
    }

    /// Drops a task here and now, in user code that wants it gone; if it is
    /// the one being polled, in its next turn.
    pub(crate) fn drop_now(&self, ticket: Ticket) {
        match self.executor.take(ticket) {
            Some(future) => self.drop_aborted(ticket, future),
            None => self.executor.abort(ticket),
        }
    }

    #[cold]
    pub(super) fn drop_aborted(&self, ticket: Ticket, future: TaskFuture) {
        self.end(ticket, future, Err(JoinError::aborted()));
    }

    /// Calls the completions that are queued, when the runtime ends, and
    /// drops all other callbacks. Returns whether there were any.
    pub(super) fn end_callbacks(&self) -> bool {
        let callbacks = self.callbacks.borrow_mut().take_all();
        let had_any = !callbacks.is_empty();
        for callback in callbacks {
            if callback.kind != CallbackKind::Plain {
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
        log_panic(who, &*payload);
        // A payload may panic when it is dropped, and so on without end.
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(second);
        }
    }
}

/// Wakes a waker that may be foreign, and so may panic: that costs neither
/// the next in line their turn nor makes a drop unwind.
pub(crate) fn wake_quietly(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        log_panic(&"a waker", &*payload);
        // It may panic when it is dropped.
        mem::forget(payload);
    }
}

/// Drops a waker that may be foreign, and so may panic: that neither makes a
/// drop unwind nor loses what was settled before.
pub(crate) fn drop_waker_quietly(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(waker))) {
        log_panic(&"dropping a waker", &*payload);
        mem::forget(payload);
    }
}

#[cold]
pub(super) fn log_panic(who: &dyn fmt::Display, payload: &(dyn Any + Send)) {
    log_quietly(|| log::error!("{who} panicked: {}", panic_text(payload)));
}

/// The logger is the user's, too. One that panics must not cost the loop its
/// life, nor whoever awaits something the news of its end.
#[cold]
pub(super) fn log_quietly(log: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(log)) {
        mem::forget(payload);
    }
}
