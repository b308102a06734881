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
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;

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
    /// A slab: `free` names the vacant ones, and the ready queue knows each
    /// one's generation. The crate of that name forgets what a slot's last
    /// generation was.
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// By slot number, like `slots`: what only a message or an end needs.
    facts: Vec<Option<Facts>>,
    ready: ReadyQueue,
    alive: usize,
    spawned: u64,
    closed: bool,
}

/// What a poll touches.
#[derive(Default)]
struct Slot {
    /// Gone while it is polled, and for good once it has ended.
    future: Option<TaskFuture>,
    polls: u32,
    aborting: bool,
}

/// Why a task is not taken, and what it was.
type Refused = (&'static str, (TaskFuture, Facts));

struct Facts {
    join: Rc<dyn JoinSlot>,
    who: TaskFacts,
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
    pub(crate) fn new(number: u16, seed: Option<u64>) -> Self {
        let mut ready = ReadyQueue::new(seed);
        ready.admit(ROOT, Some(0));
        let tasks = Tasks {
            slots: vec![Slot::default()],
            free: Vec::new(),
            facts: vec![None],
            ready,
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
        self: Rc<Self>,
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
        let facts = Facts {
            join: Rc::clone(&cell) as Rc<dyn JoinSlot>,
            who: TaskFacts {
                name: name.unwrap_or(Cow::Borrowed(type_name::<F>())),
                place,
            },
        };
        let inserted = self.tasks.borrow_mut().insert(task, facts);
        let ticket = match inserted {
            Ok((index, generation)) => Ticket::new(self.number, generation, index),
            Err((why, refused)) => {
                // Dropped with nothing borrowed: the future may be anything.
                drop(refused);
                cell.end(Err(JoinError::refused(why)));
                // No runtime has this number: there is nothing to abort.
                Ticket::new(0, 0, ROOT)
            }
        };
        JoinHandle::new(cell, ticket, self)
    }

    /// Queues the task that `ticket` names, if it lives. Loop thread.
    #[inline(always)]
    pub(crate) fn wake(&self, ticket: Ticket) {
        let mut tasks = self.tasks.borrow_mut();
        if tasks.ready.push(ticket.slot(), ticket.generation()) {
            self.wakes.set(self.wakes.get() + 1);
        }
    }

    /// Asks the task that `ticket` names to end. Its future is dropped when
    /// its turn comes.
    pub(crate) fn abort(&self, ticket: Ticket) {
        let mut tasks = self.tasks.borrow_mut();
        let (slot, generation) = (ticket.slot(), ticket.generation());
        if ticket.runtime() == self.number && slot != ROOT && tasks.ready.holds(slot, generation) {
            tasks.slots[slot as usize].aborting = true;
            tasks.ready.push(slot, generation);
        }
    }

    /// Queues the future that `block_on` holds.
    pub(crate) fn wake_root(&self) {
        self.tasks.borrow_mut().ready.push(ROOT, 0);
    }

    /// How many slots are queued now.
    #[inline]
    pub(crate) fn ready_count(&self) -> usize {
        self.tasks.borrow().ready.len()
    }

    /// Takes out what the next queued slot holds.
    #[inline]
    pub(crate) fn check_out(&self) -> CheckedOut {
        let tasks = &mut *self.tasks.borrow_mut();
        let Some(Ok(entry)) = tasks.ready.pop() else {
            return CheckedOut::Vacant;
        };
        let index = entry.slot();
        let slot = &mut tasks.slots[index as usize];
        let ticket = || Ticket::new(self.number, entry.generation(), index);
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
        let before = tasks.slots[ticket.slot() as usize].future.replace(future);
        debug_assert!(before.is_none(), "a slot is kept while its future is out");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(before);
    }

    /// Frees the slot of a task that has ended, and gives its join slot to
    /// whoever must say how.
    #[inline]
    pub(crate) fn retire(&self, ticket: Ticket) -> Option<Rc<dyn JoinSlot>> {
        let facts = self.tasks.borrow_mut().retire(ticket);
        facts.map(|facts| facts.join)
    }

    /// Who the task is, while it lives.
    pub(crate) fn facts(&self, ticket: Ticket) -> Option<TaskFacts> {
        let tasks = self.tasks.borrow();
        let lives = tasks.ready.holds(ticket.slot(), ticket.generation());
        let facts = tasks.facts.get(ticket.slot() as usize).filter(|_| lives)?;
        facts.as_ref().map(|facts| facts.who.clone())
    }

    /// Refuses new tasks from now on.
    pub(crate) fn close(&self) {
        self.tasks.borrow_mut().closed = true;
    }

    /// Takes out every future that is left, to be dropped by the caller,
    /// by slot number.
    pub(crate) fn take_all(&self) -> Vec<(Ticket, TaskFuture)> {
        let tasks = &mut *self.tasks.borrow_mut();
        let ready = &tasks.ready;
        let left = tasks
            .slots
            .iter_mut()
            .enumerate()
            .filter_map(|(index, slot)| {
                let future = slot.future.take()?;
                let index = index as u32;
                Some((
                    Ticket::new(self.number, ready.generation(index), index),
                    future,
                ))
            });
        left.collect()
    }

    /// Tasks that live, those that were ever spawned, and wakes that queued
    /// one.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        let tasks = self.tasks.borrow();
        (tasks.alive, tasks.spawned, self.wakes.get())
    }
}

impl Tasks {
    #[inline]
    fn insert(&mut self, future: TaskFuture, facts: Facts) -> Result<(u32, u32), Refused> {
        if self.closed {
            return Err(("the runtime is shutting down", (future, facts)));
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() > SLOT_MAX as usize => {
                return Err(("16.7 million tasks are alive already", (future, facts)));
            }
            None => {
                let index = self.slots.len() as u32;
                self.slots.push(Slot::default());
                self.facts.push(None);
                self.ready.admit(index, Some(0));
                index
            }
        };
        let slot = &mut self.slots[index as usize];
        slot.future = Some(future);
        (slot.polls, slot.aborting) = (0, false);
        self.facts[index as usize] = Some(facts);
        self.alive += 1;
        self.spawned += 1;
        Ok((index, self.ready.push_new(index)))
    }

    #[inline]
    fn retire(&mut self, ticket: Ticket) -> Option<Facts> {
        let (index, generation) = (ticket.slot(), ticket.generation());
        self.alive -= 1;
        if generation < GENERATION_MAX {
            self.ready.admit(index, Some(generation + 1));
            self.free.push(index);
        } else {
            // The slot is never used again: were its generation to wrap, an
            // old ticket could name a new task.
            self.ready.admit(index, None);
        }
        self.facts[index as usize].take()
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
