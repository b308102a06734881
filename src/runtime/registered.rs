//! Something the kernel can watch, and the runtime that has it watched.
//!
//! ```text
//!   poll_io ──▶ is it ready? ──yes──▶ try the system call ──▶ done
//!                 │ no                    │ would block
//!                 ▼                       ▼
//!              wait for the reactor ◀── note that it is not ready
//! ```
//!
//! Whatever futures await on sockets, pipes and other descriptors is one of
//! these with its system calls around it.

use std::any::type_name;
use std::cell::{Ref, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::parts::Parts;
use crate::reactor::{Direction, EventSource, Interest, PeerState, Ready, Source};
use crate::watch::{IoKind, WaitKind, waits_for};

/// A source of events that is registered with the reactor of a runtime, until
/// it is dropped.
pub(crate) struct Registered<S: EventSource> {
    /// In a cell because mio wants `&mut` to change an interest. Borrowed
    /// for one system call at a time.
    io: RefCell<S>,
    source: Rc<Source>,
    parts: Rc<Parts>,
    /// Its descriptor may stay open when this goes.
    is_outlived: bool,
}

impl<S: EventSource> Registered<S> {
    /// Registers `io`, which takes no part in a handshake. What can be read
    /// at once is found by trying.
    pub(crate) fn new(parts: Rc<Parts>, io: S) -> io::Result<Self> {
        let registered = |io: &mut S| parts.reactor.register(io, false);
        Self::register(Rc::clone(&parts), io, registered)
    }

    /// Registers a connection in progress, which is writable when it is made.
    pub(crate) fn connecting(parts: Rc<Parts>, io: S) -> io::Result<Self> {
        let registered = |io: &mut S| parts.reactor.register(io, true);
        Self::register(Rc::clone(&parts), io, registered)
    }

    /// Registers what is somebody else's, and may stay open when this goes:
    /// the kernel's poll is told then. Nothing is assumed of its readiness.
    pub(crate) fn outlived(parts: Rc<Parts>, io: S, interest: Interest) -> io::Result<Self> {
        let registered = |io: &mut S| parts.reactor.watch(io, interest);
        let mut source = Self::register(Rc::clone(&parts), io, registered)?;
        source.is_outlived = true;
        Ok(source)
    }

    fn register(
        parts: Rc<Parts>,
        mut io: S,
        registered: impl FnOnce(&mut S) -> io::Result<Rc<Source>>,
    ) -> io::Result<Self> {
        let source = registered(&mut io)?;
        if let Some(watch) = parts.watch() {
            watch.fd_added(source.index(), io.as_raw_fd(), kind_of::<S>());
        }
        Ok(Registered {
            io: RefCell::new(io),
            source,
            parts,
            is_outlived: false,
        })
    }

    /// Assumes that there is something to read: data that came before the
    /// registration is announced by no later event on kqueue.
    pub(crate) fn assume_readable(&self) {
        self.parts.reactor.assume_readable(&self.source);
    }

    pub(crate) fn parts(&self) -> &Rc<Parts> {
        &self.parts
    }

    /// The source itself, for a system call that does not wait.
    pub(crate) fn get(&self) -> Ref<'_, S> {
        self.io.borrow()
    }

    /// Takes the source out of the kernel's poll although its descriptor
    /// stays open.
    pub(crate) fn release(&self) -> io::Result<()> {
        let io = &mut *self.io.borrow_mut();
        self.parts.reactor.release(&self.source, io)
    }

    /// Whether an operation in this direction is worth a try.
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        cx: &Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<()>> {
        if self.source.is_ready(direction) {
            return Poll::Ready(Ok(()));
        }
        self.wait_until_ready(cx, direction)
    }

    #[inline(never)]
    fn wait_until_ready(&self, cx: &Context<'_>, direction: Direction) -> Poll<io::Result<()>> {
        let reactor = &self.parts.reactor;
        let ready = reactor.poll_ready(&self.source, direction, &self.io, cx);
        if ready.is_pending() {
            let kind = match direction {
                Direction::Read => WaitKind::Readable,
                Direction::Write => WaitKind::Writable,
            };
            waits_for(kind, self.io.borrow().as_raw_fd() as u32);
        }
        ready
    }

    /// Notes that an operation would have blocked: the next try waits for the
    /// kernel's word.
    pub(crate) fn clear_ready(&self, direction: Direction) -> io::Result<()> {
        self.parts.reactor.clear_ready(&self.source, direction);
        self.parts.reactor.rearm(&self.source, &self.io)
    }

    /// What the kernel has said of it.
    pub(crate) fn readiness(&self) -> Ready {
        self.parts.reactor.readiness(&self.source)
    }

    /// Forgets what the kernel has said, and has it say again what is still
    /// so. Costs a system call, and needs no operation to have blocked.
    pub(crate) fn ask_again(&self, interest: Interest) -> io::Result<()> {
        self.parts
            .reactor
            .ask_again(&self.source, interest, &self.io)
    }

    /// What is known of the peer without reading. Unless it is gone, the task
    /// is woken when that changes, or when data arrives.
    pub(crate) fn poll_peer(&self, cx: &Context<'_>) -> PeerState {
        self.parts.reactor.poll_peer(&self.source, &self.io, cx)
    }

    /// Tries `operation` now, whatever is known of its readiness.
    pub(crate) fn try_io<T>(
        &self,
        direction: Direction,
        operation: impl FnOnce(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        let result = operation(&self.io.borrow());
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.clear_ready(direction)?;
        }
        result
    }

    /// Tries `operation` whenever it may succeed, until it does or fails.
    #[inline]
    pub(crate) fn poll_io<T>(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        operation: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        self.poll_sized(cx, direction, operation, |_| 0)
    }

    /// The same for an operation with a size that those who watch want to know.
    #[inline]
    fn poll_sized<T>(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<T>,
        size: impl Fn(&T) -> i64,
    ) -> Poll<io::Result<T>> {
        ready!(self.parts.poll_budget(cx));
        loop {
            ready!(self.poll_ready(cx, direction))?;
            let result = operation(&self.io.borrow());
            if let Some(watch) = self.parts.watch()
                && watch.is_full()
            {
                let op = op_of::<S>(direction);
                watch.io_done(self.source.index(), op, sized(&result, &size));
            }
            match result {
                Ok(done) => {
                    self.parts.spend();
                    return Poll::Ready(Ok(done));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.clear_ready(direction)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// The same for a stream of bytes, where moving fewer than were `wanted`
    /// says that no more can be moved now.
    #[inline]
    pub(crate) fn poll_move(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        wanted: usize,
        operation: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let size = |&moved: &usize| moved as i64;
        let moved = ready!(self.poll_sized(cx, direction, operation, size))?;
        let reactor = &self.parts.reactor;
        reactor.note_moved(&self.source, direction, &self.io, moved, wanted);
        Poll::Ready(Ok(moved))
    }
}

impl<S: EventSource> Drop for Registered<S> {
    fn drop(&mut self) {
        if let Some(watch) = self.parts.watch() {
            watch.fd_removed(self.source.index());
        }
        if !self.is_outlived {
            self.parts.reactor.forget(&self.source, self.io.get_mut());
        } else if let Err(error) = self.release() {
            log::debug!("a descriptor could not be taken out of the kernel's poll: {error}");
        }
    }
}

impl<S: EventSource + fmt::Debug> fmt::Debug for Registered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.borrow().fmt(f)
    }
}

/// What came of an operation: its size, or its error's number below zero.
fn sized<T>(result: &io::Result<T>, size: impl Fn(&T) -> i64) -> i64 {
    match result {
        Ok(done) => size(done),
        Err(error) => -i64::from(error.raw_os_error().unwrap_or(1)),
    }
}

/// What is asked of a source in this direction.
fn op_of<S>(direction: Direction) -> IoKind {
    match direction {
        Direction::Read if kind_of::<S>().ends_with("Listener") => IoKind::Accept,
        Direction::Read => IoKind::Read,
        Direction::Write => IoKind::Write,
    }
}

/// The last word of a type's name, without what it is made of; nothing of a
/// bare descriptor.
fn kind_of<S>() -> &'static str {
    let name = type_name::<S>();
    let inside = name.strip_suffix('>').unwrap_or(name);
    let last = inside.rfind([':', '<']).map_or(0, |at| at + 1);
    match &inside[last..] {
        "i32" => "fd",
        kind => kind,
    }
}
