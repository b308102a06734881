//! What the loop notes down: an event is four words of 64 bits, so that a ring holds many.
//!
//! ```text
//!   word 0   at         ns since the recording began; where it is a span, of its begin
//!   word 1   kind 8 | small 24 | task 32
//!   word 2   how long, how late, how many; or two halves
//!   word 3   two halves, or four quarters
//! ```
//!
//! What [`Event::unpack`] takes, [`Event::pack`] gives back bit for bit; all else is not an event.

use super::wait::WaitKind;

/// The number of a text in [`Recording::names`](super::Recording::names); 0 is the empty one.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::{NameId, Recording};
///
/// let mut recording = Recording::new();
/// recording.names = vec![String::new(), "ticker".to_owned()];
/// assert_eq!(recording.name(NameId(1)), "ticker");
/// assert_eq!(recording.name(NameId(7)), "");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// One thing that happened on the loop.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::{Event, EventKind};
///
/// let fired = Event { at: 1_000_000, task: 7, kind: EventKind::TimerFire { late: 250 } };
/// assert_eq!((fired.took(), fired.until()), (0, 1_000_000));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in ns since the recording began; of a span, its begin.
    pub at: u64,
    /// Whose it is: 0 is nobody, 1 the future of `block_on`, n the n-th task.
    pub task: u32,
    /// What happened.
    pub kind: EventKind,
}

/// How a poll ended.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::PollResult;
///
/// assert_eq!(PollResult::Ready.text(), "ready");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PollResult {
    /// The task waits.
    #[default]
    Pending,
    /// The task is done.
    Ready,
    /// The task panicked.
    Panicked,
}

/// Why a task ended.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::EndReason;
///
/// assert_eq!(EndReason::Aborted.text(), "aborted");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndReason {
    /// It returned.
    #[default]
    Done,
    /// It was aborted.
    Aborted,
    /// It panicked.
    Panicked,
}

/// What was asked of a descriptor.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::IoKind;
///
/// assert_eq!(IoKind::Accept.text(), "accept");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoKind {
    /// A connection of a listener.
    Accept,
    /// Input.
    #[default]
    Read,
    /// Output.
    Write,
}

/// What was done to the gate that lets turns pass.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::GateKind;
///
/// assert_eq!(GateKind::Step.text(), "step");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GateKind {
    /// It was closed.
    #[default]
    Pause,
    /// One turn may pass.
    Step,
    /// It was opened.
    Go,
    /// A delay after each turn.
    Slow,
}

/// What happened, and how long it took. Times are in ns.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::EventKind;
///
/// let park = EventKind::Park { took: 38_000_000, timeout_ms: Some(38), events: 0 };
/// assert_eq!(park.name(), "park");
/// assert_eq!(park.took(), 38_000_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// One turn of the loop, without its sleep.
    Turn {
        /// The n-th since the loop began, by its last 24 bits.
        number: u32,
        /// How long.
        took: u64,
        /// Futures polled.
        polls: u16,
        /// Events of the kernel taken.
        events: u16,
        /// Timers that fired.
        timers: u16,
        /// Callbacks called.
        callbacks: u16,
    },
    /// The loop asked the kernel, and slept as long as nothing came.
    Park {
        /// How long.
        took: u64,
        /// How long it would have slept at most; `None` is for ever.
        timeout_ms: Option<u32>,
        /// Events that ended the sleep.
        events: u32,
    },
    /// A task was spawned.
    Spawn {
        /// Its name.
        name: NameId,
        /// Where, as `file:line`.
        place: NameId,
        /// The task that did it.
        parent: u32,
        /// The size of its future.
        bytes: u32,
    },
    /// One poll of a task.
    Poll {
        /// How long.
        took: u64,
        /// The n-th poll of this task, from 1.
        number: u32,
        /// How it ended.
        result: PollResult,
        /// What the task waits for since.
        wait: WaitKind,
        /// Tasks that were ready when it ended.
        ready: u16,
    },
    /// A callback was called.
    Call {
        /// How long.
        took: u64,
        /// Where it was asked for.
        place: NameId,
        /// Whether it was the completion of a job.
        is_completion: bool,
    },
    /// A task was woken (full level).
    Wake {
        /// The task that did it; 0 if it was none.
        by: u32,
    },
    /// A task ended.
    End {
        /// Polls it had.
        polls: u32,
        /// Why.
        reason: EndReason,
        /// Time spent in its polls.
        busy: u64,
    },
    /// The kernel says that a descriptor is ready.
    IoReady {
        /// Which.
        fd: i32,
        /// 1 readable, 2 writable, 4 hangup or error.
        ready: u8,
    },
    /// A descriptor was read, written and so on (full level).
    IoOp {
        /// Which.
        fd: i32,
        /// What was asked.
        op: IoKind,
        /// Bytes where it is a stream, else 0; or an error number below zero.
        result: i64,
    },
    /// A descriptor is watched from now on.
    FdAdd {
        /// Which.
        fd: i32,
    },
    /// A descriptor is watched no longer.
    FdDel {
        /// Which.
        fd: i32,
    },
    /// A deadline was set (full level).
    TimerSet {
        /// When, in ns since the recording began.
        deadline: u64,
    },
    /// A deadline has come.
    TimerFire {
        /// How long ago.
        late: u64,
    },
    /// The loop took what other threads had handed in.
    Take {
        /// How much that was.
        depth: u32,
    },
    /// A job was handed to the pool.
    JobSubmit {
        /// Its number.
        job: u32,
        /// Jobs that waited before it.
        queued: u32,
        /// Where, as `file:line`.
        place: NameId,
        /// What it is called.
        name: NameId,
    },
    /// A worker ran a job. Noted when the loop hears of it.
    JobRun {
        /// Its number.
        job: u32,
        /// How long.
        took: u64,
        /// How long it had waited for a worker, in µs.
        waited_us: u32,
        /// The worker, from 1; its name is that many in [`Recording::workers`].
        ///
        /// [`Recording::workers`]: super::Recording::workers
        worker: u16,
    },
    /// The completion of a job was called.
    JobCallback {
        /// Its number.
        job: u32,
        /// How long after the job had ended.
        waited: u64,
    },
    /// A job was cancelled.
    JobCancel {
        /// Its number.
        job: u32,
    },
    /// The head of a request has been read.
    RequestBegin {
        /// Its number.
        request: u32,
        /// `GET /path`, without the query.
        name: NameId,
        /// The number of its connection.
        connection: u32,
    },
    /// The response to a request has been handed over.
    RequestEnd {
        /// Its number.
        request: u32,
        /// The status of the response.
        status: u16,
        /// The bytes of its body.
        bytes: u64,
    },
    /// A poll that was too long has ended.
    StallEnd {
        /// Its number.
        stall: u32,
        /// How long it was.
        took: u64,
    },
    /// The gate held the loop, or let it go.
    Gate {
        /// How.
        what: GateKind,
        /// The delay of slow motion.
        delay_ms: u32,
    },
    /// A mark of the program's own.
    Mark {
        /// What it says.
        name: NameId,
        /// Its number.
        value: i64,
    },
    /// Here events are missing. Made by whoever reads, and never written by the loop.
    Lost {
        /// How many.
        count: u64,
    },
}

impl Event {
    /// How long it took, in ns; 0 if it is no span.
    pub fn took(&self) -> u64 {
        self.kind.took()
    }

    /// When it was over, in ns since the recording began.
    pub fn until(&self) -> u64 {
        self.at.saturating_add(self.took())
    }
}

impl EventKind {
    /// How long it took, in ns; 0 if it is no span.
    pub fn took(&self) -> u64 {
        match *self {
            Self::Turn { took, .. }
            | Self::Park { took, .. }
            | Self::Poll { took, .. }
            | Self::Call { took, .. }
            | Self::JobRun { took, .. } => took,
            _ => 0,
        }
    }

    /// What it is called in logs: small letters and underscores.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Turn { .. } => "turn",
            Self::Park { .. } => "park",
            Self::Spawn { .. } => "spawn",
            Self::Poll { .. } => "poll",
            Self::Call { .. } => "call",
            Self::Wake { .. } => "wake",
            Self::End { .. } => "end",
            Self::IoReady { .. } => "io_ready",
            Self::IoOp { .. } => "io_op",
            Self::FdAdd { .. } => "fd_add",
            Self::FdDel { .. } => "fd_del",
            Self::TimerSet { .. } => "timer_set",
            Self::TimerFire { .. } => "timer_fire",
            Self::Take { .. } => "take",
            Self::JobSubmit { .. } => "job_submit",
            Self::JobRun { .. } => "job_run",
            Self::JobCallback { .. } => "job_callback",
            Self::JobCancel { .. } => "job_cancel",
            Self::RequestBegin { .. } => "request_begin",
            Self::RequestEnd { .. } => "request_end",
            Self::StallEnd { .. } => "stall_end",
            Self::Gate { .. } => "gate",
            Self::Mark { .. } => "mark",
            Self::Lost { .. } => "lost",
        }
    }
}

impl PollResult {
    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Panicked => "panicked",
        }
    }

    pub(super) fn from_u8(number: u8) -> Option<Self> {
        let all = [Self::Pending, Self::Ready, Self::Panicked];
        all.get(usize::from(number)).copied()
    }
}

impl EndReason {
    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Aborted => "aborted",
            Self::Panicked => "panicked",
        }
    }

    pub(super) fn from_u8(number: u8) -> Option<Self> {
        let all = [Self::Done, Self::Aborted, Self::Panicked];
        all.get(usize::from(number)).copied()
    }
}

impl IoKind {
    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    pub(super) fn from_u8(number: u8) -> Option<Self> {
        let all = [Self::Accept, Self::Read, Self::Write];
        all.get(usize::from(number)).copied()
    }
}

impl GateKind {
    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Step => "step",
            Self::Go => "go",
            Self::Slow => "slow",
        }
    }

    pub(super) fn from_u8(number: u8) -> Option<Self> {
        let all = [Self::Pause, Self::Step, Self::Go, Self::Slow];
        all.get(usize::from(number)).copied()
    }
}
