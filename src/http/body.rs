//! Where a request's body ends, and what it is once the framing is off.
//!
//! The chunked decoder looks at the framing byte by byte and remembers one state between calls,
//! so it does not matter where the network cuts. What it does not accept to the letter it refuses:
//! every leniency in this place has been somebody's smuggling bug.

use std::ops::Range;

use super::error::ProtocolError;
use super::headers::{is_token_byte, is_value_byte};
use super::limits::Limits;

/// How a request's body is framed (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BodyKind {
    /// The head said nothing of a body, so there is none.
    #[default]
    None,
    /// Content-Length: this many bytes, possibly 0.
    Length(u64),
    /// Chunked: the length is known when the last chunk has come.
    Chunked,
}

/// Where in the chunked coding the next byte stands (RFC 9112, 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Default)]
enum State {
    #[default]
    Size,
    /// Optional space between size and extension, which only an extension may follow.
    SizeSpace,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
}

/// The most digits of a chunk size: 16 of them are a `u64`. More could only be zeros in front.
const SIZE_DIGITS_MAX: u8 = 16;

/// The decoder of one chunked body.
#[derive(Debug, Clone, Default)]
pub(super) struct ChunkDecoder {
    state: State,
    size_digits: u8,
    /// The size of the chunk while it is read, then what is left of the chunk.
    left: u64,
    body_bytes: u64,
    extension_bytes: u32,
    trailer_bytes: u32,
}

/// What a look at the input gave.
#[derive(Debug)]
pub(super) enum Decoded {
    /// The input is used up.
    NeedMore,
    /// These bytes of the input are body.
    Data(Range<usize>),
    /// The body ended here; the trailer fields have been checked and dropped.
    End,
}

impl ChunkDecoder {
    /// Decodes up to the end of a piece of data, of the body, or of the input, and returns how
    /// many bytes that took.
    ///
    /// Trailer fields are dropped, as RFC 9110, 6.5.1 allows: nobody who merges them into the
    /// header fields can do so safely.
    pub(super) fn decode(
        &mut self,
        limits: &Limits,
        input: &[u8],
    ) -> Result<(usize, Decoded), ProtocolError> {
        let mut at = 0;
        while at < input.len() {
            if self.state == State::Data {
                let rest = (input.len() - at) as u64;
                let taken = self.left.min(rest);
                let end = at + taken as usize;
                self.left -= taken;
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                return Ok((end, Decoded::Data(at..end)));
            }
            let byte = input[at];
            at += 1;
            if self.state == State::EndLf {
                return match byte {
                    b'\n' => Ok((at, Decoded::End)),
                    _ => Err(ProtocolError::Trailer),
                };
            }
            self.state = if self.state < State::TrailerStart {
                self.step_chunk(limits, byte)?
            } else {
                self.step_trailer(limits, byte)?
            };
        }
        Ok((at, Decoded::NeedMore))
    }

    /// Takes one byte of the line before a chunk, or of the line end after one.
    fn step_chunk(&mut self, limits: &Limits, byte: u8) -> Result<State, ProtocolError> {
        match (self.state, byte) {
            (State::Size, b'\r') if self.size_digits > 0 => Ok(State::SizeLf),
            (State::Size, b';' | b' ' | b'\t') if self.size_digits > 0 => {
                self.count_extension(limits)?;
                Ok(if byte == b';' {
                    State::Extension
                } else {
                    State::SizeSpace
                })
            }
            (State::Size, _) => {
                let digit = char::from(byte)
                    .to_digit(16)
                    .ok_or(ProtocolError::ChunkSize)?;
                if self.size_digits == SIZE_DIGITS_MAX {
                    return Err(ProtocolError::ChunkSize);
                }
                self.size_digits += 1;
                self.left = self.left << 4 | u64::from(digit);
                Ok(State::Size)
            }
            (State::SizeSpace, b' ' | b'\t' | b';') => {
                self.count_extension(limits)?;
                Ok(if byte == b';' {
                    State::Extension
                } else {
                    State::SizeSpace
                })
            }
            (State::SizeSpace, _) => Err(ProtocolError::ChunkSize),
            (State::Extension, b'\r') => Ok(State::SizeLf),
            (State::Extension, byte) if is_value_byte(byte) => {
                self.count_extension(limits)?;
                Ok(State::Extension)
            }
            (State::Extension, _) => Err(ProtocolError::ChunkExtension),
            (State::SizeLf, b'\n') => self.begin_chunk(limits),
            (State::SizeLf, _) => Err(ProtocolError::ChunkSize),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size),
            _ => Err(ProtocolError::ChunkEnd),
        }
    }

    fn begin_chunk(&mut self, limits: &Limits) -> Result<State, ProtocolError> {
        self.size_digits = 0;
        if self.left == 0 {
            return Ok(State::TrailerStart);
        }
        self.body_bytes = self.body_bytes.saturating_add(self.left);
        if self.body_bytes > limits.body_bytes_max {
            return Err(ProtocolError::BodyTooLong);
        }
        Ok(State::Data)
    }

    /// Counts over the whole message: extensions in many small chunks are a flood too.
    fn count_extension(&mut self, limits: &Limits) -> Result<(), ProtocolError> {
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        if self.extension_bytes as usize > limits.chunk_extension_bytes_max {
            return Err(ProtocolError::ChunkExtensionsTooLong);
        }
        Ok(())
    }

    /// Takes one byte of the trailer section. The CR LF that ends the section does not count.
    fn step_trailer(&mut self, limits: &Limits, byte: u8) -> Result<State, ProtocolError> {
        if self.state == State::TrailerStart && byte == b'\r' {
            return Ok(State::EndLf);
        }
        let next = match (self.state, byte) {
            (State::TrailerStart | State::TrailerName, byte) if is_token_byte(byte) => {
                State::TrailerName
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, byte) if is_value_byte(byte) => State::TrailerValue,
            (State::TrailerLf, b'\n') => State::TrailerStart,
            _ => return Err(ProtocolError::Trailer),
        };
        self.trailer_bytes = self.trailer_bytes.saturating_add(1);
        if self.trailer_bytes as usize > limits.trailer_bytes_max {
            return Err(ProtocolError::TrailersTooLong);
        }
        Ok(next)
    }
}
