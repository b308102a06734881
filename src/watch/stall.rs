//! A poll that held the loop for too long: whose it was, where it was, and what it was doing.

/// A stretch of time in which the loop could not turn.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::{Frame, Owner, Stall};
///
/// let stall = Stall {
///     took: Some(1_000_000_000),
///     stack: vec![
///         Frame { function: "fib".to_owned(), owner: Owner::Yours, ..Frame::default() },
///     ],
///     ..Stall::default()
/// };
/// assert_eq!(stall.culprit().unwrap().function, "fib");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// Its number, from 1.
    pub id: u32,
    /// When the poll began, in ns since the recording began.
    pub at: u64,
    /// How long it held the loop, in ns; `None` while it still does.
    pub took: Option<u64>,
    /// The task that was polled; 0 is none.
    pub task: u32,
    /// The name of the task.
    pub label: String,
    /// Where the task was spawned, as `file:line`.
    pub place: String,
    /// The n-th poll of the task.
    pub poll: u32,
    /// What it was doing.
    pub verdict: Verdict,
    /// Where it was, innermost first.
    pub stack: Vec<Frame>,
    /// Samples that found it at the same place, of all that were taken.
    pub same: (u32, u32),
    /// The whole text of the report.
    pub report: String,
}

impl Stall {
    /// The innermost function that is the program's; of nobody that is known, if there is none
    /// such; the innermost at all, if there is neither.
    pub fn culprit(&self) -> Option<&Frame> {
        let at = self.culprit_at()?;
        self.stack.get(at)
    }

    pub(crate) fn culprit_at(&self) -> Option<usize> {
        let of = |owner| self.stack.iter().position(|frame| frame.owner == owner);
        let first = (!self.stack.is_empty()).then_some(0);
        of(Owner::Yours).or_else(|| of(Owner::Unknown)).or(first)
    }
}

/// One function of a stack.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::{Frame, Owner};
///
/// let frame = Frame {
///     function: "heavy_sync_operation".to_owned(),
///     file: "examples/blocked.rs".to_owned(),
///     line: 41,
///     owner: Owner::Yours,
/// };
/// assert_eq!(frame.place(), "examples/blocked.rs:41");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its name.
    pub function: String,
    /// The file; empty if it is not known.
    pub file: String,
    /// The line; 0 if it is not known.
    pub line: u32,
    /// Whose code it is.
    pub owner: Owner,
}

impl Frame {
    /// The place as `file:line`; empty if it is not known.
    pub fn place(&self) -> String {
        match (self.file.as_str(), self.line) {
            ("", _) => String::new(),
            (file, 0) => file.to_owned(),
            (file, line) => format!("{file}:{line}"),
        }
    }
}

/// Whose code a function is.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::Owner;
///
/// assert_eq!(Owner::Yours.text(), "yours");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// The program's, or a crate's that it uses.
    Yours,
    /// This crate's.
    Runtime,
    /// The standard library's.
    Std,
    /// Nobody knows.
    #[default]
    Unknown,
}

impl Owner {
    pub(crate) const ALL: [Owner; 4] = [Self::Yours, Self::Runtime, Self::Std, Self::Unknown];

    /// One word, in small letters.
    pub fn text(self) -> &'static str {
        match self {
            Self::Yours => "yours",
            Self::Runtime => "runtime",
            Self::Std => "std",
            Self::Unknown => "unknown",
        }
    }
}

/// What a task was doing while it held the loop.
///
/// # Examples
///
/// ```
/// use tourbillon::watch::Verdict;
///
/// assert_eq!((Verdict::Cpu.name(), Verdict::Cpu.text()), ("cpu", "on CPU"));
/// assert!(Verdict::Cpu.hint().contains("spawn_blocking"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// It computed.
    Cpu,
    /// It slept on purpose.
    Sleep,
    /// It waited for a lock or a channel.
    Lock,
    /// It read or wrote a file.
    File,
    /// It waited for a blocking socket.
    Socket,
    /// It waited in the kernel for something else.
    Kernel,
    /// It could have run, but the machine did not let it.
    Starved,
    /// Nobody knows.
    #[default]
    Unknown,
}

impl Verdict {
    pub(crate) const ALL: [Verdict; 8] = [
        Self::Cpu,
        Self::Sleep,
        Self::Lock,
        Self::File,
        Self::Socket,
        Self::Kernel,
        Self::Starved,
        Self::Unknown,
    ];

    /// One word, in small letters, for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Sleep => "sleep",
            Self::Lock => "lock",
            Self::File => "file",
            Self::Socket => "socket",
            Self::Kernel => "kernel",
            Self::Starved => "starved",
            Self::Unknown => "unknown",
        }
    }

    /// A few words, for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Cpu => "on CPU",
            Self::Sleep => "asleep on purpose",
            Self::Lock => "waiting for a lock or channel",
            Self::File => "file I/O",
            Self::Socket => "blocking socket",
            Self::Kernel => "waiting in the kernel",
            Self::Starved => "ready but not running",
            Self::Unknown => "unknown",
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Cpu => {
                "tourbillon::spawn_blocking(f).await, or split it by tourbillon::yield_now().await"
            }
            Self::Sleep => "tourbillon::sleep(duration).await",
            Self::Lock => {
                "hold no lock across turns; an async channel or lock, or tourbillon::spawn_blocking"
            }
            Self::File => "tourbillon::fs, or tourbillon::spawn_blocking(f).await",
            Self::Socket => "the sockets of tourbillon::net",
            Self::Kernel => "tourbillon::spawn_blocking(f).await",
            Self::Starved => "the machine is overloaded, not the task",
            Self::Unknown => "look at the stack",
        }
    }
}
