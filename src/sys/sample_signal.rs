//! The signal that samples are taken by: who handles it, and who did before.
//!
//! The handler belongs to the whole process, and to nobody else's signals: what was not asked for
//! here is passed on to the handler that was there before. One that is put over ours later, and
//! calls ours, keeps working; ours is then left where it is when the last target has gone, and
//! does nothing but pass on. With no handler before, a signal that nobody asked for does nothing.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{c_int, c_void, siginfo_t};

use super::fault::NamedError;
use super::socket::check;

/// Signals have numbers below this.
const SIGNALS: usize = 65;

/// The kind of handler that is installed here.
pub(super) type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// What a signal did before, as the handler reads it.
struct Before {
    action: AtomicUsize,
    takes_info: AtomicBool,
}

static BEFORE: [Before; SIGNALS] = [const {
    Before {
        action: AtomicUsize::new(libc::SIG_DFL),
        takes_info: AtomicBool::new(false),
    }
}; SIGNALS];

/// Who uses which signal. The handler never takes this lock.
static REGISTER: Mutex<[Used; SIGNALS]> = Mutex::new([const { Used::new() }; SIGNALS]);

struct Used {
    count: usize,
    before: Option<libc::sigaction>,
}

impl Used {
    const fn new() -> Self {
        Self {
            count: 0,
            before: None,
        }
    }
}

/// Installs the handler for this signal, if it is not.
///
/// # Errors
///
/// For a signal that cannot be handled, or that the processor raises.
pub(super) fn install(signal: c_int, handler: Handler) -> io::Result<()> {
    let raised = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
    let number = usize::try_from(signal).unwrap_or(0);
    if number == 0 || number >= SIGNALS || raised.contains(&signal) {
        let message = format!("stacks cannot be sampled by signal {signal}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut register = lock();
    let used = &mut register[number];
    if used.count > 0 {
        used.count += 1;
        return Ok(());
    }
    let now = exchange(signal, None)?;
    // It may have been left below another's, which calls it: to be called once is enough.
    let is_below = used.before.is_some() && now.sa_sigaction != used.first();
    if !is_below {
        BEFORE[number].takes_info.store(false, Ordering::SeqCst);
        BEFORE[number]
            .action
            .store(now.sa_sigaction, Ordering::SeqCst);
        let takes_info = now.sa_flags & libc::SA_SIGINFO != 0;
        BEFORE[number]
            .takes_info
            .store(takes_info, Ordering::SeqCst);
        let named = |error| {
            NamedError::wrap(
                error,
                format!("cannot sample stacks by signal {signal}"),
                None,
            )
        };
        exchange(signal, Some(&our_action(handler, &now))).map_err(named)?;
        used.before = Some(now);
    }
    used.count = 1;
    Ok(())
}

impl Used {
    /// What was there when nothing of ours was.
    fn first(&self) -> usize {
        let before = self.before.as_ref();
        before.map_or(libc::SIG_DFL, |before| before.sa_sigaction)
    }
}

/// Undoes one [`install`]; the last puts back what was there before, if it can.
pub(super) fn uninstall(signal: c_int, handler: Handler) {
    let mut register = lock();
    let used = &mut register[signal as usize];
    used.count -= 1;
    if used.count > 0 {
        return;
    }
    // Whoever has put a handler over ours since keeps it, and may call ours.
    let is_ours = exchange(signal, None).is_ok_and(|now| now.sa_sigaction == handler as usize);
    if let Some(before) = used.before.take_if(|_| is_ours) {
        // It fails only for signals that do not exist, and this one has had a handler.
        let _ = exchange(signal, Some(&before));
    }
}

/// Passes a signal on that was not asked for. Async-signal-safe if what it is passed to is.
pub(super) fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(before) = BEFORE.get(signal as usize) else {
        return;
    };
    let action = before.action.load(Ordering::SeqCst);
    if action == libc::SIG_DFL || action == libc::SIG_IGN {
        return;
    }
    if before.takes_info.load(Ordering::SeqCst) {
        // SAFETY: sigaction(2) gave it as a handler that takes three arguments, and it is called
        // with those that the kernel has passed for the same signal.
        let handler: Handler = unsafe { std::mem::transmute(action) };
        handler(signal, info, context);
    } else {
        // SAFETY: as above, for a handler that takes one argument.
        let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(action) };
        handler(signal);
    }
}

fn lock() -> MutexGuard<'static, [Used; SIGNALS]> {
    // Nothing panics under this lock but a broken invariant, and it leaves counts as they are.
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn our_action(handler: Handler, before: &libc::sigaction) -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a sigaction of zeros is valid: SIG_DFL, no flags, an empty mask on every system here.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = handler as usize;
    // SA_RESTART: most calls of the thread that is sampled go on as if nothing had been.
    // SA_ONSTACK only where a handler was there that needs it (Go's): the small stack that std
    // sets up for handlers has not always room for the unwinder.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | before.sa_flags & libc::SA_ONSTACK;
    // SAFETY: sigfillset(3) writes one signal set through a pointer to one that lives here.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    *action
}

/// Installs `action`, or none, and returns what was installed before.
fn exchange(signal: c_int, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let action = action.map_or(std::ptr::null(), std::ptr::from_ref);
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction(2) reads one sigaction if the pointer is not null, and writes one. A
    // handler installed here is async-signal-safe and alive for ever, or was installed before.
    check(unsafe { libc::sigaction(signal, action, before.as_mut_ptr()) })?;
    // SAFETY: sigaction(2) succeeded, so it has written the structure; it was zeroed before, too.
    Ok(unsafe { before.assume_init() })
}
