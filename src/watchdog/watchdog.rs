//! What a program asks of its watchdog.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::sys::{SAMPLE_SIGNAL, write_stderr};

use super::report::StallReport;

/// What a program wants to be told of.
pub(super) type OnStall = Arc<dyn Fn(&StallReport) + Send + Sync>;

/// How a runtime is watched for polls and callbacks that hold its loop for too long.
///
/// A thread looks at the loop every quarter of the threshold. If one poll or callback runs for the
/// whole threshold, it takes the stack of the loop's thread by a signal, asks the kernel what that
/// thread is doing, and writes a report to standard error: which task, which function, what it
/// waits for, who waits for it. At twice, four times and so on of the threshold it looks again and
/// adds a line, and one when the loop is free. It writes there and not to the logger, in one piece
/// and without waiting: an operator without a logger must see it, and a logger may be what the
/// loop is stuck in.
///
/// What is due to somebody else is not blamed on a task: if the whole process stood still
/// (`SIGSTOP`, a suspended machine), a gate holds the loop, or a debugger is attached, there is no
/// report.
///
/// Two things to know of the signal, `SIGURG` unless [`signal`](Self::signal) says otherwise: it is
/// sent only while the loop is stuck, and a blocking system call may then end with `EINTR`, which
/// std handles. The stack is unwound as for a panic; where that is not safe, in assembly without
/// right tables for it, [`no_unwind`](crate::no_unwind) says so, or [`samples`](Self::samples)
/// switches it off. A handler that was installed before for the same signal is called for all
/// signals but these.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::Watchdog;
///
/// let watchdog = Watchdog::new()
///     .threshold(Duration::from_millis(50))
///     .on_stall(|report| println!("{}", report.stall.label));
/// println!("{watchdog:?}");
/// ```
#[derive(Clone)]
pub struct Watchdog {
    pub(super) threshold: Duration,
    pub(super) signal: i32,
    pub(super) samples: u32,
    pub(super) reports_per_minute: u32,
    pub(super) is_json: bool,
    pub(super) on_stall: Option<OnStall>,
    pub(super) abort_after: Option<Duration>,
    /// Where reports are written.
    pub(super) say: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Watchdog {
    /// One with a threshold of 100 ms, eight samples a stall and five reports a minute.
    ///
    /// # Examples
    ///
    /// ```
    /// let watchdog = tourbillon::Watchdog::new();
    /// # let _ = watchdog;
    /// ```
    pub fn new() -> Self {
        Self {
            threshold: Duration::from_millis(100),
            signal: SAMPLE_SIGNAL,
            samples: 8,
            reports_per_minute: 5,
            is_json: false,
            on_stall: None,
            abort_after: None,
            // If it is not taken without waiting, it is lost: nobody would read it soon.
            say: Arc::new(|text| {
                write_stderr(text);
            }),
        }
    }

    /// How long one poll or callback may run; 100 ms by default, 1 ms at least. The watchdog wakes
    /// four times as often, but not more than every 5 ms; one that is longer by less than that may
    /// go unseen.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let strict = tourbillon::Watchdog::new().threshold(Duration::from_millis(20));
    /// # let _ = strict;
    /// ```
    #[must_use]
    pub fn threshold(mut self, threshold: Duration) -> Self {
        self.threshold = threshold.max(Duration::from_millis(1));
        self
    }

    /// By which signal stacks are taken; `SIGURG` by default.
    ///
    /// If it cannot be handled, reports come without stacks.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::signal::Signal;
    ///
    /// let watchdog = tourbillon::Watchdog::new().signal(Signal::User2.number());
    /// # let _ = watchdog;
    /// ```
    #[must_use]
    pub fn signal(mut self, signal: i32) -> Self {
        self.signal = signal;
        self
    }

    /// How many samples of the stack are taken of one stall; 8 by default, 0 for none. The second
    /// is taken at twice the threshold, the third at four times, and so on.
    ///
    /// # Examples
    ///
    /// ```
    /// let without_stacks = tourbillon::Watchdog::new().samples(0);
    /// # let _ = without_stacks;
    /// ```
    #[must_use]
    pub fn samples(mut self, samples: u32) -> Self {
        self.samples = samples;
        self
    }

    /// How many stalls are written out in a minute; 5 by default, 0 for none. The rest is counted,
    /// and said with the next that is, when the minute is over or when the runtime ends;
    /// [`on_stall`](Self::on_stall) hears of all of them.
    ///
    /// Of slow turns, as many again are written.
    ///
    /// # Examples
    ///
    /// ```
    /// let chatty = tourbillon::Watchdog::new().reports_per_minute(60);
    /// # let _ = chatty;
    /// ```
    #[must_use]
    pub fn reports_per_minute(mut self, reports: u32) -> Self {
        self.reports_per_minute = reports;
        self
    }

    /// Whether reports are written as JSON, one line each, instead of as text; no by default.
    ///
    /// # Examples
    ///
    /// ```
    /// let for_machines = tourbillon::Watchdog::new().json(true);
    /// # let _ = for_machines;
    /// ```
    #[must_use]
    pub fn json(mut self, is_json: bool) -> Self {
        self.is_json = is_json;
        self
    }

    /// Calls `on_stall` with every report: when a stall is noticed, at each further sample of it,
    /// and when it is over ([`StallReport::stage`] says which).
    ///
    /// It is called on a thread of the watchdog's, after the report was written; the other watches
    /// on. Whoever is 64 reports behind is not told of the next. If it panics, that is caught, and
    /// it is called again the next time. The end of the runtime waits for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use tourbillon::{Stage, Watchdog};
    ///
    /// static STALLS: AtomicU32 = AtomicU32::new(0);
    ///
    /// let counting = Watchdog::new().on_stall(|report| {
    ///     if report.stage == Stage::Began {
    ///         STALLS.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// # let _ = counting;
    /// ```
    #[must_use]
    pub fn on_stall(mut self, on_stall: impl Fn(&StallReport) + Send + Sync + 'static) -> Self {
        self.on_stall = Some(Arc::new(on_stall));
        self
    }

    /// Ends the process by `abort` when a stall has lasted as long, after it was reported; never
    /// by default. For programs that a supervisor starts again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let strict = tourbillon::Watchdog::new().abort_after(Duration::from_secs(30));
    /// # let _ = strict;
    /// ```
    #[must_use]
    pub fn abort_after(mut self, limit: Duration) -> Self {
        self.abort_after = Some(limit);
        self
    }

    /// Writes to something else than standard error. For tests, which have other ears.
    #[cfg(test)]
    pub(super) fn say_to(mut self, say: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.say = Arc::new(say);
        self
    }

    /// Has this called, too.
    pub(crate) fn also(mut self, more: impl Fn(&StallReport) + Send + Sync + 'static) -> Self {
        let before = self.on_stall.take();
        self.on_stall = Some(Arc::new(move |report| {
            // Ours first: the program's may panic.
            more(report);
            if let Some(before) = &before {
                before(report);
            }
        }));
        self
    }

    /// How long the thread sleeps between two looks.
    pub(super) fn nap(&self) -> Duration {
        (self.threshold / 4).max(Duration::from_millis(5))
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog")
            .field("threshold", &self.threshold)
            .field("signal", &self.signal)
            .field("samples", &self.samples)
            .field("reports_per_minute", &self.reports_per_minute)
            .field("json", &self.is_json)
            .field("on_stall", &self.on_stall.is_some())
            .field("abort_after", &self.abort_after)
            .finish_non_exhaustive()
    }
}
