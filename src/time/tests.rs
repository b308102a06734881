//! Each edge of the wheel by itself; `model` beside these walks it at random.
//!
//! Nothing here waits: time is an argument.

mod model;

use std::time::Duration;

use self::model::Random;
use super::{ManualClock, TICK, TimerKey, Wheel};

/// 2^6, 2^12, ...: where one level ends and the next begins.
const LEVEL_EDGES: [u64; 6] = [1 << 6, 1 << 12, 1 << 18, 1 << 24, 1 << 30, 1 << 36];

/// Looks at every tick from `from` to `to` and returns what fired with the tick it fired at.
fn tick_by_tick<T>(wheel: &mut Wheel<T>, from: u64, to: u64) -> Vec<(u64, T)> {
    let mut fired = Vec::new();
    for now in from..=to {
        let mut due = Vec::new();
        wheel.expire(now, &mut due);
        fired.extend(due.into_iter().map(|value| (now, value)));
    }
    fired
}

fn expired<T>(wheel: &mut Wheel<T>, now: u64) -> Vec<T> {
    let mut due = Vec::new();
    wheel.expire(now, &mut due);
    due
}

#[test]
fn fires_at_its_tick_on_both_sides_of_every_edge() {
    for edge in LEVEL_EDGES {
        for start in [0, 1, edge / 2, edge - 64, edge - 2, edge - 1] {
            let mut wheel = Wheel::new();
            assert_eq!(expired(&mut wheel, start), [] as [u64; 0]);
            let deadlines: Vec<u64> = (edge - 1..=edge + 1).filter(|&d| d > start).collect();
            for &deadline in deadlines.iter().rev() {
                wheel.insert(deadline, deadline);
            }
            let near = edge - 3;
            assert_eq!(
                expired(&mut wheel, near),
                [] as [u64; 0],
                "edge {edge} from {start}"
            );
            let fired = tick_by_tick(&mut wheel, near, edge + 1);
            let on_time: Vec<(u64, u64)> = deadlines.iter().map(|&d| (d, d)).collect();
            assert_eq!(fired, on_time, "edge {edge} from {start}");
        }
    }
}

#[test]
fn one_jump_over_every_edge_fires_all_by_deadline() {
    let mut deadlines: Vec<u64> = LEVEL_EDGES
        .iter()
        .flat_map(|&e| [e + 1, e - 1, e])
        .collect();
    deadlines.extend([u64::MAX, u64::MAX - 1, 1 << 63, 3 << 36, 0, 1]);
    let mut wheel = Wheel::new();
    for &deadline in &deadlines {
        wheel.insert(deadline, deadline);
    }
    deadlines.sort_unstable();
    assert_eq!(expired(&mut wheel, u64::MAX), deadlines);
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn a_far_timer_survives_a_clock_that_passes_its_level() {
    const NEAR: u64 = 0;
    let edges = [1 << 30, 1 << 32, 1 << 36, 1 << 37, (1 << 40) + 70, 1 << 63];
    // The last two would stand to the left of the hand on a top level that wraps.
    for far in [1 << 40, u64::MAX, (1 << 36) + 5, (1 << 36) + (1 << 30)] {
        let mut wheel = Wheel::new();
        wheel.insert(far, far);
        let mut seen = 0;
        for now in edges.iter().flat_map(|&e: &u64| [e - 70, e - 1, e, e + 1]) {
            // Neither may the far timer hide one that is near, nor fire before its time.
            wheel.insert(now, NEAR);
            assert!(wheel.next_deadline() <= Some(now), "{far} at {now}");
            for look in [now - 1, now] {
                let due = expired(&mut wheel, look);
                assert_eq!(due.contains(&NEAR), look == now, "{far} at {look}");
                assert_eq!(
                    due.contains(&far),
                    seen < far && far <= look,
                    "{far} at {look}"
                );
                assert!(wheel.next_deadline() != Some(look), "{far} at {look}");
                seen = look;
            }
        }
        let last = if far == u64::MAX { vec![far] } else { vec![] };
        assert_eq!(expired(&mut wheel, u64::MAX - 1), [] as [u64; 0]);
        assert_eq!(expired(&mut wheel, u64::MAX), last);
    }
}

#[test]
fn timers_meant_for_never_cost_nothing_and_stay_cancellable() {
    let mut wheel = Wheel::new();
    let keys: Vec<TimerKey> = (0..3).map(|n| wheel.insert(u64::MAX - n, n)).collect();
    // A century a step, ten thousand times.
    let century = 100 * 365 * 86_400_000;
    for step in 1..=10_000 {
        assert_eq!(expired(&mut wheel, step * century), [] as [u64; 0]);
        assert!(wheel.next_deadline() > Some(step * century));
    }
    assert!(wheel.move_to(keys[0], 10_000 * century + 5));
    assert_eq!(wheel.next_deadline(), Some(10_000 * century + 5));
    assert_eq!(wheel.cancel(keys[1]), Some(1));
    assert_eq!(expired(&mut wheel, 10_000 * century + 5), [0]);
    assert_eq!(expired(&mut wheel, u64::MAX), [2]);
}

#[test]
fn following_next_deadline_reaches_a_timer_in_few_looks() {
    for deadline in LEVEL_EDGES
        .iter()
        .flat_map(|&edge| [edge - 1, edge, edge + 1])
    {
        let mut wheel = Wheel::new();
        wheel.insert(deadline, ());
        let mut looks = 0;
        let mut now = 0;
        while let Some(next) = wheel.next_deadline() {
            assert!(
                next > now && next <= deadline,
                "{next} for {deadline} at {now}"
            );
            now = next;
            wheel.expire(now, &mut Vec::new());
            looks += 1;
        }
        assert_eq!(now, deadline);
        assert!(looks <= 7, "{looks} looks for {deadline}");
    }
}

#[test]
fn next_deadline_forgets_a_cancelled_timer() {
    for near in [0, 5, 70, 5_000, 300_000, 1 << 25, 1 << 31] {
        let mut wheel = Wheel::new();
        let first = wheel.insert(near, ());
        let second = wheel.insert(near, ());
        wheel.insert((1 << 31) + (1 << 30), ());
        wheel.cancel(second);
        assert!(wheel.next_deadline() <= Some(near), "{near}");
        wheel.cancel(first);
        assert_eq!(wheel.next_deadline(), Some((1 << 31) + (1 << 30)), "{near}");
    }
}

#[test]
fn equal_deadlines_keep_their_order_on_the_way_down() {
    for edge in LEVEL_EDGES {
        let deadline = 2 * edge + 64 + 7;
        let mut wheel = Wheel::new();
        let mut inserted = 0u32;
        // Each pass finds the wheel closer, so each pair starts on a level further down.
        for left in [2 * edge, edge + 3, edge / 2 + 1, 130, 65, 64, 63, 2, 1, 0] {
            assert_eq!(expired(&mut wheel, deadline - left.max(1)), [] as [u32; 0]);
            wheel.insert(deadline, inserted);
            wheel.insert(deadline, inserted + 1);
            inserted += 2;
        }
        let all: Vec<u32> = (0..inserted).collect();
        assert_eq!(expired(&mut wheel, deadline), all, "edge {edge}");
    }
}

#[test]
fn overdue_timers_come_first_by_deadline_then_by_insertion() {
    let mut wheel = Wheel::new();
    expired(&mut wheel, 1_000_000);
    let moved = wheel.insert(7, "moved away");
    for (deadline, value) in [(9, "c"), (1_000_000, "e"), (3, "a"), (9, "d"), (3, "b")] {
        wheel.insert(deadline, value);
    }
    wheel.insert(1_000_001, "f");
    assert_eq!(wheel.next_deadline(), Some(3));
    assert!(wheel.move_to(moved, 1_000_002));
    // `now` before the present fires what is overdue, and no more.
    assert_eq!(expired(&mut wheel, 0), ["a", "b", "c", "d", "e"]);
    assert_eq!(wheel.next_deadline(), Some(1_000_001));
    assert_eq!(expired(&mut wheel, 1_000_002), ["f", "moved away"]);
}

#[test]
fn an_overdue_timer_moved_earlier_is_not_looked_for_late() {
    let mut wheel = Wheel::new();
    expired(&mut wheel, 100);
    let key = wheel.insert(90, ());
    assert!(wheel.move_to(key, 20));
    assert_eq!(wheel.next_deadline(), Some(20));
}

#[test]
fn time_does_not_go_back() {
    let mut wheel = Wheel::new();
    wheel.insert(100, "due");
    assert_eq!(expired(&mut wheel, 50), [] as [&str; 0]);
    assert_eq!(expired(&mut wheel, 10), [] as [&str; 0]);
    // Between the two times seen: overdue, and not filed as if it were tick 10.
    wheel.insert(30, "late");
    assert_eq!(expired(&mut wheel, 10), ["late"]);
    assert_eq!(expired(&mut wheel, 99), [] as [&str; 0]);
    assert_eq!(expired(&mut wheel, 100), ["due"]);
}

#[test]
fn a_deadline_moved_later_or_earlier_is_the_one_that_counts() {
    for (first, then) in [
        (10, 5_000),
        (5_000, 10),
        (70, 100),
        (100, 70),
        (1 << 40, 3),
        (3, 1 << 40),
    ] {
        let mut wheel = Wheel::new();
        let key = wheel.insert(first, ());
        assert!(wheel.move_to(key, then));
        assert_eq!(wheel.deadline(key), Some(then));
        assert_eq!(expired(&mut wheel, then - 1).len(), 0, "{first} to {then}");
        assert_eq!(expired(&mut wheel, then).len(), 1, "{first} to {then}");
        assert!(!wheel.move_to(key, then + 1), "{first} to {then}");
    }
}

#[test]
fn a_timer_moved_later_takes_its_place_when_refiled() {
    let mut wheel = Wheel::new();
    let lazy = wheel.insert(10, "moved, then refiled at 10");
    wheel.move_to(lazy, 50);
    wheel.insert(50, "inserted before that");
    assert_eq!(expired(&mut wheel, 20), [] as [&str; 0]);
    wheel.insert(50, "inserted after that");
    let order = [
        "inserted before that",
        "moved, then refiled at 10",
        "inserted after that",
    ];
    assert_eq!(expired(&mut wheel, 50), order);
}

#[test]
fn a_stale_key_finds_nobody() {
    let mut wheel = Wheel::new();
    let fired = wheel.insert(1, "fired");
    assert_eq!(expired(&mut wheel, 1), ["fired"]);
    let cancelled = wheel.insert(2, "cancelled");
    assert_eq!(wheel.cancel(fired), None);
    assert_eq!(wheel.cancel(cancelled), Some("cancelled"));
    assert_eq!(wheel.cancel(cancelled), None);
    let tenant = wheel.insert(3, "tenant");
    for stale in [fired, cancelled] {
        assert_ne!(stale, tenant);
        assert_eq!(wheel.get_mut(stale), None);
        assert_eq!(wheel.deadline(stale), None);
        assert!(!wheel.move_to(stale, 9));
        assert_eq!(wheel.cancel(stale), None);
    }
    assert_eq!(wheel.get_mut(tenant), Some(&mut "tenant"));
    assert_eq!(wheel.deadline(tenant), Some(3));
}

#[test]
fn drained_wheels_hold_nothing_and_work_again() {
    let mut wheel = Wheel::new();
    expired(&mut wheel, 100);
    let deadlines = [0, 101, 200, 5_000, 1 << 20, 1 << 35, 1 << 50, u64::MAX];
    let keys = deadlines.map(|deadline| wheel.insert(deadline, deadline));
    let mut drained = Vec::new();
    wheel.drain_all(&mut drained);
    drained.sort_unstable();
    assert_eq!(drained, deadlines);
    assert!(wheel.is_empty());
    assert_eq!(wheel.next_deadline(), None);
    let tenants = deadlines.map(|deadline| wheel.insert(deadline, deadline));
    assert_eq!(keys.map(|key| wheel.cancel(key)), [None; 8]);
    assert_eq!(tenants.len(), wheel.len());
    assert_eq!(expired(&mut wheel, u64::MAX), deadlines);
}

#[test]
fn a_timer_on_a_manual_clock_is_late_by_less_than_a_tick() {
    let mut random = Random(7);
    for round in 0..2_000 {
        let time = ManualClock::new();
        let clock = time.clock();
        time.advance(Duration::from_nanos(random.below(5_000_000)));
        let deadline = time.now() + Duration::from_nanos(random.below(5_000_000));
        let mut wheel = Wheel::new();
        wheel.insert(clock.tick_for(deadline), ());
        while expired(&mut wheel, clock.ticks_passed(clock.now())).is_empty() {
            time.advance(Duration::from_nanos(1 + random.below(100_000)));
        }
        assert!(clock.now() >= deadline, "round {round}: early");
        let late = clock.now() - deadline;
        assert!(
            late < TICK + Duration::from_micros(100),
            "round {round}: {late:?} late"
        );
    }
}
