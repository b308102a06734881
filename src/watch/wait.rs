//! What a task waits for, noted by whatever it waits for.
//!
//! A future that returns `Pending` says so here on its way out; the loop takes
//! it when the poll is over. The last to speak is right: of several that a
//! task waits for at once, one is kept.

use std::cell::Cell;

/// What kind of thing a task waits for.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::WaitKind;
///
/// assert_eq!(WaitKind::Timer.text(), "timer");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum WaitKind {
    /// It has said nothing, and nobody holds its waker.
    #[default]
    Nothing,
    /// A deadline.
    Timer,
    /// A descriptor that can be read.
    Readable,
    /// A descriptor that can be written.
    Writable,
    /// A job of the blocking pool.
    Job,
    /// Another task's end.
    Task,
    /// A value in a channel, or room for one.
    Channel,
    /// A lock or a permit.
    Lock,
    /// Somebody's call: an event, a notification, a cancellation.
    Notify,
    /// Its next turn.
    Yield,
    /// Something that is not of this crate, and holds its waker.
    Foreign,
}

impl WaitKind {
    const ALL: [(WaitKind, &'static str); 11] = [
        (WaitKind::Nothing, "nothing"),
        (WaitKind::Timer, "timer"),
        (WaitKind::Readable, "readable"),
        (WaitKind::Writable, "writable"),
        (WaitKind::Job, "job"),
        (WaitKind::Task, "task"),
        (WaitKind::Channel, "channel"),
        (WaitKind::Lock, "lock"),
        (WaitKind::Notify, "notify"),
        (WaitKind::Yield, "yield"),
        (WaitKind::Foreign, "foreign"),
    ];

    pub(crate) fn from_u8(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).map(|&(kind, _)| kind)
    }

    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A kind, and which one of that kind: a descriptor, a deadline in ticks, the
/// number of a job, the slot of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) kind: WaitKind,
    pub(crate) which: u32,
}

impl Wait {
    /// The kind, of a task whose waker somebody may hold or not: if it has
    /// said nothing, that is a stranger.
    pub(crate) fn kind(self, is_reachable: bool) -> WaitKind {
        match self.kind {
            WaitKind::Nothing if is_reachable => WaitKind::Foreign,
            kind => kind,
        }
    }
}

/// What was noted during one poll.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noted {
    pub(crate) wait: Wait,
    /// The waker was cloned: somebody may hold it.
    pub(crate) is_reachable: bool,
}

thread_local! {
    static NOTED: Cell<Noted> = const {
        Cell::new(Noted {
            wait: Wait { kind: WaitKind::Nothing, which: 0 },
            is_reachable: false,
        })
    };
}

thread_local! {
    /// Called wherever a poll says what it waits for, while a dump wants to
    /// know where that is.
    static TRACER: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Says what the running poll waits for. It need not be one of the loop's.
#[inline]
pub(crate) fn waits_for(kind: WaitKind, which: u32) {
    let _ = NOTED.try_with(|noted| {
        let wait = Wait { kind, which };
        noted.set(Noted {
            wait,
            ..noted.get()
        });
    });
    call_tracer();
}

/// Says that the waker of the running poll was cloned.
#[inline]
pub(crate) fn waker_cloned() {
    let _ = NOTED.try_with(|noted| {
        noted.set(Noted {
            is_reachable: true,
            ..noted.get()
        });
    });
    call_tracer();
}

#[inline]
fn call_tracer() {
    if let Ok(Some(tracer)) = TRACER.try_with(Cell::get) {
        tracer();
    }
}

/// Has `tracer` called on this thread wherever a poll says what it waits for,
/// from within that poll.
pub(crate) fn set_tracer(tracer: Option<fn()>) {
    let _ = TRACER.try_with(|cell| cell.set(tracer));
}

/// Takes what the last poll has noted.
#[inline]
pub(crate) fn take_noted() -> Noted {
    NOTED.take()
}

#[cfg(test)]
mod tests {
    use super::{WaitKind, take_noted, waits_for, waker_cloned};

    #[test]
    fn the_last_to_speak_is_kept_until_it_is_taken() {
        waits_for(WaitKind::Timer, 7);
        waker_cloned();
        waits_for(WaitKind::Readable, 3);
        let noted = take_noted();
        assert_eq!((noted.wait.kind, noted.wait.which), (WaitKind::Readable, 3));
        assert!(noted.is_reachable);
        let noted = take_noted();
        assert!(!noted.is_reachable && noted.wait.kind == WaitKind::Nothing);
    }

    #[test]
    fn every_kind_comes_back_from_its_byte() {
        for (byte, &(kind, name)) in WaitKind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, byte);
            assert_eq!(WaitKind::from_u8(byte as u8), Some(kind));
            assert_eq!(kind.text(), name);
        }
        assert_eq!(WaitKind::from_u8(11), None);
    }
}
