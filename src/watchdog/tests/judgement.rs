//! Who is blamed and who is not, by a loop and a clock that are made up.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::scene::{LIMIT, MS, NAP, Scene};
use crate::watchdog::Watchdog;
use crate::watchdog::report::{Stage, StallReport};
use crate::watchdog::teller::Teller;
use crate::watchdog::watched::Doing;

#[test]
fn nobody_is_blamed_while_no_user_code_runs() {
    let mut scene = Scene::new();
    let idle = [
        (Doing::Parked, 10),
        // An odd number was left behind: a turn that panicked, a fork.
        (Doing::Parked, 11),
        (Doing::Held, 11),
        (Doing::Turning, 12),
    ];
    for (doing, seq) in idle {
        scene.does(doing, seq, 1);
        scene.pass(10_000 * MS);
        assert_eq!(scene.said(), "", "{doing:?} at {seq}");
    }
    let found = scene.found();
    assert!(found.stalls.is_empty() && found.gaps.is_empty() && found.slow_turns == 0);
}

#[test]
fn a_stall_is_told_at_the_limit_at_twice_at_four_times_and_when_it_is_over() {
    let mut scene = Scene::new();
    scene.does(Doing::Turning, 7, 1);
    scene.after(NAP);
    scene.pass(LIMIT - NAP);
    assert_eq!(scene.said(), "", "not before its time");
    scene.after(NAP);
    assert_eq!(scene.stages(), [(Stage::Began, 100)]);
    let text = scene.said();
    assert!(text.starts_with("tourbillon: loop stuck for 100 ms and counting (limit 100 ms)"));
    assert!(text.contains("#5 \"task at 7\", poll 3"), "{text}");
    assert!(text.contains("spawned at src/a.rs:7\n"), "{text}");
    assert!(
        text.contains("  stack    none: no stacks: it is made up\n"),
        "{text}"
    );
    assert!(text.contains("  waiting  2 ready tasks\n"), "{text}");
    assert_eq!(
        scene.board.marked.load(SeqCst),
        7,
        "the loop was asked to measure it"
    );
    assert!(scene.found().current.is_some());
    scene.pass(1_500 * MS);
    // It was seen 1.6 s ago; that it ended 8 ms ago, and was 1.633 s long, the loop knows.
    let now = scene.board.now.load(SeqCst);
    scene.board.ended.store(now + NAP - 8 * MS, SeqCst);
    scene.board.took.store(1_633 * MS, SeqCst);
    scene.does(Doing::Parked, 8, 1);
    scene.after(NAP);
    let lasts = [200, 400, 800, 1600].map(|ms| (Stage::Lasts, ms));
    let mut expected = vec![(Stage::Began, 100)];
    expected.extend(lasts);
    expected.push((Stage::Over, 1633));
    assert_eq!(scene.stages(), expected);
    let lines = scene.said();
    assert_eq!(
        lines.matches("tourbillon: loop still stuck after").count(),
        4
    );
    assert!(
        lines.contains("tourbillon: loop free again after 1633 ms"),
        "{lines}"
    );
    let found = scene.found();
    assert!(found.current.is_none());
    assert_eq!(found.stalls.len(), 1);
    assert_eq!(found.stalls[0].took, Some(1633 * MS));
    assert!(found.stalls[0].report.contains("free again"));
}

#[test]
fn a_process_that_stood_still_blames_nobody() {
    let mut scene = Scene::new();
    scene.does(Doing::Turning, 7, 1);
    scene.after(NAP);
    // SIGSTOP, two seconds.
    let look = scene.after(2_000 * MS);
    assert!(look.gap.is_some() && look.stuck.is_none());
    scene.pass(LIMIT - NAP);
    assert_eq!(scene.said(), "", "it begins anew");
    scene.after(NAP);
    assert_eq!(
        scene.stages(),
        [(Stage::Began, 100)],
        "and is stuck after all"
    );
    // In the middle of a stall: the time does not count.
    scene.after(5_000 * MS);
    scene.pass(LIMIT);
    scene.does(Doing::Turning, 9, 1);
    scene.after(NAP);
    let ends = scene.stages();
    assert_eq!(ends.last().unwrap().0, Stage::Over);
    assert!(ends.last().unwrap().1 < 400, "{ends:?}");
    let gaps = scene.found().gaps;
    let lengths: Vec<u64> = gaps.iter().map(|(from, to)| (to - from) / MS).collect();
    assert_eq!(lengths, [2000, 5000]);
}

#[test]
fn a_turn_of_many_short_polls_is_told_once() {
    let mut scene = Scene::new();
    for step in 0..40 {
        scene.does(Doing::Turning, 101 + 2 * step, 5);
        scene.after(NAP);
    }
    assert!(scene.stages().is_empty());
    let said = scene.said();
    let expected = "tourbillon: slow turn: turn 5 has lasted 100 ms (limit 100 ms), \
                    4 polls and calls ended in it, none too long alone\n";
    assert_eq!(said, expected);
    assert_eq!(scene.found().slow_turns, 1);
    // Time in the kernel is not the turn's.
    for step in 0..40 {
        let doing = [Doing::Turning, Doing::Parked][step % 2];
        scene.does(doing, 1001 + 2 * step as u64, 6);
        scene.after(NAP);
    }
    assert_eq!(scene.said(), "");
}

#[test]
fn a_program_that_panics_at_the_news_is_told_the_next() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let mut scene = Scene::new();
    let config = Watchdog::new().say_to(|_| ()).on_stall(|_| {
        CALLS.fetch_add(1, SeqCst);
        std::panic::resume_unwind(Box::new("a panic that is meant"));
    });
    scene.teller = Teller::new(&config, Arc::clone(&scene.findings), String::new());
    scene.does(Doing::Turning, 7, 1);
    scene.pass(LIMIT * 3);
    assert_eq!(CALLS.load(SeqCst), 2);
}

#[test]
fn a_loop_that_does_not_know_when_it_began_is_not_believed_too_much() {
    for (loops_word, told) in [(900, 225), (30, 200), (210, 210)] {
        let mut scene = Scene::new();
        scene.does(Doing::Turning, 7, 1);
        scene.after(NAP);
        let seen = scene.board.now.load(SeqCst);
        scene.pass(200 * MS);
        // It ended 200 ms after it was first seen, and had begun a nap before that at most.
        scene.board.ended.store(seen + 200 * MS, SeqCst);
        scene.board.took.store(loops_word * MS, SeqCst);
        scene.does(Doing::Parked, 8, 1);
        scene.after(NAP);
        assert_eq!(scene.stages().last(), Some(&(Stage::Over, told)));
    }
}

#[test]
fn a_loop_that_is_put_away_ends_its_stall() {
    let mut scene = Scene::new();
    scene.does(Doing::Turning, 7, 1);
    scene.pass(LIMIT + 2 * NAP);
    scene.guard.end();
    scene.tell();
    assert_eq!(scene.stages().last(), Some(&(Stage::Over, 125)));
    assert!(scene.found().current.is_none());
}

#[test]
fn a_limit_below_the_nap_does_not_make_every_look_a_gap() {
    let mut scene = Scene::with(Watchdog::new().threshold(Duration::from_millis(1)));
    scene.does(Doing::Turning, 7, 1);
    for _ in 0..4 {
        // The nap is 5 ms; to wake 4 ms late is nothing.
        assert_eq!(scene.after(9 * MS).gap, None);
    }
    assert!(!scene.stages().is_empty());
}

#[test]
fn machines_get_one_line_a_report() {
    let mut scene = Scene::with(Watchdog::new().json(true));
    scene.does(Doing::Turning, 7, 1);
    scene.pass(2 * LIMIT + NAP);
    scene.does(Doing::Parked, 8, 1);
    scene.after(NAP);
    let said = scene.said();
    let kinds: Vec<&str> = said
        .lines()
        .map(|line| {
            assert!(line.ends_with('}'), "{line}");
            line.split('"').nth(3).unwrap()
        })
        .collect();
    assert_eq!(kinds, ["stall", "still", "free"]);
}

/// Seeds to try: some, or `TOURBILLON_SEEDS`.
fn seeds() -> u64 {
    let seeds = std::env::var("TOURBILLON_SEEDS");
    seeds.ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// A loop that runs polls of any length, and a watchdog that wakes when it can.
#[test]
fn whoever_is_long_enough_is_told_and_nobody_else() {
    for seed in 1..=seeds() {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut scene = Scene::with(Watchdog::new().reports_per_minute(1_000_000));
        // Until when what runs now runs, and its number.
        let (mut seq, mut ends, mut began) = (0_u64, 0_u64, 0_u64);
        let mut long = Vec::new();
        let mut short = Vec::new();
        for _ in 0..2_000 {
            let now = scene.board.now.load(SeqCst);
            while ends <= now {
                let took = ends.saturating_sub(began);
                if seq % 2 == 1 && took > 0 {
                    // Seen a nap late, and told at a look: up to two late ones each.
                    if took >= LIMIT + 2 * (NAP + 10 * MS) {
                        long.push(seq);
                    } else if took < LIMIT {
                        short.push(seq);
                    }
                }
                seq += 1;
                began = ends.max(1_000 * MS);
                let longest = [20 * MS, 300 * MS, 1_000 * MS][draw(3) as usize];
                ends = began + 1 + draw(longest);
            }
            let doing = [Doing::Parked, Doing::Turning][(seq % 2) as usize];
            scene.does(doing, seq, seq);
            scene.after(NAP + draw(10 * MS));
        }
        let told = scene.told.lock().unwrap();
        let began = told.iter().filter(|report| report.stage == Stage::Began);
        let label = |report: &StallReport| report.stall.label.clone();
        let told: Vec<String> = began.map(label).collect();
        let name = |seq: &u64| format!("task at {seq}");
        let missed = long.iter().map(name).find(|name| !told.contains(name));
        assert_eq!(missed, None, "seed {seed}: it was not told of");
        let blamed = short.iter().map(name).find(|name| told.contains(name));
        assert_eq!(blamed, None, "seed {seed}: it was told of");
        assert!(
            long.len() > 5 && short.len() > 5,
            "seed {seed} shows nothing"
        );
    }
}

#[test]
fn what_the_kernel_says_makes_the_verdict() {
    use crate::sys::{RunState, Syscall, WaitsFor};
    use crate::watch::Verdict;
    use crate::watchdog::verdict::Facts;
    let call = |waits_for| {
        Some(Syscall {
            number: 1,
            waits_for,
            name: "call".to_owned(),
        })
    };
    let asleep = Some(RunState::Asleep);
    let running = Some(RunState::Running);
    let cases = [
        (running, None, Some(99), Verdict::Cpu),
        (asleep, call(WaitsFor::File), Some(95), Verdict::Cpu),
        (running, None, Some(60), Verdict::Cpu),
        (running, None, Some(10), Verdict::Starved),
        (running, None, None, Verdict::Unknown),
        (asleep, call(WaitsFor::Time), Some(1), Verdict::Sleep),
        (asleep, call(WaitsFor::Lock), Some(1), Verdict::Lock),
        (asleep, call(WaitsFor::File), Some(79), Verdict::File),
        (asleep, call(WaitsFor::Socket), None, Verdict::Socket),
        (asleep, call(WaitsFor::Other), Some(0), Verdict::Kernel),
        (asleep, None, Some(0), Verdict::Kernel),
        (Some(RunState::Stopped), None, None, Verdict::Unknown),
        (None, None, Some(0), Verdict::Unknown),
    ];
    for (state, call, cpu, verdict) in cases {
        let facts = Facts {
            state,
            call,
            cpu: cpu.map(Duration::from_millis),
            elapsed: Duration::from_millis(100),
        };
        assert_eq!(facts.verdict(), verdict, "{facts:?}");
    }
}
