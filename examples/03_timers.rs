//! Chapter 3. When does a timer fire?
//!
//! Run:    cargo run --example 03_timers
//! Shows:  asked and real times; a timer is a lower bound; cancel.
//! Next:   04_asleep_in_the_os; or src/time/wheel.rs, where timers wait.

#[path = "support/watch.rs"]
mod watch;

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{Runtime, call_later, call_soon};

fn main() -> io::Result<()> {
    println!("Chapter 3. When does a timer fire?");
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("03_timers.rs"))?;
    let _guard = rt.enter();

    println!("\nA. Four timers, asked for in this order: 10, 50, 50 and 0 ms.");
    start_four();
    run_until_nothing_waits(&mut rt)?;

    println!("\nB. The same four, but a callback keeps the loop busy for 120 ms.");
    start_four();
    call_soon(|| {
        println!("  busy: begins");
        thread::sleep(Duration::from_millis(120));
        println!("  busy: ends");
    });
    run_until_nothing_waits(&mut rt)?;

    println!("\nC. A timer of 1000 ms, cancelled after 10 ms.");
    let began = Instant::now();
    let far_off = timer("e", 1000, began);
    call_later(Duration::from_millis(10), move || {
        println!("  cancelled in time: {}", far_off.cancel());
    });
    run_until_nothing_waits(&mut rt)?;

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   timers fired {}",
        stats.turns, stats.polls, stats.parks, stats.timers_fired
    );
    println!("Notice: no timer is early. Late is what the loop was busy with, plus 1 or 2 ms.");
    println!("        A timer of 0 ms does not fire at once either: it waits for its turn.");
    Ok(())
}

fn start_four() {
    let began = Instant::now();
    for (name, delay) in [("a", 10), ("b", 50), ("c", 50), ("d", 0)] {
        timer(name, delay, began);
    }
}

fn timer(name: &'static str, delay: u64, began: Instant) -> tourbillon::Timer {
    call_later(Duration::from_millis(delay), move || {
        let real = began.elapsed().as_secs_f64() * 1000.0;
        let late = real - delay as f64;
        println!("  {name}: asked {delay:>3} ms, fired {real:>6.1} ms, late {late:>6.1} ms");
    })
}

/// `next_timeout` is how long the kernel may let the loop sleep: until the nearest timer.
fn run_until_nothing_waits(rt: &mut Runtime) -> io::Result<()> {
    while let Some(left) = rt.next_timeout() {
        if !left.is_zero() {
            println!("  (sleeps, {:.1} ms at most)", left.as_secs_f64() * 1000.0);
        }
        rt.turn(Some(left))?;
    }
    Ok(())
}
