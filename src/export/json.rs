//! JSON (RFC 8259), read without a crate: as much of it as recordings need.
//!
//! It goes over a text once and builds nothing of its own, so it needs no memory but for
//! the text it hands out, and goes no deeper than it is asked to.

use std::borrow::Cow;
use std::io;

/// Levels of what is skipped: deeper than anything that is written here.
const DEPTH_MAX: u32 = 32;

/// Reads a text from front to end; each call takes what it names, or fails.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Reader { text, at: 0 }
    }

    /// What is wrong, and where.
    pub(super) fn fault(&self, what: &str) -> io::Error {
        let text = format!("{what}, at byte {}", self.at);
        io::Error::new(io::ErrorKind::InvalidData, text)
    }

    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += rest.iter().take_while(|byte| blank(byte)).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn wants(&mut self, byte: u8) -> io::Result<()> {
        if self.takes(byte) {
            return Ok(());
        }
        Err(self.fault(&format!("no {:?}", char::from(byte))))
    }

    /// Nothing but blanks is left.
    pub(super) fn ends(&mut self) -> io::Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("more than one value")),
        }
    }

    /// A list; `each` takes one of its values.
    pub(super) fn list(
        &mut self,
        mut each: impl FnMut(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        self.wants(b'[')?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.takes(b',') {
                return self.wants(b']');
            }
        }
    }

    /// An object; `each` is told a key, and takes its value.
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &str) -> io::Result<()>,
    ) -> io::Result<()> {
        self.wants(b'{')?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.wants(b':')?;
            each(self, &key)?;
            if !self.takes(b',') {
                return self.wants(b'}');
            }
        }
    }

    /// A list of exactly that many whole numbers.
    pub(super) fn numbers<const N: usize>(&mut self) -> io::Result<[u64; N]> {
        let (mut numbers, mut at) = ([0; N], 0);
        self.list(|reader| {
            let number = reader.number()?;
            let Some(place) = numbers.get_mut(at) else {
                return Err(reader.fault("too many numbers"));
            };
            *place = number;
            at += 1;
            Ok(())
        })?;
        if at < N {
            return Err(self.fault("too few numbers"));
        }
        Ok(numbers)
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self) -> io::Result<u64> {
        self.peek();
        let rest = &self.text[self.at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse();
        let is_long = rest.starts_with('0') && digits > 1;
        match number {
            Ok(number) if !is_long && !rest[digits..].starts_with(['.', 'e', 'E']) => {
                self.at += digits;
                Ok(number)
            }
            _ => Err(self.fault("no whole number")),
        }
    }

    /// A whole number of 32 bits.
    pub(super) fn small(&mut self) -> io::Result<u32> {
        let number = self.number()?;
        u32::try_from(number).map_err(|_| self.fault("a number too large"))
    }

    /// A whole number, or null.
    pub(super) fn number_or_null(&mut self) -> io::Result<Option<u64>> {
        if self.peek() == Some(b'n') {
            return self.word("null").map(|()| None);
        }
        self.number().map(Some)
    }

    fn word(&mut self, word: &str) -> io::Result<()> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fault("no value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// A text; borrowed, if nothing in it is escaped.
    pub(super) fn string(&mut self) -> io::Result<Cow<'t, str>> {
        self.wants(b'"')?;
        let mut whole = Cow::Borrowed("");
        loop {
            let rest = &self.text[self.at..];
            let stop = |c: char| c == '"' || c == '\\' || c < ' ';
            let Some(length) = rest.find(stop) else {
                return Err(self.fault("a text without an end"));
            };
            if whole.is_empty() {
                whole = Cow::Borrowed(&rest[..length]);
            } else {
                whole.to_mut().push_str(&rest[..length]);
            }
            self.at += length + 1;
            match rest.as_bytes()[length] {
                b'"' => return Ok(whole),
                b'\\' => {
                    let c = self.escape()?;
                    whole.to_mut().push(c);
                }
                _ => return Err(self.fault("a control character")),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> io::Result<char> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += usize::from(byte.is_some_and(|byte| byte.is_ascii()));
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unit(),
            _ => return Err(self.fault("an escape that is none")),
        })
    }

    /// Four digits, or eight for what needs two units of UTF-16.
    fn unit(&mut self) -> io::Result<char> {
        let first = self.hex()?;
        let mut units = vec![first];
        if matches!(first, 0xd800..=0xdbff) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            units.push(self.hex()?);
        }
        let mut chars = char::decode_utf16(units);
        match (chars.next(), chars.next()) {
            (Some(Ok(c)), None) => Ok(c),
            _ => Err(self.fault("half a character")),
        }
    }

    fn hex(&mut self) -> io::Result<u16> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        self.at += if unit.is_some() { 4 } else { 0 };
        unit.ok_or_else(|| self.fault("no four hexadecimal digits"))
    }

    /// Any value, which is forgotten.
    pub(super) fn skip(&mut self) -> io::Result<()> {
        self.skip_from(0)
    }

    fn skip_from(&mut self, depth: u32) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(self.fault("too deep"));
        }
        match self.peek() {
            Some(b'{') => self.object(|reader, _| reader.skip_from(depth + 1)),
            Some(b'[') => self.list(|reader| reader.skip_from(depth + 1)),
            Some(b'"') => self.string().map(drop),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.skip_number(),
        }
    }

    fn skip_number(&mut self) -> io::Result<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().take_while(part).count();
        let text = &self.text[self.at..self.at + length];
        if text.parse::<f64>().is_err() {
            return Err(self.fault("no value"));
        }
        self.at += length;
        Ok(())
    }
}
