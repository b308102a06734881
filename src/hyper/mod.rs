//! hyper on this loop: the four things its connections ask a runtime for.
//!
//! ```text
//!   hyper::server::conn::http1::Builder ──.timer──▶ HyperTimer ──▶ the wheel
//!            │ serve_connection
//!            ▼
//!   HyperIo(TcpStream) ──read, write──▶ the reactor
//!
//!   hyper::server::conn::http2::Builder ──new──▶ HyperExecutor ──▶ spawn
//! ```
//!
//! Behind the feature `hyper`. It needs nothing of hyper's but the traits in
//! `hyper::rt`: which protocols are built is up to the program's own
//! dependency on hyper. A whole server and client is in
//! `examples/adapters/src/bin/hyper.rs`.

mod io;
mod rt;

pub use io::HyperIo;
pub use rt::{HyperExecutor, HyperTimer};
