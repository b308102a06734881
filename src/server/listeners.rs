//! The listening sockets of a server.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::process;
use std::slice;
use std::task::{Context, Poll};

use super::config::Config;
use super::listen::{Listen, LocalAddr};
use crate::net::{
    ListenOptions, TcpListener, TcpStream, UnixListenOptions, UnixListener, UnixStream,
};
use crate::sys::{InheritedListener, inherit_listener};

/// The first descriptor that systemd hands over (SD_LISTEN_FDS_START).
const SYSTEMD_FD: i32 = 3;

/// All that a server listens on; never empty.
#[derive(Debug)]
pub(super) struct Listeners {
    all: Vec<(Socket, LocalAddr)>,
    /// Who is asked first next time: none may keep the others waiting.
    first: usize,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection that was accepted.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Listeners {
    /// Listens wherever the configuration says, or nowhere.
    pub(super) fn bind(config: &Config) -> io::Result<Self> {
        let address = [Listen::Tcp(config.address)];
        let wanted: &[Listen] = match config.listen.is_empty() {
            true => &address,
            false => &config.listen,
        };
        let mut all = Vec::new();
        for listen in wanted {
            match listen {
                Listen::Tcp(address) => all.push(tcp(*address, config)?),
                Listen::Unix { path, mode } => {
                    let options = UnixListenOptions {
                        mode: *mode,
                        backlog: config.backlog,
                    };
                    let listener = UnixListener::bind_with(path, &options)?;
                    all.push((Socket::Unix(listener), LocalAddr::Unix(path.clone())));
                }
                Listen::Fd(fd) => all.push(inherited(*fd)?),
                Listen::Systemd => {
                    let count = systemd_count(
                        env::var("LISTEN_PID").ok().as_deref(),
                        env::var("LISTEN_FDS").ok().as_deref(),
                        process::id(),
                    )?;
                    for fd in SYSTEMD_FD..SYSTEMD_FD + count {
                        all.push(inherited(fd)?);
                    }
                }
            }
        }
        Ok(Listeners { all, first: 0 })
    }

    /// Polls each for a connection, in turn.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let count = self.all.len();
        for step in 0..count {
            let at = (self.first + step) % count;
            let accepted = match &mut self.all[at].0 {
                Socket::Tcp(listener) => listener
                    .poll_accept(cx)
                    .map_ok(|(stream, peer)| Accepted::Tcp(stream, peer)),
                Socket::Unix(listener) => listener
                    .poll_accept(cx)
                    .map_ok(|(stream, _)| Accepted::Unix(stream)),
            };
            if accepted.is_ready() {
                self.first = (at + 1) % count;
                return accepted;
            }
        }
        Poll::Pending
    }

    pub(super) fn addresses(&self) -> Addresses<'_> {
        Addresses(self.all.iter())
    }
}

/// Where they listen, in the order of the configuration.
pub(super) struct Addresses<'a>(slice::Iter<'a, (Socket, LocalAddr)>);

impl<'a> Iterator for Addresses<'a> {
    type Item = &'a LocalAddr;

    fn next(&mut self) -> Option<&'a LocalAddr> {
        self.0.next().map(|(_, address)| address)
    }
}

fn tcp(address: SocketAddr, config: &Config) -> io::Result<(Socket, LocalAddr)> {
    let options = ListenOptions {
        backlog: config.backlog,
        reuse_port: config.reuse_port,
        ..ListenOptions::default()
    };
    let listener = TcpListener::bind_with(address, &options)?;
    let address = listener.local_addr()?;
    Ok((Socket::Tcp(listener), LocalAddr::Tcp(address)))
}

fn inherited(fd: i32) -> io::Result<(Socket, LocalAddr)> {
    Ok(match inherit_listener(fd)? {
        InheritedListener::Tcp(listener) => {
            let address = listener.local_addr()?;
            let listener = TcpListener::from_std(listener)?;
            (Socket::Tcp(listener), LocalAddr::Fd(fd, Some(address)))
        }
        InheritedListener::Unix(listener) => {
            let listener = UnixListener::from_std(listener)?;
            (Socket::Unix(listener), LocalAddr::Fd(fd, None))
        }
    })
}

/// How many sockets systemd has handed to this process. The variables are
/// inherited by children as well, who are not meant: hence the pid.
fn systemd_count(pid: Option<&str>, count: Option<&str>, own_pid: u32) -> io::Result<i32> {
    let fault = |what| {
        Err(io::Error::other(format!(
            "cannot listen on systemd's sockets: {what}"
        )))
    };
    let (Some(pid), Some(count)) = (pid, count) else {
        return fault("LISTEN_PID and LISTEN_FDS are not set, so this is no socket unit's service");
    };
    if pid.parse() != Ok(own_pid) {
        return fault("LISTEN_PID names another process");
    }
    match count.parse() {
        // No process has more, and the sum below cannot overflow.
        Ok(count @ 1..=1_048_576) => Ok(count),
        _ => fault("LISTEN_FDS is not a number above 0"),
    }
}

#[cfg(test)]
mod tests {
    use super::systemd_count;

    #[test]
    fn systemd_counts_for_the_process_that_it_names_only() {
        let count = |pid, fds| systemd_count(pid, fds, 77).ok();
        assert_eq!(count(Some("77"), Some("2")), Some(2));
        for (pid, fds) in [
            (None, Some("1")),
            (Some("77"), None),
            (Some("78"), Some("1")),
            (Some("77"), Some("0")),
            (Some("77"), Some("-1")),
            (Some("77"), Some("x")),
            (Some("77"), Some("2147483647")),
            (Some(""), Some("1")),
        ] {
            assert_eq!(count(pid, fds), None, "{pid:?} {fds:?}");
        }
    }
}
