//! For tests: a future that must not hold its loop.

use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::runtime::Runtime;
use crate::watch::Verdict;
use crate::watchdog::{Stage, StallReport, Watchdog};

/// Runs a future on a runtime of its own, and returns what it returns, unless
/// a poll or callback has held the loop for `limit`: for tests, so that what
/// blocks fails where it was written.
///
/// Nothing is written to standard error. A poll that is longer than `limit` by
/// less than a quarter of it, or by less than 5 ms, may go unseen: see
/// [`Watchdog::threshold`]. One that could not run because the machine was
/// overloaded is not blamed.
///
/// # Panics
///
/// If the loop was held, with the report: which function, in which task. If the
/// future panics. If no runtime can be made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::{assert_no_stall, sleep};
///
/// let limit = Duration::from_millis(100);
/// let answer = assert_no_stall(limit, async {
///     sleep(Duration::from_millis(1)).await;
///     42
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn assert_no_stall<F: Future>(limit: Duration, future: F) -> F::Output {
    let stalls: Arc<Mutex<Vec<StallReport>>> = Arc::default();
    let its_stalls = Arc::clone(&stalls);
    let watchdog = Watchdog::new()
        .threshold(limit)
        .reports_per_minute(0)
        .on_stall(move |report| {
            let mut stalls = its_stalls.lock().unwrap_or_else(PoisonError::into_inner);
            if report.stage == Stage::Over && report.stall.verdict != Verdict::Starved {
                stalls.push(report.clone());
            }
        });
    let builder = Runtime::builder().unwatched().watchdog(watchdog);
    let mut rt = match builder.build() {
        Ok(rt) => rt,
        Err(error) => panic!("no runtime to run the future on: {error}"),
    };
    let output = rt.block_on(future);
    // What was seen is told by the time this is done.
    drop(rt);
    let mut stalls = stalls.lock().unwrap_or_else(PoisonError::into_inner);
    let stalls = mem::take(&mut *stalls);
    if let Some(first) = stalls.first() {
        let (count, text) = (stalls.len(), &first.stall.report);
        panic!("the loop was held for longer than {limit:?}, {count} times; first:\n{text}");
    }
    output
}
