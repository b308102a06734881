//! What the pages say about the code is so.

use super::source::{is_test_file, mask, word};
use super::{Files, finds};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const ARCHITECTURE_LINES_MAX: usize = 480;

/// The two things that README.md asks a newcomer to type.
const COMMANDS: [&str; 2] = [
    "cargo run --release --example blocking_vs_offloaded",
    "cargo test",
];

fn page<'a>(files: &'a Files, name: &str) -> &'a str {
    files.get(name).map_or("", String::as_str)
}

/// Every file of `src/` is on the map, under its path or under the heading of its room.
pub(super) fn code_map(files: &Files) -> Vec<String> {
    let text = page(files, ARCHITECTURE);
    let lines = text.lines().count();
    let mut faults = Vec::new();
    if lines == 0 || lines > ARCHITECTURE_LINES_MAX {
        faults.push(format!(
            "{ARCHITECTURE}: has {lines} lines, {ARCHITECTURE_LINES_MAX} at most"
        ));
    }
    for name in files.keys() {
        let Some(path) = name.strip_prefix("src/") else {
            continue;
        };
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let named = text.contains(name)
            || text.contains(&format!("`{path}`"))
            || section(text, &format!("`{folder}`")).contains(&format!("`{file}`"));
        if file != "mod.rs" && !is_test_file(name) && !named {
            faults.push(format!("{ARCHITECTURE}: its code map lacks `{path}`"));
        }
    }
    faults
}

/// The text below the first heading that contains the words, to the next heading of its rank.
fn section<'a>(text: &'a str, words: &str) -> &'a str {
    let rank = |line: &str| {
        let hashes = line.len() - line.trim_start_matches('#').len();
        (hashes > 0).then_some(hashes)
    };
    let (mut at, mut open) = (0, None);
    for line in text.split_inclusive('\n') {
        match open {
            None if rank(line).is_some() && line.contains(words) => {
                open = Some((at + line.len(), rank(line)));
            }
            Some((start, own)) if rank(line).is_some() && rank(line) <= own => {
                return &text[start..at];
            }
            _ => {}
        }
        at += line.len();
    }
    open.map_or("", |(start, _)| &text[start..])
}

/// Every example is named where one looks for it.
pub(super) fn examples(files: &Files) -> Vec<String> {
    let text = [page(files, "README.md"), page(files, "examples/README.md")].concat();
    let mut faults = Vec::new();
    for name in files.keys() {
        let Some(path) = name.strip_prefix("examples/") else {
            continue;
        };
        let path = path.strip_suffix("/main.rs").or(path.strip_suffix(".rs"));
        let Some(stem) = path.filter(|path| !path.contains('/')) else {
            continue;
        };
        if word(&text, stem).next().is_none() {
            faults.push(format!("examples/README.md: does not name `{stem}`"));
        }
    }
    faults
}

/// Each test that stands beside an invariant exists.
pub(super) fn invariants(files: &Files) -> Vec<String> {
    let code: String = files
        .iter()
        .filter(|(name, _)| name.starts_with("src/") || name.starts_with("tests/"))
        .map(|(_, text)| mask(text))
        .collect();
    let rows = section(page(files, ARCHITECTURE), "Invariants");
    let mut faults = Vec::new();
    let mut tests = 0;
    for row in rows.lines().filter(|line| line.starts_with('|')) {
        for path in row
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|path| is_function_path(path))
        {
            let (_, test) = path.rsplit_once("::").unwrap_or_default();
            tests += 1;
            if word(&code, &format!("fn {test}")).next().is_none() {
                faults.push(format!("{ARCHITECTURE}: no test is called `{path}`"));
            }
        }
    }
    if tests == 0 {
        faults.push(format!("{ARCHITECTURE}: no invariant names its test"));
    }
    faults
}

/// `room::tests::name`, in contrast to `io::Result`, `Runtime::turn` and `std::fs`.
fn is_function_path(path: &str) -> bool {
    let outside = ["std::", "core::", "crate::"]
        .iter()
        .any(|root| path.starts_with(root));
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b':');
    path.contains("::") && !outside && path.bytes().all(plain)
}

/// README.md has one `sh` block, and in it the two commands.
pub(super) fn readme(files: &Files) -> Vec<String> {
    let blocks: Vec<&str> = page(files, "README.md")
        .split("\n```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix("sh\n"))
        .collect();
    let commands: Vec<&str> = blocks.iter().flat_map(|block| block.lines()).collect();
    if blocks.len() == 1 && commands == COMMANDS {
        return Vec::new();
    }
    vec![format!(
        "README.md: wants one block of sh with {COMMANDS:?}, has {commands:?}"
    )]
}

#[test]
fn a_file_off_the_map_is_found() {
    let map =
        "## `net`\n`tcp.rs`\n### more\n`udp.rs`\n## `fs`\n`fs/dir.rs` src/fs/file.rs `lib.rs`";
    let page = (ARCHITECTURE, map);
    let good = [
        "src/net/tcp.rs",
        "src/net/udp.rs",
        "src/fs/dir.rs",
        "src/fs/file.rs",
        "src/fs/mod.rs",
    ];
    finds(
        code_map,
        &[[page].as_slice(), &good.map(|name| (name, ""))].concat(),
        &[],
    );
    let fault = "ARCHITECTURE.md: its code map lacks `fs/tcp.rs`";
    finds(
        code_map,
        &[page, ("src/fs/tcp.rs", ""), ("src/lib.rs", "")],
        &[fault],
    );
    let long = "x\n".repeat(ARCHITECTURE_LINES_MAX + 1);
    finds(
        code_map,
        &[(ARCHITECTURE, &long)],
        &["ARCHITECTURE.md: has 481 lines, 480 at most"],
    );
}

#[test]
fn an_example_that_no_page_names_is_found() {
    let pages = [
        ("README.md", "see server"),
        ("examples/README.md", "`01_turn`"),
    ];
    let good = [
        ("examples/server.rs", ""),
        ("examples/01_turn/main.rs", ""),
        ("examples/01_turn/x.rs", ""),
    ];
    finds(examples, &[pages.as_slice(), &good].concat(), &[]);
    let fault = "examples/README.md: does not name `serve`";
    finds(examples, &[pages[0], ("examples/serve.rs", "")], &[fault]);
}

#[test]
fn an_invariant_held_by_no_test_is_found() {
    let page = (
        ARCHITECTURE,
        "## 6. Invariants\n| 1 | `io::Result` | `a::tests::late`, `b::never` |\n## 7",
    );
    let late = ("src/a/tests.rs", "fn late() {}");
    finds(
        invariants,
        &[page, late, ("tests/it/b.rs", "fn never() {}")],
        &[],
    );
    let fault = "ARCHITECTURE.md: no test is called `b::never`";
    finds(
        invariants,
        &[page, late, ("tests/it/b.rs", "// fn never() {}")],
        &[fault],
    );
    finds(
        invariants,
        &[],
        &["ARCHITECTURE.md: no invariant names its test"],
    );
}

#[test]
fn a_third_command_in_the_readme_is_found() {
    let block = format!("\n```sh\n{}\n{}\n```\n", COMMANDS[0], COMMANDS[1]);
    let rust = "\n```rust\nlet sh = 1;\n```\n";
    finds(readme, &[("README.md", &[rust, &block].concat())], &[]);
    for bad in [
        block.repeat(2),
        block.replace("test\n", "test\ncargo doc\n"),
        rust.to_owned(),
    ] {
        assert_eq!(
            readme(&super::planted(&[("README.md", &bad)])).len(),
            1,
            "{bad}"
        );
    }
}
