//! Files as responses, and directories of them.
//!
//! ```text
//!   path ──clean──▶ names ──open, on the pool──▶ Opened ──conditions──▶ 304, 412
//!                                                  │
//!                                                ranges ──▶ 200, 206, 416
//! ```
//!
//! What a client sends is judged by pure functions; what the file system
//! does happens on threads of the pool, in one job a request.

mod file_response;
mod static_files;
mod paths;
mod opened;
mod conditions;
mod ranges;
mod codings;
mod content_type;
mod disposition;
mod listing;

#[cfg(test)]
mod tests;

pub use file_response::FileResponse;
pub use static_files::{StaticFiles, Symlinks};
