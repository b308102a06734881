//! A small HTTP/1.1 client: for tests, examples, health checks.
//!
//! ```text
//!   Client ──▶ Connection ──▶ ClientProtocol      (http: no I/O)
//!     │            │
//!   keeps       any AsyncRead + AsyncWrite: TCP, a Unix socket,
//!   idle ones   a duplex in memory
//! ```
//!
//! [`Client`] takes a URL and gives an [`Answer`]; [`Connection`] is one
//! connection, on which several requests may be under way. No TLS, no
//! redirects, no proxies, no cookies: for those there are crates, and hyper's
//! client runs on this loop (feature `hyper`).

mod client;
mod connection;
mod request;
mod url;
mod error;

pub use crate::http::{AnswerError, Headers, Status};
pub use client::{Answer, Client};
pub use connection::Connection;
pub use error::ClientError;
pub use request::ClientRequest;
