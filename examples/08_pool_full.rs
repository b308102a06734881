//! Chapter 8. What if the work itself blocks?
//!
//! Run:    cargo run --example 08_pool_full
//! Shows:  eight jobs on four workers: two waves, a queue, and what cancel can do.
//! Next:   09_embedding; or src/runtime/offload.rs and src/blocking/pool.rs.

#[path = "support/watch.rs"]
mod watch;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{JoinError, offload, spawn_blocking};

const JOBS: usize = 8;
const WORKERS: usize = 4;
const WORK: Duration = Duration::from_millis(150);

/// What a job knows about itself.
struct Report {
    began: Instant,
    worker: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 8. What if the work itself blocks?");
    println!("\n{JOBS} jobs, each blocks its thread for {WORK:?}; {WORKERS} workers.");
    let mut rt = watch::builder().blocking_workers_max(WORKERS).build()?;
    let _page = watch::page(&rt, include_str!("08_pool_full.rs"))?;
    let _guard = rt.enter();
    let handed_in = Instant::now();
    let running = Arc::new(AtomicUsize::new(0));
    // Closed until the loop has looked, so that the first wave is still there to be seen.
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write();
    // An `Rc` is good enough for completions: they never leave the loop's thread.
    let ended = Rc::new(RefCell::new(Vec::new()));
    let mut jobs = Vec::new();
    for number in 1..=JOBS {
        let (running, ended) = (Arc::clone(&running), Rc::clone(&ended));
        let gate = Arc::clone(&gate);
        let job = move || {
            let (began, worker) = (Instant::now(), thread_name());
            running.fetch_add(1, Ordering::Relaxed);
            drop(gate.read());
            thread::sleep(WORK);
            Report { began, worker }
        };
        let completion = move |result| ended.borrow_mut().push((number, result, thread_name()));
        jobs.push(offload(job, completion));
    }

    while running.load(Ordering::Relaxed) < WORKERS {
        rt.turn(Some(Duration::from_millis(1)))?;
    }
    let stats = rt.stats();
    println!(
        "  {} run, {} wait in the queue",
        stats.jobs_running, stats.jobs_queued
    );
    println!("  cancel job 8, which waits: {}", jobs[7].cancel());
    println!("  cancel job 1, which runs:  {}", jobs[0].cancel());
    drop(closed);
    while ended.borrow().len() < JOBS {
        rt.turn(Some(Duration::from_millis(10)))?;
    }

    let mut ended = ended.take();
    ended.sort_by_key(|(number, ..)| *number);
    println!("\n  job  wave  waited  completion on  ran on");
    for (number, result, completed_on) in ended {
        print_row(number, result, handed_in, &completed_on);
    }

    println!("\nThe same in a task, awaited:");
    let worker = rt.block_on(async { spawn_blocking(thread_name).await })?;
    println!("  ran on {worker}, awaited on {}", thread_name());

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   jobs {}, workers {}",
        stats.turns, stats.polls, stats.parks, stats.jobs, stats.workers
    );
    println!("Notice: a pool is a queue too: the second wave waits for the first. What waits can");
    println!("        be cancelled, what runs cannot. And the loop's thread was never blocked.");
    Ok(())
}

fn print_row(
    number: usize,
    result: Result<Report, JoinError>,
    handed_in: Instant,
    completed_on: &str,
) {
    match result {
        Ok(Report { began, worker }) => {
            let waited = began.duration_since(handed_in);
            let wave = 1 + waited.as_millis() / WORK.as_millis();
            let waited = waited.as_millis();
            println!("  {number:>3}{wave:>6}{waited:>5} ms  {completed_on:<15}{worker}");
        }
        Err(error) => println!("  {number:>3}     -       -  {completed_on:<15}{error}"),
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or("no name").to_owned()
}
