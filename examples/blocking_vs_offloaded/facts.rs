//! What was measured. All times are milliseconds, counted from the start of their run.

pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the kernel is asked with.
pub(super) const BACKEND: &str = if cfg!(mio_unsupported_force_poll_poll) {
    "poll"
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    "epoll"
} else {
    "kqueue"
};

/// Threads of the blocking pool: libuv's number, and said in the report.
pub(super) const WORKERS: usize = 4;

/// A light request that took longer has waited: undisturbed, it takes a tenth of this at most.
pub(super) const WAITED_MS: f64 = 10.0;

/// Where people begin to notice.
pub(super) const NOTICED_MS: f64 = 100.0;

/// How the heavy work keeps its thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum How {
    Cpu,
    Sleep,
    Lock,
    File,
}

impl How {
    pub(super) fn name(self) -> &'static str {
        match self {
            How::Cpu => "cpu",
            How::Sleep => "sleep",
            How::Lock => "lock",
            How::File => "file",
        }
    }
}

/// What the client sends, and when.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) how: How,
    pub(super) light: usize,
    pub(super) light_every: f64,
    pub(super) heavy: usize,
    pub(super) heavy_at: f64,
    pub(super) heavy_ms: f64,
}

impl Plan {
    /// When the light request of this number is due, counted from 1.
    pub(super) fn light_at(&self, number: usize) -> f64 {
        (number - 1) as f64 * self.light_every
    }
}

/// Both runs.
pub(super) struct Facts {
    pub(super) plan: Plan,
    pub(super) a: Run,
    pub(super) b: Run,
    /// Who held the loop in A, if the watchdog could tell.
    pub(super) culprit: Option<Culprit>,
}

/// What the watchdog said of the longest stall.
#[derive(Clone)]
pub(super) struct Culprit {
    pub(super) function: String,
    /// `file:line`
    pub(super) place: String,
    /// The task that called it.
    pub(super) task: String,
    /// What it was doing, for people and for machines.
    pub(super) verdict: &'static str,
    pub(super) kind: &'static str,
    pub(super) stuck_ms: f64,
}

/// One run of the plan.
pub(super) struct Run {
    pub(super) light: Vec<LightFact>,
    /// In the order they were answered.
    pub(super) heavy: Vec<HeavyFact>,
    /// How late the loop was at most for a beat of 2 ms.
    pub(super) stuck: f64,
}

pub(super) struct LightFact {
    pub(super) scheduled: f64,
    /// When the loop came to it: told by the handler.
    pub(super) handled: f64,
    pub(super) answered: f64,
}

impl LightFact {
    pub(super) fn latency(&self) -> f64 {
        self.answered - self.scheduled
    }
}

pub(super) struct HeavyFact {
    pub(super) start: f64,
    /// When the work began and ended, and on which thread: told by the handler.
    pub(super) began: f64,
    pub(super) ended: f64,
    pub(super) answered: f64,
    pub(super) on_loop: bool,
    pub(super) thread: String,
    /// What the work computed.
    pub(super) digest: String,
}

impl HeavyFact {
    pub(super) fn latency(&self) -> f64 {
        self.answered - self.start
    }
}

/// The latencies of a run's light requests.
pub(super) struct Summary {
    pub(super) n: usize,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
    pub(super) over_100ms: usize,
    pub(super) waited: usize,
}

impl Run {
    pub(super) fn summary(&self) -> Summary {
        let mut sorted: Vec<f64> = self.light.iter().map(LightFact::latency).collect();
        sorted.sort_by(f64::total_cmp);
        let over = |limit| sorted.iter().filter(|&&latency| latency > limit).count();
        Summary {
            n: sorted.len(),
            p50: percentile(&sorted, 0.50),
            p90: percentile(&sorted, 0.90),
            p99: percentile(&sorted, 0.99),
            max: percentile(&sorted, 1.0),
            over_100ms: over(NOTICED_MS),
            waited: over(WAITED_MS),
        }
    }
}

/// The nearest rank: a latency that somebody had, never a mean of two.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}
