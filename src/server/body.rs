//! The body of a response, as its handler makes it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::file_body::FilePart;
use super::output::OUT_BYTES_MAX;
use crate::fs;
use crate::http::{BodyLength, HeaderError, Headers};

/// The body of a response: none, bytes, a part of a file, or a stream.
#[derive(Default)]
pub struct Body(pub(super) Kind);

#[derive(Default)]
pub(super) enum Kind {
    #[default]
    Empty,
    Bytes(Cow<'static, [u8]>),
    File(FilePart),
    Stream(Stream),
}

/// A body that is made while it is sent.
pub(super) struct Stream {
    pub(super) length: BodyLength,
    pub(super) making: Pin<Box<dyn Future<Output = io::Result<()>>>>,
    pub(super) slot: Rc<PieceSlot>,
}

impl Stream {
    /// Has the maker go on. Who polls this looks at the slot after it.
    pub(super) fn poll_making(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.slot.0.borrow_mut().is_inside = true;
        let making = self.making.as_mut().poll(cx);
        self.slot.0.borrow_mut().is_inside = false;
        making
    }
}

/// However the response ends, whoever holds the writer is told.
impl Drop for Stream {
    fn drop(&mut self) {
        self.slot.close();
    }
}

impl Body {
    /// Has none from here on.
    #[inline]
    pub(super) fn clear(&mut self) {
        match self.0 {
            // They hold nothing: a store, and no code for dropping.
            Kind::Empty | Kind::Bytes(Cow::Borrowed(_)) => {
                mem::forget(mem::take(&mut self.0));
            }
            _ => self.0 = Kind::Empty,
        }
    }

    /// No body.
    pub fn empty() -> Self {
        Body(Kind::Empty)
    }

    /// These bytes. Static ones are not copied before they are sent.
    pub fn bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Body(Kind::Bytes(bytes.into()))
    }

    /// The bytes of `file` from `range.start` to `range.end`, which it must
    /// have when they are sent; an empty or reversed range is no bytes.
    /// Neither uses nor moves the file's position.
    ///
    /// It goes out with `content-length` and never in chunks. Up to 16 KiB
    /// leave in one write with the head. More goes by sendfile(2) over TCP and
    /// Unix sockets, and over other transports through a buffer of 64 KiB. The
    /// loop does not wait for the disk: what is not in the page cache is read
    /// by a thread of the blocking pool first, 512 KiB at a time. The cache is
    /// asked (Linux: preadv2(2) with `RWF_NOWAIT`) at both ends of such a part;
    /// a gap between them is not seen, and waited for. Where the cache cannot
    /// be asked, every part takes the way through the pool.
    ///
    /// If the file turns out shorter than that, or cannot be read, the
    /// connection is cut, so that the client can tell, and the log says why.
    /// If it grows, no more than the range is sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use tourbillon::http::BodyLength;
    /// use tourbillon::server::Body;
    ///
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// let end = file.metadata()?.len();
    /// let body = Body::file(file, 9..end);
    /// assert_eq!(body.length(), BodyLength::Known(end - 9));
    /// # Ok(())
    /// # }
    /// ```
    pub fn file(file: impl Into<fs::File>, range: Range<u64>) -> Self {
        Body(Kind::File(FilePart {
            file: file.into(),
            offset: range.start,
            len: range.end.saturating_sub(range.start),
        }))
    }

    /// What `make` writes, while it writes it, with an end when it returns.
    ///
    /// It goes out in chunks, or on HTTP/1.0 up to the close. If `make`
    /// fails the connection is cut, so that the client can tell: the last
    /// chunk is missing, or on HTTP/1.0 the close is a reset. If the client
    /// leaves, its future is dropped.
    ///
    /// Where a response has no body, to HEAD or with a status such as 204,
    /// `make` is dropped without being called, before the head goes out.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::Body;
    ///
    /// let body = Body::stream(async |mut writer| {
    ///     for line in ["tick\n", "tock\n"] {
    ///         writer.write(line).await?;
    ///     }
    ///     Ok(())
    /// });
    /// # let _ = body;
    /// ```
    pub fn stream<F>(make: F) -> Self
    where
        F: AsyncFnOnce(BodyWriter) -> io::Result<()> + 'static,
    {
        Self::stream_of(BodyLength::Unknown, make)
    }

    /// The same, of a length in bytes that is known before and sent with the
    /// head. Writing more or less than that cuts the connection.
    ///
    /// A body of length 0 is complete with its head, so `make` is dropped
    /// without being called then, as for HEAD. What must happen in any case
    /// belongs in the handler, or in the drop of what `make` holds.
    pub fn sized_stream<F>(length: u64, make: F) -> Self
    where
        F: AsyncFnOnce(BodyWriter) -> io::Result<()> + 'static,
    {
        Self::stream_of(BodyLength::Known(length), make)
    }

    fn stream_of<F>(length: BodyLength, make: F) -> Self
    where
        F: AsyncFnOnce(BodyWriter) -> io::Result<()> + 'static,
    {
        let slot = Rc::new(PieceSlot::default());
        let writer = BodyWriter(Rc::clone(&slot));
        Body(Kind::Stream(Stream {
            length,
            making: Box::pin(async move { make(writer).await }),
            slot,
        }))
    }

    /// How long it is, as far as is known.
    pub fn length(&self) -> BodyLength {
        match &self.0 {
            Kind::Empty => BodyLength::Known(0),
            Kind::Bytes(bytes) => BodyLength::Known(bytes.len() as u64),
            Kind::File(part) => BodyLength::Known(part.len),
            Kind::Stream(stream) => stream.length,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("length", &self.length())
            .finish()
    }
}

impl<B: Into<Cow<'static, [u8]>>> From<B> for Body {
    fn from(bytes: B) -> Self {
        Body::bytes(bytes)
    }
}

/// What lies between the maker of a body and its connection.
#[derive(Default)]
pub(super) struct PieceSlot(RefCell<Pieces>);

#[derive(Default)]
struct Pieces {
    waiting: Vec<u8>,
    trailers: Headers,
    closed: bool,
    writer: Option<Waker>,
    /// The writer is polled by the connection itself.
    writes_inside: bool,
    connection: Option<Waker>,
    /// The connection polls the maker, and looks here after that.
    is_inside: bool,
}

impl PieceSlot {
    /// Takes what was written, leaving `empty` to write into. Remembers whom
    /// to wake when more is.
    pub(super) fn take(&self, empty: Vec<u8>, cx: &Context<'_>) -> Vec<u8> {
        let waker = cx.waker().clone();
        let mut pieces = self.0.borrow_mut();
        let taken = mem::replace(&mut pieces.waiting, empty);
        let writer = pieces.writer.take();
        let replaced = pieces.connection.replace(waker);
        let writes_inside = pieces.writes_inside;
        drop(pieces);
        drop(replaced);
        // The maker is polled again anyway; but not all that is in its task.
        let is_elsewhere = |writer: &Waker| !(writes_inside && writer.will_wake(cx.waker()));
        if let Some(writer) = writer.filter(is_elsewhere) {
            writer.wake();
        }
        taken
    }

    /// Remembers who waits for room.
    fn note_writer(&self, cx: &Context<'_>) {
        let waker = cx.waker().clone();
        let mut pieces = self.0.borrow_mut();
        pieces.writes_inside = pieces.is_inside;
        let replaced = pieces.writer.replace(waker);
        drop(pieces);
        drop(replaced);
    }

    /// Takes the data in if there is room.
    fn write(&self, data: &[u8]) -> Poll<Result<(), Disconnected>> {
        let mut pieces = self.0.borrow_mut();
        if pieces.closed {
            return Poll::Ready(Err(Disconnected));
        }
        if pieces.waiting.len() >= OUT_BYTES_MAX {
            return Poll::Pending;
        }
        pieces.waiting.extend_from_slice(data);
        let connection = match pieces.is_inside {
            true => None,
            false => pieces.connection.take(),
        };
        drop(pieces);
        if let Some(connection) = connection {
            connection.wake();
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the fields that come behind the body.
    pub(super) fn take_trailers(&self) -> Headers {
        mem::take(&mut self.0.borrow_mut().trailers)
    }

    /// Nobody will take any more.
    pub(super) fn close(&self) {
        let mut pieces = self.0.borrow_mut();
        pieces.closed = true;
        let writer = pieces.writer.take();
        drop(pieces);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

/// Where the maker of a streamed body writes.
pub struct BodyWriter(Rc<PieceSlot>);

impl BodyWriter {
    /// Writes `data`, waiting while 64 KiB or more are on their way.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when the connection is gone.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write(&mut self, data: impl AsRef<[u8]>) -> Result<(), Disconnected> {
        let data = data.as_ref();
        poll_fn(|cx| self.poll_write(cx, data)).await
    }

    /// Sets the fields that are sent behind the body when it has ended
    /// (RFC 9110, 6.5), in place of those that were set before. The head may
    /// announce them in `trailer`.
    ///
    /// They go out with chunks only, which is a body of unknown length to an
    /// HTTP/1.1 client, and are dropped otherwise. They are sent whether or
    /// not the client has said `te: trailers`; one that has not may ignore
    /// them, so nothing may depend on them (RFC 9110, 6.5.1).
    ///
    /// # Errors
    ///
    /// Refuses fields that [`Headers::check_trailers`] refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Body, Headers};
    ///
    /// let body = Body::stream(async |mut writer| {
    ///     writer.write("tick\n").await?;
    ///     let mut trailers = Headers::new();
    ///     trailers.append("server-timing", "total;dur=12")?;
    ///     writer.trailers(trailers)?;
    ///     Ok(())
    /// });
    /// # let _ = body;
    /// ```
    pub fn trailers(&mut self, trailers: Headers) -> Result<(), HeaderError> {
        trailers.check_trailers()?;
        self.0.0.borrow_mut().trailers = trailers;
        Ok(())
    }

    /// A second writer of the same body. What each writes at once stays
    /// together.
    pub(crate) fn duplicate(&self) -> BodyWriter {
        BodyWriter(Rc::clone(&self.0))
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<Result<(), Disconnected>> {
        if let Poll::Ready(written) = self.0.write(data) {
            return Poll::Ready(written);
        }
        self.0.note_writer(cx);
        // A foreign waker may have made room.
        self.0.write(data)
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter").finish_non_exhaustive()
    }
}

/// The client is gone, and takes no more of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnected;

impl fmt::Display for Disconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client is gone and takes no more of the body")
    }
}

impl std::error::Error for Disconnected {}

impl From<Disconnected> for io::Error {
    fn from(gone: Disconnected) -> Self {
        io::Error::new(io::ErrorKind::BrokenPipe, gone)
    }
}
