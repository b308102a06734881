//! What a request asked for, for those who ask what a server is busy with.

use std::fmt;

/// What is kept of method and target: enough to know the route by.
const KEPT_BYTES: usize = 71;

/// The beginning of a request's first line. It is written for every request,
/// so it allocates nothing.
pub(super) struct RequestLine {
    text: [u8; KEPT_BYTES],
    len: u8,
    /// By those who watch; zero if nobody does.
    pub(super) number: u32,
}

impl Default for RequestLine {
    fn default() -> Self {
        RequestLine {
            text: [0; KEPT_BYTES],
            len: 0,
            number: 0,
        }
    }
}

impl RequestLine {
    /// Takes it from a buffer that begins with a line of this length.
    #[inline]
    pub(super) fn begin(&mut self, buffer: &[u8], len: usize) {
        let len = len.min(KEPT_BYTES);
        self.len = len as u8;
        match buffer.first_chunk() {
            // What lies behind the line is not shown, and a copy of fixed
            // length costs less.
            Some(chunk) => self.text = *chunk,
            None => self.text[..len].copy_from_slice(&buffer[..len]),
        }
    }

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

/// No more than that: behind it lie bytes of other fields.
impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT_BYTES, RequestLine};

    fn line(text: &str, behind: &str) -> RequestLine {
        let mut line = RequestLine::default();
        line.begin(format!("{text}{behind}").as_bytes(), text.len());
        line
    }

    #[test]
    fn a_line_is_bounded_and_has_no_control_characters() {
        assert_eq!(RequestLine::default().to_string(), "");
        let rest = " HTTP/1.1\r\ncookie: secret\r\n".repeat(3);
        for behind in ["", " HTTP/1.1\r\n", rest.as_str()] {
            let short = line("GET /a?b", behind);
            assert_eq!(short.to_string(), "GET /a?b");
            assert_eq!(short.first(6), b"GET /a");
            assert_eq!(short.first(60), b"GET /a?b");
            assert_eq!(format!("{short:?}"), "GET /a?b");
            let odd = line("GET /\u{1b}[2J\r\n\u{e9}", behind);
            assert_eq!(odd.to_string(), r"GET /\x1b[2J\r\n\xc3\xa9");
            for len in 0..3 * KEPT_BYTES {
                let whole = format!("OPTIONS {}", "x".repeat(len));
                let shown = line(&whole, behind).to_string();
                match whole.len() < KEPT_BYTES {
                    true => assert_eq!(shown, whole),
                    false => assert_eq!(shown, format!("{}...", &whole[..KEPT_BYTES])),
                }
            }
        }
    }
}
