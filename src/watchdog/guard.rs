//! Who looks at the loop: takes what there is to see while it is to be seen, and hands it on.
//!
//! Nothing here waits for anything but the signal's answer: no name is looked up, nothing is
//! written, and no code of the program's is called.

use std::sync::Arc;
use std::time::Duration;

use crate::sys::{Sampler, StackSample, ThreadId, accept_queue, is_traced, readable_now};

use super::findings::Findings;
use super::quota::Quota;
use super::rounds::{Look, Rounds, Stuck};
use super::teller::{News, Seen};
use super::tray::Tray;
use super::verdict::Facts;
use super::watchdog::Watchdog;
use super::watched::{Culprit, Waiting, Watched};

/// How long a thread may take to answer before its stack is done without.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long the last report may take before the process ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How it looks at the loop's thread.
pub(super) struct Means {
    pub(super) thread: ThreadId,
    pub(super) sampler: Option<Sampler>,
}

/// What lives on the watchdog's thread.
pub(super) struct Guard {
    config: Watchdog,
    board: Arc<dyn Watched>,
    means: Means,
    findings: Arc<Findings>,
    tray: Arc<Tray>,
    rounds: Rounds,
    quota: Quota,
    slow_quota: Quota,
    stalls: u32,
    /// The processor time of the loop's thread when the running number was first seen.
    cpu_before: Option<Duration>,
    open: Option<Open>,
    is_debugged: bool,
}

/// The stall that is not over.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u32,
    since: u64,
    /// There was room for it on the tray.
    is_handed_on: bool,
}

impl Guard {
    pub(super) fn new(
        config: &Watchdog,
        board: Arc<dyn Watched>,
        means: Means,
        findings: Arc<Findings>,
        tray: Arc<Tray>,
    ) -> Self {
        let nanos = |duration: Duration| duration.as_nanos() as u64;
        Self {
            rounds: Rounds::new(nanos(config.threshold), nanos(config.nap())),
            quota: Quota::new(config.reports_per_minute),
            slow_quota: Quota::new(config.reports_per_minute),
            config: config.clone(),
            board,
            means,
            findings,
            tray,
            stalls: 0,
            cpu_before: None,
            open: None,
            is_debugged: false,
        }
    }

    pub(super) fn rest(&mut self) {
        self.rounds.rest(self.board.now());
    }

    /// One look at the loop, and what follows from it.
    pub(super) fn look(&mut self) -> Look {
        let now = self.board.now();
        let look = self.rounds.look(now, self.board.beat());
        if let Some(gap) = look.gap {
            self.findings.gap(gap);
        }
        if look.is_new {
            self.cpu_before = self.means.thread.cpu_time();
        }
        if let Some((seq, since)) = look.over {
            self.over(now, seq, since);
        }
        if let Some(stuck) = look.stuck {
            self.stuck(now, stuck);
        }
        if let Some((turn, since, ended)) = look.slow {
            self.slow(now, turn, since, ended);
        }
        if let Some(stalls) = self.quota.left_over(now)
            && !self.tray.put(News::HeldBack { stalls })
        {
            self.quota.lost(stalls);
        }
        self.give_up(now);
        look
    }

    /// The last look, when the loop's own thread has put the watchdog away: nothing is stuck.
    pub(super) fn end(&mut self) {
        if let Some((seq, since)) = self.rounds.end() {
            self.over(self.board.now(), seq, since);
        }
        if let Some(stalls) = self.quota.all_left() {
            self.tray.put_anyway(News::HeldBack { stalls });
        }
    }

    fn stuck(&mut self, now: u64, stuck: Stuck) {
        if is_traced() == Some(true) {
            if !self.is_debugged {
                self.tray.put(News::Debugged);
            }
            self.is_debugged = true;
            return;
        }
        self.is_debugged = false;
        let elapsed = Duration::from_nanos(now.saturating_sub(stuck.since));
        let mut who = self.board.culprit();
        // Before the thread is interrupted, which changes what it does.
        let mut facts = Facts::of(self.means.thread, self.cpu_before, elapsed);
        let sample = self.sample(stuck);
        if self.board.beat().seq != stuck.seq {
            // It has just ended: all this may be said of the next one.
            who = Culprit::default();
            facts = Facts::default();
        }
        let mut open = self.open.unwrap_or_else(|| {
            self.stalls += 1;
            self.board.mark_stuck(stuck.seq);
            Open {
                id: self.stalls,
                since: stuck.since,
                is_handed_on: false,
            }
        });
        open.since = stuck.since;
        let is_first = self.open.is_none();
        if is_first || open.is_handed_on {
            let said = match is_first {
                true => self.quota.ask(now),
                false => None,
            };
            let had_room = self.tray.put(News::Stuck(Box::new(Seen {
                id: open.id,
                since: stuck.since,
                is_first,
                is_said: said.is_some(),
                held_back: said.unwrap_or(0),
                elapsed,
                who,
                facts,
                sample,
                waiting: self.waiting(),
            })));
            if is_first {
                open.is_handed_on = had_room;
                if let Some(carried) = said.filter(|_| !had_room) {
                    self.quota.lost(carried + 1);
                }
            }
        }
        self.open = Some(open);
    }

    fn sample(&self, stuck: Stuck) -> Option<StackSample> {
        let sampler = self.means.sampler?;
        if stuck.look > self.config.samples {
            return None;
        }
        let sample = sampler.sample(stuck.seq, PATIENCE)?;
        (!sample.is_stale && !sample.pcs.is_empty()).then_some(sample)
    }

    fn waiting(&self) -> Waiting {
        let (mut others, mut accept) = (Vec::new(), None);
        for fd in self.board.fds() {
            match accept_queue(fd) {
                None => others.push(fd),
                queue => accept = accept.max(queue),
            }
        }
        Waiting {
            unread: readable_now(&others).len() as u32,
            accept,
            ..self.board.waiting()
        }
    }

    fn over(&mut self, now: u64, seq: u64, since: u64) {
        let Some(open) = self.open.take().filter(|open| open.is_handed_on) else {
            return;
        };
        // It began before it was first seen, by a nap at most; where the loop knows no better,
        // its own word counts the polls of the turn before.
        let nap = self.config.nap().as_nanos() as u64;
        let (took, ended) = match self.board.took(seq) {
            Some(over) if over.is_exact => (over.took, over.ended),
            Some(over) => {
                let seen = over.ended.saturating_sub(since);
                (over.took.clamp(seen, seen + nap), over.ended)
            }
            None => (now.saturating_sub(since), now),
        };
        self.tray.put_anyway(News::Over {
            id: open.id,
            began: ended.saturating_sub(took),
            took,
        });
    }

    fn slow(&mut self, now: u64, turn: u64, since: u64, ended: u64) {
        self.findings.slow_turn();
        if self.slow_quota.ask(now).is_some() {
            let lasted = Duration::from_nanos(now.saturating_sub(since));
            self.tray.put(News::Slow {
                turn,
                lasted,
                ended,
            });
        }
    }

    fn give_up(&self, now: u64) {
        let Some((open, limit)) = self.open.as_ref().zip(self.config.abort_after) else {
            return;
        };
        let elapsed = Duration::from_nanos(now.saturating_sub(open.since));
        if elapsed >= limit {
            self.tray.wait_until_told(LAST_WORDS);
            let millis = elapsed.as_millis();
            (self.config.say)(&match self.config.is_json {
                true => format!("{{\"tourbillon\":\"abort\",\"ms\":{millis}}}\n"),
                false => format!("tourbillon: loop stuck for {millis} ms: aborting\n"),
            });
            std::process::abort();
        }
    }
}
