//! Every single instruction of what is dangerous to interrupt, interrupted.
//!
//! The processor's trap flag raises SIGTRAP after each instruction, and its handler takes a sample
//! as the real one does. So a test does not hope to hit the one instruction in a million at which
//! the stack cannot be unwound: it hits all of them, every time, and shows which guard is for what
//! by running without it.

use std::arch::asm;
use std::hint::black_box;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use libc::{c_int, c_void, siginfo_t};

use super::super::sample_row::{Unwound, without_guards};
use super::super::sample_signal::Handler;
use super::super::stack_sample::{SAMPLE_SIGNAL, Sampler, StackTarget};
use super::stacks::Cells;
use super::{alone, in_own_process};

/// Who is sampled, by the handler.
static SAMPLER: AtomicPtr<Sampler> = AtomicPtr::new(std::ptr::null_mut());
/// Whether steps are made.
static IS_ON: AtomicBool = AtomicBool::new(false);
/// How often each thing became of walk B.
static HOWS: [AtomicU32; 8] = [const { AtomicU32::new(0) }; 8];

extern "C" fn on_step(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    const TRAP_FLAG: i64 = 0x100;
    // SAFETY: the kernel's own context of this handler, which nobody else has.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let flags = &mut registers[libc::REG_EFL as usize];
    let was_on = *flags & TRAP_FLAG != 0;
    *flags &= !TRAP_FLAG;
    if !IS_ON.load(SeqCst) {
        return;
    }
    *flags |= TRAP_FLAG;
    // SAFETY: it was made of a reference that lives for as long as steps are made.
    let sampler = unsafe { SAMPLER.load(SeqCst).as_ref() };
    if let Some(sampler) = sampler.filter(|_| was_on) {
        // SAFETY: these are the arguments of this handler.
        let how = unsafe { sampler.sample_here(number, info, context) };
        HOWS[how.expect("it was asked for") as usize].fetch_add(1, SeqCst);
    }
}

/// Calls `work`, sampled after each instruction; returns how often which became of walk B.
fn stepped(cells: Arc<Cells>, work: impl FnOnce()) -> [u32; 8] {
    let target = StackTarget::here(cells, SAMPLE_SIGNAL).unwrap();
    assert_eq!(target.test().refusal, None);
    let sampler = target.sampler();
    SAMPLER.store((&raw const sampler).cast_mut(), SeqCst);
    HOWS.iter().for_each(|how| how.store(0, SeqCst));
    // SAFETY: a zeroed sigaction is valid; the handler is as careful as the one that it stands for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_step as Handler as usize;
        action.sa_flags = libc::SA_SIGINFO;
        let done = libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut());
        assert_eq!(done, 0);
    }
    IS_ON.store(true, SeqCst);
    // The handler switches the flag on, and off at the first step after it is over.
    // SAFETY: it takes a number.
    unsafe { libc::raise(libc::SIGTRAP) };
    work();
    IS_ON.store(false, SeqCst);
    black_box(());
    SAMPLER.store(std::ptr::null_mut(), SeqCst);
    HOWS.each_ref().map(|how| how.load(SeqCst))
}

/// Has something to do on the way up, when a panic passes.
struct Dropped(u64);

impl Drop for Dropped {
    fn drop(&mut self) {
        black_box(format!("{}", self.0));
    }
}

#[inline(never)]
fn panic_below(depth: u64) -> u64 {
    let held = Dropped(black_box(depth));
    if depth == 0 {
        panic::resume_unwind(Box::new(1_u8));
    }
    let below = panic_below(black_box(depth - 1));
    below + held.0
}

fn panic_and_catch() {
    let caught = panic::catch_unwind(|| panic_below(6));
    assert!(caught.is_err());
}

/// Loads a library that is not there yet and unloads it: the loader is at work on its lists.
fn load_and_unload() {
    // SAFETY: the names end with nuls; a library of the C library runs nothing when it is loaded.
    unsafe {
        let library = libc::dlopen(c"libBrokenLocale.so.1".as_ptr(), libc::RTLD_NOW);
        let other = libc::dlsym(libc::RTLD_DEFAULT, c"no_such_name".as_ptr());
        assert!(other.is_null());
        if !library.is_null() {
            assert_eq!(libc::dlclose(library), 0);
        }
    }
}

fn take_backtrace() {
    drop(black_box(std::backtrace::Backtrace::force_capture()));
}

#[test]
fn every_instruction_of_a_panic_can_be_interrupted() {
    alone(|| {
        let hows = stepped(Arc::default(), panic_and_catch);
        let of = |how: Unwound| hows[how as usize];
        assert!(of(Unwound::Walked) > 300, "before and after: {hows:?}");
        assert!(of(Unwound::Panicking) > 20_000, "what is between: {hows:?}");
    });
}

#[test]
fn every_instruction_of_the_loader_and_of_a_backtrace_can_be_interrupted() {
    alone(|| {
        let hows = stepped(Arc::default(), || {
            load_and_unload();
            take_backtrace();
        });
        let of = |how: Unwound| hows[how as usize];
        assert!(of(Unwound::Walked) > 1_000, "{hows:?}");
        assert!(of(Unwound::InLoader) > 20_000, "{hows:?}");
    });
}

/// The C library here finds tables without a lock, and libgcc keeps nothing between two frames: so
/// nothing breaks without these guards. They are for those that are not so careful.
#[test]
fn here_even_a_panic_and_the_loader_could_be_unwound() {
    alone(|| {
        without_guards(&[Unwound::Panicking, Unwound::InLoader]);
        let hows = stepped(Arc::default(), || {
            panic_and_catch();
            load_and_unload();
            take_backtrace();
        });
        let all: u32 = hows.iter().sum();
        assert!(all > 50_000, "{hows:?}");
        assert_eq!(hows[Unwound::Walked as usize], all, "{hows:?}");
    });
}

/// Moves the stack pointer without telling the tables, as some hand-written code does.
fn lie_to_the_tables() {
    // SAFETY: what is pushed is popped.
    unsafe { asm!("push 1", "push 1", "push 1", "pop rax", "pop rax", "pop rax", out("rax") _) };
}

/// Why there is `tourbillon::no_unwind`: no guard can know which tables lie.
#[test]
fn code_whose_tables_lie_must_not_be_unwound() {
    let signal = in_own_process(|| {
        let cells = Arc::new(Cells::default());
        let hows = stepped(Arc::clone(&cells), || {
            cells.no_unwind.store(1, SeqCst);
            lie_to_the_tables();
            cells.no_unwind.store(0, SeqCst);
        });
        assert!(hows[Unwound::Forbidden as usize] > 5, "{hows:?}");
        // And now without.
        stepped(Arc::default(), lie_to_the_tables);
    });
    assert_eq!(
        signal,
        Some(libc::SIGSEGV),
        "the unwinder follows what it finds"
    );
}
