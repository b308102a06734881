//! Which bytes of a file a client wants (RFC 9110, 14).
//!
//! Pure. A `range` field is a wish: a server may ignore it, and so whatever
//! is malformed or absurd here gets the whole file, and only what lies beyond
//! the end is an error.

use std::ops::Range;

/// Ranges in one request, before they are merged. Nobody who resumes a
/// download or reads a PDF needs as many; who sends more wants to be a
/// nuisance (14.2).
const RANGES_MAX: usize = 32;

/// What a `range` field asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// All of it: the field is malformed, in other units, or too much.
    Whole,
    /// These parts, none of which is empty, touches another or reaches
    /// beyond the end. In the order they were asked for.
    Parts(Vec<Range<u64>>),
    /// Nothing that there is: 416.
    Beyond,
}

/// Reads a `range` field for a file of `len` bytes.
pub(super) fn parse(value: &[u8], len: u64) -> Wish {
    let Some(specs) = specs(value) else {
        return Wish::Whole;
    };
    // No range can say "nothing" in a 206, so an empty file is sent whole to
    // whom its end is enough.
    if len == 0 && specs.iter().any(|spec| matches!(spec, Spec::Last(1..))) {
        return Wish::Whole;
    }
    let parts: Vec<Range<u64>> = specs.iter().filter_map(|spec| spec.within(len)).collect();
    if parts.is_empty() {
        return Wish::Beyond;
    }
    Wish::Parts(merge(parts))
}

/// One range as it is written.
#[derive(Clone, Copy, Debug)]
enum Spec {
    /// From the first byte to the last, both included.
    Between(u64, u64),
    /// The last bytes, as many.
    Last(u64),
}

impl Spec {
    fn within(self, len: u64) -> Option<Range<u64>> {
        let range = match self {
            Spec::Between(first, last) => first..last.saturating_add(1).min(len),
            Spec::Last(count) => len.saturating_sub(count)..len,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// The ranges of a field; `None` if one of them is not understood.
fn specs(value: &[u8]) -> Option<Vec<Spec>> {
    let text = str::from_utf8(value).ok()?;
    let (unit, list) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for item in list.split(',') {
        let item = item.trim_matches([' ', '\t']);
        if item.is_empty() {
            // Lists may have empty places (5.6.1).
            continue;
        }
        if specs.len() == RANGES_MAX {
            return None;
        }
        let (first, last) = item.split_once('-')?;
        specs.push(match (first, last) {
            ("", last) => Spec::Last(number(last)?),
            (first, "") => Spec::Between(number(first)?, u64::MAX),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Spec::Between(first, last))?
            }
        });
    }
    (!specs.is_empty()).then_some(specs)
}

/// Digits only. What is more than any file has is as good as the most.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Joins what overlaps or touches. Each part stands where the first of those
/// it was made of stood (15.3.7.2).
fn merge(parts: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut by_start: Vec<(usize, Range<u64>)> = parts.into_iter().enumerate().collect();
    by_start.sort_by_key(|(_, part)| part.start);
    let mut merged: Vec<(usize, Range<u64>)> = Vec::new();
    for (place, part) in by_start {
        match merged.last_mut() {
            Some((first, known)) if part.start <= known.end => {
                known.end = known.end.max(part.end);
                *first = place.min(*first);
            }
            _ => merged.push((place, part)),
        }
    }
    merged.sort_by_key(|(place, _)| *place);
    merged.into_iter().map(|(_, part)| part).collect()
}
