//! Asks a server for something, over and over, on some connections from one thread.
//!
//! It has to cost less than the server does: requests are made beforehand, answers are compared
//! with what was expected of them instead of being parsed, and of large bodies only one in sixteen
//! is looked at, while the kernel drops the others.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::epoll::{Epoll, check, recv, send, set_nodelay, set_option, skip};
use crate::percentiles::Percentiles;

/// More at once would overflow the queues of servers that have short ones.
const CONNECTS_AT_ONCE: usize = 64;
/// After so many a server is as good as down.
const ERRORS_MAX: u64 = 100;
/// How long a server may take over what it was asked last.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bodies up to this length are always compared.
const SMALL: usize = 4096;

/// What to ask, and how.
#[derive(Clone)]
pub struct Plan {
    pub address: SocketAddrV4,
    pub connections: usize,
    /// Requests that are sent together.
    pub depth: usize,
    pub request: Vec<u8>,
    /// The body of each answer.
    pub expected: Vec<u8>,
    /// Whether each request has a connection of its own, which the server has to close.
    pub closes: bool,
    /// Whether each connection waits for the answers of all before it asks again.
    pub in_step: bool,
    /// Whether there is no HTTP in it: answers have no heads.
    pub is_raw: bool,
}

/// The bytes of a request: GET, or POST if there is a body.
pub fn request(path: &str, body: Option<&[u8]>, closes: bool) -> Vec<u8> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    if let Some(body) = body {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += if closes {
        "Connection: close\r\n\r\n"
    } else {
        "\r\n"
    };
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}

/// The bytes of a GET with the eleven fields that a browser sends.
pub fn browser_request(path: &str) -> Vec<u8> {
    let fields = "Host: 127.0.0.1\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         Accept-Language: en-US,en;q=0.5\r\n\
         Accept-Encoding: gzip, deflate, br, zstd\r\n\
         Connection: keep-alive\r\n\
         Cookie: session=0123456789abcdef\r\n\
         Upgrade-Insecure-Requests: 1\r\n\
         Sec-Fetch-Dest: document\r\n\
         Sec-Fetch-Mode: navigate\r\n\
         Sec-Fetch-Site: none\r\n";
    format!("GET {path} HTTP/1.1\r\n{fields}\r\n").into_bytes()
}

/// What became of a run.
#[derive(Default)]
pub struct Outcome {
    pub requests: u64,
    pub took: Duration,
    pub latencies: Percentiles,
    pub errors: u64,
    pub first_error: Option<String>,
}

impl Outcome {
    /// # Errors
    ///
    /// If there were any.
    pub fn check(self) -> io::Result<Self> {
        match self.first_error {
            None => Ok(self),
            Some(first) => Err(fault(&format!("{} errors, first: {first}", self.errors))),
        }
    }

    fn note(&mut self, fault: &io::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| fault.to_string());
    }
}

/// A server's connections.
pub struct Load {
    plan: Plan,
    epoll: Epoll,
    batch: Vec<u8>,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    opened: u64,
    /// When something was read last.
    now: Instant,
}

/// What a connection is told with what was read.
struct At<'a> {
    plan: &'a Plan,
    now: Instant,
    outcome: &'a mut Outcome,
}

#[derive(Default)]
struct Connection {
    fd: Option<OwnedFd>,
    /// How much of the batch is out.
    sent: usize,
    /// Answers that have not come yet.
    awaited: usize,
    asked: Option<Instant>,
    /// How long heads are here: of one answer as of the next, as long as nothing says otherwise.
    head_len: usize,
    /// A head that has not come in one piece.
    partial: Vec<u8>,
    body_left: usize,
    answers: u64,
    is_last: bool,
}

impl Load {
    /// Opens the connections, and asks once on each, which warms up both sides.
    ///
    /// # Errors
    ///
    /// If one of them gets no answer, or a wrong one.
    pub fn open(plan: Plan) -> io::Result<Self> {
        let mut load = Load {
            batch: plan.request.repeat(plan.depth),
            epoll: Epoll::new()?,
            connections: Vec::new(),
            buffer: vec![0; 256 << 10],
            opened: 0,
            now: Instant::now(),
            plan,
        };
        while load.connections.len() < load.plan.connections {
            let first = load.connections.len();
            let end = load.plan.connections.min(first + CONNECTS_AT_ONCE);
            load.connections.resize_with(end, Connection::default);
            load.ask(first..end, 0, Duration::MAX).check()?;
        }
        Ok(load)
    }

    /// Asks on all connections for at least so many answers, or as long as `time`.
    pub fn run(&mut self, requests: u64, time: Duration) -> Outcome {
        self.ask(0..self.plan.connections, requests, time)
    }

    /// How many connections the server has closed.
    pub fn closed(&mut self) -> usize {
        let fds = self.connections.iter().map(|connection| &connection.fd);
        let is_open = |fd: &OwnedFd| matches!(recv(fd.as_raw_fd(), &mut self.buffer), Ok(None));
        self.connections.len()
            - fds
                .flatten()
                .map(is_open)
                .filter(|&is_open| is_open)
                .count()
    }

    /// A batch on each of these connections, and further ones until there is enough.
    fn ask(&mut self, range: std::ops::Range<usize>, requests: u64, time: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let began = Instant::now();
        let mut begun = 0;
        let mut active = 0;
        for key in range.clone() {
            begun += self.plan.depth as u64;
            active += usize::from(self.begin(key, Instant::now(), &mut outcome));
        }
        self.now = began;
        while active > 0 {
            let count = match self.epoll.wait(100) {
                Ok(count) => count,
                Err(fault) => {
                    outcome.note(&fault);
                    break;
                }
            };
            if count == 0 && self.now.elapsed() > PATIENCE {
                outcome.note(&fault(&format!("{active} connections wait in vain")));
                break;
            }
            for place in 0..count {
                let (key, _) = self.epoll.event(place);
                if self.connections[key].awaited == 0 && !self.connections[key].is_last {
                    continue;
                }
                if !self.advance(key, &mut outcome) {
                    continue;
                }
                active -= 1;
                let is_over = self.now - began >= time || outcome.errors > ERRORS_MAX;
                if self.plan.in_step || is_over || begun >= requests {
                    continue;
                }
                begun += self.plan.depth as u64;
                active += usize::from(self.begin(key, self.now, &mut outcome));
            }
            let is_over = self.now - began >= time || outcome.errors > ERRORS_MAX;
            if active == 0 && self.plan.in_step && !is_over && begun < requests {
                for key in range.clone() {
                    begun += self.plan.depth as u64;
                    active += usize::from(self.begin(key, Instant::now(), &mut outcome));
                }
            }
        }
        outcome.took = began.elapsed();
        outcome
    }

    /// Sends a batch, and says whether answers may come.
    fn begin(&mut self, key: usize, now: Instant, outcome: &mut Outcome) -> bool {
        let connection = &mut self.connections[key];
        connection.sent = 0;
        connection.awaited = self.plan.depth;
        connection.asked = Some(now);
        if self.plan.is_raw {
            connection.body_left = self.plan.expected.len();
        }
        let begun = self.ready(key).and_then(|()| self.write(key));
        if let Err(fault) = &begun {
            self.give_up(key, fault, outcome);
        }
        begun.is_ok()
    }

    fn give_up(&mut self, key: usize, fault: &io::Error, outcome: &mut Outcome) {
        outcome.note(fault);
        self.connections[key] = Connection::default();
    }

    /// Connects, if that has to be.
    fn ready(&mut self, key: usize) -> io::Result<()> {
        if self.connections[key].fd.is_none() {
            let fd = connect(self.plan.address, self.opened)?;
            self.opened += 1;
            // What is small fits into a new socket at once, and has nothing to wait for.
            let is_large = self.batch.len() > SMALL;
            if is_large {
                set_nodelay(fd.as_raw_fd())?;
            }
            self.epoll.add(fd.as_raw_fd(), key, is_large)?;
            self.connections[key].fd = Some(fd);
        }
        Ok(())
    }

    fn write(&mut self, key: usize) -> io::Result<()> {
        let connection = &mut self.connections[key];
        let Some(fd) = &connection.fd else {
            return Ok(());
        };
        while connection.sent < self.batch.len() {
            let Some(sent) = send(fd.as_raw_fd(), &self.batch[connection.sent..], &[])? else {
                break;
            };
            connection.sent += sent;
        }
        Ok(())
    }

    /// Goes on where there is something new, and says whether the batch is done.
    fn advance(&mut self, key: usize, outcome: &mut Outcome) -> bool {
        let is_done = self.write(key).and_then(|()| self.read(key, outcome));
        is_done.unwrap_or_else(|fault| {
            self.give_up(key, &fault, outcome);
            true
        })
    }

    fn read(&mut self, key: usize, outcome: &mut Outcome) -> io::Result<bool> {
        loop {
            let connection = &mut self.connections[key];
            let Some(fd) = connection.fd.as_ref().map(AsRawFd::as_raw_fd) else {
                return Ok(true);
            };
            let is_skipping = connection.body_left > 0 && !connection.compares(&self.plan);
            let got = if is_skipping {
                skip(fd, connection.body_left)?
            } else {
                recv(fd, &mut self.buffer)?
            };
            let now = Instant::now();
            self.now = now;
            match got {
                None => return Ok(false),
                Some(0) if connection.awaited == 0 && connection.is_last => {
                    *connection = Connection {
                        head_len: connection.head_len,
                        ..Connection::default()
                    };
                    return Ok(true);
                }
                Some(0) => return Err(fault("the server closed the connection")),
                Some(count) if is_skipping => connection.advance_body(count, now, outcome),
                Some(count) => {
                    let (plan, bytes) = (&self.plan, &self.buffer[..count]);
                    connection.take(bytes, At { plan, now, outcome })?;
                }
            }
            if connection.is_last && connection.body_left == 0 && !self.plan.closes {
                self.renew(key)?;
                if self.connections[key].awaited > 0 {
                    return Ok(false);
                }
            }
            if self.connections[key].awaited == 0 && !self.plan.closes {
                return Ok(true);
            }
        }
    }

    /// A server may limit the requests of a connection; what it left unanswered is sent again.
    fn renew(&mut self, key: usize) -> io::Result<()> {
        let connection = &mut self.connections[key];
        *connection = Connection {
            awaited: connection.awaited,
            asked: connection.asked,
            sent: (self.plan.depth - connection.awaited) * self.plan.request.len(),
            ..Connection::default()
        };
        if connection.awaited > 0 {
            self.ready(key)?;
            self.write(key)?;
        }
        Ok(())
    }
}

impl Connection {
    fn compares(&self, plan: &Plan) -> bool {
        plan.expected.len() <= SMALL || self.answers.is_multiple_of(16)
    }

    /// Takes in what has come: ends and begins of answers.
    fn take(&mut self, bytes: &[u8], at: At<'_>) -> io::Result<()> {
        let At { plan, now, outcome } = at;
        let joined;
        let mut bytes = bytes;
        if !self.partial.is_empty() {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            bytes = &joined;
        }
        while !bytes.is_empty() {
            if self.body_left == 0 {
                if self.awaited == 0 || self.is_last {
                    return Err(fault("more than was asked for"));
                }
                let Some(len) = self.head(bytes, plan)? else {
                    self.partial = bytes.to_vec();
                    return Ok(());
                };
                bytes = &bytes[len..];
                self.body_left = plan.expected.len();
            }
            let (body, rest) = bytes.split_at(self.body_left.min(bytes.len()));
            let start = plan.expected.len() - self.body_left;
            if self.compares(plan) && body != &plan.expected[start..start + body.len()] {
                return Err(fault("another body than expected"));
            }
            self.advance_body(body.len(), now, outcome);
            bytes = rest;
        }
        Ok(())
    }

    fn advance_body(&mut self, count: usize, now: Instant, outcome: &mut Outcome) {
        self.body_left -= count;
        if self.body_left == 0 {
            self.awaited -= 1;
            self.answers += 1;
            outcome.requests += 1;
            let took = self.asked.map_or(Duration::ZERO, |asked| now - asked);
            outcome.latencies.add(took.as_nanos() as u64);
        }
    }

    /// The length of the head at the start of these bytes, if it is all there.
    fn head(&mut self, bytes: &[u8], plan: &Plan) -> io::Result<Option<usize>> {
        let is_known = self.head_len > 0
            && bytes.starts_with(b"HTTP/1.1 200")
            && bytes.get(self.head_len - 4..self.head_len) == Some(b"\r\n\r\n");
        if !is_known || plan.closes {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(None);
            };
            self.head_len = end + 4;
            self.is_last = read_head(&bytes[..end], plan)?;
        }
        Ok(Some(self.head_len))
    }
}

/// Whether an answer is the last of its connection.
fn read_head(head: &[u8], plan: &Plan) -> io::Result<bool> {
    let text = str::from_utf8(head).map_err(|_| fault("a head that is no text"))?;
    let (status, headers) = text.split_once("\r\n").unwrap_or((text, ""));
    if !status.starts_with("HTTP/1.1 200") {
        return Err(fault(status));
    }
    let value = |name: &str| {
        let mut headers = headers
            .split("\r\n")
            .filter_map(|line| line.split_once(':'));
        let found = headers.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    };
    if value("content-length").and_then(|len| len.parse().ok()) != Some(plan.expected.len()) {
        return Err(fault("another content-length than expected"));
    }
    let says = value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Ok(says || plan.closes)
}

/// Connects from one of many addresses: each has a range of ports of its own.
fn connect(to: SocketAddrV4, number: u64) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed, and the descriptor belongs to nobody else yet.
    let fd = unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_INET, kind, 0))?) };
    // Else the port is chosen when the other end is not known yet, and may serve for one only.
    set_option(
        fd.as_raw_fd(),
        libc::IPPROTO_IP,
        libc::IP_BIND_ADDRESS_NO_PORT,
    )?;
    let from = Ipv4Addr::new(127, 0, 0, 2 + (number % 199) as u8);
    let len = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    let (from, to) = (address(SocketAddrV4::new(from, 0)), address(to));
    // SAFETY: both addresses are of the length that is given.
    unsafe {
        check(libc::bind(
            fd.as_raw_fd(),
            std::ptr::from_ref(&from).cast(),
            len,
        ))?;
        check(libc::connect(
            fd.as_raw_fd(),
            std::ptr::from_ref(&to).cast(),
            len,
        ))?;
    }
    Ok(fd)
}

fn address(of: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: of.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*of.ip()).to_be(),
        },
        sin_zero: [0; 8],
    }
}

fn fault(text: &str) -> io::Error {
    io::Error::other(text.to_owned())
}

#[cfg(test)]
mod tests;
