//! `http` and `net` and `runtime` together: a server.
//!
//! ```text
//!   serve(app, config) ──▶ Server::new ──▶ startup ──▶ main_loop ──▶ shutdown
//!                                            │           │              │
//!                              Lifespan, listeners,   accept:     six logged steps
//!                              signals                one task a
//!                                                     connection
//!
//!   Connection   next_head ──▶ Handler::handle ──▶ respond ──▶ next_head ...
//!     │             │               │                 │
//!     │          Protocol        Request, with     Response, with
//!     │          (no I/O)        a RequestBody     a Body
//!     └── Transport: TCP, or anything that reads and writes
//! ```
//!
//! A connection is one task, and the only one that touches its transport. A
//! handler that reads a body asks the connection for it; a response that
//! streams hands its pieces to the connection. So reading stops when nobody
//! wants more, and writing waits when the client does.

mod server;
mod serve_error;
mod config;
mod listen;
mod listeners;
mod accept;
mod lifespan;
mod drain;
mod stop;
mod state;
mod metrics;
mod access_log;
mod pattern;
mod request_line;
mod in_flight;
mod running;
mod turn_away;
mod connection;
mod exchange;
mod respond;
mod file_body;
mod closing;
mod input;
mod body_rate;
mod output;
mod link;
mod asks;
mod upgrade;
mod pool;
mod transport;
mod proxy_protocol;
mod proxied;
mod trusted_peers;
mod handler;
mod request;
mod request_body;
mod response;
mod extensions;
mod body;
mod pieces;
mod close_reason;

#[cfg(test)]
mod tests;

pub use crate::http::{BodyLength, Headers, Method, ProtocolError, Status, Version};
pub use access_log::AccessLog;
pub use body::{Body, BodyWriter, Disconnected};
pub use close_reason::CloseReason;
pub use config::Config;
pub use extensions::Extensions;
pub use handler::{Blocking, Handler, blocking};
pub use in_flight::Overload;
pub use lifespan::Lifespan;
pub use link::{Disconnect, Draining};
pub use listen::{Listen, LocalAddr};
pub use pattern::PatternError;
pub use pieces::Pieces;
pub use proxy_protocol::{ProxyHead, parse_proxy_head};
pub use request::Request;
pub use request_body::{BodyError, RequestBody};
pub use response::{IntoResponse, Response};
pub use serve_error::ServeError;
pub use server::{Server, serve};
pub use state::ServerState;
pub use stop::ServerHandle;
pub use transport::Transport;
pub use trusted_peers::{BadPeer, TrustedPeers};
pub use upgrade::{Upgrade, UpgradeError, Upgraded};
