//! What applications are made of: handlers found by path, and what goes
//! around them.
//!
//! ```text
//!   Server ──▶ Handler::handle
//!                 │
//!              Router        by host, path and method
//!                 │
//!              middleware    a function around a handler: one route, a nest, all
//!                 │
//!              handler ◀──── what it takes:  Path, Query, Form, Json ...
//!                 │
//!              Response ◀─── what it gives:  text, Json, Html, a file, events
//! ```
//!
//! The server knows nothing of this room: it serves any
//! [`Handler`](crate::server::Handler), and a [`Router`] is one.

mod router;
mod metrics;

pub use metrics::metrics;
pub use router::Router;
