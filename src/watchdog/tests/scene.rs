//! A loop and a clock that are made up, and a watchdog without threads that looks at them.

use std::os::fd::RawFd;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};

use crate::sys::ThreadId;
use crate::watchdog::findings::Findings;
use crate::watchdog::guard::{Guard, Means};
use crate::watchdog::report::{Stage, StallReport};
use crate::watchdog::rounds::Look;
use crate::watchdog::teller::Teller;
use crate::watchdog::tray::Tray;
use crate::watchdog::watched::{Beat, Culprit, Doing, Took, Waiting, Watched};
use crate::watchdog::{Found, Watchdog};

pub(super) const MS: u64 = 1_000_000;
pub(super) const LIMIT: u64 = 100 * MS;
pub(super) const NAP: u64 = 25 * MS;

/// A loop that does what it is told.
pub(super) struct Pretended {
    pub(super) now: AtomicU64,
    pub(super) beat: Mutex<Beat>,
    pub(super) marked: AtomicU64,
    pub(super) marks: AtomicU32,
    pub(super) took: AtomicU64,
    pub(super) ended: AtomicU64,
}

impl Watched for Pretended {
    fn beat(&self) -> Beat {
        *self.beat.lock().unwrap()
    }

    fn culprit(&self) -> Culprit {
        let seq = self.beat().seq;
        Culprit {
            task: (seq / 2) as u32 + 2,
            label: format!("task at {seq}"),
            place: "src/a.rs:7".to_owned(),
            poll: 3,
        }
    }

    fn waiting(&self) -> Waiting {
        Waiting {
            ready: 2,
            ..Waiting::default()
        }
    }

    fn fds(&self) -> Vec<RawFd> {
        Vec::new()
    }

    fn mark_stuck(&self, seq: u64) {
        self.marks.fetch_add(1, SeqCst);
        self.marked.store(seq, SeqCst);
    }

    fn took(&self, seq: u64) -> Option<Took> {
        assert_eq!(seq, self.marked.load(SeqCst));
        let took = Some(self.took.load(SeqCst)).filter(|&took| took > 0)?;
        let ended = self.ended.load(SeqCst);
        let is_exact = false;
        Some(Took {
            took,
            is_exact,
            ended,
        })
    }

    fn now(&self) -> u64 {
        self.now.load(SeqCst)
    }
}

/// A guard without a thread that it could interrupt.
pub(super) fn made_up(
    config: &Watchdog,
    board: Arc<dyn Watched>,
    findings: &Arc<Findings>,
    tray: &Arc<Tray>,
) -> Guard {
    let means = Means {
        thread: ThreadId::here(),
        sampler: None,
    };
    Guard::new(config, board, means, Arc::clone(findings), Arc::clone(tray))
}

/// It, its watchdog, and all that was said.
pub(super) struct Scene {
    pub(super) board: Arc<Pretended>,
    pub(super) guard: Guard,
    pub(super) tray: Arc<Tray>,
    pub(super) teller: Teller,
    pub(super) findings: Arc<Findings>,
    pub(super) said: Arc<Mutex<String>>,
    pub(super) told: Arc<Mutex<Vec<StallReport>>>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(Watchdog::new())
    }

    pub(super) fn with(config: Watchdog) -> Self {
        let beat = Mutex::new(Beat {
            seq: 0,
            turn: 1,
            doing: Doing::Parked,
        });
        let board = Arc::new(Pretended {
            now: AtomicU64::new(1_000 * MS),
            beat,
            marked: AtomicU64::new(0),
            marks: AtomicU32::new(0),
            took: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        });
        let said = Arc::new(Mutex::new(String::new()));
        let told = Arc::new(Mutex::new(Vec::new()));
        let (its_said, its_told) = (Arc::clone(&said), Arc::clone(&told));
        let config = config
            .say_to(move |text| its_said.lock().unwrap().push_str(text))
            .on_stall(move |report| its_told.lock().unwrap().push(report.clone()));
        let findings = Arc::new(Findings::default());
        let tray = Arc::new(Tray::default());
        let watched = Arc::clone(&board) as Arc<dyn Watched>;
        let mut guard = made_up(&config, watched, &findings, &tray);
        guard.rest();
        let how = "no stacks: it is made up".to_owned();
        let teller = Teller::new(&config, Arc::clone(&findings), how);
        Self {
            board,
            guard,
            tray,
            teller,
            findings,
            said,
            told,
        }
    }

    /// The loop does this from now on.
    pub(super) fn does(&self, doing: Doing, seq: u64, turn: u64) {
        *self.board.beat.lock().unwrap() = Beat { seq, turn, doing };
    }

    /// The watchdog sleeps for so long, then looks.
    pub(super) fn after(&mut self, nanoseconds: u64) -> Look {
        let look = self.see(nanoseconds);
        self.tell();
        look
    }

    /// The same, but the one who tells is busy.
    pub(super) fn see(&mut self, nanoseconds: u64) -> Look {
        self.board.now.fetch_add(nanoseconds, SeqCst);
        let look = self.guard.look();
        self.guard.rest();
        look
    }

    /// What was seen is told.
    pub(super) fn tell(&mut self) {
        while !self.tray.is_empty() {
            self.teller.tell(self.tray.take().unwrap());
            self.tray.done();
        }
    }

    /// Looks for as long as that, a nap apart.
    pub(super) fn pass(&mut self, nanoseconds: u64) {
        for _ in 0..nanoseconds / NAP {
            self.after(NAP);
        }
    }

    pub(super) fn said(&self) -> String {
        std::mem::take(&mut *self.said.lock().unwrap())
    }

    pub(super) fn stages(&self) -> Vec<(Stage, u64)> {
        let told = self.told.lock().unwrap();
        let each = |report: &StallReport| (report.stage, report.elapsed.as_millis() as u64);
        told.iter().map(each).collect()
    }

    pub(super) fn found(&self) -> Found {
        self.findings.copy()
    }
}
