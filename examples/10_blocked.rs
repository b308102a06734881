//! Chapter 10. What does a task that blocks do to the others?
//!
//! Run:    cargo run --example 10_blocked [-- --how cpu|sleep|lock|file]
//! Shows:  a ticker misses its beats while another task blocks; the watchdog says who, and where.
//! Next:   11_offloaded; or src/watchdog/verdict.rs, which tells the four apart.

#[path = "support/watch.rs"]
mod watch;

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{MissedTicks, Stage, StallReport, Watchdog, interval, sleep, spawn_named};

const BEAT: Duration = Duration::from_millis(100);
const BLOCK: Duration = Duration::from_millis(700);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 10. What does a task that blocks do to the others?");
    let how = env::args().skip_while(|arg| arg != "--how").nth(1);
    let greedy: fn() = match how.as_deref().unwrap_or("cpu") {
        "cpu" => computes,
        "sleep" => sleeps,
        "lock" => waits_for_a_lock,
        "file" => reads_a_slow_file,
        other => return Err(format!("--how is cpu, sleep, lock or file, not {other}").into()),
    };
    println!("\nA beat is due every {BEAT:?}; another task blocks for {BLOCK:?} in between.");
    // It writes to standard error while the loop is stuck. Here it is printed when all is over.
    let (tell, told) = mpsc::channel();
    let watchdog = Watchdog::new().reports_per_minute(0);
    let watchdog = watchdog.on_stall(move |report| drop(tell.send(report.clone())));
    let mut rt = watch::builder().watchdog(watchdog).build()?;
    let _page = watch::page(&rt, include_str!("10_blocked.rs"))?;

    let late = rt.block_on(async {
        let ticker = spawn_named("ticker", tick());
        sleep(BEAT * 5 / 2).await;
        spawn_named("greedy", async move { greedy() }).detach();
        ticker.await
    })?;
    println!("\nWhat the watchdog said meanwhile, from its own thread:\n");
    let mut reports = told.iter();
    let over = |report: &StallReport| report.stage == Stage::Over;
    for report in [reports.next(), reports.find(over)].into_iter().flatten() {
        print!("{report}");
    }

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   stalls {}, latest beat {} ms late",
        stats.turns,
        stats.polls,
        stats.parks,
        rt.stalls(),
        late.as_millis()
    );
    println!(
        "Notice: to compute, to sleep, to wait for a lock or a file: the harm is the same, for"
    );
    println!("        there is one thread. `async` before a function does not make it give way.");
    Ok(())
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

fn computes() {
    let (until, mut number) = (Instant::now() + BLOCK, 1_u64);
    while Instant::now() < until {
        number = black_box(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }
}

fn sleeps() {
    thread::sleep(BLOCK);
}

fn waits_for_a_lock() {
    let lock = Arc::new(Mutex::new(()));
    let (holds, is_held) = mpsc::channel();
    let theirs = Arc::clone(&lock);
    thread::spawn(move || {
        let _held = theirs.lock();
        let _ = holds.send(());
        thread::sleep(BLOCK);
    });
    is_held.recv().expect("the other thread does not panic");
    drop(lock.lock());
}

/// A pipe is a file as slow as one wants; a disk that has to wake up is read no faster.
fn reads_a_slow_file() {
    let (mut file, mut disk) = io::pipe().expect("there are descriptors left");
    thread::spawn(move || {
        thread::sleep(BLOCK);
        disk.write_all(b"at last")
    });
    file.read_exact(&mut [0; 7]).expect("the other end writes");
}
