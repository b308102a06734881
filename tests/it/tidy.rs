//! The building rules, checked by a machine.
//!
//! Each check takes the texts of the repository by file name and returns its faults, so each can
//! be shown a planted one. ARCHITECTURE.md is read, not repeated: its table of floors, its code
//! map and its invariants are the rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod form;
mod pages;
mod rooms;
mod shown;
mod source;

/// Texts by file name, relative to the crate root, with `/` between folders.
pub(crate) type Files = BTreeMap<String, String>;

/// The pages that a check reads.
const PAGES: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "examples/README.md",
    "docs/names.md",
];

/// A rule: the faults it finds in the files, one line each.
pub(crate) type Check = fn(&Files) -> Vec<String>;

const CHECKS: [Check; 17] = [
    rooms::imports,
    rooms::doors,
    rooms::unsafe_places,
    rooms::purity,
    form::file_lengths,
    form::function_lengths,
    form::line_lengths,
    form::heads,
    form::macros,
    form::leftovers,
    form::unwraps,
    form::cancellations,
    pages::code_map,
    pages::examples,
    pages::invariants,
    pages::readme,
    shown::examples,
];

#[test]
fn the_repository_keeps_its_rules() {
    let files = repository();
    assert!(files.contains_key("src/lib.rs"), "src/lib.rs was not read");
    let faults: Vec<String> = CHECKS.iter().flat_map(|check| check(&files)).collect();
    let (count, list) = (faults.len(), faults.join("\n"));
    assert!(faults.is_empty(), "{count} faults:\n{list}");
}

pub(crate) fn repository() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Files::new();
    for page in PAGES {
        if let Ok(text) = fs::read_to_string(root.join(page)) {
            files.insert(page.to_owned(), text);
        }
    }
    for folder in ["src", "examples", "benches", "tests"] {
        read_folder(root, folder, &mut files);
    }
    files
}

fn read_folder(root: &Path, folder: &str, files: &mut Files) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read_folder(root, &name, files);
        } else if name.ends_with(".rs") {
            files.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// Files made up for the test of a check.
fn planted(files: &[(&str, &str)]) -> Files {
    let owned = files
        .iter()
        .map(|&(name, text)| (name.to_owned(), text.to_owned()));
    owned.collect()
}

/// Asserts that the check finds exactly these faults.
#[track_caller]
pub(crate) fn finds(check: Check, files: &[(&str, &str)], faults: &[&str]) {
    assert_eq!(check(&planted(files)), faults);
}
