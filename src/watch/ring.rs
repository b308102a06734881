//! The last events of one writer, which readers copy without its waiting for them.
//!
//! ```text
//!                     tail                    head: events pushed so far
//!                      │                       │
//!     ─ overwritten ─  ▼ e e e e e e e e e e e ▼  e: four words each
//! ```
//!
//! The oldest event is overwritten by the newest, so a reader may find a slot half new. It looks
//! at the head before and after, and throws away what may have been written meanwhile. That it
//! does see the later head when it has seen a later word is what the two fences are for:
//!
//! ```text
//!   writer of event n               reader
//!     head = n, Release (of n - 1)    h = head, Acquire
//!     fence Release                   words, Relaxed
//!     words, Relaxed                  fence Acquire
//!     head = n + 1, Release           g = head: at least n, if a word of n was read
//! ```
//!
//! Event n stands where n - capacity stood, so all up to g - capacity are thrown away: one more
//! than what has been overwritten for certain, since event g may be half there. `tests/loom` tries
//! every interleaving of this file.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Events by the order they came, the oldest overwritten. One thread writes.
pub(crate) struct Ring {
    /// Four for each event.
    words: Box<[AtomicU64]>,
    /// Events pushed so far; the next goes to this slot, by the mask.
    head: AtomicU64,
    mask: u64,
}

impl Ring {
    /// A ring for at least that many events, rounded up to a power of two.
    pub(crate) fn new(events: usize) -> Self {
        let capacity = events.max(2).next_power_of_two();
        Ring {
            words: (0..capacity * 4).map(|_| AtomicU64::new(0)).collect(),
            head: AtomicU64::new(0),
            mask: capacity as u64 - 1,
        }
    }

    /// How many events it holds at most; a reader gets one less once it has gone round.
    pub(crate) fn capacity(&self) -> usize {
        self.words.len() / 4
    }

    /// Adds an event. Only ever one thread calls this: two would write over each other's events,
    /// and readers would get mixtures.
    #[inline]
    pub(crate) fn push(&self, event: [u64; 4]) {
        let head = self.head.load(Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in self.slot(head).iter().zip(event) {
            word.store(value, Ordering::Relaxed);
        }
        self.head.store(head.wrapping_add(1), Ordering::Release);
    }

    /// The events that are there, oldest first, and how many came before them.
    pub(crate) fn copy(&self) -> (Vec<[u64; 4]>, u64) {
        self.copy_since(0)
    }

    /// As [`copy`](Self::copy), but without the first `from` events that were ever pushed. What
    /// came before is then `from` if nothing was lost since, and more if something was.
    pub(crate) fn copy_since(&self, from: u64) -> (Vec<[u64; 4]>, u64) {
        let capacity = self.mask + 1;
        let head = self.head.load(Ordering::Acquire);
        let first = head.saturating_sub(capacity).max(from.min(head));
        let mut events: Vec<[u64; 4]> = (first..head).map(|at| self.read(at)).collect();
        fence(Ordering::Acquire);
        let later = self.head.load(Ordering::Relaxed);
        let whole = (later + 1).saturating_sub(capacity).clamp(first, head);
        events.drain(..(whole - first) as usize);
        (events, whole)
    }

    fn read(&self, at: u64) -> [u64; 4] {
        let mut event = [0; 4];
        for (value, word) in event.iter_mut().zip(self.slot(at)) {
            *value = word.load(Ordering::Relaxed);
        }
        event
    }

    fn slot(&self, at: u64) -> &[AtomicU64] {
        let first = (at & self.mask) as usize * 4;
        &self.words[first..first + 4]
    }
}
