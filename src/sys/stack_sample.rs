//! The stack of another thread, by a signal: where is it, right now?
//!
//! ```text
//!   watcher                              the thread it watches
//!   state = ASKED, send SIGURG ────────▶ handler: seq moved? stale, and no more of it
//!   wait, 50 ms at most                           pc; walk A; walk B if it may
//!   copy the addresses     ◀──────────── state = DONE, back to where it was
//! ```
//!
//! SIGURG because its default is to do nothing, debuggers pass it, and the C library does not use
//! it: one that comes late, after all is put away, does no harm. The handler loads and stores
//! atomics and walks; it takes no lock, allocates nothing, and formats nothing. What the addresses
//! mean is found out elsewhere, by whoever asked.
//!
//! **Why the thread lives.** A target belongs to the thread it was made on, and cannot be sent
//! away. Dropping it takes the lock that a sampler holds for as long as it samples.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::time::{Duration, Instant};

use super::sample_chain::{SelfTest, call_chain, chain_found};
use super::sample_row::{DONE, IDLE, ROWS, TARGETS_MAX, Unwound, on_sample};
use super::sample_signal::{install, uninstall};
use super::thread_state::ThreadId;
use super::unwind::{Unwinder, warm_up};

/// The signal that samples are taken by if nothing else was said.
pub(crate) const SAMPLE_SIGNAL: i32 = libc::SIGURG;

/// What a sample needs to know of the loop. Both cells are written by the loop's thread.
pub(crate) trait PulseCells: Send + Sync + 'static {
    /// A number that changes when user code begins and ends.
    fn seq(&self) -> &AtomicU64;
    /// Above zero while the stack must not be unwound.
    fn no_unwind(&self) -> &AtomicU8;
}

/// A stack, innermost address first: the interrupted instruction, then return addresses.
#[derive(Clone, Debug)]
pub(crate) struct StackSample {
    pub(crate) pcs: Vec<usize>,
    /// Which walk they are of, and why not the better one.
    pub(crate) how: Unwound,
    /// The loop had moved on: this is the stack of something else, and was not taken.
    pub(crate) is_stale: bool,
}

/// The thread it was made on, as one whose stack can be sampled. It stays on that thread.
pub(crate) struct StackTarget {
    sampler: Sampler,
    test: SelfTest,
    /// What the row points into.
    _pulse: Arc<dyn PulseCells>,
    here: PhantomData<*const ()>,
}

impl StackTarget {
    /// Makes this thread one, and tests whether it works: the signal is sent and handled before
    /// this returns.
    ///
    /// # Errors
    ///
    /// If the signal cannot be handled, or 32 targets live already.
    pub(crate) fn here(pulse: Arc<dyn PulseCells>, signal: i32) -> io::Result<Self> {
        let mut taken = None;
        for (at, row) in ROWS.iter().enumerate() {
            // One that is locked is somebody's; in a fork, of a thread that is not there.
            let Some(mut owner) = row.try_lock() else {
                continue;
            };
            if owner.thread.is_none() {
                install(signal, on_sample)?;
                owner.generation += 1;
                owner.thread = Some(ThreadId::here());
                owner.signal = signal;
                taken = Some((at, owner.generation));
                break;
            }
        }
        let Some((row, generation)) = taken else {
            let message = format!("{TARGETS_MAX} threads are watched already");
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        };
        let unwinder = Unwinder::find();
        if unwinder.refusal.is_none() {
            warm_up();
        }
        ROWS[row].open(&*pulse, unwinder);
        let mut target = Self {
            sampler: Sampler { row, generation },
            test: SelfTest {
                answers: false,
                framed: (0, 0),
                unwound: (0, 0),
                refusal: unwinder.refusal,
            },
            _pulse: pulse,
            here: PhantomData,
        };
        target.test_itself();
        Ok(target)
    }

    /// What another thread samples this one with.
    pub(crate) fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// What works on this thread, as was found out when this was made.
    pub(crate) fn test(&self) -> &SelfTest {
        &self.test
    }

    fn test_itself(&mut self) {
        let row = &ROWS[self.sampler.row];
        let seq = row.current_seq();
        if !row.ask(seq) {
            return;
        }
        let owner = row.lock();
        let (thread, signal) = (owner.thread, owner.signal);
        drop(owner);
        call_chain(move || thread.is_some_and(|thread| thread.signal(signal)));
        // A signal to oneself comes before kill returns, if it comes.
        if row.withdraw() != DONE {
            return;
        }
        let found = |pcs: Vec<usize>| (chain_found(&pcs), pcs.len());
        self.test.answers = !row.is_stale.load(Ordering::Relaxed);
        self.test.framed = found(row.framed.to_vec());
        self.test.unwound = found(row.unwound.to_vec());
        row.state.store(IDLE, Ordering::Release);
        if self.test.refusal.is_none() && self.test.unwound.0 < 3 {
            self.test.refusal = Some("the unwinder does not find its way out of a handler");
            row.unwinder.store(std::ptr::null_mut(), Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for StackTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("StackTarget");
        text.field("test", &self.test).finish_non_exhaustive()
    }
}

impl Drop for StackTarget {
    fn drop(&mut self) {
        let row = &ROWS[self.sampler.row];
        // Waits for a sampler that is at it: the handler runs on this thread, so it can.
        let mut owner = row.lock();
        row.thread.store(0, Ordering::SeqCst);
        row.seq.store(std::ptr::null_mut(), Ordering::SeqCst);
        row.no_unwind.store(std::ptr::null_mut(), Ordering::SeqCst);
        row.state.store(IDLE, Ordering::SeqCst);
        owner.thread = None;
        uninstall(owner.signal, on_sample);
    }
}

/// Samples one target, from any other thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampler {
    row: usize,
    generation: u64,
}

impl Sampler {
    /// Interrupts the thread and copies its stack, if the loop's number still is `seq` then.
    /// Waits for `patience` at most; none if the thread does not answer, or has gone.
    pub(crate) fn sample(self, seq: u64, patience: Duration) -> Option<StackSample> {
        let row = &ROWS[self.row];
        let owner = row.lock();
        let thread = owner
            .thread
            .filter(|_| owner.generation == self.generation)?;
        if !row.ask(seq) {
            return None;
        }
        let begun = Instant::now();
        if !thread.signal(owner.signal) {
            row.withdraw();
            row.is_owed.store(false, Ordering::SeqCst);
            return None;
        }
        let mut nap = Duration::from_micros(10);
        while row.state.load(Ordering::Acquire) != DONE {
            if begun.elapsed() >= patience {
                break;
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(1));
        }
        // One that is still writing is thrown away by the next that asks.
        let sample = (row.withdraw() == DONE).then(|| row.copy())?;
        row.state.store(IDLE, Ordering::Release);
        Some(sample)
    }
}

#[cfg(test)]
impl Sampler {
    /// Samples the calling thread as the handler does, in another handler.
    ///
    /// # Safety
    ///
    /// The arguments are those of that handler, and it has `SA_SIGINFO`.
    pub(super) unsafe fn sample_here(
        self,
        number: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) -> Option<Unwound> {
        let row = &ROWS[self.row];
        if !row.ask(row.current_seq()) {
            return None;
        }
        on_sample(number, info, context);
        (row.withdraw() == DONE).then(|| Unwound::ALL[row.how.load(Ordering::Relaxed) as usize].0)
    }
}
