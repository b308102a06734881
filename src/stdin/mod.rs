//! The process's input as a stream that does not hold up its end.
//!
//! ```text
//!   Stdin::read ──asks──▶ a thread of its own ──▶ read(0), as long as it takes
//!        ▲                      │
//!        └──wakes── kept bytes ◀┘
//! ```
//!
//! Descriptor 0 is not made non-blocking and polled, although a pipe or a
//! terminal could be: the flag belongs to the open file, which the shell and
//! other programs share, and they would be surprised by it. So a thread
//! reads, and not one of the pool, since a read from a terminal may never
//! return: this one is not waited for when the runtime or the process ends.
//!
//! The thread reads only when it was asked to, so what nobody has asked for
//! is left to others, such as children that inherit the input.
//!
//! There is no counterpart for output: write with `print!` and its like, or
//! from [`spawn_blocking`](crate::spawn_blocking) if whoever reads it may be
//! slow.

mod stream;
mod reader;

pub use stream::{Stdin, stdin};
