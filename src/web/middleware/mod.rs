//! What goes around handlers: functions of a request and of what comes next.
//!
//! ```text
//!   request ──▶ layer 2 ──▶ layer 1 ──▶ router ──▶ around ──▶ handler
//!   response ◀── layer 2 ◀── layer 1 ◀── 404 too ◀── around ◀──┘
//! ```
//!
//! The layer that was added last is the outermost. Where several of these
//! are wanted, this order serves, from the outside in: request id, proxy
//! headers, trusted hosts, security headers, CORS, compression, timeout,
//! body limit, and the catch of panics innermost, so that its answers get
//! all the fields.

mod next;
mod request_id;
mod proxy_headers;
mod forwarded;
mod trusted_hosts;
mod https_redirect;
mod security_headers;
mod cors;
mod timeout;
mod body_limit;
mod catch_panic;
#[cfg(feature = "compression")]
mod compression;

pub use body_limit::body_limit;
pub use catch_panic::{CatchPanic, HandlerPanic, catch_panic};
#[cfg(feature = "compression")]
pub use compression::{Compression, compression};
pub use cors::Cors;
pub use https_redirect::https_redirect;
pub use next::{Around, Middleware, Next, around};
pub(in crate::web) use next::{BoxHandler, ResponseFuture, Step};
pub use proxy_headers::{ProxyHeaders, proxy_headers};
pub use request_id::{RequestId, request_id};
pub use security_headers::SecurityHeaders;
pub use timeout::timeout;
pub use trusted_hosts::trusted_hosts;
