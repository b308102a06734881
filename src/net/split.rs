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
#[derive(Debug)]
pub struct ReadHalf<'a, S: Duplex = TcpStream>(&'a S);

/// The writing half of a borrowed [`TcpStream`], or of another stream `S`.
#[derive(Debug)]
pub struct WriteHalf<'a, S: Duplex = TcpStream>(&'a S);

/// The reading half of a [`TcpStream`], or of another stream `S`.
#[derive(Debug)]
pub struct OwnedReadHalf<S: Duplex = TcpStream>(Rc<S>);

/// The writing half of a [`TcpStream`], or of another stream `S`. Dropping it
/// closes that direction, so that the peer reads an end.
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
