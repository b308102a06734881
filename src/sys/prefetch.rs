//! Memory that is fetched into the cache before it is needed, while the processor does something
//! else.

/// What is fetched of one value, at most: the processor has few fetches under way at a time.
#[cfg(target_arch = "x86_64")]
const FETCHED_MAX: usize = 512;

#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Has the processor fetch a value. Reads nothing, and waits for nothing.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn prefetch<T: ?Sized>(value: &T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    let start = (&raw const *value).cast::<i8>();
    let len = size_of_val(value).min(FETCHED_MAX);
    for at in (0..len).step_by(CACHE_LINE) {
        // SAFETY: a hint that can have no effect but on time, and the address is within a value
        // that is borrowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(at)) };
    }
}

/// Does nothing where stable Rust has no such hint.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn prefetch<T: ?Sized>(_: &T) {}
