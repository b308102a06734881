//! Where work waits: the two queues of the loop.
//!
//! ```text
//!   other threads ──post──▶ TaskQueue ──take──▶ loop thread
//!   loop thread   ──push──▶ ReadyQueue ──pop──▶ loop thread
//! ```
//!
//! [`TaskQueue`] is the one door into the loop from outside its thread, and
//! the only thing in the crate that the loop thread shares a lock with.
//! [`ReadyQueue`] never leaves the loop thread: the places that futures live
//! in, and which of them to poll, each at most once. Both are plain
//! containers. They do no I/O and know nothing of what they carry.

mod places;
mod ready_queue;
mod task_queue;

pub(crate) use places::{PLACE_MAX, Places};
pub(crate) use ready_queue::{Place, ReadyQueue};
pub(crate) use task_queue::TaskQueue;

#[cfg(test)]
mod tests;
