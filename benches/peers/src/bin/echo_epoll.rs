//! The practical limit of an echo: an epoll loop, one buffer of 256 KiB for all connections.
//!
//! What the kernel does not take at once is kept with the connection, which reads nothing until it
//! is out.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use peers::epoll::{Epoll, recv, send, set_nodelay};

const LISTENER: usize = usize::MAX;

struct Connection {
    stream: TcpStream,
    kept: Vec<u8>,
}

fn main() -> io::Result<()> {
    let listener = peers::listen()?;
    let mut epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), LISTENER, false)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = epoll.wait(-1)?;
        for place in 0..count {
            let (key, _) = epoll.event(place);
            if key == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    let fd = stream.as_raw_fd();
                    set_nodelay(fd)?;
                    let key = fd as usize;
                    if connections.len() <= key {
                        connections.resize_with(key + 1, || None);
                    }
                    epoll.add(fd, key, true)?;
                    let kept = Vec::new();
                    connections[key] = Some(Connection { stream, kept });
                }
            } else if let Some(connection) = &mut connections[key]
                && !matches!(connection.advance(&mut buffer), Ok(true))
            {
                connections[key] = None;
            }
        }
    }
}

impl Connection {
    /// Does what can be done now, and says whether the connection stays.
    fn advance(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let fd = self.stream.as_raw_fd();
        loop {
            if !self.kept.is_empty() {
                let Some(sent) = send(fd, &self.kept, &[])? else {
                    return Ok(true);
                };
                self.kept.drain(..sent);
                continue;
            }
            let Some(count) = recv(fd, buffer)? else {
                return Ok(true);
            };
            if count == 0 {
                return Ok(false);
            }
            let sent = send(fd, &buffer[..count], &[])?.unwrap_or(0);
            self.kept.extend_from_slice(&buffer[sent..count]);
            // Less than there was room for: nothing is left, and the kernel says when there is.
            if self.kept.is_empty() && count < buffer.len() {
                return Ok(true);
            }
        }
    }
}
