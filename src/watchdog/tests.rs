//! The watchdog with a made-up loop and a made-up clock, and with threads that are really stuck.

mod judgement;
mod naming;
mod reports;
mod stuck;
