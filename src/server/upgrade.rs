//! The stream of a connection that was switched to another protocol
//! (RFC 9110, 7.8).
//!
//! The connection's task does not end when it hands its transport over. It
//! waits until the stream is dropped, so that the connection stays counted,
//! a drain waits for it, and one that is aborted cuts the stream off.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::transport::Transport;
use crate::io::{AsyncRead, AsyncWrite};

/// A future of the raw stream; made by
/// [`Request::upgrade`](super::Request::upgrade).
///
/// It is ready once the 101 has been sent, or with an error when it is clear
/// that none will be. It holds neither the request nor the connection.
///
/// # Cancellation
///
/// Dropping it gives the stream up: a connection that is switched
/// nevertheless is closed.
pub struct Upgrade(pub(super) Rc<UpgradeSlot>);

impl Future for Upgrade {
    type Output = Result<Upgraded, UpgradeError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = cx.waker().clone();
        let mut slot = self.0.0.borrow_mut();
        let state = mem::replace(&mut *slot, State::Over);
        match state {
            State::Given(stream) => Poll::Ready(Ok(stream)),
            State::Over => Poll::Ready(Err(UpgradeError)),
            State::Waiting(replaced) => {
                *slot = State::Waiting(Some(waker));
                drop(slot);
                drop(replaced);
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

/// The connection was not switched: the response was not a 101 that the
/// client had asked for, or the client left before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeError;

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was not switched to another protocol")
    }
}

impl std::error::Error for UpgradeError {}

impl From<UpgradeError> for io::Error {
    fn from(error: UpgradeError) -> Self {
        io::Error::new(io::ErrorKind::NotConnected, error)
    }
}

/// What lies between a connection and who has asked for its stream.
#[derive(Debug)]
pub(super) struct UpgradeSlot(RefCell<State>);

#[derive(Debug)]
enum State {
    Waiting(Option<Waker>),
    Given(Upgraded),
    /// It was taken, or there will be none.
    Over,
}

impl Default for UpgradeSlot {
    fn default() -> Self {
        UpgradeSlot(RefCell::new(State::Waiting(None)))
    }
}

impl UpgradeSlot {
    /// Says that there will be no stream.
    pub(super) fn fail(&self) {
        self.settle(State::Over);
    }

    fn settle(&self, state: State) {
        let before = mem::replace(&mut *self.0.borrow_mut(), state);
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// Gives the stream to who has asked for it, with the bytes `read` that had
/// come behind the request, and waits until they are done with it.
///
/// Dropping the future cuts the stream off.
pub(super) async fn hand_over(transport: Box<dyn Transport>, read: Vec<u8>, slot: Rc<UpgradeSlot>) {
    let wire = Rc::new(Wire::default());
    wire.0.borrow_mut().transport = Some(transport);
    let guard = CutOnDrop(Rc::clone(&wire));
    slot.settle(State::Given(Upgraded {
        wire,
        read,
        start: 0,
    }));
    // If nobody holds the future any more, the stream goes with it here.
    drop(slot);
    poll_fn(|cx| guard.0.poll_gone(cx)).await;
}

/// A transport that two hold: who uses it, and the connection that may be
/// told to end.
#[derive(Default)]
struct Wire(RefCell<Ends>);

#[derive(Default)]
struct Ends {
    /// Not there while it is polled, and after the end.
    transport: Option<Box<dyn Transport>>,
    is_over: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    connection: Option<Waker>,
}

impl Wire {
    /// Polls the transport with nothing borrowed.
    fn poll_with<R>(
        &self,
        poll: impl FnOnce(&mut Box<dyn Transport>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let taken = self.0.borrow_mut().transport.take();
        let Some(mut transport) = taken else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        let polled = poll(&mut transport);
        let mut ends = self.0.borrow_mut();
        if !ends.is_over {
            ends.transport = Some(transport);
        }
        polled
    }

    /// Remembers whom to wake when the stream is cut off.
    fn note(&self, cx: &Context<'_>, which: fn(&mut Ends) -> &mut Option<Waker>) {
        let waker = cx.waker().clone();
        let replaced = which(&mut self.0.borrow_mut()).replace(waker);
        drop(replaced);
    }

    fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        if self.0.borrow().is_over {
            return Poll::Ready(());
        }
        self.note(cx, |ends| &mut ends.connection);
        Poll::Pending
    }

    /// Closes the transport, and tells all who wait.
    fn finish(&self) {
        let (transport, wakers) = {
            let mut ends = self.0.borrow_mut();
            ends.is_over = true;
            let wakers = [
                ends.reader.take(),
                ends.writer.take(),
                ends.connection.take(),
            ];
            (ends.transport.take(), wakers)
        };
        drop(transport);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

struct CutOnDrop(Rc<Wire>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// The raw stream of a connection that was switched to another protocol.
///
/// Reading gives first what the client had sent behind its request. No limit
/// and no timeout of the server holds here any more. The connection counts as
/// open until this is dropped, which closes it; call
/// [`poll_close`](AsyncWrite::poll_close) and read to the end before that, so
/// that the last bytes arrive.
///
/// A server that drains waits for it, for
/// [`graceful_timeout`](super::Config::graceful_timeout) at most, and then
/// cuts it off: reads and writes fail with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted). Who can end
/// earlier hears of the drain through
/// [`Request::draining`](super::Request::draining).
pub struct Upgraded {
    wire: Rc<Wire>,
    read: Vec<u8>,
    start: usize,
}

impl AsyncRead for Upgraded {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.start < self.read.len() {
            let left = &self.read[self.start..];
            let count = left.len().min(buf.len());
            buf[..count].copy_from_slice(&left[..count]);
            self.start += count;
            if self.start == self.read.len() {
                self.read = Vec::new();
                self.start = 0;
            }
            return Poll::Ready(Ok(count));
        }
        let polled = self.wire.poll_with(|stream| stream.poll_read(cx, buf));
        if polled.is_pending() {
            self.wire.note(cx, |ends| &mut ends.reader);
        }
        polled
    }
}

impl Upgraded {
    fn poll_out<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Box<dyn Transport>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let polled = self.wire.poll_with(|stream| poll(stream, cx));
        if polled.is_pending() {
            self.wire.note(cx, |ends| &mut ends.writer);
        }
        polled
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_out(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_out(cx, |stream, cx| stream.poll_close(cx))
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        self.wire.finish();
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("read_before", &(self.read.len() - self.start))
            .finish_non_exhaustive()
    }
}
