//! What a load balancer says of a connection before its first request: the
//! PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt).
//!
//! A pure function of bytes. Only what trusted peers say is to be read like
//! this: the line is anybody's to write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::http::Status;

/// The longest line of version 1, with its end.
const LINE_BYTES_MAX: usize = 107;

/// The longest head of version 2 that is taken, with all that is added to
/// it. The protocol asks for 536 at least; TLS facts can make it longer.
const HEAD_BYTES_MAX: usize = 4096;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHead {
    /// Who the connection is from; `None` is the proxy itself, which looks
    /// whether we live, or somebody of whom it knows nothing.
    pub source: Option<SocketAddr>,
    /// Whom it was for.
    pub destination: Option<SocketAddr>,
    /// How many bytes that was; the first request begins behind them.
    pub length: usize,
}

/// Reads the head of a connection. `None` is one that has not come whole.
///
/// # Errors
///
/// 400 for bytes that are no such head, or one that is too long: the
/// connection must be closed then.
///
/// # Examples
///
/// ```
/// use tourbillon::server::parse_proxy_head;
///
/// let bytes = b"PROXY TCP4 192.0.2.1 192.0.2.9 5000 80\r\nGET / HTTP/1.1\r\n";
/// let head = parse_proxy_head(bytes)?.unwrap();
/// assert_eq!(head.source, Some("192.0.2.1:5000".parse().unwrap()));
/// assert_eq!(head.destination, Some("192.0.2.9:80".parse().unwrap()));
/// assert!(bytes[head.length..].starts_with(b"GET"));
/// assert_eq!(parse_proxy_head(b"PRO"), Ok(None));
/// # Ok::<(), tourbillon::server::Status>(())
/// ```
pub fn parse_proxy_head(bytes: &[u8]) -> Result<Option<ProxyHead>, Status> {
    if begins(bytes, SIGNATURE) {
        return binary(bytes);
    }
    if begins(bytes, b"PROXY ") {
        return line(bytes);
    }
    Err(Status::BAD_REQUEST)
}

/// Whether the bytes are this beginning, or the beginning of it.
fn begins(bytes: &[u8], beginning: &[u8]) -> bool {
    let count = bytes.len().min(beginning.len());
    bytes[..count] == beginning[..count]
}

fn line(bytes: &[u8]) -> Result<Option<ProxyHead>, Status> {
    let reach = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = reach.windows(2).position(|pair| pair == b"\r\n") else {
        let is_too_long = reach.len() == LINE_BYTES_MAX;
        return if is_too_long {
            Err(Status::BAD_REQUEST)
        } else {
            Ok(None)
        };
    };
    let text = str::from_utf8(&bytes[..end]).map_err(|_| Status::BAD_REQUEST)?;
    let mut words = text.split(' ').skip(1);
    let mut word = || words.next().unwrap_or_default();
    let family = word();
    let mut head = ProxyHead {
        source: None,
        destination: None,
        length: end + 2,
    };
    if family == "UNKNOWN" {
        return Ok(Some(head));
    }
    let (from, to, from_port, to_port) = (word(), word(), word(), word());
    if words.next().is_some() {
        return Err(Status::BAD_REQUEST);
    }
    head.source = Some(address(family, from, from_port)?);
    head.destination = Some(address(family, to, to_port)?);
    Ok(Some(head))
}

fn address(family: &str, host: &str, port: &str) -> Result<SocketAddr, Status> {
    let host: IpAddr = match family {
        "TCP4" => host.parse::<Ipv4Addr>().map(IpAddr::from).ok(),
        "TCP6" => host.parse::<Ipv6Addr>().map(IpAddr::from).ok(),
        _ => None,
    }
    .ok_or(Status::BAD_REQUEST)?;
    let is_plain = port == "0" || !port.starts_with(['0', '+']);
    let port = port.parse().ok().filter(|_| is_plain);
    port.map(|port| SocketAddr::new(host, port))
        .ok_or(Status::BAD_REQUEST)
}

fn binary(bytes: &[u8]) -> Result<Option<ProxyHead>, Status> {
    let Some(&[command, family, high, low]) = bytes.get(12..16).and_then(<[u8]>::first_chunk)
    else {
        return Ok(None);
    };
    let length = 16 + usize::from(u16::from_be_bytes([high, low]));
    if length > HEAD_BYTES_MAX || command >> 4 != 2 {
        return Err(Status::BAD_REQUEST);
    }
    let Some(block) = bytes.get(16..length) else {
        return Ok(None);
    };
    let mut head = ProxyHead {
        source: None,
        destination: None,
        length,
    };
    match command & 15 {
        // LOCAL: the proxy speaks for itself.
        0 => return Ok(Some(head)),
        1 => {}
        _ => return Err(Status::BAD_REQUEST),
    }
    let pair = match family {
        0x11 => ends::<4>(block),
        0x21 => ends::<16>(block),
        // Unix sockets, datagrams, and what nobody knows: nothing to learn.
        _ => return Ok(Some(head)),
    };
    let (source, destination) = pair.ok_or(Status::BAD_REQUEST)?;
    (head.source, head.destination) = (Some(source), Some(destination));
    Ok(Some(head))
}

/// Two addresses and two ports, with whatever behind them.
fn ends<const N: usize>(block: &[u8]) -> Option<(SocketAddr, SocketAddr)>
where
    IpAddr: From<[u8; N]>,
{
    let (from, rest) = block.split_first_chunk::<N>()?;
    let (to, rest) = rest.split_first_chunk::<N>()?;
    let (from_port, rest) = rest.split_first_chunk::<2>()?;
    let (to_port, _) = rest.split_first_chunk::<2>()?;
    let end = |host: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new(IpAddr::from(*host), u16::from_be_bytes(*port))
    };
    Some((end(from, from_port), end(to, to_port)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = (block.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, block].concat()
    }

    /// What is read from all of it; each beginning of it must want more.
    fn read(bytes: &[u8]) -> Result<(String, String), Status> {
        let head = parse_proxy_head(bytes)?.expect("it is whole");
        for end in 0..head.length {
            assert_eq!(parse_proxy_head(&bytes[..end]), Ok(None), "cut at {end}");
        }
        let more = [bytes, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(parse_proxy_head(&more), Ok(Some(head)));
        let text = |end: Option<SocketAddr>| end.map_or("-".to_owned(), |end| end.to_string());
        Ok((text(head.source), text(head.destination)))
    }

    #[test]
    fn lines_of_version_1_are_read() {
        for (text, from, to) in [
            (
                "PROXY TCP4 1.2.3.4 5.6.7.8 9 65535\r\n",
                "1.2.3.4:9",
                "5.6.7.8:65535",
            ),
            (
                "PROXY TCP6 ::1 2001:db8::2 0 80\r\n",
                "[::1]:0",
                "[2001:db8::2]:80",
            ),
            ("PROXY UNKNOWN\r\n", "-", "-"),
            ("PROXY UNKNOWN ffff::1 whatever 1 2\r\n", "-", "-"),
        ] {
            assert_eq!(
                read(text.as_bytes()),
                Ok((from.into(), to.into())),
                "{text}"
            );
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(91));
        assert_eq!(long.len(), LINE_BYTES_MAX);
        assert!(read(long.as_bytes()).is_ok());
    }

    #[test]
    fn heads_of_version_2_are_read() {
        let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 1, 0];
        let four = ("1.2.3.4:9".to_owned(), "5.6.7.8:256".to_owned());
        assert_eq!(read(&v2(0x21, 0x11, &v4)).unwrap(), four);
        let with_more = [&v4[..], &[4, 0, 1, 7]].concat();
        assert_eq!(read(&v2(0x21, 0x11, &with_more)).unwrap(), four);
        let mut v6 = [0; 36];
        (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 3, 4);
        let six = ("[::1]:3".to_owned(), "[::2]:4".to_owned());
        assert_eq!(read(&v2(0x21, 0x21, &v6)).unwrap(), six);
        let nobody = ("-".to_owned(), "-".to_owned());
        assert_eq!(read(&v2(0x20, 0, &[])).unwrap(), nobody);
        assert_eq!(read(&v2(0x20, 0x11, &v4)).unwrap(), nobody);
        assert_eq!(read(&v2(0x21, 0x31, &[0; 216])).unwrap(), nobody);
    }

    #[test]
    fn what_is_no_head_is_refused_as_early_as_can_be() {
        let long = format!("PROXY TCP4 {}", "1".repeat(200));
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXX",
            b"PROXY\r\n",
            b"proxy ",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10 11\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 9 +1\r\n",
            b"PROXY TCP4 1.2.3.4 5.6.7.8 09 1\r\n",
            b"PROXY TCP4  1.2.3.4 5.6.7.8 9 1\r\n",
            b"PROXY TCP4 ::1 ::2 9 1\r\n",
            b"PROXY TCP6 1.2.3.4 5.6.7.8 9 1\r\n",
            b"PROXY UDP4 1.2.3.4 5.6.7.8 9 1\r\n",
            b"PROXY TCP4 \xff 5.6.7.8 9 1\r\n",
            long.as_bytes(),
            &v2(0x11, 0x11, &[0; 12]),
            &v2(0x22, 0x11, &[0; 12]),
            &v2(0x21, 0x11, &[0; 11]),
            &v2(0x21, 0x21, &[0; 35]),
            &v2(0x21, 0x11, &[0; 4081]),
            b"\r\n\r\nGET",
        ] {
            let read = parse_proxy_head(bytes);
            assert_eq!(
                read,
                Err(Status::BAD_REQUEST),
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }
}
