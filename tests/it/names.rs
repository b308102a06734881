//! Every name in the middle column of docs/names.md is one that a user of the crate can write.
//!
//! `net::UdpSocket::bind` is found if `net` is public, its door shows `UdpSocket`, and somewhere a
//! public `bind` stands in an `impl` of an `UdpSocket`. Like the checks of `tidy` this reads text:
//! what it leans on is how rustfmt lays an item out.

use crate::tidy::{Files, finds, repository};

const PAGE: &str = "docs/names.md";

/// What stands in the middle column where there is no name.
const VERDICTS: [&str; 6] = ["not needed", "docs", "elsewhere", "feature", "later", "no"];

/// What stands before the name of an item.
const KEYWORDS: [&str; 8] = [
    "async", "const", "unsafe", "fn", "struct", "enum", "trait", "type",
];

#[test]
fn every_name_on_the_page_can_be_written() {
    let faults = names(&repository());
    let (count, list) = (faults.len(), faults.join("\n"));
    assert!(faults.is_empty(), "{count} faults:\n{list}");
}

fn names(files: &Files) -> Vec<String> {
    let text = files.get(PAGE).map_or("", String::as_str);
    let (mut found, mut faults) = (0, Vec::new());
    for (at, line) in text.lines().enumerate() {
        if !line.starts_with('|') {
            continue;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, _, here, note, _] = cells[..] else {
            faults.push(format!("{PAGE}:{}: wants three columns", at + 1));
            continue;
        };
        if here == "here" || here == "---" {
            continue;
        }
        let mut paths = here.split('`').skip(1).step_by(2).peekable();
        let verdict = here.split([':', ',']).next().unwrap_or_default();
        if paths.peek().is_none() && (!VERDICTS.contains(&verdict) || note.is_empty()) {
            faults.push(format!("{PAGE}:{}: neither a name nor a reason", at + 1));
        }
        for path in paths {
            found += 1;
            if !is_public(files, path) {
                faults.push(format!("{PAGE}:{}: no `{path}`", at + 1));
            }
        }
    }
    if found == 0 {
        faults.push(format!("{PAGE}: names nothing"));
    }
    faults
}

/// Whether the path leads from the front page to something public.
fn is_public(files: &Files, path: &str) -> bool {
    let (mut door, mut folder) = ("src/lib.rs".to_owned(), "src".to_owned());
    let mut rest: Vec<&str> = path.split("::").collect();
    while let Some(module) = rest.first() {
        let declared = text(files, &door).lines();
        let is_module = declared
            .map(str::trim)
            .any(|line| line == format!("pub mod {module};"));
        if !is_module {
            break;
        }
        folder = format!("{folder}/{module}");
        door = format!("{folder}/mod.rs");
        if !files.contains_key(&door) {
            door = format!("{folder}.rs");
        }
        rest.remove(0);
    }
    match rest[..] {
        [] => true,
        [item] => shows(text(files, &door), item),
        [item, member] => shows(text(files, &door), item) && has(files, item, member),
        _ => false,
    }
}

fn text<'a>(files: &'a Files, name: &str) -> &'a str {
    files.get(name).map_or("", String::as_str)
}

/// Whether a door defines the item or passes it on.
fn shows(door: &str, item: &str) -> bool {
    let uses = door.split("\npub use ").skip(1).any(|statement| {
        let statement = statement.split(';').next().unwrap_or_default();
        let list = statement.split('{').nth(1);
        let list = list.or(statement.rsplit("::").next()).unwrap_or_default();
        let mut names = list.split(',').filter_map(|name| words(name).last());
        names.any(|name| name == item)
    });
    uses || door.lines().any(|line| defines(line, item))
}

/// Whether a line begins with `pub`, what kind of item it is, and its name.
fn defines(line: &str, item: &str) -> bool {
    line.strip_prefix("pub ")
        .is_some_and(|rest| name_of(rest) == Some(item) && words(rest).next() != Some(item))
}

/// The first word after the keywords.
fn name_of(line: &str) -> Option<&str> {
    words(line).find(|word| !KEYWORDS.contains(word))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| !word.is_empty())
}

/// Whether the type has a public function, constant or field, a trait's function, or a variant of
/// this name.
fn has(files: &Files, owner: &str, member: &str) -> bool {
    let sources = files.iter().filter(|(name, text)| {
        name.starts_with("src/") && text.contains(owner) && text.contains(member)
    });
    sources.flat_map(|(_, text)| blocks(text)).any(|block| {
        let mut lines = block.lines();
        let head = lines.next().unwrap_or_default();
        let is_impl = head.starts_with("impl") && words(head).any(|word| word == owner);
        if !is_impl && !defines(head, owner) {
            return false;
        }
        let is_open = words(head).any(|word| word == "enum" || word == "trait");
        lines.any(|line| {
            let Some(line) = line.strip_prefix("    ").filter(|line| is_code(line)) else {
                return false;
            };
            let public = line.strip_prefix("pub ");
            public.or(is_open.then_some(line)).and_then(name_of) == Some(member)
        })
    })
}

fn is_code(line: &str) -> bool {
    !line.starts_with([' ', '/', '#', '}', '*'])
}

/// The items of a file that have a body in braces, each from its first line on.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let starts = ["impl", "pub struct", "pub enum", "pub trait"];
    text.split_inclusive("\n}").filter_map(move |part| {
        let mut at = 0;
        for line in part.split_inclusive('\n') {
            let rest = &part[at..];
            let has_body = !line.trim_end().ends_with([';', '}']);
            if has_body && starts.iter().any(|start| rest.starts_with(start)) {
                return Some(rest);
            }
            at += line.len();
        }
        None
    })
}

#[test]
fn a_name_that_is_not_there_is_found() {
    let lib = "mod far;\npub mod net;\npub use far::{Far,\n    Near as Close};\npub fn go() {}\n";
    let net = "mod tcp;\nmod udp;\npub mod deep;\npub use tcp::TcpStream;\n";
    let tcp = "pub struct TcpStream;\n\nimpl Error for TcpStream {}\n\nimpl TcpStream {\n    \
               pub async fn read() {}\n\n    fn hidden() {}\n}\n\nimpl<T> Other<T> {\n    \
               pub fn write() {}\n}\n";
    let far = "pub struct Far {\n    pub count: u8,\n    own: u8,\n}\n\npub enum Close {\n    \
               /// Shut\n    Now,\n}\n";
    let sources = [
        ("src/lib.rs", lib),
        ("src/net/mod.rs", net),
        ("src/net/tcp.rs", tcp),
        ("src/net/deep.rs", "pub const fn dive() {}\n"),
        ("src/far.rs", far),
    ];
    let check = |page: &str, faults: &[&str]| {
        finds(
            names,
            &[sources.as_slice(), &[(PAGE, page)]].concat(),
            faults,
        );
    };
    let page = "text `nowhere`\n| a | here | note |\n|---|---|---|\n";
    let good = "| `x` | `go`, `Far::count`, `Close::Now` | `nothing` |\n\
                | x | docs: `net::TcpStream::read` | |\n\
                | x | `net::deep`, `net::deep::dive` | |\n| x | no | Why. |\n";
    check(&[page, good].concat(), &[]);
    for bad in [
        "goes",
        "far::Far",
        "Near",
        "Far::own",
        "Close::Shut",
        "TcpStream",
        "net::tcp",
        "net::udp::TcpStream",
        "net::TcpStream::hidden",
        "net::TcpStream::write",
        "net::deep::dive::more",
        "tourbillon::go",
    ] {
        let row = format!("{page}| x | `go`, `{bad}` | |\n");
        check(&row, &[&format!("docs/names.md:4: no `{bad}`")]);
    }
    check(
        "| x | `go` |\n",
        &[
            "docs/names.md:1: wants three columns",
            "docs/names.md: names nothing",
        ],
    );
    for bare in ["| x | perhaps | Why. |", "| x | no | |", "| x | | Why. |"] {
        let fault = "docs/names.md:2: neither a name nor a reason";
        check(&format!("| x | `go` | |\n{bare}\n"), &[fault]);
    }
    check("", &["docs/names.md: names nothing"]);
}
