//! What is counted of responses, for whoever collects it.

use std::cell::Cell;
use std::time::Duration;

use crate::http::Status;

/// Upper bounds of the classes of durations, in milliseconds: Prometheus's
/// own, and one below them, where a loop that nothing holds up should be.
pub(super) const BOUNDS_MS: [u64; 12] = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000];

/// Counts of complete and of cut-off responses.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// By the first digit of the status, 1 to 5.
    pub(super) responses: [Cell<u64>; 5],
    pub(super) cut_off: Cell<u64>,
    pub(super) body_bytes: Cell<u64>,
    /// How many took at most so long; the last is for all that took longer.
    pub(super) durations: [Cell<u64>; BOUNDS_MS.len() + 1],
    pub(super) took: Cell<Duration>,
}

impl Metrics {
    /// Counts a response that is complete, or that was begun and cut off.
    #[inline]
    pub(super) fn count(&self, status: Status, is_complete: bool, bytes: u64, took: Duration) {
        let add = |cell: &Cell<u64>, count| cell.set(cell.get().wrapping_add(count));
        let class = usize::from(status.code() / 100) - 1;
        add(&self.responses[class], 1);
        add(&self.cut_off, u64::from(!is_complete));
        add(&self.body_bytes, bytes);
        if took.is_zero() {
            add(&self.durations[0], 1);
            return;
        }
        self.count_long(took);
    }

    #[cold]
    fn count_long(&self, took: Duration) {
        let add = |cell: &Cell<u64>, count| cell.set(cell.get().wrapping_add(count));
        let is_over = |bound: &&u64| took > Duration::from_millis(**bound);
        let place = BOUNDS_MS.iter().take_while(is_over).count();
        add(&self.durations[place], 1);
        self.took.set(self.took.get().saturating_add(took));
    }
}
