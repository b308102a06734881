//! What the loop writes down for those who watch it, and what programs may
//! say to them.

use std::any::Any;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::builder::Builder;
use super::current::try_current;
use super::flight::Flight;
use super::parts::Parts;
use crate::sys::monotonic_nanos;
use crate::time::Clock;
use crate::watch::{Board, Noted, Writer};
use crate::watchdog::Watching;

/// Who looks at a runtime: the watchdog, the flight recorder, the page.
#[derive(Default)]
pub(super) struct Watchers {
    pub(super) watchdog: RefCell<Option<Watching>>,
    pub(super) flight: Option<Arc<Flight>>,
    pub(super) page: RefCell<Option<Box<dyn Any>>>,
}

impl Watchers {
    /// Those that `builder` asks for, and what the loop writes down for them.
    /// The page comes later, since it shows a runtime that is there.
    pub(super) fn begin(builder: &Builder, clock: &Clock) -> io::Result<(Option<Writer>, Self)> {
        let Some(extent) = builder.watched() else {
            return Ok((None, Watchers::default()));
        };
        let clock_began = (!clock.is_manual()).then(|| clock.instant_at(0)).flatten();
        let board = Arc::new(Board::new(extent, monotonic_nanos, clock_began));
        let flight = builder.stalls_folder.as_deref().map(Flight::new);
        let mut watchers = Watchers::default();
        if let Some(config) = &builder.watchdog {
            let mut config = config.clone();
            if let Some(flight) = flight.clone() {
                config = config.also(move |report| flight.hear(report));
            }
            let watching = Watching::start(&config, Arc::clone(&board))?;
            log::info!("{}", watching.armed());
            watchers.watchdog = RefCell::new(Some(watching));
        }
        watchers.flight = flight;
        Ok((Some(Writer::new(board)), watchers))
    }

    /// They look no more; their threads end here.
    pub(super) fn end(&self) {
        drop(self.page.take());
        drop(self.watchdog.take());
    }
}

impl Parts {
    /// Where it is written down, if anybody watches.
    #[inline]
    pub(crate) fn watch(&self) -> Option<&Writer> {
        self.executor.watch()
    }

    /// Writes something down, if anybody watches.
    #[inline(always)]
    pub(super) fn watched(&self, write: impl FnOnce(&Writer)) {
        if let Some(watch) = self.watch() {
            write(watch);
        }
    }

    /// Writes down that a poll has ended, if anybody watches.
    #[inline(always)]
    pub(super) fn poll_ended(&self, slot: u32, noted: Noted) {
        self.watched(|watch| watch.poll_ends(slot, noted, self.executor.ready_count()));
    }

    /// Asks the kernel, and writes down what it says.
    #[inline(never)]
    pub(super) fn watched_park(
        &self,
        watch: &Writer,
        timeout: Option<Duration>,
        woken: &mut Vec<Waker>,
    ) -> io::Result<()> {
        let (waiting, next) = {
            let wheel = self.wheel.borrow();
            (wheel.len(), wheel.next_deadline())
        };
        watch.park_begins(waiting, next);
        let asked = self.reactor.park(timeout, woken);
        self.begin();
        let count = asked.as_ref().map_or(0, |()| self.reactor.told_count());
        watch.park_ends(timeout, count);
        if watch.records() && count > 0 {
            self.reactor
                .each_told(|key, ready| watch.io_ready(key, ready));
        }
        asked
    }

    /// The loop is being turned while this lives.
    pub(super) fn turned(&self) -> Turned<'_> {
        self.watched(|watch| watch.started());
        Turned(self)
    }
}

/// Tells those who watch when the loop is turned no more.
pub(super) struct Turned<'a>(&'a Parts);

impl Drop for Turned<'_> {
    fn drop(&mut self) {
        self.0.watched(|watch| watch.stopped());
    }
}

/// Says that what `work` does may hold the loop, and is meant to: the
/// watchdog is silent about it. For what happens once, at start, and is not
/// worth a worker.
///
/// It is as bad for everybody else as any other block.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # tourbillon::Runtime::new()?.block_on(async {
/// let words = tourbillon::expected_block(|| std::fs::read_to_string("/usr/share/dict/words"));
/// # drop(words);
/// # });
/// # Ok(())
/// # }
/// ```
pub fn expected_block<T>(work: impl FnOnce() -> T) -> T {
    let _region = Region::enter(Board::expect_block);
    work()
}

/// Says that the stack of what `work` does must not be unwound, since it does
/// that itself: C++ that throws, for one; or since it is assembly whose tables
/// for unwinding are wrong, which would end the process. The watchdog then
/// reports without the names of functions, or with fewer.
///
/// # Examples
///
/// ```
/// let answer = tourbillon::no_unwind(|| 6 * 7);
/// assert_eq!(answer, 42);
/// ```
pub fn no_unwind<T>(work: impl FnOnce() -> T) -> T {
    let _region = Region::enter(Board::forbid_unwind);
    work()
}

/// Leaves a mark in the recording of the current runtime, if there is one:
/// a text that is the same each time, and a number.
///
/// # Examples
///
/// ```
/// tourbillon::mark("cache size", 512);
/// ```
pub fn mark(text: &str, value: i64) {
    if let Some(parts) = try_current()
        && let Some(watch) = parts.watch()
    {
        watch.mark(text, value);
    }
}

/// Of the board it was entered on, whatever is current when it is left, which
/// is also when the work panics.
struct Region(Option<Arc<Board>>, fn(&Board, bool));

impl Region {
    fn enter(say: fn(&Board, bool)) -> Self {
        let parts = try_current();
        let watch = parts.as_ref().and_then(|parts| parts.watch());
        let board = watch.map(|watch| Arc::clone(watch.board()));
        if let Some(board) = &board {
            say(board, true);
        }
        Region(board, say)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Some(board) = &self.0 {
            (self.1)(board, false);
        }
    }
}
