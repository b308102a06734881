//! Why a connection ended: a value that logs and tests read.

use std::fmt;
use std::io;

use crate::http;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed it between two requests.
    ClientLeft,
    /// The client was gone before its request was complete, or answered.
    ClientGone,
    /// HTTP said so: an announced close, or a request that was refused.
    Http(http::CloseReason),
    /// No request came within [`keep_alive`](super::Config::keep_alive).
    IdleTimeout,
    /// A head was not complete within
    /// [`head_timeout`](super::Config::head_timeout).
    HeadTimeout,
    /// The client took in no byte for
    /// [`write_timeout`](super::Config::write_timeout).
    WriteTimeout,
    /// The client had closed its sending side, and an answer was not made
    /// within [`half_close_timeout`](super::Config::half_close_timeout).
    HalfCloseTimeout,
    /// The peer is to say for whom it speaks, by
    /// [`proxy_protocol`](super::Config::proxy_protocol), and did not.
    ProxyHead,
    /// The server drains, and the connection was idle.
    Draining,
    /// The server stopped, and had waited for it long enough.
    CutOff,
    /// It was switched to another protocol, and that has ended, or nobody
    /// had asked for its stream.
    Upgraded,
    /// Reading or writing failed.
    Broken(io::ErrorKind),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseReason::ClientLeft => f.write_str("the client closed it"),
            CloseReason::ClientGone => f.write_str("the client was gone before its answer"),
            CloseReason::Http(http::CloseReason::Refused(error)) => write!(f, "refused: {error}"),
            CloseReason::Http(reason) => f.write_str(match reason {
                http::CloseReason::ClientAsked => "the client asked for it",
                http::CloseReason::ServerAsked => "the server asked for it",
                http::CloseReason::EndsBody => "the close ends the body",
                http::CloseReason::RequestUnread => "the request was not read to its end",
                http::CloseReason::ResponseUnfinished => "the response was not finished",
                // A reason that is new.
                _ => "HTTP says so",
            }),
            CloseReason::IdleTimeout => f.write_str("idle for longer than keep_alive"),
            CloseReason::HeadTimeout => f.write_str("a head took longer than head_timeout"),
            CloseReason::WriteTimeout => {
                f.write_str("the client took in nothing for write_timeout")
            }
            CloseReason::HalfCloseTimeout => {
                f.write_str("half-closed by the client for longer than half_close_timeout")
            }
            CloseReason::ProxyHead => f.write_str("it does not begin with a PROXY head"),
            CloseReason::Draining => f.write_str("idle while the server drains"),
            CloseReason::CutOff => f.write_str("cut off when the server stopped"),
            CloseReason::Upgraded => f.write_str("switched to another protocol"),
            CloseReason::Broken(kind) => write!(f, "broken: {kind}"),
        }
    }
}
