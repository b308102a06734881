//! The two directions of a connection, apart: the same four halves for every
//! kind of stream.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::duplex::{self, Duplex};
use super::stream::TcpStream;
use crate::io::{AsyncRead, AsyncWrite};

pub(super) fn borrowed<S: Duplex>(stream: &S) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn owned<S: Duplex>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Rc::new(stream);
    (OwnedReadHalf(Rc::clone(&stream)), OwnedWriteHalf(stream))
}

/// Tells the peer that no more will come; one that is gone need not be told.
pub(super) fn close_write(stream: &impl Duplex) -> io::Result<()> {
    match stream.close(Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

/// The reading half of a borrowed [`TcpStream`], or of another stream `S`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::UnixStream;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (mut ours, mut theirs) = UnixStream::pair()?;
/// theirs.write_all(b"tick, tack").await?;
/// let (mut reader, _writer) = ours.split();
/// let mut buf = [0; 4];
/// reader.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"tick");
/// assert_eq!(reader.read(&mut [0; 64]).await?, 6);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct ReadHalf<'a, S: Duplex = TcpStream>(&'a S);

/// The writing half of a borrowed [`TcpStream`], or of another stream `S`.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::IoSlice;
/// use tourbillon::net::UnixStream;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (mut ours, mut theirs) = UnixStream::pair()?;
/// let (_reader, mut writer) = ours.split();
/// writer.write_all(b"one ").await?;
/// assert_eq!(writer.write(b"two ").await?, 4);
/// assert_eq!(writer.write_vectored(&[IoSlice::new(b"three")]).await?, 5);
/// writer.shutdown()?; // so that reading has an end
/// let mut sent = Vec::new();
/// tourbillon::net::copy(&mut theirs, &mut sent).await?;
/// assert_eq!(sent, b"one two three");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct WriteHalf<'a, S: Duplex = TcpStream>(&'a S);

/// The reading half of a [`TcpStream`], or of another stream `S`.
///
/// # Examples
///
/// For a task of its own:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::UnixStream;
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let (mut reader, _writer) = ours.into_split();
/// let task = tourbillon::spawn(async move {
///     let mut size = [0; 1];
///     reader.read_exact(&mut size).await?;
///     reader.read(&mut vec![0; usize::from(size[0])]).await
/// });
/// theirs.write_all(&[4, 1, 2, 3, 4]).await?;
/// assert_eq!(task.await.unwrap()?, 4);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct OwnedReadHalf<S: Duplex = TcpStream>(Rc<S>);

/// The writing half of a [`TcpStream`], or of another stream `S`. Dropping it
/// closes that direction, so that the peer reads an end.
///
/// # Examples
///
/// The peer reads an end when the task has ended:
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::io::IoSlice;
/// use tourbillon::net::{UnixStream, copy};
///
/// # tourbillon::Runtime::new()?.block_on(async {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// let (_reader, mut writer) = ours.into_split();
/// tourbillon::spawn(async move {
///     writer.write_all(b"one ").await?;
///     writer.write(b"two ").await?;
///     writer.write_vectored(&[IoSlice::new(b"three")]).await
/// })
/// .detach();
/// let mut sent = Vec::new();
/// copy(&mut theirs, &mut sent).await?;
/// assert_eq!(sent, b"one two three");
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct OwnedWriteHalf<S: Duplex = TcpStream>(Rc<S>);

impl<S: Duplex> ReadHalf<'_, S> {
    /// Reads what has arrived; see [`TcpStream::read`].
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        duplex::read(self.0, buf).await
    }

    /// Fills `buf`; see [`TcpStream::read_exact`].
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the peer closes first; else what recv(2) says.
    ///
    /// # Cancellation
    ///
    /// Bytes read so far are in `buf`, but how many is lost.
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        duplex::read_exact(self.0, buf).await
    }
}

impl<S: Duplex> WriteHalf<'_, S> {
    /// Writes as much of `buf` as fits; see [`TcpStream::write`].
    ///
    /// # Errors
    ///
    /// What send(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        duplex::write(self.0, buf).await
    }

    /// Writes all of `buf`; see [`TcpStream::write_all`].
    ///
    /// # Errors
    ///
    /// What send(2) says.
    ///
    /// # Cancellation
    ///
    /// Some of `buf` may have been written, and how much is lost.
    pub async fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        duplex::write_all(self.0, buf).await
    }

    /// Writes from several buffers; see [`TcpStream::write_vectored`].
    ///
    /// # Errors
    ///
    /// What writev(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        duplex::write_vectored(self.0, bufs).await
    }

    /// Tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the peer has reset the connection.
    pub fn shutdown(&self) -> io::Result<()> {
        self.0.close(Shutdown::Write)
    }
}

impl<S: Duplex> OwnedReadHalf<S> {
    /// Reads what has arrived; see [`TcpStream::read`].
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    pub async fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        duplex::read(&*self.0, buf).await
    }

    /// Fills `buf`; see [`TcpStream::read_exact`].
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the peer closes first; else what recv(2) says.
    ///
    /// # Cancellation
    ///
    /// Bytes read so far are in `buf`, but how many is lost.
    pub async fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        duplex::read_exact(&*self.0, buf).await
    }
}

impl<S: Duplex> OwnedWriteHalf<S> {
    /// Writes as much of `buf` as fits; see [`TcpStream::write`].
    ///
    /// # Errors
    ///
    /// What send(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        duplex::write(&*self.0, buf).await
    }

    /// Writes all of `buf`; see [`TcpStream::write_all`].
    ///
    /// # Errors
    ///
    /// What send(2) says.
    ///
    /// # Cancellation
    ///
    /// Some of `buf` may have been written, and how much is lost.
    pub async fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        duplex::write_all(&*self.0, buf).await
    }

    /// Writes from several buffers; see [`TcpStream::write_vectored`].
    ///
    /// # Errors
    ///
    /// What writev(2) says.
    ///
    /// # Cancellation
    ///
    /// Dropping the future before it is ready has written nothing.
    pub async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        duplex::write_vectored(&*self.0, bufs).await
    }
}

impl<S: Duplex> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        // The peer may have closed already; then there is nobody to tell.
        let _ = self.0.close(Shutdown::Write);
    }
}

impl<S: Duplex> AsyncRead for ReadHalf<'_, S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, buf)
    }
}

impl<S: Duplex> AsyncRead for OwnedReadHalf<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, buf)
    }
}

impl<S: Duplex> AsyncWrite for WriteHalf<'_, S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_vectored(cx, bufs)
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(close_write(self.0))
    }
}

impl<S: Duplex> AsyncWrite for OwnedWriteHalf<S> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send_vectored(cx, bufs)
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(close_write(&*self.0))
    }
}
