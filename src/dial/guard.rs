//! Whom the page answers: browsers of this machine that mean it.
//!
//! A page from elsewhere that a browser shows may send requests to the loopback, and by a name
//! that has been bound anew even read the answers. So the host must be one of ours, what another
//! site's page asks for is refused where the browser says so, and what changes something must
//! carry a header that only a page of the same origin can set.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

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
        // Which of them are names that a stranger can bind is seen to below.
        hosts.push("*".to_owned());
    } else if ip.is_ipv6() {
        hosts.push(format!("[{ip}]"));
    } else {
        hosts.push(ip.to_string());
    }
    routes
        .layer(meant())
        .layer(trusted_hosts(hosts))
        .layer(near(*address))
        .layer(policy())
}

/// Whether it comes from a page of the same origin, or from a program.
pub(super) fn is_meant(request: &Request) -> bool {
    request.headers().contains(HEADER)
}

fn meant() -> impl Middleware {
    async |request: Request, next: Next| {
        let field = |name: &str| request.headers().get(name);
        // To follow a link here is to mean it (Fetch Metadata, 2.1 and 2.3).
        let is_link = field("sec-fetch-mode") == Some("navigate");
        if field("sec-fetch-site") == Some("cross-site") && !is_link {
            let error = HttpError::new(Status::FORBIDDEN);
            return Err(error.detail("another site's page asks"));
        }
        if request.method_text() == "POST" && !is_meant(&request) {
            let error = HttpError::new(Status::FORBIDDEN);
            return Err(error.detail("a POST needs the header x-tourbillon: 1"));
        }
        Ok(next.run(request).await)
    }
}

/// Only those at this machine, if that is where it listens; a server that it is mounted in may
/// listen elsewhere.
fn near(address: SocketAddr) -> impl Middleware {
    async move |request: Request, next: Next| {
        let ip = address.ip();
        let peer = request.peer().map(|peer| peer.ip());
        if ip.is_loopback() && !peer.is_none_or(is_near) {
            let error = HttpError::new(Status::FORBIDDEN);
            return Err(error.detail("the dial is for those at its machine"));
        }
        let host = request.head().host().unwrap_or_default();
        if ip.is_unspecified() && !is_bound_here(host) {
            let error = HttpError::new(Status::BAD_REQUEST);
            return Err(error.detail("say the address and not a name"));
        }
        Ok(next.run(request).await)
    }
}

fn is_near(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// Whether a host is an address, or a name that no server of names elsewhere can bind to one.
fn is_bound_here(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_address = name.starts_with('[') || name.parse::<Ipv4Addr>().is_ok();
    is_address || !name.is_empty() && !name.contains('.') || name.ends_with(".local")
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{is_bound_here, is_near};

    #[test]
    fn those_at_this_machine_come_over_the_loopback() {
        for (peer, is_ours) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.168.0.7", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(is_near(peer.parse().unwrap()), is_ours, "{peer}");
        }
    }

    #[test]
    fn a_name_that_a_stranger_can_bind_is_none_of_ours() {
        for (host, is_ours) in [
            ("10.0.0.7:6660", true),
            ("[fe80::1]:6660", true),
            ("[::1]", true),
            ("devbox:6660", true),
            ("DevBox.", true),
            ("devbox.local:6660", true),
            ("evil.example", false),
            ("evil.example:6660", false),
            ("10.0.0.7.evil.example", false),
            ("evil.example.", false),
            ("", false),
            (":80", false),
        ] {
            assert_eq!(is_bound_here(host), is_ours, "{host}");
        }
    }
}
