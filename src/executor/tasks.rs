//! The slab of futures: check out, poll elsewhere, check in.
//!
//! The hard fact: a poll may spawn, wake, abort and drop anything, its own
//! task included, and so may the drop of a future. So what is polled is not
//! in its place meanwhile, and whatever a poll or a wake touches here is a
//! `Cell`; the one `RefCell` is borrowed for a spawn and for an end, and
//! never while user code runs.

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::join::{JoinError, JoinHandle};
use super::ticket::{GENERATION_MAX, SLOT_MAX, Ticket};
use crate::queue::{PLACE_MAX, Places, ReadyQueue};
use crate::watch::{EndReason, Noted, Wait, WaitKind, Writer, waits_for};

/// A spawned future, boxed: the price of a readable signature, and of
/// taking it out of its slot by moving sixteen bytes.
pub(crate) type TaskFuture = Pin<Box<dyn Spawned>>;

/// A future of whatever output, which is boxed when it ends; that costs
/// nothing if it is `()`.
///
/// A trait, and no `async` block around the future: that would hold it twice,
/// once as it came and once as it is awaited.
pub(crate) trait Spawned {
    fn poll_boxed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>>;
}

impl<F: Future<Output: 'static>> Spawned for F {
    #[inline]
    fn poll_boxed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Box<dyn Any>> {
        self.poll(cx).map(|output| Box::new(output) as Box<dyn Any>)
    }
}

/// How a task ended.
pub(crate) type Outcome = Result<Box<dyn Any>, JoinError>;

const _: () = assert!(PLACE_MAX <= SLOT_MAX, "a ticket can name every place");

/// The slot of the future that `block_on` polls from its own stack.
pub(super) const ROOT: u32 = 0;

/// Owns the futures of one runtime.
pub(crate) struct Executor {
    pub(super) number: u16,
    /// The tasks, in the places that the ready queue is threaded through.
    pub(super) tasks: ReadyQueue<Task>,
    /// By the same numbers: what only a spawn, a message or an end needs.
    pub(super) records: Places<Record>,
    /// The places that nobody lives in.
    free: RefCell<Vec<u32>>,
    pub(super) alive: Cell<usize>,
    pub(super) spawned: Cell<u64>,
    /// How often a task was queued by something else than a wake.
    pub(super) unwoken: Cell<u64>,
    closed: Cell<bool>,
    /// Where it is written down, if anybody watches.
    watch: Option<Writer>,
    /// Whether to warn of what is allowed and seldom meant.
    is_debugged: Cell<bool>,
}

/// What a poll touches.
#[derive(Default)]
pub(super) struct Task {
    /// Gone while it is polled, and for good once it has ended.
    pub(super) future: Cell<Option<TaskFuture>>,
    pub(super) state: Cell<State>,
    pub(super) polls: Cell<u32>,
    /// What it waits for, and since which tick.
    pub(super) wait: Cell<Wait>,
    pub(super) since: Cell<u32>,
    /// Its waker was cloned once: somebody may hold it.
    pub(super) is_reachable: Cell<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    Alive,
    Aborting,
    /// Its place is free, or will be when it has come out of the ready queue
    /// and the handle is gone.
    #[default]
    Gone,
    /// The same, and its place is never used again: were its generation to
    /// wrap, an old ticket could name a new task.
    Retired,
}

/// What a poll does not touch.
#[derive(Default)]
pub(super) struct Record {
    /// Who lives there, while somebody does.
    pub(super) who: Cell<Option<Who>>,
    /// Whether there is a handle: the place is kept for it, and with it how
    /// the task ended.
    is_held: Cell<bool>,
    outcome: Cell<Option<Outcome>>,
    /// Whoever awaits that.
    waiting: Cell<Option<Waker>>,
}

#[derive(Clone)]
pub(super) struct Who {
    pub(super) name: Cow<'static, str>,
    pub(super) place: &'static Location<'static>,
}

/// What is left of a task or of its handle, for the caller to wake and to
/// drop: both may run the user's code.
#[derive(Debug)]
#[must_use = "somebody may wait for this"]
pub(crate) struct Left {
    pub(crate) waiting: Option<Waker>,
    pub(crate) outcome: Option<Outcome>,
}

/// What the next ready slot holds.
pub(crate) enum CheckedOut<'a> {
    /// The future that `block_on` holds.
    Root(Ticket),
    /// A future to poll, then to check in or to retire.
    Task(Ticket, TaskFuture, Seat<'a>),
    /// A future to drop, then to retire.
    Aborted(Ticket, TaskFuture),
    /// The task was gone already: its wake came late.
    Vacant,
}

/// Where a future is checked in that was polled and is pending. Places never
/// move, so it need not be looked up again.
#[derive(Clone, Copy)]
pub(crate) struct Seat<'a>(&'a Task);

impl Seat<'_> {
    #[inline]
    pub(crate) fn check_in(self, future: TaskFuture, noted: Noted, tick: u64) {
        let task = self.0;
        task.wait.set(noted.wait);
        task.since.set(tick as u32);
        if noted.is_reachable {
            task.is_reachable.set(true);
        }
        let before = task.future.replace(Some(future));
        debug_assert!(before.is_none(), "a slot is kept while its future is out");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(before);
    }
}

impl Executor {
    /// An executor for the runtime with this number, whose ready queue is
    /// shuffled by `seed` if there is one.
    pub(crate) fn new(number: u16, seed: Option<u64>, watch: Option<Writer>) -> Self {
        let (tasks, records) = (ReadyQueue::new(seed), Places::<Record>::new());
        let root = (tasks.add(), records.add());
        debug_assert_eq!(root, (Some(ROOT), Some(ROOT)), "the root comes first");
        Executor {
            number,
            tasks,
            records,
            free: RefCell::default(),
            alive: Cell::new(0),
            spawned: Cell::new(0),
            unwoken: Cell::new(0),
            closed: Cell::new(false),
            watch,
            is_debugged: Cell::new(false),
        }
    }

    /// Where it is written down, if anybody watches.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Writer> {
        self.watch.as_ref()
    }

    #[inline]
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// Adds `future` as a task, to be polled first in the next turn.
    ///
    /// When the executor is closed or full the future is dropped and the
    /// handle says so.
    pub(crate) fn spawn<F>(
        self: Rc<Self>,
        future: F,
        name: Option<Cow<'static, str>>,
        place: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let slot = match self.vacancy() {
            Ok(slot) => slot,
            Err(why) => {
                // Dropped with nothing borrowed: the future may be anything.
                drop(future);
                return JoinHandle::refused(self, why);
            }
        };
        let queued = self.tasks.push_first(slot);
        let task = queued.value;
        let before = task.future.replace(Some(Box::pin(future)));
        debug_assert!(before.is_none(), "nobody lives in a free place");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(before);
        task.state.set(State::Alive);
        task.polls.set(0);
        task.is_reachable.set(false);
        task.wait.set(Wait::default());
        let record = self.record(slot);
        record.is_held.set(true);
        let name = name.unwrap_or(Cow::Borrowed(type_name::<F>()));
        self.watched(|watch| watch.spawned(slot, &name, place, size_of::<F>()));
        let who = record.who.replace(Some(Who { name, place }));
        debug_assert!(who.is_none(), "nor is anybody's name left there");
        mem::forget(who);
        self.alive.set(self.alive.get() + 1);
        self.spawned.set(self.spawned.get() + 1);
        let ticket = Ticket::new(self.number, queued.generation, slot);
        JoinHandle::new(self, ticket)
    }

    /// A place for a task, or why there is none.
    #[inline]
    fn vacancy(&self) -> Result<u32, &'static str> {
        if self.closed.get() {
            return Err("the runtime is shutting down");
        }
        let vacant = self.free.borrow_mut().pop();
        let vacant = vacant.or_else(|| self.add_place());
        vacant.ok_or("over ten million tasks are alive already")
    }

    #[cold]
    fn add_place(&self) -> Option<u32> {
        let slot = self.tasks.add()?;
        let same = self.records.add();
        debug_assert_eq!(same, Some(slot), "both grow together");
        Some(slot)
    }

    #[inline]
    pub(super) fn record(&self, slot: u32) -> &Record {
        let record = self.records.get(slot);
        record.expect("there is a record wherever there is a place for a task")
    }

    /// Queues the task that `ticket` names, if it lives. Loop thread.
    #[inline(always)]
    pub(crate) fn wake(&self, ticket: Ticket) {
        let slot = ticket.slot();
        if self.tasks.push(slot, ticket.generation())
            && let Some(watch) = &self.watch
        {
            watch.woken(slot);
        }
    }

    /// Asks the task that `ticket` names to end. Its future is dropped when
    /// its turn comes.
    pub(crate) fn abort(&self, ticket: Ticket) {
        let (slot, generation) = (ticket.slot(), ticket.generation());
        if ticket.runtime() == self.number && slot != ROOT && self.tasks.holds(slot, generation) {
            self.tasks.value(slot).state.set(State::Aborting);
            self.push_unwoken(slot, generation);
        }
    }

    /// Queues the future that `block_on` holds.
    pub(crate) fn wake_root(&self) {
        self.push_unwoken(ROOT, 0);
    }

    /// Queues the task in this slot as if it had been woken, if one lives
    /// there; or the future that `block_on` holds.
    pub(crate) fn nudge(&self, slot: u32) {
        if slot == ROOT || self.tasks.value(slot).state.get() == State::Alive {
            self.push_unwoken(slot, self.tasks.generation(slot));
        }
    }

    fn push_unwoken(&self, slot: u32, generation: u32) {
        if self.tasks.push(slot, generation) {
            self.unwoken.set(self.unwoken.get() + 1);
            self.watched(|watch| watch.woken(slot));
        }
    }

    /// Warns from now on of what is allowed and seldom meant.
    pub(crate) fn debug(&self) {
        self.is_debugged.set(true);
    }

    pub(super) fn is_debugged(&self) -> bool {
        self.is_debugged.get()
    }

    /// Writes something down, if anybody watches.
    #[inline(always)]
    fn watched(&self, write: impl FnOnce(&Writer)) {
        if let Some(watch) = &self.watch {
            write(watch);
        }
    }

    /// How many slots are queued now.
    #[inline]
    pub(crate) fn ready_count(&self) -> usize {
        self.tasks.len()
    }

    /// The same, when they are about to be checked out.
    #[inline]
    pub(crate) fn begin_batch(&self) -> usize {
        self.tasks.begin_batch()
    }

    /// Takes out what the next queued slot holds.
    #[inline]
    pub(crate) fn check_out(&self) -> CheckedOut<'_> {
        let Some(next) = self.tasks.pop() else {
            return CheckedOut::Vacant;
        };
        let task = next.value;
        let ticket = || Ticket::new(self.number, next.generation, next.slot);
        match task.future.take() {
            Some(future) if task.state.get() == State::Aborting => {
                CheckedOut::Aborted(ticket(), future)
            }
            Some(future) => {
                task.polls.set(task.polls.get().wrapping_add(1));
                CheckedOut::Task(ticket(), future, Seat(task))
            }
            None if next.slot == ROOT => CheckedOut::Root(ticket()),
            None => {
                if !self.record(next.slot).is_held.get() {
                    self.free_if_left(next.slot);
                }
                CheckedOut::Vacant
            }
        }
    }

    /// The seat of a task that lives, for tests that keep its future long.
    #[cfg(test)]
    pub(super) fn seat(&self, ticket: Ticket) -> Seat<'_> {
        Seat(self.tasks.value(ticket.slot()))
    }

    /// Ends a task whose future is gone: its wakers reach nobody from now on.
    /// How it ended is kept for its handle; without one it is what is left.
    #[inline]
    pub(crate) fn retire(&self, ticket: Ticket, outcome: Outcome) -> Left {
        let (slot, generation) = (ticket.slot(), ticket.generation());
        self.alive.set(self.alive.get() - 1);
        self.watched(|watch| watch.ended(slot, reason_of(&outcome)));
        if generation == GENERATION_MAX {
            self.tasks.admit(slot, None).state.set(State::Retired);
        } else {
            let next = self.tasks.admit(slot, Some(generation + 1));
            next.state.set(State::Gone);
        }
        let record = self.record(slot);
        record.who.set(None);
        let waiting = record.waiting.take();
        if record.is_held.get() {
            let outcome = record.outcome.replace(Some(outcome));
            return Left { waiting, outcome };
        }
        self.free_if_left(slot);
        Left {
            waiting,
            outcome: Some(outcome),
        }
    }

    /// Whether the task lives that `ticket` names.
    pub(crate) fn lives(&self, ticket: Ticket) -> bool {
        self.tasks.holds(ticket.slot(), ticket.generation())
    }

    /// Gives how a task ended and releases its place, or files whom to wake
    /// when it does. Only for its handle: the place may be another's then.
    #[inline]
    pub(super) fn poll_outcome(&self, ticket: Ticket, cx: &Context<'_>) -> Poll<Outcome> {
        let record = self.record(ticket.slot());
        if let Some(outcome) = record.outcome.take() {
            self.let_go(ticket);
            return Poll::Ready(outcome);
        }
        let before = record.waiting.take();
        if before
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            record.waiting.set(before);
            waits_for(WaitKind::Task, ticket.slot());
            return Poll::Pending;
        }
        // A foreign waker may run code when it is cloned and when it is
        // dropped, even turn the loop, and panic: so nothing is filed or
        // taken before the last of that.
        drop(before);
        let own = cx.waker().clone();
        if self.lives(ticket) {
            record.waiting.set(Some(own));
            waits_for(WaitKind::Task, ticket.slot());
            return Poll::Pending;
        }
        drop(own);
        let Some(outcome) = record.outcome.take() else {
            return Poll::Pending;
        };
        self.let_go(ticket);
        Poll::Ready(outcome)
    }

    /// Lets go of the place that was kept for the handle of a task.
    #[inline]
    pub(super) fn release(&self, ticket: Ticket) -> Left {
        let record = self.record(ticket.slot());
        let left = Left {
            waiting: record.waiting.take(),
            outcome: record.outcome.take(),
        };
        self.let_go(ticket);
        left
    }

    #[inline]
    fn let_go(&self, ticket: Ticket) {
        self.record(ticket.slot()).is_held.set(false);
        self.free_if_left(ticket.slot());
    }

    /// The last of three to leave a place frees it: the task, its handle, and
    /// its number in the ready queue. Here the handle has left.
    #[inline]
    fn free_if_left(&self, slot: u32) {
        let task = self.tasks.unqueued(slot);
        if task.is_some_and(|task| task.state.get() == State::Gone) {
            self.free.borrow_mut().push(slot);
        }
    }

    /// Refuses new tasks from now on.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    /// Takes out the future of a task that lives and is not being polled, to
    /// be dropped by the caller, who then retires it.
    pub(crate) fn take(&self, ticket: Ticket) -> Option<TaskFuture> {
        let is_ours = ticket.runtime() == self.number && self.lives(ticket);
        let future = is_ours.then(|| self.tasks.value(ticket.slot()).future.take());
        future.flatten()
    }

    /// Takes out every future that is left, to be dropped by the caller,
    /// by slot number.
    pub(crate) fn take_all(&self) -> Vec<(Ticket, TaskFuture)> {
        let taken = self.tasks.slots().filter_map(|slot| {
            let future = self.tasks.value(slot).future.take()?;
            let generation = self.tasks.generation(slot);
            Some((Ticket::new(self.number, generation, slot), future))
        });
        taken.collect()
    }
}

fn reason_of(outcome: &Outcome) -> EndReason {
    match outcome {
        Ok(_) => EndReason::Done,
        Err(error) if error.is_panic() => EndReason::Panicked,
        Err(_) => EndReason::Aborted,
    }
}
