//! Cookies for a client to keep (RFC 6265, 4.1).

use std::fmt;
use std::time::Duration;

use crate::http::HeaderError;
use crate::server::{IntoResponse, Response};

/// A cookie for the client to keep: for all paths, and not sent along with
/// requests that other sites cause (`SameSite=Lax`), unless said otherwise.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::server::{IntoResponse, Request, Response};
/// use tourbillon::web::{SameSite, SetCookie};
///
/// // With a response, as a handler gives it back.
/// async fn login(_: Request) -> impl IntoResponse {
///     let session = SetCookie::new("session", "7fffe3a0")
///         .max_age(Duration::from_secs(14 * 24 * 3600))
///         .path("/")
///         .domain("example.org")
///         .same_site(SameSite::Strict)
///         .partitioned(false)
///         .http_only(true)
///         .secure(true);
///     (session, "Hello!")
/// }
///
/// // Or added to one that is there.
/// let mut response = Response::text("Good bye!");
/// SetCookie::remove("session").add_to(&mut response)?;
/// # let _ = login;
/// # Ok::<(), tourbillon::http::HeaderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    name: String,
    value: String,
    max_age: Option<u64>,
    path: String,
    domain: Option<String>,
    same_site: SameSite,
    secure: bool,
    http_only: bool,
    partitioned: bool,
}

/// With which requests of other sites' making a cookie goes along.
///
/// # Examples
///
/// ```
/// use tourbillon::web::{SameSite, SetCookie};
///
/// // `None` wants `Secure`, which is set with it.
/// let cookie = SetCookie::new("a", "b").same_site(SameSite::None);
/// assert!(cookie.to_string().ends_with("; SameSite=None; Secure"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// With none.
    Strict,
    /// With links that are followed, but not with forms or images.
    #[default]
    Lax,
    /// With all.
    None,
}

impl SetCookie {
    /// A cookie that is gone when the browser is closed.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        SetCookie {
            name: name.into(),
            value: value.into(),
            max_age: None,
            path: "/".to_owned(),
            domain: None,
            same_site: SameSite::Lax,
            secure: false,
            http_only: false,
            partitioned: false,
        }
    }

    /// Has the client forget a cookie. Path and domain must be those that it
    /// was set with.
    pub fn remove(name: impl Into<String>) -> Self {
        SetCookie::new(name, "").max_age(Duration::ZERO)
    }

    /// Sets for how long it is kept, in whole seconds.
    #[must_use]
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = Some(time.as_secs());
        self
    }

    /// Sets the path below which it is sent back; `/` unless set.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets the domain whose hosts it is sent back to; without, it is only
    /// the host that set it.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sets with which requests of other sites' making it goes along.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Sets whether it is sent over https only.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Sets whether it is kept from scripts.
    #[must_use]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Sets whether it is kept apart for each site it is embedded in (CHIPS).
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Adds it to a response, beside others.
    ///
    /// # Errors
    ///
    /// When its name is no token, or the rest holds a control character or a
    /// sign that would end it: a cookie's value is made of visible ASCII
    /// without space, quotes, comma, semicolon and backslash.
    pub fn add_to(&self, response: &mut Response) -> Result<(), HeaderError> {
        let is_name = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(is_name) {
            return Err(HeaderError::Name);
        }
        let is_value = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        let domain = self.domain.as_deref().unwrap_or_default();
        let is_part = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b';';
        let parts = self.path.bytes().chain(domain.bytes()).all(is_part);
        if !self.value.bytes().all(is_value) || !parts {
            return Err(HeaderError::Value);
        }
        let field = self.to_string();
        response.headers_mut().append("set-cookie", field)
    }
}

/// As it stands in the `set-cookie` field, unchecked.
impl fmt::Display for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}; Path={}", self.name, self.value, self.path)?;
        if let Some(domain) = &self.domain {
            write!(f, "; Domain={domain}")?;
        }
        if let Some(seconds) = self.max_age {
            write!(f, "; Max-Age={seconds}")?;
        }
        write!(f, "; SameSite={:?}", self.same_site)?;
        let must_be_secure = self.same_site == SameSite::None || self.partitioned;
        for (name, is_set) in [
            ("Secure", self.secure || must_be_secure),
            ("HttpOnly", self.http_only),
            ("Partitioned", self.partitioned),
        ] {
            if is_set {
                write!(f, "; {name}")?;
            }
        }
        Ok(())
    }
}

/// The response with the cookie.
impl<R: IntoResponse> IntoResponse for (SetCookie, R) {
    fn into_response(self) -> Response {
        let mut response = self.1.into_response();
        match self.0.add_to(&mut response) {
            Ok(()) => response,
            Err(error) => error.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(cookie: SetCookie) -> Option<String> {
        let mut response = Response::text("");
        cookie.add_to(&mut response).ok()?;
        response.headers().get("set-cookie").map(str::to_owned)
    }

    #[test]
    fn a_cookie_is_written_with_all_that_was_said() {
        let plain = "a=b; Path=/; SameSite=Lax";
        assert_eq!(field(SetCookie::new("a", "b")).as_deref(), Some(plain));
        let full = SetCookie::new("a", "")
            .path("/x y")
            .domain("example.org")
            .max_age(Duration::from_millis(1999))
            .same_site(SameSite::Strict)
            .http_only(true)
            .partitioned(true);
        let text = "a=; Path=/x y; Domain=example.org; Max-Age=1; SameSite=Strict; Secure; \
                    HttpOnly; Partitioned";
        assert_eq!(field(full).as_deref(), Some(text));
        let gone = "a=; Path=/; Max-Age=0; SameSite=Lax";
        assert_eq!(field(SetCookie::remove("a")).as_deref(), Some(gone));
    }

    #[test]
    fn a_cookie_cannot_forge_another_nor_a_field() {
        for value in [
            "a;b",
            "a b",
            "a\r\nset-cookie: b=c",
            "a\"",
            "a,b",
            "é",
            "\0",
            "\\",
        ] {
            assert_eq!(field(SetCookie::new("a", value)), None, "{value:?}");
            let name = SetCookie::new(value, "a");
            assert_eq!(field(name), None, "{value:?}");
        }
        assert_eq!(field(SetCookie::new("", "a")), None);
        assert_eq!(field(SetCookie::new("a=b", "a")), None);
        assert_eq!(field(SetCookie::new("a", "b").path("/; Domain=x")), None);
        assert_eq!(field(SetCookie::new("a", "b").domain("x\r\n")), None);
    }
}
