//! Every limit of a server, its default and the reason for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::access_log::AccessLog;
use super::in_flight::Overload;
use super::listen::Listen;
use super::trusted_peers::TrustedPeers;
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
    /// Where to listen instead, if not empty: several addresses at once, Unix
    /// sockets, inherited ones; see [`Listen`]. Default: empty.
    pub listen: Vec<Listen>,
    /// Whether several processes may listen on the same port and share its
    /// connections (`SO_REUSEPORT`). Default: no. Linux spreads connections
    /// evenly over the processes; each has a queue of its own, so those that
    /// wait in it are lost with their process.
    pub reuse_port: bool,
    /// How many connections the kernel completes before they are accepted.
    /// Default: 2048, as Uvicorn.
    pub backlog: u32,
    /// How many connections may be open; more wait in the kernel's queue, or
    /// are [refused](Self::refuse_connections). Idle ones count.
    /// Default: no limit of ours, the process's limit on open files holds.
    pub connections_max: usize,
    /// Whether connections beyond [`connections_max`](Self::connections_max)
    /// are answered 503 and closed, so that a load balancer goes elsewhere.
    /// Default: no, they wait in the kernel's queue.
    pub refuse_connections: bool,
    /// How many requests may be answered at once: each counts from its head to
    /// the end of its response, and an idle connection does not. Default:
    /// `usize::MAX`, no limit. A limit of 1 means one at a time; 0 counts as
    /// 1.
    pub requests_in_flight_max: usize,
    /// What becomes of the requests beyond that. Default: they are refused.
    pub overload: Overload,
    /// When a refused client should come again, by the 503's `retry-after`
    /// (RFC 9110, 10.2.3), rounded up to seconds. Default: 1 s; zero leaves
    /// the field out.
    pub retry_after: Duration,
    /// Peers that begin each connection with a head of the PROXY protocol,
    /// version 1 or 2, which names the client: load balancers. What it names
    /// is [`Request::peer`](super::Request::peer) then. From one of these a
    /// connection without such a head is closed; from anybody else such a head
    /// is no HTTP, and refused. Default: none.
    pub proxy_protocol: Option<TrustedPeers>,
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
    /// The least bytes of body per second that a client must send while a
    /// handler waits for them; 0 is no such rate. Default: 240, as Kestrel's
    /// `MinRequestBodyDataRate`. Slower, the read fails with
    /// [`BodyError::TooSlow`](super::BodyError::TooSlow), which is a 408, and
    /// the connection closes.
    ///
    /// It is an average over all the time that the server has waited for this
    /// body, in which the handler's own time does not count: in all it waits
    /// for [`body_rate_grace`](Self::body_rate_grace), and for as long as what
    /// has come takes at this rate. So a byte now and then, which pushes
    /// [`body_timeout`](Self::body_timeout) back, buys a client no more than
    /// that byte's share.
    pub body_rate_min: u32,
    /// How long a client may let the server wait for a body beyond what
    /// [`body_rate_min`](Self::body_rate_min) allows it. Default: 5 s, as
    /// Kestrel.
    pub body_rate_grace: Duration,
    /// Between an answer and the next request. Default: 5 s, as Uvicorn.
    /// Behind a proxy it should be longer than the proxy's own.
    pub keep_alive: Duration,
    /// How many requests a connection serves; the last answer says
    /// `connection: close`. Default: 1000, as nginx and Hypercorn: clients
    /// that come again spread over the workers, and nothing that belongs to a
    /// connection lives for ever. `u64::MAX` is no limit; 0 counts as 1.
    pub requests_per_connection_max: u64,
    /// Between two writes that the client takes in. Default: 30 s.
    ///
    /// There is no least rate for answers: a client that takes in a byte now
    /// and then may go on for as long as its answer lasts. What it holds is a
    /// descriptor, its handler's stream if there is one, and at most the
    /// 64 KiB that are encoded beside the body itself.
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
    ///
    /// A file that is sent ([`Body::file`](super::Body::file)) and has to be
    /// read from the disk first counts as a maker does: at the deadline the
    /// response is cut off.
    pub half_close_timeout: Duration,
    /// Whether a handler is dropped when its client leaves. Default: yes;
    /// nobody waits for what it does. Without, each handler runs to its end,
    /// and its response is dropped: for work that must not be left half done.
    /// The makers of streamed bodies are dropped in both cases.
    pub cancel_on_disconnect: bool,
    /// How long bytes that nobody wants are still taken in after a final
    /// answer, so that a reset does not overtake it. Default: 2 s.
    pub linger_timeout: Duration,
    /// How long the lifespan's startup may take. Default: 60 s, as Hypercorn.
    pub startup_timeout: Duration,
    /// How long the server goes on serving after it was told to stop, while
    /// [`ServerState::is_ready`](super::ServerState::is_ready) is false
    /// already, so that a load balancer that asks for it stops sending first.
    /// Default: none.
    pub shutdown_delay: Duration,
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
            listen: Vec::new(),
            reuse_port: false,
            backlog: 2048,
            connections_max: usize::MAX,
            refuse_connections: false,
            requests_in_flight_max: usize::MAX,
            overload: Overload::Refuse,
            retry_after: Duration::from_secs(1),
            proxy_protocol: None,
            limits: Limits::default(),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_rate_min: 240,
            body_rate_grace: Duration::from_secs(5),
            keep_alive: Duration::from_secs(5),
            requests_per_connection_max: 1000,
            write_timeout: Duration::from_secs(30),
            half_close_timeout: Duration::from_secs(5),
            cancel_on_disconnect: true,
            linger_timeout: Duration::from_secs(2),
            startup_timeout: Duration::from_secs(60),
            shutdown_delay: Duration::ZERO,
            graceful_timeout: Duration::from_secs(30),
            signals: true,
            access_log: AccessLog::default(),
        }
    }
}
