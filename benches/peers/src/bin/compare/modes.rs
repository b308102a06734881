//! What the servers are asked.

use std::net::SocketAddrV4;

use peers::load::{Plan, browser_request, request};

/// A way to ask. What is not said is: keep-alive connections, one request at a time on each, and
/// the next at once.
#[derive(Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
    /// The servers that the others are compared to.
    pub(crate) bases: &'static [&'static str],
    ask: Ask,
}

#[derive(Clone, Copy, PartialEq)]
enum Ask {
    Hello,
    HelloAndClose,
    HelloToBrowser,
    Post(usize),
    Big,
    Heavy,
    Route,
    Echo(usize),
}

const fn echo(name: &'static str, about: &'static str, len: usize) -> Mode {
    Mode {
        bases: &["epoll", "tokio-64k"],
        ..mode(name, about, 10, Ask::Echo(len))
    }
}

const fn mode(name: &'static str, about: &'static str, connections: usize, ask: Ask) -> Mode {
    Mode {
        name,
        about,
        connections,
        depth: 1,
        bases: &["epoll-httparse", "hyper"],
        ask,
    }
}

pub(crate) const MODES: [Mode; 14] = [
    mode("ka1", "GET /, 1 keep-alive connection", 1, Ask::Hello),
    mode("ka64", "GET /, 64 keep-alive connections", 64, Ask::Hello),
    mode(
        "ka1000",
        "GET /, 1,000 keep-alive connections",
        1000,
        Ask::Hello,
    ),
    Mode {
        depth: 16,
        ..mode(
            "pipe16",
            "GET /, 64 connections, 16 requests in each write",
            64,
            Ask::Hello,
        )
    },
    mode(
        "browser",
        "GET / as a browser asks, 64 keep-alive connections",
        64,
        Ask::HelloToBrowser,
    ),
    Mode {
        depth: 16,
        ..mode(
            "browser16",
            "GET / as a browser asks, 64 connections, 16 requests in each write",
            64,
            Ask::HelloToBrowser,
        )
    },
    mode(
        "close",
        "GET /, a connection for each, 64 at a time",
        64,
        Ask::HelloAndClose,
    ),
    mode(
        "post1k",
        "POST /echo of 1 KiB, 64 connections",
        64,
        Ask::Post(1 << 10),
    ),
    mode(
        "post1m",
        "POST /echo of 1 MiB, 8 connections",
        8,
        Ask::Post(1 << 20),
    ),
    mode("big", "GET /big of 1 MiB, 8 connections", 8, Ask::Big),
    Mode {
        bases: &["axum", "actix-web"],
        ..mode(
            "routes",
            "GET /route42/bob of 100 routes, 64 connections",
            64,
            Ask::Route,
        )
    },
    echo("echo1k", "TCP echo of 1 KiB, 10 connections", 1 << 10),
    echo("echo10k", "TCP echo of 10 KiB, 10 connections", 10 << 10),
    echo("echo100k", "TCP echo of 100 KiB, 10 connections", 100 << 10),
];

/// The rows are what a server does before, with and after the idle connections.
pub(crate) const IDLE: Mode = Mode {
    bases: &["before"],
    ..mode(
        "idle",
        "GET / on the active keep-alive connections",
        1000,
        Ask::Hello,
    )
};

/// The rows are processes on one port.
pub(crate) const CORES: Mode = Mode {
    bases: &["one loop"],
    ..mode(
        "cores",
        "GET /, 64 keep-alive connections from each core, which the servers share",
        64,
        Ask::Hello,
    )
};

/// Four requests for 200 ms in the pool, always.
pub(crate) const HEAVY: Mode = mode("heavy", "GET /heavy, 4 connections", 4, Ask::Heavy);

/// No two bytes in a row alike, so that a shifted answer is seen.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place % 251) as u8).collect()
}

impl Mode {
    pub(crate) fn is_echo(&self) -> bool {
        matches!(self.ask, Ask::Echo(_))
    }

    pub(crate) fn plan(&self, address: SocketAddrV4) -> Plan {
        let closes = self.ask == Ask::HelloAndClose;
        let hello = || peers::HELLO.as_bytes().to_vec();
        let (request, expected) = match self.ask {
            Ask::Hello | Ask::HelloAndClose => (request("/", None, closes), hello()),
            Ask::HelloToBrowser => (browser_request("/"), hello()),
            Ask::Heavy => (request("/heavy", None, false), hello()),
            Ask::Post(len) => {
                let body = bytes(len);
                (request("/echo", Some(&body), false), body)
            }
            Ask::Big => (request("/big", None, false), peers::BIG.to_vec()),
            Ask::Route => (request("/route42/bob", None, false), b"42 bob".to_vec()),
            Ask::Echo(len) => (bytes(len), bytes(len)),
        };
        Plan {
            address,
            connections: self.connections,
            depth: self.depth,
            request,
            expected,
            closes,
            in_step: false,
            is_raw: self.is_echo(),
        }
    }
}
