//! The chapters on what blocks, who works instead, and how one looks at it; and any chapter with
//! `--watch`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Output, numbers};
use crate::support::{DEADLINE, built, lines_of, page};

/// Where the watchdog can name functions.
const NAMES: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64",
    feature = "symbols"
));

pub(super) fn blocked(output: &Output) {
    // The harm is the same: nobody is on time for the beat that was due meanwhile.
    assert!(output.count("latest beat ") >= 500.0, "{}", output.text);
    assert!(output.count("stalls ") >= 1.0, "{}", output.text);
    output.in_order(&[
        "beat 3 at",
        "beat 4 at",
        "loop stuck for",
        "loop free again after",
    ]);
    assert!(
        output
            .line("\"greedy\"")
            .contains("spawned at examples/10_blocked.rs:")
    );
    if !NAMES {
        return;
    }
    let ways = [
        ("on CPU", "computes"),
        ("ready but not running", "computes"),
        ("asleep on purpose", "sleeps"),
        ("waiting for a lock", "waits_for_a_lock"),
        ("file I/O", "reads_a_slow_file"),
    ];
    let (_, state) = output.line("  state ").split_once("state    ").unwrap();
    let (_, function) = ways
        .iter()
        .find(|(verdict, _)| state.starts_with(verdict))
        .unwrap();
    assert!(
        output
            .line(&format!("{function} "))
            .contains("examples/10_blocked.rs:")
    );
}

pub(super) fn offloaded(output: &Output) {
    output.in_order(&[
        "the loop is on ThreadId(1)",
        "hands the work in, on ThreadId(1)",
        "work: begins, on ThreadId(",
        "beat ",
        "work: ends",
        "goes on after",
        "a completion of a job on ThreadId(",
        "on ThreadId(1), with an Rc",
    ]);
    let line = output.line("work: begins");
    assert!(
        line.contains("tourbillon-") && !line.contains("ThreadId(1)"),
        "{line}"
    );
    assert!(numbers(output.line("goes on after"))[0] >= 700.0);
    assert_eq!(output.count("jobs "), 2.0);
}

pub(super) fn pool_is_a_queue(output: &Output) {
    let rows = output
        .lines()
        .into_iter()
        .skip_while(|line| !line.contains("first waited"));
    for (row, workers) in rows.skip(1).zip([1.0, 2.0, 4.0, 8.0]) {
        let [many, _, waited, all, _] = numbers(row)[..] else {
            panic!("{row:?} has not five numbers");
        };
        assert_eq!(many, workers);
        let waves = 8.0 / workers;
        assert!(
            waited >= (waves - 1.0) * 60.0 && all >= waves * 60.0,
            "{row}"
        );
    }
    // Two run and two wait; when a worker begins, there is room again.
    let (done, refused) = (output.count("done "), output.count("refused "));
    assert!(
        done >= 2.0 && refused >= 1.0 && done + refused == 8.0,
        "{}",
        output.text
    );
    output.in_order(&[
        "B. ",
        "job 1: waited",
        "refused: the blocking pool's queue is full",
    ]);
}

pub(super) fn life_of_a_server(output: &Output) {
    output.in_order(&[
        "Started server process",
        "startup: opens",
        "tourbillon running on http://127.0.0.1:",
        "/slow waits: true",
        "/never waits: true",
        "somebody says stop",
        "1. no new connections",
        "2. idle connections end",
        "3. waiting for 2 connections",
        "4. graceful_timeout has passed, 1 connections are cut off",
        "GET /never for ",
        "tourbillon dump: ",
        "5. waiting for application shutdown",
        "shutdown: closes",
        "6. Finished server process",
    ]);
    output.in_order(&["/quick  at once", "/slow   in time", "/never  no answer"]);
    output.in_order(&["left over: tasks 0, jobs 0"]);
}

pub(super) fn the_dial(output: &Output) {
    // It answers while the loop is stuck: that is what it is for.
    assert!(asked(output).len() >= 4, "{}", output.text);
    assert!(output.count("stalls ") >= 1.0, "{}", output.text);
    let named = output
        .lines()
        .into_iter()
        .filter(|line| line.contains(": stuck in"));
    for line in named {
        assert!(!NAMES || line.contains("hold_the_loop"), "{line}");
    }
}

pub(super) fn same_loop(output: &Output) {
    let asked = asked(output);
    // The first one waits for the end of the block, but for a start that was slow.
    let longest = asked.iter().map(|took| took.1).fold(0.0, f64::max);
    assert!(longest >= 300.0, "{}", output.text);
}

/// When the page was asked, and how long it took.
fn asked(output: &Output) -> Vec<(f64, f64)> {
    let lines = output
        .lines()
        .into_iter()
        .filter(|line| line.contains("asked at"));
    lines
        .map(|line| (numbers(line)[0], numbers(line)[1]))
        .collect()
}

/// Turn by turn, as a student would: each step is one turn, and what it runs is what it prints.
#[test]
fn a_chapter_can_be_watched_turn_by_turn() {
    let mut child = Command::new(built("02_first_turn"))
        .arg("--watch")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    let next = || lines.recv_timeout(DEADLINE).unwrap();
    let until = |part: &str| {
        let mut line = next();
        while !line.contains(part) {
            line = next();
        }
        line
    };
    let address = page::address(&until("Watch it at")).unwrap();
    assert_eq!(until("turn 1"), "turn 1");
    let frame = wait_for(address, "\"state\":\"paused\"");
    assert!(frame.contains("\"turn\":0"), "{frame}");
    assert!(
        frame.contains("examples/02_first_turn.rs") && frame.contains("fn again("),
        "{frame}"
    );
    assert!(lines.try_recv().is_err(), "nothing runs while it is held");

    page::post(address, "/gate?do=step");
    assert_eq!(next(), "  one begins");
    assert_eq!(until("turn 2"), "turn 2");
    let frame = wait_for(address, "\"turn\":1,");
    assert!(frame.contains("\"state\":\"paused\""), "{frame}");
    assert!(lines.try_recv().is_err(), "one step is one turn");

    page::post(address, "/gate?do=go");
    until("Notice: ");
    until("until Enter or Ctrl-C");
    page::get(address, "/healthz");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[track_caller]
fn wait_for(address: std::net::SocketAddr, part: &str) -> String {
    let until = Instant::now() + DEADLINE;
    loop {
        let frame = page::get(address, "/snapshot.json");
        if frame.contains(part) {
            return frame;
        }
        assert!(Instant::now() < until, "never {part}: {frame}");
        thread::sleep(Duration::from_millis(5));
    }
}
