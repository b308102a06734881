//! Texts by number: written once by the loop, read by anybody, never taken back.
//!
//! The readers take no lock: a text is in a cell that is set once, in a chunk that is too. The map
//! from text to number is the writer's alone.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

use super::event::NameId;

/// Texts at most, the empty one counted: past that, everything new is nameless.
pub(crate) const NAMES_MAX: usize = 16_384;
/// Those that are kept for texts of the program: requests have new ones for ever.
pub(crate) const NAMES_KEPT: usize = 4_096;
/// What further requests are called.
pub(crate) const OTHER: &str = "(another request)";
/// Bytes of a text at most; what is longer is cut at a character.
pub(crate) const NAME_BYTES_MAX: usize = 240;
const CHUNK: usize = 256;

type Chunk = Box<[OnceLock<Box<str>>]>;

/// The texts, as any thread reads them.
pub(crate) struct Names {
    chunks: [OnceLock<Chunk>; NAMES_MAX / CHUNK],
}

impl Names {
    /// None yet, but for the empty text, which is number 0.
    pub(crate) fn new() -> Self {
        let names = Names {
            chunks: [const { OnceLock::new() }; NAMES_MAX / CHUNK],
        };
        names.set(0, "");
        names
    }

    /// The text with this number; empty if there is none.
    pub(crate) fn get(&self, id: NameId) -> &str {
        self.text(id.0 as usize).unwrap_or_default()
    }

    /// All texts, by number.
    pub(crate) fn texts(&self) -> Vec<String> {
        let all = (0..NAMES_MAX).map_while(|at| self.text(at));
        all.map(str::to_owned).collect()
    }

    fn text(&self, at: usize) -> Option<&str> {
        let chunk = self.chunks.get(at / CHUNK)?.get()?;
        chunk[at % CHUNK].get().map(|text| &**text)
    }

    fn set(&self, at: usize, text: &str) {
        let empty = || (0..CHUNK).map(|_| OnceLock::new()).collect();
        let chunk = self.chunks[at / CHUNK].get_or_init(empty);
        let was = chunk[at % CHUNK].set(text.into());
        debug_assert!(was.is_ok(), "each number is given once");
    }
}

/// The writer's half: finds the number of a text, and gives one to what is new.
pub(crate) struct NameBook {
    names: Arc<Names>,
    numbers: HashMap<Box<str>, NameId>,
    /// Places by the address of what the compiler has of them, which it never moves.
    places: HashMap<usize, NameId>,
}

impl NameBook {
    pub(crate) fn new(names: Arc<Names>) -> Self {
        let numbers = HashMap::from([("".into(), NameId(0))]);
        NameBook {
            names,
            numbers,
            places: HashMap::new(),
        }
    }

    /// The number of a text; 0 when the table is full.
    pub(crate) fn intern(&mut self, text: &str) -> NameId {
        let text = cut(text, NAME_BYTES_MAX);
        let known = self.numbers.get(text).copied();
        known.unwrap_or_else(|| self.add(text))
    }

    fn add(&mut self, text: &str) -> NameId {
        let at = self.numbers.len();
        if at >= NAMES_MAX {
            return NameId(0);
        }
        self.names.set(at, text);
        let id = NameId(at as u32);
        self.numbers.insert(text.into(), id);
        id
    }

    /// The same for a text of a stranger's: it takes no place that the program
    /// may need.
    pub(crate) fn intern_request(&mut self, line: &str) -> NameId {
        let text = cut(line, NAME_BYTES_MAX);
        match self.numbers.get(text) {
            Some(&id) => id,
            None if self.numbers.len() < NAMES_MAX - NAMES_KEPT => self.add(text),
            None => self.intern(OTHER),
        }
    }

    /// The number of a place in a source, as `src/file.rs:12`.
    pub(crate) fn place(&mut self, place: &'static Location<'static>) -> NameId {
        let address = std::ptr::from_ref(place).addr();
        if let Some(&id) = self.places.get(&address) {
            return id;
        }
        let id = self.intern(&format!("{}:{}", short_path(place.file()), place.line()));
        self.places.insert(address, id);
        id
    }
}

/// A path that says nothing of whose machine it is. Of this package's files it is relative already;
/// of a crate of the registry it begins with the crate; else its last three parts are left.
pub(crate) fn short_path(path: &str) -> &str {
    if let Some((_, rest)) = path.split_once("/registry/src/") {
        return rest.split_once('/').map_or(rest, |(_, rest)| rest);
    }
    if !path.starts_with('/') {
        return path;
    }
    let mut slashes = path.rmatch_indices('/');
    let third = slashes.nth(2).map_or(0, |(at, _)| at);
    &path[third + 1..]
}

/// The text, or as many whole characters of it as that many bytes hold.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}
