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
//! **Why the rows never end.** As in `signal.rs`: a handler may be late, so what it writes to has
//! to be there for ever. A row is given to the next target when its last one has gone.
//!
//! **Why the thread lives.** A target belongs to the thread it was made on, and cannot be sent
//! away. Dropping it takes the lock that a sampler holds for as long as it samples.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libc::{c_int, c_void, siginfo_t};

use super::registers::{Registers, own_stack};
use super::sample_chain::{SelfTest, call_chain, chain_found};
use super::sample_signal::{install, pass_on, uninstall};
use super::signal::errno_location;
use super::thread_state::ThreadId;
use super::unwind::{Pcs, UNWIND_ROOM, Unwinder, walk_frames, walk_unwinder, warm_up};

/// The signal that samples are taken by if nothing else was said.
pub(crate) const SAMPLE_SIGNAL: i32 = libc::SIGURG;

/// What a sample needs to know of the loop. Both cells are written by the loop's thread.
pub(crate) trait PulseCells: Send + Sync + 'static {
    /// A number that changes when user code begins and ends.
    fn seq(&self) -> &AtomicU64;
    /// Above zero while the stack must not be unwound.
    fn no_unwind(&self) -> &AtomicU8;
}

/// How many targets one process may have at a time: one for each watched runtime.
const TARGETS_MAX: usize = 32;

// The states of a row. ASKED by the sampler, WRITING and DONE by the handler.
const IDLE: u32 = 0;
const ASKED: u32 = 1;
const WRITING: u32 = 2;
const DONE: u32 = 3;

/// One target, as the handler sees it.
struct Row {
    state: AtomicU32,
    /// `pthread_self` of its thread; 0 for a row that nobody has.
    thread: AtomicUsize,
    /// A signal was sent and has not come yet.
    is_owed: AtomicBool,
    /// The number that the sampler has seen.
    wanted_seq: AtomicU64,
    seq: AtomicPtr<AtomicU64>,
    no_unwind: AtomicPtr<AtomicU8>,
    stack_low: AtomicUsize,
    stack_high: AtomicUsize,
    unwinder: AtomicPtr<Unwinder>,
    is_stale: AtomicBool,
    how: AtomicU8,
    framed: Pcs,
    unwound: Pcs,
    owner: Mutex<Owner>,
}

/// Who has a row. The handler never takes its lock.
struct Owner {
    /// Counts the targets that have had it.
    generation: u64,
    thread: Option<ThreadId>,
    signal: c_int,
}

static ROWS: [Row; TARGETS_MAX] = [const { Row::new() }; TARGETS_MAX];

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
    const ALL: [(Self, &'static str); 8] = [
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
        let free = |row: &&Row| row.lock().thread.is_none();
        let mut taken = None;
        for (at, row) in ROWS.iter().enumerate().filter(|(_, row)| free(row)) {
            let mut owner = row.lock();
            // Another may have been quicker.
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

    fn lock(&self) -> MutexGuard<'_, Owner> {
        // Nothing panics under this lock but a broken invariant.
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fills a row that has an owner; the thread last, for the handler goes by it.
    fn open(&self, pulse: &dyn PulseCells, unwinder: &'static Unwinder) {
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
    fn ask(&self, seq: u64) -> bool {
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
    fn withdraw(&self) -> u32 {
        let ended = self
            .state
            .compare_exchange(ASKED, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        ended.unwrap_or_else(|found| found)
    }

    fn copy(&self) -> StackSample {
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
    fn current_seq(&self) -> u64 {
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
        if std::thread::panicking() {
            Unwound::Panicking
        } else if self.is_forbidden() {
            Unwound::Forbidden
        } else if !unwinder.may_interrupt(pc) {
            Unwound::InLoader
        } else if is_own_stack && here.wrapping_sub(low) < UNWIND_ROOM {
            Unwound::NoRoom
        } else {
            Unwound::Walked
        }
    }
}

/// A number that no other thread has at the same time.
fn this_thread() -> usize {
    // SAFETY: it returns the calling thread's handle, and has no other effect.
    unsafe { libc::pthread_self() as usize }
}

/// Runs on whatever thread the kernel chose, possibly in the middle of anything.
extern "C" fn on_sample(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
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
