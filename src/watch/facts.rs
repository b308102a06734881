//! What the loop writes of its tasks, descriptors, jobs and requests.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::board::nanos;
use super::event::{EndReason, EventKind, IoKind, NameId};
use super::pulse::Runs;
use super::slots::{Identity, LABEL_BYTES, Label, Slot, SlotState};
use super::writer::{MAIN, Writer};

/// Tasks.
impl Writer {
    /// A task was spawned, and is ready.
    #[allow(
        clippy::ptr_arg,
        reason = "a text that never moves is looked up by its address"
    )]
    #[inline(never)]
    pub(crate) fn spawned(
        &self,
        slot: u32,
        name: &Cow<'static, str>,
        place: &'static Location<'static>,
        bytes: usize,
    ) {
        let number = self.spawned.get().wrapping_add(1).max(2);
        self.spawned.set(number);
        self.board.queues.spawned.store(number - MAIN, Relaxed);
        let name = match name {
            Cow::Borrowed(name) => self.known(name),
            Cow::Owned(name) => self.name(name),
        };
        let (place, parent) = (self.place(place), self.running.get());
        if let Some(slot) = self.board.slots.make(slot) {
            let who = Identity {
                number,
                name,
                place,
                parent,
            };
            slot.admit(who, self.last.get(), self.next_in_line());
        }
        let kind = EventKind::Spawn {
            name,
            place,
            parent,
            bytes: bytes as u32,
        };
        self.push(self.last.get(), number, kind);
    }

    fn next_in_line(&self) -> u64 {
        let next = self.queued.get() + 1;
        self.queued.set(next);
        next
    }

    /// A task was queued.
    #[inline(never)]
    pub(crate) fn woken(&self, slot: u32) {
        let Some(slot) = self.board.slots.get(slot) else {
            return;
        };
        slot.queued.store(self.next_in_line(), Relaxed);
        slot.set_state(SlotState::Ready, self.last.get());
        if self.is_full {
            let kind = EventKind::Wake {
                by: self.running.get(),
            };
            self.push(self.last.get(), slot.number(), kind);
        }
    }

    #[inline(never)]
    pub(crate) fn ended(&self, slot: u32, reason: EndReason) {
        let Some(slot) = self.board.slots.get(slot) else {
            return;
        };
        let kind = EventKind::End {
            polls: slot.polls.load(Relaxed),
            reason,
            busy: slot.busy.load(Relaxed),
        };
        self.push(self.last.get(), slot.number(), kind);
        if slot.number() == self.running.get() {
            self.ended.set(Some(reason));
        }
        slot.leave();
    }

    /// The slot of the task that runs.
    #[inline]
    fn own_slot(&self) -> Option<&Slot> {
        match self.board.pulse.runs() {
            Some(Runs::Task(slot)) => self.board.slots.get(slot),
            _ => None,
        }
    }

    /// A mark that the program itself sets.
    pub(crate) fn mark(&self, text: &str, value: i64) {
        if self.records() {
            let name = self.name(text);
            self.now_happens(EventKind::Mark { name, value });
        }
    }
}

/// When a job was handed in, and by which task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handed {
    pub(crate) at: u64,
    pub(crate) task: u32,
}

/// Which job has ended, whose it was, and when its work was done; at zero if it
/// never ran, or if nobody watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Completed {
    pub(crate) job: u32,
    pub(crate) task: u32,
    pub(crate) at: u64,
}

/// How many requests may end in one poll before they are told of.
pub(super) const ANSWERED_MAX: usize = 16;

/// A request whose response has ended.
#[derive(Clone, Copy)]
pub(super) struct Answered {
    request: u32,
    status: u16,
    bytes: u64,
}

impl Answered {
    pub(super) const NONE: Answered = Answered {
        request: 0,
        status: 0,
        bytes: 0,
    };
}

/// Descriptors, jobs and requests.
impl Writer {
    #[inline(never)]
    pub(crate) fn fd_added(&self, key: u32, fd: i32, what: &'static str) {
        let what = self.known(what);
        self.board.fds.add(key, fd, what);
        self.now_happens(EventKind::FdAdd { fd });
    }

    #[inline(never)]
    pub(crate) fn fd_removed(&self, key: u32) {
        if let Some(fd) = self.board.fds.remove(key) {
            self.now_happens(EventKind::FdDel { fd });
        }
    }

    /// Whether each operation on a descriptor is told of.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// An operation on a descriptor was tried.
    #[cold]
    pub(crate) fn io_done(&self, key: u32, op: IoKind, result: i64) {
        if let Some(fd) = self.board.fds.fd(key) {
            self.now_happens(EventKind::IoOp { fd, op, result });
        }
    }

    /// A timer was filed.
    #[inline(never)]
    pub(crate) fn timer_set(&self, left: Duration) {
        if self.is_full {
            let deadline = self.last.get() + nanos(left);
            self.now_happens(EventKind::TimerSet { deadline });
        }
    }

    #[inline(never)]
    pub(crate) fn io_ready(&self, key: u32, ready: u8) {
        if let Some(fd) = self.board.fds.fd(key) {
            self.push(self.last.get(), 0, EventKind::IoReady { fd, ready });
        }
    }

    #[inline(never)]
    pub(crate) fn job_submitted(
        &self,
        job: u32,
        queued: usize,
        name: &'static str,
        place: &'static Location<'static>,
    ) {
        self.board.queues.jobs.fetch_add(1, Relaxed);
        let name = self.known(name);
        let place = self.place(place);
        self.now_happens(EventKind::JobSubmit {
            job,
            queued: queued as u32,
            place,
            name,
        });
    }

    /// The task that runs has a request to answer: its method and path.
    /// Returns the number it is given.
    #[inline(never)]
    pub(crate) fn request_begins(&self, line: &[u8]) -> u32 {
        let request = self.requests.get().wrapping_add(1).max(1);
        self.requests.set(request);
        let slot = self.own_slot();
        if let Some(slot) = slot {
            slot.set_label(&Label::of(line));
        }
        if self.records() {
            // Most clients ask for the same as before.
            let slot = slot.filter(|_| line.len() <= LABEL_BYTES);
            let name = match slot.map_or(0, |slot| slot.label_name.load(Relaxed)) {
                0 => self.name_of(line, slot),
                known => NameId(known),
            };
            let connection = self.running.get();
            self.now_happens(EventKind::RequestBegin {
                request,
                name,
                connection,
            });
        }
        request
    }

    /// The name of a request; also that of the label in the slot, where one
    /// is given.
    #[inline(never)]
    fn name_of(&self, line: &[u8], slot: Option<&Slot>) -> NameId {
        let name = self.request_name(std::str::from_utf8(line).unwrap_or("not UTF-8"));
        if let Some(slot) = slot {
            slot.label_name.store(name.0, Relaxed);
        }
        name
    }

    /// Its response has ended.
    #[inline(never)]
    pub(crate) fn request_ends(&self, request: u32, status: u16, bytes: u64) {
        if let Some(slot) = self.own_slot() {
            slot.clear_label();
        }
        if self.records() {
            // It ends when the poll does, whose end is read from the clock anyway.
            let count = self.answered_count.get();
            self.answered[count].set(Answered {
                request,
                status,
                bytes,
            });
            self.answered_count.set(count + 1);
            if count + 1 == ANSWERED_MAX {
                self.tell_answered(self.board.now(), self.running.get());
            }
        }
    }

    /// Writes down that requests have ended, at this time.
    #[inline(never)]
    pub(super) fn tell_answered(&self, at: u64, task: u32) {
        for answered in &self.answered[..self.answered_count.take()] {
            let Answered {
                request,
                status,
                bytes,
            } = answered.get();
            let end = EventKind::RequestEnd {
                request,
                status,
                bytes,
            };
            self.push(at, task, end);
        }
    }

    /// A job never ran.
    pub(crate) fn job_cancelled(&self, job: u32, handed: Handed) -> Completed {
        self.board.queues.jobs_done.fetch_add(1, Relaxed);
        self.push(self.last.get(), handed.task, EventKind::JobCancel { job });
        Completed {
            job,
            task: handed.task,
            at: 0,
        }
    }

    /// A job has run, on this worker.
    pub(crate) fn job_ran(
        &self,
        job: u32,
        handed: Handed,
        worker: u16,
        began: Instant,
        took: Duration,
    ) -> Completed {
        self.board.queues.jobs_done.fetch_add(1, Relaxed);
        let at = self.board.time_of(began);
        let took = nanos(took);
        let waited_us = (at.saturating_sub(handed.at) / 1000).min(u64::from(u32::MAX)) as u32;
        let kind = EventKind::JobRun {
            job,
            took,
            waited_us,
            worker,
        };
        self.push(at, handed.task, kind);
        Completed {
            job,
            task: handed.task,
            at: at + took,
        }
    }

    /// Now, and who runs: for a job that is handed in.
    pub(crate) fn hand_in(&self) -> Handed {
        Handed {
            at: self.board.now(),
            task: self.running.get(),
        }
    }
}
