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
mod table;
mod routes;
mod endpoint;
mod pattern;
mod host;
mod percent;
pub mod middleware;
pub mod extract;
mod error;
mod fault;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod json_place;
mod html;
mod redirect;
mod set_cookie;
mod metrics;
mod test_client;
mod files;
mod sse;

pub use error::HttpError;
pub use fault::{Fault, Faults};
pub use files::{FileResponse, StaticFiles, Symlinks};
pub use html::Html;
#[cfg(feature = "json")]
pub use json::Json;
pub use metrics::metrics;
pub use middleware::{Around, Middleware, Next, around};
pub use pattern::UrlError;
pub use redirect::Redirect;
pub use router::Router;
pub use set_cookie::{SameSite, SetCookie};
pub use sse::{Event, Events, Sse, last_event_id};
pub use table::TrailingSlash;
pub use test_client::{TestAnswer, TestClient};
