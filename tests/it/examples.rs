//! The examples do what their chapters say: each is run, and what it prints is judged.
//!
//! A loaded machine is slow, never fast: times are held against lower bounds only, and what is
//! asserted beyond them is order and counts.

mod embedding;
mod watching;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{built, examples};
use embedding::{embedding, host_loop, inside_tokio, loop_per_core, two_loops};
use watching::{blocked, life_of_a_server, offloaded, pool_is_a_queue, same_loop, the_dial};

const DEADLINE: Duration = Duration::from_secs(20);

/// What an example printed, checked.
type Judge = fn(&Output);

/// Every chapter: its name, its arguments, and what must be seen.
const CHAPTERS: [(&str, &[&str], Judge); 23] = [
    ("01_thirty_lines", &[], thirty_lines),
    ("02_first_turn", &[], first_turn),
    ("03_timers", &[], timers),
    ("04_asleep_in_the_os", &[], asleep_in_the_os),
    ("05_wake_me", &[], wake_me),
    ("05_wake_me", &["--forget-wake"], forget_wake),
    ("06_two_tasks", &[], two_tasks),
    ("07_echo", &[], echo),
    ("08_pool_full", &[], pool_full),
    ("09_embedding", &[], embedding),
    ("10_blocked", &[], blocked),
    ("10_blocked", &["--how", "sleep"], blocked),
    ("10_blocked", &["--how", "lock"], blocked),
    ("10_blocked", &["--how", "file"], blocked),
    ("11_offloaded", &[], offloaded),
    ("12_pool_is_a_queue", &[], pool_is_a_queue),
    ("13_life_of_a_server", &[], life_of_a_server),
    ("14_the_dial", &[], the_dial),
    ("14_the_dial", &["--same-loop"], same_loop),
    ("15_two_loops", &[], two_loops),
    ("16_loop_per_core", &[], loop_per_core),
    ("17_host_loop", &[], host_loop),
    ("18_inside_tokio", &[], inside_tokio),
];

#[test]
fn every_chapter_runs_and_shows_its_idea() {
    let judged: BTreeSet<&str> = CHAPTERS.iter().map(|(name, ..)| *name).collect();
    let written = chapters();
    assert!(written.iter().map(String::as_str).eq(judged), "{written:?}");
    for (name, args, judge) in CHAPTERS {
        let output = run(name, args);
        let number = name.split('_').next().unwrap().trim_start_matches('0');
        let title = format!("Chapter {number}. ");
        assert!(output.text.starts_with(&title), "{name}: {}", output.text);
        assert!(source(name).contains(&output.lines()[0][title.len()..]));
        output.in_order(&["Notice: "]);
        if number != "1" {
            output.in_order(&["turns ", "Notice: "]);
        }
        judge(&output);
    }
}

#[test]
fn every_chapter_has_its_head_and_its_place_in_the_book() {
    let book = fs::read_to_string(examples().join("README.md")).unwrap();
    for name in chapters() {
        let text = source(&name);
        let number = name.split('_').next().unwrap().trim_start_matches('0');
        let head: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let starts = [
            &format!("//! Chapter {number}. "),
            "//!",
            &format!("//! Run:    cargo run --example {name}"),
            "//! Shows:  ",
            "//! Next:   ",
        ];
        assert_eq!(head.len(), starts.len(), "{name}: its head is {head:?}");
        for (line, start) in head.iter().zip(starts) {
            assert!(line.starts_with(start), "{name}: {line:?} is no {start:?}");
        }
        let question = head[0].trim_start_matches("//! Chapter ");
        assert!(question.ends_with('?'), "{name}: {question:?} asks nothing");
        assert!(
            book.contains(&format!("## {question}")),
            "no section {question:?}"
        );
        assert!(book.contains(&format!("`{name}`")), "no row for {name}");
        let lines = text.lines().count();
        // Five of them open the page of the loop, as in every chapter.
        assert!(lines <= 130, "{name}: {lines} lines are no page");
    }
    let code = source("01_thirty_lines");
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = code.lines().filter(is_code).count();
    assert!(lines <= 30, "chapter 1 has {lines} lines of code");
    assert!(
        !code.contains("tourbillon"),
        "chapter 1 stands without the crate"
    );
}

fn thirty_lines(output: &Output) {
    output.in_order(&[
        "turn 1: 2 wait",
        "one begins",
        "one ends",
        "two",
        "turn 2: 1 wait",
        "three",
    ]);
    output.is_one_thread();
}

/// Where writing is slow, a turn ends early and leaves the rest to the next one: so it is not said
/// here in which turn a line comes, but that a turn begins in between.
fn first_turn(output: &Output) {
    output.in_order(&["turn 1", "one begins", "one ends", "two", "again, 3"]);
    output.in_order(&["one ends", "turn ", "three"]);
    output.in_order(&["again, 3", "turn ", "again, 2", "turn ", "again, 1"]);
    assert!(output.count("turns ") >= 3.0, "{}", output.text);
}

fn timers(output: &Output) {
    output.in_order(&[
        "A. ",
        "d: asked   0",
        "a: asked  10",
        "b: asked  50",
        "c: asked  50",
    ]);
    output.in_order(&[
        "B. ",
        "busy: begins",
        "busy: ends",
        "d: ",
        "a: ",
        "b: ",
        "c: ",
        "C. ",
    ]);
    output.in_order(&["C. ", "cancelled in time: true"]);
    let mut fired = Vec::new();
    for line in output
        .lines()
        .iter()
        .filter(|line| line.contains("fired ") && line.contains("ask"))
    {
        let [asked, real, late] = numbers(line)[..] else {
            panic!("{line:?} has not three numbers");
        };
        assert!(real >= asked && late >= 0.0, "{line:?} is early");
        fired.push(real);
    }
    assert_eq!(fired.len(), 8, "a cancelled timer never fires");
    let busy = &fired[4..];
    assert!(
        busy.iter().all(|&real| real >= 120.0),
        "{busy:?} fired in the midst of a callback"
    );
    assert_eq!(output.count("timers fired "), 9.0);
}

fn asleep_in_the_os(output: &Output) {
    let [bytes, asked, time, _, share] = numbers(output.line("event loop"))[..] else {
        panic!("{}", output.text);
    };
    assert_eq!(bytes, 8.0);
    // Its clock may start a moment after the peer's.
    assert!(asked < 100.0 && time >= 600.0, "{}", output.text);
    assert!(share < 20.0, "asleep, at {share} % of a CPU");
    assert!(output.count("turns ") < 100.0, "{}", output.text);
    let [bytes, asked_busy, _, _, share_busy] = numbers(output.line("busy twin"))[..] else {
        panic!("{}", output.text);
    };
    assert_eq!(bytes, 8.0);
    // All of a CPU if it is free; on a crowded machine, what it can get of one.
    assert!(asked_busy > 100.0 * asked, "{}", output.text);
    assert!(
        share_busy > 10.0 * share.max(0.2),
        "busy, at {share_busy} % of a CPU"
    );
}

fn wake_me(output: &Output) {
    let story = [
        "poll 1: not yet",
        "rings",
        "wake: ",
        "turn ",
        "poll 2: it has rung",
    ];
    output.in_order(&[&["A. "][..], &story, &["B. "], &story].concat());
    assert_eq!(
        output.text.matches("\n  poll ").count(),
        4,
        "{}",
        output.text
    );
    output.in_order(&[
        "A. ",
        "rings, on ThreadId(1)",
        "B. ",
        "rings, on ThreadId(2)",
    ]);
    assert_eq!(output.count("tasks alive "), 0.0);
}

fn forget_wake(output: &Output) {
    output.in_order(&[
        "poll 1: not yet",
        "rings",
        "gave up",
        "lives on",
        "tasks alive 1",
    ]);
    assert!(!output.text.contains("poll 2"), "{}", output.text);
}

fn two_tasks(output: &Output) {
    for step in 1..=3 {
        for name in ["tick", "tock"] {
            // Not which turn: see `first_turn`.
            output.in_order(&["turn ", &format!("{name} {step}"), "turn "]);
        }
        output.in_order(&[&format!("tick {step}"), &format!("tock {step}")]);
    }
    output.in_order(&[
        "B. ",
        "tea ",
        "tea    done",
        "toast  begins",
        "toast  done",
        "C. ",
    ]);
    output.in_order(&["C. ", "tea ", "toast  begins", "tea    done", "toast  done"]);
    let took = |part: &str| {
        let rest = output.text.split(part).nth(1).unwrap();
        numbers(rest.lines().find(|line| line.ends_with("in all")).unwrap())[0]
    };
    assert!(
        took("B. ") >= 400.0 && took("C. ") >= 200.0,
        "{}",
        output.text
    );
    output.is_one_thread();
}

fn echo(output: &Output) {
    for number in 1..=3 {
        let conn = format!("conn {number}  ");
        let story: Vec<&str> = output.lines();
        let story: Vec<&str> = story
            .iter()
            .filter_map(|line| line.strip_prefix(&conn))
            .collect();
        let story = story.join("\n");
        assert!(story.starts_with("accepted"), "{story}");
        let parts = [
            "read 5 bytes",
            "wrote 5 bytes",
            "is readable",
            "read 8 bytes",
        ];
        in_order(&story, &parts);
        in_order(&story, &["wrote 8 bytes", "read 0 bytes", "closed"]);
    }
    assert_eq!(output.count("workers "), 0.0);
    assert_eq!(output.count("tasks "), 3.0);
}

fn pool_full(output: &Output) {
    output.in_order(&[
        "cancel job 8, which waits: true",
        "cancel job 1, which runs:  false",
    ]);
    let table = output.text.split("ran on\n").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().take(8).collect();
    for (row, number) in rows.iter().zip(1..) {
        assert!(
            row.contains(" main "),
            "the completion of {row:?} left its thread"
        );
        if number == 8 {
            assert!(row.contains("aborted"), "{row:?} was cancelled");
            continue;
        }
        let [job, _, waited, ..] = numbers(row)[..] else {
            panic!("{row:?} has not three numbers");
        };
        assert_eq!(job, f64::from(number));
        assert!(
            row.contains("tourbillon-"),
            "{row:?} did not run on a worker"
        );
        // Two waves: the fifth job waits for one of the first four.
        assert!(
            number <= 4 || waited >= 150.0,
            "{row:?} ran on a fifth worker"
        );
    }
    output.in_order(&["awaited:", "ran on tourbillon-", "awaited on main"]);
    assert!(output.count("workers ") <= 4.0, "{}", output.text);
    assert_eq!(output.count("jobs "), 9.0);
}

/// What an example printed.
struct Output {
    text: String,
}

impl Output {
    fn lines(&self) -> Vec<&str> {
        self.text.lines().collect()
    }

    #[track_caller]
    fn line(&self, part: &str) -> &str {
        let line = self.text.lines().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("no {part:?} in:\n{}", self.text))
    }

    /// Asserts that the parts are found one behind the other.
    #[track_caller]
    fn in_order(&self, parts: &[&str]) {
        in_order(&self.text, parts);
    }

    /// The number behind a word of the line of figures.
    #[track_caller]
    fn count(&self, word: &str) -> f64 {
        let figures = self.text.lines().find(|line| line.starts_with("turns "));
        let figures = figures.unwrap_or_else(|| panic!("no figures in:\n{}", self.text));
        let start = figures
            .find(word)
            .unwrap_or_else(|| panic!("no {word:?} in {figures:?}"));
        numbers(&figures[start..])[0]
    }

    #[track_caller]
    fn is_one_thread(&self) {
        let ids = self
            .text
            .match_indices("ThreadId(")
            .map(|(at, _)| &self.text[at..at + 11]);
        let ids: BTreeSet<&str> = ids.collect();
        assert_eq!(ids.len(), 1, "{}", self.text);
    }
}

#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else {
            panic!("{part:?} of {parts:?} is not there, or too early, in:\n{text}");
        };
        rest = &rest[at + part.len()..];
    }
}

/// All numbers that stand alone: `fired 1.2 ms` has one, `tourbillon-1` has none.
fn numbers(line: &str) -> Vec<f64> {
    let words = line.split([' ', ',', ':']);
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Runs an example to its end, which must be a good one.
fn run(name: &str, args: &[&str]) -> Output {
    let mut child = Command::new(built(name))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = read_on_thread(child.stdout.take().unwrap());
    let stderr = read_on_thread(child.stderr.take().unwrap());
    let status = wait(&mut child);
    let (text, errors) = (stdout.join().unwrap(), stderr.join().unwrap());
    let Some(status) = status else {
        panic!("{name} had not ended after {DEADLINE:?}:\n{text}{errors}");
    };
    assert!(
        status.success() && errors.is_empty(),
        "{name}, {status}:\n{text}{errors}"
    );
    Output { text }
}

fn read_on_thread(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// How it ended, or nothing if it had to be killed at the deadline.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

fn source(name: &str) -> String {
    fs::read_to_string(examples().join(format!("{name}.rs"))).unwrap()
}

/// The names of all numbered examples, in order.
fn chapters() -> Vec<String> {
    let entries = fs::read_dir(examples()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_chapter = |name: &String| name.starts_with(|letter: char| letter.is_ascii_digit());
    let stem = |name: String| name.strip_suffix(".rs").map(str::to_owned);
    let mut names: Vec<String> = names.filter_map(stem).filter(is_chapter).collect();
    names.sort();
    names
}
