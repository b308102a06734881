//! The same facts for a program to read.

use std::fmt::Write;

use std::path::Path;

use super::facts::{BACKEND, Culprit, Facts, Run, VERSION, WORKERS};
use super::verdict::Verdict;

/// One object on one line.
pub(super) fn object(facts: &Facts, verdict: &Verdict, folder: Option<&Path>) -> String {
    let null = || "null".to_owned();
    let folder = folder.map_or_else(null, |folder| string(&folder.to_string_lossy()));
    let members = [
        ("version", string(VERSION)),
        ("backend", string(BACKEND)),
        ("workers", WORKERS.to_string()),
        ("how", string(facts.plan.how.name())),
        ("heavy", facts.plan.heavy.to_string()),
        ("a", run(&facts.a)),
        ("b", run(&facts.b)),
        ("culprit", facts.culprit.as_ref().map_or_else(null, culprit)),
        ("factor", number(verdict.factor)),
        ("verdict", string(&verdict.sentences.join(" "))),
        ("ok", verdict.ok.to_string()),
        ("files", folder),
    ];
    braced(&members) + "\n"
}

pub(super) fn culprit(culprit: &Culprit) -> String {
    braced(&[
        ("function", string(&culprit.function)),
        ("place", string(&culprit.place)),
        ("task", string(&culprit.task)),
        ("kind", string(culprit.kind)),
        ("verdict", string(culprit.verdict)),
        ("stuck_ms", number(culprit.stuck_ms)),
    ])
}

fn run(run: &Run) -> String {
    let light = run.light.iter().map(|light| {
        braced(&[
            ("scheduled_ms", number(light.scheduled)),
            ("latency_ms", number(light.latency())),
        ])
    });
    let heavy = run.heavy.iter().map(|heavy| {
        braced(&[
            ("start_ms", number(heavy.start)),
            ("latency_ms", number(heavy.latency())),
            ("thread", string(&heavy.thread)),
        ])
    });
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    let of = run.summary();
    braced(&[
        ("light", list(light.collect())),
        ("heavy", list(heavy.collect())),
        ("p50", number(of.p50)),
        ("p90", number(of.p90)),
        ("p99", number(of.p99)),
        ("max", number(of.max)),
        ("over_100ms", of.over_100ms.to_string()),
        ("waited", of.waited.to_string()),
        ("loop_longest_stuck_ms", number(run.stuck)),
    ])
}

pub(super) fn braced(members: &[(&str, String)]) -> String {
    let members = members.iter();
    let members: Vec<String> = members
        .map(|(name, value)| format!("{}:{value}", string(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// To the microsecond. JSON has no word for what is not finite.
pub(super) fn number(number: f64) -> String {
    if number.is_finite() {
        format!("{number:.3}")
    } else {
        "null".to_owned()
    }
}

pub(super) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control < ' ' => {
                write!(quoted, "\\u{:04x}", u32::from(control)).expect("a String takes all");
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}
