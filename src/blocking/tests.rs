//! Each promise of the room by name. Threads meet through channels and barriers; a deadline is only
//! the bound after which a test gives up.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod ending;
mod jobs;
mod threads;

use std::collections::HashSet;
use std::io;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use super::pool::{Life, PoolStats};
use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// A pool whose deliveries arrive on a channel.
fn pool(limits: PoolLimits) -> (Pool, Receiver<JobKey>) {
    let (sender, delivered) = channel();
    // After every second job a worker without another yields, else it spins.
    let deliver = move |key: JobKey, _, _| sender.send(key).is_ok() && key.0.is_multiple_of(2);
    (
        Pool::new(limits, "test".to_owned(), Arc::new(deliver)),
        delivered,
    )
}

/// A pool of one worker, whose deliveries arrive whole.
fn pool_of_one() -> (Pool, Receiver<(JobKey, Work)>) {
    let (sender, delivered) = channel();
    let deliver = move |key, _, work| sender.send((key, work)).is_err();
    let pool = Pool::new(workers(1), "test".to_owned(), Arc::new(deliver));
    (pool, delivered)
}

fn workers(workers_max: usize) -> PoolLimits {
    PoolLimits::with_workers(workers_max)
}

#[track_caller]
fn submit<T: Send + 'static>(
    pool: &Pool,
    key: u64,
    lane: Lane,
    work: impl FnOnce() -> T + Send + 'static,
) -> JobPlace {
    let work = job(Location::caller(), work);
    pool.submit(JobKey(key), lane, work).unwrap()
}

/// Submits a job that runs until the sender is dropped; returns once a worker has it.
#[track_caller]
fn occupy(pool: &Pool, key: u64, lane: Lane) -> Sender<()> {
    occupied(pool, key, lane).0
}

/// The same, with the place the job had.
#[track_caller]
fn occupied(pool: &Pool, key: u64, lane: Lane) -> (Sender<()>, JobPlace) {
    let (release, gate) = channel::<()>();
    let (started, has_started) = channel();
    let place = submit(pool, key, lane, move || {
        started.send(()).unwrap();
        let _ = gate.recv();
    });
    has_started.recv_timeout(PATIENCE).unwrap();
    (release, place)
}

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "never came to be: {what}");
        thread::yield_now();
    }
}

/// Panics when dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped a bomb");
    }
}

/// Tells which thread dropped it.
struct Witness(Sender<ThreadId>);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}
