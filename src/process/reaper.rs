//! The thread that takes the status of children nobody waits for, and hears
//! SIGCHLD where there are no pidfds.
//!
//! ```text
//!   Child dropped ──adopt──▶ orphans ─┐
//!   bell, SIGCHLD, pidfds ──poll(2)──▶│ the thread: look at each orphan,
//!   Child waits ────arm────▶ waiting ─┘             wake whoever waits
//! ```
//!
//! It is a thread and no task, because a child may outlive the runtime it was
//! started from, and its zombie must not. One serves the whole process. It
//! starts with the first such child, holds up no exit, and ends when it has
//! had nothing to do for a while.

use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use crate::runtime::wake_quietly;
use crate::sys::{Origin, Signal, SignalPipe, open_pidfd, set_nonblocking, wait_readable};

/// How long the thread stays without work: whoever heard one SIGCHLD may be
/// about to listen for the next.
const LINGER: Duration = Duration::from_secs(2);

/// How often an orphan is looked at that can be heard by nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

static REAPER: Mutex<Reaper> = Mutex::new(Reaper::new());

struct Reaper {
    /// The process that the rest is about; none of it is a forked child's.
    origin: Option<Origin>,
    /// Orphans that the thread has not taken over yet.
    orphans: Vec<Orphan>,
    /// Who wants to look at a child of its own after each SIGCHLD.
    waiting: BTreeMap<u64, Waker>,
    next_id: u64,
    signals: Option<Arc<SignalPipe>>,
    /// Rouses the thread, while there is one.
    bell: Option<PipeWriter>,
}

struct Orphan {
    process: Child,
    pidfd: Option<OwnedFd>,
}

/// Takes over a child that runs and that nobody waits for any more.
pub(super) fn adopt(process: Child, uses_pidfd: bool) {
    let id = process.id();
    let pidfd = uses_pidfd.then(|| open_pidfd(id).ok()).flatten();
    let mut reaper = Reaper::lock();
    reaper.orphans.push(Orphan { process, pidfd });
    if let Err(error) = reaper.rouse() {
        drop(reaper);
        // It stays in the list, for the next that comes.
        log::warn!("process {id} may stay a zombie: the system starts no thread: {error}");
    }
}

/// One who is woken at each SIGCHLD.
pub(super) struct Listening(u64);

impl Listening {
    pub(super) fn new() -> Self {
        let mut reaper = Reaper::lock();
        reaper.next_id += 1;
        Listening(reaper.next_id)
    }

    /// Wakes `waker` once at the next SIGCHLD. A child that ends after this
    /// has returned is heard; one that has ended before may be not.
    pub(super) fn arm(&self, waker: &Waker) -> io::Result<()> {
        // A foreign waker may run code when it is cloned or dropped.
        let waker = waker.clone();
        let mut reaper = Reaper::lock();
        reaper.listen()?;
        reaper.rouse_if_none()?;
        let replaced = reaper.waiting.insert(self.0, waker);
        drop(reaper);
        drop(replaced);
        Ok(())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut reaper = Reaper::lock();
        let waker = reaper.waiting.remove(&self.0);
        drop(reaper);
        drop(waker);
    }
}

impl Reaper {
    const fn new() -> Self {
        Reaper {
            origin: None,
            orphans: Vec::new(),
            waiting: BTreeMap::new(),
            next_id: 0,
            signals: None,
            bell: None,
        }
    }

    fn lock() -> MutexGuard<'static, Self> {
        // No user code runs under this lock, and every state of it is whole.
        let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
        if reaper.origin.is_some_and(|origin| !origin.is_here()) {
            // The children are the parent's, and its thread is not here.
            let next_id = reaper.next_id;
            mem::forget(mem::replace(&mut *reaper, Reaper::new()));
            reaper.next_id = next_id;
        }
        reaper.origin.get_or_insert_with(Origin::here);
        reaper
    }

    /// Hears SIGCHLD from now on, and has the thread wait for it.
    fn listen(&mut self) -> io::Result<()> {
        if self.signals.is_none() {
            self.signals = Some(Arc::new(SignalPipe::new(&[Signal::Child])?));
            self.rouse()?;
        }
        Ok(())
    }

    fn rouse_if_none(&mut self) -> io::Result<()> {
        if self.bell.is_none() {
            self.rouse()
        } else {
            Ok(())
        }
    }

    /// Has the thread look at what is new; starts it if there is none.
    fn rouse(&mut self) -> io::Result<()> {
        if let Some(bell) = &mut self.bell {
            // A full pipe is readable already, and no other failure is known.
            let _ = bell.write(b"!");
            return Ok(());
        }
        let (reader, writer) = io::pipe()?;
        set_nonblocking(reader.as_fd())?;
        set_nonblocking(writer.as_fd())?;
        let thread = thread::Builder::new().name("tourbillon-reap".into());
        thread.spawn(move || live(reader))?;
        self.bell = Some(writer);
        Ok(())
    }
}

/// The life of the thread.
fn live(bell: PipeReader) {
    let mut orphans: Vec<Orphan> = Vec::new();
    let mut has_lingered = false;
    loop {
        let mut reaper = Reaper::lock();
        orphans.append(&mut reaper.orphans);
        let somebody_waits = !reaper.waiting.is_empty();
        if has_lingered && orphans.is_empty() && !somebody_waits {
            reaper.bell = None;
            let signals = reaper.signals.take();
            drop(reaper);
            return drop(signals);
        }
        if orphans.iter().any(|orphan| orphan.pidfd.is_none()) {
            // Should it fail, they are looked at now and then.
            let _ = reaper.listen();
        }
        let signals = reaper.signals.clone();
        drop(reaper);
        // After listening: what ends from here on ends the sleep.
        orphans.retain_mut(|orphan| matches!(orphan.process.try_wait(), Ok(None)));
        let is_idle = orphans.is_empty() && !somebody_waits;
        let is_roused = sleep(&bell, signals.as_deref(), &orphans, is_idle);
        has_lingered = is_idle && !is_roused;
        drain(&bell);
        if let Some(signals) = signals {
            wake_if_heard(&signals);
        }
    }
}

/// Says whether anything has happened.
fn sleep(
    bell: &PipeReader,
    signals: Option<&SignalPipe>,
    orphans: &[Orphan],
    is_idle: bool,
) -> bool {
    let pidfds = orphans.iter().filter_map(|orphan| orphan.pidfd.as_ref());
    let mut fds: Vec<BorrowedFd<'_>> = vec![bell.as_fd()];
    fds.extend(signals.map(AsFd::as_fd));
    fds.extend(pidfds.map(AsFd::as_fd));
    let is_deaf = signals.is_none() && orphans.iter().any(|orphan| orphan.pidfd.is_none());
    let timeout = match (is_deaf, is_idle) {
        (true, _) => Some(LOOK_EVERY),
        (false, true) => Some(LINGER),
        (false, false) => None,
    };
    wait_readable(&fds, timeout).unwrap_or_else(|error| {
        // The logger may panic, and this thread must not end by it.
        let warn = AssertUnwindSafe(|| log::warn!("waiting for children: {error}"));
        let logged = catch_unwind(warn);
        mem::forget(logged);
        thread::sleep(LOOK_EVERY);
        true
    })
}

fn drain(mut bell: &PipeReader) {
    let mut bytes = [0; 64];
    while matches!(bell.read(&mut bytes), Ok(1..)) {}
}

fn wake_if_heard(signals: &SignalPipe) {
    let mut is_heard = false;
    while let Ok(Some(_)) = signals.read() {
        is_heard = true;
    }
    if !is_heard {
        return;
    }
    let waiting = mem::take(&mut Reaper::lock().waiting);
    for waker in waiting.into_values() {
        // It may be foreign and panic; the others are still to be woken.
        wake_quietly(waker);
    }
}
