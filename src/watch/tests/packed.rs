//! Events as words, and back.

use crate::watch::{EndReason, Event, EventKind, GateKind, IoKind, NameId, PollResult, WaitKind};

/// Numbers from a seed, the edges more often than others.
struct Dice(u64);

impl Dice {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        match self.0 % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 40,
            3 => u64::from(u32::MAX),
            _ => self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }

    fn half(&mut self) -> u32 {
        self.word() as u32
    }

    fn quarter(&mut self) -> u16 {
        self.word() as u16
    }

    fn name(&mut self) -> NameId {
        NameId(self.half())
    }

    fn yes(&mut self) -> bool {
        self.word() % 2 == 1
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.word() as usize % all.len()]
    }
}

/// One of every kind, with values from the dice.
fn kinds(dice: &mut Dice) -> Vec<EventKind> {
    let d = dice;
    let results = [PollResult::Pending, PollResult::Ready, PollResult::Panicked];
    let reasons = [EndReason::Done, EndReason::Aborted, EndReason::Panicked];
    let gates = [
        GateKind::Pause,
        GateKind::Step,
        GateKind::Go,
        GateKind::Slow,
    ];
    let ops = [IoKind::Accept, IoKind::Read, IoKind::Write];
    let waits: Vec<WaitKind> = (0..=10).filter_map(WaitKind::from_u8).collect();
    vec![
        EventKind::Turn {
            number: d.half() & 0xff_ffff,
            took: d.word(),
            polls: d.quarter(),
            events: d.quarter(),
            timers: d.quarter(),
            callbacks: d.quarter(),
        },
        EventKind::Park {
            took: d.word(),
            timeout_ms: d.yes().then(|| d.half()),
            events: d.half(),
        },
        EventKind::Spawn {
            name: d.name(),
            place: d.name(),
            parent: d.half(),
            bytes: d.half(),
        },
        EventKind::Poll {
            took: d.word(),
            number: d.half(),
            result: d.of(&results),
            wait: d.of(&waits),
            ready: d.quarter(),
        },
        EventKind::Call {
            took: d.word(),
            place: d.name(),
            is_completion: d.yes(),
        },
        EventKind::Wake { by: d.half() },
        EventKind::End {
            polls: d.half(),
            reason: d.of(&reasons),
            busy: d.word(),
        },
        EventKind::IoReady {
            fd: d.half() as i32,
            ready: d.word() as u8,
        },
        EventKind::IoOp {
            fd: d.half() as i32,
            op: d.of(&ops),
            result: d.word() as i64,
        },
        EventKind::FdAdd {
            fd: d.half() as i32,
        },
        EventKind::FdDel {
            fd: d.half() as i32,
        },
        EventKind::TimerSet { deadline: d.word() },
        EventKind::TimerFire { late: d.word() },
        EventKind::Take { depth: d.half() },
        EventKind::JobSubmit {
            job: d.half(),
            queued: d.half(),
            place: d.name(),
            name: d.name(),
        },
        EventKind::JobRun {
            job: d.half(),
            took: d.word(),
            waited_us: d.half(),
            worker: d.quarter(),
        },
        EventKind::JobCallback {
            job: d.half(),
            waited: d.word(),
        },
        EventKind::JobCancel { job: d.half() },
        EventKind::RequestBegin {
            request: d.half(),
            name: d.name(),
            connection: d.half(),
        },
        EventKind::RequestEnd {
            request: d.half(),
            status: d.quarter(),
            bytes: d.word(),
        },
        EventKind::StallEnd {
            stall: d.half(),
            took: d.word(),
        },
        EventKind::Gate {
            what: d.of(&gates),
            delay_ms: d.half(),
        },
        EventKind::Mark {
            name: d.name(),
            value: d.word() as i64,
        },
        EventKind::Lost { count: d.word() },
    ]
}

#[test]
fn every_kind_comes_back_from_its_words() {
    let mut dice = Dice(7);
    for _ in 0..2_000 {
        for kind in kinds(&mut dice) {
            let event = Event {
                at: dice.word(),
                task: dice.half(),
                kind,
            };
            assert_eq!(Event::unpack(event.pack()), Some(event), "{event:?}");
        }
    }
}

#[test]
fn every_kind_has_a_number_and_a_name_of_its_own() {
    let kinds = kinds(&mut Dice(3));
    let number = |kind: EventKind| {
        Event {
            at: 0,
            task: 0,
            kind,
        }
        .pack()[1]
            >> 56
    };
    for (at, one) in kinds.iter().enumerate() {
        assert_ne!(number(*one), 0, "{one:?}");
        for other in &kinds[..at] {
            assert_ne!(number(*one), number(*other), "{one:?} and {other:?}");
            assert_ne!(one.name(), other.name());
        }
    }
}

#[test]
fn words_that_are_no_event_are_refused() {
    assert_eq!(Event::unpack([0; 4]), None, "an empty slot");
    assert_eq!(Event::unpack([u64::MAX; 4]), None);
    let wake = Event {
        at: 1,
        task: 2,
        kind: EventKind::Wake { by: 3 },
    };
    let [at, tags, a, b] = wake.pack();
    assert_eq!(Event::unpack([at, tags, a, b]), Some(wake));
    for bad in [
        [at, tags, 1, b],
        [at, tags, a, b | 1],
        [at, tags | 1 << 32, a, b],
        [at, tags | 0xff << 56, a, b],
    ] {
        assert_eq!(Event::unpack(bad), None, "{bad:x?}");
    }
}

#[test]
fn no_words_make_it_panic() {
    let mut dice = Dice(11);
    let mut taken = 0;
    for _ in 0..200_000 {
        let mut words = [dice.word(), dice.word(), dice.word(), dice.word()];
        if dice.yes() {
            // A kind that there may be, so that the rest is looked at.
            words[1] = u64::from(dice.half() % 34) << 56 | u64::from(dice.half());
        }
        if let Some(event) = Event::unpack(words) {
            taken += 1;
            assert_eq!(event.pack(), words);
        }
    }
    assert!(taken > 1_000, "{taken}: hardly any were events");
}
