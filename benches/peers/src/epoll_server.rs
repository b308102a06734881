//! A server that is nothing but an epoll loop: what the kernel leaves of the time.
//!
//! One buffer for all connections to read into and one to write from. A connection has buffers of
//! its own only while a request or an answer is incomplete.

use std::io;
use std::mem;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::epoll::{Epoll, check, recv, send};

/// What comes of the bytes at the start of the input.
pub enum Step {
    /// A request of this length; its answer is in the [`Reply`].
    Answered(usize),
    /// At least this many bytes have to be there before it makes sense to look again.
    Needs(usize),
    /// Nothing that can be answered.
    Malformed,
}

/// The answers to a batch of requests.
#[derive(Default)]
pub struct Reply {
    pub bytes: Vec<u8>,
    /// What follows the bytes, if it is too large to be copied. The batch ends with it.
    pub body: Body,
    pub closes: bool,
    sent: usize,
}

#[derive(Default)]
pub enum Body {
    #[default]
    None,
    Static(&'static [u8]),
    /// The request without that many bytes at its start. It must be all of the input.
    Echo(usize),
    Owned(Vec<u8>, usize),
}

impl Body {
    fn bytes(&self) -> &[u8] {
        match self {
            Body::None | Body::Echo(_) => &[],
            Body::Static(bytes) => bytes,
            Body::Owned(bytes, start) => &bytes[*start..],
        }
    }
}

impl Reply {
    fn is_done(&self) -> bool {
        self.sent == self.bytes.len() + self.body.bytes().len()
    }

    fn flush(&mut self, fd: &OwnedFd) -> io::Result<()> {
        while !self.is_done() {
            let body = self.body.bytes();
            let past = self.sent.saturating_sub(self.bytes.len());
            let head = &self.bytes[self.sent.min(self.bytes.len())..];
            let sent = if head.is_empty() {
                send(fd.as_raw_fd(), &body[past..], &[])?
            } else {
                send(fd.as_raw_fd(), head, body)?
            };
            let Some(sent) = sent else { return Ok(()) };
            self.sent += sent;
        }
        self.bytes.clear();
        self.body = Body::None;
        self.sent = 0;
        Ok(())
    }
}

/// What is asked for each request.
pub trait Answer {
    /// Called once a turn of the loop.
    fn tick(&mut self) {}
    fn answer(&mut self, input: &[u8], reply: &mut Reply) -> Step;
}

struct Connection {
    fd: OwnedFd,
    input: Vec<u8>,
    needs: usize,
    /// A large answer ended the batch, and the input may hold complete requests.
    is_cut: bool,
    reply: Option<Box<Reply>>,
}

const LISTENER: usize = usize::MAX;

/// Serves until the process is killed.
///
/// # Errors
///
/// If the kernel refuses what every kernel has.
pub fn serve(listener: &TcpListener, answer: &mut impl Answer) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), LISTENER, false)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let (mut buffer, mut reply) = (vec![0; 256 << 10], Reply::default());
    loop {
        let count = epoll.wait(-1)?;
        answer.tick();
        for place in 0..count {
            let (key, _) = epoll.event(place);
            if key == LISTENER {
                accept(listener, &epoll, &mut connections)?;
                continue;
            }
            let Some(connection) = &mut connections[key] else {
                continue;
            };
            let is_open = connection.advance(&mut buffer, &mut reply, answer);
            if !matches!(is_open, Ok(true)) {
                connections[key] = None;
                reply = Reply::default();
            }
        }
    }
}

/// They inherit from the listener that they do not delay what is small (tcp(7)).
fn accept(
    listener: &TcpListener,
    epoll: &Epoll,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    loop {
        let null = std::ptr::null_mut();
        // SAFETY: no address is asked for, so no pointer is written to.
        let fd = unsafe { libc::accept4(listener.as_raw_fd(), null, null.cast(), FLAGS) };
        let fd = match check(fd) {
            // SAFETY: it was made by this call, and belongs to nobody else.
            Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd) },
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(fault) => return Err(fault),
        };
        // The number of a descriptor is the smallest that is free, and so a good index.
        let key = fd.as_raw_fd() as usize;
        if connections.len() <= key {
            connections.resize_with(key + 1, || None);
        }
        epoll.add(fd.as_raw_fd(), key, true)?;
        connections[key] = Some(Connection {
            fd,
            input: Vec::new(),
            needs: 0,
            is_cut: false,
            reply: None,
        });
    }
}

const FLAGS: libc::c_int = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

impl Connection {
    /// Does what can be done now, and says whether the connection stays.
    fn advance(
        &mut self,
        buffer: &mut [u8],
        shared: &mut Reply,
        answer: &mut impl Answer,
    ) -> io::Result<bool> {
        if let Some(reply) = &mut self.reply {
            reply.flush(&self.fd)?;
            if !reply.is_done() {
                return Ok(true);
            }
            if reply.closes {
                return Ok(false);
            }
            self.reply = None;
        }
        loop {
            let is_more = if self.input.is_empty() {
                let Some(count) = recv(self.fd.as_raw_fd(), buffer)? else {
                    return Ok(true);
                };
                if count == 0 {
                    return Ok(false);
                }
                let used = self.answer_all(&buffer[..count], shared, answer)?;
                if used < count {
                    self.input.extend_from_slice(&buffer[used..count]);
                }
                count == buffer.len()
            } else {
                let is_cut = mem::take(&mut self.is_cut);
                match if is_cut { Some(1) } else { self.extend()? } {
                    None => return Ok(true),
                    Some(0) => return Ok(false),
                    Some(_) if self.input.len() < self.needs => {}
                    Some(_) => {
                        let mut input = mem::take(&mut self.input);
                        let used = self.answer_all(&input, shared, answer)?;
                        if let Body::Echo(start) = shared.body {
                            shared.body = Body::Owned(mem::take(&mut input), start);
                        }
                        self.input = input.split_off(used.min(input.len()));
                    }
                }
                true
            };
            shared.flush(&self.fd)?;
            if !shared.is_done() {
                self.reply = Some(Box::new(mem::take(shared)));
                return Ok(true);
            }
            if shared.closes {
                return Ok(false);
            }
            if !is_more {
                return Ok(true);
            }
        }
    }

    /// Reads the rest of a request behind its start.
    fn extend(&mut self) -> io::Result<Option<usize>> {
        let (len, room) = (self.input.len(), self.needs.max(self.input.len() + 4096));
        self.input.resize(room, 0);
        let count = recv(self.fd.as_raw_fd(), &mut self.input[len..]);
        self.input
            .truncate(len + count.as_ref().map_or(0, |count| count.unwrap_or(0)));
        count
    }

    /// Answers what is complete, and says how long that was.
    fn answer_all(
        &mut self,
        input: &[u8],
        reply: &mut Reply,
        answer: &mut impl Answer,
    ) -> io::Result<usize> {
        let mut used = 0;
        self.needs = 0;
        while used < input.len() && !reply.closes && matches!(reply.body, Body::None) {
            match answer.answer(&input[used..], reply) {
                Step::Answered(len) => used += len,
                Step::Needs(len) => {
                    self.needs = len;
                    break;
                }
                Step::Malformed => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        self.is_cut = used < input.len() && !matches!(reply.body, Body::None);
        Ok(used)
    }
}
