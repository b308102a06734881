//! The main job, run as a newcomer runs it; and its pictures, drawn from made-up facts.

use std::process::{Command, Output};

#[path = "../../examples/blocking_vs_offloaded/facts.rs"]
mod facts;
#[path = "../../examples/blocking_vs_offloaded/json.rs"]
mod json;
#[path = "../../examples/blocking_vs_offloaded/lanes.rs"]
mod lanes;
#[path = "../../examples/blocking_vs_offloaded/look.rs"]
mod look;
#[path = "../../examples/blocking_vs_offloaded/options.rs"]
mod options;
#[path = "../../examples/blocking_vs_offloaded/table.rs"]
mod table;
#[path = "../../examples/blocking_vs_offloaded/verdict.rs"]
mod verdict;

mod files;
mod golden;
mod pictured;
mod watched;

use crate::support::built;
use facts::{Culprit, Facts, HeavyFact, How, LightFact, Run};
use files::NAMES;
use golden::{FULL, NARROW, WIDE};
use look::Look;
use options::{Asked, Options, Out};

fn demo(words: &[&str], columns: &str) -> Output {
    Command::new(built("blocking_vs_offloaded"))
        .args(words)
        .env("COLUMNS", columns)
        .env_remove("NO_COLOR")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

/// A machine that stands still for a second has every run fail, and the demo says so.
const ATTEMPTS: usize = 3;

/// Runs the demo, again if the machine was too busy to show anything.
fn shown(words: &[&str], columns: &str) -> Output {
    let mut output = demo(words, columns);
    for _ in 1..ATTEMPTS {
        let shows_nothing = output.status.code() == Some(1) && !output.stdout.is_empty();
        if !shows_nothing {
            break;
        }
        output = demo(words, columns);
    }
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The numbers that stand after this name, in order.
fn numbers(json: &str, name: &str) -> Vec<f64> {
    let name = format!("\"{name}\":");
    let values = json.split(&name).skip(1);
    let number = |rest: &str| {
        let end = rest.find([',', '}', ']']).unwrap();
        rest[..end].parse().unwrap()
    };
    values.map(number).collect()
}

#[test]
fn it_shows_that_blocking_harms_and_offloading_helps() {
    let output = shown(&["--json", "--no-files", "--how", "sleep"], "80");
    let json = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    assert!(json.starts_with('{') && json.ends_with("}\n"), "{json}");
    assert_eq!(json.lines().count(), 1, "{json}");
    assert!(
        json.contains("\"how\":\"sleep\"") && json.contains("\"ok\":true"),
        "{json}"
    );
    assert!(numbers(json, "factor")[0] > 3.0, "{json}");

    let due: Vec<f64> = (0..20).map(|number| f64::from(number) * 100.0).collect();
    assert_eq!(numbers(json, "scheduled_ms"), [&due[..], &due[..]].concat());
    assert_eq!(numbers(json, "start_ms"), [150.0, 150.0]);
    let (a, b) = json.split_once("\"b\":").unwrap();
    let (light, heavy) = a.split_once("\"heavy\":[").unwrap();
    let latencies = numbers(light, "latency_ms");
    // Nobody is answered before the loop is free; up to 300 ms, the heavy one may still be on its
    // way on a busy machine.
    for (due, latency) in due.iter().zip(latencies) {
        let blocked = (300.0..=1100.0).contains(due);
        assert!(!blocked || due + latency >= 1150.0, "due {due}: {latency}");
    }
    assert!(numbers(heavy, "latency_ms")[0] >= 1000.0, "{heavy}");
    assert!(
        numbers(heavy, "loop_longest_stuck_ms")[0] > 900.0,
        "{heavy}"
    );
    assert!(heavy.contains("\"thread\":\"main\""), "{heavy}");
    assert!(b.contains("\"thread\":\"worker-1\""), "{b}");
}

#[test]
fn a_pipe_gets_plain_text_of_the_width_asked_for() {
    let output = shown(&["--ascii", "--no-files", "--how=sleep"], "60");
    let report = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "");
    assert!(
        report.contains("VERDICT") && report.contains("on worker-1"),
        "{report}"
    );
    let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
    assert!(output.stdout.iter().all(is_plain), "{report}");
    for line in report.lines() {
        assert!(line.len() <= 60, "{line:?} has {} columns", line.len());
    }
}

#[test]
fn what_it_does_not_understand_is_named() {
    for (words, named) in [
        (&["--colour"][..], "--colour"),
        (&["fast"][..], "fast"),
        (&["--json=yes"][..], "--json=yes"),
        (&["--how"][..], "--how needs"),
        (&["--how", "dream"][..], "dream"),
        (&["--out"][..], "--out needs"),
        (&["--heavy", "0"][..], "`0`"),
        (&["--heavy=65"][..], "`65`"),
        (&["--heavy=many"][..], "`many`"),
    ] {
        let output = demo(words, "80");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert_eq!(text(&output.stdout), "", "{words:?}");
        assert!(text(&output.stderr).contains(named), "{output:?}");
    }
    let output = demo(&["--help"], "80");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stdout), options::HELP);
}

#[test]
fn options_are_read_in_any_order() {
    let words = "--ascii --heavy=8 --out=/tmp/a --how sleep --watch";
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let expected = Options {
        how: How::Sleep,
        heavy: 8,
        json: false,
        ascii: true,
        watch: true,
        out: Out::Folder("/tmp/a".into()),
    };
    assert_eq!(Options::parse(words.into_iter()), Ok(Asked::Run(expected)));
}

/// Runs as they would be on a machine without any noise.
fn ideal(heavy: usize) -> Facts {
    let options = Options {
        heavy,
        ..Options::default()
    };
    let plan = options.plan();
    let run = |on_loop: bool| {
        let in_turn = |index: usize| (index / if on_loop { 1 } else { 4 }) as f64 * 1000.0;
        let heavy = (0..heavy).map(|index| HeavyFact {
            start: 150.0,
            began: 150.25 + in_turn(index),
            ended: 1150.25 + in_turn(index),
            answered: 1150.5 + in_turn(index),
            on_loop,
            thread: match on_loop {
                true => "main".to_owned(),
                false => format!("worker-{}", index % 4 + 1),
            },
            digest: "c0ffee".to_owned(),
        });
        let heavy: Vec<_> = heavy.collect();
        let free = heavy.last().map_or(0.0, |last| last.answered);
        let light = (0..20).map(|index| {
            let scheduled = f64::from(index) * 100.0;
            let waits = on_loop && scheduled > 150.0 && scheduled < free;
            let handled = if waits { free } else { scheduled + 0.25 };
            LightFact {
                scheduled,
                handled,
                answered: handled + 0.25,
            }
        });
        Run {
            light: light.collect(),
            heavy,
            stuck: if on_loop { free - 151.0 } else { 1.5 },
        }
    };
    Facts {
        plan,
        a: run(true),
        b: run(false),
        culprit: Some(Culprit {
            function: "heavy_sync_operation".to_owned(),
            place: "examples/heavy.rs:41".to_owned(),
            task: "GET /bad-practice".to_owned(),
            verdict: "on CPU",
            kind: "cpu",
            stuck_ms: 1000.0,
        }),
    }
}

fn look(width: usize, ascii: bool) -> Look {
    Look {
        width,
        ascii,
        colour: false,
    }
}

fn report(facts: &Facts, look: &Look) -> String {
    let parts = [
        table::header(&facts.plan, look),
        lanes::timelines(facts, look),
        table::latencies(facts, look),
        table::verdict(&verdict::judge(facts), look),
    ];
    parts.join("\n")
}

#[track_caller]
fn assert_drawn(report: &str, golden: &str) {
    let golden = golden.replace("VERSION", facts::VERSION);
    let golden = golden.replace("BACKEND", facts::BACKEND);
    assert!(
        report == golden,
        "this was drawn:\n{report}\nand not:\n{golden}"
    );
}

#[test]
fn the_report_is_drawn_in_80_columns() {
    assert_drawn(&report(&ideal(1), &look(80, false)), WIDE);
}

#[test]
fn the_report_is_drawn_in_40_columns_of_ascii() {
    let mut facts = ideal(1);
    facts.a.light.truncate(3);
    facts.b.light.truncate(5);
    assert_drawn(&report(&facts, &look(40, true)), NARROW);
}

#[test]
fn the_line_of_the_files_is_broken_like_the_rest() {
    let names = ["trace.json", "blocked.mmd", "offloaded.mmd"];
    let line = |width| table::files(&names, "target/demo", &look(width, false));
    let wide = [
        "files    trace.json, blocked.mmd, offloaded.mmd in target/demo; the first opens",
        "         in ui.perfetto.dev\n",
    ];
    assert_eq!(line(80), wide.join("\n"));
    assert!(line(40).lines().all(|line| line.len() <= 40));
}

#[test]
fn a_full_pool_grows_a_queue_in_the_picture() {
    let mut facts = ideal(6);
    facts.a.light.truncate(3);
    assert_drawn(&lanes::timelines(&facts, &look(80, false)), FULL);
}

#[test]
fn no_line_is_too_wide_and_colours_add_nothing_but_colour() {
    for width in 40..=120 {
        for heavy in [1, 6] {
            let plain = report(&ideal(heavy), &look(width, false));
            for line in plain.lines() {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
            }
            let colour = Look {
                width,
                ascii: false,
                colour: true,
            };
            let coloured = report(&ideal(heavy), &colour);
            assert!(coloured.contains("\x1b[31m█"), "{coloured:?}");
            let mut pieces = coloured.split("\x1b[");
            let mut stripped = pieces.next().unwrap().to_owned();
            stripped.extend(pieces.map(|piece| piece.split_once('m').unwrap().1));
            assert_eq!(stripped, plain);
        }
    }
}

#[test]
fn runs_that_show_nothing_are_not_praised() {
    let verdict = |facts: &Facts| {
        let verdict = verdict::judge(facts);
        (verdict.ok, verdict.sentences.join(" "))
    };
    let mut facts = ideal(1);
    facts.a.light = ideal(1).b.light;
    let (ok, why) = verdict(&facts);
    assert!(
        !ok && why.contains("did not show in A") && why.contains("run again"),
        "{why}"
    );

    let mut facts = ideal(1);
    facts.b.light = ideal(1).a.light;
    let (ok, why) = verdict(&facts);
    assert!(
        !ok && why.contains("did not help") && why.contains("run again"),
        "{why}"
    );

    let mut facts = ideal(1);
    facts.b.heavy[0].on_loop = true;
    let (ok, why) = verdict(&facts);
    assert!(!ok && why.contains("a worker in B"), "{why}");

    let mut facts = ideal(1);
    facts.b.heavy[0].digest.clear();
    let (ok, why) = verdict(&facts);
    assert!(!ok && why.contains("different results"), "{why}");
}

/// Whatever the numbers are, what is said of them is so.
#[test]
fn the_sentence_on_the_median_is_true() {
    let mut facts = ideal(1);
    let said = |facts: &Facts| verdict::judge(facts).sentences.pop().unwrap();
    assert!(said(&facts).starts_with("p50 alone hides all this (0.5 ms in A, 0.5 ms in B)"));
    // By accident better in A than in B.
    let later = |light: &mut LightFact, ms: f64| light.answered = light.scheduled + ms;
    facts.b.light.iter_mut().for_each(|light| later(light, 8.0));
    assert!(said(&facts).starts_with("p50 alone hides all this (0.5 ms in A, 8.0 ms in B)"));
    // More than half waited in A.
    facts
        .a
        .light
        .iter_mut()
        .skip(2)
        .for_each(|light| later(light, 25.0));
    later(&mut facts.a.light[0], 500.0);
    assert!(said(&facts).starts_with("p50 shows it too (25.0 ms in A, 8.0 ms in B), as more"));
    facts
        .b
        .light
        .iter_mut()
        .for_each(|light| later(light, 30.0));
    assert!(said(&facts).starts_with("p50 says little of it here (25.0 ms in A, 30.0 ms in B)"));
}

#[test]
fn a_verdict_without_the_watchdogs_word_is_a_sentence_still() {
    let mut facts = ideal(1);
    facts.culprit = None;
    let sentences = verdict::judge(&facts).sentences;
    assert_eq!(sentences[0], "In A the loop was stuck for 1000 ms.");
}

#[test]
fn the_json_holds_the_same_facts() {
    let mut facts = ideal(1);
    facts.a.light.truncate(1);
    facts.b.light.truncate(1);
    facts.b.heavy[0].thread = "a \"b\"\n".to_owned();
    let verdict = verdict::Verdict {
        ok: true,
        factor: f64::INFINITY,
        sentences: vec!["So.".into(); 2],
    };
    let run = |thread: &str, stuck: &str| {
        format!(
            "{{\"light\":[{{\"scheduled_ms\":0.000,\"latency_ms\":0.500}}],\
             \"heavy\":[{{\"start_ms\":150.000,\"latency_ms\":1000.500,\"thread\":\"{thread}\"}}],\
             \"p50\":0.500,\"p90\":0.500,\"p99\":0.500,\"max\":0.500,\
             \"over_100ms\":0,\"waited\":0,\"loop_longest_stuck_ms\":{stuck}}}"
        )
    };
    let expected = format!(
        "{{\"version\":\"{}\",\"backend\":\"{}\",\"workers\":4,\"how\":\"cpu\",\"heavy\":1,\
         \"a\":{},\"b\":{},\"culprit\":{{\"function\":\"heavy_sync_operation\",\
         \"place\":\"examples/heavy.rs:41\",\"task\":\"GET /bad-practice\",\"kind\":\"cpu\",\
         \"verdict\":\"on CPU\",\"stuck_ms\":1000.000}},\"factor\":null,\
         \"verdict\":\"So. So.\",\"ok\":true,\"files\":\"a/b\"}}\n",
        facts::VERSION,
        facts::BACKEND,
        run("main", "999.500"),
        run("a \\\"b\\\"\\u000a", "1.500"),
    );
    assert_eq!(
        json::object(&facts, &verdict, Some("a/b".as_ref())),
        expected
    );
}
