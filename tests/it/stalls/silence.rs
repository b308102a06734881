//! Nobody is blamed for what is nobody's fault.

use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{Runtime, call_soon, expected_block, interval, sleep, spawn, yield_now};

use super::super::support::number;
use super::{LIMIT, listening};

/// Runs a future on a watched loop, which must not be reported.
#[track_caller]
fn unreported(run: impl AsyncFnOnce(&tourbillon::Watcher)) {
    let (watchdog, reports) = listening();
    // With room for what a busy machine does to a thread.
    let watchdog = watchdog.threshold(LIMIT * 8);
    let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
    let watcher = rt.watcher().unwrap();
    rt.block_on(run(&watcher));
    assert_eq!((rt.stalls(), watcher.slow_turns()), (0, 0));
    drop(rt);
    let reports = reports.lock().unwrap();
    assert!(reports.is_empty(), "{reports:#?}");
}

/// Ten seconds in CI, by `TOURBILLON_IDLE_SECONDS`.
#[test]
fn a_loop_that_is_idle() {
    let seconds = number("TOURBILLON_IDLE_SECONDS").unwrap_or(1);
    unreported(async |_| sleep(Duration::from_secs(seconds)).await);
}

#[test]
fn a_loop_that_has_a_little_to_do_all_the_time() {
    unreported(async |_| {
        let until = Instant::now() + Duration::from_secs(1);
        let ticker = spawn(async move {
            let mut ticks = interval(Duration::from_millis(3));
            while Instant::now() < until {
                ticks.tick().await;
                call_soon(|| thread::sleep(Duration::from_millis(1)));
            }
        });
        while Instant::now() < until {
            yield_now().await;
        }
        ticker.await.unwrap();
    });
}

#[test]
fn a_loop_that_is_held_at_the_gate() {
    unreported(async |watcher| {
        watcher.pause();
        let holder = watcher.clone();
        let release = thread::spawn(move || {
            thread::sleep(LIMIT * 16);
            holder.go();
        });
        let began = Instant::now();
        yield_now().await;
        yield_now().await;
        assert!(began.elapsed() >= LIMIT * 15, "it was not held");
        release.join().unwrap();
    });
}

#[test]
fn a_loop_that_has_said_that_it_will_block() {
    unreported(async |_| {
        expected_block(|| thread::sleep(LIMIT * 16));
        // Also within each other, and where one of them panics.
        expected_block(|| {
            let caught = std::panic::catch_unwind(|| {
                expected_block(|| std::panic::resume_unwind(Box::new("meant")))
            });
            assert!(caught.is_err());
            thread::sleep(LIMIT * 16);
        });
    });
}

#[test]
fn what_comes_after_a_region_that_may_block_is_watched_again() {
    let reports = super::stuck_in(|enough| {
        expected_block(|| thread::sleep(LIMIT * 4));
        while !enough.is() {
            thread::sleep(Duration::from_millis(1));
        }
    });
    assert!(
        reports[0].elapsed < LIMIT * 4,
        "the region counts for nothing"
    );
}
