//! The values of the header fields.

use std::borrow::Cow;

use super::extract::Extract;
use super::fields::{Fields, FromFields};
use crate::server::{Headers, Request};
use crate::web::error::HttpError;

/// The values of the header fields. Names have no case, and where one asks
/// with `_` the field's `-` is meant; a field that is sent with `_` is found
/// by no name, as in FastAPI. One that comes several times is a list.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Faults;
/// use tourbillon::web::extract::{Fields, FromFields, Header, extract};
///
/// struct Agent(Option<String>);
///
/// impl FromFields for Agent {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         Ok(Agent(fields.optional("user_agent")?))
///     }
/// }
///
/// let handler = extract(async |Header(Agent(name)): Header<Agent>| name);
/// # let _ = handler;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<T>(pub T);

impl<T: FromFields> Extract for Header<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let fields = request.headers().iter();
        let pairs = fields.map(|(name, value)| {
            let value = String::from_utf8_lossy(value);
            (Cow::Borrowed(name), value)
        });
        Ok(Header(T::from_fields(&Fields::new("header", pairs))?))
    }
}

/// All of them, copied.
impl Extract for Headers {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        Ok(request.headers().clone())
    }
}
