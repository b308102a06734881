//! A [`Recording`](crate::watch::Recording) in forms that other programs, and people, can read.
//!
//! ```text
//!                 ┌─▶ lives ── tasks, requests, jobs ──┬─▶ slices ──▶ chrome_json   Perfetto
//!   Recording ────┤                                    ├─▶ story ───▶ mermaid       GitHub
//!                 │                                    └────────────▶ timeline      a terminal
//!                 ├──▶ jsonl          one event a line
//!                 └──▶ save ◀─▶ open  the whole of it
//! ```
//!
//! All of it is pure: text comes out, and nothing is asked of a clock or the kernel. Names in a
//! recording may come from strangers, by way of the paths of requests; so each form escapes what it
//! would take for its own, and no control character reaches a terminal.

// What all lean on.
mod json;
mod plain;
mod lives;

// For Perfetto.
mod chrome;
mod slices;
mod flows;
mod counters;

// For people.
mod mermaid;
mod story;
mod tales;
mod timeline;

// For programs, and for later.
mod jsonl;
mod saved;

#[cfg(test)]
mod tests;

pub use mermaid::MermaidOptions;
pub(crate) use plain::short_function;
