//! The demo with `--watch`: the page of the run, over real HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{DEADLINE, built, page};

#[test]
fn the_page_shows_the_run_and_stays_until_enter() {
    let mut child = Command::new(built("blocking_vs_offloaded"))
        .args(["--watch", "--json", "--no-files", "--how=sleep"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (line, lines) = mpsc::channel();
    let errors = BufReader::new(child.stderr.take().unwrap());
    thread::spawn(move || {
        errors
            .lines()
            .map_while(Result::ok)
            .try_for_each(|text| line.send(text))
    });
    let first = lines.recv_timeout(DEADLINE).unwrap();
    let address = page::address(&first).unwrap_or_else(|| panic!("no address in {first:?}"));

    // Over while it runs, and still there when it is over.
    let until = Instant::now() + DEADLINE;
    let (mut was_stuck, mut is_over) = (false, false);
    while !is_over {
        assert!(Instant::now() < until, "it did not end");
        let frame = page::get(address, "/snapshot.json");
        was_stuck |= frame.contains("\"verdict\":\"asleep on purpose\"");
        is_over = frame.contains("\"state\":\"stopped\"") && was_stuck;
        thread::sleep(Duration::from_millis(20));
    }
    assert!(page::get(address, "/mermaid").contains("sequenceDiagram"));
    let stays = lines.recv_timeout(DEADLINE).unwrap();
    assert!(stays.contains("until Enter"), "{stays}");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let mut json = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut json)
        .unwrap();
    // Whether a busy machine showed something is the business of other tests.
    assert!(child.wait().unwrap().code().is_some());
    assert!(
        json.starts_with('{') && json.contains("\"culprit\":"),
        "{json}"
    );
}
