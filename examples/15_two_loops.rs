//! Chapter 15. How do two loops talk?
//!
//! Run:    cargo run --example 15_two_loops
//! Shows:  two runtimes on two threads; each sends the other what to run, and shares nothing.
//! Next:   16_loop_per_core; or src/queue/task_queue.rs, the one door into a loop.

#[path = "support/watch.rs"]
mod watch;

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::sync::mpsc;
use std::thread;

use tourbillon::{Handle, Runtime, call_soon, stop};

const HITS: u32 = 6;

thread_local! {
    /// Each loop's own, without a lock: nobody else comes near it.
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 15. How do two loops talk?\n");
    let mut here = watch::builder().build()?;
    let _page = watch::page(&here, include_str!("15_two_loops.rs"))?;
    let to_here = here.handle();
    let (tell, told) = mpsc::channel();
    let other = thread::Builder::new().name("there".into());
    let other = other.spawn(move || -> io::Result<u32> {
        let mut there = Runtime::new()?;
        // A handle may go anywhere; the runtime stays where it was made.
        let _ = tell.send(there.handle());
        there.run()?;
        Ok(SEEN.get())
    })?;
    let to_there = told.recv()?;

    let _guard = here.enter();
    let first = to_there.clone();
    call_soon(move || hit(1, &to_here, &first));
    here.run()?;
    let seen_there = other.join().expect("the other loop does not panic")?;

    // Its thread has ended, and its runtime with it.
    let late = to_there.call(|| unreachable!("nobody is there to call it"));
    println!(
        "\n  after its end: {}",
        late.expect_err("the door is closed")
    );
    let stats = here.stats();
    println!(
        "\nturns {} / polls {} / parks {}   seen here {}, seen there {seen_there}",
        stats.turns,
        stats.polls,
        stats.parks,
        SEEN.get()
    );
    println!(
        "Notice: what is sent is a closure, and it runs on the thread it is sent to. A sleeping"
    );
    println!("        loop is woken for it; one that turns finds it in its next turn.");
    Ok(())
}

/// Runs on one loop, and has the other one do the same.
fn hit(number: u32, own: &Handle, other: &Handle) {
    let name = thread::current().name().unwrap_or("no name").to_owned();
    println!("  hit {number} on {name}");
    SEEN.set(SEEN.get() + 1);
    let (own, other) = (own.clone(), other.clone());
    let sent = if number == HITS {
        stop();
        other.stop()
    } else {
        let door = other.clone();
        // What is sent must be `Send`; the future it makes over there need not.
        door.spawn(move || async move { hit(number + 1, &other, &own) })
    };
    if let Err(closed) = sent {
        println!("  {closed}");
        stop();
    }
}
