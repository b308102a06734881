//! Which fields may not come behind a body.
//!
//! Whoever merges trailers into the header fields, or has acted on those already, must not be
//! misled by what comes last: RFC 9110, 6.5.1 names the kinds, and these are the fields of them.

use super::error::HeaderError;
use super::headers::Headers;

/// By kind, in the order of RFC 9110, 6.5.1. All conditions, `if-*`, are of the third.
const FORBIDDEN: &[&str] = &[
    // Framing, and what holds for one connection only.
    "transfer-encoding",
    "content-length",
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    // Routing.
    "host",
    // Modifiers of requests.
    "cache-control",
    "expect",
    "max-forwards",
    "pragma",
    "range",
    "te",
    // Authentication, and what serves for it.
    "authorization",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "cookie",
    "set-cookie",
    // What steers the use of a response.
    "age",
    "date",
    "expires",
    "location",
    "retry-after",
    "vary",
    "warning",
    // How to read the content.
    "content-encoding",
    "content-range",
    "content-type",
    "trailer",
];

impl Headers {
    /// Checks that all of these fields may be sent as trailers, behind a body.
    ///
    /// # Errors
    ///
    /// Refuses fields that frame, route, modify, authenticate, or say how to use the response or
    /// to read its content (RFC 9110, 6.5.1).
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::http::Headers;
    /// let mut fields = Headers::new();
    /// fields.append("server-timing", "total;dur=12")?;
    /// fields.check_trailers()?;
    /// fields.append("set-cookie", "late=1")?;
    /// assert!(fields.check_trailers().is_err());
    /// # Ok::<(), tourbillon::http::HeaderError>(())
    /// ```
    pub fn check_trailers(&self) -> Result<(), HeaderError> {
        if self.iter().any(|(name, _)| is_forbidden(name)) {
            return Err(HeaderError::Trailer);
        }
        Ok(())
    }
}

fn is_forbidden(name: &str) -> bool {
    let is_condition = name
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("if-"));
    is_condition || FORBIDDEN.iter().any(|one| one.eq_ignore_ascii_case(name))
}
