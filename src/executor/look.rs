//! Who lives in an executor, for those who ask.

use std::fmt;

use super::info::{TaskId, TaskInfo, TaskState, Waiting};
use super::tasks::{Executor, ROOT, State};
use super::ticket::{GENERATION_MAX, Ticket};
use crate::watch::Wait;

impl Executor {
    /// Who the task is, while it lives.
    pub(crate) fn info(&self, ticket: Ticket) -> Option<TaskInfo> {
        let slot = ticket.slot();
        if !self.lives(ticket) {
            return None;
        }
        let place = self.tasks.at(slot);
        let task = &place.value;
        if !task.lives() {
            return None;
        }
        let future = task.kept.take();
        let is_out = future.is_none();
        task.kept.set(future);
        let state = match task.state.get() {
            State::Aborting => TaskState::Aborting,
            _ if is_out => TaskState::Running,
            _ if place.is_queued() => TaskState::Ready,
            _ => TaskState::Waiting,
        };
        let (kind, which) = (task.kind.get(), task.which.get());
        Some(TaskInfo {
            id: TaskId::of(ticket),
            name: self.name(slot),
            place: task.place.get()?,
            state,
            polls: task.polls.get(),
            waits_for: Wait { kind, which }.kind(task.is_reachable.get()),
            waiting: Waiting {
                which,
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
            .filter(|&slot| slot == ROOT || self.tasks.at(slot).value.state.get() == State::Alive)
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
