//! Who a request is from, as proxies tell it: pure functions of fields.
//!
//! Each proxy adds at the right whom it has the request from. So a list is
//! read from the right for as long as it is a trusted proxy's word, and the
//! first who is not trusted is the client: what stands left of it anybody
//! may have written.

use std::net::{IpAddr, SocketAddr};

use crate::http::Headers;
use crate::server::TrustedPeers;

/// What proxies told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Who asks; `None` is nobody that was told. Port 0 is none that was.
    pub(super) client: Option<SocketAddr>,
    pub(super) scheme: Option<&'static str>,
}

/// Reads `x-forwarded-for` and `x-forwarded-proto`.
pub(super) fn read(headers: &Headers, trusted: &TrustedPeers) -> Told {
    let list = joined(headers, "x-forwarded-for");
    let nodes: Vec<&str> = list.split(',').collect();
    let at = client_at(&nodes, trusted);
    // The proxy next to us speaks last, and knows best who came to it; a
    // list as long as the other one is read at the same place.
    let protos = joined(headers, "x-forwarded-proto");
    let protos: Vec<&str> = protos.split(',').collect();
    let proto = match at {
        Some(at) if protos.len() == nodes.len() => protos.get(at),
        _ => protos.last(),
    };
    Told {
        client: at.and_then(|at| node(nodes[at])),
        scheme: proto.and_then(|proto| scheme(proto)),
    }
}

/// Reads `forwarded` (RFC 7239). `None` if it breaks the grammar: where a
/// client left a quote open, what a proxy added behind it is not to be told
/// from what the client has written.
pub(super) fn read_forwarded(headers: &Headers, trusted: &TrustedPeers) -> Option<Told> {
    let list = joined(headers, "forwarded");
    let elements: Option<Vec<Vec<(String, String)>>> = split_quoted(&list, ',')
        .map(|element| {
            let pairs = split_quoted(element, ';').filter(|pair| !pair.trim().is_empty());
            pairs.map(pair).collect()
        })
        .collect();
    let elements = elements?;
    let value = |at: usize, name: &str| -> Option<&str> {
        let mut pairs = elements.get(at)?.iter();
        let found = pairs.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let nodes: Vec<&str> = (0..elements.len())
        .map(|at| value(at, "for").unwrap_or_default())
        .collect();
    let at = client_at(&nodes, trusted);
    Some(Told {
        client: at.and_then(|at| node(nodes[at])),
        scheme: at.and_then(|at| value(at, "proto")).and_then(scheme),
    })
}

/// Where in the list the client stands. A list of trusted ones only has it
/// leftmost; where somebody cannot be read, nobody further left is believed.
fn client_at(nodes: &[&str], trusted: &TrustedPeers) -> Option<usize> {
    if trusted.is_all() {
        return Some(0);
    }
    let mut at = nodes.len().checked_sub(1)?;
    while at > 0 && node(nodes[at]).is_some_and(|node| trusted.trusts(node.ip())) {
        at -= 1;
    }
    Some(at)
}

/// Reads `192.0.2.1`, `192.0.2.1:80`, `[::1]:80` and `::1`. `unknown` and
/// obfuscated names (`_hidden`; RFC 7239, 6.3) are nobody.
fn node(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    // A bare `[::1]`, and ports that are obfuscated too.
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => text.split_once(':')?,
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    let is_hidden = port.is_empty() || port.starts_with('_');
    let address = host.parse().ok().filter(|_| is_hidden)?;
    Some(SocketAddr::new(address, 0))
}

fn scheme(text: &str) -> Option<&'static str> {
    let known = ["http", "https"];
    let websocket = [("ws", "http"), ("wss", "https")];
    let text = text.trim();
    let found = known.iter().find(|name| name.eq_ignore_ascii_case(text));
    let mapped = websocket
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.copied().or(mapped.map(|&(_, name)| name))
}

/// All fields of a name as one list (RFC 9110, 5.3).
fn joined(headers: &Headers, name: &str) -> String {
    let fields = headers.get_all(name).map(String::from_utf8_lossy);
    fields.collect::<Vec<_>>().join(",")
}

/// Splits at a sign, but not inside of quotes.
fn split_quoted(text: &str, sign: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character: char| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => return character == sign && !is_quoted,
        }
        false
    })
}

/// One `name=value`, unquoted, the name in lower case. A quote opens a value
/// and closes it, and stands nowhere else.
fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let value = value.trim();
    let name = name.trim().to_ascii_lowercase();
    let Some(quoted) = value.strip_prefix('"') else {
        let is_plain = !name.contains('"') && !value.contains('"');
        return is_plain.then(|| (name, value.to_owned()));
    };
    let mut unquoted = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '\\' => unquoted.push(characters.next()?),
            '"' => break,
            character => unquoted.push(character),
        }
    }
    let is_whole = characters.next().is_none() && !name.contains('"');
    is_whole.then_some((name, unquoted))
}

#[cfg(test)]
#[path = "tests/forwarded.rs"]
mod tests;
