//! The thread that reads, and what it has read.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::mem;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use crate::sys::{Origin, wait_readable};

/// How long a line may be; the longest that a terminal gives is 4 KiB.
pub(super) const LINE_MAX: usize = 1024 * 1024;

/// How much is read at a time: what std's own buffer holds, so that a read
/// goes past it.
const CHUNK: usize = 8 * 1024;

static INPUT: Mutex<Input> = Mutex::new(Input::new());
static ASKED: Condvar = Condvar::new();

/// What lies between the thread and the one who reads.
pub(super) struct Input {
    /// Read by the thread, and by nobody else yet.
    pub(super) bytes: VecDeque<u8>,
    /// What comes after the bytes: an end, or an error.
    pub(super) end: Option<io::Result<()>>,
    is_taken: bool,
    is_asked: bool,
    waiting: Option<Waker>,
    /// Where the thread is: a forked child has none.
    thread: Option<Origin>,
}

impl Input {
    const fn new() -> Self {
        Input {
            bytes: VecDeque::new(),
            end: None,
            is_taken: false,
            is_asked: false,
            waiting: None,
            thread: None,
        }
    }

    fn lock() -> MutexGuard<'static, Self> {
        // No user code runs under this lock, and every state of it is whole.
        INPUT.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the input for one who reads; says whether it was free.
    pub(super) fn take() -> bool {
        !mem::replace(&mut Input::lock().is_taken, true)
    }

    pub(super) fn give_back() {
        let mut input = Input::lock();
        input.is_taken = false;
        let waiting = input.waiting.take();
        drop(input);
        // A foreign waker may run code when it is dropped.
        drop(waiting);
    }

    /// What `look` finds in the input; if nothing, more is read, and the
    /// waker woken when there is.
    pub(super) fn poll<T>(
        waker: &Waker,
        look: impl FnOnce(&mut Input) -> Option<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        // A foreign waker may run code when it is cloned.
        let waker = waker.clone();
        let mut input = Input::lock();
        if let Some(found) = look(&mut input) {
            drop(input);
            return Poll::Ready(found);
        }
        if let Err(error) = input.ask() {
            drop(input);
            return Poll::Ready(Err(error));
        }
        let replaced = input.waiting.replace(waker);
        drop(input);
        drop(replaced);
        Poll::Pending
    }

    /// Has the thread read once more; starts it if there is none.
    fn ask(&mut self) -> io::Result<()> {
        if self.thread.is_none_or(|origin| !origin.is_here()) {
            let thread = thread::Builder::new().name("tourbillon-stdin".into());
            thread.spawn(read_when_asked)?;
            self.thread = Some(Origin::here());
        }
        if !mem::replace(&mut self.is_asked, true) {
            ASKED.notify_one();
        }
        Ok(())
    }

    /// Takes the first `length` bytes as a line, or leaves them.
    pub(super) fn take_line(&mut self, length: usize) -> io::Result<String> {
        let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        if length > LINE_MAX {
            return refuse("a line of the input is longer than 1 MiB");
        }
        let bytes = &self.bytes.make_contiguous()[..length];
        let Ok(line) = str::from_utf8(bytes) else {
            return refuse("a line of the input is not UTF-8");
        };
        let whole = line.strip_suffix('\n');
        let line = whole.map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let line = line.to_owned();
        self.bytes.drain(..length);
        Ok(line)
    }
}

/// The life of the thread.
fn read_when_asked() {
    let mut chunk = vec![0; CHUNK];
    loop {
        let mut input = Input::lock();
        while !input.is_asked {
            input = ASKED.wait(input).unwrap_or_else(PoisonError::into_inner);
        }
        drop(input);
        let read = read(&mut chunk);
        let mut input = Input::lock();
        input.is_asked = false;
        match read {
            Ok(0) => input.end = Some(Ok(())),
            Ok(count) => input.bytes.extend(&chunk[..count]),
            Err(error) => input.end = Some(Err(error)),
        }
        let waiting = input.waiting.take();
        drop(input);
        let Some(waker) = waiting else { continue };
        // It may be foreign and panic; the next one is still to be served.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            log::error!("a waker that was told of input panicked");
            mem::forget(payload);
        }
    }
}

/// Reads once, however long that takes.
fn read(chunk: &mut [u8]) -> io::Result<usize> {
    let mut stdin = io::stdin();
    loop {
        match stdin.read(chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another program has made the open file that we share so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_readable(&[stdin.as_fd()], None)?;
            }
            read => return read,
        }
    }
}
