//! An event as four words, and back.
//!
//! Every kind has a number of its own, which is also in saved recordings: numbers are added, never
//! given away again.

use super::event::{EndReason, Event, EventKind, GateKind, IoKind, NameId, PollResult};
use super::wait::WaitKind;

/// The words below the time: what is small (24 bits), and two whole ones.
type Parts = (u8, u32, u64, u64);

#[inline(always)]
fn halves(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[inline(always)]
fn quarters(of: [u16; 4]) -> u64 {
    of.iter()
        .fold(0, |word, &part| word << 16 | u64::from(part))
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

fn low(word: u64) -> u32 {
    word as u32
}

/// A quarter by its place, 0 being the highest.
fn quarter(word: u64, place: u32) -> u16 {
    (word >> (48 - 16 * place)) as u16
}

/// A descriptor keeps its sign.
#[inline(always)]
fn fd_bits(fd: i32) -> u32 {
    fd as u32
}

fn fd(bits: u32) -> i32 {
    bits as i32
}

/// The bits that are left beside kind and task.
const SMALL: u32 = 0xff_ffff;

impl Event {
    /// The event as a ring keeps it. Where it is made its kind is known, so
    /// that of all the cases one is left there.
    #[inline(always)]
    pub(crate) fn pack(&self) -> [u64; 4] {
        let (number, small, a, b) = self.kind.parts();
        debug_assert!(small <= SMALL, "24 bits are left beside kind and task");
        let tags = u64::from(number) << 56 | u64::from(small) << 32;
        [self.at, tags | u64::from(self.task), a, b]
    }

    /// The event that packs into these words; `None` if there is none.
    pub(crate) fn unpack(words: [u64; 4]) -> Option<Event> {
        let [at, tags, a, b] = words;
        let small = (tags >> 32) as u32 & SMALL;
        let kind = EventKind::of_parts(((tags >> 56) as u8, small, a, b))?;
        let task = low(tags);
        let event = Event { at, task, kind };
        // Bits that mean nothing are not taken either.
        (event.pack() == words).then_some(event)
    }
}

impl EventKind {
    /// What the loop is about, then what is around it.
    #[inline(always)]
    fn parts(&self) -> Parts {
        match *self {
            Self::Turn {
                number,
                took,
                polls,
                events,
                timers,
                callbacks,
            } => {
                let number = number & SMALL;
                (
                    1,
                    number,
                    took,
                    quarters([polls, events, timers, callbacks]),
                )
            }
            Self::Park {
                took,
                timeout_ms,
                events,
            } => {
                let has_timeout = u32::from(timeout_ms.is_some());
                let timeout = timeout_ms.unwrap_or_default();
                (2, has_timeout, took, halves(timeout, events))
            }
            Self::Spawn {
                name,
                place,
                parent,
                bytes,
            } => (3, 0, halves(name.0, place.0), halves(parent, bytes)),
            Self::Poll {
                took,
                number,
                result,
                wait,
                ready,
            } => {
                let ends = u32::from(result as u8) << 8 | u32::from(wait as u8);
                let rest = u32::from(ready) << 16 | ends;
                (4, 0, took, halves(number, rest))
            }
            Self::Call {
                took,
                place,
                is_completion,
            } => (5, u32::from(is_completion), took, halves(place.0, 0)),
            Self::Wake { by } => (6, 0, 0, halves(by, 0)),
            Self::End {
                polls,
                reason,
                busy,
            } => (7, reason as u32, busy, halves(polls, 0)),
            _ => self.parts_outside(),
        }
    }

    #[inline(always)]
    fn parts_outside(&self) -> Parts {
        match *self {
            Self::IoReady { fd, ready } => (9, u32::from(ready), 0, halves(fd_bits(fd), 0)),
            Self::IoOp { fd, op, result } => (10, op as u32, result as u64, halves(fd_bits(fd), 0)),
            Self::FdAdd { fd } => (11, 0, 0, halves(fd_bits(fd), 0)),
            Self::FdDel { fd } => (12, 0, 0, halves(fd_bits(fd), 0)),
            Self::TimerSet { deadline } => (13, 0, deadline, 0),
            Self::TimerFire { late } => (14, 0, late, 0),
            Self::Take { depth } => (16, 0, 0, halves(depth, 0)),
            Self::JobSubmit {
                job,
                queued,
                place,
                name,
            } => (17, 0, halves(name.0, place.0), halves(job, queued)),
            Self::JobRun {
                job,
                took,
                waited_us,
                worker,
            } => (18, u32::from(worker), took, halves(job, waited_us)),
            Self::JobCallback { job, waited } => (19, 0, waited, halves(job, 0)),
            Self::JobCancel { job } => (20, 0, 0, halves(job, 0)),
            Self::RequestBegin {
                request,
                name,
                connection,
            } => (21, 0, halves(name.0, 0), halves(request, connection)),
            Self::RequestEnd {
                request,
                status,
                bytes,
            } => (22, u32::from(status), bytes, halves(request, 0)),
            Self::StallEnd { stall, took } => (25, 0, took, halves(stall, 0)),
            Self::Gate { what, delay_ms } => (28, what as u32, 0, halves(delay_ms, 0)),
            Self::Mark { name, value } => (29, 0, value as u64, halves(name.0, 0)),
            Self::Lost { count } => (30, 0, count, 0),
            // Those of the loop itself are above.
            _ => (0, 0, 0, 0),
        }
    }

    fn of_parts((number, small, a, b): Parts) -> Option<Self> {
        Some(match number {
            1 => Self::Turn {
                number: small,
                took: a,
                polls: quarter(b, 0),
                events: quarter(b, 1),
                timers: quarter(b, 2),
                callbacks: quarter(b, 3),
            },
            2 => Self::Park {
                took: a,
                timeout_ms: (small == 1).then_some(high(b)),
                events: low(b),
            },
            3 => Self::Spawn {
                name: NameId(high(a)),
                place: NameId(low(a)),
                parent: high(b),
                bytes: low(b),
            },
            4 => Self::Poll {
                took: a,
                number: high(b),
                result: PollResult::from_u8((b >> 8) as u8)?,
                wait: WaitKind::from_u8(b as u8)?,
                ready: quarter(b, 2),
            },
            5 => Self::Call {
                took: a,
                place: NameId(high(b)),
                is_completion: small == 1,
            },
            6 => Self::Wake { by: high(b) },
            7 => Self::End {
                polls: high(b),
                reason: EndReason::from_u8(small as u8)?,
                busy: a,
            },
            _ => return Self::of_parts_outside((number, small, a, b)),
        })
    }

    fn of_parts_outside((number, small, a, b): Parts) -> Option<Self> {
        let of = fd(high(b));
        Some(match number {
            9 => Self::IoReady {
                fd: of,
                ready: small as u8,
            },
            10 => Self::IoOp {
                fd: of,
                op: IoKind::from_u8(small as u8)?,
                result: a as i64,
            },
            11 => Self::FdAdd { fd: of },
            12 => Self::FdDel { fd: of },
            13 => Self::TimerSet { deadline: a },
            14 => Self::TimerFire { late: a },
            16 => Self::Take { depth: high(b) },
            17 => Self::JobSubmit {
                job: high(b),
                queued: low(b),
                place: NameId(low(a)),
                name: NameId(high(a)),
            },
            18 => Self::JobRun {
                job: high(b),
                took: a,
                waited_us: low(b),
                worker: small as u16,
            },
            19 => Self::JobCallback {
                job: high(b),
                waited: a,
            },
            20 => Self::JobCancel { job: high(b) },
            21 => Self::RequestBegin {
                request: high(b),
                name: NameId(high(a)),
                connection: low(b),
            },
            22 => Self::RequestEnd {
                request: high(b),
                status: small as u16,
                bytes: a,
            },
            25 => Self::StallEnd {
                stall: high(b),
                took: a,
            },
            28 => Self::Gate {
                what: GateKind::from_u8(small as u8)?,
                delay_ms: high(b),
            },
            29 => Self::Mark {
                name: NameId(high(b)),
                value: a as i64,
            },
            30 => Self::Lost { count: a },
            _ => return None,
        })
    }
}
