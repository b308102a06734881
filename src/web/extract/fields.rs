//! Named values, and what is made of them.

use std::borrow::Cow;

use super::from_text::FromText;
use super::gathered::All;
use crate::web::fault::{Fault, Faults};

/// Named values of a request: those of its path, query, header, cookies or
/// form. A name may come several times.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Fault, Faults};
/// use tourbillon::web::extract::{Fields, FromFields, all};
///
/// struct Search { words: String, tags: Vec<String>, page: u32 }
///
/// impl FromFields for Search {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         fields.only(&["words", "tag", "page"])?;
///         let (words, tags, page) = all((
///             fields.required("words"),
///             fields.list("tag"),
///             fields.optional::<u32>("page"),
///         ))?;
///         match page.unwrap_or(1) {
///             0 => Err(fields.fault("page", Fault::new("greater_than", "must be more than 0"))),
///             page => Ok(Search { words, tags, page }),
///         }
///     }
/// }
///
/// fn first(fields: &Fields<'_>) -> Option<String> {
///     let (name, value) = fields.iter().next()?;
///     Some(format!("{name}={value}, {:?}", fields.get(name)))
/// }
/// ```
#[derive(Debug)]
pub struct Fields<'a> {
    place: &'static str,
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        place: &'static str,
        pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Self {
        Fields {
            place,
            pairs: pairs.into_iter().collect(),
        }
    }

    /// The last value of a name, as text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.pairs.iter().rev();
        let found = pairs.find(|(known, _)| self.is_same(known, name));
        found.map(|(_, value)| &**value)
    }

    /// A value that must be there; of several the last.
    ///
    /// # Errors
    ///
    /// The fault `missing`, or what is wrong with the value.
    pub fn required<T: FromText>(&self, name: &str) -> Result<T, Faults> {
        let missing = || Faults::from(Fault::missing().at(self.place).at(name.to_owned()));
        self.optional(name)?.ok_or_else(missing)
    }

    /// A value that may be there; of several the last.
    ///
    /// # Errors
    ///
    /// What is wrong with the value.
    pub fn optional<T: FromText>(&self, name: &str) -> Result<Option<T>, Faults> {
        let read = |text| T::from_text(text).map_err(|fault| self.fault_of(name, text, fault));
        self.get(name).map(read).transpose()
    }

    /// All values of a name, which may be none.
    ///
    /// # Errors
    ///
    /// What is wrong with each of them.
    pub fn list<T: FromText>(&self, name: &str) -> Result<Vec<T>, Faults> {
        let own = |(known, _): &&(Cow<'_, str>, Cow<'_, str>)| self.is_same(known, name);
        let mut faults = Faults::default();
        let mut values = Vec::new();
        for (at, (_, text)) in self.pairs.iter().filter(own).enumerate() {
            match T::from_text(text) {
                Ok(value) => values.push(value),
                Err(fault) => {
                    let fault = fault.at(self.place).at(name.to_owned());
                    faults.push(fault.at_number(at as u64).input(&**text));
                }
            }
        }
        match faults.is_empty() {
            true => Ok(values),
            false => Err(faults),
        }
    }

    /// Asserts that there are no names but these.
    ///
    /// # Errors
    ///
    /// The fault `extra_forbidden` for each other one.
    pub fn only(&self, names: &[&str]) -> Result<(), Faults> {
        let mut faults = Faults::default();
        for (name, value) in &self.pairs {
            if !names.iter().any(|known| self.is_same(name, known)) {
                let fault = Fault::new("extra_forbidden", "nothing of this name is taken");
                faults.push(self.placed(name, value, fault));
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }

    /// A fault with the value of this name, which breaks a rule of one's own.
    pub fn fault(&self, name: &str, fault: Fault) -> Faults {
        match self.get(name) {
            Some(value) => self.fault_of(name, value, fault),
            None => fault.at(self.place).at(name.to_owned()).into(),
        }
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value at a position, for what asks for no names.
    pub(super) fn nth<T: FromText>(&self, at: usize) -> Result<T, Faults> {
        match self.pairs.get(at) {
            Some((name, text)) => {
                T::from_text(text).map_err(|fault| self.fault_of(name, text, fault))
            }
            None => Err(Fault::missing().at(self.place).at_number(at as u64).into()),
        }
    }

    fn fault_of(&self, name: &str, text: &str, fault: Fault) -> Faults {
        self.placed(name, text, fault).into()
    }

    fn placed(&self, name: &str, text: &str, fault: Fault) -> Fault {
        fault.at(self.place).at(name.to_owned()).input(text)
    }

    /// Names of header fields have no case, and where one asks with `_` their
    /// `-` is meant. A field that was sent with `_` is another one: it passes
    /// by a proxy that clears the one with `-`.
    fn is_same(&self, known: &str, name: &str) -> bool {
        if self.place != "header" {
            return known == name;
        }
        let meant = name.bytes().map(|byte| match byte {
            b'_' => b'-',
            _ => byte.to_ascii_lowercase(),
        });
        known
            .bytes()
            .map(|byte| byte.to_ascii_lowercase())
            .eq(meant)
    }
}

/// A type made of named values.
///
/// Every [`FromText`] type is one, made of the first value, and so are tuples
/// of up to eight such types, made of the values in their order: for
/// [`Path`](super::Path), whose values have an order.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Faults;
/// use tourbillon::web::extract::{Fields, FromFields, all};
///
/// struct Page { number: u32, size: u32 }
///
/// impl FromFields for Page {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         let (number, size) = all((fields.required("page"), fields.optional("size")))?;
///         Ok(Page { number, size: size.unwrap_or(50) })
///     }
/// }
///
/// struct Search { words: String, page: Page }
///
/// impl FromFields for Search {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         let (words, page) = all((fields.required("words"), FromFields::from_fields(fields)))?;
///         Ok(Search { words, page })
///     }
/// }
/// ```
pub trait FromFields: Sized {
    /// Makes it.
    ///
    /// # Errors
    ///
    /// All that is wrong, at best; see [`all`].
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults>;
}

impl<T: FromText> FromFields for T {
    fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
        fields.nth(0)
    }
}

/// Joins results, and gathers the faults of all of them.
///
/// # Errors
///
/// Where any of them is an error, all that is wrong.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Fault, Faults};
/// use tourbillon::web::extract::all;
///
/// let fault = || Faults::from(Fault::new("missing", "a value is required here"));
/// assert_eq!(all((Ok(1), Ok("two"))), Ok((1, "two")));
/// let faults = all((Err::<u8, _>(fault()), Ok(2), Err::<u8, _>(fault()))).unwrap_err();
/// assert_eq!(faults.len(), 2);
/// ```
pub fn all<R: All>(results: R) -> Result<R::Values, Faults> {
    results.all()
}
