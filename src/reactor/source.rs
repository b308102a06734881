//! One source: what is known of its readiness, and who waits for it.

use std::task::Waker;

use super::interest::{Interest, Ready};

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

/// The record of one registered fd.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) generation: u32,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The kernel was asked to say when the fd becomes readable.
    pub(super) watches_read: bool,
    /// The kernel was asked to say when the fd becomes writable.
    pub(super) watches_write: bool,
    /// The peer sends no more. Never cleared: edge-triggered polling will
    /// not say it again, so readiness stays set beside it.
    pub(super) read_closed: bool,
    pub(super) write_closed: bool,
    pub(super) failed: bool,
    /// Urgent data has come, at which reads stop short. Never cleared.
    pub(super) has_urgent: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Source {
    pub(super) fn new(generation: u32) -> Self {
        Source {
            generation,
            readable: false,
            // A fresh socket has an empty send buffer: try first, ask the
            // kernel only after the first short write.
            writable: true,
            watches_read: true,
            watches_write: false,
            read_closed: false,
            write_closed: false,
            failed: false,
            has_urgent: false,
            reader: None,
            writer: None,
        }
    }

    pub(super) fn is_ready(&self, direction: Direction) -> bool {
        match direction {
            Direction::Read => self.readable || self.read_closed,
            Direction::Write => self.writable || self.write_closed,
        }
    }

    pub(super) fn waiting(&mut self, direction: Direction) -> &mut Option<Waker> {
        match direction {
            Direction::Read => &mut self.reader,
            Direction::Write => &mut self.writer,
        }
    }

    /// Notes what an event said, and gives the wakers of those it concerns.
    pub(super) fn note(&mut self, event: &mio::event::Event) -> [Option<Waker>; 2] {
        let failed = event.is_error();
        self.failed |= failed;
        self.read_closed |= event.is_read_closed() || failed;
        self.write_closed |= event.is_write_closed() || failed;
        self.has_urgent |= event.is_priority();
        self.readable |= event.is_readable();
        self.writable |= event.is_writable();
        let reader = self.is_ready(Direction::Read).then(|| self.reader.take());
        let writer = self.is_ready(Direction::Write).then(|| self.writer.take());
        [reader.flatten(), writer.flatten()]
    }

    /// Forgets what was said of a direction: the kernel has just said that
    /// it is neither ready nor closed, or is about to be asked again. An
    /// event that seemed to say so must not make its task try for ever.
    pub(super) fn clear(&mut self, direction: Direction) {
        self.failed = false;
        match direction {
            Direction::Read => (self.readable, self.read_closed) = (false, false),
            Direction::Write => (self.writable, self.write_closed) = (false, false),
        }
    }

    /// Whether the kernel was asked about a direction.
    pub(super) fn watches(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Read => &mut self.watches_read,
            Direction::Write => &mut self.watches_write,
        }
    }

    /// Begins as one of which nothing is known, and only this is wanted.
    pub(super) fn watch(&mut self, interest: Interest) {
        self.watches_read = interest.is_readable();
        self.watches_write = interest.is_writable();
        self.writable = false;
    }

    /// What the kernel was asked to tell of this source.
    pub(super) fn interest(&self) -> mio::Interest {
        // mio wants one at least.
        let mut interest = match self.watches_read {
            true => mio::Interest::READABLE,
            false => mio::Interest::WRITABLE,
        };
        #[cfg(all(
            any(target_os = "linux", target_os = "android"),
            not(mio_unsupported_force_poll_poll)
        ))]
        if self.watches_read {
            interest |= mio::Interest::PRIORITY;
        }
        if self.watches_write {
            interest |= mio::Interest::WRITABLE;
        }
        interest
    }

    /// What the kernel has said so far.
    pub(super) fn ready(&self) -> Ready {
        Ready {
            readable: self.readable,
            writable: self.writable,
            read_closed: self.read_closed,
            write_closed: self.write_closed,
            error: self.failed,
        }
    }

    pub(super) fn peer_state(&self) -> PeerState {
        match (self.read_closed, self.write_closed) {
            (false, false) => PeerState::Open,
            (true, false) => PeerState::HalfClosed,
            (_, true) => PeerState::Gone,
        }
    }
}
