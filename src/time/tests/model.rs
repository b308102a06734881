//! The wheel beside a model that is plainly right: sorted maps. Failures name their seed.

use std::collections::{BTreeMap, BTreeSet};

use super::LEVEL_EDGES;
use crate::time::{TimerKey, Wheel};

/// Splitmix64: small, and the same on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A distance of any magnitude up to 2^`bits`: each level is as likely as any other.
    fn distance(&mut self, bits: u64) -> u64 {
        let bits = self.below(bits + 1);
        self.next() & ((1u64 << bits) - 1)
    }
}

/// What the model knows of one timer.
struct Known {
    key: TimerKey,
    deadline: u64,
    moved: bool,
}

/// A wheel and its model, driven together. Values are numbers given out in insertion order.
struct Pair {
    wheel: Wheel<u64>,
    alive: BTreeMap<u64, Known>,
    by_deadline: BTreeSet<(u64, u64)>,
    gone: Vec<TimerKey>,
    inserted: u64,
    now: u64,
    seed: u64,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Pair {
            wheel: Wheel::new(),
            alive: BTreeMap::new(),
            by_deadline: BTreeSet::new(),
            gone: Vec::new(),
            inserted: 0,
            now: 0,
            seed,
        }
    }

    fn insert(&mut self, deadline: u64) {
        let id = self.inserted;
        self.inserted += 1;
        let key = self.wheel.insert(deadline, id);
        let moved = false;
        let known = Known {
            key,
            deadline,
            moved,
        };
        self.alive.insert(id, known);
        self.by_deadline.insert((deadline, id));
    }

    /// Any timer that is alive; near an even choice, and quick among many.
    fn pick(&self, random: &mut Random) -> Option<u64> {
        let from = random.below(self.inserted.max(1));
        let mut after = self.alive.range(from..);
        let found = after.next().or_else(|| self.alive.iter().next());
        found.map(|(&id, _)| id)
    }

    fn forget(&mut self, id: u64) -> Known {
        let known = self.alive.remove(&id);
        let known = known.unwrap_or_else(|| panic!("seed {}: {id} fired twice", self.seed));
        self.by_deadline.remove(&(known.deadline, id));
        self.gone.push(known.key);
        known
    }

    fn cancel(&mut self, id: u64) {
        let key = self.forget(id).key;
        assert_eq!(self.wheel.cancel(key), Some(id), "seed {}", self.seed);
    }

    fn move_to(&mut self, id: u64, deadline: u64) {
        let seed = self.seed;
        let known = self.alive.get_mut(&id).expect("a timer that is alive");
        assert!(self.wheel.move_to(known.key, deadline), "seed {seed}");
        assert_eq!(
            self.wheel.deadline(known.key),
            Some(deadline),
            "seed {seed}"
        );
        self.by_deadline.remove(&(known.deadline, id));
        self.by_deadline.insert((deadline, id));
        known.deadline = deadline;
        known.moved = true;
    }

    /// Exactly those due must come, by deadline, and the never moved among equals in order.
    fn expire(&mut self, to: u64) {
        let seed = self.seed;
        self.now = self.now.max(to);
        let due_by_model = self.by_deadline.range(..=(self.now, u64::MAX));
        let expected: Vec<u64> = due_by_model.map(|&(deadline, _)| deadline).collect();
        let mut due = Vec::new();
        self.wheel.expire(to, &mut due);
        let fired: Vec<(u64, Known)> = due.into_iter().map(|id| (id, self.forget(id))).collect();
        let deadlines: Vec<u64> = fired.iter().map(|(_, known)| known.deadline).collect();
        assert_eq!(deadlines, expected, "seed {seed}: expire({to})");
        let in_order = fired.iter().filter(|(_, known)| !known.moved);
        let in_order: Vec<(u64, u64)> = in_order.map(|(id, known)| (known.deadline, *id)).collect();
        assert!(in_order.is_sorted(), "seed {seed}: {in_order:?}");
        if let Some(next) = self.wheel.next_deadline() {
            assert!(next > self.now, "seed {seed}: would spin at {}", self.now);
        }
    }

    fn check(&mut self, random: &mut Random) {
        let seed = self.seed;
        assert_eq!(self.wheel.len(), self.alive.len(), "seed {seed}");
        assert_eq!(self.wheel.is_empty(), self.alive.is_empty(), "seed {seed}");
        let earliest = self.by_deadline.first().map(|&(deadline, _)| deadline);
        let next = self.wheel.next_deadline();
        assert_eq!(next.is_some(), earliest.is_some(), "seed {seed}");
        assert!(
            next <= earliest,
            "seed {seed}: {next:?} is after {earliest:?}"
        );
        if !self.gone.is_empty() {
            let stale = self.gone[random.below(self.gone.len() as u64) as usize];
            assert_eq!(self.wheel.deadline(stale), None, "seed {seed}");
            assert_eq!(self.wheel.get_mut(stale), None, "seed {seed}");
            assert!(!self.wheel.move_to(stale, 0), "seed {seed}");
            assert_eq!(self.wheel.cancel(stale), None, "seed {seed}");
        }
    }

    /// One random operation; `bits` bounds how far ahead deadlines and steps go.
    fn step(&mut self, random: &mut Random, bits: u64) {
        let ahead = random.distance(bits);
        match random.below(16) {
            0..6 => self.insert(self.now.saturating_add(ahead)),
            6 => self.insert(self.now.saturating_sub(ahead % 200)),
            7 => self.insert(u64::MAX - random.below(3)),
            8..12 => {
                let Some(id) = self.pick(random) else { return };
                let deadline = self.alive[&id].deadline;
                match random.below(4) {
                    0 => self.cancel(id),
                    1 => self.move_to(id, deadline.saturating_sub(ahead)),
                    2 => self.move_to(id, deadline.saturating_add(ahead)),
                    _ => self.move_to(id, self.now.saturating_add(ahead)),
                }
            }
            12 => self.expire(self.now.saturating_sub(ahead)),
            13 => self.expire(self.wheel.next_deadline().unwrap_or(self.now)),
            _ => self.expire(self.now.saturating_add(random.distance(bits) / 4)),
        }
    }
}

#[test]
fn does_what_the_model_does() {
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut pair = Pair::new(seed);
        // Some seeds stay within a level or two, where equal deadlines abound; some cross
        // several 2^36 blocks; some start just before an edge.
        let bits = [7, 9, 13, 20, 31, 38, 42, 60][(seed % 8) as usize];
        if random.below(2) == 0 {
            let edge = LEVEL_EDGES[random.below(6) as usize] * (1 + random.below(3));
            pair.expire(edge - 1 - random.below(70).min(edge - 1));
        }
        for _ in 0..600 {
            pair.step(&mut random, bits);
            pair.check(&mut random);
        }
        pair.expire(u64::MAX);
        pair.check(&mut random);
        assert!(pair.wheel.is_empty(), "seed {seed}");
    }
}

#[test]
fn a_long_walk_loses_nothing() {
    let mut random = Random(2026);
    let mut pair = Pair::new(2026);
    for step in 0..1_000_000u64 {
        match random.below(8) {
            0..3 if pair.alive.len() < 500 => pair.insert(pair.now + random.distance(17)),
            3 | 4 => {
                if let Some(id) = pair.pick(&mut random) {
                    pair.move_to(id, pair.now + random.distance(17));
                }
            }
            5 => {
                if let Some(id) = pair.pick(&mut random) {
                    pair.cancel(id);
                }
            }
            _ => pair.expire(pair.now + random.below(40)),
        }
        if step % 64 == 0 {
            pair.check(&mut random);
            pair.gone.truncate(1000);
        }
    }
    assert!(pair.now > 1 << 22, "the walk went round three levels");
}
