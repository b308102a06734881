//! A registered source that several tasks may use at the same time.
//!
//! ```text
//!   recv ── 1st in line ──▶ tries, and waits for the reactor
//!   recv ── 2nd ──────────▶ waits for the 1st to end or to be dropped
//! ```
//!
//! The reactor remembers one waker for each direction, so one task at a time
//! may wait there: the others queue up here, and are served in order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker, ready};

use super::parts::Parts;
use super::registered::Registered;
use crate::reactor::{Direction, EventSource};

/// A source with a line of tasks at either direction.
pub(crate) struct Queued<S: EventSource> {
    source: Registered<S>,
    readers: Line,
    writers: Line,
}

impl<S: EventSource> Queued<S> {
    pub(crate) fn new(source: Registered<S>) -> Self {
        Queued {
            source,
            readers: Line::default(),
            writers: Line::default(),
        }
    }

    /// The source without its lines, for what does not wait and for polling
    /// by hand.
    pub(crate) fn source(&self) -> &Registered<S> {
        &self.source
    }

    /// Does `operation` when this task is first in line, and it can be done.
    pub(crate) async fn io<T>(
        &self,
        direction: Direction,
        mut operation: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        let attempt = |cx: &mut Context<'_>| self.source.poll_io(cx, direction, &mut operation);
        self.in_line(direction, attempt).await
    }

    /// Polls `attempt` whenever this task is first in line.
    pub(crate) async fn in_line<T>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> T {
        let mut place = Place {
            parts: self.source.parts(),
            line: match direction {
                Direction::Read => &self.readers,
                Direction::Write => &self.writers,
            },
            number: None,
        };
        poll_fn(|cx| {
            ready!(place.poll_first(cx));
            attempt(cx)
        })
        .await
    }
}

impl<S: EventSource + fmt::Debug> fmt::Debug for Queued<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// Those who want the same direction, first come first; the first one's
/// waker is with the reactor.
#[derive(Default)]
struct Line {
    waiting: RefCell<VecDeque<(u64, Option<Waker>)>>,
    next: Cell<u64>,
}

/// A place in a line, given up when dropped.
struct Place<'a> {
    parts: &'a Parts,
    line: &'a Line,
    number: Option<u64>,
}

impl Place<'_> {
    fn poll_first(&mut self, cx: &Context<'_>) -> Poll<()> {
        let number = *self.number.get_or_insert_with(|| {
            let number = self.line.next.get();
            self.line.next.set(number + 1);
            self.line.waiting.borrow_mut().push_back((number, None));
            number
        });
        if self.line.is_first(number) {
            return Poll::Ready(());
        }
        // A foreign waker may run code when cloned or dropped, which may end
        // the wait: nothing is borrowed then, and who is first is asked
        // again.
        let waker = cx.waker().clone();
        let mut waiting = self.line.waiting.borrow_mut();
        let mine = waiting.iter_mut().find(|(other, _)| *other == number);
        let (_, mine) = mine.expect("a place is in its line until it is dropped");
        let replaced = mine.replace(waker);
        drop(waiting);
        drop(replaced);
        match self.line.is_first(number) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Line {
    fn is_first(&self, number: u64) -> bool {
        let waiting = self.waiting.borrow();
        waiting.front().is_some_and(|(first, _)| *first == number)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut waiting = self.line.waiting.borrow_mut();
        let at = waiting.iter().position(|(other, _)| *other == number);
        let mine = at.and_then(|at| waiting.remove(at));
        let next = match (at, waiting.front_mut()) {
            (Some(0), Some((_, waker))) => waker.take(),
            _ => None,
        };
        drop(waiting);
        if let Some(waker) = next {
            self.parts.wake(waker);
        }
        self.parts.drop_quietly("a waker", mine);
    }
}
