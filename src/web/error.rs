//! Errors that are answers.

use std::borrow::Cow;
use std::fmt;

use super::fault::{Fault, Faults, write_list, write_string};
use crate::http::{ContentType, HeaderError};
use crate::server::{BodyError, Headers, IntoResponse, Response, Status};

/// An error that a client is told: a status, and what is wrong in JSON.
///
/// Its body is `{"detail": ...}`, the detail being a text, which is the
/// status's phrase unless something else was said, or for faults of what the
/// client sent (422) their list, in the shape that FastAPI's clients know:
/// `[{"type", "loc", "msg", "input", "ctx"}]`.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{Request, Status};
/// use tourbillon::web::HttpError;
///
/// async fn book(request: Request) -> Result<String, HttpError> {
///     match request.param("title") {
///         Some("Momo") => Ok("by Michael Ende".to_owned()),
///         _ => Err(HttpError::new(Status::NOT_FOUND).detail("no such book")),
///     }
/// }
///
/// let error = HttpError::new(Status::UNAUTHORIZED).header("www-authenticate", "Bearer")?;
/// assert_eq!(error.status(), Status::UNAUTHORIZED);
/// assert!(error.faults().is_empty());
/// # let _ = book;
/// # Ok::<(), tourbillon::http::HeaderError>(())
/// ```
#[derive(Clone)]
pub struct HttpError(Box<Answer>);

#[derive(Clone)]
struct Answer {
    status: Status,
    detail: Option<Cow<'static, str>>,
    headers: Headers,
    faults: Faults,
}

impl HttpError {
    /// An error with this status, whose phrase is its detail.
    pub fn new(status: Status) -> Self {
        HttpError(Box::new(Answer {
            status,
            detail: None,
            headers: Headers::new(),
            faults: Faults::default(),
        }))
    }

    /// Says what is wrong.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a header field to the answer.
    ///
    /// # Errors
    ///
    /// When name or value holds what a field may not.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HeaderError> {
        self.0.headers.append(name, value)?;
        Ok(self)
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// What was wrong with the request, if that is the error.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Its faults, if faults are all that it is about.
    pub(super) fn into_faults(self) -> Result<Faults, HttpError> {
        if self.0.faults.is_empty() {
            return Err(self);
        }
        Ok(self.0.faults)
    }

    fn body(&self) -> String {
        let mut body = String::from("{\"detail\":");
        if self.0.faults.is_empty() {
            write_string(self.text(), &mut body);
        } else {
            let faults = self.0.faults.iter();
            write_list(faults, &mut body, |fault, out| fault.write(out));
        }
        body.push('}');
        body
    }

    fn text(&self) -> &str {
        match &self.0.detail {
            Some(detail) => detail,
            None => self.0.status.phrase(),
        }
    }
}

/// 422.
impl From<Faults> for HttpError {
    fn from(faults: Faults) -> Self {
        let mut error = HttpError::new(Status::UNPROCESSABLE_CONTENT);
        error.0.faults = faults;
        error
    }
}

/// 422.
impl From<Fault> for HttpError {
    fn from(fault: Fault) -> Self {
        HttpError::from(Faults::from(fault))
    }
}

impl From<Status> for HttpError {
    fn from(status: Status) -> Self {
        HttpError::new(status)
    }
}

impl From<BodyError> for HttpError {
    fn from(error: BodyError) -> Self {
        HttpError::new(error.status()).detail(error.to_string())
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let status = self.0.status;
        let mut response = match status.ends_at_head() {
            true => Response::new(status),
            false => Response::of(ContentType::JSON, self.body().into_bytes()).with_status(status),
        };
        for (name, value) in self.0.headers.iter() {
            let added = response.headers_mut().append(name, value);
            added.expect("what was in one list of fields may be in another");
        }
        response
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.faults.is_empty() {
            true => write!(f, "{}: {}", self.0.status.code(), self.text()),
            false => write!(f, "{}: {}", self.0.status.code(), self.0.faults),
        }
    }
}

impl fmt::Debug for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpError")
            .field("status", &self.0.status)
            .field("detail", &self.text())
            .field("faults", &self.0.faults)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for HttpError {}
