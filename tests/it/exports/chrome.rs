//! What Perfetto opens.

use std::time::Duration;

use serde_json::Value;
use tourbillon::watch::{EndReason, EventKind, PollResult, Recording};

use super::scenes::{MS, Scene, anything, blocked, offloaded};
use super::trace_check::faults;

fn rows(recording: &Recording) -> Vec<Value> {
    let json = recording.chrome_json();
    assert_eq!(faults(&json), Vec::<String>::new(), "{json}");
    let trace: Value = serde_json::from_str(&json).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

fn find<'r>(rows: &'r [Value], phase: &str, name: &str) -> &'r Value {
    let mut found = rows
        .iter()
        .filter(|row| row["ph"] == phase && row["name"] == name);
    found.next().unwrap_or_else(|| panic!("no {phase} {name}"))
}

#[test]
fn a_stall_is_a_slice_in_its_poll_and_told_to_all() {
    let rows = rows(&blocked(false));
    let stuck = find(&rows, "X", "STUCK in blocked::heavy_sync_operation");
    assert_eq!(
        (stuck["ts"].as_f64(), stuck["dur"].as_f64()),
        (Some(150e3), Some(1e6))
    );
    let stack = stuck["args"]["stack"].as_str().unwrap();
    assert!(stack.contains("\nblocked::heavy_sync_operation (examples/blocked.rs:41)\n"));
    let told = find(&rows, "i", "stall 1: blocked::heavy_sync_operation");
    assert_eq!(
        (told["s"].as_str(), told["tid"].as_u64()),
        (Some("g"), Some(90))
    );
    let request = find(&rows, "b", "GET /bad-practice");
    assert_eq!(request["pid"], 2);
    assert_eq!(find(&rows, "X", "asleep (epoll)")["tid"], 1);
    assert_eq!(
        find(&rows, "b", "connection")["args"]["spawned_at"],
        "src/accept.rs:88"
    );
}

#[test]
fn a_job_goes_from_the_loop_to_its_worker_and_back() {
    let rows = rows(&offloaded());
    let job = find(&rows, "X", "app::heavy_sync_operation");
    assert_eq!(
        (job["tid"].as_u64(), job["dur"].as_f64()),
        (Some(12), Some(1e6))
    );
    let named = |row: &&Value| row["ph"] == "M" && row["tid"] == 12;
    assert_eq!(rows.iter().find(named).unwrap()["args"]["name"], "worker-2");
    let way: Vec<(&str, u64)> = rows
        .iter()
        .filter(|row| row["cat"] == "job" && matches!(row["ph"].as_str(), Some("s" | "t" | "f")))
        .map(|row| (row["ph"].as_str().unwrap(), row["tid"].as_u64().unwrap()))
        .collect();
    assert_eq!(way, [("s", 1), ("t", 12), ("t", 1), ("f", 1)]);
    let wake = rows.iter().filter(|row| row["cat"] == "wake").count();
    assert_eq!(wake, 2, "from the wake to the poll");
    let busy: Vec<i64> = rows
        .iter()
        .filter(|row| row["name"] == "workers busy")
        .map(|row| row["args"]["count"].as_i64().unwrap())
        .collect();
    assert_eq!(busy, [1, 0]);
}

#[test]
fn workers_that_are_busy_at_once_are_counted() {
    let mut scene = Scene::default();
    for (job, worker, at) in [(1, 1, 5 * MS), (2, 2, 2 * MS)] {
        let kind = EventKind::JobRun {
            job,
            took: 4 * MS,
            waited_us: 0,
            worker,
        };
        scene.add(at, 7, kind);
    }
    let rows = rows(&scene.done());
    let busy = rows.iter().filter(|row| row["name"] == "workers busy");
    let busy: Vec<i64> = busy
        .map(|row| row["args"]["count"].as_i64().unwrap())
        .collect();
    assert_eq!(busy, [1, 2, 1, 0]);
}

/// A connection is called by its request, as long as that lasts.
#[test]
fn a_poll_has_the_name_that_its_task_had_then() {
    let mut scene = Scene::default();
    scene.spawn(0, 7, "connection");
    scene.poll(7, 1, (MS, 2 * MS), PollResult::Pending);
    let name = scene.name("GET /a");
    let (request, connection) = (1, 7);
    let begin = EventKind::RequestBegin {
        request,
        name,
        connection,
    };
    scene.add(3 * MS, 7, begin);
    scene.poll(7, 2, (3 * MS, 5 * MS), PollResult::Pending);
    let (status, bytes) = (200, 0);
    let end = EventKind::RequestEnd {
        request,
        status,
        bytes,
    };
    scene.add(5 * MS, 7, end);
    scene.poll(7, 3, (5 * MS, 6 * MS), PollResult::Pending);
    let rows = rows(&scene.done());
    assert_eq!(find(&rows, "X", "connection")["args"]["poll"], 1);
    assert_eq!(find(&rows, "X", "GET /a")["args"]["poll"], 2);
    let own = rows
        .iter()
        .filter(|row| row["name"] == "connection" && row["ph"] == "X");
    assert_eq!(own.count(), 2, "and after it as before");
}

#[test]
fn times_are_exact_to_the_nanosecond() {
    let mut scene = Scene::default();
    let at = 9_876_543_210_987_654_321;
    scene.poll(7, 1, (at, at + 1_001), PollResult::Ready);
    let json = scene.done().chrome_json();
    assert!(
        json.contains(r#""ts":9876543210987654.321,"dur":1.001,"#),
        "{json}"
    );
}

#[test]
fn what_overlaps_is_cut_and_what_is_lost_is_told() {
    let mut scene = Scene::default();
    scene.turn(0, 10 * MS);
    scene.turn(9 * MS, 20 * MS);
    scene.poll(2, 1, (MS, 12 * MS), PollResult::Pending);
    scene.poll(3, 1, (8 * MS, 9 * MS), PollResult::Pending);
    scene.park(19 * MS, 30 * MS);
    scene.add(5 * MS, 0, EventKind::Lost { count: 12 });
    let rows = rows(&scene.done());
    assert_eq!(find(&rows, "i", "LOST")["args"]["count"], 12);
    assert_eq!(find(&rows, "i", "LOST")["s"], "g");
    assert_eq!(find(&rows, "X", "task #2")["dur"].as_f64(), Some(7e3));
}

#[test]
fn a_recording_that_makes_no_sense_is_a_sound_trace() {
    // As far as the numbers of JSON go, which is 52 days.
    for seed in 0..60 {
        rows(&anything(seed, 300, 1 << 52));
    }
    for seed in 0..20 {
        let json = anything(seed, 300, u64::MAX).chrome_json();
        assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
    }
    rows(&Recording::new());
}

#[test]
fn names_stay_in_their_quotes() {
    let mut scene = Scene::default();
    let hostile = "\"},{\"ph\":\"X\"</script>\u{0}\u{1b}[2J\u{2028}\\";
    scene.spawn(1, 7, hostile);
    scene.begin(2, 7, 1, hostile);
    scene.0.backend = hostile.to_owned();
    let recording = scene.done();
    let rows = rows(&recording);
    let named = rows
        .iter()
        .filter(|row| row["ph"] == "b" && row["name"] == hostile);
    assert_eq!(named.count(), 2, "a task and a request");
    let json = recording.chrome_json();
    assert!(!json.contains("</script"), "it may stand in a page");
}

/// Its spawn is kept for its name; its end is not, as it was before.
#[test]
fn a_task_that_had_ended_does_not_live_on_in_the_last_second() {
    let mut scene = Scene::default();
    scene.spawn(0, 7, "ended");
    scene.spawn(0, 8, "lives");
    let (polls, reason, busy) = (1, EndReason::Done, 0);
    scene.add(
        MS,
        7,
        EventKind::End {
            polls,
            reason,
            busy,
        },
    );
    scene.poll(9, 1, (9_000 * MS, 9_001 * MS), PollResult::Pending);
    let mut recording = scene.done();
    recording.keep_last(Duration::from_secs(1));
    let rows = rows(&recording);
    let spans = rows
        .iter()
        .filter(|row| row["ph"] == "b" && row["pid"] == 3);
    let names: Vec<&Value> = spans.map(|row| &row["name"]).collect();
    assert_eq!(names, ["lives", "task #9"]);
}
