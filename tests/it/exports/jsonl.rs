//! One event a line.

use serde_json::Value;

use super::scenes::{Scene, anything, blocked};

#[test]
fn each_line_is_an_event_with_its_names() {
    let recording = blocked(true);
    let text = recording.jsonl();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), recording.events.len() + 1);
    let of = |kind: &str| lines.iter().find(|line| line["kind"] == kind).unwrap();
    assert_eq!(of("request_begin")["name"], "GET /bad-practice");
    assert_eq!(of("spawn")["place"], "src/accept.rs:88");
    assert_eq!(of("poll")["took"], 1_000_000);
    let stall = lines.last().unwrap();
    assert_eq!(stall["function"], "blocked::heavy_sync_operation");
    assert_eq!(stall["place"], "examples/blocked.rs:41");
    assert_eq!(stall["verdict"], "cpu");
}

#[test]
fn every_kind_is_a_line_of_json() {
    for seed in 0..20 {
        let recording = anything(seed, 300, u64::MAX);
        let text = recording.jsonl();
        assert_eq!(
            text.lines().count(),
            recording.events.len() + recording.stalls.len()
        );
        for (line, event) in text.lines().zip(&recording.events) {
            let value: Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["kind"], event.kind.name());
            assert_eq!(value["at"].as_u64(), Some(event.at));
            assert!(value.as_object().unwrap().len() > 3, "{line}");
        }
    }
}

#[test]
fn a_name_with_a_line_end_is_one_line() {
    let mut scene = Scene::default();
    scene.spawn(0, 7, "a\n\"b\u{2028}");
    assert_eq!(scene.done().jsonl().lines().count(), 1);
}
