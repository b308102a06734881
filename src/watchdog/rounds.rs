//! When to say what: the watchdog's judgement, without a clock or a thread of its own.

use super::watched::{Beat, Doing};

/// Samples are not put further apart than this many doublings.
const DOUBLINGS_MAX: u32 = 20;

/// What the last looks have shown. All times are nanoseconds on one clock.
#[derive(Debug)]
pub(super) struct Rounds {
    limit: u64,
    nap: u64,
    /// When the watchdog last lay down.
    rested: Option<u64>,
    /// The odd number that was seen, and when first.
    seen: Option<(u64, u64)>,
    open: Option<Open>,
    turn: Option<Turn>,
}

/// A stall that is not over.
#[derive(Clone, Copy, Debug)]
struct Open {
    seq: u64,
    since: u64,
    /// How often it was looked at.
    looks: u32,
}

/// A turn that is not over.
#[derive(Clone, Copy, Debug)]
struct Turn {
    number: u64,
    seq: u64,
    since: u64,
    is_told: bool,
}

/// What one look has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// The whole process stood still, from and to.
    pub(super) gap: Option<(u64, u64)>,
    /// What was stuck at this number since then is over.
    pub(super) over: Option<(u64, u64)>,
    /// This is the first sight of this number: what the thread has used so far is not its doing.
    pub(super) is_new: bool,
    pub(super) stuck: Option<Stuck>,
    /// The turn, since when, and how many polls and calls have ended in it meanwhile.
    pub(super) slow: Option<(u64, u64, u64)>,
}

/// It is time to look at what holds the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) seq: u64,
    pub(super) since: u64,
    /// 1 when it is noticed, then at twice, four times, ... the threshold.
    pub(super) look: u32,
}

impl Rounds {
    pub(super) fn new(limit: u64, nap: u64) -> Self {
        Self {
            limit,
            nap,
            rested: None,
            seen: None,
            open: None,
            turn: None,
        }
    }

    /// The watchdog lies down, for a nap. What it did since its last look is not a gap.
    pub(super) fn rest(&mut self, now: u64) {
        self.rested = Some(now);
    }

    /// It will not look again. What was stuck, at this number and since then, is over.
    pub(super) fn end(&mut self) -> Option<(u64, u64)> {
        self.open.take().map(|open| (open.seq, open.since))
    }

    /// The watchdog has woken up.
    pub(super) fn look(&mut self, now: u64, beat: Beat) -> Look {
        let mut look = Look {
            gap: self.gap(now),
            ..Look::default()
        };
        let runs = beat.seq % 2 == 1 && beat.doing == Doing::Turning;
        if let Some(open) = self.open {
            if runs && open.seq == beat.seq {
                look.stuck = self.again(now);
                return look;
            }
            look.over = Some((open.seq, open.since));
            self.open = None;
        }
        look.slow = self.slow(now, beat);
        if !runs {
            self.seen = None;
            return look;
        }
        match self.seen {
            Some((seq, since)) if seq == beat.seq => {
                if now.saturating_sub(since) >= self.limit {
                    let looks = 1;
                    self.open = Some(Open { seq, since, looks });
                    look.stuck = Some(Stuck {
                        seq,
                        since,
                        look: looks,
                    });
                    look.slow = None;
                    // What its longest poll says need not be said of the turn.
                    if let Some(turn) = &mut self.turn {
                        turn.is_told = true;
                    }
                }
            }
            _ => {
                self.seen = Some((beat.seq, now));
                look.is_new = true;
            }
        }
        look
    }

    /// If it slept for much longer than it wanted to, so did everybody: nobody is to blame for
    /// that time, and it counts for nothing.
    fn gap(&mut self, now: u64) -> Option<(u64, u64)> {
        let rested = self.rested?;
        let late = now.saturating_sub(rested).saturating_sub(self.nap);
        // Of a limit below the nap, every thread's ordinary lateness is more.
        if late <= self.limit.max(2 * self.nap) {
            return None;
        }
        self.seen = None;
        self.turn = None;
        if let Some(open) = &mut self.open {
            open.since += late;
        }
        Some((rested, now))
    }

    fn again(&mut self, now: u64) -> Option<Stuck> {
        let open = self.open.as_mut()?;
        let factor = 1_u64 << open.looks.min(DOUBLINGS_MAX);
        if now.saturating_sub(open.since) < self.limit.saturating_mul(factor) {
            return None;
        }
        open.looks += 1;
        Some(Stuck {
            seq: open.seq,
            since: open.since,
            look: open.looks,
        })
    }

    fn slow(&mut self, now: u64, beat: Beat) -> Option<(u64, u64, u64)> {
        if beat.doing != Doing::Turning {
            self.turn = None;
            return None;
        }
        let turn = match &mut self.turn {
            Some(turn) if turn.number == beat.turn => turn,
            _ => {
                self.turn = Some(Turn {
                    number: beat.turn,
                    seq: beat.seq,
                    since: now,
                    is_told: false,
                });
                return None;
            }
        };
        let ended = beat.seq.saturating_sub(turn.seq) / 2;
        if turn.is_told || ended == 0 || now.saturating_sub(turn.since) < self.limit {
            return None;
        }
        turn.is_told = true;
        Some((turn.number, turn.since, ended))
    }
}
