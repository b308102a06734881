//! What a handler gives back.

use std::borrow::Cow;
use std::fmt;

use super::body::Body;
use super::extensions::Extensions;
use super::pool;
use super::request_body::BodyError;
use crate::executor::JoinError;
use crate::http::{ContentType, HeaderError, Headers, ResponseHead, Status};

/// A response: status, header fields, and a body to send.
///
/// The server adds what frames it: length or chunks, `date`, and what
/// becomes of the connection. It is one pointer, so it costs nothing to hand
/// on; what is behind it is used again.
pub struct Response(Option<Box<ResponseParts>>);

/// What a response is made of.
#[derive(Default)]
pub(super) struct ResponseParts {
    pub(super) head: ResponseHead,
    pub(super) body: Body,
    extensions: Extensions,
}

impl Response {
    /// A response with this status and no body.
    pub fn new(status: Status) -> Self {
        let mut parts = pool::take_response();
        parts.head.status = status;
        Response(Some(parts))
    }

    #[inline]
    pub(super) fn parts(&self) -> &ResponseParts {
        self.0.as_ref().expect("only a drop takes the parts away")
    }

    #[inline]
    pub(super) fn parts_mut(&mut self) -> &mut ResponseParts {
        self.0.as_mut().expect("only a drop takes the parts away")
    }

    /// 200 with plain text, in UTF-8.
    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        let bytes = match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Response::of(ContentType::TEXT, bytes)
    }

    /// 200 with these bytes and this content type.
    pub(crate) fn of(content_type: ContentType, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let mut response = Response::new(Status::OK);
        let parts = response.parts_mut();
        parts.body = Body::bytes(bytes);
        parts.head.headers.append_content_type(content_type);
        response
    }

    /// 200 with these bytes and this content type.
    ///
    /// # Panics
    ///
    /// When the type holds a control character.
    pub fn typed(content_type: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        let mut response = Response::new(Status::OK);
        let parts = response.parts_mut();
        parts.body = Body::bytes(bytes);
        if let Err(error) = parts.head.headers.append("content-type", content_type) {
            panic!("{content_type:?} is no content type: {error}");
        }
        response
    }

    /// Its status.
    pub fn status(&self) -> Status {
        self.parts().head.status
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.parts_mut().head.status = status;
        self
    }

    /// Sets a header field, in place of any of the same name.
    ///
    /// # Errors
    ///
    /// When name or value holds what a field may not: a control character
    /// there could forge a second response.
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HeaderError> {
        self.parts_mut().head.headers.insert(name, value)?;
        Ok(self)
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.parts_mut().body = body.into();
        self
    }

    /// Its body.
    pub fn body(&self) -> &Body {
        &self.parts().body
    }

    /// Takes its body out, and leaves none.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.parts_mut().body)
    }

    /// Its header fields.
    pub fn headers(&self) -> &Headers {
        &self.parts().head.headers
    }

    /// Its header fields, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.parts_mut().head.headers
    }

    /// What goes along with it to those around the handler, and to the server.
    pub fn extensions(&self) -> &Extensions {
        &self.parts().extensions
    }

    /// The same, to change.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.parts_mut().extensions
    }

    /// A short plain text that names the status, for errors.
    pub(super) fn plain(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        Response::text(text).with_status(status)
    }
}

impl Drop for Response {
    #[inline]
    fn drop(&mut self) {
        let Some(mut parts) = self.0.take() else {
            return;
        };
        // What these hold may be foreign: nothing is borrowed.
        parts.body.clear();
        parts.extensions.clear();
        parts.head.clear();
        pool::give_response(parts);
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("body", self.body())
            .finish()
    }
}

/// What turns into a [`Response`], and so may be what a handler returns.
pub trait IntoResponse {
    /// Makes the response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

/// 204, No Content.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::new(Status::NO_CONTENT)
    }
}

/// The status, with its phrase as the text.
impl IntoResponse for Status {
    fn into_response(self) -> Response {
        if self.ends_at_head() {
            return Response::new(self);
        }
        Response::plain(self, self.phrase())
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for Cow<'static, str> {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for &'static [u8] {
    fn into_response(self) -> Response {
        Response::of(ContentType::OCTETS, self)
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::of(ContentType::OCTETS, self)
    }
}

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::new(Status::OK).with_body(self)
    }
}

impl<R: IntoResponse> IntoResponse for (Status, R) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

/// `None` is 404, Not Found.
impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        match self {
            Some(value) => value.into_response(),
            None => Status::NOT_FOUND.into_response(),
        }
    }
}

/// The status that says what was wrong with the body.
impl IntoResponse for BodyError {
    fn into_response(self) -> Response {
        Response::plain(self.status(), self.to_string())
    }
}

/// 500, and the error in the log: it is the server's own.
impl IntoResponse for std::io::Error {
    fn into_response(self) -> Response {
        log::error!("a handler failed: {self}");
        Status::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// 503 if the job was refused or cancelled, and else 500.
impl IntoResponse for JoinError {
    fn into_response(self) -> Response {
        if self.is_panic() {
            return Status::INTERNAL_SERVER_ERROR.into_response();
        }
        log::warn!("a job did not run: {self}");
        Status::SERVICE_UNAVAILABLE.into_response()
    }
}

/// 500: a field that could not be set is the handler's mistake.
impl IntoResponse for HeaderError {
    fn into_response(self) -> Response {
        log::error!("a handler made a header field that may not be sent: {self}");
        Status::INTERNAL_SERVER_ERROR.into_response()
    }
}
