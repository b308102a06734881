//! Bytes per task, by what the kernel says of a process that does nothing else.

use std::env;
use std::fs;
use std::future::pending;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::peers::{LocalPeer, Peer, TimerPeer};

/// Before the kind of tasks, the peer, and how many: this process is to have
/// them and to print what they take.
const CHILD: &str = "--child";

/// An operation: a task that waits for nothing.
pub(crate) fn idle<P: Peer>(ops: usize, _width: usize) -> Vec<f64> {
    vec![in_child("idle", P::NAME, ops)]
}

/// An operation: a task that sleeps.
pub(crate) fn sleeping<P: Peer>(ops: usize, _width: usize) -> Vec<f64> {
    vec![in_child("sleeping", P::NAME, ops)]
}

fn in_child(kind: &str, name: &str, ops: usize) -> f64 {
    let this = env::current_exe().expect("this program has a path");
    let mut child = Command::new(this);
    child.args([CHILD, kind, name, &ops.to_string()]);
    let output = child.output().expect("this program can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("the child prints a number")
}

/// Whether this process is a child, which has then done its work.
pub(crate) fn was_child() -> bool {
    let args: Vec<String> = env::args().skip(1).collect();
    let [flag, kind, name, ops] = &args[..] else {
        return false;
    };
    if flag != CHILD {
        return false;
    }
    let ops = ops.parse().expect("the parent passes a number");
    let sides = match kind.as_str() {
        "idle" => crate::local!(have_idle),
        _ => crate::timed!(have_sleeping),
    };
    let side = sides.iter().find(|(own, _)| own == name);
    let (_, side) = side.expect("the parent names a peer");
    println!("{}", side(ops, 1)[0]);
    true
}

fn have_idle<P: LocalPeer>(ops: usize, _width: usize) -> Vec<f64> {
    have::<P>(ops, || P::launch(pending()))
}

fn have_sleeping<P: TimerPeer>(ops: usize, _width: usize) -> Vec<f64> {
    let at = Instant::now() + Duration::from_secs(3_600);
    have::<P>(ops, || {
        P::launch(async move {
            P::sleep_until(at).await;
        });
    })
}

fn have<P: LocalPeer>(ops: usize, launch: impl Fn()) -> Vec<f64> {
    P::new().block_on(async {
        // What the first one alone makes is not theirs.
        launch();
        P::spawn_local(async {}).await;
        let before = resident();
        (0..ops).for_each(|_| launch());
        // Those before it have been polled.
        P::spawn_local(async {}).await;
        vec![(resident() - before) / ops as f64]
    })
}

/// In bytes. `statm` is not exact: the kernel counts there in batches.
fn resident() -> f64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has it since 4.14");
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib
        .and_then(|kib| kib.parse().ok())
        .expect("it says how much is resident");
    kib * 1_024.0
}
