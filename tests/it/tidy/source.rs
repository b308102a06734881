//! Reads Rust well enough to judge it: comments and literals blanked, tests cut out.
//!
//! What is blanked becomes spaces and line ends stay, so a place found in the rest is still a place
//! in the file.

use std::ops::Range;

use super::{Files, planted};

/// The code of `src/` that ships: file name, and text without comments, literals and tests.
pub(super) fn shipped(files: &Files) -> Vec<(&str, String)> {
    let mut tests = Vec::new();
    let mut sources = Vec::new();
    for (name, text) in files.range("src/".to_owned().."src0".to_owned()) {
        let code = mask(text);
        let items = test_items(&code);
        for item in &items {
            if let Some(module) = code[item.clone()].trim_end().strip_suffix(';')
                && let Some((_, module)) = module.rsplit_once("mod ")
            {
                tests.push(format!("{}/{module}", folder_of_children(name)));
            }
        }
        sources.push((name.as_str(), blank(code, &items)));
    }
    let is_test = |name: &str| {
        is_test_file(name)
            || tests.iter().any(|test| {
                let rest = name.strip_prefix(test.as_str());
                rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            })
    };
    sources.retain(|(name, _)| !is_test(name));
    sources
}

pub(super) fn is_test_file(name: &str) -> bool {
    name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("/tests.rs")
}

/// Where the modules that a file declares are found.
fn folder_of_children(name: &str) -> &str {
    let stem = name.strip_suffix(".rs").unwrap_or(name);
    match stem.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => stem,
    }
}

/// Blanks comments, strings and character literals.
pub(super) fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut spans, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let in_word = at > 0 && is_word(bytes[at - 1]);
        let length = opaque(&text[at..], in_word).min(bytes.len() - at);
        if length > 0 {
            spans.push(at..at + length);
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    blank(text.to_owned(), &spans)
}

fn blank(text: String, spans: &[Range<usize>]) -> String {
    let mut bytes = text.into_bytes();
    for byte in spans.iter().flat_map(Clone::clone) {
        if bytes[byte] != b'\n' {
            bytes[byte] = b' ';
        }
    }
    String::from_utf8(bytes).expect("whole characters are blanked")
}

/// Length of the comment or literal that starts here, 0 if none does.
fn opaque(rest: &str, in_word: bool) -> usize {
    let bytes = rest.as_bytes();
    // Nearly every byte starts none, and all the sources are read many times.
    if !matches!(bytes[0], b'/' | b'"' | b'\'' | b'b' | b'c' | b'r') {
        return 0;
    }
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if bytes[0] == b'"' {
        return quoted(bytes, b'"');
    }
    if bytes[0] == b'\'' {
        let width = rest[1..].chars().next().map_or(0, char::len_utf8);
        let literal = bytes.get(1) == Some(&b'\\') || bytes.get(1 + width) == Some(&b'\'');
        return if literal { quoted(bytes, b'\'') } else { 0 }; // else a lifetime
    }
    let Some(raw) = rest.trim_start_matches(['b', 'c']).strip_prefix('r') else {
        return 0;
    };
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if in_word || !raw[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", &raw[..hashes]);
    let open = rest.len() - raw.len() + hashes + 1;
    rest[open..]
        .find(&end)
        .map_or(rest.len(), |at| open + at + end.len())
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..rest.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Every item under `#[cfg(test)]`, attribute included.
fn test_items(code: &str) -> Vec<Range<usize>> {
    let mut items: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("#[cfg(") {
        let condition = &code[start + "#[cfg(".len()..];
        let inside = items.last().is_some_and(|item| start < item.end);
        if !inside && (condition.starts_with("test)") || condition.starts_with("all(test,")) {
            items.push(start..item_end(code, start));
        }
    }
    items
}

/// The end of an item: its `;`, the `}` of its body, or the `,` of a field or an arm.
pub(super) fn item_end(code: &str, start: usize) -> usize {
    const ITEMS: [&str; 10] = [
        "mod", "fn", "impl", "use", "struct", "enum", "trait", "type", "const", "static",
    ];
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return at,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth > 0 {
            continue;
        }
        let ends = match byte {
            b'}' | b';' => true,
            b',' => !ITEMS
                .iter()
                .any(|item| word(&code[start..at], item).next().is_some()),
            _ => false,
        };
        if ends {
            return at + 1;
        }
    }
    code.len()
}

/// Every function with a body: name, first line, number of lines.
pub(super) fn functions(code: &str) -> Vec<(&str, usize, usize)> {
    let mut functions = Vec::new();
    for at in word(code, "fn") {
        let name = first_word(code[at + 2..].trim_start());
        // The type `fn(..)` has no name.
        if !name.is_empty() {
            let end = item_end(code, at);
            if code[..end].ends_with('}') {
                functions.push((name, line(code, at), line(code, end) + 1 - line(code, at)));
            }
        }
    }
    functions
}

/// The names right below a root: `std::{fs, io::Read}` has `fs` and `io` below `std`.
pub(super) fn below<'a>(code: &'a str, root: &str) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    for at in word(code, root) {
        let Some(path) = code[at + root.len()..].strip_prefix("::") else {
            continue;
        };
        let here = line(code, at);
        let Some(group) = path.strip_prefix('{') else {
            names.push((here, first_word(path)));
            continue;
        };
        let (mut depth, mut fresh) = (0, true);
        for (at, byte) in group.bytes().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' if depth == 0 => break,
                b'}' => depth -= 1,
                b',' if depth == 0 => fresh = true,
                _ if fresh && is_word(byte) => {
                    names.push((here, first_word(&group[at..])));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// Where a whole word stands.
pub(super) fn word<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    let ends = |at: usize| bytes.get(at).is_none_or(|&byte| !is_word(byte));
    let places = text.match_indices(word).map(|(at, _)| at);
    places.filter(move |&at| (at == 0 || ends(at - 1)) && ends(at + word.len()))
}

pub(super) fn first_word(text: &str) -> &str {
    let end = text.bytes().position(|byte| !is_word(byte));
    &text[..end.unwrap_or(text.len())]
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

pub(super) fn line(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

#[test]
fn comments_and_literals_are_blanked_and_code_is_not() {
    let cases = [
        ("a // b", "a     "),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"a("\"b", 'c', '"', b'\'')"#, "a(     ,    ,    , b    )"),
        ("r#\"a\"b\"# c", "          c"),
        ("br\"\\\" for r#in 'a", "      for r#in 'a"),
        ("'é' \"é\n\" é", "     \n  é"),
    ];
    for (text, masked) in cases {
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(squeezed(&mask(text)), squeezed(masked), "{text}");
        assert_eq!(mask(text).len(), text.len(), "{text}");
    }
}

#[test]
fn tests_do_not_ship() {
    let files = planted(&[
        ("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod model;\n"),
        (
            "src/a/b.rs",
            "struct B { #[cfg(test)] c: u8, d: u8 }\n#[cfg(test)] fn e<F, G>() { }\nf",
        ),
        ("src/a/b/tests.rs", "g"),
        ("src/a/model.rs", "h"),
    ]);
    let shipped = shipped(&files);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(shipped.len(), 2);
    assert_eq!(
        (shipped[0].0, words(&shipped[0].1)),
        ("src/a/b.rs", "struct B { d: u8 } f".into())
    );
    assert_eq!(
        (shipped[1].0, words(&shipped[1].1)),
        ("src/a/mod.rs", "mod b;".into())
    );
}

#[test]
fn functions_are_measured_and_names_found_below_a_root() {
    let code = "fn a(x: [u8; 2]) {\n{}\n}\ntrait T { fn b(); }\ntype F = fn(u8);";
    assert_eq!(functions(code), [("a", 1, 3)]);
    let code = "use std::{fs, io::{Read, Write}, net};\nstd::thread::spawn; my_std::x";
    assert_eq!(
        below(code, "std"),
        [(1, "fs"), (1, "io"), (1, "net"), (2, "thread")]
    );
}
