//! Chapter 5. How does a future continue?
//!
//! Run:    cargo run --example 05_wake_me [-- --forget-wake]
//! Shows:  poll, Pending, a waker that is kept, wake, poll again; and a wake that is forgotten.
//! Next:   06_two_tasks; or src/executor/waker.rs, where a waker is only a number.

#[path = "support/watch.rs"]
mod watch;

use std::env;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::{JoinHandle, Runtime, call_later, spawn, timeout};

const SOON: Duration = Duration::from_millis(50);

/// Something that happens once, and the waker of whoever waits for it.
#[derive(Default)]
struct Bell {
    rung: bool,
    waker: Option<Waker>,
}

/// The future, by hand: what the compiler makes of an `async fn`, in small.
struct Rung {
    bell: Arc<Mutex<Bell>>,
    polls: u32,
}

impl Future for Rung {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls += 1;
        let mut bell = self.bell.lock().expect("nothing panics with the bell");
        if bell.rung {
            println!("  poll {}: it has rung. Ready", self.polls);
            return Poll::Ready(());
        }
        println!("  poll {}: not yet. Keeps the waker; Pending", self.polls);
        bell.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn ring(bell: &Mutex<Bell>, wake: bool) {
    println!("  the bell rings, on {:?}", thread::current().id());
    let mut bell = bell.lock().expect("nothing panics with the bell");
    bell.rung = true;
    let waker = bell.waker.take();
    // Unlocked before the wake: a waker is the business of whoever made it.
    drop(bell);
    if let Some(waker) = waker.filter(|_| wake) {
        println!("  wake: the task goes to the ready queue");
        waker.wake();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 5. How does a future continue?");
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("05_wake_me.rs"))?;
    let _guard = rt.enter();
    let (task, bell) = wait_for_bell();
    if env::args().any(|arg| arg == "--forget-wake") {
        println!("\nThe bell rings after {SOON:?}, and the waker is forgotten.");
        call_later(SOON, move || ring(&bell, false));
        match rt.block_on(timeout(10 * SOON, task)) {
            Ok(ended) => ended?,
            Err(error) => {
                println!("  gave up after {:?}: {error}", 10 * SOON);
                println!("  The task lives on, has not noticed, and never will: this is a hang.");
            }
        }
    } else {
        println!("\nA. A callback of the same loop rings after {SOON:?}.");
        call_later(SOON, move || ring(&bell, true));
        turn_until_finished(&mut rt, &task)?;

        println!("\nB. Another thread rings after {SOON:?}.");
        let (task, bell) = wait_for_bell();
        let other = thread::spawn(move || {
            thread::sleep(SOON);
            ring(&bell, true);
        });
        turn_until_finished(&mut rt, &task)?;
        other.join().expect("the other thread does not panic");
    }

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   wakes {}, tasks alive {}",
        stats.turns, stats.polls, stats.parks, stats.wakes, stats.tasks_alive
    );
    println!("Notice: the loop polls a task when it was woken, and never to see whether it");
    println!("        may be time. To wake is not to run: the poll comes in a later turn.");
    Ok(())
}

fn wait_for_bell() -> (JoinHandle<()>, Arc<Mutex<Bell>>) {
    let bell = Arc::new(Mutex::new(Bell::default()));
    let future = Rung {
        bell: Arc::clone(&bell),
        polls: 0,
    };
    (spawn(future), bell)
}

fn turn_until_finished(rt: &mut Runtime, task: &JoinHandle<()>) -> io::Result<()> {
    while !task.is_finished() {
        // A second at most, should the other thread ring right here, before the turn.
        let left = rt.next_timeout().unwrap_or(Duration::from_secs(1));
        let note = if left.is_zero() {
            ""
        } else {
            ": nothing to run, so the loop sleeps"
        };
        println!("turn {}{note}", rt.stats().turns + 1);
        rt.turn(Some(left))?;
    }
    Ok(())
}
