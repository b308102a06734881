//! Memory that connections share instead of each holding its own.
//!
//! An idle connection owns no buffer. When bytes come, it takes what it
//! needs out of these pools, and it puts all of it back before it waits. So
//! a thread needs as much as the few connections that are busy at once.

use std::cell::RefCell;

use super::request::RequestParts;
use super::response::ResponseParts;

/// What one read may bring. A body of 100 KiB needs one read, and 256 KiB
/// is where larger ones stopped paying (November 2026, loopback).
pub(super) const SCRATCH_BYTES: usize = 256 * 1024;

/// How many of each kind wait in a pool, at most.
const KEPT_MAX: usize = 64;

/// A buffer that has grown beyond this is freed and not kept.
const KEPT_BYTES_MAX: usize = 128 * 1024;

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            scratches: Vec::new(),
            buffers: Vec::new(),
            requests: Vec::new(),
            responses: Vec::new(),
        })
    };
}

#[expect(
    clippy::vec_box,
    reason = "the boxes themselves are what is used again"
)]
struct Pool {
    scratches: Vec<Box<[u8]>>,
    buffers: Vec<Vec<u8>>,
    requests: Vec<Box<RequestParts>>,
    responses: Vec<Box<ResponseParts>>,
}

/// Takes from the pool, or nothing while the thread is torn down.
fn take<T>(from: impl FnOnce(&mut Pool) -> Option<T>) -> Option<T> {
    POOL.try_with(|pool| from(&mut pool.borrow_mut()))
        .ok()
        .flatten()
}

fn give<T>(value: T, to: impl FnOnce(&mut Pool) -> &mut Vec<T>) {
    // A value that finds no place is dropped after the borrow has ended.
    let mut value = Some(value);
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let kept = to(&mut pool);
        if kept.len() < KEPT_MAX {
            kept.extend(value.take());
        }
    });
}

/// A buffer to read into, of [`SCRATCH_BYTES`].
pub(super) fn take_scratch() -> Box<[u8]> {
    take(|pool| pool.scratches.pop()).unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice())
}

pub(super) fn give_scratch(scratch: Box<[u8]>) {
    if scratch.len() == SCRATCH_BYTES {
        give(scratch, |pool| &mut pool.scratches);
    }
}

/// An empty buffer to write into.
pub(super) fn take_buffer() -> Vec<u8> {
    take(|pool| pool.buffers.pop()).unwrap_or_else(|| Vec::with_capacity(4096))
}

pub(super) fn give_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() > 0 && buffer.capacity() <= KEPT_BYTES_MAX {
        buffer.clear();
        give(buffer, |pool| &mut pool.buffers);
    }
}

pub(super) fn take_request() -> Box<RequestParts> {
    take(|pool| pool.requests.pop()).unwrap_or_default()
}

/// Takes back what was cleared.
pub(super) fn give_request(parts: Box<RequestParts>) {
    if parts.head.capacity() <= KEPT_BYTES_MAX {
        give(parts, |pool| &mut pool.requests);
    }
}

pub(super) fn take_response() -> Box<ResponseParts> {
    take(|pool| pool.responses.pop()).unwrap_or_default()
}

/// Takes back what was cleared.
pub(super) fn give_response(parts: Box<ResponseParts>) {
    if parts.head.headers.capacity() <= KEPT_BYTES_MAX {
        give(parts, |pool| &mut pool.responses);
    }
}
