//! The values in the braces of a route.

use std::borrow::Cow;

use super::extract::Extract;
use super::fields::{Fields, FromFields};
use crate::server::Request;
use crate::web::error::HttpError;

/// What the braces of the route match: one value, a tuple in their order, or
/// a struct by their names.
///
/// A value that does not read as its type is a fault (422).
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::extract::{Path, extract};
///
/// async fn book(Path((user, book)): Path<(u32, String)>) -> String {
///     format!("{book} of user {user}")
/// }
///
/// let app = Router::new().get("/users/{user}/books/{book}", extract(book));
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path<T>(pub T);

impl<T: FromFields> Extract for Path<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let borrowed = |text| Cow::Borrowed(text);
        let params = request.params().iter();
        let pairs = params.map(|(name, value)| (borrowed(&**name), borrowed(value.as_str())));
        Ok(Path(T::from_fields(&Fields::new("path", pairs))?))
    }
}
