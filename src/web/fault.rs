//! What was wrong with what a client sent, value by value.

use std::borrow::Cow;
use std::fmt::{self, Write};

use crate::watch::json_string;

/// What is told back of a wrong value, or of its name, in bytes. Enough to
/// know it by.
const INPUT_BYTES_MAX: usize = 1024;

/// A person mends the first few; a form of a million wrong fields would have
/// an answer many times its length.
const FAULTS_MAX: usize = 100;

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
    /// `cookie` or `body`. A client may have chosen the name: up to 1 KiB of
    /// it is kept.
    #[must_use]
    pub fn at(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        let mut name = name.into();
        let end = told_of(&name);
        if end < name.len() {
            name.to_mut().truncate(end);
        }
        self.place.push(Step::Name(name));
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
        input.truncate(told_of(&input));
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

/// How much of a text is told back, in whole characters.
fn told_of(text: &str) -> usize {
    let mut end = text.len().min(INPUT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
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

/// What was wrong with a request: all of it, but at most 100 faults. The
/// others are not kept, so that the answer to a form of very many wrong fields
/// is not longer than the form.
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
    /// Adds one, unless there are 100 already.
    pub fn push(&mut self, fault: Fault) {
        if self.0.len() < FAULTS_MAX {
            self.0.push(fault);
        }
    }

    /// How many there are, at most 100.
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
        other.0.truncate(FAULTS_MAX - self.0.len());
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
    fn no_more_than_a_hundred_are_kept() {
        let number = |at: u64| Fault::new("x", "is x").at_number(at);
        let mut some = Faults::default();
        (0..60).for_each(|at| some.push(number(at)));
        let mut more = Faults::default();
        (60..1000).for_each(|at| more.push(number(at)));
        assert_eq!((some.len(), more.len()), (60, 100));
        some.append(more);
        some.push(number(1000));
        let places: Vec<_> = some.iter().flat_map(Fault::place).collect();
        let first: Vec<_> = (0..100).map(|at: u64| at.to_string()).collect();
        assert_eq!(places, first);
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let fault = Fault::new("x", "is x")
            .at("é".repeat(512))
            .at("é".repeat(600));
        let lengths = fault.place().iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths, [1024, 1024]);
        let fault = Fault::new("x", "is x").at(format!("a{}", "é".repeat(600)));
        assert_eq!(fault.place()[0].len(), 1023);
    }

    #[test]
    fn lists_have_commas_between() {
        for (items, json) in [(&[][..], "[]"), (&[1], "[1]"), (&[1, 2, 3], "[1,2,3]")] {
            let mut out = String::new();
            write_list(items, &mut out, |item, out| out.push_str(&item.to_string()));
            assert_eq!(out, json);
        }
    }
}
