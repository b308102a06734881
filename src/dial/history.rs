//! What has happened of late, told from the events as they come.
//!
//! The ring is read on from where it was left, so a frame costs what has happened since the last
//! one, and not what the ring holds.

use std::collections::{HashMap, VecDeque};

use crate::export::short_function;
use crate::watch::{Board, Event, EventKind, NameId, cut};

/// What the page draws of each.
const SLICES_MAX: usize = 400;
const TURNS_MAX: usize = 12;
const REQUESTS_MAX: usize = 60;
/// Bytes of a name: as many as a label has. A frame repeats it hundreds of times.
const NAME_BYTES_MAX: usize = 48;
/// Jobs that are remembered until they have run: the end of some is never read, if the loop is
/// faster than the page.
const JOBS_MAX: u32 = 4_096;
/// Of how many turns the slowest hundredth is told.
const TOOK_MAX: usize = 1_000;
/// How far back the ring reaches is known to so many events.
const SIGNPOST_EVERY: u64 = 512;
const SECOND: u64 = 1_000_000_000;

/// One rectangle on a lane.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slice {
    /// The worker; zero is the loop.
    pub(super) worker: u16,
    pub(super) at: u64,
    pub(super) took: u64,
    pub(super) kind: &'static str,
    pub(super) task: u32,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn {
    pub(super) number: u64,
    pub(super) at: u64,
    pub(super) took: u64,
    pub(super) polls: u16,
    pub(super) events: u16,
    pub(super) timers: u16,
    pub(super) callbacks: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) number: u32,
    pub(super) task: u32,
    pub(super) name: String,
    pub(super) began: u64,
    pub(super) ended: Option<u64>,
    pub(super) status: u16,
}

/// The longest poll of one second.
#[derive(Clone, Debug, Default)]
struct Longest {
    second: u64,
    took: u64,
    task: u32,
    name: String,
}

/// What a task was called when it was last heard of.
#[derive(Default)]
struct Called {
    name: NameId,
    /// The request it works on, or has just answered.
    label: Option<(NameId, Option<u64>)>,
    /// The task that woke it last; 0 for one of no task's.
    woken_by: Option<u32>,
}

#[derive(Default)]
pub(super) struct History {
    read: u64,
    pub(super) lost: u64,
    pub(super) slices: VecDeque<Slice>,
    pub(super) turns: VecDeque<Turn>,
    pub(super) requests: VecDeque<Request>,
    took: VecDeque<u64>,
    /// When turns began and how long they were, of the last second.
    busy: VecDeque<(u64, u64)>,
    longest: VecDeque<Longest>,
    called: HashMap<u32, Called>,
    jobs: HashMap<u32, (u32, NameId)>,
    turns_seen: u64,
    /// Of every so many events, its place in the ring and its time.
    signposts: VecDeque<(u64, u64)>,
}

impl History {
    /// Takes in what has happened since the last call.
    pub(super) fn read_on(&mut self, board: &Board) {
        let Some(ring) = &board.ring else { return };
        let (words, before) = ring.copy_since(self.read);
        self.lost += before - self.read.min(before);
        self.read = before + words.len() as u64;
        self.turns_seen = board.pulse.turn();
        for (index, words) in (before..).zip(words) {
            if let Some(event) = Event::unpack(words) {
                if index % SIGNPOST_EVERY == 0 {
                    self.signposts.push_back((index, event.at));
                }
                self.take(board, event);
            }
        }
        let oldest = self.read.saturating_sub(ring.capacity() as u64);
        while self.signposts.front().is_some_and(|post| post.0 < oldest) {
            self.signposts.pop_front();
        }
        let now = board.now();
        let fresh = |at: u64, span: u64| at + span >= now;
        while self.busy.front().is_some_and(|turn| !fresh(turn.0, SECOND)) {
            self.busy.pop_front();
        }
        while self
            .longest
            .front()
            .is_some_and(|one| one.second + 60 < now / SECOND)
        {
            self.longest.pop_front();
        }
    }

    pub(super) fn take(&mut self, board: &Board, event: Event) {
        let Event { at, task, kind } = event;
        match kind {
            EventKind::Turn {
                number,
                took,
                polls,
                events,
                timers,
                callbacks,
            } => {
                let number = whole_number(number, self.turns_seen);
                let turn = Turn {
                    number,
                    at,
                    took,
                    polls,
                    events,
                    timers,
                    callbacks,
                };
                push(&mut self.turns, turn, TURNS_MAX);
                push(&mut self.took, took, TOOK_MAX);
                self.busy.push_back((at, took));
            }
            EventKind::Poll { took, .. } => {
                let name = self.name_of(board, task, at);
                self.note_length(at, took, task, &name);
                self.slice(0, at, took, "poll", task, name);
            }
            EventKind::Call { took, place, .. } => {
                let name = short_name(board, place);
                self.note_length(at, took, 0, &name);
                self.slice(0, at, took, "call", 0, name);
            }
            EventKind::JobSubmit { job, name, .. } => self.job_comes(job, task, name),
            EventKind::JobCancel { job } => drop(self.jobs.remove(&job)),
            EventKind::JobRun {
                job, took, worker, ..
            } => {
                let (task, name) = self.jobs.remove(&job).unwrap_or_default();
                let name = short_function(board.names.get(name));
                let name = cut(&name, NAME_BYTES_MAX).to_owned();
                self.slice(worker, at, took, "job", task, name);
            }
            EventKind::Spawn { name, .. } => {
                let called = Called {
                    name,
                    ..Called::default()
                };
                self.called.insert(task, called);
            }
            EventKind::Wake { by, .. } => {
                if let Some(called) = self.called.get_mut(&task) {
                    called.woken_by = Some(by);
                }
            }
            EventKind::RequestBegin { request, name, .. } => {
                self.request_begins(board, at, task, request, name);
            }
            EventKind::RequestEnd {
                request, status, ..
            } => self.request_ends(at, task, request, status),
            EventKind::End { .. } => self.forget(task),
            _ => {}
        }
    }

    fn job_comes(&mut self, job: u32, task: u32, name: NameId) {
        self.jobs.insert(job, (task, name));
        if self.jobs.len() > 2 * JOBS_MAX as usize {
            let is_new = |known: u32| job.wrapping_sub(known) < JOBS_MAX;
            self.jobs.retain(|&known, _| is_new(known));
        }
    }

    fn request_begins(&mut self, board: &Board, at: u64, task: u32, number: u32, name: NameId) {
        self.called.entry(task).or_default().label = Some((name, None));
        let request = Request {
            number,
            task,
            name: short_name(board, name),
            began: at,
            ended: None,
            status: 0,
        };
        push(&mut self.requests, request, REQUESTS_MAX);
    }

    fn request_ends(&mut self, at: u64, task: u32, number: u32, status: u16) {
        let called = self.called.get_mut(&task);
        if let Some((_, ended)) = called.and_then(|called| called.label.as_mut()) {
            *ended = Some(at);
        }
        let mut requests = self.requests.iter_mut().rev();
        if let Some(known) = requests.find(|known| known.number == number) {
            (known.ended, known.status) = (Some(at), status);
        }
    }

    /// The poll in which a task ends is told after its end: it is kept until many have ended.
    fn forget(&mut self, task: u32) {
        const KEPT: u32 = 4096;
        self.called.remove(&task.wrapping_sub(KEPT));
        if self.called.len() > 4 * KEPT as usize {
            // Long-lived ones among many short-lived: their names are on the board.
            self.called
                .retain(|&known, _| task.wrapping_sub(known) < KEPT);
        }
    }

    fn name_of(&self, board: &Board, task: u32, at: u64) -> String {
        let Some(called) = self.called.get(&task) else {
            return String::from(if task == 1 { "main" } else { "" });
        };
        let label = called
            .label
            .filter(|(_, ended)| ended.is_none_or(|ended| ended >= at));
        let name = label.map_or(called.name, |(label, _)| label);
        short_name(board, name)
    }

    #[cfg(test)]
    pub(super) fn jobs_known(&self) -> usize {
        self.jobs.len()
    }

    /// Who last woke a task; 0 is nobody's task. Full level.
    pub(super) fn woken_by(&self, task: u32) -> Option<u32> {
        self.called.get(&task)?.woken_by
    }

    fn slice(
        &mut self,
        worker: u16,
        at: u64,
        took: u64,
        kind: &'static str,
        task: u32,
        name: String,
    ) {
        let slice = Slice {
            worker,
            at,
            took,
            kind,
            task,
            name,
        };
        push(&mut self.slices, slice, SLICES_MAX);
    }

    fn note_length(&mut self, at: u64, took: u64, task: u32, name: &str) {
        let second = (at + took) / SECOND;
        let is_new = self.longest.back().is_none_or(|last| last.second < second);
        if is_new {
            self.longest.push_back(Longest {
                second,
                ..Longest::default()
            });
        }
        if let Some(last) = self.longest.back_mut()
            && took >= last.took
        {
            (last.took, last.task) = (took, task);
            name.clone_into(&mut last.name);
        }
    }

    /// The share of the last second in which the loop did something; since
    /// `stuck` it does one thing.
    pub(super) fn busy(&self, now: u64, stuck: Option<u64>) -> f64 {
        let from = now.saturating_sub(SECOND);
        let still = stuck.map(|at| (at, now.saturating_sub(at)));
        let within = self.busy.iter().copied().chain(still).map(|(at, took)| {
            let end = (at + took).min(now);
            end.saturating_sub(at.max(from))
        });
        let share = within.sum::<u64>() as f64 / SECOND.min(now.max(1)) as f64;
        share.min(1.0)
    }

    /// The longest poll or callback of the last minute: how long, whose, its name.
    pub(super) fn longest(&self) -> Option<(u64, u32, &str)> {
        let longest = self.longest.iter().max_by_key(|one| one.took)?;
        Some((longest.took, longest.task, &longest.name))
    }

    /// The slowest turn but one in a hundred.
    pub(super) fn p99_turn(&self) -> Option<u64> {
        let mut took: Vec<u64> = self.took.iter().copied().collect();
        let rank = (took.len() * 99).div_ceil(100).checked_sub(1)?;
        let (_, &mut at, _) = took.select_nth_unstable(rank);
        Some(at)
    }

    /// When about the oldest event was that the ring still holds.
    pub(super) fn reaches_back_to(&self) -> u64 {
        self.signposts.front().map_or(0, |post| post.1)
    }
}

fn short_name(board: &Board, name: NameId) -> String {
    cut(board.names.get(name), NAME_BYTES_MAX).to_owned()
}

fn push<T>(list: &mut VecDeque<T>, one: T, max: usize) {
    if list.len() == max {
        list.pop_front();
    }
    list.push_back(one);
}

/// The turn with these last 24 bits that is not later than `now`.
fn whole_number(low: u32, now: u64) -> u64 {
    const LOW: u64 = 0xff_ffff;
    let near = now & !LOW | u64::from(low);
    if near > now {
        near.saturating_sub(LOW + 1)
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::whole_number;

    #[test]
    fn a_turn_is_known_by_its_last_bits() {
        for (number, now) in [
            (5, 7),
            (7, 7),
            (0xff_ffff, 0x100_0000),
            (0x123_4567, 0x123_4568),
            (0x1ff_fff0, 0x200_0001),
        ] {
            let low = number as u32 & 0xff_ffff;
            assert_eq!(whole_number(low, now), number, "{number:x} at {now:x}");
        }
    }
}
