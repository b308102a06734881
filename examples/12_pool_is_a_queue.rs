//! Chapter 12. Is a bigger pool a faster one?
//!
//! Run:    cargo run --example 12_pool_is_a_queue [-- --workers N]
//! Shows:  one burst of jobs on 1, 2, 4 and 8 workers; then a queue with an end, which refuses.
//! Next:   13_life_of_a_server; or Builder::blocking_queue_max in src/runtime/builder.rs.

#[path = "support/watch.rs"]
mod watch;

use std::env;
use std::error::Error;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{JobHandle, spawn_blocking};

const JOBS: usize = 8;
const WORK: Duration = Duration::from_millis(60);
const QUEUE: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 12. Is a bigger pool a faster one?");
    println!("\nA. {JOBS} jobs at once, each blocks for {WORK:?}. The queue has no end.");
    println!("\n  workers    first waited    last waited    all done    beyond the work itself");
    let asked = env::args().skip_while(|arg| arg != "--workers").nth(1);
    let sizes = match asked {
        Some(workers) => vec![workers.parse::<usize>()?.max(1)],
        None => vec![1, 2, 4, 8],
    };
    for &workers in &sizes {
        burst(workers)?;
    }

    let workers = sizes.last().copied().unwrap_or(1).min(2);
    println!("\nB. The same burst on {workers} workers, and a queue of {QUEUE} at most.\n");
    let builder = watch::builder().blocking_workers_max(workers);
    let mut rt = builder.blocking_queue_max(QUEUE).build()?;
    let _page = watch::page(&rt, include_str!("12_pool_is_a_queue.rs"))?;
    let (mut done, mut refused) = (0, 0);
    rt.block_on(async {
        let jobs: Vec<JobHandle<Duration>> = hand_in();
        for (job, number) in jobs.into_iter().zip(1..) {
            match job.await {
                Ok(waited) => {
                    done += 1;
                    println!("  job {number}: waited {:>3} ms, done", waited.as_millis());
                }
                Err(error) => {
                    refused += 1;
                    println!("  job {number}: {error}");
                }
            }
        }
    });

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   done {done}, refused {refused}, workers {}",
        stats.turns, stats.polls, stats.parks, stats.workers
    );
    println!(
        "Notice: to wait is work / workers, jobs in front. More workers help where jobs sleep,"
    );
    println!("        and not beyond the cores where they compute. A queue without an end hides");
    println!("        that too much comes in; one with an end says so at once, to whoever asked.");
    Ok(())
}

/// All of them in one turn. Each says how long it waited for a worker.
fn hand_in() -> Vec<JobHandle<Duration>> {
    let handed_in = Instant::now();
    let job = move || {
        let waited = handed_in.elapsed();
        thread::sleep(WORK);
        waited
    };
    (0..JOBS).map(|_| spawn_blocking(job)).collect()
}

fn burst(workers: usize) -> io::Result<()> {
    let mut rt = watch::builder().blocking_workers_max(workers).build()?;
    let began = Instant::now();
    let waits = rt.block_on(async {
        let mut waits = Vec::new();
        for job in hand_in() {
            let waited = job
                .await
                .map_err(|error| io::Error::other(error.to_string()))?;
            waits.push(waited.as_millis());
        }
        Ok::<_, io::Error>(waits)
    })?;
    let all = began.elapsed();
    let (first, last) = (waits.iter().min(), waits.iter().max());
    println!(
        "  {workers:>7}{:>13} ms{:>12} ms{:>9} ms{:>23} ms",
        first.unwrap_or(&0),
        last.unwrap_or(&0),
        all.as_millis(),
        all.saturating_sub(WORK).as_millis()
    );
    Ok(())
}
