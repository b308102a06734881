//! Whether a client sends its body fast enough. No I/O, and the time is an
//! argument.
//!
//! A timeout between two reads is pushed back by each byte. This is not: all
//! the time that the server has waited for this body counts, and only bytes
//! buy more of it.

use std::time::{Duration, Instant};

/// What came of a request's body, and how long the server waited for it.
#[derive(Debug, Default)]
pub(super) struct BodyRate {
    received: u64,
    waited: Duration,
    since: Option<Instant>,
}

impl BodyRate {
    /// Nothing has come, and somebody wants more.
    pub(super) fn begin_wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Something has come, or it is not the client's sending that is waited
    /// for. What the handler does now is not the client's time.
    #[inline]
    pub(super) fn end_wait(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }

    /// Counts bytes of the body.
    #[inline]
    pub(super) fn received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// How much longer the client may let the server wait, if it must send
    /// `min` bytes per second: for `grace` in all, and for as long as what it
    /// has sent takes at that rate. `None` if there is no such rate.
    pub(super) fn patience(&self, now: Instant, min: u32, grace: Duration) -> Option<Duration> {
        let min = u64::from(min);
        let whole = self.received.checked_div(min)?;
        let nanos = (self.received % min) * 1_000_000_000 / min;
        let earned = Duration::from_secs(whole) + Duration::from_nanos(nanos);
        let waiting = self
            .since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let waited = self.waited + waiting;
        Some(grace.saturating_add(earned).saturating_sub(waited))
    }
}
