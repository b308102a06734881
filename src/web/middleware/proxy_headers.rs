//! Believes the proxies in front.

use super::forwarded::{read, read_forwarded};
use super::next::{Middleware, Next};
use crate::server::{BadPeer, IntoResponse, Request, Response, Status, TrustedPeers};
use crate::web::error::HttpError;

/// Sets [`Request::client`] and [`Request::scheme`] to what trusted proxies
/// tell in `x-forwarded-for` and `x-forwarded-proto`, or, if
/// [told so](ProxyHeaders::forwarded), in `forwarded` (RFC 7239).
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
) -> Result<ProxyHeaders, BadPeer> {
    Ok(ProxyHeaders {
        trusted: TrustedPeers::new(trusted)?,
        reads_forwarded: false,
    })
}

/// The middleware that [`proxy_headers`] makes.
///
/// # Examples
///
/// ```
/// use tourbillon::web::middleware::{ProxyHeaders, proxy_headers};
///
/// let standard: ProxyHeaders = proxy_headers(["10.0.0.0/8"])?.forwarded(true);
/// # let _ = standard;
/// # Ok::<(), tourbillon::server::BadPeer>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProxyHeaders {
    trusted: TrustedPeers,
    reads_forwarded: bool,
}

impl ProxyHeaders {
    /// Whether `forwarded` is read, in place of the others. Default: no.
    ///
    /// It must be the one that the proxies write: what they do not write they
    /// pass on as a client made it up, and most do not write this one. A
    /// trusted peer's field that breaks the grammar is answered with 400.
    #[must_use]
    pub fn forwarded(mut self, is_read: bool) -> Self {
        self.reads_forwarded = is_read;
        self
    }
}

impl Middleware for ProxyHeaders {
    async fn handle(&self, mut request: Request, next: Next) -> Response {
        if !self.trusted.trusts_peer(request.peer()) {
            return next.run(request).await;
        }
        let told = match self.reads_forwarded {
            false => Some(read(request.headers(), &self.trusted)),
            true => read_forwarded(request.headers(), &self.trusted),
        };
        let Some(told) = told else {
            let error = HttpError::new(Status::BAD_REQUEST);
            return error.detail("invalid forwarded header").into_response();
        };
        if let Some(client) = told.client {
            request.set_client(client);
        }
        if let Some(scheme) = told.scheme {
            request.set_scheme(scheme);
        }
        next.run(request).await
    }
}
