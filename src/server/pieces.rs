//! The body of a response in pieces, for what changes it on its way.

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem;
use std::task::{Context, Poll};

use super::body::{Body, Kind, Stream};

/// The pieces of a body; made by [`Body::into_pieces`].
pub struct Pieces(Source);

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
            Kind::Bytes(bytes) => Ok(Pieces(Source::Bytes(bytes))),
            Kind::Stream(stream) => Ok(Pieces(Source::Stream(stream))),
            other => Err(Body(other)),
        }
    }
}

impl Pieces {
    /// Waits for the next piece; `None` is the end.
    ///
    /// # Errors
    ///
    /// What the maker of a stream gives up with.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Vec<u8>>>> {
        match mem::replace(&mut self.0, Source::End) {
            Source::End => Poll::Ready(Ok(None)),
            Source::Bytes(bytes) => Poll::Ready(Ok(Some(bytes.into_owned()))),
            Source::Stream(mut stream) => {
                let made = stream.poll_making(cx);
                let piece = stream.slot.take(Vec::new(), cx);
                match made {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Ready(Ok(())) => {}
                    Poll::Pending => self.0 = Source::Stream(stream),
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
            .field("has_ended", &matches!(self.0, Source::End))
            .finish()
    }
}
