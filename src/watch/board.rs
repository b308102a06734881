//! The board: all that the loop writes down for those who watch it.
//!
//! Written by the loop's thread, read by any. Nothing in it makes the loop
//! wait, and what a reader sees may be a moment old.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use super::event::{Event, NameId};
use super::fds::Fds;
use super::gate::Gate;
use super::names::Names;
use super::pulse::Pulse;
use super::recording::Level;
use super::ring::Ring;
use super::slots::{Slots, TaskSeen};
use super::text::escaped;

/// What is to be written, and how much of it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Whether there is a ring of events, and what goes into it.
    pub(crate) level: Option<Level>,
    pub(crate) events_max: usize,
}

/// What is shared with watchers.
pub(crate) struct Board {
    pub(crate) pulse: Pulse,
    pub(crate) slots: Slots,
    pub(crate) fds: Fds,
    pub(crate) names: Arc<Names>,
    pub(crate) gate: Gate,
    pub(crate) queues: Queues,
    pub(crate) ring: Option<Ring>,
    pub(crate) level: Option<Level>,
    /// Reads the clock; all times on the board begin at `origin`.
    clock: fn() -> u64,
    origin: u64,
    /// The same moment.
    pub(crate) began: Instant,
    pub(crate) began_at: SystemTime,
    /// Where the ticks of deadlines begin; none if a hand moves the clock.
    pub(crate) clock_began: Option<Instant>,
}

/// How long the loop's queues were when it last looked.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) callbacks: AtomicU32,
    pub(crate) timers: AtomicU32,
    pub(crate) ready: AtomicU32,
    /// The next deadline in ticks and one; zero if there is none.
    pub(crate) next_deadline: AtomicU32,
    pub(crate) taken: AtomicU32,
    /// Tasks spawned and ended, jobs handed in and answered.
    pub(crate) spawned: AtomicU32,
    pub(crate) jobs: AtomicU32,
    pub(crate) jobs_done: AtomicU32,
}

impl Board {
    pub(crate) fn new(extent: Extent, clock: fn() -> u64, clock_began: Option<Instant>) -> Self {
        let (began, origin) = (Instant::now(), clock());
        Board {
            clock,
            origin,
            pulse: Pulse::default(),
            slots: Slots::new(),
            fds: Fds::new(),
            names: Arc::new(Names::new()),
            gate: Gate::default(),
            queues: Queues::default(),
            ring: extent.level.map(|_| Ring::new(extent.events_max)),
            level: extent.level,
            began,
            began_at: SystemTime::now(),
            clock_began,
        }
    }

    /// Nanoseconds since the board was made.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        (self.clock)() - self.origin
    }

    /// The time that this was, on the board.
    #[inline]
    pub(crate) fn time_of(&self, instant: Instant) -> u64 {
        nanos(instant.saturating_duration_since(self.began))
    }

    /// How far away a deadline is, which is given in ticks; negative once it
    /// has passed.
    pub(crate) fn until(&self, tick: u32) -> Option<i64> {
        let now = self.clock_began?.elapsed().as_millis() as u32;
        Some(i64::from(tick.wrapping_sub(now) as i32))
    }

    /// How long ago something was.
    pub(crate) fn since(&self, at: u64) -> Duration {
        Duration::from_nanos(self.now().saturating_sub(at))
    }

    /// Timers that waited when the loop last asked the kernel.
    pub(crate) fn timers(&self) -> usize {
        self.queues.timers.load(Relaxed) as usize
    }

    /// The place that a callback was handed in at.
    pub(crate) fn place_of(&self, name: u32) -> &str {
        self.names.get(NameId(name))
    }

    /// What a task works on, or else its name, as text of one line.
    pub(crate) fn title_of(&self, task: &TaskSeen) -> String {
        match task.label.is_empty() {
            true => escaped(self.names.get(task.name)),
            false => task.label.clone(),
        }
    }

    /// A region begins or ends that is known to block. Loop thread.
    pub(crate) fn expect_block(&self, up: bool) {
        self.pulse.expect(up);
    }

    /// The same for one that must not be unwound. Loop thread.
    pub(crate) fn forbid_unwind(&self, up: bool) {
        self.pulse.forbid_unwind(up);
    }

    /// What the ring holds, oldest first, and how many it has forgotten.
    pub(crate) fn events(&self) -> (Vec<Event>, u64) {
        let Some(ring) = &self.ring else {
            return (Vec::new(), 0);
        };
        let (words, lost) = ring.copy();
        (words.into_iter().filter_map(Event::unpack).collect(), lost)
    }
}

/// Nanoseconds in 64 bits, for 580 years.
#[inline]
pub(super) fn nanos(span: Duration) -> u64 {
    span.as_secs().wrapping_mul(1_000_000_000) + u64::from(span.subsec_nanos())
}

/// Stores a length that only people look at.
#[inline]
pub(super) fn note(cell: &AtomicU32, length: usize) {
    cell.store(length as u32, Relaxed);
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board")
            .field("pulse", &self.pulse)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
