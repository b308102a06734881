//! The way to another address.

use super::percent;
use crate::server::{IntoResponse, Response, Status};

/// Sends the client to another address.
///
/// What may not stand in an address is percent-encoded, so it cannot forge
/// header fields; but where it leads is not looked at. An address that a
/// client gave may lead to a stranger's site: `//evil.example` does.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{IntoResponse, Status};
/// use tourbillon::web::Redirect;
///
/// // The same request once more, there.
/// assert_eq!(Redirect::to("/new").into_response().status(), Status::TEMPORARY_REDIRECT);
/// // The same, from now on always.
/// assert_eq!(Redirect::permanent("/new").into_response().status(), Status::PERMANENT_REDIRECT);
/// // A GET there, after a form was taken in.
/// assert_eq!(Redirect::see_other("/thanks").into_response().status(), Status::SEE_OTHER);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    status: Status,
    location: String,
}

impl Redirect {
    /// 307: for this once, with the same method and body.
    pub fn to(location: &str) -> Self {
        Redirect::with(Status::TEMPORARY_REDIRECT, location)
    }

    /// 308: from now on, with the same method and body. Browsers remember it.
    pub fn permanent(location: &str) -> Self {
        Redirect::with(Status::PERMANENT_REDIRECT, location)
    }

    /// 303: what there is to see is there, by GET.
    pub fn see_other(location: &str) -> Self {
        Redirect::with(Status::SEE_OTHER, location)
    }

    fn with(status: Status, location: &str) -> Self {
        Redirect {
            status,
            location: percent::encode_url(location).into_owned(),
        }
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        let response = Response::new(self.status);
        let response = response.with_header("location", self.location);
        response.expect("an encoded address has no control character")
    }
}
