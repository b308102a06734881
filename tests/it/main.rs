//! One test binary: the building rules, the rooms from outside, the whole.

#![allow(clippy::unwrap_used, missing_docs)]

mod tidy;
mod names;

// The loop.
mod support;
mod tasks;
mod turn;
mod futures;
mod wakers;
mod hostile;
mod offload;
mod dump;
#[cfg(feature = "symbols")]
mod dump_stacks;
mod opened;
mod recording;
mod stalls;
mod remote;
mod embed;
mod exports;
mod net;
mod async_fd;
mod fd_watch;
mod starvation;
mod shutdown;
mod sync;
mod foreign_sync;

// Files, children, signals, input.
mod fs;
mod process;
mod signals;
mod stdin;
mod forked;

// The server.
mod server_support;
mod server_child;
mod example_server;
mod real_clients;
mod client;
mod client_patience;
mod timed_scene;
mod server;
mod graceful;
mod lifespan;
mod costs;
mod crowds;
mod http_faults;
mod http_departures;
mod http_deadlines;
mod access_log;
mod limits;
mod in_flight;
mod listeners;
mod draining;
mod http_bodies;
mod http_links;
mod proxied;
mod http_asks;
mod http_hosts;
mod router;
mod files;
mod web;
mod simulated;
mod corpus;
mod conformance;

// The live page.
mod dial;
mod dial_page;

// The examples.
mod examples;
mod demo;
mod redis;
