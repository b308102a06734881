//! What happened on a loop, as a value of its own: a copy that nobody writes to any more.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use super::event::{Event, EventKind, NameId};
use super::stall::Stall;

/// How much a recorder notes down.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::Level;
///
/// assert_eq!(Level::default().text(), "lean");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// What costs little: spans, and what begins and ends.
    #[default]
    Lean,
    /// Also every wake, every timer set and every call on a descriptor.
    Full,
}

impl Level {
    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            Level::Lean => "lean",
            Level::Full => "full",
        }
    }
}

/// What happened on a loop, for as long as its ring of events reaches back.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::{Event, EventKind, NameId, Recording};
///
/// let mut recording = Recording::new();
/// recording.names.push("cache warm".to_owned());
/// let kind = EventKind::Mark { name: NameId(1), value: 300 };
/// recording.events.push(Event { at: 5_000_000, task: 0, kind });
///
/// assert_eq!(recording.name(NameId(1)), "cache warm");
/// assert_eq!(recording.end(), 5_000_000);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// When it began. All times in it are in ns since then.
    pub began: SystemTime,
    /// When it was copied, in ns; 0 if that is not known.
    pub until: u64,
    /// How much was noted down.
    pub level: Level,
    /// What happened, by the time it began.
    pub events: Vec<Event>,
    /// The texts that events have the numbers of; the first is empty.
    pub names: Vec<String>,
    /// What the watchdog found.
    pub stalls: Vec<Stall>,
    /// When the whole process stood still, from and for how many ns.
    pub gaps: Vec<(u64, u64)>,
    /// The names of the threads of the pool.
    pub workers: Vec<String>,
    /// How the kernel is asked: `epoll`, `kqueue`, `poll`.
    pub backend: String,
}

impl Default for Recording {
    fn default() -> Self {
        Recording {
            began: SystemTime::UNIX_EPOCH,
            until: 0,
            level: Level::Lean,
            events: Vec::new(),
            names: vec![String::new()],
            stalls: Vec::new(),
            gaps: Vec::new(),
            workers: Vec::new(),
            backend: String::new(),
        }
    }
}

impl Recording {
    /// Makes an empty one, as of the year 1970.
    pub fn new() -> Self {
        Recording::default()
    }

    /// The text with this number; empty if there is none.
    pub fn name(&self, id: NameId) -> &str {
        self.names.get(id.0 as usize).map_or("", String::as_str)
    }

    /// The latest time in it, in ns since it began.
    pub fn end(&self) -> u64 {
        let events = self.events.iter().map(Event::until);
        let stalls = self.stalls.iter().map(Stall::until);
        events.chain(stalls).fold(self.until, u64::max)
    }

    /// How many events were overwritten before they could be copied.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tourbillon::watch::Recording;
    /// assert_eq!(Recording::new().lost(), 0);
    /// ```
    pub fn lost(&self) -> u64 {
        let counts = self.events.iter().map(|event| match event.kind {
            EventKind::Lost { count } => count,
            _ => 0,
        });
        counts.fold(0, u64::saturating_add)
    }

    /// Keeps what reaches into the last stretch of time, and what says what is named there: spawns
    /// stay, but for those of tasks that had ended before.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tourbillon::watch::{Event, EventKind, Recording};
    /// let mut recording = Recording::new();
    /// for at in [0, 9_000_000_000] {
    ///     recording.events.push(Event { at, task: 0, kind: EventKind::FdDel { fd: 7 } });
    /// }
    /// recording.keep_last(Duration::from_secs(1));
    /// assert_eq!(recording.events.len(), 1);
    /// ```
    pub fn keep_last(&mut self, span: Duration) {
        let end = self.end();
        let from = end.saturating_sub(nanos(span));
        let ended = |event: &&Event| matches!(event.kind, EventKind::End { .. });
        let ended = self.events.iter().filter(ended);
        let gone = ended.filter(|event| event.until() < from);
        let gone: HashSet<u32> = gone.map(|event| event.task).collect();
        self.events.retain(|event| {
            let names = matches!(event.kind, EventKind::Spawn { .. });
            names && !gone.contains(&event.task) || event.until() >= from
        });
        self.stalls
            .retain(|stall| stall.took.map_or(end, |took| stall.at.saturating_add(took)) >= from);
        self.gaps
            .retain(|&(at, took)| at.saturating_add(took) >= from);
    }
}

impl Stall {
    /// When it was over, or when it began if it is not.
    fn until(&self) -> u64 {
        self.at.saturating_add(self.took.unwrap_or_default())
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
