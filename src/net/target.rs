//! Where to connect to: an address, several, or a name that has to be looked
//! up first.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::lookup::lookup_host;
use super::race::interleave;

/// Where [`TcpStream::connect`](super::TcpStream::connect) goes.
///
/// Made of an address, of `"host:port"`, of `("host", port)`, or of several
/// addresses. Making one looks nothing up and cannot fail; a text that names
/// no host and port is an error of the connect.
///
/// A host is a name or a number. In `"host:port"` an IPv6 number stands in
/// brackets (RFC 3986, section 3.2.2): `"[::1]:80"`. Numbers are not looked
/// up and need no thread.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use tourbillon::net::Target;
///
/// let by_name = Target::from("example.org:80");
/// let also = Target::from(("example.org", 80));
/// let by_number = Target::from((Ipv4Addr::LOCALHOST, 80));
/// assert_eq!(by_name.to_string(), also.to_string());
/// assert_eq!(by_number.to_string(), "127.0.0.1:80");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Addresses(Vec<SocketAddr>),
    Host(String, u16),
    /// Taken apart when it is needed.
    Text(String),
}

impl Target {
    /// The addresses to try, in the order to try them: several that were
    /// given stay as given, what a name stands for is interleaved.
    pub(super) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = match &self.0 {
            Place::Addresses(addresses) if addresses.is_empty() => {
                return Err(invalid("the list of addresses to connect to is empty"));
            }
            Place::Addresses(addresses) => return Ok(addresses.clone()),
            Place::Host(host, port) => (host.as_str(), *port),
            Place::Text(text) => host_and_port(text)?,
        };
        lookup_host(host, port).await.map(interleave)
    }
}

/// Takes `host:port` apart.
fn host_and_port(text: &str) -> io::Result<(&str, u16)> {
    let parts = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None => text.rsplit_once(':'),
    };
    let Some((host, port)) = parts else {
        return Err(invalid(format!("{text:?} has no port: write host:port")));
    };
    if !text.starts_with('[') && host.contains(':') {
        return Err(invalid(format!(
            "{text:?} is not host:port: an IPv6 number stands in brackets, as in [::1]:80"
        )));
    }
    // Only digits: the parser would take a sign too.
    match port.parse() {
        Ok(number) if !port.starts_with('+') => Ok((host, number)),
        _ => Err(invalid(format!(
            "{text:?} has no port: {port:?} is no number from 0 to 65535"
        ))),
    }
}

fn invalid(text: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.into())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Addresses(addresses) => {
                for (at, address) in addresses.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{address}")?;
                }
                Ok(())
            }
            Place::Host(host, port) if host.contains(':') && !host.starts_with('[') => {
                write!(f, "[{host}]:{port}")
            }
            Place::Host(host, port) => write!(f, "{host}:{port}"),
            Place::Text(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Target(Place::Addresses(vec![address]))
    }
}

impl From<SocketAddrV4> for Target {
    fn from(address: SocketAddrV4) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<SocketAddrV6> for Target {
    fn from(address: SocketAddrV6) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(IpAddr, u16)> for Target {
    fn from(address: (IpAddr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(Ipv4Addr, u16)> for Target {
    fn from(address: (Ipv4Addr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(Ipv6Addr, u16)> for Target {
    fn from(address: (Ipv6Addr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Self {
        Target(Place::Host(host.to_owned(), port))
    }
}

impl From<(String, u16)> for Target {
    fn from((host, port): (String, u16)) -> Self {
        Target(Place::Host(host, port))
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        Target(Place::Text(text.to_owned()))
    }
}

impl From<&String> for Target {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Target {
    fn from(text: String) -> Self {
        Target(Place::Text(text))
    }
}

/// They are tried in this order.
impl From<&[SocketAddr]> for Target {
    fn from(addresses: &[SocketAddr]) -> Self {
        addresses.to_vec().into()
    }
}

/// They are tried in this order.
impl From<Vec<SocketAddr>> for Target {
    fn from(addresses: Vec<SocketAddr>) -> Self {
        Target(Place::Addresses(addresses))
    }
}
