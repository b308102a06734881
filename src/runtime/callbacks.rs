//! Closures that wait to be called, in order.
//!
//! The hard fact: a timer that is due waits here with all the others, and may
//! still be cancelled; when a hundred thousand come due at once and each is
//! cancelled, none of them may search the line. So the line numbers its
//! places, and a cancelled callback leaves its place empty.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::Location;

use crate::time::TimerKey;

/// A closure that the loop calls once, and where it was handed in.
pub(super) struct Callback {
    pub(super) call: Box<dyn FnOnce()>,
    pub(super) place: &'static Location<'static>,
    pub(super) kind: CallbackKind,
}

/// What a callback is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallbackKind {
    Plain,
    /// It waits for this timer, or has waited for it.
    Timer(TimerKey),
    /// It tells how a job ended, and is called even when the runtime ends.
    Completion,
}

/// First in, first out.
#[derive(Default)]
pub(super) struct Callbacks {
    /// `None` is a cancelled one: its place still counts.
    line: VecDeque<Option<Callback>>,
    /// The number of the first place in the line.
    first: u64,
    /// The places of those that have waited for a timer.
    due: HashMap<TimerKey, u64, BuildHasherDefault<KeyHasher>>,
}

/// Keys are numbers of our own making, so nobody can choose them to collide:
/// one multiplication spreads them, where std's hasher takes ten times as long
/// and made a timer that fires three times as dear.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, half: u32) {
        self.0 = (self.0 << 32 ^ u64::from(half)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

impl Callbacks {
    pub(super) fn push(&mut self, callback: Callback) {
        if let CallbackKind::Timer(key) = callback.kind {
            self.due.insert(key, self.first + self.line.len() as u64);
        }
        self.line.push_back(Some(callback));
    }

    /// Takes out the first; `Some(None)` is the place of a cancelled one.
    pub(super) fn pop(&mut self) -> Option<Option<Callback>> {
        let callback = self.line.pop_front()?;
        self.first += 1;
        if let Some(callback) = &callback
            && let CallbackKind::Timer(key) = callback.kind
        {
            self.due.remove(&key);
        }
        Some(callback)
    }

    /// Takes out the one that has waited for this timer, if it is here.
    pub(super) fn cancel(&mut self, key: TimerKey) -> Option<Callback> {
        let place = self.due.remove(&key)?;
        self.line[(place - self.first) as usize].take()
    }

    /// How many places are taken, also by cancelled ones.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Takes out all that are left.
    pub(super) fn take_all(&mut self) -> Vec<Callback> {
        self.due.clear();
        self.first += self.line.len() as u64;
        self.line.drain(..).flatten().collect()
    }
}
