//! What a task waits for, as far as the loop can tell.

/// What a task was waiting for when its poll ended without a result.
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
pub enum WaitKind {
    /// Nothing that is known.
    #[default]
    Nothing = 0,
    /// A deadline.
    Timer,
    /// Input of a descriptor.
    Readable,
    /// Room for output of a descriptor.
    Writable,
    /// A job of the pool.
    Job,
    /// The end of another task.
    Task,
    /// A value, or room for one, in a channel.
    Channel,
    /// A lock or a permit.
    Lock,
    /// A notification.
    Notify,
    /// The next turn, by its own wish.
    Yield,
    /// Something that is not of this crate.
    Foreign,
}

impl WaitKind {
    /// All of them, by number.
    const ALL: [WaitKind; 11] = [
        WaitKind::Nothing,
        WaitKind::Timer,
        WaitKind::Readable,
        WaitKind::Writable,
        WaitKind::Job,
        WaitKind::Task,
        WaitKind::Channel,
        WaitKind::Lock,
        WaitKind::Notify,
        WaitKind::Yield,
        WaitKind::Foreign,
    ];

    /// The kind with this number.
    pub(crate) fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            WaitKind::Nothing => "nothing",
            WaitKind::Timer => "timer",
            WaitKind::Readable => "readable",
            WaitKind::Writable => "writable",
            WaitKind::Job => "job",
            WaitKind::Task => "task",
            WaitKind::Channel => "channel",
            WaitKind::Lock => "lock",
            WaitKind::Notify => "notify",
            WaitKind::Yield => "yield",
            WaitKind::Foreign => "foreign",
        }
    }
}
