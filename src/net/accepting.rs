//! What all listeners have in common: accepting, and resting when the
//! descriptor table is full.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::reactor::{Direction, EventSource};
use crate::runtime::{Registered, Sleep};
use crate::sys;

/// How long accepting rests when the descriptor table is full. nginx rests
/// 500 ms, actix-server 510, tokio's users a second; closing connections
/// free descriptors sooner than that.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// How often the log says that the table is full.
const FULL_LOG_EVERY: Duration = Duration::from_secs(1);

/// A listening socket `L` at work.
pub(super) struct Accepting<L: EventSource> {
    pub(super) io: Registered<L>,

    // While the descriptor table is full.
    pause: Option<Sleep>,
    logged_at: Option<Instant>,
}

impl<L: EventSource> Accepting<L> {
    /// What connected before is found by trying.
    pub(super) fn new(io: Registered<L>) -> Self {
        io.assume_readable();
        Accepting {
            io,
            pause: None,
            logged_at: None,
        }
    }

    /// Polls for a connection `C` that `accept` gives.
    pub(super) fn poll_accept<C>(
        &mut self,
        cx: &mut Context<'_>,
        accept: fn(&L) -> io::Result<C>,
    ) -> Poll<io::Result<C>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(Pin::new(pause).poll(cx));
                self.pause = None;
            }
            match ready!(self.io.poll_io(cx, Direction::Read, accept)) {
                Err(error) if sys::is_peer_gone_on_accept(&error) => {}
                Err(error) if sys::is_resource_exhausted(&error) => self.rest(&error, accept),
                accepted => return Poll::Ready(accepted),
            }
        }
    }

    /// Refuses the first in the queue and rests.
    #[cold]
    fn rest<C>(&mut self, error: &io::Error, accept: fn(&L) -> io::Result<C>) {
        let parts = self.io.parts();
        let now = parts.now();
        let is_quiet = self.logged_at.is_none_or(|at| now - at >= FULL_LOG_EVERY);
        if is_quiet {
            self.logged_at = Some(now);
            log::warn!(
                "accepting pauses: {error}. Raise the limit on open files (ulimit -n) or lower \
                 the limit on connections"
            );
        }
        let refused = parts
            .reactor
            .lend_reserve(|| accept(&self.io.get()).map(drop));
        if let Err(error) = refused {
            log::debug!("the first in the queue could not be refused: {error}");
        }
        let end = parts.read_clock() + FULL_PAUSE;
        self.pause = Some(Sleep::new(Rc::clone(parts), Some(end)));
    }
}
