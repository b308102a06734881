//! Takes the sources as they are, and has them lock what loom watches.

use std::path::Path;
use std::{env, fs};

/// Each file, and how many places of it are changed.
const FILES: [(&str, usize); 8] = [
    ("watch/ring.rs", 1),
    ("queue/task_queue.rs", 2),
    ("sys/pending.rs", 2),
    ("blocking/job.rs", 0),
    ("blocking/lanes.rs", 0),
    ("blocking/pool.rs", 0),
    ("blocking/worker.rs", 2),
    ("blocking/mod.rs", 0),
];

/// What std and loom both have. `Arc` stays std's: loom's does not hold a `dyn Fn`. And what loom
/// cannot do: make an atomic before the program runs.
const CHANGES: [(&str, &str); 8] = [
    (
        "use std::sync::atomic::{AtomicU64, Ordering, fence};",
        "use loom::sync::atomic::{AtomicU64, Ordering, fence};",
    ),
    (
        "use std::sync::atomic::{AtomicBool, Ordering};",
        "use loom::sync::atomic::{AtomicBool, Ordering};",
    ),
    (
        "use std::sync::atomic::{AtomicU32, Ordering};",
        "use loom::sync::atomic::{AtomicU32, Ordering};",
    ),
    (
        "use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};",
        "use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};",
    ),
    ("const fn new() -> Self", "fn new() -> Self"),
    (
        "use std::sync::{Mutex, MutexGuard, PoisonError};",
        "use std::sync::PoisonError; use loom::sync::{Mutex, MutexGuard};",
    ),
    (
        "use std::sync::{Arc, Mutex, PoisonError};",
        "use std::sync::{Arc, PoisonError}; use loom::sync::Mutex;",
    ),
    (
        "use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};",
        "use std::sync::{Arc, PoisonError}; use loom::sync::{Condvar, Mutex, MutexGuard};",
    ),
];

fn main() {
    let src = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../src");
    let out = env::var("OUT_DIR").unwrap();
    for (file, expected) in FILES {
        let from = src.join(file);
        println!("cargo::rerun-if-changed={}", from.display());
        let mut text = fs::read_to_string(&from).unwrap();
        let mut changed = 0;
        for (std, loom) in CHANGES {
            changed += text.matches(std).count();
            text = text.replace(std, loom);
        }
        assert_eq!(
            changed, expected,
            "{file}: its imports are not those known here"
        );
        // Tests of their own are run elsewhere, with std's locks; heads cannot stand in the middle.
        let text = text.replace("#[cfg(test)]", "#[cfg(any())]");
        let to = Path::new(&out).join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text).unwrap();
    }
    let rooms = [
        ("event_ring", "watch/ring.rs"),
        ("task_queue", "queue/task_queue.rs"),
        ("pending", "sys/pending.rs"),
        ("blocking", "blocking/mod.rs"),
    ];
    let rooms = rooms.map(|(name, file)| format!("#[path = \"{out}/{file}\"] pub mod {name};\n"));
    fs::write(Path::new(&out).join("rooms.rs"), rooms.concat()).unwrap();
}
