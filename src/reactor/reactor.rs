//! Owns mio's poll and the list of its sources.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
#[cfg(not(mio_unsupported_force_poll_poll))]
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mio::Events;
use mio::event;
use slab::Slab;

use super::interest::{Interest, Ready};
use super::reserve::Reserve;
use super::source::{Direction, PeerState, Source};
use super::token::{BELL, HALF_MAX, Token};
use crate::io::Spares;
use crate::sys::Origin;

/// How many events one visit to the kernel may bring: libuv's number. More
/// stay for the next turn, so that one burst cannot hold up the timers. From
/// 16 to 1,024 it made no difference for 1,000 busy connections (November 2026,
/// `compare ka1000`, nine rounds of each).
const EVENTS_MAX: usize = 1024;

/// How many records wait to be used again, at most.
const SPARES_MAX: usize = 64;

/// What the kernel is asked through.
pub(crate) struct Reactor {
    poll: RefCell<mio::Poll>,
    /// A second door to the same poll: usable without borrowing `poll`, and
    /// an fd whose borrow lives as long as the reactor.
    registry: mio::Registry,
    events: RefCell<Events>,
    bell: Arc<mio::Waker>,
    /// Whom an event is for. Who owns a source has it at hand, and borrows
    /// nothing to ask whether it is ready.
    sources: RefCell<Slab<Rc<Source>>>,
    /// Records that wait to be used again. They hold no waker.
    spares: Spares<Rc<Source>, SPARES_MAX>,
    /// The generation of the next source, shared by all slots: a slot that
    /// is used again gets one that it never had.
    generation: Cell<u32>,
    reserve: Reserve,
    late_events: Cell<u64>,
    /// A forked child shares the kernel's poll and must let it be.
    origin: Origin,
}

impl Reactor {
    /// Opens the kernel's poll and the bell.
    pub(crate) fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let bell = Arc::new(mio::Waker::new(poll.registry(), BELL)?);
        Ok(Reactor {
            registry: poll.registry().try_clone()?,
            poll: RefCell::new(poll),
            events: RefCell::new(Events::with_capacity(EVENTS_MAX)),
            bell,
            sources: RefCell::new(Slab::new()),
            spares: Spares::new(),
            generation: Cell::new(0),
            reserve: Reserve::new(),
            late_events: Cell::new(0),
            origin: Origin::here(),
        })
    }

    /// A bell that rouses a parked loop from any thread.
    pub(crate) fn bell(&self) -> impl Fn() + Send + Sync + use<> {
        let bell = Arc::clone(&self.bell);
        move || {
            if let Err(error) = bell.wake() {
                log::error!("a parked loop could not be roused: {error}");
            }
        }
    }

    /// Registers `source`, for reading, and for writing too if `connecting`:
    /// a connection in progress reports its end as writable.
    pub(crate) fn register(
        &self,
        source: &mut impl event::Source,
        connecting: bool,
    ) -> io::Result<Rc<Source>> {
        self.add(source, |record| {
            if connecting {
                record.watch(Interest::READABLE | Interest::WRITABLE);
            }
        })
    }

    /// Registers `source` for `interest`, and assumes nothing: the kernel is
    /// the first to say that it is ready.
    pub(crate) fn watch(
        &self,
        source: &mut impl event::Source,
        interest: Interest,
    ) -> io::Result<Rc<Source>> {
        self.add(source, |record| record.watch(interest))
    }

    fn add(
        &self,
        source: &mut impl event::Source,
        begin: impl FnOnce(&Source),
    ) -> io::Result<Rc<Source>> {
        self.origin.check()?;
        let generation = self.next_generation();
        let mut sources = self.sources.borrow_mut();
        let entry = sources.vacant_entry();
        let index = entry.key() as u32;
        if entry.key() >= HALF_MAX as usize {
            return Err(io::Error::other(
                "the reactor holds as many sources as a token can name",
            ));
        }
        let token = Token { index, generation };
        let record = self.take_record(token);
        begin(&record);
        self.registry
            .register(source, token.into(), record.interest())?;
        Ok(Rc::clone(entry.insert(record)))
    }

    /// A record that was used before, if there is one: a connection a request
    /// would spend more on the allocator than on all of the reactor.
    fn take_record(&self, token: Token) -> Rc<Source> {
        if let Some(mut record) = self.spares.take()
            && let Some(unshared) = Rc::get_mut(&mut record)
        {
            *unshared = Source::new(token);
            return record;
        }
        Rc::new(Source::new(token))
    }

    /// Forgets a source that is about to be closed.
    ///
    /// epoll and kqueue drop a closed fd by themselves, so no system call is
    /// spent; mio's poll(2) back end keeps a list of its own and must be told.
    /// Says whether it was still known.
    pub(crate) fn forget(&self, known: &Source, source: &mut impl event::Source) -> bool {
        let Some(waiting) = known.end() else {
            return false;
        };
        let forgotten = self.sources.borrow_mut().remove(known.token.index as usize);
        drop(self.spares.give(forgotten));
        // These may be foreign and run code when dropped.
        drop(waiting);
        if cfg!(mio_unsupported_force_poll_poll)
            && let Err(error) = self.registry.deregister(source)
        {
            log::debug!("a source could not be taken out of poll(2)'s list: {error}");
        }
        true
    }

    /// Takes a source out of the kernel's poll and keeps its fd open, for
    /// one who goes on to use it elsewhere. A second time does nothing: by
    /// then its fd may be another's.
    pub(crate) fn release(
        &self,
        known: &Source,
        source: &mut impl event::Source,
    ) -> io::Result<()> {
        let was_known = self.forget(known, source);
        self.origin.check()?;
        if !was_known || cfg!(mio_unsupported_force_poll_poll) {
            return Ok(());
        }
        self.registry.deregister(source)
    }

    /// Whether an operation in this direction is worth a try. If not, the
    /// task is woken when it is.
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        known: &Source,
        direction: Direction,
        source: &RefCell<impl event::Source>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        if known.is_ready(direction) {
            return Poll::Ready(Ok(()));
        }
        if !known.watches(direction) {
            known.set_watches(direction, true);
            if let Err(error) = self.arm(known, source, known.interest()) {
                known.set_watches(direction, false);
                return Poll::Ready(Err(error));
            }
        }
        self.store(known, direction, cx);
        Poll::Pending
    }

    /// Remembers who waits. The same task waits nearly always, so the waker
    /// is cloned only when it is another; and since a foreign one may run
    /// code when it is cloned or dropped, nothing is borrowed then.
    #[inline]
    fn store(&self, known: &Source, direction: Direction, cx: &Context<'_>) {
        if !known.is_waiting(direction, cx.waker()) {
            let waker = cx.waker().clone();
            let replaced = known.wait(direction, waker);
            drop(replaced);
        }
    }

    /// Notes that the last operation would have blocked.
    #[inline]
    pub(crate) fn clear_ready(&self, known: &Source, direction: Direction) {
        known.clear(direction);
    }

    /// What the kernel has said of a source.
    pub(crate) fn readiness(&self, known: &Source) -> Ready {
        known.ready()
    }

    /// Forgets what was said, and has the kernel say it again if it is still
    /// so: arming an edge-triggered source reports what is there. One system
    /// call makes level-triggered polling of it.
    pub(crate) fn ask_again(
        &self,
        known: &Source,
        interest: Interest,
        source: &RefCell<impl event::Source>,
    ) -> io::Result<()> {
        interest
            .directions()
            .for_each(|direction| known.clear(direction));
        self.arm(known, source, known.interest())
    }

    /// Notes that a read or write moved `moved` of `wanted` bytes.
    ///
    /// Less than wanted means drained, and saves the try that would only say
    /// so. It also is what keeps a peer that sends again at once from being
    /// read again before the loop has looked at anyone else. Not if urgent
    /// data has come, since a read stops before it; not if the peer has
    /// closed, since edge-triggered polling will not tell twice.
    #[inline]
    pub(crate) fn note_moved(
        &self,
        known: &Source,
        direction: Direction,
        source: &RefCell<impl event::Source>,
        moved: usize,
        wanted: usize,
    ) {
        if moved == 0 || moved >= wanted {
            return;
        }
        if let Err(error) = self.rearm(known, source) {
            // Then it stays ready, and the next try tells. poll(2) only: mio
            // has taken an fd that failed or was hung up off its list.
            log::debug!("a socket could not be armed again: {error}");
            return;
        }
        known.drain(direction);
    }

    /// Asks again to be told of `source`, where mio cannot know that an
    /// operation on it would have blocked: on poll(2) mio drops an interest
    /// once it has told of it, and takes it up again only when an operation
    /// of its own would block. A bare fd has none, a short read was none.
    pub(crate) fn rearm(
        &self,
        known: &Source,
        source: &RefCell<impl event::Source>,
    ) -> io::Result<()> {
        if cfg!(mio_unsupported_force_poll_poll) {
            return self.arm(known, source, known.interest());
        }
        Ok(())
    }

    /// Assumes that there is something to read, before the kernel says so.
    pub(crate) fn assume_readable(&self, known: &Source) {
        known.assume_readable();
    }

    /// What is known of the peer. While it is not gone, the task is woken
    /// when that changes (or when data arrives).
    pub(crate) fn poll_peer(
        &self,
        known: &Source,
        source: &RefCell<impl event::Source>,
        cx: &Context<'_>,
    ) -> PeerState {
        let state = known.peer_state();
        if state != PeerState::Gone
            && cfg!(mio_unsupported_force_poll_poll)
            && !known.ready().readable
            && let Err(error) = self.arm(known, source, known.interest())
        {
            log::debug!("a socket could not be watched for its peer's end: {error}");
        }
        if state != PeerState::Gone {
            self.store(known, Direction::Read, cx);
        }
        state
    }

    /// Sleeps until something is ready, the bell rings or `timeout` has
    /// passed, and collects the wakers of all that is ready.
    ///
    /// Calls no waker. A signal that interrupts the sleep ends it early. In a
    /// forked child it is an error, and the parent misses nothing.
    pub(crate) fn park(
        &self,
        timeout: Option<Duration>,
        wakers: &mut Vec<Waker>,
    ) -> io::Result<()> {
        self.origin.check()?;
        let mut events = self.events.borrow_mut();
        match self.poll.borrow_mut().poll(&mut events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        let sources = self.sources.borrow();
        for event in events.iter().filter(|event| event.token() != BELL) {
            let token = Token::from(event.token());
            match sources.get(token.index as usize) {
                Some(known) if known.token == token => {
                    wakers.extend(known.note(event).into_iter().flatten());
                }
                _ => self.late_events.set(self.late_events.get() + 1),
            }
        }
        Ok(())
    }

    /// How many events the last park brought, if it did not fail.
    pub(crate) fn told_count(&self) -> usize {
        let events = self.events.borrow();
        events.iter().filter(|event| event.token() != BELL).count()
    }

    /// Which sources they were of, and what is ready: 1 readable, 2 writable,
    /// 4 hung up or failed.
    pub(crate) fn each_told(&self, mut tell: impl FnMut(u32, u8)) {
        let (events, sources) = (self.events.borrow(), self.sources.borrow());
        for event in events.iter().filter(|event| event.token() != BELL) {
            let token = Token::from(event.token());
            let known = sources.get(token.index as usize);
            if known.is_some_and(|known| known.token == token) {
                tell(token.index, readiness_bits(event));
            }
        }
    }

    /// Runs `accept_and_close` with one more descriptor free than there was.
    pub(crate) fn lend_reserve(
        &self,
        accept_and_close: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.reserve.lend(accept_and_close)
    }

    /// Sources registered now, and events that came too late for theirs.
    pub(crate) fn counts(&self) -> (usize, u64) {
        (self.sources.borrow().len(), self.late_events.get())
    }

    fn arm(
        &self,
        known: &Source,
        source: &RefCell<impl event::Source>,
        interest: mio::Interest,
    ) -> io::Result<()> {
        self.origin.check()?;
        let source = &mut *source.borrow_mut();
        let armed = self
            .registry
            .reregister(source, known.token.into(), interest);
        if cfg!(mio_unsupported_force_poll_poll)
            && armed
                .as_ref()
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        {
            // mio has taken it off poll(2)'s list, as all that failed or was
            // hung up. A bare fd can be put back.
            let added = self.registry.register(source, known.token.into(), interest);
            return added.or(armed);
        }
        armed
    }

    fn next_generation(&self) -> u32 {
        // Half a word is never all ones, so no token equals the bell's.
        let next = (self.generation.get() + 1) % HALF_MAX;
        self.generation.set(next);
        next
    }
}

fn readiness_bits(event: &event::Event) -> u8 {
    let over = event.is_error() || event.is_read_closed() || event.is_write_closed();
    u8::from(event.is_readable()) | u8::from(event.is_writable()) << 1 | u8::from(over) << 2
}

/// The kernel's poll is itself an fd, readable when any source is ready or
/// the bell rings. poll(2), mio's last resort, has no such fd.
#[cfg(not(mio_unsupported_force_poll_poll))]
impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registry.as_fd()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sources, late_events) = self.counts();
        f.debug_struct("Reactor")
            .field("sources", &sources)
            .field("late_events", &late_events)
            .finish_non_exhaustive()
    }
}
