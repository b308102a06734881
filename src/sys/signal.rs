//! Signals as the readiness of a file descriptor.
//!
//! A signal handler may run between any two instructions of any thread, so it may do next to
//! nothing: no lock, no allocation. This one sets a bit and writes a byte into a pipe (the
//! "self-pipe trick"); a loop that waits for the pipe then learns of the signal like of any other
//! readiness.
//!
//! The bit says which signal, the byte only that there is one. A signal that is pending already
//! writes no second byte, so a pipe never holds more than a few and no burst can fill it. Like the
//! kernel's own, signals coalesce: two SIGTERM before anybody looks are one. In which order bits
//! and bytes have to change is the matter of [`Pending`].
//!
//! **Why the rows never end.** A handler may have found its row and then lose the processor, for
//! any time, just before it writes. If a dropped listener closed its pipe, that write could go into
//! whatever file got the number next. So the table of [`ROWS`] has a fixed size, and the pipe of a
//! row stays open for ever, for the next listener to use. A late handler can then do no worse than
//! wake the next listener for nothing.

use std::fmt;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libc::c_int;

use super::fault::NamedError;
use super::fork::Origin;
use super::pending::Pending;
use super::socket::{check, set_nonblocking};

/// A signal that a program may want to hear of.
///
/// # Examples
///
/// ```
/// use tourbillon::signal::Signal;
///
/// let line = format!("ending: {} has come", Signal::Terminate.name());
/// assert_eq!(line, "ending: SIGTERM has come");
/// assert_eq!(Signal::Interrupt.number(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// Ctrl-C at the terminal.
    Interrupt,
    /// The polite request to end: `kill`, a container runtime, systemd.
    Terminate,
    /// The terminal has gone; for servers by custom "read your configuration again".
    Hangup,
    /// Ctrl and backslash at the terminal.
    Quit,
    /// Free for the program's use.
    User1,
    /// Free for the program's use.
    User2,
    /// A child process has ended or stopped.
    Child,
    /// The terminal has another size.
    WindowChange,
    /// A write to a pipe or socket that nobody reads. Rust programs ignore it and get an error.
    Pipe,
    /// A timer of alarm(2) is over.
    Alarm,
}

impl Signal {
    pub(super) const ALL: [Self; 10] = [
        Self::Interrupt,
        Self::Terminate,
        Self::Hangup,
        Self::Quit,
        Self::User1,
        Self::User2,
        Self::Child,
        Self::WindowChange,
        Self::Pipe,
        Self::Alarm,
    ];

    /// The number it has on this system.
    pub const fn number(self) -> i32 {
        match self {
            Self::Interrupt => libc::SIGINT,
            Self::Terminate => libc::SIGTERM,
            Self::Hangup => libc::SIGHUP,
            Self::Quit => libc::SIGQUIT,
            Self::User1 => libc::SIGUSR1,
            Self::User2 => libc::SIGUSR2,
            Self::Child => libc::SIGCHLD,
            Self::WindowChange => libc::SIGWINCH,
            Self::Pipe => libc::SIGPIPE,
            Self::Alarm => libc::SIGALRM,
        }
    }

    /// Its name in the manuals, such as `SIGINT`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
            Self::Quit => "SIGQUIT",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::Child => "SIGCHLD",
            Self::WindowChange => "SIGWINCH",
            Self::Pipe => "SIGPIPE",
            Self::Alarm => "SIGALRM",
        }
    }

    /// Its bit in a row's words; all signals here have numbers below 32, on every system.
    const fn bit(self) -> u32 {
        1 << self.number()
    }
}

/// Its number, as for [`Child::signal`](crate::process::Child::signal).
impl From<Signal> for i32 {
    fn from(signal: Signal) -> Self {
        signal.number()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many listeners one process may have at a time: some for each of a dozen runtimes. Not a
/// thousand, since the handler looks at every row, and a row that was used once keeps a pipe.
const LISTENERS_MAX: usize = 64;

/// One listener, as the handler sees it.
struct Row {
    /// Opened by the row's first listener, never closed.
    pipe: OnceLock<(PipeReader, PipeWriter)>,
    /// What its listener wants, and what has come.
    pending: Pending,
    /// The process that opened the pipe; a forked child shares it, and would drain it.
    origin: OnceLock<Origin>,
}

static ROWS: [Row; LISTENERS_MAX] = [const {
    Row {
        pipe: OnceLock::new(),
        pending: Pending::new(),
        origin: OnceLock::new(),
    }
}; LISTENERS_MAX];

/// Who has which row, and what each signal did before us. The handler never takes this lock.
static REGISTER: Mutex<Register> = Mutex::new(Register {
    taken: [false; LISTENERS_MAX],
    handled: [const { None }; Signal::ALL.len()],
});

struct Register {
    taken: [bool; LISTENERS_MAX],
    /// In the order of [`Signal::ALL`]; `None` while nobody listens for that signal.
    handled: [Option<Handled>; Signal::ALL.len()],
}

struct Handled {
    listeners: usize,
    before: libc::sigaction,
}

/// Receives signals; its descriptor is readable while one is pending.
///
/// Several may live at once, in one thread or many, and each gets every signal it asked for. While
/// one lives, its signals no longer do what they did before (for most, end the process); when the
/// last one that asked for a signal is dropped, that is put back. A signal that is on its way to
/// another thread at that moment already meets what was put back.
///
/// The pipe outlives this value (the head of this file says why), so it has to be taken out of an
/// epoll or kqueue by hand: closing does not do it, because nothing is closed. A process keeps at
/// most 128 descriptors this way. After a fork without exec, parent and child share the pipes that
/// are open: reading one is an error in the child, and new listeners get rows that are not shared.
#[derive(Debug)]
pub(crate) struct SignalPipe {
    row: usize,
    wanted: u32,
}

impl SignalPipe {
    /// Starts to listen for `signals`.
    ///
    /// # Errors
    ///
    /// Fails for an empty list, if 64 listeners live already, or if the process is out of
    /// descriptors; nothing has changed then.
    pub(crate) fn new(signals: &[Signal]) -> io::Result<Self> {
        let wanted = signals.iter().fold(0, |bits, signal| bits | signal.bit());
        if wanted == 0 {
            let message = "a signal listener has to listen for at least one signal";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let mut register = Register::lock();
        let is_free = |&row: &usize| !register.taken[row] && ROWS[row].is_here();
        let Some(row) = (0..LISTENERS_MAX).find(is_free) else {
            let message = format!(
                "{LISTENERS_MAX} signal listeners live in this process: drop one, or share one"
            );
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, message));
        };
        ROWS[row].open()?;
        ROWS[row].pending.listen(wanted, || ROWS[row].drain())?;
        register.taken[row] = true;
        // From here on dropping it undoes what has been done.
        let mut pipe = Self { row, wanted: 0 };
        for signal in Signal::ALL {
            if wanted & signal.bit() != 0 {
                if let Err(error) = register.add_listener(signal) {
                    drop(register);
                    return Err(error);
                }
                pipe.wanted |= signal.bit();
            }
        }
        Ok(pipe)
    }

    /// Takes one pending signal; `None` if there is none. Never blocks.
    ///
    /// Read until `None` before waiting for the descriptor again: it need not become readable once
    /// more for signals that were pending already. Of several pending signals, the one with the
    /// lowest number comes first.
    ///
    /// # Errors
    ///
    /// In a forked child, whose parent would miss what it read; else those of reading a pipe, of
    /// which none is known to occur.
    pub(crate) fn read(&self) -> io::Result<Option<Signal>> {
        let row = &ROWS[self.row];
        row.origin.get().map_or(Ok(()), |origin| origin.check())?;
        let bit = row.pending.take(|| row.drain())?;
        Ok(bit.and_then(|bit| Signal::ALL.into_iter().find(|signal| signal.bit() == bit)))
    }
}

impl AsFd for SignalPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        ROWS[self.row].pipe().0.as_fd()
    }
}

impl AsRawFd for SignalPipe {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Drop for SignalPipe {
    fn drop(&mut self) {
        let mut register = Register::lock();
        for signal in Signal::ALL {
            if self.wanted & signal.bit() != 0 {
                register.remove_listener(signal);
            }
        }
        ROWS[self.row].pending.ignore();
        register.taken[self.row] = false;
    }
}

impl Row {
    fn open(&self) -> io::Result<()> {
        if self.pipe.get().is_some() {
            return Ok(());
        }
        let named = |error| NamedError::wrap(error, "cannot open a pipe for signals".into(), None);
        let (reader, writer) = io::pipe().map_err(named)?;
        set_nonblocking(reader.as_fd())?;
        set_nonblocking(writer.as_fd())?;
        self.origin.get_or_init(Origin::here);
        self.pipe
            .set((reader, writer))
            .expect("rows are opened under the register's lock, and once");
        Ok(())
    }

    /// Whether it is not open yet, or was opened by this process.
    fn is_here(&self) -> bool {
        self.origin.get().is_none_or(|origin| origin.is_here())
    }

    fn pipe(&self) -> &(PipeReader, PipeWriter) {
        self.pipe.get().expect("a row with a listener is open")
    }

    /// Empties the pipe; tells whether anything was in it.
    fn drain(&self) -> io::Result<bool> {
        let mut bytes = [0; 64];
        let mut some = false;
        loop {
            match (&self.pipe().0).read(&mut bytes) {
                // The end of the file, which a pipe with a writer does not have.
                Ok(0) => return Ok(some),
                Ok(_) => some = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(some),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Register {
    fn lock() -> MutexGuard<'static, Self> {
        // Nothing panics under this lock but a broken invariant, and it leaves counts as they are.
        REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_listener(&mut self, signal: Signal) -> io::Result<()> {
        let handled = &mut self.handled[index(signal)];
        if let Some(handled) = handled {
            handled.listeners += 1;
            return Ok(());
        }
        let named = |error| NamedError::wrap(error, format!("cannot listen for {signal}"), None);
        let before = exchange_action(signal, Some(&our_action())).map_err(named)?;
        *handled = Some(Handled {
            listeners: 1,
            before,
        });
        Ok(())
    }

    fn remove_listener(&mut self, signal: Signal) {
        let handled = &mut self.handled[index(signal)];
        let Some(Handled { listeners, before }) = handled else {
            return;
        };
        *listeners -= 1;
        if *listeners > 0 {
            return;
        }
        // Whoever has put a handler over ours since keeps it.
        let ours = our_action().sa_sigaction;
        if exchange_action(signal, None).is_ok_and(|now| now.sa_sigaction == ours) {
            // It fails only for signals that do not exist, and this one has had a handler.
            let _ = exchange_action(signal, Some(before));
        }
        *handled = None;
    }
}

fn index(signal: Signal) -> usize {
    let at = Signal::ALL.iter().position(|&known| known == signal);
    at.expect("every signal is in the list of all")
}

/// Runs on whatever thread the kernel chose, possibly in the middle of anything.
///
/// It is async-signal-safe: it loads and changes atomics, and calls write(2), which is on the list
/// in signal-safety(7).
extern "C" fn on_signal(number: c_int) {
    // SAFETY: the location of errno is valid for the calling thread, for as long as that lives.
    let saved = unsafe { *errno_location() };
    for row in &ROWS {
        row.pending.arrive(1 << number, || {
            // An atomic load: OnceLock::get takes no lock. A row is open before it wants anything.
            let Some((_, writer)) = row.pipe.get() else {
                return;
            };
            // SAFETY: one byte is read from a static; the descriptor is open, because rows keep
            // theirs for ever. A full pipe would refuse the byte, and would be readable already.
            unsafe { libc::write(writer.as_raw_fd(), b"!".as_ptr().cast(), 1) };
        });
    }
    // SAFETY: as above. The interrupted code may be about to look at the errno of its own call.
    unsafe { *errno_location() = saved };
}

fn our_action() -> libc::sigaction {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a sigaction of zeros is valid: SIG_DFL, no flags, an empty mask on every system here.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = on_signal as extern "C" fn(c_int) as usize;
    // SA_RESTART: a signal interrupts no read of some library that cannot deal with EINTR.
    // SA_ONSTACK: embedded in a program with small stacks (Go's), use the signal stack it set up.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // One at a time: the signal stack that std sets up holds about two frames of today's
    // processors, so signals of several kinds that came together would run over its end.
    // SAFETY: sigfillset(3) writes one signal set through a pointer to one that lives here.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    *action
}

/// Installs `action`, or none, and returns what was installed before.
fn exchange_action(
    signal: Signal,
    action: Option<&libc::sigaction>,
) -> io::Result<libc::sigaction> {
    let action = action.map_or(ptr::null(), ptr::from_ref);
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction(2) reads one sigaction if the pointer is not null, and writes one. A
    // handler installed here is `on_signal`, async-signal-safe and alive for ever, or one that was
    // installed before.
    check(unsafe { libc::sigaction(signal.number(), action, before.as_mut_ptr()) })?;
    // SAFETY: sigaction(2) succeeded, so it has written the structure; it was zeroed before, too.
    Ok(unsafe { before.assume_init() })
}

pub(super) fn errno_location() -> *mut c_int {
    #[cfg(target_os = "linux")]
    // SAFETY: it returns the address of the calling thread's errno, and has no other effect.
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    // SAFETY: as above.
    return unsafe { libc::__error() };
}
