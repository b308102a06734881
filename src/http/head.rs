//! The heads of the two messages: what a request asks, what a response announces.

use std::fmt;

use super::error::ProtocolError;
use super::headers::{Headers, is_token_byte};
use super::status::Status;

/// A request method (RFC 9110, 9; PATCH is RFC 5789). Methods are case-sensitive.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Transfer a representation of the target.
    #[default]
    Get,
    /// As GET, without the content.
    Head,
    /// Let the target process the content.
    Post,
    /// Replace the target with the content.
    Put,
    /// Remove the target.
    Delete,
    /// Open a tunnel; refused by this server.
    Connect,
    /// Ask what the target can do.
    Options,
    /// Send the request back.
    Trace,
    /// Change the target in part.
    Patch,
    /// Any other token; [`RequestHead::method_text`] has it.
    Other,
}

impl Method {
    /// Finds the method that is written like this.
    #[inline]
    pub fn from_text(text: &str) -> Method {
        // Before all the others, since most are.
        if text == "GET" {
            return Method::Get;
        }
        Self::other_from_text(text)
    }

    fn other_from_text(text: &str) -> Method {
        match text {
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "PATCH" => Method::Patch,
            _ => Method::Other,
        }
    }

    /// Returns how the method is written, unless it is `Other`.
    pub const fn text(self) -> Option<&'static str> {
        match self {
            Method::Get => Some("GET"),
            Method::Head => Some("HEAD"),
            Method::Post => Some("POST"),
            Method::Put => Some("PUT"),
            Method::Delete => Some("DELETE"),
            Method::Connect => Some("CONNECT"),
            Method::Options => Some("OPTIONS"),
            Method::Trace => Some("TRACE"),
            Method::Patch => Some("PATCH"),
            Method::Other => None,
        }
    }
}

/// The version a request speaks (RFC 9110, 2.5). Answers are always written as HTTP/1.1, the
/// highest version this server conforms to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// HTTP/1.0: no chunks, no interim responses, connections close unless both sides say not.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        })
    }
}

/// The head of a request, filled by [`Protocol::receive`](super::Protocol::receive).
///
/// It owns its text, and `clear` keeps the memory: a pool of heads serves any number of requests
/// without allocating.
#[derive(Clone, Default)]
pub struct RequestHead {
    pub(super) method: Method,
    pub(super) version: Version,
    /// Empty unless the method is `Other`.
    pub(super) other_method: String,
    pub(super) target: String,
    /// Where in the target the authority ends and the path begins; 0 for all but absolute-form.
    pub(super) path_start: u32,
    /// Where the path ends: at the `?`, or at the end.
    pub(super) path_end: u32,
    pub(super) headers: Headers,
}

impl RequestHead {
    /// Makes the head of a request to be sent, without fields.
    ///
    /// # Errors
    ///
    /// `Method` if that is no token, `TargetByte` if the target is empty or holds anything but
    /// visible ASCII, or a `#`.
    pub fn new(method: &str, target: &str) -> Result<RequestHead, ProtocolError> {
        if method.is_empty() || !method.bytes().all(is_token_byte) {
            return Err(ProtocolError::Method);
        }
        let is_target_byte = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if target.is_empty() || !target.bytes().all(is_target_byte) {
            return Err(ProtocolError::TargetByte);
        }
        let known = Method::from_text(method);
        let question = target.find('?').unwrap_or(target.len());
        Ok(RequestHead {
            method: known,
            other_method: match known {
                Method::Other => method.to_owned(),
                _ => String::new(),
            },
            target: target.to_owned(),
            path_end: u32::try_from(question).map_err(|_| ProtocolError::TargetTooLong)?,
            ..RequestHead::default()
        })
    }

    /// Empties the head and keeps its memory.
    pub fn clear(&mut self) {
        self.method = Method::default();
        self.version = Version::default();
        self.other_method.clear();
        self.target.clear();
        self.path_start = 0;
        self.path_end = 0;
        self.headers.clear();
    }

    /// Returns the method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Returns the method as it was written.
    pub fn method_text(&self) -> &str {
        self.method.text().unwrap_or(&self.other_method)
    }

    /// Returns the target as it was written: a path, a whole URI, or `*` (RFC 9112, 3.2). It is
    /// ASCII, without spaces, and still percent-encoded.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the path: the target up to the `?`, without scheme and authority if it had them.
    ///
    /// It is `*` for a request about the server itself, and begins with `/` otherwise.
    pub fn path(&self) -> &str {
        match &self.target[self.path_start as usize..self.path_end as usize] {
            // An empty path in a whole URI is the root (RFC 9110, 4.2.3).
            "" => "/",
            path => path,
        }
    }

    /// Returns the target without its query, which may hold secrets.
    pub(crate) fn target_without_query(&self) -> &str {
        &self.target[..self.path_end as usize]
    }

    /// Returns what follows the `?`, which may be empty.
    pub fn query(&self) -> Option<&str> {
        self.target[self.path_end as usize..].strip_prefix('?')
    }

    /// Returns the host, with its port if it has one: from the target if that is a whole URI,
    /// which outranks the header (RFC 9112, 3.2.2), else from `Host`.
    pub fn host(&self) -> Option<&str> {
        match self.path_start {
            0 => self.headers.get("host"),
            // Checked at the door to begin with the scheme.
            end => self.target[..end as usize]
                .split_once("://")
                .map(|(_, authority)| authority),
        }
    }

    /// Returns the version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the header fields, in order.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the header fields, to change.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Returns how many bytes of memory the head holds, so that a pool can let go of a fat one.
    pub fn capacity(&self) -> usize {
        self.other_method.capacity() + self.target.capacity() + self.headers.capacity()
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method_text())
            .field("target", &self.target)
            .field("version", &self.version)
            .field("headers", &self.headers)
            .finish()
    }
}

/// The head of a response: what the application decides. Framing, `connection` and `date` are
/// added by the protocol.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// The status.
    pub status: Status,
    /// The header fields. `content-length`, `transfer-encoding` and `connection` are not sent
    /// from here, because the protocol answers for the framing; `connection: close` is obeyed.
    pub headers: Headers,
}

impl ResponseHead {
    /// Creates a head without fields, which holds no memory.
    pub const fn new(status: Status) -> ResponseHead {
        ResponseHead {
            status,
            headers: Headers::new(),
        }
    }

    /// Makes this a 200 without fields again and keeps the memory.
    pub fn clear(&mut self) {
        self.status = Status::OK;
        self.headers.clear();
    }
}

impl Default for ResponseHead {
    fn default() -> Self {
        ResponseHead::new(Status::OK)
    }
}
