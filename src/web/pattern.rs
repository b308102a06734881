//! The pattern of a route: what its segments may be, and what stands in
//! their place when an address is made.

use std::fmt;
use std::rc::Rc;

use super::percent;

/// What one segment of a path may be. Their order is the order in which a
/// path tries them: the narrower one first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// This text and no other.
    Text(Box<str>),
    Param(Kind),
}

/// What a segment in braces matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// 32 hex digits, with the four dashes or without.
    Uuid,
    /// Digits only.
    Int,
    /// Digits, with a fraction or without.
    Float,
    /// Anything but nothing.
    Plain,
    /// All that is left, slashes too, and be it nothing.
    Path,
}

impl Kind {
    fn from_text(text: &str) -> Option<Kind> {
        Some(match text {
            "uuid" => Kind::Uuid,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "str" => Kind::Plain,
            "path" => Kind::Path,
            _ => return None,
        })
    }

    /// Whether it may stand for this, which is decoded.
    pub(super) fn fits(self, text: &str) -> bool {
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match self {
            Kind::Uuid => is_uuid(text),
            Kind::Int => is_digits(text),
            Kind::Float => match text.split_once('.') {
                Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
                None => is_digits(text),
            },
            Kind::Plain => !text.is_empty(),
            Kind::Path => true,
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.len() == 32 {
        return is_hex(text);
    }
    let mut parts = text.split('-');
    [8, 4, 4, 4, 12].into_iter().all(|length| {
        let part = parts.next().unwrap_or_default();
        part.len() == length && is_hex(part)
    }) && parts.next().is_none()
}

/// A whole path: its segments, and the names of those in braces.
#[derive(Clone, Debug, Default)]
pub(super) struct Pattern {
    pub(super) segments: Vec<Segment>,
    pub(super) names: Vec<Rc<str>>,
}

impl Pattern {
    /// Reads a pattern such as `/users/{id:int}`.
    ///
    /// # Panics
    ///
    /// When it is none: the program's own fault, seen when it starts.
    #[track_caller]
    pub(super) fn parse(text: &str) -> Pattern {
        let Some(path) = text.strip_prefix('/') else {
            panic!("the path {text:?} must begin with a slash");
        };
        let mut pattern = Pattern::default();
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            let inside = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let Some(inside) = inside else {
                let has_brace = segment.contains(['{', '}', '?', '#']);
                assert!(
                    !has_brace,
                    "{segment:?} of {text:?}: braces hold a whole segment"
                );
                let segment = percent::decode(segment).into_owned();
                pattern.segments.push(Segment::Text(segment.into()));
                continue;
            };
            let (name, kind) = inside.split_once(':').unwrap_or((inside, "str"));
            let Some(kind) = Kind::from_text(kind) else {
                panic!("{text:?}: {kind:?} is none of int, float, uuid, str and path");
            };
            let is_last = segments.peek().is_none();
            assert!(
                kind != Kind::Path || is_last,
                "{text:?}: a path in braces must be the last segment"
            );
            pattern.push_name(name, text);
            pattern.segments.push(Segment::Param(kind));
        }
        pattern
    }

    #[track_caller]
    fn push_name(&mut self, name: &str, text: &str) {
        assert!(
            !name.is_empty(),
            "a segment in braces of {text:?} has no name"
        );
        let is_new = self.names.iter().all(|known| &**known != name);
        assert!(is_new, "{text:?} has two segments called {{{name}}}");
        self.names.push(Rc::from(name));
    }

    /// This pattern below another. The root below it is the prefix itself.
    #[track_caller]
    pub(super) fn below(&self, prefix: &Pattern) -> Pattern {
        let mut whole = prefix.clone();
        if prefix.is_root() {
            whole.segments.clear();
        }
        if !self.is_root() || whole.segments.is_empty() {
            whole.segments.extend_from_slice(&self.segments);
        }
        for name in &self.names {
            whole.push_name(name, &format!("{prefix}{self}"));
        }
        whole
    }

    pub(super) fn is_root(&self) -> bool {
        matches!(&self.segments[..], [Segment::Text(text)] if text.is_empty())
    }

    /// The path with these values in the place of its braces.
    pub(super) fn fill(&self, params: &[(&str, &str)]) -> Result<String, UrlError> {
        let is_known = |name: &str| self.names.iter().any(|known| &**known == name);
        if let Some((name, _)) = params.iter().find(|(name, _)| !is_known(name)) {
            return Err(UrlError::UnknownParam((*name).to_owned()));
        }
        let mut path = String::new();
        let mut names = self.names.iter();
        for segment in &self.segments {
            path.push('/');
            let kind = match segment {
                Segment::Text(text) => {
                    percent::encode_segment(text, &mut path);
                    continue;
                }
                Segment::Param(kind) => *kind,
            };
            let name = names.next().expect("each segment in braces has a name");
            let given = params.iter().find(|(given, _)| *given == &**name);
            let Some((_, value)) = given else {
                return Err(UrlError::MissingParam(name.to_string()));
            };
            // Clients take dots for steps in the tree, also when encoded.
            let mut parts = value.split('/');
            if !kind.fits(value) || parts.any(|part| part == "." || part == "..") {
                return Err(UrlError::BadParam(name.to_string()));
            }
            let mut parts = value.split('/');
            match kind {
                Kind::Path => {
                    for (at, part) in parts.by_ref().enumerate() {
                        path.push_str(if at > 0 { "/" } else { "" });
                        percent::encode_segment(part, &mut path);
                    }
                }
                _ => percent::encode_segment(value, &mut path),
            }
        }
        // `//host/path` would be another host's.
        if path.starts_with("//") {
            path.replace_range(..2, "/%2F");
        }
        Ok(path)
    }
}

/// As it is written in the source.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names.iter();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => write!(f, "/{text}")?,
                Segment::Param(kind) => {
                    let name = names.next().expect("each segment in braces has a name");
                    let kind = match kind {
                        Kind::Uuid => ":uuid",
                        Kind::Int => ":int",
                        Kind::Float => ":float",
                        Kind::Plain => "",
                        Kind::Path => ":path",
                    };
                    write!(f, "/{{{name}{kind}}}")?;
                }
            }
        }
        Ok(())
    }
}

/// Why no address could be made for a route.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Router, UrlError};
///
/// let app = Router::new()
///     .get("/users/{id:int}", async |_| "a user")
///     .name("user");
/// let error = app.url_for("user", &[("id", "me")]).unwrap_err();
/// assert_eq!(error, UrlError::BadParam("id".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// No route has this name.
    UnknownName(String),
    /// The route has no such param.
    UnknownParam(String),
    /// The route has a param that was not given.
    MissingParam(String),
    /// The param's value is none that the route would match.
    BadParam(String),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::UnknownName(name) => write!(f, "no route is called {name:?}"),
            UrlError::UnknownParam(name) => write!(f, "the route has no {{{name}}}"),
            UrlError::MissingParam(name) => write!(f, "the route wants a value for {{{name}}}"),
            UrlError::BadParam(name) => {
                write!(f, "the value for {{{name}}} is none that the route matches")
            }
        }
    }
}

impl std::error::Error for UrlError {}
