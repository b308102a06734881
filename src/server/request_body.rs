//! The body of a request, as its handler reads it.
//!
//! The connection alone touches the transport. A reader that finds nothing
//! says that it wants more, and the connection, which polls the handler,
//! sees that, reads, and fills the slot between them. A body that nobody
//! wants is not read, so a fast client waits in its own send buffer.

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::body_rate::BodyRate;
use crate::http::{ProtocolError, Status};

/// The most that a body's beginning makes room for, whatever length it has
/// declared. What follows beyond that makes more.
const RESERVED_MAX: u64 = 1024 * 1024;

/// What lies between a connection and the reader of its request's body.
#[derive(Default)]
pub(super) struct BodySlot {
    between: RefCell<Between>,
    /// How long the body is, as far as its head has said.
    pub(super) declared: Cell<u64>,
    /// The connection's own: how fast the body comes.
    pub(super) rate: RefCell<BodyRate>,
}

#[derive(Default)]
struct Between {
    piece: Option<Vec<u8>>,
    end: Option<Result<(), BodyError>>,
    wanted: bool,
    reader: Option<Waker>,
    /// The reader is polled by the connection itself.
    reads_inside: bool,
    connection: Option<Waker>,
    /// The connection polls its handler, and looks here after that.
    is_inside: bool,
}

impl BodySlot {
    /// Says whether the connection polls its handler from here on.
    pub(super) fn set_inside(&self, is_inside: bool) {
        self.between.borrow_mut().is_inside = is_inside;
    }

    /// Whether the reader waits. Remembers whom to wake when it does later.
    pub(super) fn is_wanted(&self, cx: &Context<'_>) -> bool {
        let is_known = |waker: &Waker| waker.will_wake(cx.waker());
        let known = self.between.borrow().connection.as_ref().map(is_known);
        if known != Some(true) {
            // It may be foreign: nothing is borrowed while it is cloned.
            let waker = cx.waker().clone();
            let replaced = self.between.borrow_mut().connection.replace(waker);
            drop(replaced);
        }
        let between = self.between.borrow();
        between.wanted && between.end.is_none()
    }

    /// What there is for the reader: a piece, or the end.
    fn find(&self) -> Option<Result<Option<Vec<u8>>, BodyError>> {
        let mut between = self.between.borrow_mut();
        match between.piece.take() {
            Some(piece) => Some(Ok(Some(piece))),
            None => between.end.map(|end| end.map(|()| None)),
        }
    }

    /// Says that the reader waits, and wakes the connection unless it looks
    /// by itself. That it has the same waker is no sign of that: it may have
    /// had its turn before the reader, in the same task.
    fn want(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let mut between = self.between.borrow_mut();
        between.wanted = true;
        between.reads_inside = between.is_inside;
        let replaced = between.reader.replace(waker);
        let is_told = between.is_inside || between.connection.is_none();
        drop(between);
        drop(replaced);
        if !is_told {
            let connection = self.between.borrow_mut().connection.take();
            connection.into_iter().for_each(Waker::wake);
        }
    }

    /// Says that the reader does not wait any more.
    fn unwant(&self) {
        let mut between = self.between.borrow_mut();
        between.wanted = false;
        let reader = between.reader.take();
        drop(between);
        drop(reader);
    }

    /// Hands over a piece of the body.
    pub(super) fn give(&self, piece: Vec<u8>) {
        let mut between = self.between.borrow_mut();
        between.piece = Some(piece);
        answer(between);
    }

    /// Says how the body ended. The first end stays.
    pub(super) fn finish(&self, end: Result<(), BodyError>) {
        let mut between = self.between.borrow_mut();
        between.end.get_or_insert(end);
        answer(between);
    }
}

/// Tells the reader that there is news. Wakes with the cell released: a
/// waker may be foreign.
fn answer(mut between: RefMut<'_, Between>) {
    between.wanted = false;
    let reader = between.reader.take();
    let is_elsewhere = match (&reader, &between.connection) {
        (Some(reader), Some(connection)) => !(between.reads_inside && reader.will_wake(connection)),
        _ => true,
    };
    drop(between);
    // The connection polls its handler again by itself.
    if let Some(reader) = reader.filter(|_| is_elsewhere) {
        reader.wake();
    }
}

/// The connection's end of the slot. However the exchange ends, the reader
/// is told.
pub(super) struct OpenBody(pub(super) Rc<BodySlot>);

impl Drop for OpenBody {
    fn drop(&mut self) {
        self.0.finish(Err(BodyError::Disconnected));
    }
}

/// The body of a request, read piece by piece as it comes.
///
/// Nothing is read from the client before the handler asks, and a client
/// that waits for `100 Continue` gets it at the first ask. Dropping it
/// unread is fine: the server then takes in a small rest and drops it, or
/// closes the connection after the response.
#[derive(Default)]
pub struct RequestBody {
    slot: Option<Rc<BodySlot>>,
    limit: Option<u64>,
    /// What has come of it, in bytes.
    received: u64,
}

impl RequestBody {
    pub(super) fn empty() -> Self {
        RequestBody {
            slot: None,
            limit: None,
            received: 0,
        }
    }

    pub(super) fn from_slot(slot: Rc<BodySlot>) -> Self {
        RequestBody {
            slot: Some(slot),
            ..RequestBody::empty()
        }
    }

    /// Sets how much of it may come, in bytes: what makes it longer is
    /// [`BodyError::TooLong`]. Without, it may be of any length.
    pub fn set_limit(&mut self, max: u64) {
        self.limit = Some(max);
    }

    /// How much of it may come, if that was set.
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Waits for the next piece; `None` is the end.
    ///
    /// # Errors
    ///
    /// See [`BodyError`]. After one, and after the end, it stays that way.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing: the next call goes on. Until then
    /// nothing is read.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, BodyError> {
        let asking = Asking(self);
        poll_fn(|cx| asking.0.poll_chunk(cx)).await
    }

    /// Polls for what [`chunk`](Self::chunk) waits for. The body counts as
    /// wanted until it is ready.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Vec<u8>>, BodyError>> {
        let Some(slot) = &self.slot else {
            return Poll::Ready(Ok(None));
        };
        if self.limit.is_some_and(|limit| self.received > limit) {
            return Poll::Ready(Err(BodyError::TooLong));
        }
        let found = slot.find().or_else(|| {
            slot.want(cx);
            // A foreign waker may have had something done about it.
            slot.find()
        });
        match found {
            None => Poll::Pending,
            Some(Ok(Some(piece))) => {
                self.received += piece.len() as u64;
                if self.limit.is_some_and(|limit| self.received > limit) {
                    return Poll::Ready(Err(BodyError::TooLong));
                }
                Poll::Ready(Ok(Some(piece)))
            }
            Some(end) => Poll::Ready(end),
        }
    }

    /// Reads all that is left, but at most `max` bytes.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLong`] as soon as more than `max` has come; else see
    /// [`BodyError`].
    ///
    /// # Cancellation
    ///
    /// What was read so far is lost.
    pub async fn collect(mut self, max: usize) -> Result<Vec<u8>, BodyError> {
        let mut all = Vec::new();
        while let Some(piece) = self.chunk().await? {
            if all.len() + piece.len() > max {
                return Err(BodyError::TooLong);
            }
            if all.is_empty() {
                all = piece;
                all.reserve_exact(self.reservation(max).saturating_sub(all.len()));
            } else {
                all.extend_from_slice(&piece);
            }
        }
        Ok(all)
    }

    /// How much room a body gets when it begins.
    fn reservation(&self, max: usize) -> usize {
        let declared = self.slot.as_ref().map_or(0, |slot| slot.declared.get());
        max.min(declared.min(RESERVED_MAX) as usize)
    }
}

/// While somebody waits for a piece. Dropped early, nobody does.
struct Asking<'a>(&'a mut RequestBody);

impl Drop for Asking<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = &self.0.slot {
            slot.unwant();
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody")
            .field("is_empty", &self.slot.is_none())
            .finish()
    }
}

/// Why a body could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// It is longer than the reader's limit.
    TooLong,
    /// It breaks HTTP, or a limit of [`Config::limits`](super::Config::limits).
    Refused(ProtocolError),
    /// The client sent nothing for
    /// [`body_timeout`](super::Config::body_timeout).
    Timeout,
    /// The client sent less than
    /// [`body_rate_min`](super::Config::body_rate_min) asks for.
    TooSlow,
    /// The client left before the end.
    Disconnected,
    /// The response was complete before the body was read.
    Late,
}

impl BodyError {
    /// The status that says so to the client.
    pub fn status(self) -> Status {
        match self {
            BodyError::TooLong => Status::CONTENT_TOO_LARGE,
            BodyError::Refused(error) => error.status(),
            BodyError::Timeout | BodyError::TooSlow => Status::REQUEST_TIMEOUT,
            BodyError::Disconnected | BodyError::Late => Status::BAD_REQUEST,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLong => f.write_str("the body is longer than its reader's limit"),
            BodyError::Refused(error) => error.fmt(f),
            BodyError::Timeout => f.write_str("the client sent nothing for body_timeout"),
            BodyError::TooSlow => f.write_str("the client sent slower than body_rate_min"),
            BodyError::Disconnected => f.write_str("the client left before the body's end"),
            BodyError::Late => f.write_str("the response was complete before the body was read"),
        }
    }
}

impl std::error::Error for BodyError {}

impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::Timeout | BodyError::TooSlow => io::ErrorKind::TimedOut,
            BodyError::Disconnected => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
