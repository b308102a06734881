//! The slab of futures: check out, poll elsewhere, check in.
//!
//! The hard fact: a poll may spawn, wake, abort and drop anything, its own
//! task included, and so may the drop of a future. So the one `RefCell` here
//! is borrowed for a few instructions at a time and never while user code
//! runs. What is polled is not in its slot meanwhile.

use std::any::type_name;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

use slab::Slab;

use super::join::{JoinCell, JoinError, JoinHandle, JoinSlot};
use super::ticket::{GENERATION_MAX, SLOT_MAX, Ticket};
use crate::queue::ReadyQueue;

/// A spawned future, boxed: the price of a readable signature, and of
/// taking it out of its slot by moving sixteen bytes.
pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// The slot of the future that `block_on` polls from its own stack.
const ROOT: u32 = 0;

/// Owns the futures of one runtime.
pub(crate) struct Executor {
    number: u16,
    tasks: RefCell<Tasks>,
    wakes: Cell<u64>,
}

struct Tasks {
    slots: Slab<Slot>,
    /// By slot number; grows with `slots` and never shrinks.
    generations: Vec<u32>,
    ready: ReadyQueue,
    alive: usize,
    spawned: u64,
    closed: bool,
}

struct Slot {
    /// Gone while it is polled, and for good once it has ended.
    future: Option<TaskFuture>,
    join: Option<Rc<dyn JoinSlot>>,
    name: Cow<'static, str>,
    place: &'static Location<'static>,
    polls: u32,
    aborting: bool,
}

/// What the next ready slot holds.
pub(crate) enum CheckedOut {
    /// The future that `block_on` holds.
    Root(Ticket),
    /// A future to poll, then to check in or to retire.
    Task(Ticket, TaskFuture),
    /// A future to drop, then to retire.
    Aborted(Ticket, TaskFuture),
    /// The task was gone already: its wake came late.
    Vacant,
}

/// Who a task is, for messages about it.
#[derive(Clone, Debug)]
pub(crate) struct TaskFacts {
    pub(crate) name: Cow<'static, str>,
    pub(crate) place: &'static Location<'static>,
}

impl fmt::Display for TaskFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task \"{}\" (spawned at {})", self.name, self.place)
    }
}

impl Executor {
    /// An executor for the runtime with this number, whose ready queue is
    /// shuffled by `seed` if there is one.
    #[track_caller]
    pub(crate) fn new(number: u16, seed: Option<u64>) -> Self {
        let mut slots = Slab::new();
        slots.insert(Slot::new(Cow::Borrowed("block_on"), Location::caller()));
        let tasks = Tasks {
            slots,
            generations: vec![0],
            ready: ReadyQueue::new(seed),
            alive: 0,
            spawned: 0,
            closed: false,
        };
        Executor {
            number,
            tasks: RefCell::new(tasks),
            wakes: Cell::new(0),
        }
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
        self: &Rc<Self>,
        future: F,
        name: Option<Cow<'static, str>>,
        place: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let cell = Rc::new(JoinCell::new());
        let end = Rc::clone(&cell);
        let task: TaskFuture = Box::pin(async move {
            let output = future.await;
            end.end(Ok(output));
        });
        let slot = Slot {
            future: Some(task),
            join: Some(Rc::clone(&cell) as Rc<dyn JoinSlot>),
            ..Slot::new(name.unwrap_or(Cow::Borrowed(type_name::<F>())), place)
        };
        match self.tasks.borrow_mut().insert(slot) {
            Ok((index, generation)) => {
                let ticket = Ticket::new(self.number, generation, index);
                JoinHandle::new(cell, ticket, Rc::clone(self))
            }
            Err((slot, why)) => {
                // Dropped with nothing borrowed: the future may be anything.
                drop(slot);
                cell.end(Err(JoinError::refused(why)));
                // The root's slot never matches: there is nothing to abort.
                let ticket = Ticket::new(0, 0, ROOT);
                JoinHandle::new(cell, ticket, Rc::clone(self))
            }
        }
    }

    /// Queues the task that `ticket` names, if it lives. Loop thread.
    #[inline(always)]
    pub(crate) fn wake(&self, ticket: Ticket) {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.holds(ticket) {
            tasks.ready.push(ticket.slot());
            self.wakes.set(self.wakes.get() + 1);
        }
    }

    /// Asks the task that `ticket` names to end. Its future is dropped when
    /// its turn comes.
    pub(crate) fn abort(&self, ticket: Ticket) {
        let mut tasks = self.tasks.borrow_mut();
        if ticket.runtime() != self.number || !tasks.holds(ticket) || ticket.slot() == ROOT {
            return;
        }
        tasks.slots[ticket.slot() as usize].aborting = true;
        tasks.ready.push(ticket.slot());
    }

    /// Queues the future that `block_on` holds, and names it.
    pub(crate) fn wake_root(&self) {
        self.tasks.borrow_mut().ready.push(ROOT);
    }

    /// How many slots are queued now.
    #[inline]
    pub(crate) fn ready_count(&self) -> usize {
        self.tasks.borrow().ready.len()
    }

    /// Takes out what the next queued slot holds.
    #[inline]
    pub(crate) fn check_out(&self) -> CheckedOut {
        let mut tasks = self.tasks.borrow_mut();
        let Some(index) = tasks.ready.pop() else {
            return CheckedOut::Vacant;
        };
        let Tasks {
            slots, generations, ..
        } = &mut *tasks;
        let Some(slot) = slots.get_mut(index as usize) else {
            return CheckedOut::Vacant;
        };
        let ticket = || Ticket::new(self.number, generations[index as usize], index);
        match slot.future.take() {
            Some(future) if slot.aborting => CheckedOut::Aborted(ticket(), future),
            Some(future) => {
                slot.polls = slot.polls.wrapping_add(1);
                CheckedOut::Task(ticket(), future)
            }
            None if index == ROOT => CheckedOut::Root(ticket()),
            None => CheckedOut::Vacant,
        }
    }

    /// Puts a future back that was polled and is pending.
    #[inline]
    pub(crate) fn check_in(&self, ticket: Ticket, future: TaskFuture) {
        let mut tasks = self.tasks.borrow_mut();
        match tasks.slots.get_mut(ticket.slot() as usize) {
            Some(slot) => slot.future = Some(future),
            None => unreachable!("a slot is kept while its future is out"),
        }
    }

    /// Frees the slot of a task that has ended, and gives its join slot to
    /// whoever must say how.
    #[inline]
    pub(crate) fn retire(&self, ticket: Ticket) -> Option<Rc<dyn JoinSlot>> {
        self.tasks.borrow_mut().retire(ticket.slot())
    }

    /// Who the task is, while it lives.
    pub(crate) fn facts(&self, ticket: Ticket) -> Option<TaskFacts> {
        let tasks = self.tasks.borrow();
        if !tasks.holds(ticket) {
            return None;
        }
        let slot = tasks.slots.get(ticket.slot() as usize)?;
        Some(TaskFacts {
            name: slot.name.clone(),
            place: slot.place,
        })
    }

    /// Refuses new tasks from now on.
    pub(crate) fn close(&self) {
        self.tasks.borrow_mut().closed = true;
    }

    /// Takes out every future that is left, to be dropped by the caller,
    /// oldest slot first.
    pub(crate) fn take_all(&self) -> Vec<(Ticket, TaskFuture)> {
        let mut tasks = self.tasks.borrow_mut();
        let Tasks {
            slots, generations, ..
        } = &mut *tasks;
        let left = slots.iter_mut().filter_map(|(index, slot)| {
            let future = slot.future.take()?;
            let ticket = Ticket::new(self.number, generations[index], index as u32);
            Some((ticket, future))
        });
        left.collect()
    }

    /// Tasks that live, those that were ever spawned, and wakes so far.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        let tasks = self.tasks.borrow();
        (tasks.alive, tasks.spawned, self.wakes.get())
    }
}

impl Tasks {
    #[inline]
    fn holds(&self, ticket: Ticket) -> bool {
        self.generations.get(ticket.slot() as usize) == Some(&ticket.generation())
    }

    fn insert(&mut self, slot: Slot) -> Result<(u32, u32), (Slot, &'static str)> {
        if self.closed {
            return Err((slot, "the runtime is shutting down"));
        }
        if self.slots.vacant_key() > SLOT_MAX as usize {
            return Err((slot, "16.7 million tasks are alive already"));
        }
        let index = self.slots.insert(slot);
        if index == self.generations.len() {
            self.generations.push(0);
        }
        self.alive += 1;
        self.spawned += 1;
        self.ready.push(index as u32);
        Ok((index as u32, self.generations[index]))
    }

    fn retire(&mut self, index: u32) -> Option<Rc<dyn JoinSlot>> {
        let generation = &mut self.generations[index as usize];
        self.alive -= 1;
        if *generation < GENERATION_MAX {
            *generation += 1;
            return self.slots.remove(index as usize).join;
        }
        // The slot stays taken for ever, holding nothing: were its generation
        // to wrap, an old ticket could name a new task. A generation that no
        // ticket carries makes sure that none matches it.
        *generation = u32::MAX;
        let slot = &mut self.slots[index as usize];
        slot.name = Cow::Borrowed("retired");
        slot.join.take()
    }
}

impl Slot {
    fn new(name: Cow<'static, str>, place: &'static Location<'static>) -> Self {
        Slot {
            future: None,
            join: None,
            name,
            place,
            polls: 0,
            aborting: false,
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (alive, spawned, wakes) = self.counts();
        f.debug_struct("Executor")
            .field("number", &self.number)
            .field("alive", &alive)
            .field("spawned", &spawned)
            .field("wakes", &wakes)
            .finish_non_exhaustive()
    }
}
