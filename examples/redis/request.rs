//! Bytes into commands: the Redis protocol as a server reads it, with no socket in it.
//!
//! ```text
//!   *2\r\n  $3\r\n GET\r\n  $1\r\n k\r\n        an array of bulk strings: what clients send
//!   GET "k"\r\n                                 a line: what people type into telnet
//! ```
//!
//! Where the bytes are cut makes no difference, and nothing is read twice: the parser remembers
//! how far it came. A word is a place in the bytes it was given, not a copy. What is too long is
//! refused when it is announced, not when it has arrived.

use std::fmt;

/// `*` or `$`, a number of at most 20 characters, and room for the errors of others.
const LENGTH_LINE_MAX: usize = 64;

/// The longest inline command: Redis's own limit.
pub(crate) const INLINE_BYTES_MAX: usize = 64 * 1024;

/// How much of a command is too much. Redis allows 2^31 words of 512 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Words in one command.
    pub(crate) args_max: usize,
    /// Bytes in one word.
    pub(crate) bulk_max: usize,
    /// Bytes in one command, with all around its words: what a connection may have us keep.
    pub(crate) command_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            args_max: 64 * 1024,
            bulk_max: 16 * 1024 * 1024,
            command_max: 64 * 1024 * 1024,
        }
    }
}

/// What is wrong with the bytes. No later command can be found behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    InvalidCount,
    LongCount,
    NoBulk(u8),
    InvalidLength,
    LongLength,
    NoLineEnd,
    LongCommand,
    LongInline,
    OpenQuote,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match self {
            Fault::InvalidCount => "invalid multibulk length",
            Fault::LongCount => "too big mbulk count string",
            Fault::NoBulk(byte) => {
                let byte = if byte.is_ascii_control() { b' ' } else { *byte };
                return write!(f, "expected '$', got '{}'", char::from(byte));
            }
            Fault::InvalidLength => "invalid bulk length",
            Fault::LongLength => "too big bulk count string",
            // Redis skips the two bytes without a look at them.
            Fault::NoLineEnd => "expected CRLF after a bulk string",
            Fault::LongCommand => "too big command",
            Fault::LongInline => "too big inline request",
            Fault::OpenQuote => "unbalanced quotes in request",
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
}

/// The words of one command; the first is its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<'a> {
    bytes: &'a [u8],
    places: &'a [Place],
}

impl<'a> Words<'a> {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// The word at `index`, which must be less than `len`.
    pub(crate) fn at(&self, index: usize) -> &'a [u8] {
        let place = self.places[index];
        &self.bytes[place.start..place.end]
    }

    pub(crate) fn from(&self, index: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let places = self.places.get(index..).unwrap_or_default();
        places.iter().map(|place| &bytes[place.start..place.end])
    }
}

/// Finds one command after the other.
#[derive(Debug)]
pub(crate) struct Parser {
    limits: Limits,
    /// How much of the command has been read, counted from its first byte.
    at: usize,
    /// Words still to come, once their number is known.
    left: Option<usize>,
    /// The length of the word that comes next, once it is known.
    bulk: Option<usize>,
    places: Vec<Place>,
    /// The words of an inline command, without their quotes.
    unquoted: Vec<u8>,
    is_inline: bool,
    is_complete: bool,
}

impl Parser {
    pub(crate) fn new(limits: Limits) -> Self {
        Parser {
            limits,
            at: 0,
            left: None,
            bulk: None,
            places: Vec::new(),
            unquoted: Vec::new(),
            is_inline: false,
            is_complete: true,
        }
    }

    /// Looks for a command at the start of `bytes`, and says how long it is if it is complete. If
    /// it is not, `bytes` must be there again next time, with more behind them.
    ///
    /// Its [`words`](Self::words) may be none: an empty line, an empty array.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        if self.is_complete {
            self.begin();
        }
        let mut left = match (self.left, bytes.first()) {
            (Some(left), _) => left,
            (None, None) => return Ok(None),
            (None, Some(b'*')) => match self.count(bytes)? {
                Some(count) => count,
                None => return Ok(None),
            },
            (None, Some(_)) => return self.inline(bytes),
        };
        while left > 0 {
            if !self.bulk(bytes)? {
                self.left = Some(left);
                return Ok(None);
            }
            left -= 1;
        }
        self.is_complete = true;
        Ok(Some(self.at))
    }

    /// The words of the command that was just found in these `bytes`.
    pub(crate) fn words<'a>(&'a self, bytes: &'a [u8]) -> Words<'a> {
        Words {
            bytes: if self.is_inline {
                &self.unquoted
            } else {
                bytes
            },
            places: &self.places,
        }
    }

    fn begin(&mut self) {
        self.at = 0;
        self.left = None;
        self.bulk = None;
        self.is_inline = false;
        self.is_complete = false;
        self.places.clear();
        self.unquoted.clear();
        // One huge command must not cost memory for the rest of the connection.
        self.places.shrink_to(64);
        self.unquoted.shrink_to(64);
    }

    fn count(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let Some(count) = self.length(bytes, Fault::InvalidCount, Fault::LongCount)? else {
            return Ok(None);
        };
        // Redis takes a negative number of words for none.
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.limits.args_max {
            return Err(Fault::InvalidCount);
        }
        self.left = Some(count);
        Ok(Some(count))
    }

    /// Reads one word; says whether it was all there.
    #[inline]
    fn bulk(&mut self, bytes: &[u8]) -> Result<bool, Fault> {
        let length = match self.bulk {
            Some(length) => length,
            None => match self.bulk_length(bytes)? {
                Some(length) => length,
                None => return Ok(false),
            },
        };
        let end = self.at + length;
        let Some(line_end) = bytes.get(end..end + 2) else {
            self.bulk = Some(length);
            return Ok(false);
        };
        if line_end != b"\r\n" {
            return Err(Fault::NoLineEnd);
        }
        let start = self.at;
        self.places.push(Place { start, end });
        self.at = end + 2;
        self.bulk = None;
        Ok(true)
    }

    #[inline]
    fn bulk_length(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        match bytes.get(self.at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&other) => return Err(Fault::NoBulk(other)),
        }
        let Some(length) = self.length(bytes, Fault::InvalidLength, Fault::LongLength)? else {
            return Ok(None);
        };
        let length = usize::try_from(length).map_err(|_| Fault::InvalidLength)?;
        if length > self.limits.bulk_max {
            return Err(Fault::InvalidLength);
        }
        if self.at + length > self.limits.command_max {
            return Err(Fault::LongCommand);
        }
        Ok(Some(length))
    }

    /// Reads one byte, a number and a line end.
    #[inline]
    fn length(&mut self, bytes: &[u8], wrong: Fault, long: Fault) -> Result<Option<i64>, Fault> {
        let rest = &bytes[self.at + 1..];
        let line = &rest[..rest.len().min(LENGTH_LINE_MAX)];
        let Some(end) = line.iter().position(|&byte| byte == b'\r') else {
            let is_long = line.len() == LENGTH_LINE_MAX;
            return if is_long { Err(long) } else { Ok(None) };
        };
        match rest.get(end + 1) {
            None => return Ok(None),
            Some(b'\n') => {}
            Some(_) => return Err(wrong),
        }
        let number = integer(&line[..end]).ok_or(wrong)?;
        self.at += end + 3;
        Ok(Some(number))
    }

    fn inline(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let seen = bytes.len().min(INLINE_BYTES_MAX);
        let Some(end) = bytes[self.at..seen].iter().position(|&byte| byte == b'\n') else {
            self.at = seen;
            let is_long = seen == INLINE_BYTES_MAX;
            return if is_long {
                Err(Fault::LongInline)
            } else {
                Ok(None)
            };
        };
        let end = self.at + end;
        self.is_inline = true;
        self.is_complete = true;
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        self.split(line)?;
        if self.places.len() > self.limits.args_max {
            return Err(Fault::InvalidCount);
        }
        Ok(Some(end + 1))
    }

    /// Splits a line at its blanks; `"` and `'` hold words with blanks in them together.
    fn split(&mut self, line: &[u8]) -> Result<(), Fault> {
        let mut rest = line;
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Ok(());
            }
            let start = self.unquoted.len();
            rest = self.word(rest)?;
            let end = self.unquoted.len();
            self.places.push(Place { start, end });
        }
    }

    /// Reads one word of a line, and returns what is behind it.
    fn word<'a>(&mut self, mut rest: &'a [u8]) -> Result<&'a [u8], Fault> {
        while let [byte, behind @ ..] = rest {
            rest = behind;
            match byte {
                b'"' | b'\'' => {
                    rest = self.quoted(*byte, rest)?;
                    // A quote ends its word.
                    let is_end = rest.first().is_none_or(u8::is_ascii_whitespace);
                    return if is_end {
                        Ok(rest)
                    } else {
                        Err(Fault::OpenQuote)
                    };
                }
                byte if byte.is_ascii_whitespace() => break,
                byte => self.unquoted.push(*byte),
            }
        }
        Ok(rest)
    }

    /// Reads up to the closing quote, and returns what is behind that.
    fn quoted<'a>(&mut self, quote: u8, mut rest: &'a [u8]) -> Result<&'a [u8], Fault> {
        loop {
            let (byte, behind) = match rest {
                [] => return Err(Fault::OpenQuote),
                [byte, behind @ ..] if *byte == quote => return Ok(behind),
                [b'\\', b'\'', behind @ ..] if quote == b'\'' => (b'\'', behind),
                [b'\\', b'x', high, low, behind @ ..]
                    if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    (16 * hex(*high) + hex(*low), behind)
                }
                [b'\\', byte, behind @ ..] if quote == b'"' => (escaped(*byte), behind),
                [byte, behind @ ..] => (*byte, behind),
            };
            self.unquoted.push(byte);
            rest = behind;
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

fn escaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// Reads a number as Redis does: no plus, no blank, no leading zero.
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !is_negative => return Some(0),
        // 19 digits fit into a u64, 20 into no i64.
        [] | [b'0', ..] => return None,
        digits if digits.len() > 19 => return None,
        _ => {}
    }
    let mut value = 0_u64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = 10 * value + u64::from(digit - b'0');
    }
    match is_negative {
        true => 0_i64.checked_sub_unsigned(value),
        false => i64::try_from(value).ok(),
    }
}
