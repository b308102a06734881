//! A directory as a page.

use std::fmt::Write;

use crate::sys::{Entry, Kind};

/// Names on a page, at most. Whoever keeps more in one directory wants an
/// index.
pub(super) const ENTRIES_MAX: usize = 10_000;

/// Makes the page: directories first, then by name. Names come from whoever
/// may write files, so every one of them is escaped twice: as a link and as
/// text.
pub(super) fn page(
    title: &str,
    mut entries: Vec<Entry>,
    are_all: bool,
    has_parent: bool,
) -> String {
    let rank = |entry: &Entry| entry.kind != Kind::Directory;
    entries.sort_by(|a, b| (rank(a), &a.name).cmp(&(rank(b), &b.name)));
    let title = escape(title);
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Index of {title}</title>\n\
         <h1>Index of {title}</h1>\n<table>\n"
    );
    if has_parent {
        page.push_str("<tr><td><a href=\"../\">../</a></td><td></td></tr>\n");
    }
    for entry in &entries {
        let name = entry.name.to_string_lossy();
        let (slash, size) = match entry.kind {
            Kind::Directory => ("/", String::new()),
            Kind::File { size } => ("", size.to_string()),
            Kind::Link => ("", String::new()),
            // Pipes and devices are not served.
            Kind::Other => continue,
        };
        let link = encode(entry.name.as_encoded_bytes());
        let text = escape(&name);
        let _ = writeln!(
            page,
            "<tr><td><a href=\"./{link}{slash}\">{text}{slash}</a></td><td>{size}</td></tr>"
        );
    }
    page.push_str("</table>\n");
    if !are_all {
        let _ = writeln!(page, "<p>The first {ENTRIES_MAX} that were found.</p>");
    }
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A name as one segment of a path.
fn encode(name: &[u8]) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
