//! What the sampler and the handler share of one thread, and the handler.
//!
//! **Why the rows never end.** As in `signal.rs`: a handler may be late, so what it writes to has
//! to be there for ever. A row is given to the next target when its last one has gone.
//!
//! **What the guards are for.** `tests/stepped.rs` interrupts every single instruction of a panic,
//! of a backtrace and of the loader, with and without them.

use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use libc::{c_int, c_void, siginfo_t};

use super::registers::{Registers, own_stack};
use super::sample_signal::pass_on;
use super::signal::errno_location;
use super::stack_sample::{PulseCells, StackSample};
use super::thread_state::ThreadId;
use super::unwind::{Pcs, UNWIND_ROOM, Unwinder, walk_frames, walk_unwinder};

/// How many targets one process may have at a time: one for each watched runtime.
pub(super) const TARGETS_MAX: usize = 32;

// The states of a row. ASKED by the sampler, WRITING and DONE by the handler.
pub(super) const IDLE: u32 = 0;
const ASKED: u32 = 1;
const WRITING: u32 = 2;
pub(super) const DONE: u32 = 3;

/// One target, as the handler sees it.
pub(super) struct Row {
    pub(super) state: AtomicU32,
    /// `pthread_self` of its thread; 0 for a row that nobody has.
    pub(super) thread: AtomicUsize,
    /// A signal was sent and has not come yet.
    pub(super) is_owed: AtomicBool,
    /// The number that the sampler has seen.
    wanted_seq: AtomicU64,
    pub(super) seq: AtomicPtr<AtomicU64>,
    pub(super) no_unwind: AtomicPtr<AtomicU8>,
    stack_low: AtomicUsize,
    stack_high: AtomicUsize,
    pub(super) unwinder: AtomicPtr<Unwinder>,
    pub(super) is_stale: AtomicBool,
    pub(super) how: AtomicU8,
    pub(super) framed: Pcs,
    pub(super) unwound: Pcs,
    owner: Mutex<Owner>,
}

/// Who has a row. The handler never takes its lock.
pub(super) struct Owner {
    /// Counts the targets that have had it.
    pub(super) generation: u64,
    pub(super) thread: Option<ThreadId>,
    pub(super) signal: c_int,
}

pub(super) static ROWS: [Row; TARGETS_MAX] = [const { Row::new() }; TARGETS_MAX];

/// What became of walk B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Unwound {
    /// It was done.
    Walked,
    /// This process's unwinder takes locks, or failed its test.
    Off,
    /// The thread was unwinding already, for a panic.
    Panicking,
    /// The program has forbidden it for what runs now.
    Forbidden,
    /// The thread was in the loader or the unwinder.
    InLoader,
    /// The thread was on a stack that is not its own: there is nothing but the pc.
    ForeignStack,
    /// Too little of the stack was left.
    NoRoom,
    /// It found less than the frame pointers did.
    CutShort,
}

impl Unwound {
    pub(super) const ALL: [(Self, &'static str); 8] = [
        (Self::Walked, "unwinder"),
        (Self::Off, "frame pointers, the unwinder is off"),
        (Self::Panicking, "frame pointers, a panic unwinds"),
        (
            Self::Forbidden,
            "frame pointers, unwinding is forbidden here",
        ),
        (Self::InLoader, "frame pointers, the loader is at work"),
        (
            Self::ForeignStack,
            "nothing but the address, on a foreign stack",
        ),
        (Self::NoRoom, "frame pointers, the stack is nearly full"),
        (Self::CutShort, "frame pointers, the unwinder lost its way"),
    ];

    /// How the stack was taken, in words.
    pub(crate) fn text(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl Row {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(IDLE),
            thread: AtomicUsize::new(0),
            is_owed: AtomicBool::new(false),
            wanted_seq: AtomicU64::new(0),
            seq: AtomicPtr::new(std::ptr::null_mut()),
            no_unwind: AtomicPtr::new(std::ptr::null_mut()),
            stack_low: AtomicUsize::new(0),
            stack_high: AtomicUsize::new(0),
            unwinder: AtomicPtr::new(std::ptr::null_mut()),
            is_stale: AtomicBool::new(false),
            how: AtomicU8::new(0),
            framed: Pcs::new(),
            unwound: Pcs::new(),
            owner: Mutex::new(Owner {
                generation: 0,
                thread: None,
                signal: 0,
            }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Owner> {
        // Nothing panics under this lock but a broken invariant.
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Owner>> {
        match self.owner.try_lock() {
            Ok(owner) => Some(owner),
            Err(TryLockError::Poisoned(owner)) => Some(owner.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Fills a row that has an owner; the thread last, for the handler goes by it.
    pub(super) fn open(&self, pulse: &dyn PulseCells, unwinder: &'static Unwinder) {
        let usable = unwinder.refusal.is_none().then_some(unwinder);
        let unwinder = usable.map_or(std::ptr::null(), std::ptr::from_ref);
        let (low, high) = own_stack().unwrap_or((0, 0));
        self.unwinder.store(unwinder.cast_mut(), Ordering::SeqCst);
        self.stack_low.store(low, Ordering::SeqCst);
        self.stack_high.store(high, Ordering::SeqCst);
        let seq: *const AtomicU64 = pulse.seq();
        self.seq.store(seq.cast_mut(), Ordering::SeqCst);
        let no_unwind: *const AtomicU8 = pulse.no_unwind();
        self.no_unwind.store(no_unwind.cast_mut(), Ordering::SeqCst);
        self.is_owed.store(false, Ordering::SeqCst);
        self.thread.store(this_thread(), Ordering::SeqCst);
    }

    /// Has the next signal answered; not while an answer to the last is being written.
    pub(super) fn ask(&self, seq: u64) -> bool {
        let _ = self
            .state
            .compare_exchange(DONE, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        if self.state.load(Ordering::SeqCst) != IDLE {
            return false;
        }
        self.wanted_seq.store(seq, Ordering::SeqCst);
        self.is_owed.store(true, Ordering::SeqCst);
        self.state.store(ASKED, Ordering::SeqCst);
        true
    }

    /// Ends an asking that was not answered; returns the state that was found.
    pub(super) fn withdraw(&self) -> u32 {
        let ended = self
            .state
            .compare_exchange(ASKED, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        ended.unwrap_or_else(|found| found)
    }

    pub(super) fn copy(&self) -> StackSample {
        let (framed, unwound) = (self.framed.len(), self.unwound.len());
        let how = usize::from(self.how.load(Ordering::Relaxed));
        // One that the unwinder cut short has lost its way.
        let how = Unwound::ALL[how.min(Unwound::ALL.len() - 1)].0;
        let (better, how) = match how {
            _ if unwound >= framed => (&self.unwound, how),
            Unwound::Walked => (&self.framed, Unwound::CutShort),
            _ => (&self.framed, how),
        };
        StackSample {
            pcs: better.to_vec(),
            how,
            is_stale: self.is_stale.load(Ordering::Relaxed),
        }
    }

    /// The loop's number, read on its own thread.
    pub(super) fn current_seq(&self) -> u64 {
        let seq = self.seq.load(Ordering::SeqCst);
        // SAFETY: it is null, or points into what the target on this very thread keeps alive: it
        // is set to null on this thread before that goes, and a handler runs to its end between.
        unsafe { seq.as_ref() }.map_or(0, |seq| seq.load(Ordering::Relaxed))
    }

    /// Whether the program has forbidden to unwind; on the target's thread, as above.
    fn is_forbidden(&self) -> bool {
        let count = self.no_unwind.load(Ordering::SeqCst);
        // SAFETY: as in `current_seq`.
        unsafe { count.as_ref() }.is_some_and(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// Answers. In the handler, on the target's thread; async-signal-safe.
    ///
    /// # Safety
    ///
    /// `context` is the third argument of that handler.
    unsafe fn fill(&self, context: *const c_void) {
        self.framed.clear();
        self.unwound.clear();
        self.how.store(Unwound::Off as u8, Ordering::Relaxed);
        let is_stale = self.current_seq() != self.wanted_seq.load(Ordering::Relaxed);
        self.is_stale.store(is_stale, Ordering::Relaxed);
        // SAFETY: by contract.
        let Some(at) = (unsafe { Registers::interrupted(context) }).filter(|_| !is_stale) else {
            return;
        };
        let high = self.stack_high.load(Ordering::Relaxed);
        let low = self.stack_low.load(Ordering::Relaxed);
        if !(low..high).contains(&at.sp) {
            self.framed.push(at.pc);
            let how = Unwound::ForeignStack as u8;
            self.how.store(how, Ordering::Relaxed);
            return;
        }
        // SAFETY: this is the thread whose stack ends at `high`, and it is in use from sp on.
        unsafe { walk_frames(at, high, &self.framed) };
        let how = self.may_unwind(at.pc, low, high);
        if how == Unwound::Walked {
            walk_unwinder(at.pc, &self.unwound);
        }
        self.how.store(how as u8, Ordering::Relaxed);
    }

    /// Whether walk B is allowed, and if not, why.
    fn may_unwind(&self, pc: usize, low: usize, high: usize) -> Unwound {
        let unwinder = self.unwinder.load(Ordering::Relaxed);
        // SAFETY: it is null, or was made of a &'static.
        let Some(unwinder) = (unsafe { unwinder.as_ref() }) else {
            return Unwound::Off;
        };
        let local = 0_u8;
        let here = &raw const local as usize;
        let is_own_stack = (low..high).contains(&here);
        if guards(Unwound::Panicking) && std::thread::panicking() {
            Unwound::Panicking
        } else if self.is_forbidden() {
            Unwound::Forbidden
        } else if guards(Unwound::InLoader) && !unwinder.may_interrupt(pc) {
            Unwound::InLoader
        } else if is_own_stack && here.wrapping_sub(low) < UNWIND_ROOM {
            Unwound::NoRoom
        } else {
            Unwound::Walked
        }
    }
}

/// Whether this guard is on; a test switches it off to see what it is for.
fn guards(_how: Unwound) -> bool {
    #[cfg(test)]
    return OFF.load(Ordering::Relaxed) & (1 << _how as u8) == 0;
    #[cfg(not(test))]
    true
}

#[cfg(test)]
static OFF: AtomicU32 = AtomicU32::new(0);

/// Does without these guards from now on, in this process.
#[cfg(test)]
pub(super) fn without_guards(hows: &[Unwound]) {
    let bits = hows.iter().map(|how| 1 << *how as u8);
    OFF.store(bits.sum(), Ordering::Relaxed);
}

/// A number that no other thread has at the same time.
fn this_thread() -> usize {
    // SAFETY: it returns the calling thread's handle, and has no other effect.
    unsafe { libc::pthread_self() as usize }
}

/// Runs on whatever thread the kernel chose, possibly in the middle of anything.
pub(super) extern "C" fn on_sample(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the location of errno is valid for the calling thread, for as long as that lives.
    let saved = unsafe { *errno_location() };
    let here = this_thread();
    let mut is_ours = false;
    for row in &ROWS {
        if row.thread.load(Ordering::SeqCst) != here {
            continue;
        }
        is_ours |= row.is_owed.swap(false, Ordering::SeqCst);
        let asked = row
            .state
            .compare_exchange(ASKED, WRITING, Ordering::SeqCst, Ordering::SeqCst);
        if asked.is_ok() {
            // SAFETY: this is a handler with SA_SIGINFO, and that its third argument.
            unsafe { row.fill(context) };
            row.state.store(DONE, Ordering::Release);
            is_ours = true;
        }
    }
    if !is_ours {
        pass_on(number, info, context);
    }
    // SAFETY: as above. The interrupted code may be about to look at the errno of its own call.
    unsafe { *errno_location() = saved };
}
