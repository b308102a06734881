//! Loops that are stuck, and loops that are not, as a program is told of them.
//!
//! Each runs on a real runtime with a real watchdog. What a debugger changes is not tested here: a
//! process that traces another needs rights that test machines withhold.

mod ways;
mod silence;
mod course;
mod children;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{Builder, Runtime, Stage, StallReport, Watchdog, Watcher, sleep};

use super::support::DEADLINE;

/// Where the unwinder is known to work, and the system tells what a thread does.
const TELLS: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64",
    feature = "symbols"
));

const LIMIT: Duration = Duration::from_millis(50);

/// Says when a stall has been seen often enough to end it.
#[derive(Clone, Default)]
struct Enough(Arc<AtomicBool>);

impl Enough {
    fn is(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Calls `work` on another thread once it is enough.
    fn then(&self, work: impl FnOnce() + Send + 'static) {
        let enough = self.clone();
        let until = Instant::now() + DEADLINE;
        thread::spawn(move || {
            while !enough.is() && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            work();
        });
    }
}

/// A watchdog that writes nothing and keeps what it tells.
fn listening() -> (Watchdog, Arc<Mutex<Vec<StallReport>>>) {
    let reports: Arc<Mutex<Vec<StallReport>>> = Arc::default();
    let its_reports = Arc::clone(&reports);
    let watchdog = Watchdog::new()
        .threshold(LIMIT)
        .reports_per_minute(0)
        .on_stall(move |report| its_reports.lock().unwrap().push(report.clone()));
    (watchdog, reports)
}

/// Sleeps on the loop's thread until the watchdog has counted so many stalls. On a machine that is
/// busy it may look late, and then it blames nobody for that time.
fn block(watcher: &Watcher, stalls: u64) {
    block_until(|| watcher.stalls() >= stalls);
}

fn block_until(is_enough: impl Fn() -> bool) {
    let began = Instant::now();
    thread::sleep(LIMIT * 3);
    while !is_enough() {
        assert!(began.elapsed() < DEADLINE, "the watchdog has not seen it");
        thread::sleep(LIMIT * 3);
    }
}

/// Has a task named "guilty" do `work` on a loop, until it was reported for the `looks`th time;
/// returns all that was reported of it.
fn stuck_on(
    builder: Builder,
    looks: usize,
    work: impl FnOnce(Enough) + 'static,
) -> Vec<StallReport> {
    let enough = Enough::default();
    let (its_enough, (told, reports)) = (enough.clone(), mpsc::channel());
    let seen = Mutex::new(0);
    let watchdog = Watchdog::new()
        .threshold(LIMIT)
        .reports_per_minute(0)
        .on_stall(move |report| {
            let _ = told.send(report.clone());
            *seen.lock().unwrap() += 1;
            if *seen.lock().unwrap() == looks {
                its_enough.set();
            }
        });
    let mut rt = builder.watchdog(watchdog).build().unwrap();
    rt.block_on(async {
        tourbillon::spawn_named("guilty", async move { work(enough) })
            .await
            .unwrap();
        sleep(Duration::from_millis(1)).await;
    });
    assert_eq!(rt.stalls(), 1);
    drop(rt);
    let reports: Vec<StallReport> = reports.into_iter().collect();
    let stages: Vec<Stage> = reports.iter().map(|report| report.stage).collect();
    assert_eq!(stages.first(), Some(&Stage::Began), "{stages:?}");
    assert_eq!(stages.last(), Some(&Stage::Over), "{stages:?}");
    let between = &stages[1..stages.len() - 1];
    assert!(between.len() + 1 >= looks && between.iter().all(|stage| *stage == Stage::Lasts));
    reports
}

fn stuck_in(work: impl FnOnce(Enough) + 'static) -> Vec<StallReport> {
    stuck_on(Runtime::builder(), 2, work)
}
