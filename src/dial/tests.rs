//! Frames of crowded loops: what is counted, what is shown, how long they are, how long it takes.

#![allow(clippy::unwrap_used)]

use std::future::pending;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::frame::{Setting, Source, frame};
use super::history::History;
use crate::runtime::Watcher;
use crate::watch::{Event, EventKind, Level, NameId};
use crate::{Interest, Runtime, call_soon, spawn_named, watch_fd, yield_now};

fn setting() -> Setting {
    Setting {
        name: "tests".to_owned(),
        allows_gate: true,
        is_same_loop: false,
        source: None,
    }
}

fn recorded() -> Runtime {
    Runtime::builder().record(Level::Full).build().unwrap()
}

/// Any thread may take it, and so may a task.
fn frame_of(watcher: &Watcher) -> Value {
    let text = frame(1, &setting(), watcher, &mut History::default());
    serde_json::from_str(&text).unwrap()
}

fn length(value: &Value) -> usize {
    value.as_array().unwrap().len()
}

/// At each edge of what a frame holds, and one beyond it.
#[test]
fn a_frame_counts_all_and_shows_the_first() {
    for (tasks, shown, more) in [(199, 200, 0), (200, 200, 1), (700, 200, 501)] {
        let mut rt = recorded();
        let watcher = rt.watcher().unwrap();
        rt.block_on(async move {
            for _ in 0..tasks {
                spawn_named("idle", pending::<()>()).detach();
            }
            yield_now().await;
            yield_now().await;
            let frame = frame_of(&watcher);
            assert_eq!(length(&frame["tasks"]), shown, "with main, {tasks} others");
            assert_eq!(frame["tasks_more"], more);
            // The one that asks runs, and is the first; then the oldest.
            assert_eq!(frame["tasks"][0][1], "running");
            let numbers: Vec<u64> = frame["tasks"].as_array().unwrap()[1..]
                .iter()
                .map(|task| task[0].as_u64().unwrap())
                .collect();
            assert!(numbers.is_sorted(), "{numbers:?}");
            assert_eq!(numbers[0], 2);
        });
    }
}

#[test]
fn what_is_ready_comes_in_its_order_and_beyond_fifty_is_counted() {
    for (ready, more) in [(50, 0), (51, 1), (400, 350)] {
        let mut rt = recorded();
        let watcher = rt.watcher().unwrap();
        rt.block_on(async move {
            for _ in 0..ready {
                spawn_named("ready", async {}).detach();
            }
            let frame = frame_of(&watcher);
            let queues = &frame["queues"];
            assert_eq!(length(&queues["ready"]), 50);
            assert_eq!(queues["ready_more"], more);
            let first: Vec<u64> = (2..52).collect();
            assert_eq!(queues["ready"], json!(first));
        });
    }
}

#[test]
fn descriptors_beyond_the_sixty_fourth_are_counted() {
    let mut rt = recorded();
    let watcher = rt.watcher().unwrap();
    let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
    let sockets: Vec<TcpListener> = (0..70).map(|_| socket()).collect();
    rt.block_on(async move {
        let before = frame_of(&watcher)["kernel"]["fds"].as_u64().unwrap();
        let watched: Vec<_> = sockets
            .into_iter()
            .map(|socket| watch_fd(socket, Interest::READABLE, |_| ()).unwrap())
            .collect();
        let frame = frame_of(&watcher);
        assert_eq!(frame["kernel"]["fds"], before + 70);
        assert_eq!(length(&frame["fds"]), 64);
        drop(watched);
    });
}

#[test]
fn a_frame_of_a_crowded_loop_stays_short() {
    frame_of_a_crowd("GET /api/articles/1234", 64 * 1024);
    frame_of_a_crowd(&"<".repeat(240), 300 * 1024);
}

/// Everything there is in a frame, and as much of it as there can be.
fn frame_of_a_crowd(name: &str, bytes_max: usize) {
    let mut rt = recorded();
    let name = name.to_owned();
    let place = "x".repeat(10_000);
    rt.block_on(async move {
        for _ in 0..600 {
            spawn_named(name.clone(), async {
                yield_now().await;
                call_soon(|| ());
                pending::<()>().await;
            })
            .detach();
        }
        for _ in 0..4 {
            yield_now().await;
        }
    });
    let mut history = History::default();
    let source = Some(Source::new("a.rs", &place));
    let setting = Setting {
        source,
        ..setting()
    };
    let text = frame(1, &setting, &rt.watcher().unwrap(), &mut history);
    assert!(
        text.contains("\"tasks_more\":400"),
        "all are idle, main is gone"
    );
    assert!(text.len() < bytes_max, "{} bytes", text.len());
    // The source is for whoever studies it turn by turn.
    assert!(!text.contains("xxxx"));
    rt.watcher().unwrap().pause();
    let text = frame(2, &setting, &rt.watcher().unwrap(), &mut history);
    assert!(text.contains("xxxx"));
    rt.watcher().unwrap().go();
}

#[test]
fn a_task_says_whose_it_is_and_who_woke_it() {
    let mut rt = recorded();
    let watcher = rt.watcher().unwrap();
    rt.block_on(async {
        let waits = spawn_named("waits", async {
            spawn_named("child", pending::<()>()).detach();
            yield_now().await;
            pending::<()>().await;
        });
        for _ in 0..3 {
            yield_now().await;
        }
        let frame = frame_of(&watcher);
        let task = |name: &str| {
            let tasks = frame["tasks"].as_array().unwrap();
            let task = tasks.iter().find(|task| task[6] == name);
            task.unwrap_or_else(|| panic!("{frame}")).clone()
        };
        assert_eq!(task("child")[9], task("waits")[0]);
        assert_eq!(
            task("waits")[10],
            task("waits")[0],
            "it yields by waking itself"
        );
        assert_eq!(task("child")[10], Value::Null);
        drop(waits);
    });
    assert_eq!(frame_of(&watcher)["state"], "stopped");
}

/// The end of a job may be overwritten before it is read, again and again.
#[test]
fn jobs_that_never_end_are_forgotten() {
    let rt = recorded();
    let watcher = rt.watcher().unwrap();
    let mut history = History::default();
    for job in 1..100_000 {
        let kind = EventKind::JobSubmit {
            job,
            queued: 0,
            place: NameId(0),
            name: NameId(0),
        };
        let event = Event {
            at: 0,
            task: 1,
            kind,
        };
        history.take(watcher.board(), event);
    }
    assert!(history.jobs_known() < 10_000, "{}", history.jobs_known());
}

/// How long a frame takes of a loop with that many idle tasks: the least of some.
fn time_of_a_frame(tasks: usize) -> Duration {
    let mut rt = Runtime::builder().record(Level::Lean).build().unwrap();
    rt.block_on(async {
        for _ in 0..tasks {
            spawn_named("one of many", pending::<()>()).detach();
        }
        yield_now().await;
        yield_now().await;
    });
    let (watcher, mut history) = (rt.watcher().unwrap(), History::default());
    frame(1, &setting(), &watcher, &mut history);
    let times = (0..20).map(|_| {
        let began = Instant::now();
        frame(2, &setting(), &watcher, &mut history);
        began.elapsed()
    });
    times.min().unwrap()
}

#[test]
#[ignore = "a measurement: cargo test --release --lib dial::tests -- --ignored --nocapture"]
fn measure_frames() {
    for tasks in [10, 1_000, 10_000, 100_000] {
        println!("{tasks} tasks: {:?}", time_of_a_frame(tasks));
    }
}
