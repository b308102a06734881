//! Who is in a recording: tasks, requests and jobs, each from its begin to its end.

use std::collections::BTreeMap;

use crate::watch::{EndReason, Event, EventKind, PollResult, Recording, Stall, WaitKind};

/// A mark with this name says when a client sent the request of its number.
pub(super) const SENT: &str = "client sent";

/// Tasks asked for whose they are, one after the other.
const ANCESTORS_MAX: usize = 16;

/// Everybody, by number.
pub(super) struct Lives<'r> {
    pub(super) recording: &'r Recording,
    pub(super) tasks: BTreeMap<u32, Task<'r>>,
    pub(super) requests: BTreeMap<u32, Request<'r>>,
    pub(super) jobs: BTreeMap<u32, Job<'r>>,
    /// When the first of it happened.
    pub(super) begin: u64,
    /// When the last of it was over.
    pub(super) end: u64,
}

#[derive(Default)]
pub(super) struct Task<'r> {
    /// What it was called, and from when on.
    names: Vec<(u64, &'r str)>,
    /// What it was spawned as.
    own_name: &'r str,
    pub(super) place: &'r str,
    pub(super) parent: u32,
    pub(super) spawned: Option<u64>,
    pub(super) ended: Option<(u64, EndReason)>,
    pub(super) polls: Vec<Poll>,
    /// Its requests, in their order.
    requests: Vec<u32>,
}

#[derive(Clone, Copy)]
pub(super) struct Poll {
    pub(super) at: u64,
    pub(super) until: u64,
    pub(super) number: u32,
    pub(super) result: PollResult,
    pub(super) wait: WaitKind,
}

#[derive(Default)]
pub(super) struct Request<'r> {
    pub(super) name: &'r str,
    pub(super) task: u32,
    pub(super) begin: Option<u64>,
    pub(super) end: Option<u64>,
    pub(super) status: u16,
    pub(super) sent: Option<u64>,
}

#[derive(Default)]
pub(super) struct Job<'r> {
    pub(super) name: &'r str,
    pub(super) task: u32,
    pub(super) submitted: Option<u64>,
    pub(super) run: Option<Run>,
    pub(super) called_back: Option<u64>,
}

#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) at: u64,
    pub(super) until: u64,
    pub(super) worker: u16,
}

impl<'r> Lives<'r> {
    pub(super) fn of(recording: &'r Recording) -> Self {
        // Spawns may be kept from long before the rest, for the sake of names.
        let mut events = recording.events.iter();
        let names = |kind: &EventKind| matches!(kind, EventKind::Spawn { .. });
        let all_name = events.all(|event| names(&event.kind));
        let events = recording.events.iter();
        let events = events.filter(|event| all_name || !names(&event.kind));
        let starts = events.map(|event| event.at);
        let starts = starts.chain(recording.stalls.iter().map(|stall| stall.at));
        let mut lives = Lives {
            recording,
            tasks: BTreeMap::new(),
            requests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            begin: starts.min().unwrap_or_default(),
            end: recording.end(),
        };
        let mut events: Vec<&Event> = recording.events.iter().collect();
        events.sort_by_key(|event| event.at);
        for event in events {
            lives.live(event);
        }
        lives
    }

    fn live(&mut self, event: &Event) {
        let (recording, at) = (self.recording, event.at);
        match event.kind {
            EventKind::Spawn {
                name,
                place,
                parent,
                ..
            } => {
                let task = self.task_mut(event.task);
                task.own_name = recording.name(name);
                task.names.push((at, task.own_name));
                (task.place, task.parent) = (recording.name(place), parent);
                task.spawned = Some(at);
            }
            EventKind::End { reason, .. } => {
                self.task_mut(event.task).ended = Some((at, reason));
            }
            EventKind::Poll {
                number,
                result,
                wait,
                ..
            } => self.task_mut(event.task).polls.push(Poll {
                at,
                until: event.until(),
                number,
                result,
                wait,
            }),
            EventKind::RequestBegin { request, name, .. } => {
                let task = self.task_mut(event.task);
                task.requests.push(request);
                task.names.push((at, recording.name(name)));
                let request = self.requests.entry(request).or_default();
                (request.name, request.task) = (recording.name(name), event.task);
                request.begin = Some(at);
            }
            EventKind::RequestEnd {
                request, status, ..
            } => {
                let request = self.requests.entry(request).or_default();
                (request.end, request.status) = (Some(at), status);
                let task = self.task_mut(event.task);
                task.names.push((at, task.own_name));
            }
            EventKind::Mark { name, value } if recording.name(name) == SENT => {
                if let Ok(number) = u32::try_from(value) {
                    self.requests.entry(number).or_default().sent = Some(at);
                }
            }
            _ => self.live_job(event),
        }
    }

    fn live_job(&mut self, event: &Event) {
        let (recording, at) = (self.recording, event.at);
        match event.kind {
            EventKind::JobSubmit { job, name, .. } => {
                let job = self.jobs.entry(job).or_default();
                (job.name, job.task) = (recording.name(name), event.task);
                job.submitted = Some(at);
            }
            EventKind::JobRun { job, worker, .. } => {
                let until = event.until();
                self.jobs.entry(job).or_default().run = Some(Run { at, until, worker });
            }
            EventKind::JobCallback { job, .. } => {
                self.jobs.entry(job).or_default().called_back = Some(at);
            }
            _ => {}
        }
    }

    fn task_mut(&mut self, number: u32) -> &mut Task<'r> {
        self.tasks.entry(number).or_default()
    }

    /// What a task is called at a time; a number, if it has no name.
    pub(super) fn task_name(&self, task: u32, at: u64) -> String {
        let names = self.tasks.get(&task).map_or(&[][..], |task| &task.names);
        let later = names.partition_point(|&(from, _)| from <= at);
        let name = names.get(later.saturating_sub(1));
        match name {
            Some((_, name)) if !name.is_empty() => (*name).to_owned(),
            _ if task == 1 => "main".to_owned(),
            _ if task == 0 => "nobody".to_owned(),
            _ => format!("task #{task}"),
        }
    }

    /// What a worker is called; workers are counted from 1.
    pub(super) fn worker_name(&self, worker: u16) -> String {
        let at = usize::from(worker).wrapping_sub(1);
        let name = self.recording.workers.get(at);
        name.cloned().unwrap_or_else(|| format!("worker {worker}"))
    }

    /// The request that a task, or one it comes from, was at between the two times.
    pub(super) fn request_of(&self, task: u32, from: u64, until: u64) -> Option<u32> {
        let mut number = task;
        for _ in 0..ANCESTORS_MAX {
            let task = self.tasks.get(&number)?;
            let begin = |request: &u32| self.requests[request].begin.unwrap_or_default();
            let later = task.requests.partition_point(|at| begin(at) <= until);
            let last = later.checked_sub(1).map(|at| task.requests[at]);
            let is_open = |number: &u32| self.requests[number].end.is_none_or(|end| end >= from);
            if let Some(request) = last.filter(is_open) {
                return Some(request);
            }
            if task.parent == 0 {
                return None;
            }
            number = task.parent;
        }
        None
    }

    /// The poll of a task that holds a time; else the first after it.
    pub(super) fn poll_at(&self, task: u32, at: u64) -> Option<Poll> {
        let polls = &self.tasks.get(&task)?.polls;
        let next = polls.partition_point(|poll| poll.until < at);
        polls.get(next).copied()
    }

    /// A stall's begin and end, as far as the poll it is of says more exactly.
    pub(super) fn stall_span(&self, stall: &Stall) -> (u64, u64) {
        let took = stall.took.unwrap_or(self.end.saturating_sub(stall.at));
        let (mut from, mut until) = (stall.at, stall.at.saturating_add(took));
        let middle = from + (until - from) / 2;
        if let Some(poll) = self.poll_at(stall.task, middle)
            && poll.at <= middle
        {
            (from, until) = (from.max(poll.at), until.min(poll.until));
        }
        (from, until.max(from))
    }
}

/// The name of the function that held the loop.
pub(super) fn culprit(stall: &Stall) -> &str {
    match stall.culprit() {
        Some(frame) if !frame.function.is_empty() => &frame.function,
        _ => "an unknown function",
    }
}
