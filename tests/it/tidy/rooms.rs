//! Who may know whom: floors, doors, `unsafe`, and the rooms without I/O.

use std::collections::BTreeMap;

use super::source::{below, line, mask, shipped, word};
use super::{Files, finds};

/// Outside crates that only some places may name. slab and log are free to all.
const DOORS: [(&str, &[&str]); 3] = [
    ("mio", &["src/reactor", "src/net"]),
    ("httparse", &["src/http/parse.rs"]),
    ("libc", &["src/sys"]),
];

/// The one file outside `sys` with `unsafe`: it builds a waker.
const WAKER: &str = "src/executor/waker.rs";
const WAKER_UNSAFE_MAX: usize = 3;

/// Rooms that neither do I/O nor read a clock, and the one file that is the clock.
const PURE: [&str; 3] = ["http", "queue", "time"];
const CLOCK: &str = "src/time/clock.rs";

/// The table of floors: `| 0 | `queue` | is | knows |`.
pub(super) fn floors(page: &str) -> BTreeMap<&str, u8> {
    let mut floors = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let Some(floor) = cells.next().and_then(|cell| cell.parse().ok()) else {
            continue;
        };
        let cell = cells.next().unwrap_or_default();
        let names = cell.split([' ', ',']).filter(|name| !name.is_empty());
        let names: Option<Vec<&str>> = names
            .map(|name| name.strip_prefix('`')?.strip_suffix('`'))
            .collect();
        // Rows of other tables hold prose there.
        floors.extend(
            names
                .unwrap_or_default()
                .into_iter()
                .map(|name| (name, floor)),
        );
    }
    floors
}

/// The room that a file of `src/` is in; `None` for the crate root and the command line's `main`.
fn room(name: &str) -> Option<&str> {
    let path = name.strip_prefix("src/")?.strip_suffix(".rs")?;
    let room = path.split('/').next()?;
    (!matches!(room, "lib" | "main" | "bin")).then_some(room)
}

/// How many `super` lead from a file of `src/` to the crate root.
fn depth(name: &str) -> usize {
    name.matches('/').count() - usize::from(name.ends_with("/mod.rs"))
}

/// A room imports lower floors only, by their names.
pub(super) fn imports(files: &Files) -> Vec<String> {
    let floors = floors(files.get("ARCHITECTURE.md").map_or("", String::as_str));
    if floors.is_empty() {
        return vec!["ARCHITECTURE.md: has no table of floors".to_owned()];
    }
    let mut faults = Vec::new();
    for (name, code) in shipped(files) {
        let Some(here) = room(name) else { continue };
        let Some(floor) = floors.get(here) else {
            faults.push(format!("{name}: `{here}` is not in the table of floors"));
            continue;
        };
        for (line, there) in below(&code, "crate") {
            match floors.get(there) {
                _ if there == here => {}
                // A value that `lib.rs` hands down: the one way for a room to reach above.
                None if there == "OPEN_DIAL" && name == "src/runtime/runtime.rs" => {}
                None => faults.push(format!("{name}:{line}: `crate::{there}` is not a room")),
                Some(other) if other < floor => {}
                Some(other) => faults.push(format!(
                    "{name}:{line}: `{here}` on floor {floor} imports `{there}` on floor {other}"
                )),
            }
        }
        let climb = vec!["super"; depth(name)].join("::");
        for at in word(&code, &climb).filter(|at| code[at + climb.len()..].starts_with("::")) {
            let line = line(&code, at);
            faults.push(format!(
                "{name}:{line}: `{climb}` leaves the room, name it by `crate::`"
            ));
        }
    }
    faults
}

/// Each outside crate has its door.
pub(super) fn doors(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, code) in shipped(files) {
        for (outside, places) in DOORS {
            if places.iter().any(|place| name.starts_with(place)) {
                continue;
            }
            let lines = word(&code, outside).map(|at| line(&code, at));
            faults.extend(
                lines.map(|line| format!("{name}:{line}: {outside} has its door elsewhere")),
            );
        }
    }
    faults
}

/// `unsafe` lives in `sys` and where a waker is built; tests are not excepted.
pub(super) fn unsafe_places(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in files {
        if !name.starts_with("src/") || name.starts_with("src/sys/") {
            continue;
        }
        let code = mask(text);
        let allowed = if name == WAKER { WAKER_UNSAFE_MAX } else { 0 };
        let lines = word(&code, "unsafe")
            .map(|at| line(&code, at))
            .skip(allowed);
        faults.extend(lines.map(|line| format!("{name}:{line}: unsafe belongs in src/sys")));
    }
    faults
}

/// The rooms that can be tested with no socket, no thread and no waiting.
pub(super) fn purity(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, code) in shipped(files) {
        let Some(room) = room(name).filter(|room| PURE.contains(room)) else {
            continue;
        };
        let mut fault = |line, what: &str| {
            faults.push(format!("{name}:{line}: `{room}` is pure, `{what}` is not"));
        };
        for (line, module) in below(&code, "std") {
            if matches!(module, "net" | "fs" | "thread" | "process") {
                fault(line, &format!("std::{module}"));
            }
        }
        for clock in ["Instant::now", "SystemTime::now"] {
            for at in word(&code, clock).filter(|_| name != CLOCK) {
                fault(line(&code, at), clock);
            }
        }
    }
    faults
}

const TABLE: &str = "\
    | floor | room | is | knows |\n|---|---|---|---|\n\
    | 0 | `queue` | queues | std |\n| 0 | `time` | wheel | slab |\n\
    | 3 | `net` `fs` | what futures await | `runtime` |\n\
    | 1 | User code runs from `runtime/turn.rs` only | `turn::tests::x` |\n";

#[test]
fn the_table_of_floors_is_read() {
    let expected = [("fs", 3), ("net", 3), ("queue", 0), ("time", 0)];
    assert_eq!(floors(TABLE), BTreeMap::from(expected));
    finds(imports, &[], &["ARCHITECTURE.md: has no table of floors"]);
}

#[test]
fn an_import_upwards_sideways_or_through_the_root_is_found() {
    let page = ("ARCHITECTURE.md", TABLE);
    let good = "use crate::{queue::Ready, time};\nuse super::mod_of_net;";
    finds(
        imports,
        &[page, ("src/net/tcp.rs", good), ("src/lib.rs", "crate::x")],
        &[],
    );
    let sideways =
        "use crate::{\n    queue::Ready, time::Wheel};\ncrate::net::Tcp; crate::spawn();";
    let faults = [
        "src/queue/ready.rs:1: `queue` on floor 0 imports `time` on floor 0",
        "src/queue/ready.rs:3: `queue` on floor 0 imports `net` on floor 3",
        "src/queue/ready.rs:3: `crate::spawn` is not a room",
    ];
    finds(imports, &[page, ("src/queue/ready.rs", sideways)], &faults);
    let fault = "src/fs/mod.rs:1: `super` leaves the room, name it by `crate::`";
    finds(imports, &[page, ("src/fs/mod.rs", "super::net")], &[fault]);
    let fault = "src/fs/a.rs:1: `super::super` leaves the room, name it by `crate::`";
    finds(
        imports,
        &[
            page,
            ("src/fs/a.rs", "super::super::net"),
            ("src/fs/a/b.rs", "super::super::a"),
        ],
        &[fault],
    );
    finds(
        imports,
        &[page, ("src/attic.rs", "")],
        &["src/attic.rs: `attic` is not in the table of floors"],
    );
}

#[test]
fn a_crate_named_away_from_its_door_is_found() {
    let good = [
        ("src/net/tcp.rs", "use mio::net;"),
        ("src/fs/a.rs", "// mio\nfn f() { \"libc\"; }"),
    ];
    finds(doors, &good, &[]);
    let bad = [
        ("src/http/body.rs", "use httparse::Status;"),
        ("src/fs/a.rs", "\nlibc::close(3)"),
    ];
    let faults = [
        "src/fs/a.rs:2: libc has its door elsewhere",
        "src/http/body.rs:1: httparse has its door elsewhere",
    ];
    finds(doors, &bad, &faults);
}

#[test]
fn unsafe_out_of_place_is_found() {
    let good = [
        (WAKER, "unsafe unsafe unsafe"),
        ("src/sys/a.rs", "unsafe"),
        ("src/lib.rs", "unsafe_code"),
    ];
    finds(unsafe_places, &good, &[]);
    let faults = [
        "src/executor/waker.rs:2: unsafe belongs in src/sys",
        "src/fs/a.rs:1: unsafe belongs in src/sys",
    ];
    finds(
        unsafe_places,
        &[
            (WAKER, "unsafe unsafe unsafe\nunsafe"),
            ("src/fs/a.rs", "unsafe {}"),
        ],
        &faults,
    );
}

#[test]
fn a_clock_or_a_socket_in_a_pure_room_is_found() {
    let good = [
        (CLOCK, "Instant::now()"),
        ("src/net/a.rs", "std::net::A"),
        (
            "src/time/wheel.rs",
            "use std::time::Instant;\n#[cfg(test)]\nmod tests { Instant::now() }",
        ),
    ];
    finds(purity, &good, &[]);
    let faults = [
        "src/http/date.rs:2: `http` is pure, `std::fs` is not",
        "src/http/date.rs:1: `http` is pure, `SystemTime::now` is not",
    ];
    finds(
        purity,
        &[(
            "src/http/date.rs",
            "SystemTime::now()\nuse std::{fmt, fs::File};",
        )],
        &faults,
    );
}
