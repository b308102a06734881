//! Bytes that are on their way out.

use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use super::pool;
use super::transport::Transport;

/// Responses to pipelined requests are gathered up to here before they are
/// written, so that a client that sends and does not read costs this much.
pub(super) const OUT_BYTES_MAX: usize = 64 * 1024;

/// Whoever makes a streamed body goes on when no more than this waits to be
/// written: enough to keep the socket busy meanwhile. Uvicorn's low mark.
pub(super) const OUT_BYTES_LOW: usize = 16 * 1024;

/// A body up to this is copied behind its head and leaves with it in one
/// write; a larger one is written from where it is.
pub(super) const FLAT_BYTES_MAX: usize = 16 * 1024;

/// What has been encoded and not written.
#[derive(Default)]
pub(super) struct Output {
    buffer: Vec<u8>,
    written: usize,
}

impl Output {
    /// The buffer to encode into.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool::take_buffer();
        }
        &mut self.buffer
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.buffer.len()
    }

    /// How many bytes wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// Writes until nothing is left.
    #[inline]
    pub(super) fn poll_flush(
        &mut self,
        transport: &mut impl Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let count = ready!(transport.poll_write(cx, &self.buffer[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.buffer.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Writes what waits and then `rest`, from where it is, and advances
    /// `rest` as it goes.
    pub(super) fn poll_flush_with(
        &mut self,
        rest: &mut &[u8],
        transport: &mut impl Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let bufs = [
                IoSlice::new(&self.buffer[self.written..]),
                IoSlice::new(rest),
            ];
            let count = ready!(transport.poll_write_vectored(cx, &bufs))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let from_buffer = count.min(self.len());
            self.written += from_buffer;
            *rest = &rest[count - from_buffer..];
        }
        self.buffer.clear();
        self.written = 0;
        while !rest.is_empty() {
            let count = ready!(transport.poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *rest = &rest[count..];
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the buffer back if it is empty. To be called before the task
    /// waits.
    #[inline]
    pub(super) fn release(&mut self) {
        if self.is_empty() {
            self.written = 0;
            pool::give_buffer(std::mem::take(&mut self.buffer));
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        pool::give_buffer(std::mem::take(&mut self.buffer));
    }
}
