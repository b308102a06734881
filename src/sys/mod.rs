//! What the kernel offers and the standard library does not: the room with `unsafe`.
//!
//! ```text
//!   signal   SIGINT ──▶ handler ──▶ pending bit + one byte ──▶ a readable fd ──▶ Signal
//!   socket   listen with a backlog, shared ports, keep-alive probes, linger
//!   fault    which errors of the kernel mean "go on", and which "no descriptors left"
//!   host     how many descriptors this process may have, how wide its terminal is
//! ```
//!
//! Every function here wraps a call of a few lines, checks what it returns, and gives a type of the
//! standard library back. Nothing in this room is called once per request.

#![expect(
    unsafe_code,
    reason = "system calls are foreign functions; this room keeps them together"
)]

mod fault;
mod host;
mod signal;
mod socket;

#[cfg(test)]
mod tests;

pub use fault::{
    NamedError, is_out_of_descriptors, is_peer_gone_on_accept, is_resource_exhausted, raw_os_error,
};
pub use host::{raise_fd_limit, terminal_width};
pub use signal::{Signal, SignalPipe};
pub use socket::{
    ACCEPTED_INHERIT_NODELAY, Keepalive, ListenOptions, keepalive, listen, set_keepalive,
    set_linger,
};
