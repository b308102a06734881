//! Recordings that are made up: of a handler that blocks, of one that offloads, and of anything.

use std::time::{Duration, UNIX_EPOCH};

use tourbillon::watch::{
    EndReason, Event, EventKind, Frame, GateKind, IoKind, Level, NameId, Owner, PollResult,
    Recording, Stall, Verdict, WaitKind,
};

/// ns of a ms.
pub(super) const MS: u64 = 1_000_000;

/// A recording that is written by hand.
#[derive(Default)]
pub(super) struct Scene(pub(super) Recording);

impl Scene {
    pub(super) fn name(&mut self, text: &str) -> NameId {
        let names = &mut self.0.names;
        let at = names.iter().position(|name| name == text);
        let at = at.unwrap_or_else(|| {
            names.push(text.to_owned());
            names.len() - 1
        });
        NameId(at as u32)
    }

    pub(super) fn add(&mut self, at: u64, task: u32, kind: EventKind) {
        self.0.events.push(Event { at, task, kind });
    }

    pub(super) fn poll(&mut self, task: u32, number: u32, span: (u64, u64), result: PollResult) {
        let kind = EventKind::Poll {
            took: span.1 - span.0,
            number,
            result,
            wait: WaitKind::Nothing,
            ready: 0,
        };
        self.add(span.0, task, kind);
    }

    pub(super) fn park(&mut self, from: u64, until: u64) {
        let kind = EventKind::Park {
            took: until - from,
            timeout_ms: None,
            events: 1,
        };
        self.add(from, 0, kind);
    }

    pub(super) fn turn(&mut self, from: u64, until: u64) {
        let kind = EventKind::Turn {
            number: 1,
            took: until - from,
            polls: 1,
            events: 1,
            timers: 0,
            callbacks: 0,
        };
        self.add(from, 0, kind);
    }

    pub(super) fn begin(&mut self, at: u64, task: u32, request: u32, name: &str) {
        let name = self.name(name);
        let connection = task;
        let kind = EventKind::RequestBegin {
            request,
            name,
            connection,
        };
        self.add(at, task, kind);
    }

    pub(super) fn end(&mut self, at: u64, task: u32, request: u32) {
        let (status, bytes) = (200, 2);
        let kind = EventKind::RequestEnd {
            request,
            status,
            bytes,
        };
        self.add(at, task, kind);
    }

    pub(super) fn spawn(&mut self, at: u64, task: u32, name: &str) {
        let (name, place) = (self.name(name), self.name("src/accept.rs:88"));
        let kind = EventKind::Spawn {
            name,
            place,
            parent: 1,
            bytes: 512,
        };
        self.add(at, task, kind);
    }

    /// A light request of its own task, in a turn of its own: 0.4 ms.
    pub(super) fn light(&mut self, at: u64, number: u32) {
        let task = 1_000 + number;
        self.turn(at, at + MS / 2);
        self.poll(task, 1, (at, at + MS / 2), PollResult::Pending);
        self.begin(at + MS / 20, task, number, "GET /ping");
        self.end(at + MS * 9 / 20, task, number);
    }

    /// When its client sent a request.
    pub(super) fn sent(&mut self, at: u64, number: u32) {
        let name = self.name("client sent");
        let value = i64::from(number);
        self.add(at, 0, EventKind::Mark { name, value });
    }

    pub(super) fn done(mut self) -> Recording {
        self.0.events.sort_by_key(|event| event.at);
        self.0
    }
}

pub(super) fn frame(function: &str, file: &str, line: u32, owner: Owner) -> Frame {
    Frame {
        function: function.to_owned(),
        file: file.to_owned(),
        line,
        owner,
    }
}

/// A stall of a second in a function.
pub(super) fn stall(task: u32, at: u64, function: &str) -> Stall {
    Stall {
        id: 1,
        at,
        took: Some(1_000 * MS),
        task,
        label: "GET /bad-practice".to_owned(),
        place: "src/accept.rs:88".to_owned(),
        poll: 2,
        verdict: Verdict::Cpu,
        stack: vec![
            frame("core::hint::black_box", "core/src/hint.rs", 3, Owner::Std),
            frame(function, "examples/blocked.rs", 41, Owner::Yours),
            frame("Tasks::poll", "src/executor/tasks.rs", 133, Owner::Runtime),
        ],
        same: (3, 3),
        report: "tourbillon: loop stuck\n  task #88".to_owned(),
    }
}

/// Task 88 computes for a second in its second poll, and ten others wait; then they are served.
pub(super) fn blocked(clients_tell: bool) -> Recording {
    let mut scene = Scene::default();
    scene.0.backend = "epoll".to_owned();
    scene.spawn(0, 88, "connection");
    scene.poll(88, 1, (MS, 2 * MS), PollResult::Pending);
    scene.park(3 * MS, 149 * MS);
    scene.turn(149 * MS, 1_151 * MS);
    scene.poll(88, 2, (150 * MS, 1_150 * MS), PollResult::Pending);
    scene.begin(150 * MS + 10_000, 88, 1, "GET /bad-practice");
    scene.end(1_150 * MS - 10_000, 88, 1);
    // The watchdog's times are not as exact as the poll's.
    let mut stuck = stall(88, 149 * MS, "blocked::heavy_sync_operation");
    stuck.took = Some(1_002 * MS);
    scene.0.stalls.push(stuck);
    for n in 0..10 {
        scene.light(1_152 * MS + u64::from(n) * MS, 2 + n);
        if clients_tell {
            scene.sent((200 + 90 * u64::from(n)) * MS, 2 + n);
        }
    }
    scene.park(1_200 * MS, 1_300 * MS);
    scene.light(1_300 * MS, 12);
    scene.park(1_302 * MS, 1_400 * MS);
    scene.done()
}

/// Task 88 hands the same work to a worker; the others are served meanwhile.
pub(super) fn offloaded() -> Recording {
    let mut scene = Scene::default();
    scene.0.workers = vec!["worker-1".to_owned(), "worker-2".to_owned()];
    scene.0.backend = "epoll".to_owned();
    scene.spawn(0, 88, "connection");
    scene.park(MS, 150 * MS);
    scene.turn(150 * MS, 151 * MS);
    scene.poll(88, 1, (150 * MS, 150 * MS + 100_000), PollResult::Pending);
    scene.begin(150 * MS + 10_000, 88, 1, "GET /good-practice");
    let (name, place) = (
        scene.name("app::heavy_sync_operation"),
        scene.name("a.rs:9"),
    );
    let submit = EventKind::JobSubmit {
        job: 41,
        queued: 0,
        place,
        name,
    };
    scene.add(150 * MS + 50_000, 88, submit);
    let run = EventKind::JobRun {
        job: 41,
        took: 1_000 * MS,
        waited_us: 60,
        worker: 2,
    };
    scene.add(150 * MS + 110_000, 88, run);
    for n in 0..9 {
        let at = (200 + 100 * u64::from(n)) * MS;
        scene.light(at, 2 + n);
        scene.park(at + MS, at + 60 * MS);
    }
    scene.turn(1_151 * MS, 1_153 * MS);
    let completion = EventKind::Call {
        took: 50_000,
        place,
        is_completion: true,
    };
    scene.add(1_151 * MS, 0, completion);
    let (job, waited) = (41, 900_000);
    scene.add(
        1_151 * MS + 10_000,
        88,
        EventKind::JobCallback { job, waited },
    );
    scene.add(1_151 * MS + 20_000, 88, EventKind::Wake { by: 0 });
    scene.poll(88, 2, (1_152 * MS, 1_153 * MS), PollResult::Pending);
    scene.end(1_152 * MS + 900_000, 88, 1);
    scene.done()
}

/// Every kind of event, with numbers from a seed, a few of them up to the largest; it makes no
/// sense, and must do no harm.
pub(super) fn anything(seed: u64, events: usize, largest: u64) -> Recording {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut recording = Recording::new();
    let names = [
        "GET /a",
        "end",
        "x;y#z",
        "<script>",
        "a\nb\u{1b}[2J",
        "client sent",
        "",
    ];
    recording.names.extend(names.map(str::to_owned));
    for _ in 0..events {
        let is_wild = next(20) == 0;
        let span = if is_wild { largest } else { 2_000 };
        let event = Event {
            at: next(span),
            task: next(6) as u32,
            kind: any_kind(&mut next, span),
        };
        recording.events.push(event);
    }
    recording.events.sort_by_key(|event| event.at);
    for id in 0..next(4) as u32 {
        let mut stall = stall(next(6) as u32, next(3_000), "f");
        (stall.id, stall.took) = (id, [None, Some(next(900)), Some(largest)][next(3) as usize]);
        if next(2) == 0 {
            stall.stack.clear();
        }
        recording.stalls.push(stall);
    }
    recording.gaps = vec![(next(4_000), next(largest))];
    recording.level = Level::Full;
    recording.began = UNIX_EPOCH + Duration::new(next(1 << 40), next(1_000_000_000) as u32);
    recording
}

fn any_kind(next: &mut impl FnMut(u64) -> u64, span: u64) -> EventKind {
    let took = next(span);
    let (name, place) = (NameId(next(9) as u32), NameId(next(9) as u32));
    let number = next(5) as u32;
    let (small, fd) = (next(1 << 16) as u16, next(1 << 32) as i32);
    let results = [PollResult::Pending, PollResult::Ready, PollResult::Panicked];
    match next(25) {
        0 => EventKind::Turn {
            number,
            took,
            polls: small,
            events: small,
            timers: 1,
            callbacks: 2,
        },
        1 => EventKind::Park {
            took,
            timeout_ms: (number > 1).then_some(number),
            events: number,
        },
        2 => EventKind::Spawn {
            name,
            place,
            parent: number,
            bytes: fd as u32,
        },
        3 | 4 => EventKind::Poll {
            took,
            number,
            result: results[small as usize % 3],
            wait: WaitKind::Lock,
            ready: small,
        },
        5 => EventKind::Call {
            took,
            place,
            is_completion: number > 1,
        },
        6 => EventKind::Wake { by: number },
        7 => EventKind::End {
            polls: number,
            reason: EndReason::Panicked,
            busy: took,
        },
        8 | 9 => EventKind::IoReady { fd, ready: 3 },
        10 => EventKind::IoOp {
            fd,
            op: IoKind::Write,
            result: -(took as i64 / 2),
        },
        11 => EventKind::FdAdd { fd },
        12 => EventKind::FdDel { fd },
        13 => EventKind::TimerSet { deadline: took },
        14 => EventKind::TimerFire { late: took },
        _ => any_request(next, (took, number, small), (name, place)),
    }
}

fn any_request(
    next: &mut impl FnMut(u64) -> u64,
    (took, number, small): (u64, u32, u16),
    (name, place): (NameId, NameId),
) -> EventKind {
    match next(11) {
        0 => EventKind::Take { depth: number },
        1 => EventKind::JobSubmit {
            job: number,
            queued: 3,
            place,
            name,
        },
        2 => EventKind::JobRun {
            job: number,
            took,
            waited_us: 7,
            worker: small % 200,
        },
        3 => EventKind::JobCallback {
            job: number,
            waited: took,
        },
        4 => EventKind::JobCancel { job: number },
        5 => EventKind::RequestBegin {
            request: number,
            name,
            connection: 9,
        },
        6 => EventKind::RequestEnd {
            request: number,
            status: small,
            bytes: took,
        },
        7 => EventKind::StallEnd {
            stall: number,
            took,
        },
        8 => EventKind::Gate {
            what: GateKind::Slow,
            delay_ms: number,
        },
        9 => EventKind::Mark {
            name,
            value: i64::from(number) - 1,
        },
        _ => EventKind::Lost { count: took },
    }
}
