//! The dial: the page on which one watches the loop turn.
//!
//! ```text
//!   the watched loop          the dial's own thread               a browser
//!   board ──── read ───────▶  History ─▶ frame, 10 a second ───▶  page.html
//!   gate  ◀─── asked ───────  POST /gate ◀──────────────────────  pause, step, slow
//!   findings (watchdog) ───▶  /dump /trace.json /mermaid /recording
//! ```
//!
//! It is served by a second loop, so that it lives while the first one is stuck. The page is one
//! file that asks nobody else for anything. It is for the people at this machine: it listens on
//! the loopback unless told otherwise, and answers to names of the loopback only.

mod dial;
mod routes;
mod guard;
mod hold;
mod frame;
mod tables;
mod history;

pub(crate) use dial::open_and_say;
pub use dial::{Dial, OpenDial};

#[cfg(test)]
mod tests;
