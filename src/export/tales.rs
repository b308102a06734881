//! The requests and tasks of which there is something to tell: that they held the loop, or that
//! they handed work to the pool.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::lives::{Lives, Request};
use crate::watch::Stall;

/// Tales at most; the longest are kept.
const TALES_MAX: usize = 200;

/// What one request, or one task that is at none, had to do with stalls and jobs.
pub(super) struct Tale<'l> {
    pub(super) request: Option<(u32, &'l Request<'l>)>,
    pub(super) task: u32,
    pub(super) from: u64,
    pub(super) until: Option<u64>,
    pub(super) stalls: Vec<&'l Stall>,
    pub(super) jobs: Vec<u32>,
}

/// Whose tale it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hero {
    Request(u32),
    Task(u32),
}

#[derive(Default)]
struct Parts<'l> {
    stalls: Vec<&'l Stall>,
    jobs: Vec<u32>,
    /// Time on the loop and on workers.
    heavy: u64,
}

/// The longest first. If one request is asked for, it alone, heavy or not.
pub(super) fn tales<'l>(lives: &'l Lives<'_>, only: Option<u32>) -> Vec<Tale<'l>> {
    let mut parts: BTreeMap<Hero, Parts<'l>> = BTreeMap::new();
    for stall in &lives.recording.stalls {
        let (from, until) = lives.stall_span(stall);
        let hero = hero(lives, stall.task, from, until);
        let part = parts.entry(hero).or_default();
        part.stalls.push(stall);
        part.heavy = part.heavy.saturating_add(until - from);
    }
    for (&number, job) in &lives.jobs {
        let Some(at) = job.submitted.or(job.run.map(|run| run.at)) else {
            continue;
        };
        let part = parts.entry(hero(lives, job.task, at, at)).or_default();
        part.jobs.push(number);
        let took = job.run.map_or(0, |run| run.until.saturating_sub(run.at));
        part.heavy = part.heavy.saturating_add(took);
    }
    if let Some(only) = only {
        parts.entry(Hero::Request(only)).or_default();
        let heroes: BTreeSet<Hero> = parts.keys().copied().collect();
        for hero in heroes {
            if hero != Hero::Request(only) {
                parts.remove(&hero);
            }
        }
    }
    let mut parts: Vec<(Hero, Parts<'l>)> = parts.into_iter().collect();
    parts.sort_by_key(|(_, part)| Reverse(part.heavy));
    parts.truncate(TALES_MAX);
    parts
        .into_iter()
        .filter_map(|(hero, part)| tale(lives, hero, part))
        .collect()
}

fn hero(lives: &Lives<'_>, task: u32, from: u64, until: u64) -> Hero {
    let request = lives.request_of(task, from, until);
    request.map_or(Hero::Task(task), Hero::Request)
}

fn tale<'l>(lives: &'l Lives<'_>, hero: Hero, parts: Parts<'l>) -> Option<Tale<'l>> {
    let Parts { stalls, jobs, .. } = parts;
    let (request, task, from, until) = match hero {
        Hero::Request(number) => {
            let request = lives.requests.get(&number)?;
            let from = request.begin.or(request.sent).unwrap_or(lives.begin);
            (Some((number, request)), request.task, from, request.end)
        }
        Hero::Task(task) => {
            let starts = stalls.iter().map(|stall| lives.stall_span(stall).0);
            let submits = jobs.iter().filter_map(|job| lives.jobs[job].submitted);
            let first = starts.chain(submits).min()?;
            let poll = lives.poll_at(task, first).filter(|poll| poll.at <= first);
            let from = poll.map_or(first, |poll| poll.at);
            let ends = stalls.iter().map(|stall| lives.stall_span(stall).1);
            let backs = jobs.iter().filter_map(|job| lives.jobs[job].called_back);
            let last = ends.chain(backs).max().unwrap_or(first);
            let until = lives.poll_at(task, last).map_or(last, |poll| poll.until);
            (None, task, from, Some(until))
        }
    };
    Some(Tale {
        request,
        task,
        from,
        until,
        stalls,
        jobs,
    })
}
