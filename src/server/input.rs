//! Bytes that have come and are not used yet.

use std::io;
use std::task::{Context, Poll, ready};

use super::transport::Transport;
use crate::io::scratch::{self, SCRATCH_BYTES};

/// What has been read from a transport and not consumed.
///
/// While the connection runs, the bytes lie in a scratch buffer that all
/// connections of the thread share. Before it waits, [`release`](Self::release)
/// copies what is left, as a rule nothing, and gives the buffer back.
#[derive(Default)]
pub(super) struct Input {
    /// A scratch buffer or a larger one, or a copy of what was left, or
    /// nothing. A copy has no room behind what is unread, and is smaller: one
    /// that is not does as a buffer.
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Forgets what has come.
    pub(super) fn clear(&mut self) {
        self.consume(self.unread().len());
    }

    /// Reads once, at most `max` bytes, behind what is there. Zero means
    /// that the peer sends no more.
    #[inline]
    pub(super) fn poll_fill(
        &mut self,
        transport: &mut impl Transport,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Poll<io::Result<usize>> {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        let is_small = self.bytes.len() < SCRATCH_BYTES;
        if is_small || self.start > 0 || self.end == self.bytes.len() {
            self.make_room();
        }
        let room_end = self.end.saturating_add(max).min(self.bytes.len());
        let room = &mut self.bytes[self.end..room_end];
        let count = ready!(transport.poll_read(cx, room))?;
        // Else bytes of others would be taken for this client's.
        assert!(count <= room.len(), "a transport read more than it could");
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Has the unread bytes at the start of a buffer, with room behind.
    fn make_room(&mut self) {
        let left = self.unread().len();
        if self.bytes.is_empty() {
            self.bytes = scratch::take();
        } else if left < SCRATCH_BYTES && self.bytes.len() >= SCRATCH_BYTES {
            self.bytes.copy_within(self.start..self.end, 0);
        } else {
            self.move_to_another(left);
        }
        (self.start, self.end) = (0, left);
    }

    /// A head may be longer than a scratch buffer, if a limit says so. It
    /// then lies in a buffer of its own, which is freed after use.
    #[cold]
    fn move_to_another(&mut self, left: usize) {
        let mut bytes = match left < SCRATCH_BYTES {
            true => scratch::take(),
            false => vec![0; left * 2].into_boxed_slice(),
        };
        bytes[..left].copy_from_slice(self.unread());
        self.replace(bytes);
    }

    fn replace(&mut self, bytes: Box<[u8]>) {
        // Kept if it is a scratch buffer.
        scratch::give(std::mem::replace(&mut self.bytes, bytes));
    }

    /// Gives the shared buffer back. To be called before the task waits.
    #[inline]
    pub(super) fn release(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        if self.is_empty() {
            self.end = 0;
            self.replace(Box::default());
        } else if self.bytes.len() >= SCRATCH_BYTES {
            let left = Box::from(self.unread());
            self.end -= self.start;
            self.replace(left);
        } else {
            return;
        }
        self.start = 0;
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.replace(Box::default());
    }
}
