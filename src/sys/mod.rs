//! What the kernel offers and the standard library does not: the room with `unsafe`.
//!
//! ```text
//!   signal   SIGINT ──▶ handler ──▶ pending bit + one byte ──▶ a readable fd ──▶ Signal
//!   socket   listen with a backlog, shared ports, keep-alive probes, linger
//!   connect  begin a connection from a chosen address
//!   sendfile from a file to a socket without a copy
//!   cached   read a file as far as it is in memory
//!   beneath  open what lies below a directory, and nothing else
//!   listing  what lies in an open directory
//!   unnamed  a file that nobody has to remove
//!   unix_socket   listen at a path with its mode set first, who is at the other end
//!   inherited     a listening socket by its number
//!   fault    which errors of the kernel mean "go on", and which "no descriptors left"
//!   host     how many descriptors this process may have
//!   process  the end of a child ──▶ a readable fd; signals to children
//!   stack_sample  where another thread is: SIGURG ──▶ handler ──▶ addresses, two ways
//!   thread_state  its time on the processor, the system call it is in
//!   accept_queue  who waits at sockets that nobody looks at
//!   stderr   a report, past std's lock
//!   module   which file an address was loaded from
//!   prefetch memory into the cache before it is needed
//!   fork     whether this still is the process that made something
//! ```
//!
//! Every function here wraps a call of a few lines, checks what it returns, and gives a type of the
//! standard library back. Of all of it, only sending and fetching are called once per request.

#![expect(
    unsafe_code,
    reason = "system calls are foreign functions; this room keeps them together"
)]

mod connect;
mod fault;
mod host;
mod sendfile;
mod cached;
mod beneath;
mod listing;
mod unnamed;
mod signal;
mod pending;
mod socket;
mod unix_socket;
mod inherited;
mod process;
mod fork;
mod stack_sample;
mod sample_row;
mod sample_signal;
mod sample_chain;
mod registers;
mod unwind;
mod thread_state;
mod accept_queue;
mod stderr;
mod monotonic;
mod module;
mod prefetch;

#[cfg(test)]
mod tests;

pub(crate) use accept_queue::{accept_queue, readable_now};
pub(crate) use beneath::{Links, is_no_such_file, open_beneath, open_directory, open_to_read};
pub(crate) use cached::read_cached;
pub use connect::ConnectOptions;
pub(crate) use connect::connect;
pub use fault::raw_os_error;
pub(crate) use fault::{NamedError, cannot_watch, is_peer_gone_on_accept, is_resource_exhausted};
pub(crate) use fork::Origin;
pub(crate) use host::raise_fd_limit;
pub(crate) use inherited::{InheritedListener, inherit_listener};
pub(crate) use listing::{Entry, Kind, list};
pub(crate) use module::module_of;
pub(crate) use monotonic::monotonic_nanos;
pub(crate) use prefetch::{prefetch, prefetch_boxed};
pub(crate) use process::{open_pidfd, send_signal, set_blocking, wait_readable};
pub(crate) use sendfile::send_file;
pub use signal::Signal;
pub(crate) use signal::SignalPipe;
pub(crate) use socket::{
    ACCEPTED_INHERIT_NODELAY, SLICES_MAX, keepalive, listen, send_vectored, set_keepalive,
    set_linger, set_nonblocking,
};
pub use socket::{Keepalive, ListenOptions};
pub(crate) use stack_sample::{PulseCells, SAMPLE_SIGNAL, Sampler, StackSample, StackTarget};
pub(crate) use stderr::write_stderr;
pub(crate) use thread_state::{RunState, Syscall, ThreadId, WaitsFor, is_traced};
pub use unix_socket::UCred;
pub(crate) use unix_socket::{UNIX_PATH_MAX, listen_unix, peer_cred};
pub(crate) use unnamed::{link_unnamed, open_unnamed};
pub(crate) use unwind::stack_here;
