//! Pages.

use std::borrow::Cow;

use crate::http::ContentType;
use crate::server::{IntoResponse, Response};

/// A page: 200 with `text/html`, in UTF-8. It is sent as it is: what comes
/// from users must be escaped before.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{Html, Router};
///
/// let app = Router::new().get("/", async |_| Html("<h1>Hello!</h1>"));
/// # let _ = app;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: Into<Cow<'static, str>>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        let bytes: Cow<'static, [u8]> = match self.0.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Response::of(ContentType::HTML, bytes)
    }
}
