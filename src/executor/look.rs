//! Who lives in an executor, for those who ask.

use std::fmt;

use super::info::{TaskId, TaskInfo, TaskState, Waiting};
use super::tasks::{Executor, ROOT, State, Who};
use super::ticket::{GENERATION_MAX, Ticket};

impl Executor {
    /// Who the task is, while it lives.
    pub(crate) fn info(&self, ticket: Ticket) -> Option<TaskInfo> {
        if !self.lives(ticket) {
            return None;
        }
        let (slot, who) = (ticket.slot(), &self.record(ticket.slot()).who);
        let kept = who.take();
        who.set(kept.clone());
        let Who { name, place } = kept?;
        let task = self.tasks.value(slot);
        let future = task.future.take();
        let is_out = future.is_none();
        task.future.set(future);
        let state = match task.state.get() {
            State::Aborting => TaskState::Aborting,
            _ if is_out => TaskState::Running,
            _ if self.tasks.is_queued(slot) => TaskState::Ready,
            _ => TaskState::Waiting,
        };
        Some(TaskInfo {
            id: TaskId::of(ticket),
            name,
            place,
            state,
            polls: task.polls.get(),
            waits_for: task.wait.get().kind(task.is_reachable.get()),
            waiting: Waiting {
                which: task.wait.get().which,
                since: task.since.get(),
                is_reachable: task.is_reachable.get(),
            },
        })
    }

    /// Who lives here, by slot number.
    pub(crate) fn infos(&self) -> Vec<TaskInfo> {
        let tickets = self.tasks.slots().map(|slot| {
            let generation = self.tasks.generation(slot).min(GENERATION_MAX);
            Ticket::new(self.number, generation, slot)
        });
        tickets.filter_map(|ticket| self.info(ticket)).collect()
    }

    /// The slots of all who live here, and of the future that `block_on` holds.
    pub(crate) fn slots(&self) -> Vec<u32> {
        let slots = self.tasks.slots();
        slots
            .filter(|&slot| slot == ROOT || self.tasks.value(slot).state.get() == State::Alive)
            .collect()
    }

    /// Tasks that live, those that were ever spawned, and wakes that queued
    /// one.
    pub(crate) fn counts(&self) -> (usize, u64, u64) {
        let spawned = self.spawned.get();
        let wakes = self.tasks.pushed() - spawned - self.unwoken.get();
        (self.alive.get(), spawned, wakes)
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
