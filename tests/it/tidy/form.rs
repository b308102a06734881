//! How long things are, how files open, and what may not be left in them.

use super::source::{functions, is_test_file, line, mask, shipped, word};
use super::{Files, finds};

const FILE_LINES_MAX: usize = 499;
const FUNCTION_LINES_MAX: usize = 69;
const COLUMNS_MAX: usize = 100;

fn rust(files: &Files) -> impl Iterator<Item = (&String, &String)> {
    files.iter().filter(|(name, _)| name.ends_with(".rs"))
}

/// A file holds one concept.
pub(super) fn file_lengths(files: &Files) -> Vec<String> {
    rust(files)
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|&(_, lines)| lines > FILE_LINES_MAX)
        .map(|(name, lines)| {
            format!("{name}: has {lines} lines, at most {FILE_LINES_MAX} are good")
        })
        .collect()
}

/// A function fits on a screen; tests may tell a longer story.
pub(super) fn function_lengths(files: &Files) -> Vec<String> {
    let mut codes = shipped(files);
    let beside = rust(files).filter(|(name, _)| !name.starts_with("src/") && !is_test_file(name));
    codes.extend(beside.map(|(name, text)| (name.as_str(), mask(text))));
    let mut faults = Vec::new();
    for (name, code) in &codes {
        for (function, line, lines) in functions(code) {
            if lines > FUNCTION_LINES_MAX {
                let good = format!("at most {FUNCTION_LINES_MAX} are good");
                faults.push(format!(
                    "{name}:{line}: fn {function} has {lines} lines, {good}"
                ));
            }
        }
    }
    faults
}

/// rustfmt leaves long comments and strings alone.
pub(super) fn line_lengths(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in rust(files) {
        for (at, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > COLUMNS_MAX {
                faults.push(format!("{name}:{}: has {columns} columns", at + 1));
            }
        }
    }
    faults
}

/// A file says first what it is.
pub(super) fn heads(files: &Files) -> Vec<String> {
    rust(files)
        .filter(|(name, text)| !name.starts_with("tests/") && !text.starts_with("//!"))
        .map(|(name, _)| format!("{name}: does not open with //!"))
        .collect()
}

/// `src/` is read as it stands, but for one macro: tuples of seven lengths.
pub(super) fn macros(files: &Files) -> Vec<String> {
    let mut faults = named(files, "src/", &["macro_rules!"], mask);
    let tuples = faults
        .iter()
        .position(|fault| fault.starts_with("src/web/extract/tuples.rs:"));
    if let Some(at) = tuples {
        faults.remove(at);
    }
    faults
}

/// Nothing is left for later. The page that holds these words is the only one that may.
pub(super) fn leftovers(files: &Files) -> Vec<String> {
    let mut faults = named(files, "", &["TODO", "FIXME", "XXX"], str::to_owned);
    faults.extend(named(files, "", &["dbg!", "todo!", "unimplemented!"], mask));
    faults.retain(|fault| !fault.starts_with("tests/it/tidy/form.rs:"));
    faults
}

/// Where Rust files below a folder hold one of the words.
fn named(files: &Files, folder: &str, words: &[&str], view: fn(&str) -> String) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in rust(files).filter(|(name, _)| name.starts_with(folder)) {
        let text = view(text);
        for found in words {
            let stem = found.trim_end_matches('!');
            for at in word(&text, stem).filter(|&at| text[at..].starts_with(found)) {
                faults.push(format!("{name}:{}: {found}", line(&text, at)));
            }
        }
    }
    faults
}

/// What cannot fail says so with `expect`; what can, returns.
pub(super) fn unwraps(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, code) in shipped(files) {
        let places = code
            .match_indices(".unwrap()")
            .map(|(at, _)| line(&code, at));
        faults.extend(places.map(|line| format!("{name}:{line}: .unwrap()")));
    }
    faults
}

/// Every public `async fn` says what dropping its future does.
pub(super) fn cancellations(files: &Files) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, text) in rust(files).filter(|(name, _)| name.starts_with("src/")) {
        let mut is_told = false;
        for (at, line) in text.lines().map(str::trim_start).enumerate() {
            if line.starts_with("pub async fn ") && !is_told {
                faults.push(format!("{name}:{}: does not say # Cancellation", at + 1));
            }
            let is_head = line.starts_with("///") || line.starts_with("#[");
            is_told = line == "/// # Cancellation" || is_told && is_head;
        }
    }
    faults
}

#[test]
fn long_files_functions_and_lines_are_found() {
    let body = "\n".repeat(FUNCTION_LINES_MAX - 1);
    let good = format!("fn a() {{{body}}}");
    finds(function_lengths, &[("src/a.rs", &good)], &[]);
    let long = format!("\nfn a() {{{body}\n}}");
    finds(
        function_lengths,
        &[("src/tests.rs", &long), ("tests/it/a.rs", &long)],
        &[],
    );
    let fault = "examples/a.rs:2: fn a has 70 lines, at most 69 are good";
    finds(function_lengths, &[("examples/a.rs", &long)], &[fault]);

    let text = "\n".repeat(FILE_LINES_MAX);
    finds(
        file_lengths,
        &[("src/a.rs", &text), ("README.md", &text.repeat(2))],
        &[],
    );
    let fault = "src/a.rs: has 500 lines, at most 499 are good";
    finds(file_lengths, &[("src/a.rs", &format!("{text}x"))], &[fault]);

    let text = format!("\n{}", "é".repeat(COLUMNS_MAX));
    finds(line_lengths, &[("src/a.rs", &text)], &[]);
    finds(
        line_lengths,
        &[("src/a.rs", &(text + "e"))],
        &["src/a.rs:2: has 101 columns"],
    );
}

#[test]
fn a_file_without_a_head_is_found() {
    finds(heads, &[("src/a.rs", "//! A."), ("tests/a.rs", "")], &[]);
    finds(
        heads,
        &[("benches/a.rs", "fn")],
        &["benches/a.rs: does not open with //!"],
    );
}

#[test]
fn macros_leftovers_and_unwraps_are_found() {
    finds(
        macros,
        &[
            ("src/a.rs", "// macro_rules!"),
            ("tests/a.rs", "macro_rules!"),
        ],
        &[],
    );
    finds(
        macros,
        &[("src/a.rs", "\nmacro_rules! m {}")],
        &["src/a.rs:2: macro_rules!"],
    );
    let tuples = "src/web/extract/tuples.rs";
    finds(macros, &[(tuples, "macro_rules! m {}")], &[]);
    finds(
        macros,
        &[(tuples, "macro_rules! m {}\nmacro_rules! n {}")],
        &["src/web/extract/tuples.rs:2: macro_rules!"],
    );

    finds(
        leftovers,
        &[("src/a.rs", "TODOS dbg todo(); \"dbg!\"")],
        &[],
    );
    let faults = ["src/a.rs:1: TODO", "src/a.rs:2: dbg!"];
    finds(
        leftovers,
        &[("src/a.rs", "// TODO: more\ndbg!(1)")],
        &faults,
    );

    let good = "/// x.unwrap()\nfn f() {}\n#[cfg(test)]\nmod tests { x.unwrap() }";
    finds(
        unwraps,
        &[("src/a.rs", good), ("src/a/tests.rs", "x.unwrap()")],
        &[],
    );
    finds(
        unwraps,
        &[("src/a.rs", "\n\nx.unwrap();")],
        &["src/a.rs:3: .unwrap()"],
    );
}

#[test]
fn an_async_fn_that_does_not_say_what_a_drop_does_is_found() {
    let told = "/// Waits.\n///\n/// # Cancellation\n///\n/// None.\n#[inline]\n";
    let good = format!("{told}pub async fn a() {{}}\nasync fn b() {{}}\n");
    finds(cancellations, &[("src/a.rs", &good)], &[]);
    let fault = "src/a.rs:9: does not say # Cancellation";
    let bad = format!("{good}    pub async fn c() {{}}");
    finds(cancellations, &[("src/a.rs", &bad)], &[fault]);
}
