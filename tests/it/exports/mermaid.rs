//! Sequence diagrams: their shape, and that no label is more than a label.
//!
//! What is drawn here is also left in target/exports, where CI has Mermaid's own parser read it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tourbillon::export::MermaidOptions;
use tourbillon::watch::{EventKind, PollResult, Recording};

use super::scenes::{MS, Scene, anything, blocked, offloaded, stall};

/// Draws, leaves a copy, and looks whether every line is one of those that a diagram has.
fn draw(file: &str, recording: &Recording, options: &MermaidOptions) -> String {
    let text = recording.mermaid(options);
    let faults = faults(&text);
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/exports");
    fs::create_dir_all(&folder).unwrap();
    let messages = arrows(&text).len();
    let checked = format!("{text}    %% messages: {messages}\n");
    fs::write(folder.join(file).with_extension("mmd"), checked).unwrap();
    text
}

fn plain(file: &str, recording: &Recording) -> String {
    draw(file, recording, &MermaidOptions::default())
}

const IDS: [&str; 5] = ["C", "EL", "AR", "TP", "H"];
const ARROWS: [&str; 4] = ["-->>", "->>", "--)", "-)"];

/// The arrow of a line, as `C->>EL`, and its label.
fn arrow(line: &str) -> Option<(&str, &str)> {
    let (head, label) = line.trim().split_once(": ")?;
    let arrow = ARROWS.iter().find(|arrow| head.contains(*arrow))?;
    let (from, to) = head.split_once(arrow)?;
    (IDS.contains(&from) && IDS.contains(&to)).then_some((head, label))
}

fn arrows(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(arrow)
        .map(|(head, _)| head)
        .collect()
}

fn participants(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("participant "));
    lines
        .filter_map(|line| line.split_once(" as "))
        .map(|(id, _)| id)
        .collect()
}

/// Letters, digits, a few signs, and entities.
fn is_label(label: &str) -> bool {
    let mut rest = label;
    let mut text = String::new();
    while let Some((head, tail)) = rest.split_once('#') {
        let Some((entity, tail)) = tail.split_once(';') else {
            return false;
        };
        if entity
            .parse::<u32>()
            .ok()
            .and_then(char::from_u32)
            .is_none()
        {
            return false;
        }
        text.push_str(head);
        text.push('_');
        rest = tail;
    }
    text.push_str(rest);
    let good = |c: char| c.is_alphanumeric() || " /.,_-()…\u{fffd}".contains(c);
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    (1..=60).contains(&text.chars().count())
        && text.chars().all(good)
        && !words
            .into_iter()
            .any(|word| word.eq_ignore_ascii_case("end"))
}

/// Lines that a diagram may not have.
fn faults(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if text.len() > 50_000 {
        faults.push(format!("{} bytes", text.len()));
    }
    let mut lines = text.lines();
    if lines.next() != Some("sequenceDiagram") {
        faults.push("no head".to_owned());
    }
    let (mut depth, mut told) = (0, participants(text));
    told.dedup();
    for line in lines {
        let line = line.trim_start();
        let is_good = match line {
            "autonumber" => true,
            "rect rgb(255, 232, 226)" => {
                depth += 1;
                depth == 1
            }
            "end" => {
                depth -= 1;
                depth == 0
            }
            _ => match (
                line.strip_prefix("Note over "),
                line.strip_prefix("participant "),
            ) {
                (Some(note), _) => note.split_once(": ").is_some_and(|(over, label)| {
                    over.split(',').all(|id| told.contains(&id)) && is_label(label)
                }),
                (_, Some(who)) => who
                    .split_once(" as ")
                    .is_some_and(|(id, label)| IDS.contains(&id) && is_label(label)),
                _ => arrow(line).is_some_and(|(_, label)| is_label(label)),
            },
        };
        if !is_good {
            faults.push(line.to_owned());
        }
    }
    if depth != 0 {
        faults.push("a rect without its end".to_owned());
    }
    faults
}

#[test]
fn planted_faults_are_found() {
    let text = blocked(true).mermaid(&MermaidOptions::default());
    let text = text.as_str();
    for (from, to) in [
        ("sequenceDiagram", "graph"),
        ("C->>EL: request 1", "X->>EL: request 1"),
        ("C->>EL: request 1", "C=>>EL: request 1"),
        ("C->>EL: request 1", "C->>EL: a;b"),
        ("C->>EL: request 1", "C->>EL: a # b"),
        ("C->>EL: request 1", "C->>EL: the End"),
        ("participant C as Client", "participant Q as Client"),
        ("Note over EL: waits", "Note over EL: <b>"),
        ("    end\n", ""),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        assert!(!faults(&bad).is_empty(), "{from} became {to}");
    }
}

/// The blocking anti-pattern, as everybody draws it.
#[test]
fn a_blocked_loop_is_the_diagram_that_everybody_knows() {
    let text = plain("blocked", &blocked(true));
    assert_eq!(participants(&text), ["C", "EL", "AR", "H"]);
    assert!(
        text.contains("participant H as heavy_sync_operation\n"),
        "{text}"
    );
    let expected = [
        "C->>EL",   // request 1
        "EL->>AR",  // GET /bad-practice
        "AR->>H",   // heavy_sync_operation()
        "C->>EL",   // request 2 waits
        "H-->>AR",  // back after 1000 ms
        "AR-->>EL", // done
        "EL-->>C",  // response 1
        "EL-->>C",  // response 2
        "C->>EL",   // request 12, when the loop is free again
        "EL-->>C",
    ];
    assert_eq!(arrows(&text), expected, "{text}");
    for line in [
        "EL->>AR: GET /bad-practice (poll 2)\n",
        "AR->>H: heavy_sync_operation()\n",
        "Note over EL,H: loop stuck 1000 ms, on CPU\n",
        "Note over EL: waits 952 ms\n",
        "Note over C: 9 more like request 2, wait 151 ms to 863 ms\n",
        "EL-->>C: response 1 (200) after 1000 ms\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let rect = text.split_once("rect ").unwrap().1;
    let stuck = rect.split_once("    end\n").unwrap().0;
    assert!(
        stuck.contains("request 2") && stuck.contains("H-->>AR"),
        "{text}"
    );
}

/// If clients do not tell when they sent, those that the loop finds when it is free had to wait.
#[test]
fn who_waited_is_known_without_the_clients_word() {
    let told = blocked(true).mermaid(&MermaidOptions::default());
    let text = plain("blocked_untold", &blocked(false));
    assert_eq!(arrows(&text), arrows(&told), "{text}");
    assert!(
        text.contains("Note over EL: waits while the loop is stuck\n"),
        "{text}"
    );
    assert!(
        text.contains("Note over C: 9 more like request 2\n"),
        "{text}"
    );
}

/// The same work on a worker, as everybody draws it.
#[test]
fn an_offloaded_job_is_the_diagram_that_everybody_knows() {
    let text = plain("offloaded", &offloaded());
    assert_eq!(participants(&text), ["C", "EL", "AR", "TP", "H"]);
    assert!(
        text.contains("participant H as heavy_sync_operation\n"),
        "{text}"
    );
    let expected = [
        "C->>EL",   // request 1
        "EL->>AR",  // GET /good-practice
        "AR-)TP",   // job 41
        "TP->>H",   // run on worker-2
        "AR-->>EL", // await gives the loop back
        "C->>EL",   // others are served meanwhile
        "EL-->>C", "H-->>TP",  // back after 1000 ms
        "TP--)EL",  // the callback
        "EL->>AR",  // poll 2
        "AR-->>EL", // done
        "EL-->>C",  // response 1
    ];
    assert_eq!(arrows(&text), expected, "{text}");
    for line in [
        "AR-)TP: job 41 heavy_sync_operation\n",
        "TP->>H: run on worker-2\n",
        "AR-->>EL: await, gives the loop back\n",
        "Note over C: 8 more like request 2\n",
        "EL->>AR: poll 2\n",
        "EL-->>C: response 1 (200) after 1003 ms\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("rect "), "nobody was stuck");
}

#[test]
fn participants_have_korean_names_if_asked_for() {
    let options = MermaidOptions {
        korean: true,
        ..MermaidOptions::default()
    };
    let text = draw("korean", &offloaded(), &options);
    assert!(text.contains("participant EL as 이벤트 루프\n"), "{text}");
    let english = offloaded().mermaid(&MermaidOptions::default());
    assert_eq!(arrows(&text), arrows(&english));
}

#[test]
fn one_request_is_told_with_what_came_meanwhile() {
    let one = |request| MermaidOptions {
        request: Some(request),
        ..MermaidOptions::default()
    };
    let text = draw("one_light", &offloaded(), &one(4));
    let expected = ["C->>EL", "EL->>AR", "AR-->>EL", "EL-->>C"];
    assert_eq!(arrows(&text), expected, "{text}");
    let text = draw("one_heavy", &blocked(true), &one(1));
    assert_eq!(arrows(&text).len(), 8, "without request 12: {text}");
    let text = draw("none", &blocked(true), &one(99));
    assert!(
        text.contains("request 99 is not in the recording"),
        "{text}"
    );
}

#[test]
fn the_end_of_a_recording_is_drawn_alone() {
    let options = MermaidOptions {
        last: Some(Duration::from_millis(150)),
        ..MermaidOptions::default()
    };
    let text = draw("last", &blocked(true), &options);
    assert_eq!(arrows(&text), ["C->>EL", "EL-->>C"], "{text}");
}

#[test]
fn a_task_that_is_at_no_request_holds_the_loop_as_well() {
    let mut scene = Scene::default();
    scene.spawn(0, 7, "ticker");
    scene.poll(7, 3, (MS, 1_001 * MS), PollResult::Pending);
    scene.0.stalls.push(stall(7, MS, "fib"));
    let text = plain("task", &scene.done());
    assert_eq!(participants(&text), ["EL", "AR", "H"]);
    assert_eq!(
        arrows(&text),
        ["EL->>AR", "AR->>H", "H-->>AR", "AR-->>EL"],
        "{text}"
    );
    assert!(text.contains("EL->>AR: ticker (poll 3)\n"), "{text}");
}

#[test]
fn a_loop_that_is_still_stuck_is_left_so() {
    let mut recording = blocked(false);
    recording
        .events
        .retain(|event| event.until() <= 150 * MS + 10_000);
    recording.stalls[0].took = None;
    recording.until = 850 * MS;
    let text = plain("stuck", &recording);
    assert_eq!(arrows(&text), ["C->>EL", "EL->>AR", "AR->>H"], "{text}");
    let note = "Note over EL,H: loop stuck for 700 ms and counting, on CPU\n";
    assert!(text.contains(note), "{text}");
}

#[test]
fn no_label_is_more_than_a_label() {
    let long = "x".repeat(10_000);
    let hostile = [
        "GET /;#end",
        "a\nC->>EL: forged",
        "end",
        "the END of it",
        "<script>alert(1)</script>",
        "%% comment %%{init: {}}%%",
        "style x:y#z;",
        "\u{1b}[31m\u{202e}\0",
        "\"'`$&{}[]|\\~^*=+?!@",
        "   ",
        "Note over C: x",
        ":wrap: y",
        "일 끝 é 🕰",
        long.as_str(),
    ];
    for (at, name) in hostile.into_iter().enumerate() {
        let mut recording = blocked(true);
        for text in &mut recording.names {
            if text.starts_with("GET") {
                *text = name.to_owned();
            }
        }
        recording.stalls[0].stack[1].function = name.to_owned();
        let text = plain(&format!("hostile_{at}"), &recording);
        assert_eq!(arrows(&text).len(), 10, "{text}");
        assert!(text.len() < 3_000, "labels are cut");
    }
}

#[test]
fn a_long_recording_is_a_short_diagram() {
    let mut scene = Scene::default();
    for n in 0..3_000 {
        let at = u64::from(n) * 2_000 * MS;
        scene.poll(n + 10, 1, (at, at + 1_000 * MS), PollResult::Ready);
        scene.begin(at + 1, n + 10, n, "GET /slow");
        scene.0.stalls.push(stall(n + 10, at, "f"));
        scene.end(at + 1_000 * MS - 1, n + 10, n);
    }
    let recording = scene.done();
    for (most, least) in [(40, 30), (0, 2), (usize::MAX, 150)] {
        let options = MermaidOptions {
            messages_max: most,
            ..MermaidOptions::default()
        };
        let text = draw("long", &recording, &options);
        let count = |wanted: &str| arrows(&text).iter().filter(|head| **head == wanted).count();
        if most >= 40 {
            assert_eq!(
                count("C->>EL"),
                count("EL-->>C"),
                "each is told whole: {text}"
            );
        }
        let arrows = arrows(&text).len();
        assert!(
            (least..=most.clamp(2, 200)).contains(&arrows),
            "{most}: {arrows}"
        );
        assert!(
            text.contains("more not shown") || text.contains("and so on"),
            "{text}"
        );
    }
}

#[test]
fn a_recording_that_makes_no_sense_is_a_sound_diagram() {
    for seed in 0..60 {
        let recording = anything(seed, 300, [9_000, u64::MAX][seed as usize % 2]);
        for request in [None, Some(seed as u32 % 6)] {
            let options = MermaidOptions {
                request,
                ..MermaidOptions::default()
            };
            draw(&format!("anything_{}", seed % 8), &recording, &options);
        }
    }
    plain("empty", &Recording::new());
}

/// However many messages are asked for, and however their labels are written.
#[test]
fn a_diagram_is_never_longer_than_mermaid_reads() {
    for sign in ["%", "\u{1f600}", "\u{d55c}", "end "] {
        let mut scene = Scene::default();
        for number in 1..=150 {
            let at = u64::from(number) * MS;
            scene.begin(at, 7, number, &sign.repeat(70));
            // One that is like another is not drawn again.
            let status = 200 + number as u16;
            let kind = EventKind::RequestEnd {
                request: number,
                status,
                bytes: 2,
            };
            scene.add(at + MS / 2, 7, kind);
        }
        let options = MermaidOptions {
            messages_max: usize::MAX,
            ..MermaidOptions::default()
        };
        let text = draw("long", &scene.done(), &options);
        assert!(arrows(&text).len() > 40, "{} of 300", arrows(&text).len());
        assert!(text.contains("Note over EL: and so on") || text.contains("more not shown"));
    }
}
