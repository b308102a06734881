//! Memory that connections share instead of each holding its own.
//!
//! An idle connection owns no buffer. When bytes come, it takes what it
//! needs out of these pools, and from `io/scratch.rs` what it reads into, and
//! it puts all of it back before it waits. So a thread needs as much as the
//! few connections that are busy at once.

use std::thread::LocalKey;

use super::request::RequestParts;
use super::response::ResponseParts;
use crate::io::Spares;

/// How many of each kind wait in a pool, at most.
const KEPT_MAX: usize = 32;

/// A buffer that has grown beyond this is freed and not kept.
const KEPT_BYTES_MAX: usize = 128 * 1024;

type Kept<T> = Spares<T, KEPT_MAX>;

thread_local! {
    static BUFFERS: Kept<Vec<u8>> = const { Spares::new() };
    static REQUESTS: Kept<Box<RequestParts>> = const { Spares::new() };
    static RESPONSES: Kept<Box<ResponseParts>> = const { Spares::new() };
}

/// Takes one, or nothing while the thread is torn down.
#[inline]
fn take<T>(from: &'static LocalKey<Kept<T>>) -> Option<T> {
    from.try_with(Spares::take).ok().flatten()
}

/// Keeps one, or drops it if there are enough.
#[inline]
fn give<T>(value: T, to: &'static LocalKey<Kept<T>>) {
    let _ = to.try_with(|kept| kept.give(value));
}

/// An empty buffer to write into.
pub(super) fn take_buffer() -> Vec<u8> {
    take(&BUFFERS).unwrap_or_else(|| Vec::with_capacity(4096))
}

pub(super) fn give_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() > 0 && buffer.capacity() <= KEPT_BYTES_MAX {
        buffer.clear();
        give(buffer, &BUFFERS);
    }
}

#[inline]
pub(super) fn take_request() -> Box<RequestParts> {
    take(&REQUESTS).unwrap_or_default()
}

/// Takes back what was cleared, but for its head: the next is written over it.
#[inline]
pub(super) fn give_request(parts: Box<RequestParts>) {
    if parts.head.capacity() <= KEPT_BYTES_MAX {
        give(parts, &REQUESTS);
    }
}

#[inline]
pub(super) fn take_response() -> Box<ResponseParts> {
    take(&RESPONSES).unwrap_or_default()
}

/// Takes back what was cleared.
#[inline]
pub(super) fn give_response(parts: Box<ResponseParts>) {
    if parts.head.headers.capacity() <= KEPT_BYTES_MAX {
        give(parts, &RESPONSES);
    }
}
