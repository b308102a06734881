//! What addresses a name stands for.
//!
//! getaddrinfo(3) is the only resolver that answers as the rest of the machine
//! does, and it blocks. So it runs in the pool's slow lane, which may hold at
//! most half of the threads: a name server that hangs stops no file.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs};

use super::pool_job::PoolJob;
use crate::blocking::Lane;

/// Looks up the addresses of `host`, each with `port`, in the system's order
/// of preference (RFC 6724), none of them twice.
///
/// A number, such as `127.0.0.1`, `::1` or `[::1]`, is its own answer, given
/// at once. A name goes to the system's resolver, on a thread of the blocking
/// pool; [`Builder::blocking_slow_max`](crate::Builder::blocking_slow_max)
/// says how many may do so at a time. Nothing is remembered: the system may
/// have a cache, this has none.
///
/// # Errors
///
/// `NotFound` if the resolver has no answer, be it that there is no such
/// name or that no name server could be asked; `InvalidInput` if `host` is
/// no name at all; an error if the pool refuses the job. All of them name
/// the host.
///
/// # Cancellation
///
/// Dropping the future takes a lookup that waits for a thread out of the
/// queue. One that runs goes on to its end, which getaddrinfo(3) decides
/// (with glibc's defaults up to 10 s for each name server); its answer is
/// dropped.
///
/// # Panics
///
/// When a name is looked up and no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::lookup_host;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     for address in lookup_host("localhost", 80).await? {
///         assert!(address.ip().is_loopback());
///     }
///     Ok(())
/// })
/// # }
/// ```
pub async fn lookup_host(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let bare = without_brackets(host);
    if let Some(address) = numeric(bare, port) {
        return Ok(vec![address]);
    }
    if bare.is_empty() {
        let text = "the host to look up is empty";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let name = bare.to_owned();
    let ask = move || -> io::Result<Vec<SocketAddr>> {
        (name, port).to_socket_addrs().map(Iterator::collect)
    };
    let answer = PoolJob::submit(Lane::Slow, ask).await.map_err(|error| {
        io::Error::other(format!("the lookup of {host:?} did not run: {error}"))
    })?;
    let addresses = answer.map_err(|error| unresolved(host, &error))?;
    if addresses.is_empty() {
        let text = format!("the name {host:?} has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    Ok(distinct(addresses))
}

/// Each address where it stands first.
pub(super) fn distinct(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !seen.contains(&address) {
            seen.push(address);
        }
    }
    seen
}

fn without_brackets(host: &str) -> &str {
    let inside = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.filter(|inside| inside.contains(':')).unwrap_or(host)
}

/// The address of a host that is a number.
fn numeric(host: &str, port: u16) -> Option<SocketAddr> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some((ip, port).into());
    }
    // With a numeric zone: fe80::1%2.
    let address = format!("[{host}]:{port}").parse::<SocketAddrV6>();
    address.ok().map(SocketAddr::V6)
}

fn unresolved(host: &str, error: &io::Error) -> io::Error {
    let kind = match error.kind() {
        io::ErrorKind::InvalidInput => io::ErrorKind::InvalidInput,
        kind if error.raw_os_error().is_some() => kind,
        // The resolver's own errors have no kind.
        _ => io::ErrorKind::NotFound,
    };
    io::Error::new(kind, format!("cannot look up the host {host:?}: {error}"))
}
