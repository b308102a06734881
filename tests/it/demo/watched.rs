//! The demo with `--watch`: the page of the run, over real HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::dial_page::{in_browser, picture};
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

#[test]
fn the_page_of_the_run_is_pictured_in_both_themes() {
    in_browser(|browser| {
        let mut child = Command::new(built("blocking_vs_offloaded"))
            // Asleep it needs no processor, which the browser takes.
            .args(["--watch", "--json", "--no-files", "--how=sleep"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        errors.read_line(&mut first).unwrap();
        let address = page::address(&first).unwrap_or_else(|| panic!("no address in {first:?}"));
        thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        browser.open(&format!("http://{address}/"));
        browser.set_dark(false);
        browser.wait_until("document.documentElement.dataset.state === 'stuck'");
        browser.wait_until("document.body.textContent.includes('heavy_sync_operation')");
        browser.screenshot(&picture("demo-light"));
        browser.set_dark(true);
        browser.wait_until("document.documentElement.dataset.state !== 'stuck'");
        browser.wait_until("document.getElementById('w-list').textContent.includes('heavy')");
        browser.screenshot(&picture("demo-dark"));
        assert_eq!(browser.console_errors(), [""; 0]);
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(child.wait().unwrap().code().is_some());
    });
}
