//! Chapter 6. How do two things happen at once on one thread?
//!
//! Run:    cargo run --example 06_two_tasks
//! Shows:  two tasks in turn; awaiting in a row against spawning and joining.
//! Next:   07_echo; or src/executor/tasks.rs, where the futures live.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{sleep, spawn, yield_now};

const STEEP: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 6. How do two things happen at once on one thread?");
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("06_two_tasks.rs"))?;

    println!("\nA. Two tasks, each of three steps");
    let tick = rt.spawn(steps("tick"));
    let tock = rt.spawn(steps("tock"));
    while !(tick.is_finished() && tock.is_finished()) {
        println!("turn {}", rt.stats().turns + 1);
        rt.turn(Some(Duration::ZERO))?;
    }

    println!("\nB. Tea, then toast: two awaits in a row");
    let began = Instant::now();
    rt.block_on(async {
        make("tea").await;
        make("toast").await;
    });
    println!("  {:.0} ms in all", millis(began));

    println!("\nC. Tea and toast: both spawned, then both awaited");
    let began = Instant::now();
    rt.block_on(async {
        let tea = spawn(make("tea"));
        let toast = spawn(make("toast"));
        tea.await?;
        toast.await
    })?;
    println!("  {:.0} ms in all", millis(began));

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   tasks {}, workers {}",
        stats.turns, stats.polls, stats.parks, stats.tasks_spawned, stats.workers
    );
    println!("Notice: an await does not start a second thing, it waits for the first.");
    println!("        Two tasks wait together, and still every line is from one thread.");
    Ok(())
}

async fn steps(name: &str) {
    for step in 1..=3 {
        println!("  {name} {step}        {:?}", thread::current().id());
        // Without this await, all three steps would be one poll.
        yield_now().await;
    }
    println!("  {name} ends");
}

async fn make(what: &str) {
    println!("  {what:<6} begins  {:?}", thread::current().id());
    sleep(STEEP).await;
    println!("  {what:<6} done    {:?}", thread::current().id());
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
