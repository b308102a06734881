//! A multipart body in pieces, without I/O (RFC 2046, 5.1; RFC 7578).
//!
//! The crates for this keep the head of a part in memory for as long as it
//! does not end, and look for its end from the start each time. So it is
//! done here, where all that a client can make grow has a limit.

use std::fmt;

/// As many bytes as the head of a part may have.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// As long as a boundary may be (RFC 2046, 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// What comes before the first boundary is for nobody.
const PREAMBLE_BYTES_MAX: usize = 1024;

/// Cuts what it is fed into parts.
pub(super) struct Parts {
    /// The line's end before it belongs to the boundary.
    delimiter: Vec<u8>,
    buffer: Vec<u8>,
    /// Where in the buffer that begins which was not taken yet.
    from: usize,
    /// How much of a head was searched for its end.
    searched: usize,
    skipped: usize,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Preamble,
    /// Right behind a delimiter: another part, or the end.
    Delimiter,
    Head,
    Data,
    End,
}

/// What comes next in a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Nothing, until more is fed.
    NeedMore,
    Part(PartHead),
    /// Some of the part's bytes.
    Data(Vec<u8>),
    PartEnd,
    End,
}

/// Who a part says it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartHead {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
}

/// How a body breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadParts(pub(super) &'static str);

impl fmt::Display for BadParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Parts {
    /// For a body with this content type.
    pub(super) fn new(content_type: &str) -> Result<Parts, BadParts> {
        let boundary = param(content_type, "boundary").unwrap_or_default();
        let is_good = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let fits = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len());
        if !fits || !boundary.bytes().all(is_good) || boundary.ends_with(' ') {
            return Err(BadParts("the content type has no good boundary"));
        }
        Ok(Parts {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary has no line before it.
            buffer: b"\r\n".to_vec(),
            from: 0,
            searched: 0,
            skipped: 0,
            stage: Stage::Preamble,
        })
    }

    pub(super) fn feed(&mut self, piece: &[u8]) {
        if self.stage != Stage::End {
            self.buffer.drain(..self.from);
            self.from = 0;
            self.buffer.extend_from_slice(piece);
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.from..]
    }

    pub(super) fn next(&mut self) -> Result<Event, BadParts> {
        loop {
            match self.stage {
                Stage::Preamble => match self.until_delimiter() {
                    (skipped, true) => {
                        self.skip(skipped + self.delimiter.len());
                        self.stage = Stage::Delimiter;
                    }
                    (skipped, false) => {
                        self.skip(skipped);
                        self.skipped += skipped;
                        if self.skipped > PREAMBLE_BYTES_MAX {
                            return Err(BadParts("no part begins"));
                        }
                        return Ok(Event::NeedMore);
                    }
                },
                Stage::Delimiter => match self.rest() {
                    [b'-', b'-', ..] => {
                        self.skip(self.rest().len());
                        self.stage = Stage::End;
                    }
                    [b'\r', b'\n', ..] => self.stage = Stage::Head,
                    // Blanks may follow (RFC 2046, 5.1.1).
                    [b' ' | b'\t', ..] => self.skip(1),
                    [] | [b'-'] | [b'\r'] => return Ok(Event::NeedMore),
                    _ => return Err(BadParts("a boundary goes on as something else")),
                },
                Stage::Head => return self.next_head(),
                Stage::Data => return Ok(self.next_data()),
                Stage::End => return Ok(Event::End),
            }
        }
    }

    fn next_head(&mut self) -> Result<Event, BadParts> {
        let end = find(&self.rest()[self.searched..], b"\r\n\r\n");
        let end = end.map(|end| self.searched + end);
        let length = end.unwrap_or(self.rest().len());
        if length > HEAD_BYTES_MAX {
            return Err(BadParts("the head of a part is too long"));
        }
        let Some(end) = end else {
            // The last three bytes may begin what is searched for.
            self.searched = length.saturating_sub(3);
            return Ok(Event::NeedMore);
        };
        let head = PartHead::parse(&self.rest()[..end])?;
        // An empty part's boundary shares the line's end.
        self.skip(end + 2);
        self.searched = 0;
        self.stage = Stage::Data;
        self.skipped = 0;
        Ok(Event::Part(head))
    }

    /// The buffer begins with the end of the line before the data, of which
    /// nothing was taken yet, until `skipped` says so.
    fn next_data(&mut self) -> Event {
        let (count, is_end) = self.until_delimiter();
        let begins = if self.skipped == 0 { 2 } else { 0 };
        if count <= begins && !is_end {
            return Event::NeedMore;
        }
        if count > begins {
            let data = self.rest()[begins..count].to_vec();
            self.skip(count);
            self.skipped = 1;
            return Event::Data(data);
        }
        self.skip(count + self.delimiter.len());
        self.skipped = 0;
        self.stage = Stage::Delimiter;
        Event::PartEnd
    }

    /// How many bytes stand before the delimiter, if it is there, and else
    /// before where it might begin.
    fn until_delimiter(&self) -> (usize, bool) {
        let rest = self.rest();
        if let Some(at) = find(rest, &self.delimiter) {
            return (at, true);
        }
        let tail = rest.len().saturating_sub(self.delimiter.len() - 1);
        let begins = |at: &usize| self.delimiter.starts_with(&rest[*at..]);
        let at = (tail..rest.len()).find(begins);
        (at.unwrap_or(rest.len()), false)
    }

    /// The bytes stay where they are until more is fed: moving all that
    /// follow for each that is done with would cost the square of a piece.
    fn skip(&mut self, count: usize) {
        self.from += count;
    }
}

/// Finds a text that begins with a CR, of which there are few.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'\r') {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

impl PartHead {
    fn parse(head: &[u8]) -> Result<PartHead, BadParts> {
        let bad = BadParts("the head of a part is broken");
        let mut part = None;
        let mut content_type = None;
        let text = String::from_utf8_lossy(head);
        for line in text.split("\r\n").filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(bad)?;
            if value.contains(|sign: char| sign.is_ascii_control() && sign != '\t') {
                return Err(bad);
            }
            if name.eq_ignore_ascii_case("content-disposition") {
                let kind = value.split(';').next().unwrap_or_default().trim();
                if !kind.eq_ignore_ascii_case("form-data") || part.is_some() {
                    return Err(bad);
                }
                let name = param(value, "name").ok_or(BadParts("a part has no name"))?;
                part = Some((name, param(value, "filename")));
            } else if name.eq_ignore_ascii_case("content-type") {
                content_type = Some(value.trim().to_owned());
            }
        }
        let (name, file_name) = part.ok_or(BadParts("a part has no name"))?;
        Ok(PartHead {
            name,
            file_name,
            content_type,
        })
    }
}

/// The value of a parameter such as `; name="a"`. Browsers write a quote as
/// `%22`, others as `\"` (WHATWG HTML, 4.10.21.8).
fn param(field: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = field.split_once(';')?;
    loop {
        let (name, value) = rest.split_once('=')?;
        let is_wanted = name.trim().eq_ignore_ascii_case(wanted);
        let value = value.trim_start();
        let (text, after) = match value.strip_prefix('"') {
            Some(inside) => {
                let end = quoted_end(inside)?;
                let text = inside[..end].replace("\\\"", "\"");
                (text, inside[end + 1..].trim_start())
            }
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim().to_owned(), &value[end..])
            }
        };
        if is_wanted {
            return Some(text.replace("%22", "\"").replace("%0D%0A", " "));
        }
        rest = after.strip_prefix(';')?;
    }
}

fn quoted_end(text: &str) -> Option<usize> {
    let mut before = b' ';
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && before != b'\\';
        before = byte;
        is_end
    })
}

#[cfg(test)]
#[path = "tests/parts.rs"]
mod tests;
