//! The simulated world: the real server and its clients in one thread, over networks in memory.
//!
//! ```text
//!   seed ──▶ dice ──▶ people: scripts, habits, fates, weather
//!                        │
//!   Client ◀──▶ Wire ◀──▶ Connection   (the server's own)
//!     │      short reads and writes,       │
//!   answers  hiccups, delays, resets,   Application, with its ledger
//!                half-closes
//! ```
//!
//! The clock is moved by hand and the order of the ready queue is shuffled, so a world follows
//! from its seed alone. `TOURBILLON_SEED=7` runs one, `TOURBILLON_SEEDS=100000` that many.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

mod answers;
mod application;
mod client;
mod dice;
mod people;
mod scene;
mod script;
mod verdict;
mod wire;
mod world;

use crate::support::number;
use scene::Scene;
use world::Tally;

/// Half of them on each of two threads. CI runs four times as many.
const SEEDS: u64 = 500;

/// How many of the last events a failure shows; all of them if its seed runs alone.
const RECENT_MAX: usize = 40;

#[test]
fn every_seed_ends_well() {
    if let Some(seed) = number("TOURBILLON_SEED") {
        let tally = run(seed, usize::MAX);
        println!("seed {seed}: {tally:?}");
        return;
    }
    let count: u64 = number("TOURBILLON_SEEDS").unwrap_or(SEEDS);
    let half = count / 2;
    let other = thread::spawn(move || run_all(0..half));
    let (mut failures, mut reasons) = run_all(half..count);
    let (others, other_reasons) = other.join().expect("failures are caught");
    failures.extend(others);
    reasons |= other_reasons;
    let failed = failures.len();
    let shown: Vec<&str> = failures.iter().take(20).map(String::as_str).collect();
    let shown = shown.join("\n");
    assert!(failed == 0, "{failed} of {count} seeds failed:\n{shown}");
    // Worlds in which nothing goes wrong show nothing.
    if count >= SEEDS {
        let names = verdict::REASONS.iter().enumerate();
        let missing = names.filter(|(bit, _)| reasons & (1 << bit) == 0);
        let missing: Vec<_> = missing.map(|(_, name)| name).collect();
        assert!(missing.is_empty(), "no connection ended by {missing:?}");
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in (0..400).step_by(20) {
        assert_eq!(run(seed, RECENT_MAX), run(seed, 1), "seed {seed}");
    }
}

/// Runs seeds, and returns the failures and the reasons why connections ended.
fn run_all(seeds: Range<u64>) -> (Vec<String>, u32) {
    let (mut failures, mut reasons) = (Vec::new(), 0);
    for seed in seeds {
        match catch_unwind(|| run(seed, RECENT_MAX)) {
            Ok(tally) => reasons |= tally.reasons,
            Err(payload) => {
                let text = payload.downcast::<String>();
                failures.push(text.map_or_else(|_| "a panic without words".into(), |text| *text));
            }
        }
    }
    (failures, reasons)
}

/// Runs one seed.
///
/// # Panics
///
/// When the server did what it must not; says what, and how to see it again.
fn run(seed: u64, recent_max: usize) -> Tally {
    let scene = Rc::new(Scene::new(recent_max));
    let result = catch_unwind(AssertUnwindSafe(|| world::run(seed, &scene)));
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).into()));
        let text = text.unwrap_or_default();
        panic!(
            "seed {seed}: {text}\n{scene}\
             see it again: TOURBILLON_SEED={seed} cargo test --test it simulated"
        )
    })
}
