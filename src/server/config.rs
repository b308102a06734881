//! Every limit of a server, its default and the reason for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::access_log::AccessLog;
use crate::http::Limits;

/// How a [`Server`](super::Server) behaves.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::server::Config;
///
/// let config = Config {
///     address: "127.0.0.1:0".parse().unwrap(),
///     keep_alive: Duration::from_secs(75),
///     ..Config::default()
/// };
/// # let _ = config;
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Default: `127.0.0.1:8000`, as Uvicorn: nobody else
    /// reaches a server that was not told to be reached.
    pub address: SocketAddr,
    /// How many connections the kernel completes before they are accepted.
    /// Default: 2048, as Uvicorn.
    pub backlog: u32,
    /// How many connections may be open; more wait in the kernel's queue.
    /// Default: no limit of ours, the process's limit on open files holds.
    pub connections_max: usize,
    /// What a request may hold; see [`Limits`].
    pub limits: Limits,
    /// From the first byte of a head to its last. Default: 10 s; a client
    /// that drips its head is cut off, not just one that is silent.
    pub head_timeout: Duration,
    /// Between two reads of a body that a handler waits for. Default: 30 s.
    ///
    /// It is also how long the rest of a body may take that no handler wants:
    /// up to 64 KiB are taken in after the answer, to keep the connection.
    /// That is one deadline from the answer to the last byte, however often
    /// something comes. What is late costs the connection, not the answer.
    pub body_timeout: Duration,
    /// Between an answer and the next request. Default: 5 s, as Uvicorn.
    /// Behind a proxy it should be longer than the proxy's own.
    pub keep_alive: Duration,
    /// Between two writes that the client takes in. Default: 30 s.
    pub write_timeout: Duration,
    /// How long handlers, and the makers of streamed bodies, may go on when
    /// the client has closed its sending side. It may still be reading, or it
    /// may be gone: TCP does not tell. Default: 5 s; Uvicorn gives up at once.
    ///
    /// It is one deadline for the connection, from when one of them first has
    /// to wait after that. Nothing pushes it back, neither what the client
    /// takes in nor a further request that it had sent before. An answer that
    /// is complete is written out all the same, as
    /// [`write_timeout`](Self::write_timeout) allows.
    pub half_close_timeout: Duration,
    /// Whether a handler is dropped when its client leaves. Default: yes;
    /// nobody waits for what it does. Without, each handler runs to its end,
    /// and its response is dropped: for work that must not be left half done.
    /// The makers of streamed bodies are dropped in both cases.
    pub cancel_on_disconnect: bool,
    /// How long bytes that nobody wants are still taken in after a final
    /// answer, so that a reset does not overtake it. Default: 2 s.
    pub linger_timeout: Duration,
    /// How long running requests may go on after the server was told to
    /// stop. Default: 30 s.
    pub graceful_timeout: Duration,
    /// Whether SIGINT and SIGTERM stop the server. Default: yes. A program
    /// that has its own handlers uses a [`ServerHandle`](super::ServerHandle).
    pub signals: bool,
    /// How responses are logged; see [`AccessLog`]. Default: in the plain form.
    pub access_log: AccessLog,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            backlog: 2048,
            connections_max: usize::MAX,
            limits: Limits::default(),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            half_close_timeout: Duration::from_secs(5),
            cancel_on_disconnect: true,
            linger_timeout: Duration::from_secs(2),
            graceful_timeout: Duration::from_secs(30),
            signals: true,
            access_log: AccessLog::default(),
        }
    }
}
