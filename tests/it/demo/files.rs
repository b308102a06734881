//! What the demo leaves behind: real runs, whose diagrams must have the shapes that everybody
//! knows.

use std::fs;
use std::thread;

use crate::support::Folder;

use super::{shown, text};

/// Participants and arrows of a diagram, with the labels of the arrows.
struct Diagram {
    text: String,
    participants: Vec<String>,
    arrows: Vec<(String, String)>,
}

impl Diagram {
    fn read(text: String) -> Self {
        let lines = || text.lines().map(str::trim);
        let participants = lines().filter_map(|line| line.strip_prefix("participant "));
        let participants = participants.map(|line| line.to_owned()).collect();
        let arrows = lines().filter_map(|line| {
            let (head, label) = line.split_once(": ")?;
            let is_arrow = head.contains(">>") || head.contains("-)");
            is_arrow.then(|| (head.to_owned(), label.to_owned()))
        });
        let arrows = arrows.collect();
        Diagram {
            text,
            participants,
            arrows,
        }
    }

    /// The place of the first arrow like this.
    #[track_caller]
    fn at(&self, head: &str, label: &str) -> usize {
        let is_it = |arrow: &(String, String)| arrow.0 == head && arrow.1.contains(label);
        let place = self.arrows.iter().position(is_it);
        place.unwrap_or_else(|| panic!("no {head}: {label} in\n{}", self.text))
    }

    /// Asserts that these arrows are there, in this order.
    #[track_caller]
    fn tells(&self, arrows: &[(&str, &str)]) {
        let places: Vec<usize> = arrows.iter().map(|&(a, b)| self.at(a, b)).collect();
        assert!(places.is_sorted(), "{places:?} in\n{}", self.text);
    }
}

const C: &str = "C as Client";
const EL: &str = "EL as Event Loop";
const AR: &str = "AR as Async Route";
const TP: &str = "TP as Thread Pool";
const H: &str = "H as heavy_sync_operation";

/// Where the watchdog can name functions.
pub(super) const NAMES: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    target_arch = "x86_64",
    feature = "symbols"
));

#[test]
fn both_diagrams_come_out_of_real_runs() {
    let folder = Folder::new();
    let out = folder.path("demo");
    let output = shown(&["--how=sleep", "--out", out.to_str().unwrap()], "80");
    let report = text(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(report.contains("files    trace.json, blocked.mmd, offloaded.mmd in"));
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    if !NAMES {
        return;
    }
    // As the terminal breaks it.
    let words: Vec<&str> = report.split_whitespace().collect();
    let words = words.join(" ");
    assert!(words.contains("in heavy_sync_operation (examples/blocking_vs_offloaded/heavy.rs:"));
    assert!(words.contains("called from task \"GET /bad-practice\": asleep on purpose."));

    let blocked = Diagram::read(read("blocked.mmd"));
    assert_eq!(blocked.participants, [C, EL, AR, H], "{}", blocked.text);
    blocked.tells(&[
        ("C->>EL", "request"),
        ("EL->>AR", "GET /bad-practice"),
        ("AR->>H", "heavy_sync_operation()"),
        ("C->>EL", "GET /ping"),
        ("H-->>AR", "back after"),
        ("AR-->>EL", "done"),
        ("EL-->>C", "response"),
    ]);
    // Who waits is answered after the one that held the loop.
    assert!(
        blocked.arrows.last().unwrap().0 == "EL-->>C",
        "{}",
        blocked.text
    );
    assert!(
        blocked.text.contains("Note over EL,H: loop stuck "),
        "{}",
        blocked.text
    );
    assert!(
        blocked.text.contains("Note over EL: waits "),
        "{}",
        blocked.text
    );

    let offloaded = Diagram::read(read("offloaded.mmd"));
    assert_eq!(
        offloaded.participants,
        [C, EL, AR, TP, H],
        "{}",
        offloaded.text
    );
    // The third poll, where the request came later than its connection.
    let is_second = offloaded.text.contains("EL->>AR: poll 2");
    let resumed = if is_second { "poll 2" } else { "poll 3" };
    // Who is first, the worker or the route that gives the loop back, is chance.
    for one in [("TP->>H", "run on worker-1"), ("AR-->>EL", "await (job)")] {
        offloaded.tells(&[
            ("C->>EL", "request"),
            ("EL->>AR", "GET /good-practice"),
            ("AR-)TP", "heavy_sync_operation"),
            one,
            ("C->>EL", "GET /ping"),
            ("H-->>TP", "back after"),
            ("TP--)EL", "done"),
            ("EL->>AR", resumed),
            ("AR-->>EL", "done"),
        ]);
    }
    let light = offloaded.at("C->>EL", "GET /ping");
    assert_eq!(
        offloaded.arrows[light + 1].0,
        "EL-->>C",
        "{}",
        offloaded.text
    );

    let trace: serde_json::Value = serde_json::from_str(&read("trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let named = |name: &str| events.iter().filter(|event| event["name"] == name).count();
    // Both runs of 20 light requests and a heavy one.
    assert_eq!(named("client sent"), 42);
    assert!(named("GET /bad-practice") >= 1 && named("GET /good-practice") >= 1);
}

/// A verdict each, of the kernel.
#[test]
fn four_ways_to_block_are_told_apart() {
    // At once: of the three only one wants a processor.
    thread::scope(|scope| {
        for how in ["cpu", "lock", "file"] {
            scope.spawn(move || is_told_apart(how));
        }
    });
}

fn is_told_apart(how: &str) {
    let output = shown(&["--json", "--no-files", "--how", how], "80");
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["how"], how);
    assert!(json["files"].is_null(), "{json}");
    let culprit = &json["culprit"];
    if !NAMES {
        return;
    }
    // A machine that has no processor to give is `starved`, and not the work's fault.
    let is_kind = culprit["kind"] == how || how == "cpu" && culprit["kind"] == "starved";
    assert!(is_kind, "{culprit}");
    assert_eq!(culprit["function"], "heavy_sync_operation", "{culprit}");
    assert_eq!(culprit["task"], "GET /bad-practice", "{culprit}");
    let place = culprit["place"].as_str().unwrap_or_default();
    let file = "examples/blocking_vs_offloaded/heavy.rs";
    assert!(place.starts_with(file), "{culprit}");
}

#[test]
fn files_that_cannot_be_written_where_they_should_be_are_a_fault() {
    let folder = Folder::new();
    let out = folder.path("taken");
    fs::write(&out, "a file").unwrap();
    let words = ["--how=sleep", "--out", out.to_str().unwrap()];
    let output = super::demo(&words, "80");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("could not be written"),
        "{output:?}"
    );
}
