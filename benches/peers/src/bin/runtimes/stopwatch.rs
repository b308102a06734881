//! Time that passed, and time that was worked.

use std::time::{Duration, Instant};

/// Of one piece of work.
pub(crate) struct Stopwatch {
    began: Instant,
    cpu: Option<(libc::clockid_t, Duration)>,
}

impl Stopwatch {
    /// Shows the time that passes.
    pub(crate) fn wall() -> Self {
        Stopwatch {
            began: Instant::now(),
            cpu: None,
        }
    }

    /// The same, and the CPU time of this thread.
    pub(crate) fn with_thread() -> Self {
        Self::with(libc::CLOCK_THREAD_CPUTIME_ID)
    }

    /// The same, and the CPU time of all threads.
    pub(crate) fn with_process() -> Self {
        Self::with(libc::CLOCK_PROCESS_CPUTIME_ID)
    }

    fn with(clock: libc::clockid_t) -> Self {
        Stopwatch {
            cpu: Some((clock, cpu(clock))),
            ..Self::wall()
        }
    }

    /// Nanoseconds for each of `ops` operations.
    pub(crate) fn per_op(&self, ops: usize) -> Vec<f64> {
        let wall = self.began.elapsed();
        let cpu = self.cpu.map(|(clock, before)| cpu(clock) - before);
        let all = [Some(wall), cpu].into_iter().flatten();
        all.map(|took| took.as_nanos() as f64 / ops as f64)
            .collect()
    }
}

fn cpu(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is there for the whole call, which writes nothing else.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(result, 0, "Linux has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
