//! The chapters in which a loop lives beside others, or inside another.

use super::{Output, numbers};

pub(super) fn embedding(output: &Output) {
    output.in_order(&["A. ", "frame 10:", "frame 20:", "frame 30:", "B. "]);
    let beats = numbers(output.line("frame 30"))[1];
    assert!((3.0..=30.0).contains(&beats), "{beats} beats");
    if cfg!(mio_unsupported_force_poll_poll) {
        output.in_order(&["B. ", "Left out"]);
        return;
    }
    output.in_order(&["B. ", "the timer fired", "the job ended: true"]);
    output.in_order(&["B. ", "a byte on its own socket", "turns "]);
    output.in_order(&["B. ", "the loop's fd is readable", "the job ended"]);
}

pub(super) fn two_loops(output: &Output) {
    for number in 1..=6 {
        let place = if number % 2 == 1 { "main" } else { "there" };
        output.in_order(&[&format!("hit {number} on {place}"), "after its end: "]);
    }
    assert!(output.line("after its end").contains("has shut down"));
    output.in_order(&["seen here 3, seen there 3"]);
}

pub(super) fn loop_per_core(output: &Output) {
    let dealt = output.lines();
    let dealt = dealt
        .iter()
        .filter(|line| line.contains(" of 64 connections"));
    let dealt: Vec<f64> = dealt.map(|line| numbers(line)[0]).collect();
    assert!(dealt.len() >= 2, "{}", output.text);
    assert_eq!(dealt.iter().sum::<f64>(), 64.0);
}

pub(super) fn host_loop(output: &Output) {
    output.in_order(&["A. ", "beat 1", "beat 2", "beat 3", "beat 4", "B. "]);
    output.in_order(&[
        "B. ",
        "a job is out",
        "host: told to turn the loop",
        "ended: true",
    ]);
    output.in_order(&["B. ", "host: paints"]);
}

pub(super) fn inside_tokio(output: &Output) {
    let guest = [
        "guest: beat 1",
        "guest: beat 2",
        "guest: beat 3",
        "job has ended: true",
    ];
    output.in_order(&guest);
    output.in_order(&[
        "host:  beat 1",
        "host:  beat 2",
        "host:  beat 3",
        "host:  beat 4",
    ]);
    // Neither is held up by the other: each has run before the other has ended.
    output.in_order(&["host:  beat 1", "guest: beat 3"]);
    output.in_order(&["guest: beat 1", "host:  beat 4"]);
}
