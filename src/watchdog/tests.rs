//! The watchdog with a made-up loop and a made-up clock, and with threads that are really stuck.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod scene;
mod judgement;
mod held_back;
mod naming;
mod reports;
mod stuck;
