//! The slab of futures: check out, poll elsewhere, check in.
//!
//! The hard fact: a poll may spawn, wake, abort and drop anything, its own
//! task included, and so may the drop of a future. So what is polled is not
//! in its place meanwhile, and whatever a poll or a wake touches here is a
//! `Cell`: nothing is ever borrowed.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::rc::Rc;
use std::task::Waker;

use super::join::{CLOSED, FULL, HELD, JoinHandle};
use super::kept::TaskFuture;
use super::ticket::{SLOT_MAX, Ticket};
use crate::queue::{PLACE_MAX, Place, Places, ReadyQueue};
use crate::sys::{prefetch, prefetch_boxed};
use crate::watch::{Noted, WaitKind, Writer};

const _: () = assert!(PLACE_MAX <= SLOT_MAX, "a ticket can name every place");
const _: () = assert!(size_of::<Place<Task>>() == 64, "a task is one cache line");

/// The slot of the future that `block_on` polls from its own stack.
pub(super) const ROOT: u32 = 0;

/// The cache holds so many tasks while they wait for the kernel. Of more it has
/// lost those that come back, so when they come in a crowd, each is fetched
/// while the one before it is polled: 1,000 busy connections cost 4 to 10 % less
/// (November 2026, `ka1000` of benches/peers, 20 rounds with and without it in
/// turn). Of 64, each would cost 1 % more.
const CACHED_MAX: usize = 256;

/// How many the kernel wakes at once when it wakes a crowd. With 100 here, most
/// of the gain was gone.
const CROWD_MIN: usize = 16;

/// Owns the futures of one runtime.
pub(crate) struct Executor {
    pub(super) number: u16,
    /// The tasks, in the places that the ready queue is threaded through.
    pub(super) tasks: ReadyQueue<Task>,
    /// By the same numbers: what few tasks have, once one has any.
    extras: OnceCell<Box<Places<Extra>>>,
    pub(super) alive: Cell<usize>,
    pub(super) spawned: Cell<u64>,
    /// How often a task was queued by something else than a wake.
    pub(super) unwoken: Cell<u64>,
    closed: Cell<bool>,
    /// How many tasks will have left the ready queue when the last of a crowd
    /// has.
    crowd_end: Cell<u64>,
    /// Where it is written down, if anybody watches.
    watch: Option<Writer>,
    /// Whether to warn of what is allowed and seldom meant.
    is_debugged: Cell<bool>,
}

/// What every task needs: with its place in the ready queue, one cache line.
///
/// A spawn, a poll and an end touch it and the future, nothing else. When
/// names, outcomes and wakers of others had room in 80 bytes more, a million
/// spawns and joins took 1.6 times as long, and an idle task 168 bytes and
/// not 69 (November 2026, `runtimes spawn memory` in benches/peers).
#[derive(Default)]
pub(super) struct Task {
    /// The future; gone while it is polled. Later how it ended, as long as
    /// there is a handle.
    pub(super) kept: Cell<Option<TaskFuture>>,
    /// Whoever awaits that.
    pub(super) waiting: Cell<Ticket>,
    /// Where it was spawned, while it lives.
    pub(super) place: Cell<Option<&'static Location<'static>>>,
    /// What tells its name, if that is its type's.
    pub(super) fixed_name: Cell<Option<fn() -> &'static str>>,
    pub(super) polls: Cell<u32>,
    /// What it waits for, and since which tick.
    pub(super) which: Cell<u32>,
    pub(super) since: Cell<u32>,
    pub(super) kind: Cell<WaitKind>,
    pub(super) state: Cell<State>,
    /// Its waker was cloned once: somebody may hold it.
    pub(super) is_reachable: Cell<bool>,
    /// Whether there is a handle: the place is kept for it.
    pub(super) is_held: Cell<bool>,
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

/// What few tasks have.
#[derive(Default)]
pub(super) struct Extra {
    /// The name it was given.
    pub(super) name: Cell<Option<Cow<'static, str>>>,
    /// A waker that is none of ours, of whoever awaits its end.
    pub(super) waiting: Cell<Option<Waker>>,
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
        task.kind.set(noted.wait.kind);
        task.which.set(noted.wait.which);
        task.since.set(tick as u32);
        if noted.is_reachable {
            task.is_reachable.set(true);
        }
        let before = task.kept.replace(Some(future));
        debug_assert!(before.is_none(), "a slot is kept while its future is out");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(before);
    }
}

/// What a task is called.
pub(crate) enum Name {
    /// As its type.
    OfType,
    /// As many others, which costs it no memory.
    Fixed(fn() -> &'static str),
    Given(Cow<'static, str>),
}

impl Executor {
    /// An executor for the runtime with this number, whose ready queue is
    /// shuffled by `seed` if there is one.
    pub(crate) fn new(number: u16, seed: Option<u64>, watch: Option<Writer>) -> Self {
        let tasks = ReadyQueue::new(seed);
        let root = tasks.add();
        debug_assert_eq!(root, Some(ROOT), "the root comes first");
        Executor {
            number,
            tasks,
            extras: OnceCell::new(),
            alive: Cell::new(0),
            spawned: Cell::new(0),
            unwoken: Cell::new(0),
            closed: Cell::new(false),
            crowd_end: Cell::new(0),
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
        name: Name,
        place: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        if self.closed.get() {
            return self.refuse(future, CLOSED);
        }
        let Some(queued) = self.tasks.push_vacant() else {
            return self.refuse(future, FULL);
        };
        let (task, slot, generation) = (&queued.place.value, queued.slot, queued.generation);
        let before = task.kept.replace(Some(Box::pin(future)));
        debug_assert!(before.is_none(), "nobody lives in a free place");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(before);
        task.place.set(Some(place));
        match name {
            Name::OfType => task.fixed_name.set(Some(type_name::<F>)),
            Name::Fixed(name) => task.fixed_name.set(Some(name)),
            Name::Given(name) => {
                task.fixed_name.set(None);
                self.extra(slot).name.set(Some(name));
            }
        }
        task.polls.set(0);
        task.kind.set(WaitKind::Nothing);
        task.which.set(0);
        task.state.set(State::Alive);
        task.is_reachable.set(false);
        task.is_held.set(true);
        self.watched(|watch| {
            watch.spawned(slot, &self.name(slot), place, size_of::<F>());
        });
        self.alive.set(self.alive.get() + 1);
        self.spawned.set(self.spawned.get() + 1);
        JoinHandle::new(self, HELD, generation, slot)
    }

    /// Drops a future that is not taken; with nothing borrowed, as it may be
    /// anything.
    #[cold]
    fn refuse<F: Future>(self: Rc<Self>, future: F, why: u16) -> JoinHandle<F::Output> {
        drop(future);
        JoinHandle::new(self, why, 0, ROOT)
    }

    pub(super) fn extra(&self, slot: u32) -> &Extra {
        let extras = self.extras.get_or_init(|| Box::new(Places::new()));
        let extra = extras.make(slot);
        extra.expect("there may be extras wherever there is a task")
    }

    /// The name of a task that lives.
    pub(super) fn name(&self, slot: u32) -> Cow<'static, str> {
        match self.tasks.at(slot).value.fixed_name.get() {
            Some(name) => Cow::Borrowed(name()),
            None => {
                let given = &self.extra(slot).name;
                let name = given.take();
                given.set(name.clone());
                name.unwrap_or_default()
            }
        }
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

    /// Notes that the kernel has so many woken, right before they are.
    #[inline]
    pub(crate) fn expect_woken(&self, count: usize) {
        if count >= CROWD_MIN && self.alive.get() > CACHED_MAX {
            self.crowd_end.set(self.tasks.pushed() + count as u64);
        }
    }

    /// Whether what was checked out last is not the last of a crowd.
    #[inline]
    pub(super) fn is_in_crowd(&self) -> bool {
        self.tasks.popped() < self.crowd_end.get()
    }

    /// Asks the task that `ticket` names to end. Its future is dropped when
    /// its turn comes.
    pub(crate) fn abort(&self, ticket: Ticket) {
        let (slot, generation) = (ticket.slot(), ticket.generation());
        if ticket.runtime() == self.number && slot != ROOT && self.tasks.holds(slot, generation) {
            self.tasks.at(slot).value.state.set(State::Aborting);
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
        if slot == ROOT || self.tasks.at(slot).value.state.get() == State::Alive {
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
    pub(super) fn watched(&self, write: impl FnOnce(&Writer)) {
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
        if self.is_in_crowd() {
            self.fetch_next();
        }
        let task = &next.place.value;
        let ticket = || Ticket::new(self.number, next.generation, next.slot);
        match task.take_future() {
            Some(future) if task.state.get() == State::Aborting => {
                CheckedOut::Aborted(ticket(), future)
            }
            Some(future) => {
                task.polls.set(task.polls.get().wrapping_add(1));
                CheckedOut::Task(ticket(), future, Seat(task))
            }
            None if next.slot == ROOT => CheckedOut::Root(ticket()),
            None => {
                if !task.is_held.get() {
                    self.free_if_left(next.slot, next.place);
                }
                CheckedOut::Vacant
            }
        }
    }

    /// Has the next future fetched while this one is polled, and the place of
    /// the one after it, which tells where that future is.
    #[inline]
    fn fetch_next(&self) {
        let (next, later) = self.tasks.peek();
        if let Some(next) = next {
            next.value.fetch_future();
        }
        if let Some(later) = later {
            prefetch(later);
        }
    }

    /// The seat of a task that lives, for tests that keep its future long.
    #[cfg(test)]
    pub(super) fn seat(&self, ticket: Ticket) -> Seat<'_> {
        Seat(&self.tasks.at(ticket.slot()).value)
    }

    /// Whether the task lives that `ticket` names.
    pub(crate) fn lives(&self, ticket: Ticket) -> bool {
        self.tasks.holds(ticket.slot(), ticket.generation())
    }

    /// The last of three to leave a place frees it: the task, its handle, and
    /// its number in the ready queue. Here the handle has left.
    #[inline]
    pub(super) fn free_if_left(&self, slot: u32, place: &Place<Task>) {
        if place.value.state.get() == State::Gone {
            self.tasks.vacate(slot, place);
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
        let future = is_ours.then(|| self.tasks.at(ticket.slot()).value.take_future());
        future.flatten()
    }

    /// Takes out every future that is left, to be dropped by the caller,
    /// by slot number.
    pub(crate) fn take_all(&self) -> Vec<(Ticket, TaskFuture)> {
        let taken = self.tasks.slots().filter_map(|slot| {
            let future = self.tasks.at(slot).value.take_future()?;
            let generation = self.tasks.generation(slot);
            Some((Ticket::new(self.number, generation, slot), future))
        });
        taken.collect()
    }
}

impl Task {
    /// Whether somebody lives here.
    #[inline]
    pub(super) fn lives(&self) -> bool {
        matches!(self.state.get(), State::Alive | State::Aborting)
    }

    /// Has the future fetched for a poll that comes soon.
    #[inline]
    fn fetch_future(&self) {
        let kept = self.kept.take();
        if let Some(kept) = &kept {
            prefetch_boxed(kept);
        }
        // Forgotten only so that no code is made for dropping it.
        mem::forget(self.kept.replace(kept));
    }

    /// The future, and not how it ended.
    #[inline]
    fn take_future(&self) -> Option<TaskFuture> {
        if self.lives() { self.kept.take() } else { None }
    }
}
