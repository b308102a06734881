//! Whom the page answers: browsers of this machine that mean it.
//!
//! A page from elsewhere that a browser shows may send requests to the loopback, and by a name
//! that has been bound anew even read the answers. So the host must be one of ours, and what
//! changes something must carry a header that only a page of the same origin can set.

use std::net::SocketAddr;

use crate::server::{Request, Response, Status};
use crate::web::middleware::{Middleware, Next, trusted_hosts};
use crate::web::{HttpError, Router};

/// What a request that changes something must carry.
const HEADER: &str = "x-tourbillon";

/// Nothing is loaded but the page itself, which may talk to where it came from.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
                      style-src 'unsafe-inline'; connect-src 'self'; img-src data: blob:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The routes, for those who may have them.
pub(super) fn guarded(routes: Router, address: &SocketAddr) -> Router {
    let mut hosts = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
    ];
    let ip = address.ip();
    if ip.is_unspecified() {
        hosts.push("*".to_owned());
    } else if ip.is_ipv6() {
        hosts.push(format!("[{ip}]"));
    } else {
        hosts.push(ip.to_string());
    }
    routes
        .layer(meant())
        .layer(trusted_hosts(hosts))
        .layer(policy())
}

fn meant() -> impl Middleware {
    async |request: Request, next: Next| {
        let is_meant = request.headers().contains(HEADER);
        if request.method_text() == "POST" && !is_meant {
            let error = HttpError::new(Status::FORBIDDEN);
            return Err(error.detail("a POST needs the header x-tourbillon: 1"));
        }
        Ok(next.run(request).await)
    }
}

fn policy() -> impl Middleware {
    async |request: Request, next: Next| {
        let mut response: Response = next.run(request).await;
        let fields = [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ];
        for (name, value) in fields {
            let inserted = response.headers_mut().insert(name, value);
            debug_assert!(inserted.is_ok(), "these are well-formed");
        }
        response
    }
}
