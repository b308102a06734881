//! Two ways up a stack: along frame pointers, and by the unwinder's tables.
//!
//! ```text
//!   frame pointers  touches nothing but the thread's own stack: always safe, often short,
//!                   for most code is compiled without them
//!   the unwinder    reads the tables that panics use: whole stacks, but it has to be asked
//!                   not to: while it runs already, or in the middle of the loader
//! ```
//!
//! Both run in a signal handler. The unwinder of libgcc finds its tables by `_dl_find_object`,
//! which takes no lock (glibc 2.35, gcc 12); before that by `dl_iterate_phdr`, which takes the
//! loader's. So that function has to be there, and libgcc has to name it, or the unwinder is off.
//!
//! It believes the tables. Where they lie, as those of hand-written assembly may, it goes to an
//! address that is none, and the process ends; hence `tourbillon::no_unwind`. What compilers and
//! the C library make does not lie: `tests/stepped.rs` has tried each instruction of some of it.

#[cfg(target_os = "linux")]
use std::ffi::{CStr, c_int, c_void};
#[cfg(target_os = "linux")]
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::registers::Registers;

/// How many addresses of a stack are kept.
pub(super) const FRAMES_MAX: usize = 128;

/// Room that a walk by the unwinder wants below the handler's own frame.
pub(super) const UNWIND_ROOM: usize = 6 * 1024;

/// Addresses that a handler can write and another thread read.
pub(super) struct Pcs {
    len: AtomicUsize,
    pcs: [AtomicUsize; FRAMES_MAX],
}

impl Pcs {
    pub(super) const fn new() -> Self {
        Self {
            len: AtomicUsize::new(0),
            pcs: [const { AtomicUsize::new(0) }; FRAMES_MAX],
        }
    }

    pub(super) fn clear(&self) {
        self.len.store(0, Ordering::Relaxed);
    }

    /// Adds one; says whether there is room for another.
    pub(super) fn push(&self, pc: usize) -> bool {
        let at = self.len.load(Ordering::Relaxed);
        let Some(place) = self.pcs.get(at) else {
            return false;
        };
        place.store(pc, Ordering::Relaxed);
        self.len.store(at.wrapping_add(1), Ordering::Relaxed);
        at.wrapping_add(1) < FRAMES_MAX
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed).min(FRAMES_MAX)
    }

    pub(super) fn to_vec(&self) -> Vec<usize> {
        let pcs = &self.pcs[..self.len()];
        pcs.iter().map(|pc| pc.load(Ordering::Relaxed)).collect()
    }
}

/// No frame is at this address: a walk from here leaves out none.
const EVERYTHING: usize = 0;

/// Addresses have 48 bits; what is above them in a return address of aarch64 is its signature.
const ADDRESS: usize = if cfg!(target_arch = "aarch64") {
    (1 << 48) - 1
} else {
    usize::MAX
};

/// Walk A: from frame pointer to frame pointer. The interrupted pc is the first.
///
/// # Safety
///
/// It is called on the thread whose stack lies from `at.sp` to `high`, and all of that is mapped.
/// What the frame pointers point to may be anything.
pub(super) unsafe fn walk_frames(at: Registers, high: usize, into: &Pcs) {
    const WORD: usize = size_of::<usize>();
    if !into.push(at.pc) {
        return;
    }
    let (mut low, mut fp) = (at.sp, at.fp);
    loop {
        let is_frame = fp.is_multiple_of(WORD) && fp >= low && high >= 2 * WORD;
        if !is_frame || fp > high - 2 * WORD {
            return;
        }
        // SAFETY: both words lie between sp and the end of the stack, which is mapped, and are
        // aligned. They are read as the bytes they are; another frame may be using them.
        let (next, back) = unsafe {
            let frame = fp as *const usize;
            (frame.read_volatile(), frame.wrapping_add(1).read_volatile())
        };
        let back = back & ADDRESS;
        if back < 4096 || !into.push(back) {
            return;
        }
        // Strictly up, so it ends.
        low = fp.wrapping_add(2 * WORD);
        fp = next;
    }
}

/// What the callback of the unwinder is handed on.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
struct Walk<'a> {
    from: usize,
    seen: bool,
    into: &'a Pcs,
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
unsafe extern "C" {
    // Of libgcc or LLVM's libunwind, one of which std is linked with wherever it can panic.
    fn _Unwind_Backtrace(
        each: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
extern "C" fn each_frame(context: *mut c_void, walk: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const STOP: c_int = 4;
    // SAFETY: `walk_unwinder` passes a Walk that lives until the unwinder is done.
    let walk = unsafe { &mut *walk.cast::<Walk<'_>>() };
    // SAFETY: the unwinder calls this with its own context, for as long as this call lasts.
    let pc = unsafe { _Unwind_GetIP(context) };
    // The handler's frames and the trampoline's come first.
    walk.seen = walk.seen || pc == walk.from;
    if walk.seen && (pc == 0 || !walk.into.push(pc)) {
        return STOP;
    }
    GO_ON
}

/// Walk B: by the unwinder, beginning with the frame that is at `from`, and leaving out those
/// that it called; or with the walk itself, at [`EVERYTHING`]. Async-signal-safe where
/// [`Unwinder::find`] says so and `from` is not itself in the loader or the unwinder.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(super) fn walk_unwinder(from: usize, into: &Pcs) {
    let mut walk = Walk {
        from,
        seen: from == EVERYTHING,
        into,
    };
    // SAFETY: the callback does not unwind and keeps nothing; the argument is the Walk it expects.
    unsafe { _Unwind_Backtrace(each_frame, (&raw mut walk).cast()) };
}

/// Nothing: [`Unwinder::find`] has refused.
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(super) fn walk_unwinder(_from: usize, _into: &Pcs) {}

/// The stack of the caller, innermost address first, where the unwinder is known to work; else
/// nothing. Not for handlers.
pub(crate) fn stack_here() -> Vec<usize> {
    let pcs = Pcs::new();
    walk_unwinder(EVERYTHING, &pcs);
    pcs.to_vec()
}

/// Walks once where it does no harm, so that what is loaded at first use is loaded.
pub(super) fn warm_up() {
    static NOWHERE: Pcs = Pcs::new();
    walk_unwinder(usize::MAX, &NOWHERE);
    std::hint::black_box(std::thread::panicking());
}

/// Whether this process's unwinder may run in a signal handler, and where it must not interrupt.
#[derive(Debug)]
pub(super) struct Unwinder {
    /// Why it may not.
    pub(super) refusal: Option<&'static str>,
    /// From and to, of the loader and of libgcc.
    ranges: Vec<(usize, usize)>,
}

impl Unwinder {
    /// Looks once per process. Not for handlers.
    pub(super) fn find() -> &'static Self {
        static FOUND: OnceLock<Unwinder> = OnceLock::new();
        FOUND.get_or_init(Self::look)
    }

    /// Whether a thread that was interrupted at `pc` is in neither. Async-signal-safe.
    pub(super) fn may_interrupt(&self, pc: usize) -> bool {
        let inside = |&(from, to): &(usize, usize)| (from..to).contains(&pc);
        !self.ranges.iter().any(inside)
    }

    #[cfg(target_os = "linux")]
    fn look() -> Self {
        let mut found = Objects::default();
        // SAFETY: the callback keeps to its contract; the argument is the Objects it expects, and
        // lives until the call returns.
        unsafe { libc::dl_iterate_phdr(Some(each_object), (&raw mut found).cast()) };
        let refusal = match &found.libgcc {
            _ if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) => {
                Some("not on this processor")
            }
            _ if !has_find_object() => Some("the loader finds tables under a lock (glibc < 2.35)"),
            None => Some("libgcc_s is not loaded"),
            Some(path) if !names_find_object(path) => {
                Some("libgcc_s finds tables under a lock (gcc < 12)")
            }
            Some(_) => None,
        };
        Self {
            refusal,
            ranges: found.ranges,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn look() -> Self {
        Self {
            refusal: Some("not on this system"),
            ranges: Vec::new(),
        }
    }
}

/// glibc has had it since 2.35; other C libraries lack it.
#[cfg(target_os = "linux")]
fn has_find_object() -> bool {
    // SAFETY: the name ends with a nul; looking a symbol up runs no code but the loader's.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, FIND_OBJECT.as_ptr()) }.is_null()
}

#[cfg(target_os = "linux")]
const FIND_OBJECT: &CStr = c"_dl_find_object";

/// Whether the library at this path asks for it.
#[cfg(target_os = "linux")]
fn names_find_object(path: &std::path::Path) -> bool {
    let name = FIND_OBJECT.to_bytes_with_nul();
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(name.len()).any(|window| window == name)
}

/// What is noted of the loaded objects.
#[cfg(target_os = "linux")]
#[derive(Default)]
struct Objects {
    ranges: Vec<(usize, usize)>,
    libgcc: Option<PathBuf>,
}

#[cfg(target_os = "linux")]
extern "C" fn each_object(
    info: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    found: *mut c_void,
) -> c_int {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: dl_iterate_phdr(3) passes a description that lives for this call, with a name and
    // as many program headers as it says, and hands on the Objects it was given.
    let (info, found) = unsafe { (&*info, &mut *found.cast::<Objects>()) };
    if info.dlpi_name.is_null() || info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: as above.
    let (name, headers) = unsafe {
        let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
        (CStr::from_ptr(info.dlpi_name).to_bytes(), headers)
    };
    // SAFETY: getauxval(3) takes a number and returns one.
    let loader = unsafe { libc::getauxval(libc::AT_BASE) };
    let file = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    let is_libgcc = file.starts_with(b"libgcc_s.");
    let is_loader = file.starts_with(b"ld-") || file.starts_with(b"ld64") || file == b"ld.so.1";
    if is_libgcc {
        found.libgcc = Some(PathBuf::from(std::ffi::OsStr::from_bytes(name)));
    } else if !is_loader && (loader == 0 || info.dlpi_addr as usize != loader as usize) {
        return 0;
    }
    for header in headers {
        if header.p_type == libc::PT_LOAD {
            let from = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            let to = from.wrapping_add(header.p_memsz as usize);
            found.ranges.push((from, to));
        }
    }
    0
}
