//! The cookies that a client sends back (RFC 6265, 5.4).
//!
//! It is read leniently, as browsers write what pages made them write.

use std::borrow::Cow;

use super::extract::Extract;
use super::fields::{Fields, FromFields};
use crate::server::{Headers, Request};
use crate::web::error::HttpError;

/// The cookies of a request, as text.
///
/// # Examples
///
/// ```
/// use tourbillon::web::extract::{Cookies, extract};
///
/// let handler = extract(async |cookies: Cookies| match cookies.get("session") {
///     Some(session) => format!("session {session}, {} cookies", cookies.iter().count()),
///     None => "no session".to_owned(),
/// });
/// # let _ = handler;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// The value of a cookie; of several of one name the last.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut cookies = self.0.iter().rev();
        let found = cookies.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl Extract for Cookies {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let owned = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into(), value.into());
        Ok(Cookies(pairs(request.headers()).map(owned).collect()))
    }
}

/// The values of the cookies, of the types that are wanted.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Faults;
/// use tourbillon::web::extract::{Cookie, Fields, FromFields, extract};
///
/// struct Visits(u32);
///
/// impl FromFields for Visits {
///     fn from_fields(fields: &Fields<'_>) -> Result<Self, Faults> {
///         Ok(Visits(fields.optional("visits")?.unwrap_or(0)))
///     }
/// }
///
/// let handler = extract(async |Cookie(Visits(count)): Cookie<Visits>| count.to_string());
/// # let _ = handler;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<T>(pub T);

impl<T: FromFields> Extract for Cookie<T> {
    async fn extract(request: &mut Request) -> Result<Self, HttpError> {
        let fields = Fields::new("cookie", pairs(request.headers()));
        Ok(Cookie(T::from_fields(&fields)?))
    }
}

fn pairs(headers: &Headers) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let pieces = headers
        .get_all("cookie")
        .flat_map(|field| field.split(|byte| *byte == b';'));
    pieces.filter_map(|piece| {
        let piece = piece.trim_ascii();
        let split = piece.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (piece[..split].trim_ascii(), piece[split + 1..].trim_ascii());
        let quoted = value.strip_prefix(b"\"");
        let inside = quoted.and_then(|rest| rest.strip_suffix(b"\""));
        let text = String::from_utf8_lossy;
        (!name.is_empty()).then(|| (text(name), text(inside.unwrap_or(value))))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn cookies_are_read_as_browsers_write_them() {
        for (fields, all) in [
            (&["a=b"][..], "a=b;"),
            (&["a=b; c=d", "e=f"], "a=b;c=d;e=f;"),
            (&["a=b;c=d;;  ; e = f "], "a=b;c=d;e=f;"),
            (&["a=\"b c\"; d=\"; e=\"\""], "a=b c;d=\";e=;"),
            (&["a=b=c; =x; novalue; n="], "a=b=c;n=;"),
            (&["a=1; a=2"], "a=1;a=2;"),
            (&["a=%20+é"], "a=%20+é;"),
            (&[""], ""),
        ] {
            let mut headers = Headers::new();
            for field in fields {
                headers.append("Cookie", field).unwrap();
            }
            let found: String = pairs(&headers).map(|(n, v)| format!("{n}={v};")).collect();
            assert_eq!(found, all, "{fields:?}");
        }
        let many = format!("{}x=y", "a=b;".repeat(10_000));
        let mut headers = Headers::new();
        headers.append("cookie", many).unwrap();
        headers.append("cookie", b"bad=\xff").unwrap();
        assert_eq!(pairs(&headers).count(), 10_002);
    }
}
