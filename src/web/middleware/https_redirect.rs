//! Only by https.

use super::next::{Middleware, Next};
use crate::server::{Request, Response, Status};
use crate::web::error::HttpError;
use crate::web::host::without_port;

/// Sends clients that came by http to the same address by https, with 307.
/// Behind a proxy it wants [`proxy_headers`](super::proxy_headers) around
/// it, and [`trusted_hosts`](super::trusted_hosts) in any case: the host of
/// the new address is what the client says.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::https_redirect;
///
/// let app = Router::new().get("/", async |_| "Hello!").layer(https_redirect());
/// # let _ = app;
/// ```
pub fn https_redirect() -> impl Middleware {
    async |request: Request, next: Next| {
        if request.scheme() == "https" {
            return Ok(next.run(request).await);
        }
        let Some(host) = request.head().host().filter(|host| !host.is_empty()) else {
            return Err(HttpError::new(Status::BAD_REQUEST));
        };
        let host = without_port(host);
        // What asks about the server itself has no path (RFC 9110, 4.2.2).
        let path = Some(request.path()).filter(|path| *path != "*");
        let mut address = format!("https://{host}{}", path.unwrap_or_default());
        if let Some(query) = request.query() {
            address.push('?');
            address.push_str(query);
        }
        let response = Response::new(Status::TEMPORARY_REDIRECT);
        let bad = |_| HttpError::new(Status::BAD_REQUEST);
        response.with_header("location", address).map_err(bad)
    }
}
