//! Only hosts that are ours.

use super::next::{Middleware, Next};
use crate::server::{Request, Status};
use crate::web::error::HttpError;
use crate::web::host::without_port;

/// Answers 400 to requests for other hosts than these: whoever makes links
/// of the `host` field would make them to a stranger's. A leading `*.` stands
/// for any names below, and `*` alone for all; port and case do not count.
///
/// # Panics
///
/// When a `*` stands anywhere else.
///
/// # Examples
///
/// ```
/// use tourbillon::web::Router;
/// use tourbillon::web::middleware::trusted_hosts;
///
/// let app = Router::new()
///     .get("/", async |_| "Hello!")
///     .layer(trusted_hosts(["example.org", "*.example.org"]));
/// # let _ = app;
/// ```
#[track_caller]
pub fn trusted_hosts<T: AsRef<str>>(hosts: impl IntoIterator<Item = T>) -> impl Middleware {
    let all = hosts.into_iter();
    let hosts: Vec<String> = all.map(|host| plain(host.as_ref())).collect();
    for host in &hosts {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let is_good = host == "*" || !name.contains('*') && !name.is_empty();
        assert!(is_good, "{host:?}: a * stands for all, or before a dot");
    }
    async move |request: Request, next: Next| {
        let host = request.head().host().unwrap_or_default();
        if !hosts.iter().any(|known| is_host(known, host)) {
            let error = HttpError::new(Status::BAD_REQUEST);
            return Err(error.detail("invalid host header"));
        }
        Ok(next.run(request).await)
    }
}

/// As hosts are compared: in small letters, without port and the root's dot.
fn plain(host: &str) -> String {
    let host = without_port(host);
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_host(known: &str, host: &str) -> bool {
    let host = plain(host);
    match known.strip_prefix('*') {
        Some("") => true,
        Some(below) => host.strip_suffix(below).is_some_and(|sub| !sub.is_empty()),
        None => host == known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        for (known, host, is_known) in [
            ("example.org", "example.org", true),
            ("example.org", "Example.ORG:8000", true),
            ("example.org", "example.org.", true),
            ("example.org", "a.example.org", false),
            ("example.org", "example.org.evil.com", false),
            ("example.org", "evil.com/example.org", false),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*.example.org", "evilexample.org", false),
            ("*", "anything", true),
            ("[::1]", "[::1]:80", true),
            ("localhost", "", false),
        ] {
            assert_eq!(is_host(known, host), is_known, "{known} for {host}");
        }
    }

    #[test]
    fn a_host_is_ours_however_it_was_written() {
        for known in ["Example.ORG", "example.org:8000", "example.org."] {
            assert!(is_host(&plain(known), "example.org:80"), "{known}");
        }
        assert!(is_host(&plain("*.example.org:8000"), "a.example.org"));
        assert!(is_host(&plain("[::1]:8000"), "[::1]"));
        assert!(is_host(&plain("*"), "anything"));
    }

    #[test]
    #[should_panic(expected = "a * stands for all, or before a dot")]
    fn a_star_in_the_middle_is_refused() {
        let _ = trusted_hosts(["a.*.org"]);
    }
}
