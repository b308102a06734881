//! Bytes that have come and are not used yet.

use std::io;
use std::task::{Context, Poll, ready};

use super::pool::{self, SCRATCH_BYTES};
use super::transport::Transport;

/// What has been read from a transport and not consumed.
///
/// While the connection runs, the bytes lie in a scratch buffer that all
/// connections of the thread share. Before it waits, [`release`](Self::release)
/// copies what is left, as a rule nothing, and gives the buffer back.
#[derive(Default)]
pub(super) struct Input {
    /// A scratch buffer or a larger one, or a copy of what was left. The
    /// last has no room behind what is unread, and is smaller: one that is
    /// not does as a buffer.
    bytes: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl Input {
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        match &self.bytes {
            Some(bytes) => &bytes[self.start..self.end],
            None => &[],
        }
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
        let has_room = |bytes: &[u8]| bytes.len() >= SCRATCH_BYTES && self.end < bytes.len();
        if self.start > 0 || !self.bytes.as_deref().is_some_and(has_room) {
            self.make_room();
        }
        let bytes = self.bytes.as_deref_mut().unwrap_or_default();
        let room_end = self.end.saturating_add(max).min(bytes.len());
        let room = bytes.get_mut(self.end..room_end).unwrap_or_default();
        let count = ready!(transport.poll_read(cx, room))?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Has the unread bytes at the start of a buffer, with room behind.
    fn make_room(&mut self) {
        let left = self.unread().len();
        match &mut self.bytes {
            Some(bytes) if left < SCRATCH_BYTES && bytes.len() >= SCRATCH_BYTES => {
                bytes.copy_within(self.start..self.end, 0);
            }
            None => self.bytes = Some(pool::take_scratch()),
            Some(_) => self.move_to_another(left),
        }
        (self.start, self.end) = (0, left);
    }

    /// A head may be longer than a scratch buffer, if a limit says so. It
    /// then lies in a buffer of its own, which is freed after use.
    #[cold]
    fn move_to_another(&mut self, left: usize) {
        let mut bytes = match left < SCRATCH_BYTES {
            true => pool::take_scratch(),
            false => vec![0; left * 2].into_boxed_slice(),
        };
        bytes[..left].copy_from_slice(self.unread());
        self.replace(Some(bytes));
    }

    fn replace(&mut self, bytes: Option<Box<[u8]>>) {
        if let Some(before) = std::mem::replace(&mut self.bytes, bytes) {
            // Kept if it is a scratch buffer.
            pool::give_scratch(before);
        }
    }

    /// Gives the shared buffer back. To be called before the task waits.
    #[inline]
    pub(super) fn release(&mut self) {
        let Some(bytes) = &self.bytes else {
            return;
        };
        if self.start == self.end {
            self.end = 0;
            self.replace(None);
        } else if bytes.len() >= SCRATCH_BYTES {
            let left = Box::from(&bytes[self.start..self.end]);
            self.end -= self.start;
            self.replace(Some(left));
        } else {
            return;
        }
        self.start = 0;
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.replace(None);
    }
}
