//! The fields of a form that a page has sent.

use super::body::{media_type, read_body, unsupported};
use super::extract::Extract;
use super::fields::{Fields, FromFields};
use crate::server::{Request, Status};
use crate::web::error::HttpError;
use crate::web::percent;

/// As many as Starlette takes.
const FIELDS_MAX: usize = 1000;

/// The values of a form in the body, `application/x-www-form-urlencoded`.
///
/// Another type is 415, more than 2 MiB 413 (or what
/// [`body_limit`](crate::web::middleware::body_limit) says), more than 1000
/// fields 400. No body at all is a form without fields.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Faults;
/// use tourbillon::web::extract::{Fields, Form, FromFields, all, extract};
///
/// struct Login { user: String, password: String }
///
/// impl FromFields for Login {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         let (user, password) = all((fields.required("user"), fields.required("password")))?;
///         Ok(Login { user, password })
///     }
/// }
///
/// let handler = extract(async |Form(login): Form<Login>| format!("Hello, {}!", login.user));
/// # let _ = handler;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form<T>(pub T);

impl<T: FromFields> Extract for Form<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let media_type = media_type(request);
        let is_form = media_type.as_deref() == Some("application/x-www-form-urlencoded");
        if !is_form && media_type.is_some() {
            return Err(unsupported("application/x-www-form-urlencoded"));
        }
        let body = read_body(request).await?;
        if !is_form && !body.is_empty() {
            return Err(unsupported("application/x-www-form-urlencoded"));
        }
        if body.split(|byte| *byte == b'&').count() > FIELDS_MAX {
            let error = HttpError::new(Status::BAD_REQUEST);
            return Err(error.detail("the form has too many fields"));
        }
        let fields = Fields::new("body", percent::pairs(&body));
        Ok(Form(T::from_fields(&fields)?))
    }
}
