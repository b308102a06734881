//! How a stall goes: when it is told, how long it was, whose it is, how many there were.

use std::hint::black_box;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::watch::{EventKind, Level};
use tourbillon::{
    Runtime, Stage, StallReport, Watchdog, assert_no_stall, call_soon, sleep, spawn, yield_now,
};

use super::super::support::{caught, text_of, until};
use super::{Enough, LIMIT, TELLS, block, listening, stuck_in, stuck_on};

fn nap_until(enough: &Enough) {
    while !enough.is() {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn one_that_does_not_end_is_told_at_once_twice_and_four_times_the_limit() {
    let reports = stuck_on(Runtime::builder(), 4, |enough| nap_until(&enough));
    for (at, report) in reports[..4].iter().enumerate() {
        assert!(report.elapsed >= LIMIT * (1 << at), "{report}");
        // On a busy machine a sample may fail.
        let (looks, samples) = (at as u32 + 1, report.stall.same.1);
        assert!(samples <= looks, "{report}");
        assert!(!TELLS || samples > 0 || looks < 4, "{report}");
        assert_eq!(report.stall.took, None);
        assert_eq!(report.limit, LIMIT);
    }
    let whole = &reports.last().unwrap().stall.report;
    assert!(whole.starts_with("tourbillon: loop stuck for "), "{whole}");
    assert!(
        whole.contains("\ntourbillon: loop free again after "),
        "{whole}"
    );
}

/// What was reported last of a loop that slept for so long, and for how long that really was.
fn slept(builder: tourbillon::Builder, nap: Duration) -> (StallReport, Duration) {
    let (watchdog, reports) = listening();
    let mut rt = builder.watchdog(watchdog).build().unwrap();
    let really = rt.block_on(async {
        // In the same turn, and not part of it.
        call_soon(|| thread::sleep(LIMIT / 4));
        call_soon(|| thread::sleep(LIMIT / 4));
        let task = spawn(async move {
            let began = Instant::now();
            thread::sleep(nap);
            began.elapsed()
        });
        task.await.unwrap()
    });
    drop(rt);
    let reports = reports.lock().unwrap();
    let last = reports.iter().rfind(|report| report.stage == Stage::Over);
    (last.expect("it was told").clone(), really)
}

#[test]
fn the_end_is_told_with_its_length() {
    let (report, really) = slept(Runtime::builder(), LIMIT * 6);
    // It was first seen a nap after it began, or later where the machine is busy.
    assert!(report.elapsed + LIMIT > really, "{report} {really:?}");
    assert!(report.elapsed < really + LIMIT, "{report} {really:?}");
    assert_eq!(report.stall.took, Some(report.elapsed.as_nanos() as u64));
}

#[test]
fn with_a_recorder_the_length_is_exact_and_in_the_recording() {
    let (watchdog, _reports) = listening();
    let builder = Runtime::builder().record(Level::Lean);
    let (report, really) = slept(builder.clone(), LIMIT * 6);
    assert!(report.elapsed >= really, "{report} {really:?}");
    let mut rt = builder.watchdog(watchdog).build().unwrap();
    let watcher = rt.watcher().unwrap();
    rt.block_on(async { block(&watcher, 1) });
    until(|| {
        watcher
            .recording()
            .stalls
            .iter()
            .any(|stall| stall.took.is_some())
    });
    let recording = watcher.recording();
    let ends = recording
        .events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::StallEnd { took, .. } => Some(took),
            _ => None,
        });
    let ends: Vec<u64> = ends.collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(recording.stalls[0].took, Some(ends[0]));
}

#[test]
fn stalls_in_a_row_are_all_counted_and_told() {
    let (watchdog, reports) = listening();
    let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
    let watcher = rt.watcher().unwrap();
    rt.block_on(async {
        for nth in 1..=5 {
            // The names take longer than this.
            block(&watcher, nth);
            yield_now().await;
        }
    });
    assert_eq!(rt.stalls(), 5);
    drop(rt);
    let reports = reports.lock().unwrap();
    let ids = |stage| {
        let of = reports.iter().filter(move |report| report.stage == stage);
        of.map(|report| report.stall.id).collect::<Vec<u32>>()
    };
    assert_eq!(ids(Stage::Began), [1, 2, 3, 4, 5]);
    assert_eq!(ids(Stage::Over), [1, 2, 3, 4, 5]);
}

#[test]
fn a_callback_is_blamed_by_where_it_was_handed_in() {
    let (watchdog, reports) = listening();
    let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
    let watcher = rt.watcher().unwrap();
    rt.block_on(async {
        call_soon(move || block(&watcher, 1));
        sleep(Duration::from_millis(1)).await;
    });
    drop(rt);
    let reports = reports.lock().unwrap();
    let first = &reports[0];
    assert_eq!(first.stall.task, 0);
    assert!(
        first.stall.place.starts_with("tests/it/stalls/course.rs:"),
        "{first}"
    );
    assert!(
        first.to_string().contains("  task     a callback "),
        "{first}"
    );
}

#[test]
fn two_loops_are_watched_apart() {
    let other = thread::spawn(|| stuck_in(|enough| nap_until(&enough)));
    let (watchdog, reports) = listening();
    let mut rt = Runtime::builder()
        .watchdog(watchdog.threshold(LIMIT * 8))
        .build()
        .unwrap();
    rt.block_on(async { sleep(LIMIT * 4).await });
    let theirs = other.join().unwrap();
    assert!(theirs.len() >= 3);
    assert_eq!(rt.stalls(), 0);
    drop(rt);
    assert!(reports.lock().unwrap().is_empty());
}

#[test]
fn an_ear_that_is_slow_hears_of_all_and_the_runtime_waits_for_it() {
    let (watchdog, reports) = listening();
    let its_reports = std::sync::Arc::clone(&reports);
    let watchdog = watchdog.on_stall(move |report| {
        thread::sleep(LIMIT * 4);
        its_reports.lock().unwrap().push(report.clone());
    });
    let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
    let watcher = rt.watcher().unwrap();
    rt.block_on(async {
        for nth in 1..=3 {
            block(&watcher, nth);
            yield_now().await;
        }
    });
    assert_eq!(rt.stalls(), 3);
    drop(rt);
    let over = |report: &&StallReport| report.stage == Stage::Over;
    assert_eq!(reports.lock().unwrap().iter().filter(over).count(), 3);
}

#[test]
fn a_runtime_that_panicked_out_of_block_on_is_watched_on() {
    let (watchdog, reports) = listening();
    let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
    let panicked = caught(AssertUnwindSafe(|| {
        rt.block_on(async { std::panic::resume_unwind(Box::new("meant")) });
    }));
    assert!(panicked.is_err());
    thread::sleep(LIMIT * 4);
    assert_eq!(rt.stalls(), 0, "it is not being turned");
    let watcher = rt.watcher().unwrap();
    rt.block_on(async { block(&watcher, 1) });
    assert_eq!(rt.stalls(), 1);
    drop(rt);
    assert_eq!(reports.lock().unwrap()[0].stall.task, 1, "main");
}

#[inline(never)]
fn far_too_long() {
    thread::sleep(LIMIT * 10);
    black_box(());
}

#[test]
fn what_must_not_block_fails_with_who_did() {
    let blocked = caught(|| assert_no_stall(LIMIT, async { far_too_long() }));
    let payload = blocked.unwrap_err();
    let text = text_of(&*payload);
    assert!(
        text.starts_with("the loop was held for longer than 50ms, 1 times"),
        "{text}"
    );
    assert!(text.contains("loop free again after"), "{text}");
    if TELLS {
        let stuck = text.lines().find(|line| line.starts_with("  stuck in "));
        assert!(
            stuck.is_some_and(|line| line.contains("far_too_long ")),
            "{text}"
        );
    }
}

#[test]
fn what_does_not_block_passes_and_its_value_comes_back() {
    let answer = assert_no_stall(LIMIT * 8, async {
        sleep(LIMIT * 9).await;
        yield_now().await;
        42
    });
    assert_eq!(answer, 42);
    let panicked = caught(|| {
        assert_no_stall(LIMIT, async {
            std::panic::resume_unwind(Box::new("its own"))
        })
    });
    assert_eq!(text_of(&*panicked.unwrap_err()), "its own");
}

#[test]
fn without_stacks_there_still_is_a_verdict() {
    let (watchdog, reports) = listening();
    let watchdog: Watchdog = watchdog.samples(0);
    let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
    let watcher = rt.watcher().unwrap();
    rt.block_on(async { block(&watcher, 1) });
    drop(rt);
    let reports = reports.lock().unwrap();
    let text = reports[0].to_string();
    assert!(
        text.contains("  stack    none: no stacks: none were asked for\n"),
        "{text}"
    );
    if TELLS {
        assert!(
            text.contains("  state    asleep on purpose (clock_nanosleep)"),
            "{text}"
        );
    }
}
