//! What cannot be seen from outside: which attempts run when, by a connector that is none and a
//! clock moved by hand; lookups behind a name server that hangs; files that the kernel refuses.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod attempts;
mod lookups;
mod long_way;

use std::time::{Duration, Instant};

use crate::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(30);

/// Turns until `done` says so.
#[track_caller]
fn turn_until(rt: &mut Runtime, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "what was waited for never came");
        rt.turn(Some(Duration::from_millis(5))).unwrap();
    }
}
