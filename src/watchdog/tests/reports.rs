//! What a report says, and that nobody can make it say more.

use std::time::Duration;

use crate::watch::{Frame, Owner, Stall, Verdict};
use crate::watchdog::report::{Stage, StallReport};
use crate::watchdog::watched::Waiting;

fn frame(function: &str, file: &str, line: u32, owner: Owner) -> Frame {
    Frame {
        function: function.to_owned(),
        file: file.to_owned(),
        line,
        owner,
    }
}

fn report() -> StallReport {
    StallReport {
        stage: Stage::Began,
        stall: Stall {
            id: 1,
            task: 88,
            label: "GET /bad-practice".to_owned(),
            place: "src/server/accept.rs:88".to_owned(),
            poll: 2,
            verdict: Verdict::Cpu,
            stack: vec![
                frame(
                    "core::num::wrapping_add",
                    "library/core/src/num.rs",
                    9,
                    Owner::Std,
                ),
                frame("blocked::heavy", "examples/blocked.rs", 41, Owner::Yours),
                frame(
                    "blocked::handler::{closure}",
                    "examples/blocked.rs",
                    58,
                    Owner::Yours,
                ),
                frame(
                    "tourbillon::runtime::turn",
                    "src/runtime/turn.rs",
                    1,
                    Owner::Runtime,
                ),
            ],
            same: (1, 1),
            ..Stall::default()
        },
        elapsed: Duration::from_millis(103),
        limit: Duration::from_millis(100),
        cpu: Some(Duration::from_millis(101)),
        syscall: None,
        how: "unwinder".to_owned(),
        waiting: Waiting {
            ready: 2,
            callbacks: 1,
            overdue: 4,
            worst_late: Duration::from_millis(70),
            unread: 3,
            accept: Some((4, 1024)),
        },
        held_back: 0,
        shows_all: false,
    }
}

#[test]
fn a_report_names_who_where_what_and_who_waits() {
    let expected = "\
tourbillon: loop stuck for 103 ms and counting (limit 100 ms)                  stall 1
  task     #88 \"GET /bad-practice\", poll 2               spawned at src/server/accept.rs:88
  state    on CPU, 101 of 103 ms
  stuck in blocked::heavy                                examples/blocked.rs:41
           blocked::handler::{closure}                   examples/blocked.rs:58
           (2 runtime and library frames hidden, TOURBILLON_FULL_STACK=1 shows them)
  waiting  2 ready tasks, 1 callback, 4 timers overdue, 3 sockets unread, \
accept queue 4 of 1024, worst 70 ms late
  try      tourbillon::spawn_blocking(f).await, or split it by tourbillon::yield_now().await
";
    assert_eq!(report().to_string(), expected);
}

#[test]
fn all_frames_are_shown_to_who_asks_or_if_none_is_the_programs() {
    let mut report = report();
    report.shows_all = true;
    let text = report.to_string();
    assert!(text.contains("stuck in core::num::wrapping_add"), "{text}");
    assert!(
        text.contains("src/runtime/turn.rs:1") && !text.contains("hidden"),
        "{text}"
    );
    report.shows_all = false;
    report.stall.stack.retain(|frame| frame.owner == Owner::Std);
    let text = report.to_string();
    assert!(text.contains("stuck in core::num::wrapping_add"), "{text}");
    report.stall.stack.clear();
    report.how = "frame pointers".to_owned();
    assert!(
        report
            .to_string()
            .contains("  stack    none: frame pointers\n")
    );
}

#[test]
fn what_it_is_stuck_in_is_the_culprit_whatever_that_calls() {
    let mut report = report();
    let by = |function: &str, owner| frame(function, "", 0, owner);
    report.stall.stack = vec![
        by("clock_nanosleep", Owner::Std),
        by("sqlite3_step", Owner::Unknown),
        by("shop::pay", Owner::Yours),
        by("main", Owner::Std),
    ];
    let text = report.to_string();
    assert!(
        text.contains("  stuck in shop::pay\n           (3 runtime"),
        "{text}"
    );
    assert_eq!(report.stall.culprit().unwrap().function, "shop::pay");
    report.stall.stack.remove(2);
    assert!(report.to_string().contains("  stuck in sqlite3_step\n"));
    // More of the program's own than there is room for are not called somebody else's.
    report.stall.stack = (0..20).map(|_| by("shop::fib", Owner::Yours)).collect();
    assert!(report.to_string().contains("(12 other frames hidden, "));
}

#[test]
fn a_system_call_is_named_where_it_is_waited_in() {
    let mut report = report();
    report.stall.verdict = Verdict::Sleep;
    report.syscall = Some("clock_nanosleep".to_owned());
    report.cpu = Some(Duration::from_millis(1));
    let text = report.to_string();
    let state = "  state    asleep on purpose (clock_nanosleep), on CPU 1 of 103 ms\n";
    assert!(text.contains(state), "{text}");
}

#[test]
fn strangers_cannot_write_lines_of_their_own() {
    let evil = "GET /\n\x1b[2Jtourbillon: all is well\"\\\u{2028}";
    let mut report = report();
    report.stall.label = evil.to_owned();
    report.stall.stack[1].function = evil.to_owned();
    report.stall.stack[1].file = evil.to_owned();
    let lines = report.to_string().lines().count();
    assert_eq!(lines, 8);
    assert!(!report.to_string().contains('\x1b'));
    for stage in [Stage::Began, Stage::Lasts, Stage::Over] {
        report.stage = stage;
        let is_control = |letter: char| letter.is_control();
        assert!(!report.json().contains(is_control), "{}", report.json());
        assert!(!report.to_string().replace('\n', "").contains(is_control));
    }
    assert!(
        report
            .json()
            .contains(r#""label":"GET /\n\u001b[2Jtourbillon"#)
    );
}

#[test]
fn the_line_for_machines_holds_all_of_it() {
    let expected = concat!(
        r#"{"tourbillon":"stall","id":1,"ms":103,"limit_ms":100,"task":88,"#,
        r#""label":"GET /bad-practice","place":"src/server/accept.rs:88","poll":2,"#,
        r#""kind":"cpu","verdict":"on CPU","cpu_ms":101,"syscall":null,"stack":["#,
        r#"{"function":"core::num::wrapping_add","file":"library/core/src/num.rs","line":9,"#,
        r#""owner":"std"},{"function":"blocked::heavy","file":"examples/blocked.rs","line":41,"#,
        r#""owner":"yours"},{"function":"blocked::handler::{closure}","#,
        r#""file":"examples/blocked.rs","line":58,"owner":"yours"},"#,
        r#"{"function":"tourbillon::runtime::turn","file":"src/runtime/turn.rs","line":1,"#,
        r#""owner":"runtime"}],"how":"unwinder","same":[1,1],"waiting":{"ready":2,"#,
        r#""callbacks":1,"overdue":4,"worst_late_ms":70,"unread":3,"accept":[4,1024]},"#,
        r#""held_back":0,"try":"tourbillon::spawn_blocking(f).await, or split it by "#,
        r#"tourbillon::yield_now().await"}"#,
    );
    assert_eq!(report().json(), expected);
}
