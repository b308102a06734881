//! Time that jumps: a manual clock that moves itself to the next deadline,
//! but only when nothing else can happen.

use std::io;
use std::time::{Duration, Instant};

use super::parts::Parts;

impl Parts {
    /// Where the clock may jump to instead of sleeping: to the next deadline,
    /// but no further than a sleep of `park_max` would reach. Not while a job
    /// is out, as that one lives in real time.
    pub(super) fn next_jump(&self, park_max: Option<Duration>) -> Option<Instant> {
        if !self.auto_advance || park_max == Some(Duration::ZERO) {
            return None;
        }
        let tick = self.wheel.borrow().next_deadline()?;
        let deadline = self.clock.instant_at(tick)?;
        let reach = park_max.and_then(|max| self.clock.now().checked_add(max));
        let is_idle = self.jobs.borrow().is_idle();
        is_idle.then(|| reach.map_or(deadline, |reach| reach.min(deadline)))
    }

    /// Asks the kernel, and if nothing has happened makes it `then`.
    pub(super) fn jump(&self, then: Instant) -> io::Result<()> {
        self.sleep(Some(Duration::ZERO))?;
        if !self.work_waits() {
            self.clock.move_to(then);
            self.begin();
        }
        Ok(())
    }
}
