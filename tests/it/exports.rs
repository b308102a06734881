//! Recordings as others read them: Perfetto, Mermaid, a terminal, programs, and this crate later.

mod chrome;
mod jsonl;
mod mermaid;
mod saved;
mod scenes;
mod timeline;
mod trace_check;
