//! Believes the proxies in front.

use super::forwarded::read;
use super::next::{Middleware, Next};
use crate::server::Request;
use crate::server::{BadPeer, TrustedPeers};

/// Sets [`Request::client`] and [`Request::scheme`] to what trusted proxies
/// tell in `forwarded` (RFC 7239), or in `x-forwarded-for` and
/// `x-forwarded-proto`.
///
/// Trusted are addresses (`127.0.0.1`), networks (`10.0.0.0/8`), peers over
/// Unix sockets (`unix`) or all (`*`). From any other peer the fields are
/// what somebody made up, and stay without effect. Lists are read from the
/// right up to the first who is not trusted; with `*` the leftmost counts,
/// which only a proxy that clears the fields makes true.
///
/// # Errors
///
/// When a text is none of these.
///
/// # Examples
///
/// ```
/// use tourbillon::server::Request;
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::proxy_headers;
///
/// let app = Router::new()
///     .get("/", async |request: Request| format!("{:?}", request.client()))
///     .layer(proxy_headers(["127.0.0.1", "10.0.0.0/8", "unix"])?);
/// # let _ = app;
/// # Ok::<(), tourbillon::server::BadPeer>(())
/// ```
pub fn proxy_headers<T: AsRef<str>>(
    trusted: impl IntoIterator<Item = T>,
) -> Result<impl Middleware, BadPeer> {
    let trusted = TrustedPeers::new(trusted)?;
    Ok(async move |mut request: Request, next: Next| {
        if trusted.trusts_peer(request.peer()) {
            let told = read(request.headers(), &trusted);
            if let Some(client) = told.client {
                request.set_client(client);
            }
            if let Some(scheme) = told.scheme {
                request.set_scheme(scheme);
            }
        }
        next.run(request).await
    })
}
