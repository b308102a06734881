//! Loops that are really stuck. The ways to block are in `tests/it/stalls/ways.rs`, as a program
//! sees them; here is what only the room itself can show.

use std::hint::black_box;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::watch::{Owner, Verdict};
use crate::watchdog::report::{Stage, StallReport};
use crate::watchdog::{Watchdog, Watching};
use crate::{Runtime, sleep};

const DEADLINE: Duration = Duration::from_secs(60);
/// Where the unwinder is known to work, and the system tells what a thread does.
const TELLS: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64"
));

/// Told when the watchdog has reported a stall for the second time.
#[derive(Clone, Default)]
struct Enough(Arc<AtomicBool>);

impl Enough {
    fn is(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Calls `work` on another thread when it is enough.
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

/// Has a loop do `work`, which goes on until it was reported; returns what was reported.
fn stuck_in(work: impl FnOnce(&Enough)) -> Vec<StallReport> {
    let enough = Enough::default();
    let (its_enough, (told, reports)) = (enough.clone(), mpsc::channel());
    let config = Watchdog::new()
        .threshold(Duration::from_millis(40))
        .say_to(|_| ())
        .on_stall(move |report| {
            told.send(report.clone()).unwrap();
            if report.stage == Stage::Lasts {
                its_enough.0.store(true, Ordering::SeqCst);
            }
        });
    let mut rt = Runtime::builder().watch(true).build().unwrap();
    let board = Arc::clone(rt.watcher().unwrap().board());
    let watching = Watching::start(&config, board).unwrap();
    if TELLS {
        assert!(
            watching
                .armed()
                .starts_with("watchdog armed: 40 ms, stacks by unwinder")
        );
    }
    rt.block_on(async {
        work(&enough);
        // Until it is seen that the loop is free.
        let until = Instant::now() + DEADLINE;
        while watching.findings().copy().current.is_some() && Instant::now() < until {
            sleep(Duration::from_millis(5)).await;
        }
    });
    drop((watching, config));
    let reports: Vec<StallReport> = reports.into_iter().collect();
    let stages: Vec<Stage> = reports.iter().map(|report| report.stage).collect();
    assert!(
        stages.starts_with(&[Stage::Began, Stage::Lasts]),
        "{stages:?}"
    );
    assert_eq!(stages.last(), Some(&Stage::Over), "{stages:?}");
    reports
}

/// Asserts that all who looked have seen the function, and have judged it as that.
#[track_caller]
fn assert_named(reports: &[StallReport], function: &str, verdict: Verdict) {
    for report in reports.iter().filter(|_| TELLS) {
        let names = || {
            report
                .stall
                .stack
                .iter()
                .map(|frame| frame.function.as_str())
        };
        let text = format!("{report}\n{:#?}", report.stall.stack);
        assert!(
            names().any(|name| name.ends_with(function)),
            "{function} in {text}"
        );
        assert_eq!(report.stall.verdict, verdict, "{text}");
        assert_eq!((report.stall.task, report.stall.poll), (1, 1), "{text}");
        let trampoline = names().any(|name| name.contains("on_sample"));
        assert!(!trampoline, "the handler's own frames are left out: {text}");
    }
}

#[inline(never)]
fn by_computing(enough: &Enough) {
    let mut sum = 0_u64;
    while !enough.is() {
        for number in 0..10_000_u64 {
            sum = black_box(sum ^ number);
        }
    }
    black_box(sum);
}

#[inline(never)]
fn by_sleeping(enough: &Enough) {
    while !enough.is() {
        thread::sleep(Duration::from_millis(250));
    }
    black_box(());
}

#[inline(never)]
fn by_reading(mut from: impl Read) -> usize {
    let mut bytes = [0; 8];
    black_box(from.read(&mut bytes).unwrap())
}

#[test]
fn a_loop_that_reads_a_pipe_is_named() {
    let reports = stuck_in(|enough| {
        let (reader, writer) = std::io::pipe().unwrap();
        enough.then(move || drop(writer));
        assert_eq!(by_reading(reader), 0);
    });
    assert_named(&reports, "by_reading", Verdict::File);
}

#[test]
fn two_loops_are_watched_apart() {
    let other = thread::spawn(|| stuck_in(by_sleeping));
    let reports = stuck_in(by_computing);
    for report in &reports {
        let names = report.stall.stack.iter().map(|frame| &frame.function);
        assert!(!names.into_iter().any(|name| name.ends_with("by_sleeping")));
    }
    assert_named(&other.join().unwrap(), "by_sleeping", Verdict::Sleep);
    let is_starved = |report: &&StallReport| {
        // With so many tests at once, a thread may get less than half a processor.
        let share = report.cpu.unwrap_or_default().as_secs_f64() / report.elapsed.as_secs_f64();
        report.stall.verdict == Verdict::Starved && share < 0.5
    };
    let reports: Vec<_> = reports.iter().filter(|r| !is_starved(r)).cloned().collect();
    assert_named(&reports, "by_computing", Verdict::Cpu);
}

const STRIPPED: &str = "TOURBILLON_TEST_STRIPPED";

/// Runs itself again, without its names.
#[test]
fn a_stripped_program_tells_where_by_offsets() {
    if std::env::var_os(STRIPPED).is_some() {
        for report in stuck_in(by_sleeping) {
            println!("{report}");
            let unknown = report.stall.stack.iter();
            let unknown = unknown.filter(|frame| frame.owner == Owner::Unknown);
            unknown.for_each(|frame| println!("unknown: {}", frame.function));
        }
        return;
    }
    let name = format!("tourbillon-stripped-{}", std::process::id());
    let copy = std::env::temp_dir().join(name);
    let own = std::env::current_exe().unwrap();
    let strip = Command::new("strip").arg("-o").arg(&copy).arg(own).status();
    if !TELLS || !strip.is_ok_and(|status| status.success()) {
        println!("skipped: a stripped program: needs strip and glibc");
        return;
    }
    let test = "watchdog::tests::stuck::a_stripped_program_tells_where_by_offsets";
    let output = Command::new(&copy)
        .args(["--exact", "--nocapture", test])
        .env(STRIPPED, "1")
        .stdin(Stdio::null())
        .output();
    std::fs::remove_file(&copy).unwrap();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("unknown: tourbillon-stripped-"), "{text}");
    assert!(text.contains("+0x"), "{text}");
}
