//! The jobs that wait for a worker, in two lines.
//!
//! Jobs are numbered as they arrive. The number keeps each line sorted, so a cancelled job is found
//! by bisection and leaves a gap in place; and it tells which lane's first job is older, so neither
//! lane overtakes the other.

use std::collections::VecDeque;

use super::job::{JobKey, Lane, Work};

/// A job that waits.
pub(super) struct QueuedJob {
    pub(super) key: JobKey,
    pub(super) lane: Lane,
    pub(super) work: Work,
}

/// Where a job was put; no two jobs of a pool have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobPlace {
    lane: Lane,
    number: u64,
}

/// Both lines.
#[derive(Default)]
pub(super) struct Lanes {
    normal: Line,
    slow: Line,
    next_number: u64,
}

impl Lanes {
    /// Adds a job at the end of its lane.
    pub(super) fn push(&mut self, job: QueuedJob) -> JobPlace {
        let (lane, number) = (job.lane, self.next_number);
        self.next_number += 1;
        self.line(lane).push(number, job);
        JobPlace { lane, number }
    }

    /// Takes the oldest job; the slow lane takes part only if `slow_allowed`.
    pub(super) fn pop(&mut self, slow_allowed: bool) -> Option<QueuedJob> {
        let slow = self.slow.first_number().filter(|_| slow_allowed);
        let lane = match (self.normal.first_number(), slow) {
            (Some(normal), Some(slow)) if slow < normal => Lane::Slow,
            (Some(_), _) => Lane::Normal,
            (None, Some(_)) => Lane::Slow,
            (None, None) => return None,
        };
        self.line(lane).pop()
    }

    /// Takes a job out of the middle, in the time of a bisection; `None` if it is there no more.
    pub(super) fn take(&mut self, place: JobPlace) -> Option<QueuedJob> {
        self.line(place.lane).take(place.number)
    }

    /// Takes everything, oldest first.
    pub(super) fn drain(&mut self) -> Vec<QueuedJob> {
        let mut jobs = Vec::with_capacity(self.waiting());
        while let Some(job) = self.pop(true) {
            jobs.push(job);
        }
        jobs
    }

    /// How many jobs wait, in both lanes.
    pub(super) fn waiting(&self) -> usize {
        self.normal.waiting() + self.slow.waiting()
    }

    /// How many jobs a worker could take now, if the slow lane may still have `slow_places`
    /// workers.
    pub(super) fn runnable(&self, slow_places: usize) -> usize {
        self.normal.waiting() + self.slow.waiting().min(slow_places)
    }

    /// Gives back what a past burst made the lines grow to.
    pub(super) fn shrink(&mut self) {
        self.normal.entries.shrink_to_fit();
        self.slow.entries.shrink_to_fit();
    }

    fn line(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Normal => &mut self.normal,
            Lane::Slow => &mut self.slow,
        }
    }
}

/// One lane. Its first entry is never a gap, and at most half of its entries are.
#[derive(Default)]
struct Line {
    entries: VecDeque<Entry>,
    gaps: usize,
}

struct Entry {
    number: u64,
    job: Option<QueuedJob>,
}

impl Line {
    fn waiting(&self) -> usize {
        self.entries.len() - self.gaps
    }

    fn first_number(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.number)
    }

    fn push(&mut self, number: u64, job: QueuedJob) {
        self.entries.push_back(Entry {
            number,
            job: Some(job),
        });
    }

    fn pop(&mut self) -> Option<QueuedJob> {
        let first = self.entries.pop_front()?;
        self.drop_leading_gaps();
        Some(first.job.expect("the first entry is never a gap"))
    }

    fn take(&mut self, number: u64) -> Option<QueuedJob> {
        let at = self
            .entries
            .binary_search_by_key(&number, |entry| entry.number)
            .ok()?;
        let job = self.entries[at].job.take()?;
        self.gaps += 1;
        self.drop_leading_gaps();
        // Closing gaps only when they are the majority costs each cancel a constant share, and
        // bounds the memory of someone who submits and cancels while all workers hang.
        if self.gaps * 2 > self.entries.len() {
            self.entries.retain(|entry| entry.job.is_some());
            self.gaps = 0;
        }
        Some(job)
    }

    fn drop_leading_gaps(&mut self) {
        while self
            .entries
            .front()
            .is_some_and(|entry| entry.job.is_none())
        {
            self.entries.pop_front();
            self.gaps -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::super::job::job;
    use super::*;

    fn queued(key: u64, lane: Lane) -> QueuedJob {
        QueuedJob {
            key: JobKey(key),
            lane,
            work: job(Location::caller(), || ()),
        }
    }

    fn key_of(job: Option<QueuedJob>) -> Option<u64> {
        job.map(|job| job.key.0)
    }

    #[test]
    fn the_older_job_goes_first_across_lanes() {
        let mut lanes = Lanes::default();
        for (key, lane) in [
            (1, Lane::Slow),
            (2, Lane::Normal),
            (3, Lane::Slow),
            (4, Lane::Normal),
        ] {
            lanes.push(queued(key, lane));
        }
        assert_eq!(lanes.runnable(1), 3);
        assert_eq!(key_of(lanes.pop(true)), Some(1));
        assert_eq!(key_of(lanes.pop(false)), Some(2));
        assert_eq!(key_of(lanes.pop(false)), Some(4));
        assert_eq!(key_of(lanes.pop(false)), None);
        assert_eq!(key_of(lanes.pop(true)), Some(3));
        assert_eq!(key_of(lanes.pop(true)), None);
    }

    #[test]
    fn a_job_that_was_handed_out_has_no_place_any_more() {
        let mut lanes = Lanes::default();
        let first = lanes.push(queued(7, Lane::Normal));
        let second = lanes.push(queued(7, Lane::Slow));
        assert_eq!(key_of(lanes.pop(true)), Some(7));
        assert_eq!(key_of(lanes.take(first)), None);
        assert_eq!(key_of(lanes.take(second)), Some(7));
        assert_eq!(key_of(lanes.take(second)), None);
        assert_eq!(lanes.waiting(), 0);
    }

    #[test]
    fn gaps_never_outnumber_the_jobs_that_wait() {
        let mut lanes = Lanes::default();
        // One job that stays in front would keep every later gap alive, if gaps were dropped only
        // at the ends.
        lanes.push(queued(u64::MAX, Lane::Normal));
        for key in 0..100_000 {
            let place = lanes.push(queued(key, Lane::Normal));
            assert_eq!(key_of(lanes.take(place)), Some(key));
            assert!(lanes.normal.entries.len() <= 3);
        }
        assert_eq!(lanes.waiting(), 1);
    }

    /// Compares with two plain vectors, over random pushes, pops and takes.
    #[test]
    fn lanes_agree_with_a_simple_model() {
        for seed in 1..=200_u64 {
            let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut draw = move |below: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            let mut lanes = Lanes::default();
            let mut model: Vec<(u64, Lane)> = Vec::new();
            let mut places = Vec::new();
            for key in 0..500 {
                match draw(5) {
                    0 | 1 => {
                        let lane = if draw(3) == 0 {
                            Lane::Slow
                        } else {
                            Lane::Normal
                        };
                        places.push((key, lanes.push(queued(key, lane))));
                        model.push((key, lane));
                    }
                    2 => {
                        let slow_allowed = draw(2) == 0;
                        let first = model
                            .iter()
                            .position(|&(_, lane)| slow_allowed || lane == Lane::Normal);
                        let expected = first.map(|at| model.remove(at).0);
                        assert_eq!(key_of(lanes.pop(slow_allowed)), expected, "seed {seed}");
                    }
                    _ if places.is_empty() => {}
                    _ => {
                        let (wanted, place) = places[draw(places.len() as u64) as usize];
                        let at = model.iter().position(|&(key, _)| key == wanted);
                        let expected = at.map(|at| model.remove(at).0);
                        assert_eq!(key_of(lanes.take(place)), expected, "seed {seed}");
                    }
                }
                assert_eq!(lanes.waiting(), model.len(), "seed {seed}");
            }
            let left: Vec<u64> = lanes.drain().iter().map(|job| job.key.0).collect();
            let expected: Vec<u64> = model.iter().map(|&(key, _)| key).collect();
            assert_eq!(left, expected, "seed {seed}");
        }
    }
}
