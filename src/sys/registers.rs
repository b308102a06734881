//! Where a thread was when a signal interrupted it.
//!
//! Linux and macOS, x86-64 and aarch64. Elsewhere there is no answer, and so no stack.

use libc::c_void;

/// The registers a stack walk begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    /// The next instruction.
    pub(super) pc: usize,
    /// The end of the stack in use; stacks grow down.
    pub(super) sp: usize,
    /// The frame pointer, in code that keeps one; anything in code that does not.
    pub(super) fp: usize,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
impl Registers {
    /// Those in the context that the kernel hands to a signal handler.
    ///
    /// # Safety
    ///
    /// `context` is the third argument of a handler with `SA_SIGINFO` that has not returned.
    pub(super) unsafe fn interrupted(context: *const c_void) -> Option<Self> {
        // SAFETY: by contract this is the ucontext_t that the kernel put on the stack.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        Some(Self {
            pc: registers[libc::REG_RIP as usize] as usize,
            sp: registers[libc::REG_RSP as usize] as usize,
            fp: registers[libc::REG_RBP as usize] as usize,
        })
    }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
impl Registers {
    /// Those in the context that the kernel hands to a signal handler.
    ///
    /// # Safety
    ///
    /// `context` is the third argument of a handler with `SA_SIGINFO` that has not returned.
    pub(super) unsafe fn interrupted(context: *const c_void) -> Option<Self> {
        // SAFETY: by contract this is the ucontext_t that the kernel put on the stack.
        let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
        Some(Self {
            pc: registers.pc as usize,
            sp: registers.sp as usize,
            fp: registers.regs[29] as usize,
        })
    }
}

#[cfg(all(
    target_os = "macos",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
impl Registers {
    /// Those in the context that the kernel hands to a signal handler.
    ///
    /// # Safety
    ///
    /// `context` is the third argument of a handler with `SA_SIGINFO` that has not returned.
    pub(super) unsafe fn interrupted(context: *const c_void) -> Option<Self> {
        // SAFETY: by contract this is the ucontext_t that the kernel put on the stack, and the
        // machine context it points to is beside it.
        let registers = unsafe { &(*(*context.cast::<libc::ucontext_t>()).uc_mcontext).__ss };
        #[cfg(target_arch = "x86_64")]
        return Some(Self {
            pc: registers.__rip as usize,
            sp: registers.__rsp as usize,
            fp: registers.__rbp as usize,
        });
        #[cfg(target_arch = "aarch64")]
        return Some(Self {
            pc: registers.__pc as usize,
            sp: registers.__sp as usize,
            fp: registers.__fp as usize,
        });
    }
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "macos"),
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
impl Registers {
    /// None: where this system keeps them is not known here.
    ///
    /// # Safety
    ///
    /// None is needed; it is there for the other systems.
    pub(super) unsafe fn interrupted(_context: *const c_void) -> Option<Self> {
        None
    }
}

/// The calling thread's stack, from its lowest address to the one after its highest; none where
/// the system does not tell. It may allocate and read files: not for handlers.
#[cfg(target_os = "linux")]
pub(super) fn own_stack() -> Option<(usize, usize)> {
    use std::mem::MaybeUninit;
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
    let (mut low, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: pthread_getattr_np(3) fills the attributes of a live thread, this one; what it has
    // filled is read, and given back once. The out pointers are to locals.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let refused = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (refused == 0 && !low.is_null()).then(|| (low as usize, low as usize + size))
    }
}

/// As on Linux.
#[cfg(target_os = "macos")]
pub(super) fn own_stack() -> Option<(usize, usize)> {
    // SAFETY: both take a live thread, this one, and return numbers.
    let (high, size) = unsafe {
        let me = libc::pthread_self();
        (
            libc::pthread_get_stackaddr_np(me) as usize,
            libc::pthread_get_stacksize_np(me),
        )
    };
    (high > size).then(|| (high - size, high))
}

/// Not told.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn own_stack() -> Option<(usize, usize)> {
    None
}
