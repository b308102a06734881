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
    scratch: Option<Box<[u8]>>,
    start: usize,
    end: usize,
    /// What was left when the scratch buffer was given back.
    tail: Vec<u8>,
}

impl Input {
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        match &self.scratch {
            Some(scratch) => &scratch[self.start..self.end],
            None => &self.tail[self.start..],
        }
    }

    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.unread().is_empty()
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
        self.make_room();
        let scratch = self.scratch.as_mut().expect("make_room has taken one");
        let room = (scratch.len() - self.end).min(max);
        let count = ready!(transport.poll_read(cx, &mut scratch[self.end..self.end + room]))?;
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// Has the bytes at the start of a scratch buffer, with room behind.
    fn make_room(&mut self) {
        if self.unread().len() >= SCRATCH_BYTES {
            self.move_to_larger();
        }
        match &mut self.scratch {
            Some(scratch) => {
                if self.start > 0 {
                    scratch.copy_within(self.start..self.end, 0);
                    self.end -= self.start;
                    self.start = 0;
                }
            }
            None => {
                let mut scratch = pool::take_scratch();
                let left = self.tail.len() - self.start;
                scratch[..left].copy_from_slice(&self.tail[self.start..]);
                self.tail = Vec::new();
                (self.start, self.end) = (0, left);
                self.scratch = Some(scratch);
            }
        }
    }

    /// A head may be longer than a scratch buffer, if a limit says so. It
    /// then lies in a buffer of its own, which is freed after use.
    #[cold]
    fn move_to_larger(&mut self) {
        let left = self.unread().len();
        let mut larger = vec![0; left * 2].into_boxed_slice();
        larger[..left].copy_from_slice(self.unread());
        (self.start, self.end) = (0, left);
        self.tail = Vec::new();
        if let Some(scratch) = self.scratch.replace(larger) {
            pool::give_scratch(scratch);
        }
    }

    /// Gives the shared buffer back. To be called before the task waits.
    #[inline]
    pub(super) fn release(&mut self) {
        if let Some(scratch) = self.scratch.take() {
            self.tail.extend_from_slice(&scratch[self.start..self.end]);
            pool::give_scratch(scratch);
            (self.start, self.end) = (0, 0);
        } else if self.start == self.tail.len() {
            self.tail = Vec::new();
            self.start = 0;
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(scratch) = self.scratch.take() {
            pool::give_scratch(scratch);
        }
    }
}
