//! Text that does nothing to where it is shown.

use std::fmt::Write;

/// The text without characters that steer a terminal or turn text around, cut at that many.
pub(super) fn plain(text: &str, chars_max: usize) -> String {
    let mut short = String::new();
    for (at, c) in text.chars().enumerate() {
        if at + 1 >= chars_max && text.chars().nth(chars_max).is_some() {
            short.push('…');
            break;
        }
        short.push(if is_steering(c) { '\u{fffd}' } else { c });
    }
    short
}

/// Controls, and marks without width that change how others are read.
pub(super) fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A stretch of time in a unit that fits.
pub(super) fn lasting(nanos: u64) -> String {
    let mut text = String::new();
    let _ = match nanos {
        0..1_000 => write!(text, "{nanos} ns"),
        1_000..100_000 => write!(text, "{:.1} µs", nanos as f64 / 1e3),
        100_000..10_000_000 => write!(text, "{:.1} ms", nanos as f64 / 1e6),
        10_000_000..100_000_000_000 => write!(text, "{:.0} ms", nanos as f64 / 1e6),
        _ => write!(text, "{:.0} s", nanos as f64 / 1e9),
    };
    text
}

/// A function without the path to it. A closure keeps the name of the function it is in.
pub(crate) fn short_function(path: &str) -> String {
    let parts = segments(path);
    let hash = |part: &&str| {
        let digits = part.strip_prefix('h').unwrap_or_default();
        digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let end = parts.len() - usize::from(parts.len() > 1 && parts.last().is_some_and(hash));
    let named = |part: &&str| !part.starts_with(['{', '<']);
    let from = parts[..end].iter().rposition(named);
    parts[from.unwrap_or_default()..end].join("::")
}

/// Cuts at each `::` that stands in no brackets.
fn segments(path: &str) -> Vec<&str> {
    let (mut parts, mut from, mut depth) = (Vec::new(), 0, 0i32);
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' | b')' | b']' => depth -= 1,
            b':' if depth == 0 && at >= from && path[at..].starts_with("::") => {
                parts.push(&path[from..at]);
                from = at + 2;
            }
            _ => {}
        }
    }
    parts.push(&path[from..]);
    parts
}
