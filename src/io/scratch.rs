//! Memory to read into, shared by all that read on a thread.
//!
//! Whoever reads takes one when it is polled, uses up or keeps elsewhere what
//! came, and gives it back before it waits. So a thousand idle connections
//! hold no buffer; a few stay with the thread until it ends. And the bytes of
//! each read lie where the last ones did, in the processor's cache: an echo of
//! 100 KiB costs 3 % less than with buffers of their own (November 2026,
//! `compare echo100k`, in benches/README.md).
//!
//! What the last reader left in it is still there: only what a read has said
//! to have brought may be looked at.

use super::spares::Spares;

/// What one read may bring. A body of 100 KiB needs one read, and 256 KiB
/// is where larger ones stopped paying (November 2026, loopback).
pub(crate) const SCRATCH_BYTES: usize = 256 * 1024;

/// How many wait to be used again, at most. One is enough, unless one who
/// reads polls another.
const SPARES_MAX: usize = 4;

thread_local! {
    static SPARES: Spares<Box<[u8]>, SPARES_MAX> = const { Spares::new() };
}

/// Takes one, of [`SCRATCH_BYTES`].
pub(crate) fn take() -> Box<[u8]> {
    // There are none while the thread is torn down.
    let spare = SPARES.try_with(Spares::take).ok().flatten();
    spare.unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice())
}

/// Gives it back. Memory of another size is freed.
pub(crate) fn give(scratch: Box<[u8]>) {
    if scratch.len() == SCRATCH_BYTES {
        let _ = SPARES.try_with(|spares| spares.give(scratch));
    }
}

#[cfg(test)]
mod tests {
    use super::{SCRATCH_BYTES, SPARES_MAX, give, take};

    #[test]
    fn what_is_given_back_is_taken_again_and_few_are_kept() {
        let mut taken: Vec<_> = (0..SPARES_MAX + 2).map(|_| take()).collect();
        assert!(taken.iter().all(|scratch| scratch.len() == SCRATCH_BYTES));
        for (number, scratch) in taken.iter_mut().enumerate() {
            scratch[0] = number as u8 + 1;
        }
        taken.into_iter().for_each(give);
        give(vec![9; 3].into());
        let again: Vec<_> = (0..SPARES_MAX + 2).map(|_| take()).collect();
        let used = again.iter().filter(|scratch| scratch[0] > 0).count();
        assert_eq!(used, SPARES_MAX);
        assert!(again.iter().all(|scratch| scratch.len() == SCRATCH_BYTES));
    }
}
