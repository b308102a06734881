//! What is asked.

use super::url::Url;
use crate::http::{HeaderError, Method, ProtocolError, RequestHead};

/// A request to be sent, with its body if it has one.
///
/// # Examples
///
/// ```
/// use tourbillon::client::ClientRequest;
///
/// let request = ClientRequest::new("PUT", "/notes/7")?
///     .with_header("content-type", "text/plain")?
///     .with_body("wind the clock");
/// let stream = ClientRequest::new("POST", "/upload")?.with_chunks(["tick", "tock"]);
/// assert_eq!(request.head().path(), "/notes/7");
/// # let _ = stream;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientRequest {
    head: RequestHead,
    pub(super) body: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    None,
    Bytes(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
}

impl ClientRequest {
    /// A request without body for a target: a path with its query, or what
    /// else may stand in a request line (RFC 9112, 3.2). A [`Client`] is given
    /// a URL and fills the target in.
    ///
    /// [`Client`]: super::Client
    ///
    /// # Errors
    ///
    /// When the method is no token, or the target holds what none may hold.
    pub fn new(method: &str, target: &str) -> Result<Self, ProtocolError> {
        Ok(ClientRequest {
            head: RequestHead::new(method, target)?,
            body: Content::None,
        })
    }

    /// Sets a header field, in place of any of the same name.
    ///
    /// # Errors
    ///
    /// When name or value holds what a field may not.
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, HeaderError> {
        self.head.headers_mut().insert(name, value)?;
        Ok(self)
    }

    /// Sets a body, sent with its length.
    #[must_use]
    pub fn with_body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Content::Bytes(bytes.into());
        self
    }

    /// Sets a body that is sent in these chunks; empty ones are left out.
    #[must_use]
    pub fn with_chunks<C: Into<Vec<u8>>>(mut self, chunks: impl IntoIterator<Item = C>) -> Self {
        let chunks = chunks.into_iter().map(Into::into).collect();
        self.body = Content::Chunks(chunks);
        self
    }

    /// With the target of the URL, unless that has none, and with a Host.
    pub(super) fn for_url(mut self, url: &Url<'_>) -> Option<Self> {
        if !url.target.is_empty() {
            let method = self.head.method_text();
            let mut head = RequestHead::new(method, &url.request_target()).ok()?;
            std::mem::swap(head.headers_mut(), self.head.headers_mut());
            self.head = head;
        }
        self.with_host(url.authority).ok()
    }

    /// With a Host, if it has none.
    pub(crate) fn with_host(mut self, host: &str) -> Result<Self, HeaderError> {
        if !self.head.headers().contains("host") {
            self.head.headers_mut().append("host", host)?;
        }
        Ok(self)
    }

    /// Whether sending it twice does what sending it once does (RFC 9110,
    /// 9.2.2).
    pub(super) fn is_idempotent(&self) -> bool {
        !matches!(
            self.head.method(),
            Method::Post | Method::Patch | Method::Connect | Method::Other
        )
    }

    /// Its head.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }
}
