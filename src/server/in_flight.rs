//! How many requests are answered at once, and what becomes of those beyond.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::state::ServerState;
use crate::sync::{Acquire, Semaphore, SemaphorePermit};

/// How often the log says that the limit is reached.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// What becomes of a request that comes while
/// [`requests_in_flight_max`](super::Config::requests_in_flight_max) are being
/// answered.
///
/// # Examples
///
/// Eight at a time, a hundred more for at most two seconds:
///
/// ```
/// use std::time::Duration;
/// use tourbillon::server::{Config, Overload};
///
/// let config = Config {
///     requests_in_flight_max: 8,
///     overload: Overload::Queue {
///         len_max: 100,
///         wait_max: Duration::from_secs(2),
///     },
///     ..Config::default()
/// };
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overload {
    /// It is answered 503, with a `retry-after` of
    /// [`retry_after`](super::Config::retry_after), at once. The connection
    /// stays, unless it is a large body that nobody will read.
    #[default]
    Refuse,
    /// It waits for its turn, first come, first served, and is refused if it
    /// waited for `wait_max`, or if `len_max` others wait already. Nothing
    /// more is read from its client. One that leaves gives up its place.
    Queue {
        /// How many requests may wait.
        len_max: usize,
        /// How long each may wait.
        wait_max: Duration,
    },
    /// The server accepts no connection until there is room. A request that
    /// comes meanwhile on a connection that is open already waits for its
    /// turn, as in a queue without limits: there are never more of these
    /// than connections that were open before.
    Pause,
}

/// The places of requests in flight: semaphore, line and policy.
#[derive(Debug)]
pub(super) struct InFlight {
    /// None where there is no limit.
    places: Option<Semaphore>,
    policy: Overload,
    warned_at: Cell<Option<Instant>>,
    counts: Rc<ServerState>,
}

impl InFlight {
    /// A limit of 0 would be a server that answers nothing: it counts as 1.
    pub(super) fn new(max: usize, policy: Overload, counts: Rc<ServerState>) -> Self {
        InFlight {
            places: (max < usize::MAX).then(|| Semaphore::new(max.max(1))),
            policy,
            warned_at: Cell::default(),
            counts,
        }
    }

    /// Takes a place if there is one and nobody waits for it.
    #[inline]
    pub(super) fn try_enter(&self) -> Option<Entered<'_>> {
        match &self.places {
            None => Some(None),
            Some(places) => places.try_acquire().ok().map(Some),
        }
    }

    /// Joins the line, if the policy has one and it is not full.
    pub(super) fn line_up(&self) -> Option<InLine<'_>> {
        let places = self.places.as_ref()?;
        let (len_max, wait_max) = match self.policy {
            Overload::Refuse => return None,
            Overload::Queue { len_max, wait_max } => (len_max, Some(wait_max)),
            Overload::Pause => (usize::MAX, None),
        };
        let waiting = &self.counts.requests_waiting;
        if waiting.get() >= len_max {
            return None;
        }
        waiting.set(waiting.get() + 1);
        Some(InLine {
            turn: places.acquire(),
            wait_max,
            counts: &self.counts,
        })
    }

    /// Counts a request that finds no place, and now and then logs it.
    pub(super) fn refuse(&self, now: Instant) {
        let refused = self.counts.overload_refusals.get() + 1;
        self.counts.overload_refusals.set(refused);
        let warned_at = self.warned_at.get();
        if warned_at.is_none_or(|at| now.saturating_duration_since(at) >= LOG_EVERY) {
            self.warned_at.set(Some(now));
            log::warn!(
                "requests_in_flight_max is reached, a request is answered 503 ({refused} so far)"
            );
        }
    }

    /// Whether connections are to wait until there is room.
    pub(super) fn pauses_accepting(&self) -> bool {
        self.policy == Overload::Pause && self.left() == Some(0)
    }

    /// Whether somebody may wait for the places to be not all taken.
    pub(super) fn ends_pause(&self) -> bool {
        self.policy == Overload::Pause && self.left() == Some(1)
    }

    fn left(&self) -> Option<usize> {
        self.places.as_ref().map(Semaphore::available_permits)
    }
}

/// A request's place, which it leaves when this is dropped. None where places
/// are not counted.
pub(super) type Entered<'a> = Option<SemaphorePermit<'a>>;

/// A request in the line. Dropping it leaves the line.
pub(super) struct InLine<'a> {
    /// Ready with a place.
    pub(super) turn: Acquire<'a>,
    /// How long it may take.
    pub(super) wait_max: Option<Duration>,
    counts: &'a ServerState,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let waiting = &self.counts.requests_waiting;
        waiting.set(waiting.get() - 1);
    }
}
