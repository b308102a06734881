//! Memory that is fetched into the cache before it is needed, while the processor does something
//! else.

use std::pin::Pin;

/// What is fetched of a boxed value, whatever its size, since that is kept where the processor
/// would have to wait for it: a connection's future.
const FETCHED_BYTES: usize = 512;

#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Has the processor fetch a value, and waits for nothing.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    fetch((&raw const *value).cast(), size_of::<T>());
}

/// The same for what is in a box, which may hold references into itself: no reference to it is
/// made.
#[inline]
pub(crate) fn prefetch_boxed<T: ?Sized>(value: &Pin<Box<T>>) {
    // SAFETY: a pinned box is laid out as the pointer to its value, and is borrowed here.
    let start = unsafe { (&raw const *value).cast::<*const T>().read() };
    fetch(start.cast(), FETCHED_BYTES);
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch(start: *const i8, len: usize) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    let into_line = start.addr() % CACHE_LINE;
    let first = start.wrapping_sub(into_line);
    for at in (0..into_line + len).step_by(CACHE_LINE) {
        // SAFETY: a hint, which has no effect but on time, whatever lies at the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(at)) };
    }
}

/// Stable Rust has no such hint here.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch(_: *const i8, _: usize) {}
