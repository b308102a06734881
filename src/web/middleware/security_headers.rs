//! Header fields that make browsers careful.

use super::next::{Middleware, Next};
use crate::http::Headers;
use crate::server::{Request, Response};

/// A year, in seconds: what browsers' preload lists ask for.
const HSTS: &str = "max-age=31536000; includeSubDomains";

/// Adds header fields that make browsers careful, where the handler has not
/// set them itself: `x-content-type-options: nosniff`, `x-frame-options`
/// (DENY), `referrer-policy` (strict-origin-when-cross-origin), over https
/// `strict-transport-security` (a year, names below too), and a
/// `content-security-policy` if one is given.
///
/// Over https is what [`Request::scheme`] says, so behind a proxy it wants
/// [`proxy_headers`](super::proxy_headers) around it.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::SecurityHeaders;
///
/// let careful = SecurityHeaders::new()
///     .content_security_policy("default-src 'self'")?
///     .frame_options("SAMEORIGIN")?
///     .referrer_policy("no-referrer")?
///     .strict_transport_security("max-age=3600")?;
/// let app = Router::new().get("/", async |_| "Hello!").layer(careful);
/// # let _ = app;
/// # Ok::<(), tourbillon::http::HeaderError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SecurityHeaders {
    always: Headers,
    over_https: Headers,
}

type Set = Result<SecurityHeaders, crate::http::HeaderError>;

impl SecurityHeaders {
    /// The fields without which no page should be.
    pub fn new() -> Self {
        let mut always = Headers::new();
        let mut over_https = Headers::new();
        let good = "these are names and values of fields";
        let fields = [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
        ];
        for (name, value) in fields {
            always.append(name, value).expect(good);
        }
        let hsts = over_https.append("strict-transport-security", HSTS);
        hsts.expect(good);
        SecurityHeaders { always, over_https }
    }

    /// Sets what pages may load, and from where.
    ///
    /// # Errors
    ///
    /// When it holds what a field may not.
    pub fn content_security_policy(mut self, policy: &str) -> Set {
        self.always.insert("content-security-policy", policy)?;
        Ok(self)
    }

    /// Sets who may frame pages; DENY unless set.
    ///
    /// # Errors
    ///
    /// When it holds what a field may not.
    pub fn frame_options(mut self, options: &str) -> Set {
        self.always.insert("x-frame-options", options)?;
        Ok(self)
    }

    /// Sets what other sites hear of where a visitor comes from.
    ///
    /// # Errors
    ///
    /// When it holds what a field may not.
    pub fn referrer_policy(mut self, policy: &str) -> Set {
        self.always.insert("referrer-policy", policy)?;
        Ok(self)
    }

    /// Sets for how long browsers use https only, once they came by it.
    ///
    /// # Errors
    ///
    /// When it holds what a field may not.
    pub fn strict_transport_security(mut self, policy: &str) -> Set {
        self.over_https
            .insert("strict-transport-security", policy)?;
        Ok(self)
    }
}

impl Default for SecurityHeaders {
    fn default() -> Self {
        SecurityHeaders::new()
    }
}

impl Middleware for SecurityHeaders {
    async fn handle(&self, request: Request, next: Next) -> Response {
        let is_https = request.scheme() == "https";
        let mut response = next.run(request).await;
        add(&self.always, response.headers_mut());
        if is_https {
            add(&self.over_https, response.headers_mut());
        }
        response
    }
}

fn add(fields: &Headers, headers: &mut Headers) {
    for (name, value) in fields.iter() {
        if !headers.contains(name) {
            let added = headers.append(name, value);
            added.expect("what was in one list of fields may be in another");
        }
    }
}
