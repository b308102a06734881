//! What a recording says of itself.

use std::time::Duration;

use crate::watch::{Event, EventKind, NameId, Recording, Stall};

const SECOND: u64 = 1_000_000_000;

#[test]
fn the_last_stretch_keeps_what_reaches_into_it() {
    let mut recording = Recording::new();
    let name = NameId(1);
    let spawn = EventKind::Spawn {
        name,
        place: name,
        parent: 0,
        bytes: 0,
    };
    let long = EventKind::Park {
        took: 6 * SECOND,
        timeout_ms: None,
        events: 1,
    };
    let gone = EventKind::FdDel { fd: 1 };
    let kinds = [(0, spawn), (0, gone), (SECOND, long), (9 * SECOND, gone)];
    recording.events = kinds.map(|(at, kind)| Event { at, task: 2, kind }).into();
    let stall = |at, took| Stall {
        at,
        took,
        ..Stall::default()
    };
    recording.stalls = vec![
        stall(0, Some(SECOND)),
        stall(0, None),
        stall(7 * SECOND, Some(1)),
    ];
    recording.gaps = vec![(0, SECOND), (6 * SECOND, SECOND)];
    recording.keep_last(Duration::from_secs(3));
    let kept: Vec<u64> = recording.events.iter().map(|event| event.at).collect();
    assert_eq!(kept, [0, SECOND, 9 * SECOND]);
    assert_eq!(
        recording.stalls,
        [stall(0, None), stall(7 * SECOND, Some(1))]
    );
    assert_eq!(recording.gaps, [(6 * SECOND, SECOND)]);
    recording.keep_last(Duration::MAX);
    assert_eq!(recording.events.len(), 3);
}

#[test]
fn no_time_is_too_large() {
    let mut recording = Recording::new();
    let took = u64::MAX;
    let kind = EventKind::StallEnd { stall: 1, took };
    let lost = EventKind::Lost { count: u64::MAX };
    for kind in [kind, lost, lost] {
        recording.events.push(Event {
            at: u64::MAX,
            task: 0,
            kind,
        });
    }
    recording.gaps = vec![(u64::MAX, u64::MAX)];
    assert_eq!((recording.end(), recording.lost()), (u64::MAX, u64::MAX));
    recording.keep_last(Duration::ZERO);
    assert_eq!(recording.events.len(), 3);
}
