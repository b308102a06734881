//! Lanes in a terminal.

use std::time::Duration;

use tourbillon::watch::PollResult;

use super::scenes::{MS, Scene, anything, blocked, offloaded};

/// The cells of a lane, without its name and time.
fn cells<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let lane = text
        .lines()
        .find(|line| line.trim_start().starts_with(name));
    let lane = lane.unwrap_or_else(|| panic!("no lane {name} in\n{text}"));
    lane.trim_start()
        .strip_prefix(name)
        .unwrap()
        .split_whitespace()
        .collect()
}

fn count(cells: &[&str], sign: char) -> usize {
    cells.concat().chars().filter(|&cell| cell == sign).count()
}

#[test]
fn a_stuck_loop_is_one_long_bar_and_the_others_wait() {
    let text = blocked(true).timeline(100, true);
    let on_loop = count(&cells(&text, "loop"), '#');
    assert!(
        (40..50).contains(&on_loop),
        "1000 of 1400 ms in 62 cells: {on_loop}\n{text}"
    );
    let heavy = cells(&text, "1 GET /bad-practice");
    assert_eq!(count(&heavy[..1], '#') + 1, on_loop, "{text}");
    assert_eq!(&heavy[1..], ["1000", "ms"]);
    let waits = cells(&text, "2 GET /ping");
    assert!(waits[0].contains("---|"), "{text}");
    assert_eq!(&waits[1..], ["952", "ms"], "{text}");
    assert!(text.contains(" stuck 1000 ms in heavy_sync_operation  examples/blocked.rs:41\n"));
}

#[test]
fn an_offloaded_job_is_in_the_lane_of_its_worker() {
    let text = offloaded().timeline(100, true);
    assert_eq!(count(&cells(&text, "loop"), '#'), 0, "{text}");
    let worker = count(&cells(&text, "worker-2"), '%');
    let request = count(&cells(&text, "1 GET /good-practice"), '%');
    assert!(worker > 50 && worker - request <= 1, "{text}");
    assert!(offloaded().timeline(100, false).contains("▒▒▒▒"));
}

/// A task that was spawned long ago keeps its name, and takes no room on the axis.
#[test]
fn the_axis_begins_with_what_is_shown() {
    let mut scene = Scene::default();
    scene.spawn(0, 7, "old");
    scene.poll(7, 9, (9_000 * MS, 9_500 * MS), PollResult::Pending);
    scene.park(9_500 * MS, 10_000 * MS);
    let mut recording = scene.done();
    recording.keep_last(Duration::from_secs(1));
    let text = recording.timeline(100, true);
    let on_loop = count(&cells(&text, "loop"), '#');
    assert!(
        (29..33).contains(&on_loop),
        "half of 62 cells: {on_loop}\n{text}"
    );
}

#[test]
fn no_line_is_too_wide_and_nothing_steers_the_terminal() {
    for seed in 0..40 {
        let recording = anything(seed, 300, [9_000, u64::MAX][seed as usize % 2]);
        for width in [0, 60, 61, 80, 100, 240, usize::MAX] {
            for ascii in [false, true] {
                let text = recording.timeline(width, ascii);
                let most = width.clamp(60, 240);
                let stray = |c: char| c != '\n' && (c.is_control() || ascii && !c.is_ascii());
                assert!(!text.contains(stray), "{text:?}");
                let lanes = text.split("\n\n").next().unwrap();
                for line in lanes.lines() {
                    assert!(line.chars().count() <= most, "{width}: {line}");
                }
            }
        }
    }
}

#[test]
fn a_hostile_name_is_shown_as_text() {
    let mut scene = Scene::default();
    scene.begin(0, 7, 1, "\u{1b}]0;x\u{7}\r\n\u{202e}abc");
    let text = scene.done().timeline(80, false);
    assert!(
        text.contains("1 \u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}\u{fffd}abc"),
        "{text:?}"
    );
}
