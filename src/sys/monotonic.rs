//! The clock that only goes forward, as one number.
//!
//! The standard library reads the same clock, but its instants are pairs that
//! cost more to subtract than the clock costs to read.

use std::mem::MaybeUninit;

/// The one that does not go on while the machine is suspended.
#[cfg(target_vendor = "apple")]
const CLOCK: libc::clockid_t = libc::CLOCK_UPTIME_RAW;
#[cfg(not(target_vendor = "apple"))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Nanoseconds since some time before this process began.
#[inline]
pub(crate) fn monotonic_nanos() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call writes the whole structure that it is given, and has no
    // other way to fail than a clock that does not exist; this one does.
    let time = unsafe {
        libc::clock_gettime(CLOCK, time.as_mut_ptr());
        time.assume_init()
    };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000) + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::monotonic_nanos;

    #[test]
    fn it_goes_forward_and_as_fast_as_instants() {
        let (began, before) = (std::time::Instant::now(), monotonic_nanos());
        std::thread::sleep(std::time::Duration::from_millis(3));
        let between = monotonic_nanos() - before;
        assert!(between >= 3_000_000 && between <= began.elapsed().as_nanos() as u64);
    }
}
