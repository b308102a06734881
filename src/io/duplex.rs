//! Two streams in memory, each the other's peer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::streams::{AsyncRead, AsyncWrite};

/// Makes two streams: what one writes the other reads. At most
/// `bytes_max` are on their way in each direction; whoever writes more waits.
///
/// For tests, and to serve a connection that no socket brings. Both ends stay
/// on their thread.
///
/// # Panics
///
/// When `bytes_max` is 0.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::io::duplex;
/// use tourbillon::net::copy;
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let (mut here, mut there) = duplex(64);
///     let sender = tourbillon::spawn(async move {
///         copy(&mut &b"hello"[..], &mut there).await.unwrap();
///     });
///     let mut heard = Vec::new();
///     copy(&mut here, &mut heard).await?; // to the end, which is the drop
///     sender.await.unwrap();
///     assert_eq!(heard, b"hello");
///     Ok(())
/// })
/// # }
/// ```
pub fn duplex(bytes_max: usize) -> (DuplexStream, DuplexStream) {
    assert!(bytes_max > 0, "a stream that takes no byte would never end");
    let pipe = || {
        Rc::new(RefCell::new(Pipe {
            bytes: VecDeque::new(),
            bytes_max,
            is_closed: false,
            is_abandoned: false,
            reader: None,
            writer: None,
        }))
    };
    let (one, other) = (pipe(), pipe());
    let first = DuplexStream {
        incoming: Rc::clone(&one),
        outgoing: Rc::clone(&other),
    };
    let second = DuplexStream {
        incoming: other,
        outgoing: one,
    };
    (first, second)
}

/// One end of a connection in memory; made by [`duplex`].
///
/// Dropping it is an end for the peer that reads, and an error, `BrokenPipe`,
/// for the peer that writes.
///
/// # Examples
///
/// See [`duplex`]; a server can serve one end of it:
///
/// ```
/// use tourbillon::io::{DuplexStream, duplex};
/// use tourbillon::server::{CloseReason, Config, Server};
///
/// # fn main() -> std::io::Result<()> {
/// tourbillon::Runtime::new()?.block_on(async {
///     let server = Server::new(async |_| "Hello!", Config::default());
///     let (client, served): (DuplexStream, DuplexStream) = duplex(1024);
///     drop(client);
///     let reason = server.serve_connection(served, None).await;
///     assert_eq!(reason, CloseReason::ClientLeft);
/// });
/// # Ok(())
/// # }
/// ```
pub struct DuplexStream {
    incoming: Rc<RefCell<Pipe>>,
    outgoing: Rc<RefCell<Pipe>>,
}

/// One direction.
struct Pipe {
    bytes: VecDeque<u8>,
    bytes_max: usize,
    /// The writer has written its last byte.
    is_closed: bool,
    /// The reader is gone.
    is_abandoned: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Notes whom to wake. Both the old waker and the new may be foreign, so
/// nothing is borrowed while one is cloned or dropped.
fn note(pipe: &RefCell<Pipe>, place: fn(&mut Pipe) -> &mut Option<Waker>, cx: &Context<'_>) {
    let waker = cx.waker().clone();
    let replaced = place(&mut pipe.borrow_mut()).replace(waker);
    drop(replaced);
}

fn wake(pipe: &RefCell<Pipe>, place: fn(&mut Pipe) -> &mut Option<Waker>) {
    let waker = place(&mut pipe.borrow_mut()).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl DuplexStream {
    /// Whether the peer has sent its last byte, and whether it is gone. What
    /// it has sent before may not have been read yet.
    pub fn peer_has_ended(&self) -> (bool, bool) {
        let has_closed = self.incoming.borrow().is_closed;
        let is_gone = self.outgoing.borrow().is_abandoned;
        (has_closed, is_gone)
    }

    /// Has the task woken when the peer writes, closes or goes.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::{future::poll_fn, task::Poll};
    ///
    /// let mut rt = tourbillon::Runtime::new()?;
    /// rt.block_on(async {
    ///     let (mut here, there) = tourbillon::io::duplex(64);
    ///     let task = tourbillon::spawn(async { drop(there) });
    ///     poll_fn(|cx| {
    ///         here.watch_peer(cx);
    ///         match here.peer_has_ended() {
    ///             (_, true) => Poll::Ready(()),
    ///             _ => Poll::Pending,
    ///         }
    ///     })
    ///     .await;
    ///     task.await.unwrap();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn watch_peer(&mut self, cx: &mut Context<'_>) {
        note(&self.incoming, |pipe| &mut pipe.reader, cx);
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.incoming.borrow_mut();
        if pipe.bytes.is_empty() && !pipe.is_closed && !buf.is_empty() {
            drop(pipe);
            note(&self.incoming, |pipe| &mut pipe.reader, cx);
            return Poll::Pending;
        }
        let count = io::Read::read(&mut pipe.bytes, buf)?;
        drop(pipe);
        wake(&self.incoming, |pipe| &mut pipe.writer);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.outgoing.borrow_mut();
        if pipe.is_abandoned || pipe.is_closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.len().min(pipe.bytes_max - pipe.bytes.len());
        if count == 0 && !buf.is_empty() {
            drop(pipe);
            note(&self.outgoing, |pipe| &mut pipe.writer, cx);
            return Poll::Pending;
        }
        pipe.bytes.extend(&buf[..count]);
        drop(pipe);
        wake(&self.outgoing, |pipe| &mut pipe.reader);
        Poll::Ready(Ok(count))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.borrow_mut().is_closed = true;
        wake(&self.outgoing, |pipe| &mut pipe.reader);
        Poll::Ready(Ok(()))
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.outgoing.borrow_mut().is_closed = true;
        self.incoming.borrow_mut().is_abandoned = true;
        // The peer may wait for either, in one task or in two. A waker may be
        // foreign: what panics there must not come out of a drop, and must
        // not keep the other from being told.
        let told = [
            catch_unwind(AssertUnwindSafe(|| {
                wake(&self.outgoing, |pipe| &mut pipe.reader);
            })),
            catch_unwind(AssertUnwindSafe(|| {
                wake(&self.incoming, |pipe| &mut pipe.writer);
            })),
        ];
        mem::forget(told);
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream")
            .field("to_read", &self.incoming.borrow().bytes.len())
            .field("on_their_way", &self.outgoing.borrow().bytes.len())
            .finish()
    }
}
