//! What is public is shown at work: its documentation holds an example that is compiled.
//!
//! rustc warns of a `pub` that nobody outside can reach, so here each `pub` is taken at its word.

use std::collections::BTreeSet;
use std::ops::Range;

use super::source::{first_word, item_end, line, mask, shipped, word};
use super::{Files, finds};

/// Rooms whose documentation is not held to this.
const SPARED: [&str; 2] = ["src/http/", "src/server/"];

/// Public for the sake of a bound, and in no page that a user sees.
const SEALED: [&str; 1] = ["Duplex"];

/// Fences whose text is Rust and compiled. `ignore` and `text` are not.
const COMPILED: [&str; 4] = ["", "rust", "no_run", "should_panic"];

/// A public item: with its documentation, and with all that belongs to its signature.
struct Item<'a> {
    file: &'a str,
    line: usize,
    name: &'a str,
    is_type: bool,
    /// Whose method it is.
    owner: Option<&'a str>,
    signature: &'a str,
    /// The examples in its own documentation.
    blocks: Vec<String>,
}

/// Every public type, trait and function has an example of its own. A method may be shown by one of
/// its type, of another method of it, of a function or a type that goes with it by signature, or of
/// its room: what counts is that it is called there by its name, in a line that readers see.
pub(super) fn examples(files: &Files) -> Vec<String> {
    let mut codes = shipped(files);
    codes.retain(|(name, _)| !SPARED.iter().any(|room| name.starts_with(room)));
    let items: Vec<Item<'_>> = codes
        .iter()
        .flat_map(|(file, code)| items(file, code, &files[*file]))
        .collect();
    let types: BTreeSet<(&str, &str)> = items
        .iter()
        .filter(|item| item.is_type)
        .map(|item| (item.file, item.name))
        .collect();
    if items.is_empty() {
        return vec!["src/: has no public item".to_owned()];
    }
    let mut faults = Vec::new();
    let is_bare = |item: &&Item<'_>| {
        let top = item.owner.unwrap_or(item.name);
        item.blocks.is_empty() && !SEALED.contains(&top)
    };
    for item in items.iter().filter(is_bare) {
        let path = match item.owner {
            Some(owner) if is_shown(item, owner, &items, &types, files) => continue,
            Some(owner) => format!("{owner}::{}", item.name),
            None => item.name.to_owned(),
        };
        let (file, line) = (item.file, item.line);
        faults.push(format!("{file}:{line}: `{path}` has no example"));
    }
    faults
}

/// Whether an example that is about the type calls this method of it.
fn is_shown(
    method: &Item<'_>,
    owner: &str,
    items: &[Item<'_>],
    types: &BTreeSet<(&str, &str)>,
    files: &Files,
) -> bool {
    let home = home(method.file, owner, types);
    let is_about = |item: &&Item<'_>| {
        if item.is_type && item.name != owner {
            return word(method.signature, item.name).next().is_some()
                && self::home(method.file, item.name, types) == item.file;
        }
        let speaks_of = item.owner == Some(owner) || word(item.signature, owner).next().is_some();
        speaks_of && self::home(item.file, owner, types) == home
    };
    let heads = [method.file.to_owned(), format!("{}/mod.rs", room(home))];
    let heads = heads
        .iter()
        .filter_map(|name| files.get(name))
        .flat_map(|text| blocks(text.lines().map_while(|line| line.strip_prefix("//!"))));
    let about = items.iter().filter(is_about).flat_map(|item| &item.blocks);
    let has_self = word(method.signature, "self").next().is_some();
    let mut texts = about.cloned().chain(heads);
    texts.any(|code| calls(&code, method.name, (!has_self).then_some(owner)))
}

/// The file that a type is declared in, by its name as a file would understand it: there are two
/// `Sender`s.
fn home<'a>(file: &'a str, owner: &str, types: &BTreeSet<(&'a str, &'a str)>) -> &'a str {
    let declares = |&&(other, name): &&(&'a str, &'a str)| name == owner && other == file;
    let beside = |&&(other, name): &&(&'a str, &'a str)| name == owner && room(other) == room(file);
    let mut found = types.iter().find(declares);
    found = found.or_else(|| types.iter().find(beside));
    found = found.or_else(|| types.iter().find(|&&(_, name)| name == owner));
    found.map_or(file, |&(file, _)| file)
}

fn room(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether the code calls a method, `.name(..)`, or an associated function, `Owner::name(..)`.
fn calls(code: &str, name: &str, owner: Option<&str>) -> bool {
    let called = |at: usize| {
        let after = &code[at + name.len()..];
        let before = code[..at].trim_end();
        let is_call = after.starts_with('(') || after.starts_with("::<");
        is_call
            && match owner {
                None => before.ends_with('.') || before.ends_with("::") || before.ends_with("fn"),
                Some(owner) => before.strip_suffix("::").is_some_and(|path| {
                    let path = path.rsplit_once("::<").map_or(path, |(path, _)| path);
                    path.ends_with(owner)
                }),
            }
    };
    word(code, name).any(called)
}

/// The public items of a file; `code` is its text with comments and literals blanked.
fn items<'a>(file: &'a str, code: &'a str, text: &str) -> Vec<Item<'a>> {
    let owners = owners(code);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut add = |at: usize, (keyword, name), owner| {
        let line = line(code, at);
        found.push(Item {
            file,
            line,
            name,
            is_type: keyword != "fn",
            owner,
            signature: &code[at..at + code[at..].find(['{', ';']).unwrap_or(0)],
            blocks: blocks(documentation(&lines[..line - 1]).into_iter()),
        });
    };
    for at in word(code, "pub") {
        let Some(declared) = declared(&code[at + 3..]) else {
            continue;
        };
        let owner = owners.iter().find(|(_, range)| range.contains(&at));
        add(at, declared, owner.map(|&(owner, _)| owner));
    }
    for (owner, range) in &owners {
        if code[..range.start].ends_with("pub ") {
            for at in word(&code[range.clone()], "fn").map(|at| at + range.start) {
                let name = first_word(code[at + 2..].trim_start());
                add(at, ("fn", name), Some(*owner));
            }
        }
    }
    found
}

/// What follows `pub`: the keyword and the name of a function, a type or a trait.
fn declared(mut rest: &str) -> Option<(&str, &str)> {
    loop {
        rest = rest.strip_prefix(' ')?;
        let keyword = first_word(rest);
        rest = &rest[keyword.len()..];
        match keyword {
            "async" | "const" | "unsafe" => {}
            "fn" | "struct" | "enum" | "trait" | "type" => {
                return Some((keyword, first_word(rest.trim_start())));
            }
            _ => return None,
        }
    }
}

/// Where the methods of a type stand, and those of a public trait.
fn owners(code: &str) -> Vec<(&str, Range<usize>)> {
    let mut owners = Vec::new();
    for (keyword, opens_line) in [("impl", true), ("trait", false)] {
        for at in word(code, keyword) {
            let header = &code[at + keyword.len()..];
            let header = &header[..header.find('{').unwrap_or(0)];
            let header = header.split(" where").next().unwrap_or(header);
            let is_foreign = word(header, "for").next().is_some();
            if is_foreign || opens_line && at > 0 && !code[..at].ends_with('\n') {
                continue;
            }
            let name = first_word(after_generics(header).trim_start());
            owners.push((name, at..item_end(code, at)));
        }
    }
    owners
}

/// What follows `<T: Fn() -> U>`.
fn after_generics(header: &str) -> &str {
    if !header.starts_with('<') {
        return header;
    }
    let mut depth = 0;
    for (at, byte) in header.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if header[..at].ends_with('-') => {}
            b'>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &header[at + 1..];
        }
    }
    header
}

/// The documentation that ends these lines, attributes left out.
fn documentation<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut found: Vec<&str> = lines
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("//") || line.starts_with("#["))
        .filter_map(|line| line.strip_prefix("///"))
        .collect();
    found.reverse();
    found
}

/// The compiled examples in lines of documentation: their code, as far as readers see it.
fn blocks<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), None);
    for line in lines.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        let shown = line.trim_start();
        match (&mut open, shown.strip_prefix("```")) {
            (None, Some(fence)) => {
                let mut words = fence.split(',').map(str::trim);
                open = Some((words.all(|word| COMPILED.contains(&word)), String::new()));
            }
            (Some((is_compiled, text)), Some(_)) => {
                found.extend(is_compiled.then(|| mask(text)));
                open = None;
            }
            (Some((_, text)), None) if shown != "#" && !shown.starts_with("# ") => {
                text.push_str(line);
                text.push('\n');
            }
            _ => {}
        }
    }
    found
}

/// A type in `src/a/b.rs`, with these lines in its example and these methods.
fn with_type(example: &str, methods: &str) -> String {
    let example: String = example
        .lines()
        .map(|line| format!("/// {line}\n"))
        .collect();
    let documented = format!("/// An A.\n///\n/// ```\n{example}/// ```\npub struct A;\n");
    documented + &format!("impl<T: Fn() -> T> A<T> {{\n{methods}\n}}\n")
}

const METHODS: &str = "pub fn new() -> Self {}\npub async fn go(&self) {}\nfn own(&self) {}";

#[test]
fn a_type_a_trait_or_a_function_without_an_example_is_found() {
    finds(examples, &[], &["src/: has no public item"]);
    let bare = "pub struct A(pub u8);\n/// B.\n#[derive(Debug)]\npub enum B {}\n\
        pub const fn f() {}\npub(crate) fn g() {}\npub const C: u8 = 0;\npub use f as h;\n\
        pub trait T { fn t(&self); }\nimpl T for B { fn t(&self) {} }\n\
        #[cfg(test)]\nmod tests { pub fn i() {} }";
    let faults = [
        "src/a/b.rs:1: `A` has no example",
        "src/a/b.rs:4: `B` has no example",
        "src/a/b.rs:5: `f` has no example",
        "src/a/b.rs:9: `T` has no example",
        "src/a/b.rs:9: `T::t` has no example",
    ];
    let spared = "pub struct S; pub trait Duplex { fn x(); }";
    let files = [
        ("src/a/b.rs", bare),
        ("src/http/x.rs", spared),
        ("src/a/tests.rs", spared),
    ];
    finds(examples, &files, &faults);

    for fence in ["```", "```no_run", "```rust,should_panic"] {
        let shown =
            format!("/// F.\n///\n/// {fence}\n/// f();\n/// ```\n#[must_use]\npub fn f() {{}}");
        finds(examples, &[("src/a/b.rs", &shown)], &[]);
    }
    for fence in ["```text", "```ignore", "```rust,ignore", "```compile_fail"] {
        let text = format!("/// {fence}\n/// f();\n/// ```\npub fn f() {{}}");
        let fault = "src/a/b.rs:4: `f` has no example";
        finds(examples, &[("src/a/b.rs", &text)], &[fault]);
    }
}

#[test]
fn a_method_that_no_example_calls_is_found() {
    let good = [
        "let a = A::new();\na.go().await;",
        "A::<u8>::new();\nA::go(&a);",
    ];
    for example in good {
        finds(
            examples,
            &[("src/a/b.rs", &with_type(example, METHODS))],
            &[],
        );
    }
    let new = "src/a/b.rs:8: `A::new` has no example";
    let go = "src/a/b.rs:9: `A::go` has no example";
    let bad = [
        ("# let a = A::new();\n# a.go();\na.gone();", &[new, go][..]),
        ("B::new(); new(); a.new();", &[new, go]),
        ("A::new(); // a.go()\nlet go = \".go()\";\n#[go()]", &[go]),
    ];
    for (example, faults) in bad {
        let lines = example.lines().count() - 1;
        let moved: Vec<String> = faults
            .iter()
            .map(|fault| fault.replace(":8:", &format!(":{}:", 8 + lines)))
            .map(|fault| fault.replace(":9:", &format!(":{}:", 9 + lines)))
            .collect();
        let moved: Vec<&str> = moved.iter().map(String::as_str).collect();
        finds(
            examples,
            &[("src/a/b.rs", &with_type(example, METHODS))],
            &moved,
        );
    }
}

#[test]
fn a_method_is_shown_where_its_type_is_given_or_its_room_is_explained() {
    let room = ("src/a/mod.rs", "//! ```\n//! A::new().go();\n//! ```");
    let text = with_type("()", METHODS);
    finds(examples, &[room, ("src/a/b.rs", &text)], &[]);
    let gives = "/// ```\n/// a().go(); A::new();\n/// ```\npub fn a() -> A<u8> {}";
    finds(
        examples,
        &[("src/c/d.rs", gives), ("src/a/b.rs", &text)],
        &[],
    );
    let takes = "/// ```\n/// a.go(B); A::new();\n/// ```\npub struct B;";
    let with_b = text
        .replace("&self", "&self, b: &B")
        .replace("new()", "new(b: B)");
    finds(
        examples,
        &[("src/c/d.rs", takes), ("src/a/b.rs", &with_b)],
        &[],
    );

    // Of two types with one name, each has to be shown itself.
    let twin = with_type("A::new().go();", METHODS);
    let faults = [
        "src/a/b.rs:8: `A::new` has no example",
        "src/a/b.rs:9: `A::go` has no example",
    ];
    finds(
        examples,
        &[("src/a/b.rs", &text), ("src/a/c.rs", &twin)],
        &faults,
    );
}
