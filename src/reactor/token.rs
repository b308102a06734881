//! What the kernel hands back with an event: place and generation.
//!
//! An event may have been fetched before its source was closed and its
//! place, even its fd, given to another. The generation tells: a token names
//! one source for ever, and late readiness reaches nobody.

/// Names one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) index: u32,
    pub(super) generation: u32,
}

/// Half of a word each: 32 bits on 64-bit machines.
const INDEX_BITS: u32 = usize::BITS / 2;

/// The largest place and generation a token can carry.
pub(super) const HALF_MAX: u32 = (usize::MAX >> INDEX_BITS) as u32;

/// The token of the bell that rouses a parked loop. No source gets this place.
pub(super) const BELL: mio::Token = mio::Token(usize::MAX);

impl From<Token> for mio::Token {
    fn from(token: Token) -> Self {
        mio::Token((token.generation as usize) << INDEX_BITS | token.index as usize)
    }
}

impl From<mio::Token> for Token {
    fn from(token: mio::Token) -> Self {
        Token {
            index: token.0 as u32 & HALF_MAX,
            generation: (token.0 >> INDEX_BITS) as u32,
        }
    }
}
