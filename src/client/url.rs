//! `http://host:port/path?query`, taken apart.

use std::net::Ipv6Addr;

use super::error::ClientError;

/// Where to connect, and what to ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'u> {
    /// Host and port as the Host field has them.
    pub(super) authority: &'u str,
    /// The host without the brackets of an IPv6 address.
    pub(super) host: &'u str,
    pub(super) port: u16,
    /// Empty for the root.
    pub(super) target: &'u str,
}

impl<'u> Url<'u> {
    pub(super) fn parse(url: &'u str) -> Result<Self, ClientError> {
        Self::split(url).ok_or_else(|| ClientError::Url(url.to_owned()))
    }

    fn split(url: &'u str) -> Option<Self> {
        let scheme = url
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case("http://"))?;
        let rest = &url[scheme.len()..];
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        // What follows is for the client only (RFC 9110, 7.1).
        let target = target.split('#').next().unwrap_or_default();
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, port) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, port)
        } else {
            authority.split_at(authority.find(':').unwrap_or(authority.len()))
        };
        let port = match port {
            "" | ":" => 80,
            port => {
                let digits = port.strip_prefix(':')?;
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
                digits.parse().ok().filter(|_| is_number)?
            }
        };
        let is_host_byte = |byte: u8| byte.is_ascii_graphic() && !b"@\\".contains(&byte);
        (!host.is_empty() && host.bytes().all(is_host_byte)).then_some(Url {
            authority,
            host,
            port,
            target,
        })
    }

    /// The target of a request for it.
    pub(super) fn request_target(&self) -> String {
        match self.target {
            "" => "/".to_owned(),
            target if target.starts_with('?') => format!("/{target}"),
            target => target.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, expected) in [
            ("http://a", ("a", "a", 80, "/")),
            ("HTTP://a.b:8080/c?d#e", ("a.b:8080", "a.b", 8080, "/c?d")),
            ("http://[::1]:90?x", ("[::1]:90", "::1", 90, "/?x")),
            ("http://[::1]/", ("[::1]", "::1", 80, "/")),
            ("http://127.0.0.1:/", ("127.0.0.1:", "127.0.0.1", 80, "/")),
        ] {
            let url = Url::parse(url).expect(url);
            let target = url.request_target();
            let found = (url.authority, url.host, url.port, target.as_str());
            assert_eq!(found, expected);
        }
        for url in [
            "",
            "a",
            "https://a/",
            "http:/a",
            "http://",
            "http:///x",
            "http://:80/",
            "http://u@a/",
            "http://a:b/",
            "http://a:70000/",
            "http://a:+80/",
            "http://[a]/",
            "http://[127.0.0.1]/",
            "http://[::1",
            "http://[::1]x/",
            "http://a b/",
            "http://é/",
            "http://a\\b/",
            "httpé://a",
        ] {
            assert!(Url::parse(url).is_err(), "{url:?}");
        }
    }
}
