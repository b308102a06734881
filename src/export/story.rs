//! What a sequence diagram tells of a recording: who called whom, in the order of time.
//!
//! The *tales* are of requests, or tasks, that held the loop or handed work to the pool; each is
//! told arrow by arrow. All other requests are *light*: an arrow there, one back, and those that
//! came and went between the same arrows of the tales are one, with a note of how many.

use super::lives::{Lives, Poll, Request, culprit};
use super::plain::{lasting, short_function};
use super::tales::{Tale, tales};
use crate::watch::{EventKind, PollResult, Stall, WaitKind};

/// Who is in a diagram, in this order from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Actor {
    Client,
    Loop,
    Route,
    Pool,
    Heavy,
}

/// How an arrow is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrow {
    Call,
    Reply,
    /// A call that is not waited for.
    Hand,
    /// The news of such a call.
    News,
}

pub(super) enum Step {
    Arrow(Actor, Arrow, Actor, String),
    Note(Actor, Actor, String),
    /// From here on the loop is stuck.
    Stuck,
    /// It is free again.
    Free,
}

/// A step and its time. Those of one time stay in the order they were told.
pub(super) struct Timed {
    pub(super) at: u64,
    pub(super) step: Step,
}

/// What is to be told.
pub(super) struct Wish {
    pub(super) request: Option<u32>,
    pub(super) arrows_max: usize,
}

/// A job that a worker took this soon is drawn as taken at once: which of two threads was first is
/// chance, and is not what the diagram is about.
const AT_ONCE: u64 = 1_000_000;
/// A sleep this short is a look at the kernel, not a rest.
const LOOK: u64 = 50_000;

pub(super) fn story(lives: &Lives<'_>, wish: &Wish) -> Vec<Timed> {
    let mut teller = Teller {
        lives,
        steps: Vec::new(),
        arrows: 0,
    };
    let all = tales(lives, wish.request);
    let (mut told, mut untold) = (Vec::new(), 0);
    for tale in &all {
        let (steps, arrows) = (teller.steps.len(), teller.arrows);
        teller.tell(tale);
        if teller.arrows > wish.arrows_max && !told.is_empty() {
            teller.steps.truncate(steps);
            teller.arrows = arrows;
            untold += 1;
        } else {
            told.push(tale);
        }
    }
    teller.steps.sort_by_key(|timed| timed.at);
    if let (Some(request), true) = (wish.request, told.is_empty()) {
        let text = format!("request {request} is not in the recording");
        teller.add(0, Step::Note(Actor::Loop, Actor::Loop, text));
        return teller.steps;
    }
    untold += teller.tell_lights(&all, &told, wish);
    let mut steps = teller.steps;
    if untold > 0 {
        let text = format!("{untold} more not shown");
        steps.push(Timed {
            at: u64::MAX,
            step: Step::Note(Actor::Loop, Actor::Loop, text),
        });
    }
    steps
}

struct Teller<'l, 'r> {
    lives: &'l Lives<'r>,
    steps: Vec<Timed>,
    arrows: usize,
}

/// A request of which little is to be told.
struct Light<'l> {
    number: u32,
    request: &'l Request<'l>,
    from: u64,
    until: Option<u64>,
    /// How long it waited for a loop that was stuck; 0 if that is not known.
    waited: Option<u64>,
    /// Steps of the tales before its begin and before its end.
    place: (usize, usize),
}

impl<'l> Teller<'l, '_> {
    fn add(&mut self, at: u64, step: Step) {
        self.arrows += usize::from(matches!(step, Step::Arrow(..)));
        self.steps.push(Timed { at, step });
    }

    fn arrow(&mut self, at: u64, (from, how, to): (Actor, Arrow, Actor), text: String) {
        self.add(at, Step::Arrow(from, how, to, text));
    }

    fn tell(&mut self, tale: &Tale<'_>) {
        use Actor::{Client, Loop, Route};
        let mut title = self.lives.task_name(tale.task, tale.from);
        if let Some((number, request)) = tale.request {
            let text = format!("request {number}");
            self.arrow(
                request.sent.unwrap_or(tale.from),
                (Client, Arrow::Call, Loop),
                text,
            );
            title = request.name.to_owned();
        }
        let polls = self.polls_worth_telling(tale);
        let first = polls.first().map_or(0, |poll| poll.number);
        let text = match first {
            0 => title,
            number => format!("{title} (poll {number})"),
        };
        self.arrow(tale.from, (Loop, Arrow::Call, Route), text);
        for stall in &tale.stalls {
            self.tell_stall(tale, stall);
        }
        for &job in &tale.jobs {
            self.tell_job(job);
        }
        for (at, poll) in polls.iter().enumerate() {
            if at > 0 {
                let text = format!("poll {}", poll.number);
                self.arrow(poll.at, (Loop, Arrow::Call, Route), text);
            }
            let ends_here = tale.until.is_some_and(|until| until <= poll.until);
            if tale.request.is_some() && ends_here {
                continue;
            }
            let text = match poll.result {
                PollResult::Pending if poll.wait == WaitKind::Nothing => {
                    "await, gives the loop back"
                }
                PollResult::Pending => {
                    &format!("await ({}), gives the loop back", poll.wait.text())
                }
                PollResult::Ready => "done",
                PollResult::Panicked => "panicked",
            };
            self.arrow(poll.until, (Route, Arrow::Reply, Loop), text.to_owned());
        }
        if let (Some((number, request)), Some(until)) = (tale.request, tale.until) {
            self.arrow(until, (Route, Arrow::Reply, Loop), "done".to_owned());
            let text = answer(number, request, Some(tale.from), until);
            self.arrow(until, (Loop, Arrow::Reply, Client), text);
        }
    }

    /// The first, the last, those with a stall or a job in them, and the one after each job.
    fn polls_worth_telling(&self, tale: &Tale<'_>) -> Vec<Poll> {
        let lives = self.lives;
        let Some(task) = lives.tasks.get(&tale.task) else {
            return Vec::new();
        };
        let end = tale.until.unwrap_or(lives.end);
        let first = task.polls.partition_point(|poll| poll.until < tale.from);
        let last = task.polls.partition_point(|poll| poll.at <= end);
        let mut times = vec![tale.from];
        for stall in &tale.stalls {
            times.push(lives.stall_span(stall).0);
        }
        for job in tale.jobs.iter().filter_map(|job| lives.jobs.get(job)) {
            if job.task == tale.task {
                times.extend([job.submitted, job.called_back].into_iter().flatten());
            }
        }
        times.push(end);
        let polls = &task.polls[first..last.max(first)];
        let place = |&at: &u64| polls.partition_point(|poll| poll.until < at);
        let mut places: Vec<usize> = times.iter().map(place).collect();
        places.sort_unstable();
        places.dedup();
        places
            .iter()
            .filter_map(|&at| polls.get(at).copied())
            .collect()
    }

    fn tell_stall(&mut self, tale: &Tale<'_>, stall: &Stall) {
        use Actor::{Heavy, Loop, Route};
        let (from, until) = self.lives.stall_span(stall);
        let from = from.max(tale.from);
        let until = until.min(tale.until.unwrap_or(u64::MAX)).max(from);
        let took = lasting(until - from);
        self.add(from, Step::Stuck);
        let text = format!("{}()", short_function(culprit(stall)));
        self.arrow(from, (Route, Arrow::Call, Heavy), text);
        let text = match stall.took {
            Some(_) => format!("loop stuck {took}, {}", stall.verdict.text()),
            None => format!(
                "loop stuck for {took} and counting, {}",
                stall.verdict.text()
            ),
        };
        self.add(from, Step::Note(Loop, Heavy, text));
        if stall.took.is_some() {
            let text = format!("back after {took}");
            self.arrow(until, (Heavy, Arrow::Reply, Route), text);
        }
        self.add(until, Step::Free);
    }

    fn tell_job(&mut self, number: u32) {
        use Actor::{Heavy, Loop, Pool, Route};
        let Some(job) = self.lives.jobs.get(&number) else {
            return;
        };
        let name = short_function(job.name);
        if let Some(at) = job.submitted {
            let text = format!("job {number} {name}");
            self.arrow(at, (Route, Arrow::Hand, Pool), text);
        }
        if let Some(run) = job.run {
            let soon = |at: &u64| (*at..at.saturating_add(AT_ONCE)).contains(&run.at);
            let at = job.submitted.filter(soon).unwrap_or(run.at);
            let text = format!("run on {}", self.lives.worker_name(run.worker));
            self.arrow(at, (Pool, Arrow::Call, Heavy), text);
            let text = format!("back after {}", lasting(run.until.saturating_sub(run.at)));
            self.arrow(run.until, (Heavy, Arrow::Reply, Pool), text);
        }
        if let Some(at) = job.called_back {
            let text = format!("job {number} done");
            self.arrow(at, (Pool, Arrow::News, Loop), text);
        }
    }

    /// Tells of the requests that are in no tale, and how many of them there was no room for.
    fn tell_lights(&mut self, all: &[Tale<'_>], told: &[&Tale<'_>], wish: &Wish) -> usize {
        let mut lights = self.lights(all, told, wish);
        lights.sort_by_key(|light| (light.place, light.number));
        // Who had to wait is what the diagram is about.
        let (waiting, others): (Vec<Light<'_>>, Vec<Light<'_>>) =
            lights.into_iter().partition(|light| light.waited.is_some());
        let mut untold = 0;
        for lights in [waiting, others] {
            let alike = |one: &Light<'_>, other: &Light<'_>| {
                one.place == other.place && one.request.status == other.request.status
            };
            for group in lights.chunk_by(alike) {
                let shown = if group.len() > 2 { 1 } else { group.len() };
                if self.arrows + 2 * shown > wish.arrows_max {
                    untold += group.len();
                    continue;
                }
                for light in &group[..shown] {
                    self.tell_light(light);
                }
                self.tell_alike(&group[..shown], &group[shown..]);
            }
        }
        self.steps.sort_by_key(|timed| timed.at);
        untold
    }

    fn tell_light(&mut self, light: &Light<'_>) {
        use Actor::{Client, Loop};
        let (number, name) = (light.number, light.request.name);
        let text = format!("request {number} {name}");
        self.arrow(light.from, (Client, Arrow::Call, Loop), text);
        let text = match light.waited {
            None => None,
            Some(0) => Some("waits while the loop is stuck".to_owned()),
            Some(waited) => Some(format!("waits {}", lasting(waited))),
        };
        if let Some(text) = text {
            self.add(light.from, Step::Note(Loop, Loop, text));
        }
        if let Some(until) = light.until {
            let is_unknown = light.waited == Some(0);
            let since = (!is_unknown).then_some(light.from);
            let text = answer(number, light.request, since, until);
            self.arrow(until, (Loop, Arrow::Reply, Client), text);
        }
    }

    fn tell_alike(&mut self, shown: &[Light<'_>], others: &[Light<'_>]) {
        let (Some(one), false) = (shown.last(), others.is_empty()) else {
            return;
        };
        let mut text = format!("{} more like request {}", others.len(), one.number);
        let waits: Vec<u64> = others.iter().filter_map(|light| light.waited).collect();
        if let (Some(&least), Some(&most)) = (waits.iter().min(), waits.iter().max())
            && least > 0
        {
            text.push_str(&format!(", wait {} to {}", lasting(least), lasting(most)));
        }
        let waits = one.waited.is_some();
        let at = if waits {
            one.from
        } else {
            one.until.unwrap_or(one.from)
        };
        self.add(at, Step::Note(Actor::Client, Actor::Client, text));
    }

    fn lights(&self, all: &[Tale<'_>], told: &[&Tale<'_>], wish: &Wish) -> Vec<Light<'l>> {
        let lives = self.lives;
        let is_in_tale = |number: u32| {
            all.iter()
                .any(|tale| tale.request.is_some_and(|of| of.0 == number))
        };
        let stuck = self.stuck(told);
        let span = told.first().filter(|_| wish.request.is_some());
        let mut lights = Vec::new();
        for (&number, request) in &lives.requests {
            let Some(begin) = request.begin.filter(|_| !is_in_tale(number)) else {
                continue;
            };
            let waits = stuck.iter().find(|stuck| stuck.holds(request, begin));
            let from = match (request.sent, waits) {
                (Some(sent), _) => sent,
                (None, Some(stuck)) => (stuck.from + 1).min(stuck.until),
                (None, None) => begin,
            };
            let is_far =
                span.is_some_and(|tale| from < tale.from || from > tale.until.unwrap_or(u64::MAX));
            if is_far && waits.is_none() {
                continue;
            }
            let place = |at| self.steps.partition_point(|timed| timed.at <= at);
            let until = request.end;
            lights.push(Light {
                number,
                request,
                from,
                until,
                waited: waits.map(|_| request.sent.map_or(0, |sent| begin.saturating_sub(sent))),
                place: (place(from), place(until.unwrap_or(u64::MAX))),
            });
        }
        lights
    }

    /// When the loop was stuck, and until when it then was busy with what had come meanwhile.
    fn stuck(&self, told: &[&Tale<'_>]) -> Vec<Stuck> {
        let lives = self.lives;
        let events = &lives.recording.events;
        let rests = events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::Park { took, .. } if took >= LOOK));
        let mut rests: Vec<u64> = rests.map(|event| event.at).collect();
        rests.sort_unstable();
        let stalls = told.iter().flat_map(|tale| {
            tale.stalls.iter().map(|stall| {
                let (from, until) = lives.stall_span(stall);
                (tale.task, (from.max(tale.from), until.max(tale.from)))
            })
        });
        let stuck = stalls.map(|(task, (from, until))| {
            let next = rests.partition_point(|&at| at < until);
            let tenth = until.saturating_add((until - from) / 10);
            let busy_until = rests.get(next).map_or(tenth, |&at| at.min(tenth));
            Stuck {
                task,
                from,
                until,
                busy_until,
            }
        });
        stuck.collect()
    }
}

struct Stuck {
    task: u32,
    from: u64,
    until: u64,
    busy_until: u64,
}

impl Stuck {
    /// Whether the request came while the loop was stuck. If its client has not said when it was
    /// sent, it did if the loop found it before its next rest.
    fn holds(&self, request: &Request<'_>, begin: u64) -> bool {
        match request.sent {
            Some(sent) => sent < self.until && begin >= self.until,
            None => request.task != self.task && (self.until..self.busy_until).contains(&begin),
        }
    }
}

/// The time is told since the client sent it, if it said when; else since it was read, if that says
/// something.
fn answer(number: u32, request: &Request<'_>, since: Option<u64>, until: u64) -> String {
    let text = format!("response {number} ({})", request.status);
    match request.sent.or(since) {
        Some(since) => format!("{text} after {}", lasting(until.saturating_sub(since))),
        None => text,
    }
}
