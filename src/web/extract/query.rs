//! The values of the query.

use super::extract::Extract;
use super::fields::{Fields, FromFields};
use crate::server::Request;
use crate::web::error::HttpError;
use crate::web::percent;

/// The values of the query, decoded: `+` is a space, and what is no UTF-8
/// becomes replacement characters.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Faults;
/// use tourbillon::web::extract::{Fields, FromFields, Query, extract};
///
/// struct Page(u32);
///
/// impl FromFields for Page {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         Ok(Page(fields.optional("page")?.unwrap_or(1)))
///     }
/// }
///
/// let handler = extract(async |Query(Page(number)): Query<Page>| format!("page {number}"));
/// # let _ = handler;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: FromFields> Extract for Query<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let query = request.query().unwrap_or_default();
        let fields = Fields::new("query", percent::pairs(query.as_bytes()));
        Ok(Query(T::from_fields(&fields)?))
    }
}
