//! What a server answers: the five kinds of reply of the Redis protocol, version 2.

use std::borrow::Cow;

/// Why a command did nothing, in Redis's words.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Cow<'static, str>);

/// How a command ended. One that is refused has written nothing.
pub(crate) type Outcome = Result<(), Refusal>;

pub(crate) const WRONG_TYPE: Refusal = Refusal(Cow::Borrowed(
    "WRONGTYPE Operation against a key holding the wrong kind of value",
));
pub(crate) const NOT_AN_INTEGER: Refusal =
    Refusal(Cow::Borrowed("ERR value is not an integer or out of range"));
pub(crate) const SYNTAX: Refusal = Refusal(Cow::Borrowed("ERR syntax error"));

/// The replies that wait to be sent.
#[derive(Debug, Default)]
pub(crate) struct Replies(Vec<u8>);

impl Replies {
    /// Takes over a buffer that was used before.
    pub(crate) fn reuse(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Replies(buffer)
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no memory behind it yet.
    pub(crate) fn is_unused(&self) -> bool {
        self.0.capacity() == 0
    }

    pub(crate) fn ok(&mut self) {
        self.0.extend_from_slice(b"+OK\r\n");
    }

    pub(crate) fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// Line ends in the text become blanks, or they would end the reply.
    pub(crate) fn error(&mut self, text: &str) {
        let start = self.0.len();
        let text = text.trim_end_matches(['\r', '\n']);
        self.line(b'-', text.as_bytes());
        let end = self.0.len() - 2;
        for byte in &mut self.0[start..end] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    pub(crate) fn count(&mut self, count: usize) {
        self.number(b':', count as i64);
    }

    #[inline]
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.number(b'$', bytes.len() as i64);
        self.0.extend_from_slice(bytes);
        self.0.extend_from_slice(b"\r\n");
    }

    pub(crate) fn null(&mut self) {
        self.0.extend_from_slice(b"$-1\r\n");
    }

    pub(crate) fn null_array(&mut self) {
        self.0.extend_from_slice(b"*-1\r\n");
    }

    /// Begins an array; so many replies must follow.
    pub(crate) fn array(&mut self, count: usize) {
        self.number(b'*', count as i64);
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(text);
        self.0.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn number(&mut self, kind: u8, value: i64) {
        // Most numbers here are lengths of a few bytes.
        if let 0..10 = value {
            let digit = b'0' + value as u8;
            self.0.extend_from_slice(&[kind, digit, b'\r', b'\n']);
            return;
        }
        let mut digits = [0; 20];
        self.line(kind, decimal(value, &mut digits));
    }
}

/// Writes a number into the end of `digits`, and returns that end.
pub(crate) fn decimal(value: i64, digits: &mut [u8; 20]) -> &[u8] {
    let mut left = value.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    &digits[at..]
}
