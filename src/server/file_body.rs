//! A file as the body of a response.
//!
//! ```text
//!   small            page cache ──preadv2──▶ behind the head ──one write──▶
//!   large            page cache ──sendfile────────────────────────────────▶
//!   not in memory    disk ──pool──▶ page cache, then as above
//!   no sendfile      file ──pool──▶ a buffer of 64 KiB ──write────────────▶
//! ```
//!
//! The hard fact: to the kernel a file is always ready, and then the reader
//! waits for the disk. So the page cache is asked before the loop reads.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::pin;
use std::task::Poll;

use super::close_reason::CloseReason;
use super::connection::{Connection, broken};
use super::exchange::unfinished;
use super::handler::Handler;
use super::output::FLAT_BYTES_MAX;
use super::pool;
use super::transport::Transport;
use crate::fs;
use crate::sys;

/// What one job of the pool brings into the page cache: 5 ms of a disk of
/// 100 MB/s, and two calls of sendfile.
const WINDOW: u64 = 512 * 1024;

/// Bytes that a job reads for a transport that sends no files.
const PIECE: u64 = 64 * 1024;

/// A part of a file, to be sent.
pub(super) struct FilePart {
    pub(super) file: fs::File,
    pub(super) offset: u64,
    pub(super) len: u64,
}

impl FilePart {
    /// What is left of it, as a place in the file.
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }

    fn advance(&mut self, count: usize) {
        self.offset += count as u64;
        self.len -= count as u64;
    }

    fn read_cached(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        sys::read_cached(self.file.as_fd(), buf, offset)
    }

    /// Whether the first and the last byte before `end` are in the page
    /// cache. No is the answer, too, where it cannot be asked.
    fn looks_cached(&self, end: u64) -> bool {
        let mut byte = [0];
        let mut is_there = |at| self.read_cached(&mut byte, at).is_ok();
        is_there(end - 1) && is_there(self.offset)
    }
}

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Sends a part of a file behind the head, which is encoded.
    pub(super) async fn send_file(&mut self, mut part: FilePart) -> Result<(), CloseReason> {
        self.begin_with_cached(&mut part)?;
        if part.len > 0 && part.len <= FLAT_BYTES_MAX as u64 {
            return self.read_and_send(part).await;
        }
        while part.len > 0 {
            let end = part.offset + part.len.min(WINDOW);
            if !part.looks_cached(end) {
                let read = part.file.read_ahead(part.offset, end);
                self.wait_for_disk(read).await?;
            }
            self.wait(Self::poll_flush).await?;
            while part.offset < end {
                let sent = self.send_part(&part, end - part.offset).await;
                match sent? {
                    Some(0) => return Err(cut_short(&part)),
                    Some(count) => {
                        self.count_sent(count)?;
                        part.advance(count);
                    }
                    None => return self.read_and_send(part).await,
                }
            }
        }
        Ok(())
    }

    /// Puts the first bytes behind the head if they are in memory: all of a
    /// small file, and of a large one as much as makes it a full first packet.
    fn begin_with_cached(&mut self, part: &mut FilePart) -> Result<(), CloseReason> {
        let most = part.len.min(FLAT_BYTES_MAX as u64) as usize;
        if most == 0 {
            return Ok(());
        }
        let out = self.output.buffer();
        let head_end = out.len();
        out.resize(head_end + most, 0);
        let read = part.read_cached(&mut out[head_end..], part.offset);
        let count = read.unwrap_or(0);
        out.truncate(head_end + count);
        part.advance(count);
        self.count_sent(count)
    }

    /// Bytes of declared length have nothing around them.
    fn count_sent(&mut self, count: usize) -> Result<(), CloseReason> {
        let out = self.output.buffer();
        let counted = self.protocol.chunk_prefix(count, out);
        counted.map_err(|_| unfinished())
    }

    /// One sendfile. `None` if the transport has none for such a file.
    async fn send_part(
        &mut self,
        part: &FilePart,
        most: u64,
    ) -> Result<Option<usize>, CloseReason> {
        // Since the last wait, that is; a client that takes in nothing more
        // has its deadline.
        let mut has_moved = true;
        let sent = self.wait(|connection, cx| {
            let (file, transport) = (part.file.as_std(), &mut connection.transport);
            match transport.poll_send_file(cx, file, part.offset, most) {
                Poll::Ready(Ok(count)) => Poll::Ready(Ok(Some(count))),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    Poll::Ready(Ok(None))
                }
                Poll::Ready(Err(error)) => {
                    log::debug!("a file could not be sent: {error}");
                    Poll::Ready(Err(broken(&error)))
                }
                Poll::Pending => {
                    let late = connection.poll_write_timeout(has_moved, cx);
                    has_moved = false;
                    late.map(|late| late.map(|()| None))
                }
            }
        });
        let sent = sent.await?;
        self.made_progress();
        Ok(sent)
    }

    /// The long way: for small files that are not in memory, and for
    /// transports that send no files.
    async fn read_and_send(&mut self, mut part: FilePart) -> Result<(), CloseReason> {
        let mut piece = pool::take_buffer();
        while part.len > 0 {
            piece.resize(part.len.min(PIECE) as usize, 0);
            let read = part.file.read_at(&mut piece, part.offset);
            let count = self.wait_for_disk(read).await?;
            if count == 0 {
                return Err(cut_short(&part));
            }
            self.send_large(&piece[..count]).await?;
            part.advance(count);
        }
        pool::give_buffer(piece);
        self.made_progress();
        Ok(())
    }

    /// Waits for a job of the pool, and writes meanwhile what is encoded. If
    /// the client has closed its sending side it may be gone, so this too ends
    /// at the connection's `half_close_timeout`.
    async fn wait_for_disk<R>(
        &mut self,
        job: impl Future<Output = io::Result<R>>,
    ) -> Result<R, CloseReason> {
        let mut job = pin!(job);
        self.wait(|connection, cx| {
            if let Poll::Ready(done) = job.as_mut().poll(cx) {
                return Poll::Ready(done.map_err(|error| {
                    log::error!("a response was cut off, its file cannot be read: {error}");
                    unfinished()
                }));
            }
            if let Poll::Ready(Err(reason)) = connection.poll_flush(cx) {
                return Poll::Ready(Err(reason));
            }
            connection.poll_presence(cx).map(Err)
        })
        .await
    }
}

fn cut_short(part: &FilePart) -> CloseReason {
    let (file, left, end) = (&part.file, part.len, part.end());
    log::warn!(
        "a response was cut off: of {file:?} up to {end}, the last {left} bytes are not there \
         any more"
    );
    unfinished()
}
