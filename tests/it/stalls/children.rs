//! What happens to whole processes: stopped, aborted, forked, opened by the environment.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Instant;

use tourbillon::signal::Signal;
use tourbillon::{Runtime, Watchdog, yield_now};

use super::super::support::{DEADLINE, this_test, until, well_in_child};
use super::{LIMIT, TELLS, block, block_until, listening};

/// Runs this test alone in a process of its own, with these variables; `None` in that process.
fn child_with(name: &str, variables: &[(&str, &str)]) -> Option<Output> {
    let mut command = this_test(name)?;
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    Some(command.output().unwrap())
}

/// Ends this process if the test hangs.
#[allow(unsafe_code)]
fn not_for_ever() {
    // SAFETY: it takes a number.
    unsafe { libc::alarm(DEADLINE.as_secs() as u32) };
}

#[test]
fn a_process_that_was_stopped_blames_nobody_and_notes_the_gap() {
    well_in_child(
        "stalls::children::a_process_that_was_stopped_blames_nobody_and_notes_the_gap",
        || {
            let (watchdog, reports) = listening();
            let watchdog = watchdog.threshold(LIMIT * 4);
            let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
            let watcher = rt.watcher().unwrap();
            let me = std::process::id().to_string();
            // Not before the watchdog has lain down for the first time.
            let script = "sleep 0.3; kill -STOP $0; sleep 1; kill -CONT $0";
            let mut stopper = Command::new("sh")
                .args(["-c", script, &me])
                .spawn()
                .unwrap();
            rt.block_on(async {
                let until = Instant::now() + DEADLINE;
                while watcher.recording().gaps.is_empty() && Instant::now() < until {
                    // In a poll for nearly all of its time, so that it is stopped in one.
                    thread::sleep(LIMIT / 2);
                    yield_now().await;
                }
                let after = Instant::now() + LIMIT * 8;
                while Instant::now() < after {
                    thread::sleep(LIMIT / 2);
                    yield_now().await;
                }
            });
            stopper.wait().unwrap();
            let gaps = watcher.recording().gaps;
            let longest = gaps.iter().map(|(from, to)| to - from).max();
            assert!(longest.is_some_and(|gap| gap > 700_000_000), "{gaps:?}");
            assert_eq!(rt.stalls(), 0);
            drop(rt);
            assert!(reports.lock().unwrap().is_empty());
        },
    );
}

#[test]
fn a_supervised_program_gives_up_and_says_so() {
    let name = "stalls::children::a_supervised_program_gives_up_and_says_so";
    let Some(output) = child_with(name, &[]) else {
        not_for_ever();
        let watchdog = Watchdog::new().threshold(LIMIT).abort_after(LIMIT * 6);
        let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
        rt.block_on(async { thread::sleep(DEADLINE) });
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
    // The report is there in full, though its names take a while; then the last words.
    assert!(text.contains("tourbillon: loop stuck for"), "{text}");
    if TELLS {
        let stuck = text.lines().find(|line| line.starts_with("  stuck in "));
        assert!(
            stuck.is_some_and(|line| line.contains("children.rs:")),
            "{text}"
        );
    }
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("tourbillon: loop stuck for ") && last.ends_with(" ms: aborting"));
}

#[test]
fn the_environment_opens_a_finished_program_and_gets_a_line_a_report() {
    let name = "stalls::children::\
                the_environment_opens_a_finished_program_and_gets_a_line_a_report";
    let Some(output) = child_with(name, &[("TOURBILLON_WATCHDOG", "50ms,json")]) else {
        not_for_ever();
        let mut rt = Runtime::new().unwrap();
        let watcher = rt.watcher().unwrap();
        rt.block_on(async { block(&watcher, 1) });
        assert_eq!(rt.stalls(), 1);
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let lines = text
        .lines()
        .filter(|line| line.starts_with("{\"tourbillon\":"));
    let values: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<_> = values
        .iter()
        .filter_map(|value| value["tourbillon"].as_str())
        .collect();
    assert_eq!(kinds.first(), Some(&"stall"), "{text}");
    assert_eq!(kinds.last(), Some(&"free"), "{text}");
    assert_eq!(values[0]["limit_ms"], 50);
    assert_eq!(values[0]["task"], 1);
    if TELLS {
        assert_eq!(values[0]["kind"], "sleep", "{text}");
        assert_eq!(values[0]["syscall"], "clock_nanosleep", "{text}");
        let stack = values[0]["stack"].as_array().unwrap();
        let yours = stack
            .iter()
            .find(|frame| frame["owner"] == "yours")
            .unwrap();
        let function = yours["function"].as_str().unwrap();
        assert!(!function.is_empty(), "{text}");
        assert_eq!(yours["file"], "tests/it/stalls.rs", "{text}");
    }
}

#[test]
fn what_is_held_back_is_counted_at_the_end() {
    let name = "stalls::children::what_is_held_back_is_counted_at_the_end";
    let Some(output) = child_with(name, &[]) else {
        not_for_ever();
        let watchdog = Watchdog::new().threshold(LIMIT).reports_per_minute(2);
        let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
        let watcher = rt.watcher().unwrap();
        rt.block_on(async {
            for nth in 1..=5 {
                block(&watcher, nth);
                yield_now().await;
            }
        });
        assert_eq!(rt.stalls(), 5);
        return;
    };
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches(" and counting ").count(), 2, "{text}");
    assert!(
        text.ends_with("tourbillon: 3 more stalls were not reported\n"),
        "{text}"
    );
}

/// Threads of this process with such a name.
fn threads_of_watchdogs() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("tourbillon-")).count()
}

#[test]
fn a_watchdog_goes_with_its_runtime() {
    well_in_child("stalls::children::a_watchdog_goes_with_its_runtime", || {
        if !cfg!(target_os = "linux") {
            println!("skipped: threads are counted by procfs");
            return;
        }
        let before = threads_of_watchdogs();
        for _ in 0..20 {
            let (first, _reports) = listening();
            let (second, _reports) = listening();
            let one = Runtime::builder().watchdog(first).build().unwrap();
            let other = Runtime::builder().watchdog(second).build().unwrap();
            until(|| threads_of_watchdogs() >= before + 4);
            drop((one, other));
        }
        // The one that reads the names at the start ends when it has.
        until(|| threads_of_watchdogs() == before);
    });
}

/// Forks; the child runs `body` and says by its status whether all it found was right.
#[allow(unsafe_code)]
fn fork(body: impl FnOnce()) -> bool {
    // SAFETY: the child runs this thread alone; what it calls takes no lock of another's.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let panicked = super::super::support::caught(body).is_err();
        // SAFETY: it takes a number, and runs nothing of this process on its way out.
        unsafe { libc::_exit(i32::from(panicked)) };
    }
    let mut status = 0;
    // SAFETY: one live int is passed.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    status == 0
}

#[test]
fn a_forked_child_has_no_watchdog_and_its_parent_keeps_its_own() {
    well_in_child(
        "stalls::children::a_forked_child_has_no_watchdog_and_its_parent_keeps_its_own",
        || {
            let (watchdog, reports) = listening();
            let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
            let watcher = rt.watcher().unwrap();
            rt.block_on(async { block(&watcher, 1) });
            let mut rt = Some(rt);
            let is_well = fork(|| {
                not_for_ever();
                // Neither waits for a thread that is not there, nor signals the parent's.
                drop(rt.take());
            });
            assert!(is_well);
            let mut rt = rt.unwrap();
            rt.block_on(async { block(&watcher, 2) });
            assert_eq!(rt.stalls(), 2);
            drop(watcher);
            drop(rt);
            assert!(reports.lock().unwrap().len() >= 4);
        },
    );
}

#[test]
fn another_signal_may_be_asked_for() {
    well_in_child("stalls::children::another_signal_may_be_asked_for", || {
        let (watchdog, reports) = listening();
        let watchdog = watchdog.signal(Signal::User2.number());
        let mut rt = Runtime::builder().watchdog(watchdog).build().unwrap();
        let has_stack = || {
            let reports = reports.lock().unwrap();
            let mut stacks = reports.iter().map(|report| &report.stall.stack);
            stacks.any(|stack| !TELLS || !stack.is_empty())
        };
        // The handler may be late on a busy machine: the next look has it.
        rt.block_on(async { block_until(has_stack) });
        drop(rt);
    });
}
