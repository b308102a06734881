//! Conditional requests (RFC 9110, 13): whether the client has it already.
//!
//! Pure. The order of the questions matters as much as their answers
//! (13.2.2): an `if-none-match` makes `if-modified-since` mute, even where it
//! would have said no.

use crate::http::{Headers, parse_http_date};

/// What is there now, to compare with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validators<'a> {
    /// With its quotes; in front of a weak one stands `W/`.
    pub(super) etag: Option<&'a str>,
    /// In seconds since 1970.
    pub(super) modified: Option<u64>,
    /// No two representations can have this date in common.
    pub(super) is_dated_strongly: bool,
    /// The time it is, in seconds since 1970.
    pub(super) now: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Perform,
    /// 304: what the client has is what there is.
    NotModified,
    /// 412: what the client thinks it has is not what there is.
    Failed,
}

/// Evaluates the preconditions of a GET or HEAD in their order (13.2.2),
/// `if-range` aside.
pub(super) fn evaluate(fields: &Headers, current: Validators<'_>) -> Verdict {
    let has_changed_since = |name| {
        let since = date(fields, name, current.now)?;
        Some(current.modified? > since)
    };
    if fields.contains("if-match") {
        let strong = |tag: Tag<'_>| !tag.is_weak && current.etag == Some(tag.opaque);
        if !any_tag(fields, "if-match", strong) {
            return Verdict::Failed;
        }
    } else if has_changed_since("if-unmodified-since") == Some(true) {
        return Verdict::Failed;
    }
    if fields.contains("if-none-match") {
        let opaque = current.etag.map(|tag| tag.trim_start_matches("W/"));
        let weak = |tag: Tag<'_>| opaque == Some(tag.opaque);
        if any_tag(fields, "if-none-match", weak) {
            return Verdict::NotModified;
        }
    } else if has_changed_since("if-modified-since") == Some(false) {
        return Verdict::NotModified;
    }
    Verdict::Perform
}

/// Whether a range still means what the client thinks it does: there is no
/// `if-range`, or what it names is what there is (13.1.5).
///
/// A date has to be the very same, no other representation's, and so long ago
/// that nothing can have changed twice within its second (8.8.2.2).
pub(super) fn range_applies(fields: &Headers, current: Validators<'_>) -> bool {
    let mut values = fields.get_all("if-range");
    let Some(value) = values.next() else {
        return true;
    };
    if values.next().is_some() {
        return false;
    }
    if let Some((tag, [])) = take_tag(value) {
        return !tag.is_weak && current.etag == Some(tag.opaque);
    }
    if !current.is_dated_strongly {
        return false;
    }
    let date = parse_http_date(value, current.now);
    date.is_some() && date == current.modified && date.is_some_and(|date| date < current.now)
}

/// The date in a field; `None` if there is none, or more than one (13.1.3).
fn date(fields: &Headers, name: &str, now: u64) -> Option<u64> {
    let mut values = fields.get_all(name);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    parse_http_date(value, now)
}

/// An entity tag (8.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tag<'a> {
    is_weak: bool,
    /// With its quotes.
    opaque: &'a str,
}

/// Whether a list of tags is `*` or holds one that fits. What follows a
/// fault of its grammar is not read.
fn any_tag(fields: &Headers, name: &str, fits: impl Fn(Tag<'_>) -> bool) -> bool {
    let mut values = fields.get_all(name);
    values.any(|value| {
        if value == b"*" {
            return true;
        }
        let mut rest = value;
        loop {
            rest = skip(rest, b" \t,");
            let Some((tag, after)) = take_tag(rest) else {
                return false;
            };
            if fits(tag) {
                return true;
            }
            rest = skip(after, b" \t");
            if !rest.starts_with(b",") {
                return false;
            }
        }
    })
}

fn take_tag(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (is_weak, quoted) = match text.strip_prefix(b"W/") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let inside = quoted.strip_prefix(b"\"")?;
    let is_allowed = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..);
    let len = inside.iter().position(|byte| !is_allowed(byte))?;
    if inside[len] != b'"' {
        return None;
    }
    let (quoted, rest) = quoted.split_at(len + 2);
    // Ours are ASCII; one that is no UTF-8 is another's.
    let opaque = str::from_utf8(quoted).unwrap_or("");
    Some((Tag { is_weak, opaque }, rest))
}

fn skip<'a>(text: &'a [u8], what: &[u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !what.contains(byte));
    &text[end.unwrap_or(text.len())..]
}
