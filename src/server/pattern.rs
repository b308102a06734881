//! The pattern of an access log: `%(h)s "%(r)s" %(s)s`.

use std::error::Error;
use std::fmt;

/// A pattern, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    /// Names of fields; an [`Atom::Field`] is a place in the one list behind
    /// the other.
    request_fields: Vec<String>,
    response_fields: Vec<String>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Atom(Atom),
}

/// What a pattern can ask for; see [`AccessLog::pattern`](super::AccessLog::pattern).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    Client,
    Time,
    RequestLine,
    Method,
    Path,
    Query,
    Version,
    Status,
    Bytes,
    BytesOrDash,
    Referer,
    Agent,
    Seconds,
    Milliseconds,
    Microseconds,
    DecimalSeconds,
    Process,
    Dash,
    End,
    Field(usize),
}

impl Pattern {
    pub(super) fn parse(pattern: &str) -> Result<Pattern, PatternError> {
        let mut parsed = Pattern {
            pieces: Vec::new(),
            request_fields: Vec::new(),
            response_fields: Vec::new(),
        };
        // Where a field of the response stands is known when all of the
        // request's are.
        let mut of_response = Vec::new();
        let mut rest = pattern;
        while let Some((text, after)) = rest.split_once('%') {
            parsed.push_text(text);
            if let Some(after) = after.strip_prefix('%') {
                parsed.push_text("%");
                rest = after;
                continue;
            }
            let (name, after) = after
                .strip_prefix('(')
                .and_then(|after| after.split_once(")s"))
                .ok_or_else(|| PatternError::new(&rest[text.len()..]))?;
            let in_braces = |end| name.strip_prefix('{')?.strip_suffix(end);
            let atom = if let Some(field) = in_braces("}i") {
                parsed.request_fields.push(field.to_owned());
                Atom::Field(parsed.request_fields.len() - 1)
            } else if let Some(field) = in_braces("}o") {
                parsed.response_fields.push(field.to_owned());
                of_response.push(parsed.pieces.len());
                Atom::Field(parsed.response_fields.len() - 1)
            } else {
                atom(name).ok_or_else(|| PatternError::new(&rest[text.len()..]))?
            };
            parsed.pieces.push(Piece::Atom(atom));
            rest = after;
        }
        parsed.push_text(rest);
        for place in of_response {
            if let Piece::Atom(Atom::Field(place)) = &mut parsed.pieces[place] {
                *place += parsed.request_fields.len();
            }
        }
        Ok(parsed)
    }

    fn push_text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    pub(super) fn request_fields(&self) -> impl Iterator<Item = &str> {
        self.request_fields.iter().map(String::as_str)
    }

    pub(super) fn response_fields(&self) -> impl Iterator<Item = &str> {
        self.response_fields.iter().map(String::as_str)
    }

    pub(super) fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        mut write_atom: impl FnMut(&Atom, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Atom(atom) => write_atom(atom, f)?,
            }
        }
        Ok(())
    }
}

fn atom(name: &str) -> Option<Atom> {
    Some(match name {
        "h" => Atom::Client,
        "t" => Atom::Time,
        "r" => Atom::RequestLine,
        "m" => Atom::Method,
        "U" => Atom::Path,
        "q" => Atom::Query,
        "H" => Atom::Version,
        "s" => Atom::Status,
        "B" => Atom::Bytes,
        "b" => Atom::BytesOrDash,
        "f" => Atom::Referer,
        "a" => Atom::Agent,
        "T" => Atom::Seconds,
        "M" => Atom::Milliseconds,
        "D" => Atom::Microseconds,
        "L" => Atom::DecimalSeconds,
        "p" => Atom::Process,
        "l" | "u" => Atom::Dash,
        "X" => Atom::End,
        _ => return None,
    })
}

/// Why a pattern was not understood: it holds what is no atom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError(String);

impl PatternError {
    fn new(rest: &str) -> Self {
        PatternError(rest.chars().take(20).collect())
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no atom of an access log begins at {:?}: one is %(r)s, and %% a percent sign",
            self.0
        )
    }
}

impl Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::{Atom, Pattern, PatternError};
    use std::fmt;

    /// A pattern, with its atoms as `Debug` has them.
    struct Shown(Pattern);

    impl fmt::Display for Shown {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write(f, |atom: &Atom, f| write!(f, "<{atom:?}>"))
        }
    }

    fn shown(pattern: &str) -> Result<String, PatternError> {
        Pattern::parse(pattern).map(|pattern| Shown(pattern).to_string())
    }

    #[test]
    fn text_atoms_and_fields_are_told_apart() {
        for (pattern, expected) in [
            ("", ""),
            ("a b", "a b"),
            ("100%% %(s)s%%", "100% <Status>%"),
            ("%(h)s%(l)s%(u)s", "<Client><Dash><Dash>"),
            (
                "%({a}o)s %({b}i)s %({c}o)s",
                "<Field(1)> <Field(0)> <Field(2)>",
            ),
        ] {
            assert_eq!(shown(pattern).as_deref(), Ok(expected), "{pattern}");
        }
        let fields = Pattern::parse("%({a}o)s %({B-c}i)s %({d}o)s").expect("a pattern");
        assert_eq!(fields.request_fields().collect::<Vec<_>>(), ["B-c"]);
        assert_eq!(fields.response_fields().collect::<Vec<_>>(), ["a", "d"]);
    }

    #[test]
    fn what_is_no_atom_is_named() {
        for pattern in [
            "%", "x %h y", "%(h", "%()s", "%(é)s", "%(hh)s", "%({a)s", "%({}x)s", "%(}i)s",
        ] {
            let error = shown(pattern).expect_err(pattern).to_string();
            assert!(error.contains("begins at \"%"), "{pattern}: {error}");
        }
    }
}
