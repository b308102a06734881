//! Places and line against a counter and a list.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::super::in_flight::{InFlight, InLine, Overload};
use super::super::state::ServerState;
use super::Dice;
use crate::sync::SemaphorePermit;

/// What should be true, in the simplest words.
struct Model {
    max: usize,
    len_max: usize,
    held: usize,
    /// Who waits, in order; those who have been let in and have not come are gone from here.
    line: VecDeque<usize>,
    let_in: Vec<usize>,
}

impl Model {
    fn fill(&mut self) {
        while self.held + self.let_in.len() < self.max {
            let Some(first) = self.line.pop_front() else {
                return;
            };
            self.let_in.push(first);
        }
    }

    /// Those who have not come yet count as waiting.
    fn waiting(&self) -> usize {
        self.line.len() + self.let_in.len()
    }
}

struct World<'a> {
    in_flight: &'a InFlight,
    held: Vec<SemaphorePermit<'a>>,
    line: Vec<(usize, InLine<'a>)>,
    model: Model,
    next: usize,
}

impl World<'_> {
    /// As a request does: a place, or the line, or neither.
    fn come(&mut self) {
        let model = &mut self.model;
        let has_place = model.line.is_empty() && model.held + model.let_in.len() < model.max;
        match self.in_flight.try_enter() {
            Some(place) => {
                assert!(has_place, "a place out of turn");
                self.held.push(place.expect("there is a limit"));
                self.model.held += 1;
            }
            None => {
                assert!(!has_place, "a place stays empty");
                let is_refused = self.model.waiting() >= self.model.len_max;
                match self.in_flight.line_up() {
                    None => assert!(is_refused),
                    Some(line) => {
                        assert!(!is_refused);
                        self.line.push((self.next, line));
                        self.poll(self.line.len() - 1, true);
                        self.next += 1;
                    }
                }
            }
        }
    }

    /// Looks whether it is somebody's turn; the first look joins the line.
    fn poll(&mut self, at: usize, is_first: bool) {
        let (id, line) = &mut self.line[at];
        let id = *id;
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut line.turn).poll(&mut cx);
        if is_first {
            self.model.line.push_back(id);
            self.model.fill();
        }
        let is_let_in = self.model.let_in.contains(&id);
        match polled {
            Poll::Ready(Ok(place)) => {
                assert!(is_let_in, "{id} comes out of turn");
                self.model.let_in.retain(|known| *known != id);
                self.model.held += 1;
                self.held.push(place);
                drop(self.line.remove(at));
            }
            Poll::Ready(Err(_)) => panic!("nobody closes it"),
            Poll::Pending => assert!(!is_let_in, "{id} was let in and is not told"),
        }
    }

    fn leave_line(&mut self, at: usize) {
        let (id, line) = self.line.remove(at);
        drop(line);
        self.model.line.retain(|known| *known != id);
        self.model.let_in.retain(|known| *known != id);
        self.model.fill();
    }
}

#[test]
fn places_and_line_do_what_the_model_does() {
    for seed in 0..3_000 {
        let mut dice = Dice::new(seed);
        let (max, len_max) = (dice.below(4) as usize, dice.below(5) as usize);
        let policy = Overload::Queue {
            len_max,
            wait_max: Duration::MAX,
        };
        let counts = Rc::<ServerState>::default();
        let in_flight = InFlight::new(max, policy, Rc::clone(&counts));
        let mut world = World {
            in_flight: &in_flight,
            held: Vec::new(),
            line: Vec::new(),
            model: Model {
                max: max.max(1),
                len_max,
                held: 0,
                line: VecDeque::new(),
                let_in: Vec::new(),
            },
            next: 0,
        };
        for _ in 0..200 {
            match dice.below(5) {
                0 | 1 => world.come(),
                2 if !world.held.is_empty() => {
                    let at = dice.below(world.held.len() as u64) as usize;
                    drop(world.held.swap_remove(at));
                    world.model.held -= 1;
                    world.model.fill();
                }
                3 if !world.line.is_empty() => {
                    let at = dice.below(world.line.len() as u64) as usize;
                    world.poll(at, false);
                }
                4 if !world.line.is_empty() => {
                    let at = dice.below(world.line.len() as u64) as usize;
                    world.leave_line(at);
                }
                _ => {}
            }
            let waiting = world.model.waiting();
            assert_eq!(counts.requests_waiting(), waiting, "seed {seed}");
            assert_eq!(world.held.len(), world.model.held, "seed {seed}");
            assert!(world.held.len() <= world.model.max, "seed {seed}");
        }
        drop((world.line, world.held));
        assert_eq!(counts.requests_waiting(), 0, "seed {seed}");
        let all: Vec<_> = (0..max.max(1)).map(|_| in_flight.try_enter()).collect();
        assert!(
            all.iter().all(Option::is_some),
            "seed {seed}: a place is lost"
        );
        assert!(in_flight.try_enter().is_none(), "seed {seed}");
    }
}

#[test]
fn a_limit_of_one_is_one_and_none_is_no_limit() {
    for (max, places) in [(0, 1), (1, 1), (2, 2)] {
        let in_flight = InFlight::new(max, Overload::Refuse, Rc::default());
        let held: Vec<_> = std::iter::from_fn(|| in_flight.try_enter()).collect();
        assert_eq!(held.len(), places);
        assert!(in_flight.line_up().is_none());
    }
    let in_flight = InFlight::new(usize::MAX, Overload::Refuse, Rc::default());
    let held: Vec<_> = (0..100_000).map_while(|_| in_flight.try_enter()).collect();
    assert_eq!(held.len(), 100_000);
}

#[test]
fn refusals_are_counted() {
    let counts = Rc::<ServerState>::default();
    let in_flight = InFlight::new(1, Overload::Refuse, Rc::clone(&counts));
    let now = Instant::now();
    (0..3).for_each(|_| in_flight.refuse(now));
    assert_eq!(counts.overload_refusals(), 3);
}
