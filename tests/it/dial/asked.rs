//! What pages and scripts ask of the dial: to hold, to freeze, to export; and too much of it.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tourbillon::dial::Dial;
use tourbillon::watch::Recording;
use tourbillon::web::{Router, TrailingSlash};
use tourbillon::{Runtime, spawn_named};

use super::{Watched, ask, look};
use crate::dial_page::in_browser;
use crate::server_support::serve;
use crate::support::DEADLINE;

/// A page pauses the loop, and is closed: nobody is left to let it go.
#[test]
fn a_page_that_vanishes_does_not_leave_the_loop_held() {
    let watched = Watched::begin(true);
    watched.tick();
    // A script's pause stays until it is taken back.
    assert_eq!(watched.post("/gate?do=pause"), 204);
    let paused = |frame: &Value| frame["state"] == "paused";
    watched.frame_where(paused);
    let script = Instant::now();
    while script.elapsed() < Duration::from_secs(4) {
        assert_eq!(watched.frame()["gate"]["paused"], true, "nobody looked");
        thread::sleep(Duration::from_millis(100));
    }
    // A page looks, and is loaded anew.
    drop(look(&watched));
    let page = look(&watched);
    assert_eq!(watched.post("/freeze"), 204);
    assert_eq!(watched.get("/trace.json?frozen").status, 200);
    watched.frame_where(paused);
    drop(page);
    let turn = watched.frame()["turn"].as_u64();
    watched.frame_where(|frame| frame["turn"].as_u64() > turn && frame["gate"]["paused"] == false);
    assert_eq!(watched.get("/trace.json?frozen").status, 410);
}

#[test]
fn what_is_frozen_is_exported_to_those_who_ask_for_it() {
    let watched = Watched::begin(false);
    watched.tick();
    watched.frame_where(|frame| frame["turns"].as_array().unwrap().len() > 3);
    assert_eq!(watched.get("/recording?frozen").status, 410, "nothing is");
    assert_eq!(watched.post("/freeze"), 204);
    let open = |path: &str| {
        let text = watched.get(path).body;
        Recording::open(&text).unwrap()
    };
    let frozen = open("/recording?frozen");
    let turn = watched.frame()["turn"].as_u64();
    watched.frame_where(|frame| frame["turn"].as_u64() > turn);
    assert_eq!(open("/recording?frozen"), frozen, "as it was");
    assert!(open("/recording").until > frozen.until, "and what goes on");
    let last = open("/recording?frozen&last=1ms");
    assert!(last.events.len() <= frozen.events.len() && last.until == frozen.until);
    assert_eq!(watched.post("/freeze?do=go"), 204);
    assert_eq!(watched.get("/recording?frozen").status, 410);
}

#[test]
fn one_task_is_dumped_alone() {
    let watched = Watched::begin(false);
    let waits = || {
        spawn_named("waits for good", async {
            tourbillon::sleep(DEADLINE).await;
        })
        .detach()
    };
    watched.handle.call(waits).unwrap();
    let is_there = |task: &Value| task[6] == "waits for good";
    let frame =
        watched.frame_where(|frame| frame["tasks"].as_array().unwrap().iter().any(is_there));
    let task = frame["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|task| is_there(task));
    let number = &task.unwrap()[0];
    let dump = watched.get(&format!("/dump?task={number}")).body;
    assert!(
        dump.starts_with(&format!("#{number} waits for good: ")),
        "{dump}"
    );
    assert_eq!(dump.lines().count(), 1, "{dump}");
    // Where it waits is told to those that mean it: it is polled for that.
    let path = format!("/dump?stacks&task={number}");
    assert_eq!(watched.get(&path).status, 403);
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-tourbillon: 1\r\n");
    let told = watched.ask(&head).body;
    assert!(
        told.starts_with(&format!("#{number} waits for good: ")),
        "{told}"
    );
    assert!(
        told.contains("\n  at ") && told.contains("asked.rs:"),
        "{told}"
    );
    let json: Value = serde_json::from_str(&watched.get("/dump?json").body).unwrap();
    assert!(json["tasks"].is_array());
    assert_eq!(watched.get("/dump?task=4000000000").status, 404);
    assert_eq!(watched.get("/dump?task=x").status, 400);
}

/// Each export holds memory while it is made, so they are few; frames go on.
#[test]
fn many_exports_at_once_are_refused() {
    let watched = Watched::begin(false);
    watched.tick();
    let address = watched.dial.local_addr();
    let asks = || {
        let head = "GET /trace.json HTTP/1.1\r\nhost: localhost\r\n";
        thread::spawn(move || ask(address, head).status)
    };
    let began = Instant::now();
    let mut said = Vec::new();
    while !said.contains(&503) {
        assert!(
            began.elapsed() < DEADLINE,
            "all were made at once: {said:?}"
        );
        let many: Vec<_> = (0..24).map(|_| asks()).collect();
        said = many.into_iter().map(|ask| ask.join().unwrap()).collect();
        assert!(said.contains(&200), "{said:?}");
    }
    assert_eq!(
        watched.get("/trace.json?last=18446744073709551s").status,
        200
    );
    assert_eq!(
        watched.get("/trace.json?last=18446744073709551615s").status,
        400
    );
    assert_eq!(watched.get("/trace.json?last=-1s").status, 400);
}

/// Mounted on the loop that is watched, it may not hold it: nothing could let it go.
#[test]
fn a_page_on_the_same_loop_may_not_hold_it() {
    let served = serve(|| {
        let builder = Runtime::builder().watch(true);
        let watched = builder.build().unwrap();
        let dial = Dial::new(watched.watcher().unwrap()).allow_gate(true);
        Router::new()
            .trailing_slash(TrailingSlash::Ignore)
            .nest("/dial", dial.router())
    });
    let head = "HTTP/1.1\r\nhost: localhost\r\n";
    let frame = ask(served.address, &format!("GET /dial/snapshot.json {head}")).body;
    let frame: Value = serde_json::from_str(&frame).unwrap();
    assert_eq!(frame["gate"]["allowed"], false);
    assert_eq!(frame["same_loop"], true);
    let post = format!("POST /dial/gate?do=pause {head}x-tourbillon: 1\r\ncontent-length: 0\r\n");
    assert_eq!(ask(served.address, &post).status, 403);
    // The page finds what is next to it, with its slash and without.
    in_browser(|browser| {
        for path in ["dial/", "dial"] {
            browser.open(&format!("http://{}/{path}", served.address));
            browser.wait_until("!!document.documentElement.dataset.state");
            assert_eq!(browser.console_errors(), [""; 0]);
        }
    });
}
