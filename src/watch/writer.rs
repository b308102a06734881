//! The loop's hand on the board: what it writes, and when.
//!
//! Each function is called from one place of the loop, and does a few stores.
//! None is inlined there: a loop that nobody watches pays a branch, and no
//! register.
//! The clock is read once after the kernel was asked and, if there is a
//! recorder, once at each end of a poll: the end of one is the beginning of
//! the next, and all that happens between has that time.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::board::{Board, nanos, note};
use super::event::{EndReason, Event, EventKind, GateKind, NameId, PollResult};
use super::facts::{ANSWERED_MAX, Answered, Completed};
use super::names::NameBook;
use super::pulse::{Phase, Runs};
use super::recording::Level;
use super::slots::{Identity, SlotState};
use super::wait::Noted;

/// The number of the future that `block_on` holds.
pub(super) const MAIN: u32 = 1;

/// Writes the board of one loop, on its thread.
pub(crate) struct Writer {
    pub(super) board: Arc<Board>,
    book: RefCell<NameBook>,
    /// Ids of texts that never move, by address and length.
    known: RefCell<HashMap<(usize, usize), NameId>>,
    pub(super) is_full: bool,
    /// The time of the last boundary, and when what runs has begun.
    pub(super) last: Cell<u64>,
    /// The task that runs; zero if none.
    pub(super) running: Cell<u32>,
    /// How the running poll has ended its task, if it has.
    pub(super) ended: Cell<Option<EndReason>>,
    pub(super) spawned: Cell<u32>,
    pub(super) queued: Cell<u64>,
    taken: Cell<u32>,
    pub(super) requests: Cell<u32>,
    /// Requests that have ended in the running poll, and how many.
    pub(super) answered: [Cell<Answered>; ANSWERED_MAX],
    pub(super) answered_count: Cell<usize>,
    /// How often the gate had been asked for something when that was noted.
    gate_asked: Cell<u32>,
    turn: TurnCounts,
}

/// What has happened in this turn.
#[derive(Default)]
struct TurnCounts {
    began: Cell<u64>,
    polls: Cell<u16>,
    events: Cell<u16>,
    timers: Cell<u16>,
    callbacks: Cell<u16>,
}

fn count(cell: &Cell<u16>) {
    cell.set(cell.get().saturating_add(1));
}

impl Writer {
    pub(crate) fn new(board: Arc<Board>) -> Self {
        let writer = Writer {
            book: RefCell::new(NameBook::new(Arc::clone(&board.names))),
            known: RefCell::default(),
            is_full: board.level == Some(Level::Full),
            last: Cell::new(board.now()),
            running: Cell::new(0),
            ended: Cell::new(None),
            spawned: Cell::new(MAIN),
            queued: Cell::new(0),
            taken: Cell::new(0),
            requests: Cell::new(0),
            answered: [const { Cell::new(Answered::NONE) }; ANSWERED_MAX],
            answered_count: Cell::new(0),
            gate_asked: Cell::new(0),
            turn: TurnCounts::default(),
            board,
        };
        if let Some(slot) = writer.board.slots.make(0) {
            let who = Identity {
                number: MAIN,
                name: writer.name("main"),
                place: NameId::default(),
                parent: 0,
            };
            slot.admit(who, writer.last.get(), 0);
            slot.set_state(SlotState::Free, writer.last.get());
        }
        writer
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    #[inline]
    pub(crate) fn records(&self) -> bool {
        self.board.ring.is_some()
    }

    #[inline(always)]
    pub(super) fn push(&self, at: u64, task: u32, kind: EventKind) {
        if let Some(ring) = &self.board.ring {
            ring.push(Event { at, task, kind }.pack());
        }
    }

    /// Something that has just happened, to whoever runs.
    #[inline(always)]
    pub(super) fn now_happens(&self, kind: EventKind) {
        self.push(self.last.get(), self.running.get(), kind);
    }

    /// The id of a text.
    pub(crate) fn name(&self, text: &str) -> NameId {
        self.book.borrow_mut().intern(text)
    }

    /// The id of what a client has sent.
    pub(super) fn request_name(&self, line: &str) -> NameId {
        self.book.borrow_mut().intern_request(line)
    }

    /// The id of a text that never moves: it is read once.
    pub(super) fn known(&self, text: &'static str) -> NameId {
        let key = (text.as_ptr().addr(), text.len());
        let known = self.known.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let id = self.name(text);
            self.known.borrow_mut().insert(key, id);
            id
        })
    }

    pub(super) fn place(&self, place: &'static Location<'static>) -> NameId {
        self.book.borrow_mut().place(place)
    }
}

/// A turn.
impl Writer {
    /// A turn begins, unless somebody holds the loop. Returns whether
    /// somebody did.
    #[inline(never)]
    pub(crate) fn turn_begins(&self) -> bool {
        let is_held = self.board.gate.is_closed();
        if is_held {
            self.wait_at_gate();
        }
        self.board.pulse.next_turn();
        self.turn.began.set(self.last.get());
        is_held
    }

    #[cold]
    fn wait_at_gate(&self) {
        self.board.pulse.enter(Phase::Gate);
        let gate = &self.board.gate;
        let before = gate.state();
        if before.asked != self.gate_asked.replace(before.asked) {
            // Once, and not at each turn that it holds.
            self.gate_event(match before.is_paused {
                true => GateKind::Pause,
                false => GateKind::Slow,
            });
        }
        gate.pass();
        self.look_at_clock();
        let after = gate.state();
        if after.is_paused && before.is_paused {
            self.gate_asked.set(after.asked);
            self.gate_event(GateKind::Step);
        } else if !gate.is_closed() {
            self.gate_event(GateKind::Go);
        }
    }

    fn gate_event(&self, what: GateKind) {
        let delay_ms = self.board.gate.state().slow.as_millis() as u32;
        self.now_happens(EventKind::Gate { what, delay_ms });
    }

    #[inline(never)]
    pub(crate) fn run_begins(&self, ready: usize, callbacks: usize) {
        self.board.pulse.enter(Phase::Run);
        note(&self.board.queues.ready, ready);
        note(&self.board.queues.callbacks, callbacks);
    }

    /// All of a turn has run that was to run.
    #[inline(never)]
    pub(crate) fn run_ends(&self) {
        let turn = &self.turn;
        let (polls, callbacks) = (turn.polls.take(), turn.callbacks.take());
        let (events, timers) = (turn.events.take(), turn.timers.take());
        if self.records() && (polls, callbacks, timers) != (0, 0, 0) {
            let began = turn.began.get();
            let kind = EventKind::Turn {
                number: self.board.pulse.turn() as u32 & 0xff_ffff,
                took: self.last.get() - began,
                polls,
                events,
                timers,
                callbacks,
            };
            self.push(began, 0, kind);
        }
    }

    #[inline(never)]
    pub(crate) fn park_begins(&self, timers: usize, next_deadline: Option<u64>) {
        self.board.pulse.enter(Phase::Park);
        let queues = &self.board.queues;
        note(&queues.timers, timers);
        let next = next_deadline.map_or(0, |tick| (tick as u32).wrapping_add(1).max(1));
        queues.next_deadline.store(next, Relaxed);
        note(&queues.ready, 0);
    }

    /// The kernel has answered, after a wait of `timeout` at most.
    #[inline(never)]
    pub(crate) fn park_ends(&self, timeout: Option<Duration>, events: usize) {
        let began = self.last.get();
        let now = self.look_at_clock();
        self.turn.events.set(events.min(0xFFFF) as u16);
        let whole_ms = |timeout: Duration| {
            let ms = timeout.as_secs().saturating_mul(1000) + u64::from(timeout.subsec_millis());
            u32::try_from(ms).unwrap_or(u32::MAX)
        };
        let timeout_ms = timeout.map(whole_ms);
        let kind = EventKind::Park {
            took: now - began,
            timeout_ms,
            events: events as u32,
        };
        self.push(began, 0, kind);
    }

    /// The loop is turned no more, for now.
    pub(crate) fn stopped(&self) {
        self.board.pulse.enter(Phase::Stopped);
        // The future in `block_on` is gone.
        if let Some(main) = self.board.slots.get(0) {
            main.state.store(SlotState::Free as u8, Relaxed);
        }
    }

    /// A future of `block_on`, which was called here, is to be polled.
    pub(crate) fn blocks_on(&self, place: &'static Location<'static>) {
        if let Some(main) = self.board.slots.get(0) {
            main.set_place(self.place(place));
        }
    }

    /// Somebody begins to turn the loop.
    pub(crate) fn started(&self) {
        self.look_at_clock();
    }

    #[inline]
    fn look_at_clock(&self) -> u64 {
        let now = self.board.now();
        self.last.set(now);
        now
    }

    #[inline(never)]
    pub(crate) fn timer_fired(&self, late: Duration) {
        count(&self.turn.timers);
        self.now_happens(EventKind::TimerFire { late: nanos(late) });
    }

    /// A post from outside was taken in.
    #[inline(never)]
    pub(crate) fn took_posts(&self, depth: usize) {
        self.taken.set(self.taken.get().wrapping_add(depth as u32));
        self.board.queues.taken.store(self.taken.get(), Relaxed);
        self.now_happens(EventKind::Take {
            depth: depth as u32,
        });
    }
}

/// User code.
impl Writer {
    #[inline(never)]
    pub(crate) fn poll_begins(&self, slot: u32) {
        self.board.pulse.begin(Runs::Task(slot));
        if let Some(slot) = self.board.slots.get(slot) {
            slot.state.store(SlotState::Running as u8, Relaxed);
            slot.since.store(self.last.get(), Relaxed);
            slot.polls
                .store(slot.polls.load(Relaxed).wrapping_add(1), Relaxed);
            self.running.set(slot.number());
        }
    }

    /// A poll has ended: its task waits for what was noted, or is gone; `ready`
    /// are in line.
    #[inline(never)]
    pub(crate) fn poll_ends(&self, slot: u32, noted: Noted, ready: usize) {
        let began = self.last.get();
        if self.board.pulse.end() {
            self.stall_ends(began);
        }
        let task = self.running.take();
        let ended = self.ended.take();
        let now = self.boundary();
        count(&self.turn.polls);
        if self.answered_count.get() > 0 {
            self.tell_answered(now, task);
        }
        let Some(slot) = self.board.slots.get(slot) else {
            return;
        };
        let (number, took) = (slot.polls.load(Relaxed), now - began);
        if ended.is_none() {
            slot.busy.store(slot.busy.load(Relaxed) + took, Relaxed);
            slot.set_wait(noted.wait);
            if noted.is_reachable {
                slot.reachable.store(1, Relaxed);
            }
            // Woken meanwhile, it is ready already.
            if slot.state.load(Relaxed) == SlotState::Running as u8 {
                slot.set_state(SlotState::Idle, now);
            }
        }
        let result = match ended {
            None => PollResult::Pending,
            Some(EndReason::Panicked) => PollResult::Panicked,
            Some(_) => PollResult::Ready,
        };
        let kind = EventKind::Poll {
            took,
            number,
            result,
            wait: noted.wait.kind(noted.is_reachable),
            ready: ready.min(0xFFFF) as u16,
        };
        self.push(began, task, kind);
    }

    #[inline(never)]
    pub(crate) fn call_begins(&self, place: &'static Location<'static>) {
        let place = self.place(place);
        self.board.pulse.begin(Runs::Callback(place.0));
    }

    /// A callback has ended; `completed` is the job whose end it told, and when
    /// that was.
    #[inline(never)]
    pub(crate) fn call_ends(
        &self,
        place: &'static Location<'static>,
        completed: Option<Completed>,
    ) {
        let began = self.last.get();
        if self.board.pulse.end() {
            self.stall_ends(began);
        }
        let took = self.boundary() - began;
        count(&self.turn.callbacks);
        let place = self.place(place);
        let kind = EventKind::Call {
            took,
            place,
            is_completion: completed.is_some(),
        };
        self.push(began, 0, kind);
        if let Some(Completed { job, task, at }) = completed
            && at > 0
        {
            let waited = began.saturating_sub(at);
            self.push(began, task, EventKind::JobCallback { job, waited });
        }
    }

    /// The end of a poll or of a call. Without a recorder nobody asks when
    /// that was.
    #[inline]
    fn boundary(&self) -> u64 {
        if self.records() {
            self.look_at_clock()
        } else {
            self.last.get()
        }
    }

    #[cold]
    fn stall_ends(&self, began: u64) {
        let ended = self.look_at_clock();
        let took = ended - began;
        self.board.pulse.stall_ended(took, ended);
        let stall = self.board.pulse.stalls.load(Relaxed);
        self.push(
            self.last.get(),
            self.running.get(),
            EventKind::StallEnd { stall, took },
        );
    }
}
