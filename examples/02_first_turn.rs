//! Chapter 2. What is a turn?
//!
//! Run:    cargo run --example 02_first_turn
//! Shows:  callbacks run in order; what a turn starts waits for the next one.
//! Next:   03_timers; or src/runtime/turn.rs, where a turn is three short functions.

#[path = "support/watch.rs"]
mod watch;

use std::io;
use std::time::Duration;

use tourbillon::call_soon;

fn main() -> io::Result<()> {
    println!("Chapter 2. What is a turn?\n");
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("02_first_turn.rs"))?;
    // While the guard lives, `call_soon` and its like go to this runtime.
    let _guard = rt.enter();

    call_soon(|| {
        println!("  one begins");
        call_soon(|| println!("  three: one asked for it"));
        println!("  one ends");
    });
    call_soon(|| println!("  two: asked for before three"));
    call_soon(|| again(3));

    // One turn at a time, by hand. `Runtime::run` does this until it is told to stop.
    while rt.next_timeout() == Some(Duration::ZERO) {
        println!("turn {}", rt.stats().turns + 1);
        rt.turn(Some(Duration::ZERO))?;
    }

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   callbacks {}",
        stats.turns, stats.polls, stats.parks, stats.callbacks
    );
    println!("Notice: \"again\" asks for itself each time, and still gets one call a turn.");
    println!("        So a callback that never stops asking cannot shut the others out.");
    Ok(())
}

fn again(times: u32) {
    println!("  again, {times} to go");
    if times > 1 {
        call_soon(move || again(times - 1));
    }
}
