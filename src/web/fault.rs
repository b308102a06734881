//! What was wrong with what a client sent, value by value.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::server::json_string;

/// What is told back of a wrong value, in bytes. Enough to know it by.
const INPUT_BYTES_MAX: usize = 1024;

/// One thing that was wrong: of what kind, where, and with which value.
///
/// It is written in the shape that clients of FastAPI know. They go by the
/// kind, which is Pydantic's; the sentences are our own.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Fault, HttpError};
///
/// let fault = Fault::new("greater_than", "must be more than 0")
///     .at("query")
///     .at("page")
///     .at_number(0)
///     .input("0")
///     .context("gt", "0");
/// assert_eq!(fault.kind(), "greater_than");
/// assert_eq!(fault.place(), ["query", "page", "0"]);
/// assert_eq!(fault.message(), "must be more than 0");
/// assert_eq!(HttpError::from(fault).status().code(), 422);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: Cow<'static, str>,
    place: Vec<Step>,
    message: Cow<'static, str>,
    input: Option<String>,
    context: Vec<(Cow<'static, str>, String)>,
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(Cow<'static, str>),
    Number(u64),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Name(name) => f.write_str(name),
            Step::Number(number) => number.fmt(f),
        }
    }
}

impl Fault {
    /// A fault of a kind, such as `int_parsing`, with a sentence for people.
    pub fn new(kind: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Fault {
            kind: kind.into(),
            place: Vec::new(),
            message: message.into(),
            input: None,
            context: Vec::new(),
        }
    }

    /// A value that is not there.
    pub(super) fn missing() -> Self {
        Fault::new("missing", "a value is required here")
    }

    /// Adds a step to its place. The first is `path`, `query`, `header`,
    /// `cookie` or `body`.
    #[must_use]
    pub fn at(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.place.push(Step::Name(name.into()));
        self
    }

    /// Adds a step that is a number, such as a position in a list.
    #[must_use]
    pub fn at_number(mut self, number: u64) -> Self {
        self.place.push(Step::Number(number));
        self
    }

    /// Says what the value was, up to 1 KiB of it.
    #[must_use]
    pub fn input(mut self, input: impl Into<String>) -> Self {
        let mut input = input.into();
        let mut end = input.len().min(INPUT_BYTES_MAX);
        while !input.is_char_boundary(end) {
            end -= 1;
        }
        input.truncate(end);
        self.input = Some(input);
        self
    }

    /// Adds a figure that the sentence speaks of, such as `gt`. One that is
    /// a number is written as a number.
    #[must_use]
    pub fn context(mut self, key: impl Into<Cow<'static, str>>, value: impl ToString) -> Self {
        self.context.push((key.into(), value.to_string()));
        self
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Where it is, from the outside in.
    pub fn place(&self) -> Vec<String> {
        self.place.iter().map(Step::to_string).collect()
    }

    /// Its sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn write(&self, out: &mut String) {
        out.push_str("{\"type\":");
        write_string(&self.kind, out);
        out.push_str(",\"loc\":");
        write_list(&self.place, out, |step, out| match step {
            Step::Name(name) => write_string(name, out),
            Step::Number(number) => out.push_str(&number.to_string()),
        });
        out.push_str(",\"msg\":");
        write_string(&self.message, out);
        out.push_str(",\"input\":");
        match &self.input {
            Some(input) => write_string(input, out),
            None => out.push_str("null"),
        }
        if !self.context.is_empty() {
            out.push_str(",\"ctx\":{");
            for (at, (key, value)) in self.context.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_string(key, out);
                out.push(':');
                write_value(value, out);
            }
            out.push('}');
        }
        out.push('}');
    }
}

/// A number if it is one that reads the same, and else a string.
fn write_value(text: &str, out: &mut String) {
    let is_number = text.len() < 16
        && (text
            .parse::<i64>()
            .is_ok_and(|number| number.to_string() == text)
            || text
                .parse::<f64>()
                .is_ok_and(|number| number.to_string() == text)
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || b".-".contains(&byte)));
    match is_number {
        true => out.push_str(text),
        false => write_string(text, out),
    }
}

/// All that was wrong with a request.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Fault, Faults, HttpError};
///
/// let mut faults = Faults::from(Fault::new("missing", "a value is required here"));
/// faults.push(Fault::new("int_parsing", "is no integer"));
/// assert_eq!(faults.len(), 2);
/// assert!(!faults.is_empty());
/// assert_eq!(faults.iter().next().map(Fault::kind), Some("missing"));
/// let error = HttpError::from(faults);
/// # let _ = error;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    pub(super) fn append(&mut self, mut other: Faults) {
        self.0.append(&mut other.0);
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Faults(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            let place = fault.place().join(".");
            f.write_str(if at > 0 { "; " } else { "" })?;
            write!(f, "{place}: {}", fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

pub(super) fn write_string(text: &str, out: &mut String) {
    // Writing to a string does not fail.
    let _ = write!(out, "{}", json_string(text));
}

pub(super) fn write_list<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    mut write: impl FnMut(T, &mut String),
) {
    out.push('[');
    for (at, item) in items.into_iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        write(item, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_commas_between() {
        for (items, json) in [(&[][..], "[]"), (&[1], "[1]"), (&[1, 2, 3], "[1,2,3]")] {
            let mut out = String::new();
            write_list(items, &mut out, |item, out| out.push_str(&item.to_string()));
            assert_eq!(out, json);
        }
    }
}
