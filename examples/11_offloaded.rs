//! Chapter 11. Who does the work, if not the loop?
//!
//! Run:    cargo run --example 11_offloaded
//! Shows:  the block of chapter 10, handed to a worker: the ticker is steady meanwhile.
//! Next:   12_pool_is_a_queue; or src/runtime/offload.rs, where the answer comes back.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::rc::Rc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tourbillon::{MissedTicks, Watchdog, interval, offload, sleep, spawn_blocking, spawn_named};

const BEAT: Duration = Duration::from_millis(100);
const BLOCK: Duration = Duration::from_millis(700);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 11. Who does the work, if not the loop?");
    println!("\nA beat is due every {BEAT:?}; work of {BLOCK:?} is handed to a worker in between.");
    println!("  the loop is on {:?}", thread::current().id());
    let mut rt = watch::builder().watchdog(Watchdog::new()).build()?;
    let _page = watch::page(&rt, include_str!("11_offloaded.rs"))?;

    let late = rt.block_on(async {
        let ticker = spawn_named("ticker", tick());
        sleep(BEAT * 5 / 2).await;
        let polite = spawn_named("polite", async {
            let began = Instant::now();
            println!(
                "  polite: hands the work in, on {:?}",
                thread::current().id()
            );
            // The same `work` that would hold the loop if it were called here.
            let worker = spawn_blocking(work).await;
            let took = began.elapsed().as_millis();
            println!(
                "  polite: goes on after {took} ms, on {:?}",
                thread::current().id()
            );
            worker
        });
        polite.await.map_err(Box::<dyn Error>::from)??;

        // What `spawn_blocking` is made of: a job that is sent, a completion that stays.
        let own = Rc::new("an Rc that stayed here");
        offload(
            || thread::current().id(),
            move |worker| {
                let there = worker.map_or("nowhere".to_owned(), |id| format!("{id:?}"));
                println!(
                    "  a completion of a job on {there}, on {:?}, with {own}",
                    thread::current().id()
                );
            },
        );
        ticker.await.map_err(Box::<dyn Error>::from)
    })?;

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   jobs {}, stalls {}, latest beat {} ms late",
        stats.turns,
        stats.polls,
        stats.parks,
        stats.jobs,
        rt.stalls(),
        late.as_millis()
    );
    println!("Notice: the work is not faster, and it is on a thread that may block. Its end comes");
    println!(
        "        to the loop as an event, like a byte on a socket: nothing of yours is locked."
    );
    Ok(())
}

/// Keeps its thread, whichever that is.
fn work() -> ThreadId {
    let worker = thread::current();
    println!(
        "  work: begins, on {:?} ({})",
        worker.id(),
        worker.name().unwrap_or("no name")
    );
    thread::sleep(BLOCK);
    println!("  work: ends");
    worker.id()
}

/// Says when each beat comes, and returns how late the latest was.
async fn tick() -> Duration {
    let began = Instant::now();
    let mut beat = interval(BEAT).missed_ticks(MissedTicks::Skip);
    let (mut late, mut beats) = (Duration::ZERO, 0);
    while began.elapsed() < BLOCK * 2 {
        late = late.max(beat.tick().await.elapsed());
        beats += 1;
        println!("  beat {beats} at {:>4} ms", began.elapsed().as_millis());
    }
    late
}
