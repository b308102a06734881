//! One test binary: the building rules, the rooms from outside, the whole.

#![allow(clippy::unwrap_used, missing_docs)]

mod tidy;
mod examples;
mod demo;
mod server_support;
mod server_child;
mod server;
mod graceful;
mod lifespan;
mod costs;
mod http_faults;
mod http_departures;
mod router;
mod simulated;
