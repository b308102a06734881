//! Some of the tests alone, for builds in which all of them would take minutes to compile: what
//! blocks a loop, in release; and `web` with all features. CI runs it; `cargo test` does not, since
//! both are in `it`.

#![allow(clippy::unwrap_used, missing_docs, dead_code, unused_imports)]

mod support;
mod stalls;

#[cfg(feature = "json")]
mod server_support;
#[cfg(feature = "json")]
mod web;
