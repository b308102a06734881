//! The body of a response in pieces, for what changes it on its way.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::task::{Context, Poll};

use super::body::{Body, Kind, Stream};
use crate::http::{BodyLength, Headers};

/// The pieces of a body; made by [`Body::into_pieces`].
pub struct Pieces {
    source: Source,
    /// What is still to come of a stream whose length was said.
    left: Option<u64>,
    trailers: Headers,
}

enum Source {
    Bytes(Cow<'static, [u8]>),
    Stream(Stream),
    End,
}

impl Body {
    /// Takes it apart. A stream is made while its pieces are asked for.
    ///
    /// # Errors
    ///
    /// The body as it was, if it has no pieces: there is none, or it is sent
    /// by other means.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{Body, BodyWriter};
    ///
    /// /// A body in capitals.
    /// fn loud(body: Body) -> Body {
    ///     match body.into_pieces() {
    ///         Err(body) => body,
    ///         Ok(mut pieces) => Body::stream(async move |mut writer: BodyWriter| {
    ///             while let Some(mut piece) = pieces.next().await? {
    ///                 piece.make_ascii_uppercase();
    ///                 writer.write(piece).await?;
    ///             }
    ///             Ok(())
    ///         }),
    ///     }
    /// }
    /// # let _ = loud(Body::empty());
    /// ```
    pub fn into_pieces(self) -> Result<Pieces, Body> {
        match self.0 {
            Kind::Bytes(bytes) => Ok(Pieces::of(Source::Bytes(bytes), None)),
            Kind::Stream(stream) => {
                let left = match stream.length {
                    BodyLength::Known(length) => Some(length),
                    _ => None,
                };
                Ok(Pieces::of(Source::Stream(stream), left))
            }
            other => Err(Body(other)),
        }
    }
}

impl Pieces {
    fn of(source: Source, left: Option<u64>) -> Self {
        Pieces {
            source,
            left,
            trailers: Headers::new(),
        }
    }

    /// Waits for the next piece; `None` is the end.
    ///
    /// # Errors
    ///
    /// What the maker of a stream gives up with; `InvalidData` if it makes
    /// more or less than it said.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Takes the fields that come behind the body (RFC 9110, 6.5). They are
    /// there when [`next`](Self::next) has given the last piece or the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::server::{BodyWriter, Pieces};
    ///
    /// async fn pass_on(mut pieces: Pieces, mut writer: BodyWriter) -> std::io::Result<()> {
    ///     while let Some(piece) = pieces.next().await? {
    ///         writer.write(piece).await?;
    ///     }
    ///     writer.trailers(pieces.take_trailers())?;
    ///     Ok(())
    /// }
    /// # let _ = pass_on;
    /// ```
    pub fn take_trailers(&mut self) -> Headers {
        mem::take(&mut self.trailers)
    }

    /// Counts what has come of a stream against what was said.
    fn count(&mut self, piece: &[u8], is_end: bool) -> io::Result<()> {
        let Some(left) = &mut self.left else {
            return Ok(());
        };
        let rest = left.checked_sub(piece.len() as u64);
        *left = rest.unwrap_or(0);
        match rest {
            Some(rest) if rest == 0 || !is_end => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the body has another length than was said",
            )),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        match mem::replace(&mut self.source, Source::End) {
            Source::End => Poll::Ready(Ok(None)),
            Source::Bytes(bytes) => Poll::Ready(Ok(Some(bytes.into_owned()))),
            Source::Stream(mut stream) => {
                let made = stream.poll_making(cx);
                let piece = stream.slot.take(Vec::new(), cx);
                if let Poll::Ready(Err(error)) = made {
                    return Poll::Ready(Err(error));
                }
                self.count(&piece, made.is_ready())?;
                match made {
                    Poll::Pending => self.source = Source::Stream(stream),
                    _ => self.trailers = stream.slot.take_trailers(),
                }
                match (made.is_pending(), piece.is_empty()) {
                    (_, false) => Poll::Ready(Ok(Some(piece))),
                    (true, true) => Poll::Pending,
                    (false, true) => Poll::Ready(Ok(None)),
                }
            }
        }
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces")
            .field("has_ended", &matches!(self.source, Source::End))
            .finish()
    }
}
