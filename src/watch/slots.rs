//! A slot for each task, in memory that other threads can read at any time.
//!
//! The loop alone writes. What changes with every poll is one atomic each;
//! what belongs together, who lives there and its label's text, is written
//! between two steps of `epoch`, and a reader that saw the epoch change looks
//! again. Whether the label is shown is its length alone.

use std::mem;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, fence};

use super::chunks::Chunks;
use super::event::NameId;
use super::text::escaped;
use super::wait::{Wait, WaitKind};

/// What of a label is kept.
pub(crate) const LABEL_BYTES: usize = 48;

/// All slots, by the numbers that the executor gives them.
pub(crate) struct Slots(Chunks<Slot>);

/// What a task is doing, as others see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SlotState {
    /// Nobody lives there.
    #[default]
    Free,
    Ready,
    Running,
    Idle,
}

/// All but the label is in one cache line, of the two that this takes.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Slot {
    // What changes with every poll.
    pub(super) state: AtomicU8,
    wait_kind: AtomicU8,
    pub(super) reachable: AtomicU8,
    wait_which: AtomicU32,
    pub(super) polls: AtomicU32,
    /// Zero where nobody lives.
    number: AtomicU32,
    /// When its state last changed, on the board's clock.
    pub(super) since: AtomicU64,
    /// Its place in the order of all that were ever queued.
    pub(super) queued: AtomicU64,
    /// Nanoseconds it has run, if there is a recorder.
    pub(super) busy: AtomicU64,
    // What changes with the task, and with what it works on.
    epoch: AtomicU32,
    label_len: AtomicU32,
    /// The number of its last label's name; zero if it is not known.
    pub(super) label_name: AtomicU32,
    name: AtomicU32,
    place: AtomicU32,
    parent: AtomicU32,
    label: [AtomicU64; LABEL_BYTES / 8],
}

const _: () = assert!(mem::offset_of!(Slot, label) == 64);

/// One task, as it was when this was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskSeen {
    pub(crate) slot: u32,
    pub(crate) number: u32,
    pub(crate) state: SlotState,
    pub(crate) wait: Wait,
    /// Somebody may hold its waker.
    pub(crate) is_reachable: bool,
    pub(crate) polls: u32,
    pub(crate) since: u64,
    pub(crate) queued: u64,
    pub(crate) busy: u64,
    pub(crate) name: NameId,
    pub(crate) place: NameId,
    pub(crate) parent: u32,
    pub(crate) label: String,
}

/// The beginning of a text, as a slot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label {
    words: [u64; LABEL_BYTES / 8],
    len: u32,
}

impl Label {
    /// Cut where there is no more room.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        let len = text.len().min(LABEL_BYTES);
        let mut bytes = [0; LABEL_BYTES];
        bytes[..len].copy_from_slice(&text[..len]);
        let (chunks, _) = bytes.as_chunks();
        let words = std::array::from_fn(|at| u64::from_ne_bytes(chunks[at]));
        let len = len as u32;
        Label { words, len }
    }
}

/// Who a task is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) number: u32,
    pub(crate) name: NameId,
    pub(crate) place: NameId,
    pub(crate) parent: u32,
}

/// How often a reader looks again at a slot that is being written.
const LOOKS: usize = 8;

impl Slots {
    pub(super) fn new() -> Self {
        Slots(Chunks::new())
    }

    /// The slot of this number, if there ever was a task in it or near it.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Slot> {
        self.0.get(number)
    }

    /// The same, which makes room for it.
    #[inline]
    pub(super) fn make(&self, number: u32) -> Option<&Slot> {
        self.0.make(number)
    }

    /// The task that lives in this slot.
    pub(crate) fn look(&self, slot: u32) -> Option<TaskSeen> {
        self.get(slot)?.look(slot)
    }

    /// A task was polled although nothing had happened, and is as it was
    /// before: it has been so all the time. Loop thread.
    pub(crate) fn forget_poll(&self, before: &TaskSeen) {
        let now = self.look(before.slot);
        if now.is_some_and(|now| (now.state, now.wait) == (before.state, before.wait))
            && let Some(slot) = self.get(before.slot)
        {
            slot.keep_since(before);
        }
    }

    /// All tasks that live, by slot.
    pub(crate) fn all(&self) -> Vec<TaskSeen> {
        self.each().collect()
    }

    /// The same one by one, for whoever needs a few of many.
    pub(crate) fn each(&self) -> impl Iterator<Item = TaskSeen> {
        let slots = self.0.all();
        slots.filter_map(|(at, slot)| slot.look(at))
    }
}

/// For the loop's thread.
impl Slot {
    /// A task moves in, which is ready.
    pub(super) fn admit(&self, who: Identity, at: u64, queued: u64) {
        self.change(|slot| {
            slot.name.store(who.name.0, Relaxed);
            slot.place.store(who.place.0, Relaxed);
            slot.parent.store(who.parent, Relaxed);
            slot.label_len.store(0, Relaxed);
            slot.label_name.store(0, Relaxed);
            slot.number.store(who.number, Relaxed);
        });
        self.polls.store(0, Relaxed);
        self.busy.store(0, Relaxed);
        self.reachable.store(0, Relaxed);
        self.set_wait(Wait::default());
        self.queued.store(queued, Relaxed);
        self.set_state(SlotState::Ready, at);
    }

    /// Says where it comes from, of the one that is not spawned.
    pub(super) fn set_place(&self, place: NameId) {
        self.place.store(place.0, Relaxed);
    }

    /// Takes back that its state has changed: it is as it was when seen.
    fn keep_since(&self, seen: &TaskSeen) {
        if self.number() == seen.number {
            self.since.store(seen.since, Relaxed);
        }
    }

    /// The task has ended.
    pub(super) fn leave(&self) {
        self.change(|slot| slot.number.store(0, Relaxed));
        self.state.store(SlotState::Free as u8, Relaxed);
    }

    #[inline]
    pub(super) fn set_state(&self, state: SlotState, at: u64) {
        self.state.store(state as u8, Relaxed);
        self.since.store(at, Relaxed);
    }

    #[inline]
    pub(super) fn set_wait(&self, wait: Wait) {
        self.wait_kind.store(wait.kind as u8, Relaxed);
        self.wait_which.store(wait.which, Relaxed);
    }

    #[inline]
    pub(super) fn number(&self) -> u32 {
        self.number.load(Relaxed)
    }

    /// Gives the task a label. Where it is the last one again, as it mostly
    /// is, neither its text nor its name is written anew.
    #[inline]
    pub(super) fn set_label(&self, label: &Label) {
        let mut pairs = self.label.iter().zip(&label.words);
        if pairs.all(|(cell, &word)| cell.load(Relaxed) == word) {
            self.label_len.store(label.len, Relaxed);
        } else {
            self.change_label(label);
        }
    }

    #[inline(never)]
    fn change_label(&self, label: &Label) {
        self.label_name.store(0, Relaxed);
        self.change(|slot| {
            for (cell, &word) in slot.label.iter().zip(&label.words) {
                cell.store(word, Relaxed);
            }
            slot.label_len.store(label.len, Relaxed);
        });
    }

    /// Takes it away again.
    #[inline]
    pub(super) fn clear_label(&self) {
        // The text stays as it was, so nobody can read half of it.
        self.label_len.store(0, Relaxed);
    }

    fn change(&self, change: impl FnOnce(&Self)) {
        let epoch = self.epoch.load(Relaxed);
        self.epoch.store(epoch.wrapping_add(1), Relaxed);
        fence(Release);
        change(self);
        self.epoch.store(epoch.wrapping_add(2), Release);
    }
}

/// For everybody.
impl Slot {
    fn look(&self, slot: u32) -> Option<TaskSeen> {
        for _ in 0..LOOKS {
            let epoch = self.epoch.load(Acquire);
            if epoch % 2 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let seen = self.copy(slot);
            fence(Acquire);
            if self.epoch.load(Relaxed) == epoch {
                return (seen.number != 0).then_some(seen);
            }
        }
        None
    }

    fn copy(&self, slot: u32) -> TaskSeen {
        let state = match self.state.load(Relaxed) {
            1 => SlotState::Ready,
            2 => SlotState::Running,
            3 => SlotState::Idle,
            _ => SlotState::Free,
        };
        let kind = WaitKind::from_u8(self.wait_kind.load(Relaxed)).unwrap_or_default();
        TaskSeen {
            slot,
            number: self.number(),
            state,
            wait: Wait {
                kind,
                which: self.wait_which.load(Relaxed),
            },
            is_reachable: self.reachable.load(Relaxed) > 0,
            polls: self.polls.load(Relaxed),
            since: self.since.load(Relaxed),
            queued: self.queued.load(Relaxed),
            busy: self.busy.load(Relaxed),
            name: NameId(self.name.load(Relaxed)),
            place: NameId(self.place.load(Relaxed)),
            parent: self.parent.load(Relaxed),
            label: self.copy_label(),
        }
    }

    /// A label comes from strangers: what is no text of one line is escaped.
    fn copy_label(&self) -> String {
        let mut bytes = [0; LABEL_BYTES];
        for (word, bytes) in self.label.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = word.load(Relaxed).to_ne_bytes();
        }
        let len = (self.label_len.load(Relaxed) as usize).min(LABEL_BYTES);
        let text = match std::str::from_utf8(&bytes[..len]) {
            Ok(text) => text,
            // It was cut within a character, or is no text at all.
            Err(error) => {
                let valid = &bytes[..error.valid_up_to()];
                return escaped(&String::from_utf8_lossy(valid));
            }
        };
        escaped(text)
    }
}
