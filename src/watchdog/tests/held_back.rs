//! What is not said at once: because it is too much, or because the one who tells is busy.

use std::sync::atomic::Ordering::SeqCst;

use super::scene::{LIMIT, MS, NAP, Scene};
use crate::watchdog::Watchdog;
use crate::watchdog::report::Stage;
use crate::watchdog::watched::Doing;

#[test]
fn five_stalls_a_minute_are_written_and_the_program_hears_of_all() {
    let mut scene = Scene::new();
    let mut seq = 1;
    let mut stall = |scene: &mut Scene| {
        seq += 2;
        scene.does(Doing::Turning, seq, seq);
        scene.pass(LIMIT + 2 * NAP);
        scene.does(Doing::Parked, seq + 1, seq);
        scene.after(NAP);
    };
    for _ in 0..12 {
        stall(&mut scene);
    }
    let said = scene.said();
    assert_eq!(said.matches("and counting").count(), 5, "{said}");
    assert_eq!(
        said.matches("free again").count(),
        5,
        "and no more of those"
    );
    assert_eq!(scene.stages().len(), 24);
    assert_eq!(scene.found().stalls.len(), 12);
    scene.does(Doing::Parked, 0, 0);
    scene.pass(60_000 * MS);
    stall(&mut scene);
    let said = scene.said();
    assert!(
        said.starts_with("tourbillon: 7 more stalls were not reported\n"),
        "{said}"
    );
    stall(&mut scene);
    assert!(scene.said().starts_with("tourbillon: loop stuck"));
}

#[test]
fn while_one_tells_the_other_sees_on() {
    let mut scene = Scene::with(Watchdog::new().reports_per_minute(1_000));
    let mut seq = 1;
    let mut stall = |scene: &mut Scene| {
        seq += 2;
        scene.does(Doing::Turning, seq, seq);
        for _ in 0..6 {
            scene.see(NAP);
        }
    };
    for _ in 0..5 {
        stall(&mut scene);
    }
    scene.does(Doing::Parked, 0, 0);
    scene.see(NAP);
    scene.tell();
    let stages: Vec<Stage> = scene.stages().iter().map(|(stage, _)| *stage).collect();
    assert_eq!(stages, [Stage::Began, Stage::Over].repeat(5));
    // Who is too far behind hears of the rest as a number.
    for _ in 0..100 {
        stall(&mut scene);
    }
    scene.does(Doing::Parked, 0, 0);
    scene.see(NAP);
    scene.tell();
    scene.said();
    let told = scene.told.lock().unwrap().len();
    assert!((2 * 32..2 * 70).contains(&told), "{told}");
    assert_eq!(told % 2, 0, "each that began is over");
    let missed = 100 - (told - 10) / 2;
    scene.see(NAP);
    scene.tell();
    let said = scene.said();
    let expected = format!("tourbillon: {missed} more stalls were not reported\n");
    assert_eq!(said, expected);
    assert_eq!(
        scene.board.marks.load(SeqCst),
        105,
        "and the loop counts all"
    );
}

#[test]
fn what_was_held_back_is_said_when_the_minute_is_over_or_the_watch_is() {
    let stall = |scene: &mut Scene, seq: u64| {
        scene.does(Doing::Turning, seq, seq);
        scene.pass(LIMIT + 2 * NAP);
        scene.does(Doing::Parked, seq + 1, seq);
        scene.after(NAP);
    };
    for ends in [false, true] {
        let mut scene = Scene::with(Watchdog::new().reports_per_minute(1));
        for number in 0..3 {
            stall(&mut scene, 2 * number + 1);
        }
        assert!(!scene.said().contains("more stalls"));
        if ends {
            scene.guard.end();
            scene.tell();
        } else {
            scene.pass(60_000 * MS);
        }
        assert_eq!(
            scene.said(),
            "tourbillon: 2 more stalls were not reported\n"
        );
        scene.guard.end();
        scene.tell();
        assert_eq!(scene.said(), "");
    }
}

#[test]
fn turns_that_are_slow_do_not_use_up_what_stalls_may_say() {
    let mut scene = Scene::with(Watchdog::new().reports_per_minute(1));
    for step in 0..40 {
        scene.does(Doing::Turning, 101 + 2 * step, 5 + step / 10);
        scene.after(NAP);
    }
    assert_eq!(scene.said().matches("slow turn").count(), 1);
    scene.does(Doing::Turning, 1001, 99);
    scene.pass(LIMIT + 2 * NAP);
    let said = scene.said();
    assert!(
        said.starts_with("tourbillon: loop stuck for 100 ms"),
        "{said}"
    );
}
