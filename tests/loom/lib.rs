//! What threads share, with loom's locks and atomics, and what must hold in every order of steps.
//!
//! Every atomic of the crate, its tests aside:
//!
//! - The hint of `queue/task_queue.rs`: `queue.rs` here.
//! - The two words of `sys/pending.rs`: `signals.rs` here.
//! - The count, the hint and the flags of `blocking/worker.rs`: `pool.rs` here.
//! - The head and the words of `watch/ring.rs`: `ring.rs` here.
//! - The count of `sys/fork.rs`, which no model needs. It is written by nothing but the handler
//!   that fork(3) calls in the child, while the child has one thread: no two threads of a process
//!   ever meet at it with one writing. Threads that the child starts later begin after the write.
//!   So each reads the one value that its process has, whatever the order asked for. What has to be
//!   in order is that the handler is there before an [`Origin`] is; std's `Once` sees to that.
//!
//! All else that threads share is under a lock of std's, held for a few lines of safe Rust, or
//! is a thread's own until it is sent. Of that the queue and the pool are here, where a wrong order
//! of locks and bells would be a loop that sleeps for ever.
//!
//! Two things loom does not do. It takes SeqCst for AcqRel; nothing here leans on more. And it runs
//! the steps of one thread in their order, so that of an order too weak it shows what another
//! thread reads too late, but not what it would read too early.
//!
//! [`Origin`]: ../../src/sys/fork.rs

#![cfg(test)]
#![allow(dead_code, unused_imports, unreachable_pub)]

include!(concat!(env!("OUT_DIR"), "/rooms.rs"));

mod pool;
mod queue;
mod ring;
mod signals;
