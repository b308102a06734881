//! One source: what is known of its readiness, and who waits for it.

use std::cell::Cell;
use std::mem;
use std::task::Waker;

use super::interest::{Interest, Ready};
use super::token::Token;

/// Reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What the kernel has said of the other end.
///
/// # Examples
///
/// A request whose client hangs up is not worth finishing:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::future::poll_fn;
/// use std::task::Poll;
/// use tourbillon::net::{PeerState, UnixStream};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (mut server, client) = UnixStream::pair()?;
/// drop(client);
/// let seen = poll_fn(|cx| match server.poll_peer(cx) {
///     PeerState::Open => Poll::Pending,
///     state => Poll::Ready(state),
/// });
/// assert_eq!(seen.await, PeerState::Gone);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Nothing: it may still send.
    Open,
    /// It will send no more; it may still be reading.
    HalfClosed,
    /// The connection is gone in both directions.
    Gone,
}

/// The record of one registered fd. All of it is read and written through
/// `&`: whoever asks whether a socket is ready borrows nothing.
pub(crate) struct Source {
    pub(super) token: Token,
    flags: Cell<Flags>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
}

#[derive(Clone, Copy, Default)]
struct Flags {
    readable: bool,
    writable: bool,
    /// The kernel was asked to say when the fd becomes readable.
    watches_read: bool,
    /// The kernel was asked to say when the fd becomes writable.
    watches_write: bool,
    /// The peer sends no more. Never cleared: edge-triggered polling will
    /// not say it again, so readiness stays set beside it.
    read_closed: bool,
    write_closed: bool,
    failed: bool,
    /// Urgent data has come, at which reads stop short. Never cleared.
    has_urgent: bool,
    /// The reactor has forgotten it.
    is_over: bool,
}

impl Flags {
    fn is_ready(self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.readable || self.read_closed,
            Direction::Write => self.writable || self.write_closed,
        }
    }
}

impl Source {
    /// A fresh socket, which has an empty send buffer: try first, ask the
    /// kernel only after the first short write.
    pub(super) fn new(token: Token) -> Self {
        Source {
            token,
            flags: Cell::new(Flags {
                writable: true,
                watches_read: true,
                ..Flags::default()
            }),
            reader: Cell::default(),
            writer: Cell::default(),
        }
    }

    /// What tells it from all others that are registered now.
    pub(crate) fn index(&self) -> u32 {
        self.token.index
    }

    /// Begins as one of which nothing is known, and only this is wanted.
    pub(super) fn watch(&self, interest: Interest) {
        self.flags.set(Flags {
            watches_read: interest.is_readable(),
            watches_write: interest.is_writable(),
            ..Flags::default()
        });
    }

    /// Ends, if it has not, and gives what must be dropped: wakers may be
    /// foreign.
    pub(super) fn end(&self) -> Option<[Option<Waker>; 2]> {
        let mut flags = self.flags.get();
        if flags.is_over {
            return None;
        }
        flags.is_over = true;
        self.flags.set(flags);
        Some([self.reader.take(), self.writer.take()])
    }

    fn change(&self, change: impl FnOnce(&mut Flags)) {
        let mut flags = self.flags.get();
        change(&mut flags);
        self.flags.set(flags);
    }

    #[inline]
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        self.flags.get().is_ready(direction)
    }

    fn waiting(&self, direction: Direction) -> &Cell<Option<Waker>> {
        match direction {
            Direction::Read => &self.reader,
            Direction::Write => &self.writer,
        }
    }

    /// Whether this is who waits for a direction.
    #[inline]
    pub(super) fn is_waiting(&self, direction: Direction, waker: &Waker) -> bool {
        let waiting = self.waiting(direction).take();
        let is_known = waiting.as_ref().is_some_and(|known| known.will_wake(waker));
        let nobody = self.waiting(direction).replace(waiting);
        debug_assert!(nobody.is_none(), "nothing has run meanwhile");
        // Forgotten only so that no code is made for dropping it.
        mem::forget(nobody);
        is_known
    }

    /// Remembers who waits, and gives who waited before. Nobody waits for a
    /// source that has ended.
    pub(super) fn wait(&self, direction: Direction, waker: Waker) -> Option<Waker> {
        debug_assert!(!self.flags.get().is_over, "its owner has given it up");
        if self.flags.get().is_over {
            return Some(waker);
        }
        self.waiting(direction).replace(Some(waker))
    }

    /// Notes what an event said, and gives the wakers of those it concerns.
    #[inline]
    pub(super) fn note(&self, event: &mio::event::Event) -> [Option<Waker>; 2] {
        let mut flags = self.flags.get();
        let failed = event.is_error();
        flags.failed |= failed;
        flags.read_closed |= event.is_read_closed() || failed;
        flags.write_closed |= event.is_write_closed() || failed;
        flags.has_urgent |= event.is_priority();
        flags.readable |= event.is_readable();
        flags.writable |= event.is_writable();
        self.flags.set(flags);
        let woken = |direction| match flags.is_ready(direction) {
            true => self.waiting(direction).take(),
            false => None,
        };
        [woken(Direction::Read), woken(Direction::Write)]
    }

    /// Forgets what was said of a direction: the kernel has just said that
    /// it is neither ready nor closed, or is about to be asked again. An
    /// event that seemed to say so must not make its task try for ever.
    pub(super) fn clear(&self, direction: Direction) {
        self.change(|flags| {
            flags.failed = false;
            match direction {
                Direction::Read => (flags.readable, flags.read_closed) = (false, false),
                Direction::Write => (flags.writable, flags.write_closed) = (false, false),
            }
        });
    }

    /// Notes that an operation has moved all there was to move.
    #[inline]
    pub(super) fn drain(&self, direction: Direction) {
        self.change(|flags| match direction {
            Direction::Read => flags.readable = flags.has_urgent,
            Direction::Write => flags.writable = false,
        });
    }

    pub(super) fn assume_readable(&self) {
        self.change(|flags| flags.readable = true);
    }

    /// Whether the kernel was asked about a direction.
    #[inline]
    pub(super) fn watches(&self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.flags.get().watches_read,
            Direction::Write => self.flags.get().watches_write,
        }
    }

    pub(super) fn set_watches(&self, direction: Direction, watches: bool) {
        self.change(|flags| match direction {
            Direction::Read => flags.watches_read = watches,
            Direction::Write => flags.watches_write = watches,
        });
    }

    /// What the kernel was asked to tell of this source.
    pub(super) fn interest(&self) -> mio::Interest {
        let flags = self.flags.get();
        // mio wants one at least.
        let mut interest = match flags.watches_read {
            true => mio::Interest::READABLE,
            false => mio::Interest::WRITABLE,
        };
        #[cfg(all(
            any(target_os = "linux", target_os = "android"),
            not(mio_unsupported_force_poll_poll)
        ))]
        if flags.watches_read {
            interest |= mio::Interest::PRIORITY;
        }
        if flags.watches_write {
            interest |= mio::Interest::WRITABLE;
        }
        interest
    }

    /// What the kernel has said so far.
    pub(super) fn ready(&self) -> Ready {
        let flags = self.flags.get();
        Ready {
            readable: flags.readable,
            writable: flags.writable,
            read_closed: flags.read_closed,
            write_closed: flags.write_closed,
            error: flags.failed,
        }
    }

    pub(super) fn peer_state(&self) -> PeerState {
        let flags = self.flags.get();
        match (flags.read_closed, flags.write_closed) {
            (false, false) => PeerState::Open,
            (true, false) => PeerState::HalfClosed,
            (_, true) => PeerState::Gone,
        }
    }
}
