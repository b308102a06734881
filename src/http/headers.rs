//! An ordered list of header fields, for both directions.
//!
//! The bytes lie one behind the other as they stand on the wire, `name: value\r\n`, and each field
//! is four offsets into them. So a request's fields are taken over in one copy, a response's are
//! written in one, and clearing the list keeps its memory for the next exchange.

use std::fmt;
use std::ops::Range;
use std::str;

use super::error::HeaderError;

/// An ordered, case-blind list of header fields (RFC 9110, 5).
///
/// Names are compared without regard to case and kept as they were given. What goes in is checked,
/// so what is in can be written to the wire: no application can split a response (RFC 9110, 5.5).
///
/// # Examples
///
/// ```
/// # use tourbillon::http::Headers;
/// let mut headers = Headers::new();
/// headers.insert("Content-Type", "text/plain")?;
/// assert_eq!(headers.get("content-type"), Some("text/plain"));
/// assert!(headers.insert("Location", "/\r\nSet-Cookie: stolen").is_err());
/// # Ok::<(), tourbillon::http::HeaderError>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    fields: Vec<Field>,
    known: KnownSet,
}

/// Where one field stands in the bytes. Its line ends where the next one's name begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name_start: u32,
    pub(super) name_end: u32,
    pub(super) value_start: u32,
    pub(super) value_end: u32,
}

impl Headers {
    /// Creates an empty list, which holds no memory.
    pub const fn new() -> Headers {
        Headers {
            bytes: Vec::new(),
            fields: Vec::new(),
            known: KnownSet::EMPTY,
        }
    }

    /// Removes all fields and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.known = KnownSet::EMPTY;
    }

    /// Returns how many fields there are; a name that stands twice counts twice.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Tells whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns how many bytes of memory the list holds, so that a pool can let go of a fat one.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.fields.capacity() * size_of::<Field>()
    }

    /// Returns the first value under this name if it is UTF-8, which nearly all values are.
    ///
    /// `None` stands for a missing field and for one in another encoding; `get_bytes` tells them
    /// apart.
    pub fn get(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// Returns the first value under this name as it came over the wire.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Returns all values under this name, in order.
    pub fn get_all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.fields
            .iter()
            .filter(|field| self.is_named(field, name))
            .map(|field| self.value(field))
    }

    /// Tells whether there is a field with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.fields.iter().any(|field| self.is_named(field, name))
    }

    /// Tells whether a field that is a list of tokens, like `Connection` or `Upgrade`, holds this
    /// one. All fields of the name count, and case does not (RFC 9110, 5.6.1).
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.get_all(name)
            .flat_map(list_items)
            .any(|item| item.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Returns names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|field| {
            let name = str::from_utf8(self.name(field)).expect("names are checked to be tokens");
            (name, self.value(field))
        })
    }

    /// Sets a field: removes all others of the name and puts this one at the end.
    ///
    /// # Errors
    ///
    /// Refuses what `append` refuses, and leaves the list as it was.
    pub fn insert(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = self.check(name, value.as_ref())?;
        self.remove(name);
        self.push_line(name, value);
        Ok(())
    }

    /// Adds a field at the end, beside others of the same name. Spaces and tabs around the value
    /// are no part of it and are left out (RFC 9110, 5.5).
    ///
    /// # Errors
    ///
    /// Refuses a name that is no token and a value with a control character in it, CR and LF
    /// above all; bytes from 0x80 are let through as they are. The list is left as it was.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let value = self.check(name, value.as_ref())?;
        self.push_line(name, value);
        Ok(())
    }

    /// Removes all fields of this name and tells whether there were any.
    ///
    /// The remaining lines move together in place, so this costs as much as the list is long.
    pub fn remove(&mut self, name: &str) -> bool {
        if !self.contains(name) {
            return false;
        }
        let mut known = KnownSet::EMPTY;
        let mut kept = 0;
        let mut end = 0;
        for at in 0..self.fields.len() {
            let mut field = self.fields[at];
            if self.is_named(&field, name) {
                continue;
            }
            known.add(Known::of(self.name(&field)));
            // What has been visited lies before this line, so moving down overwrites nothing
            // that is still to be read.
            let line = self.line(at);
            let shift = (line.start - end) as u32;
            let moved_to = end;
            end += line.len();
            self.bytes.copy_within(line, moved_to);
            field.name_start -= shift;
            field.name_end -= shift;
            field.value_start -= shift;
            field.value_end -= shift;
            self.fields[kept] = field;
            kept += 1;
        }
        self.bytes.truncate(end);
        self.fields.truncate(kept);
        self.known = known;
        true
    }

    /// Takes over the header section of a request, which the parser has checked: its lines, where
    /// the fields stand in them, and which of the names that steer framing are there.
    pub(super) fn fill(
        &mut self,
        lines: &[u8],
        fields: impl Iterator<Item = Field>,
        known: KnownSet,
    ) {
        self.bytes.clear();
        self.bytes.extend_from_slice(lines);
        self.fields.clear();
        self.fields.extend(fields);
        self.known = known;
    }

    /// Adds a content type that was checked before, at the end.
    pub(crate) fn append_content_type(&mut self, field: ContentType) {
        let name_start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(field.0.as_bytes());
        self.fields.push(Field {
            name_start,
            name_end: name_start + CONTENT_TYPE.len() as u32 - 2,
            value_start: name_start + CONTENT_TYPE.len() as u32,
            value_end: self.bytes.len() as u32 - 2,
        });
    }

    pub(super) fn known(&self) -> KnownSet {
        self.known
    }

    /// Writes the lines to the wire, without the fields that the protocol speaks for itself.
    #[inline]
    pub(super) fn write(&self, without: KnownSet, out: &mut Vec<u8>) {
        if !self.known.intersects(without) {
            out.extend_from_slice(&self.bytes);
            return;
        }
        self.write_some(without, out);
    }

    #[cold]
    fn write_some(&self, without: KnownSet, out: &mut Vec<u8>) {
        for (at, field) in self.fields.iter().enumerate() {
            if !without.has(Known::of(self.name(field))) {
                out.extend_from_slice(&self.bytes[self.line(at)]);
            }
        }
    }

    fn check<'v>(&self, name: &str, value: &'v [u8]) -> Result<&'v [u8], HeaderError> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(HeaderError::Name);
        }
        let value = trim(value);
        if !value.iter().copied().all(is_value_byte) {
            return Err(HeaderError::Value);
        }
        let line = name.len() + value.len() + ": \r\n".len();
        match u32::try_from(self.bytes.len() + line) {
            Ok(_) => Ok(value),
            Err(_) => Err(HeaderError::TooLong),
        }
    }

    fn push_line(&mut self, name: &str, value: &[u8]) {
        let name_start = self.bytes.len() as u32;
        let name_end = name_start + name.len() as u32;
        let value_start = name_end + 2;
        self.bytes.reserve(name.len() + value.len() + 4);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value);
        self.bytes.extend_from_slice(b"\r\n");
        let value_end = value_start + value.len() as u32;
        self.fields.push(Field {
            name_start,
            name_end,
            value_start,
            value_end,
        });
        self.known.add(Known::of(name.as_bytes()));
    }

    fn name(&self, field: &Field) -> &[u8] {
        &self.bytes[field.name_start as usize..field.name_end as usize]
    }

    fn value(&self, field: &Field) -> &[u8] {
        &self.bytes[field.value_start as usize..field.value_end as usize]
    }

    fn is_named(&self, field: &Field, name: &str) -> bool {
        self.name(field).eq_ignore_ascii_case(name.as_bytes())
    }

    fn line(&self, at: usize) -> Range<usize> {
        let start = self.fields[at].name_start as usize;
        let end = self
            .fields
            .get(at + 1)
            .map_or(self.bytes.len(), |next| next.name_start as usize);
        start..end
    }
}

/// A `content-type` field that is checked when the program is compiled: to check it for each
/// response took a tenth of what a small one costs (370 of 3,350 instructions, callgrind,
/// November 2026).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContentType(&'static str);

const CONTENT_TYPE: &[u8] = b"content-type: ";

impl ContentType {
    pub(crate) const TEXT: Self = Self::new("content-type: text/plain; charset=utf-8\r\n");
    pub(crate) const HTML: Self = Self::new("content-type: text/html; charset=utf-8\r\n");
    pub(crate) const OCTETS: Self = Self::new("content-type: application/octet-stream\r\n");
    pub(crate) const JSON: Self = Self::new("content-type: application/json\r\n");

    const fn new(line: &'static str) -> ContentType {
        let bytes = line.as_bytes();
        let end = bytes.len() - 2;
        assert!(bytes[end] == b'\r' && bytes[end + 1] == b'\n');
        assert!(bytes[end - 1] > b' ' && bytes[CONTENT_TYPE.len()] > b' ');
        let mut at = 0;
        while at < end {
            assert!(is_value_byte(bytes[at]));
            assert!(at >= CONTENT_TYPE.len() || bytes[at] == CONTENT_TYPE[at]);
            at += 1;
        }
        ContentType(line)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (name, String::from_utf8_lossy(value))),
            )
            .finish()
    }
}

/// The names that decide where a message ends and whether the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Known {
    Other = 0,
    Host = 1,
    ContentLength = 2,
    TransferEncoding = 4,
    Connection = 8,
    Expect = 16,
    Date = 32,
    Upgrade = 64,
}

impl Known {
    /// Goes by length and first letter, which tell nearly every other name apart. The name is a
    /// token.
    #[inline(always)]
    pub(super) fn of(name: &[u8]) -> Known {
        let Some(first) = name.first() else {
            return Known::Other;
        };
        let (is_known, known) = match (name.len(), first | 0x20) {
            (4, b'h') => (is_folded(name, b"host"), Known::Host),
            (4, b'd') => (is_folded(name, b"date"), Known::Date),
            (6, b'e') => (is_folded(name, b"expect"), Known::Expect),
            (7, b'u') => (is_folded(name, b"upgrade"), Known::Upgrade),
            (10, b'c') => (is_folded(name, b"connection"), Known::Connection),
            (14, b'c') => (is_folded(name, b"content-length"), Known::ContentLength),
            (17, b't') => (
                is_folded(name, b"transfer-encoding"),
                Known::TransferEncoding,
            ),
            _ => return Known::Other,
        };
        if is_known { known } else { Known::Other }
    }
}

/// Compares a token with a lower-case text of the same length. Among the bytes of a token only
/// letters become letters when bit 5 is set, so this is exact, and cheaper than minding case.
fn is_folded<const N: usize>(token: &[u8], text: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(token).is_ok_and(|token| token.map(|byte| byte | 0x20) == *text)
}

/// A set of known names, so that the usual list costs one test and no search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KnownSet(u8);

impl KnownSet {
    pub(super) const EMPTY: KnownSet = KnownSet(0);

    pub(super) const fn with(self, known: Known) -> KnownSet {
        KnownSet(self.0 | known as u8)
    }

    pub(super) fn add(&mut self, known: Known) {
        self.0 |= known as u8;
    }

    pub(super) fn has(self, known: Known) -> bool {
        self.0 & known as u8 != 0
    }

    fn intersects(self, other: KnownSet) -> bool {
        self.0 & other.0 != 0
    }
}

/// Returns the items of a comma-separated list without the space around them (RFC 9110, 5.6.1).
/// Empty items come too: most callers skip them, Transfer-Encoding must not.
pub(super) fn list_items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim)
}

/// Cuts off spaces and tabs, which are the only optional whitespace there is (RFC 9110, 5.6.3).
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Tells whether a byte may stand in a method or a header name (RFC 9110, 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[byte as usize]
}

/// Tells whether a byte may stand in a header value (RFC 9110, 5.5).
pub(super) const fn is_value_byte(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f || byte == b'\t'
}

static TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = matches!(byte as u8,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
            || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};
