//! Whose word about others counts: addresses and networks.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Proxies that are trusted: by address, by network, over Unix sockets, or
/// all.
///
/// # Examples
///
/// ```
/// use tourbillon::server::TrustedPeers;
///
/// let peers = TrustedPeers::new(["127.0.0.1", "10.0.0.0/8", "unix"])?;
/// assert!(peers.trusts("10.1.2.3".parse().unwrap()));
/// assert!(!peers.trusts("192.0.2.1".parse().unwrap()));
/// # Ok::<(), tourbillon::server::BadPeer>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedPeers {
    networks: Vec<Network>,
    all: bool,
    unix: bool,
}

/// An address and how many of its bits count.
#[derive(Clone, Copy, Debug)]
struct Network {
    address: u128,
    bits: u32,
}

impl TrustedPeers {
    /// Reads `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`, `unix` for all who come
    /// over a Unix socket, and `*` for everybody.
    ///
    /// # Errors
    ///
    /// Names the text that is none of these.
    pub fn new<T: AsRef<str>>(peers: impl IntoIterator<Item = T>) -> Result<TrustedPeers, BadPeer> {
        let mut trusted = TrustedPeers::default();
        for peer in peers {
            match peer.as_ref().trim() {
                "*" => trusted.all = true,
                "unix" => trusted.unix = true,
                text => {
                    let network = Network::parse(text);
                    let bad = || BadPeer(text.to_owned());
                    trusted.networks.push(network.ok_or_else(bad)?);
                }
            }
        }
        Ok(trusted)
    }

    /// Whether all are trusted, whoever they are.
    pub(crate) fn is_all(&self) -> bool {
        self.all
    }

    /// Whether this address is one of theirs. IPv4 addresses that come as IPv6
    /// (`::ffff:127.0.0.1`) are known.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.all || self.networks.iter().any(|known| known.holds(address))
    }

    /// The same for the other end of a connection; none is a Unix socket's.
    pub(crate) fn trusts_peer(&self, peer: Option<SocketAddr>) -> bool {
        match peer {
            Some(peer) => self.trusts(peer.ip()),
            None => self.all || self.unix,
        }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let own = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(own);
        (bits <= own).then(|| Network {
            address: number(address),
            bits: bits + 128 - own,
        })
    }

    fn holds(self, address: IpAddr) -> bool {
        let differs = self.address ^ number(address);
        differs.checked_shr(128 - self.bits).unwrap_or(0) == 0
    }
}

/// All addresses as those of IPv6: a socket for both kinds shows IPv4 peers
/// like this (RFC 4291, 2.5.5.2).
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A text that names no peer.
///
/// # Examples
///
/// ```
/// use tourbillon::server::{BadPeer, TrustedPeers};
///
/// let error: BadPeer = TrustedPeers::new(["10.0.0.0/33"]).unwrap_err();
/// assert!(error.to_string().contains("10.0.0.0/33"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPeer(String);

impl fmt::Display for BadPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadPeer(text) = self;
        write!(f, "{text:?} is no address, no network, nor unix or *")
    }
}

impl std::error::Error for BadPeer {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn networks_hold_what_they_should() {
        for (network, address, holds) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("0.0.0.0/0", "9.9.9.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "9.9.9.9", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe00::1", false),
            ("::1", "::1", true),
            ("::1/128", "::2", false),
            ("192.168.1.0/31", "192.168.1.1", true),
            ("192.168.1.0/31", "192.168.1.2", false),
        ] {
            let trusted = TrustedPeers::new([network]).unwrap();
            let address = address.parse().unwrap();
            assert_eq!(trusted.trusts(address), holds, "{address} in {network}");
        }
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "1.2.3",
            "/8",
        ] {
            assert_eq!(TrustedPeers::new([text]).unwrap_err(), BadPeer(text.into()));
        }
    }

    #[test]
    fn a_unix_peer_is_trusted_if_that_was_said() {
        let parse = |text| TrustedPeers::new([text]).unwrap();
        assert!(parse("unix").trusts_peer(None) && parse("*").trusts_peer(None));
        assert!(!parse("127.0.0.1").trusts_peer(None));
        let peer = Some("127.0.0.1:9".parse().unwrap());
        assert!(parse("127.0.0.0/8").trusts_peer(peer) && !parse("unix").trusts_peer(peer));
    }
}
