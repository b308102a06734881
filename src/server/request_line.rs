//! What a request asked for, for those who ask what a server is busy with.

use std::fmt;
use std::time::Instant;

/// What is kept of method and target: enough to know the route by.
const KEPT_BYTES: usize = 71;

/// The beginning of a request's first line, and when it came. It is written
/// for every request, so it allocates nothing.
#[derive(Debug)]
pub(super) struct RequestLine {
    text: [u8; KEPT_BYTES],
    len: u8,
    pub(super) since: Option<Instant>,
    /// By those who watch; zero if nobody does.
    pub(super) number: u32,
}

impl Default for RequestLine {
    fn default() -> Self {
        RequestLine {
            text: [0; KEPT_BYTES],
            len: 0,
            since: None,
            number: 0,
        }
    }
}

impl RequestLine {
    #[inline]
    pub(super) fn begin(&mut self, method: &str, target: &str, now: Instant) {
        self.since = Some(now);
        self.len = 0;
        for part in [method, " ", target] {
            let at = usize::from(self.len);
            let count = part.len().min(KEPT_BYTES - at);
            self.text[at..at + count].copy_from_slice(&part.as_bytes()[..count]);
            self.len += count as u8;
        }
    }
}

impl RequestLine {
    /// This many bytes of it, as far as they are kept.
    #[inline]
    pub(super) fn first(&self, count: usize) -> &[u8] {
        &self.text[..usize::from(self.len).min(count)]
    }
}

/// As the client wrote it, but never with a control character: it goes to a
/// log. One that fills all the room may have been longer.
impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text[..usize::from(self.len)];
        let is_cut = text.len() == KEPT_BYTES;
        write!(
            f,
            "{}{}",
            text.escape_ascii(),
            if is_cut { "..." } else { "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{KEPT_BYTES, RequestLine};

    #[test]
    fn a_line_is_bounded_and_has_no_control_characters() {
        let mut line = RequestLine::default();
        assert_eq!(line.to_string(), "");
        line.begin("GET", "/a?b", Instant::now());
        assert_eq!(line.to_string(), "GET /a?b");
        assert_eq!(line.first(6), b"GET /a");
        assert_eq!(line.first(60), b"GET /a?b");
        line.begin("GET", "/\u{1b}[2J\r\n\u{e9}", Instant::now());
        assert_eq!(line.to_string(), r"GET /\x1b[2J\r\n\xc3\xa9");
        for len in 0..3 * KEPT_BYTES {
            line.begin("OPTIONS", &"x".repeat(len), Instant::now());
            let whole = format!("OPTIONS {}", "x".repeat(len));
            match whole.len() < KEPT_BYTES {
                true => assert_eq!(line.to_string(), whole),
                false => assert_eq!(line.to_string(), format!("{}...", &whole[..KEPT_BYTES])),
            }
            line.begin(&"M".repeat(len), "/", Instant::now());
            assert!(line.to_string().len() <= KEPT_BYTES + 3);
        }
    }
}
