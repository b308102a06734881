//! The two directions of a connection, apart.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::async_io::{AsyncRead, AsyncWrite};
use super::stream::TcpStream;

pub(super) fn borrowed(stream: &TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn owned(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Rc::new(stream);
    (OwnedReadHalf(Rc::clone(&stream)), OwnedWriteHalf(stream))
}

pub(super) async fn read_exact(stream: &TcpStream, buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        match poll_fn(|cx| stream.poll_recv(cx, &mut buf[filled..])).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}

pub(super) async fn write_all(stream: &TcpStream, mut buf: &[u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match poll_fn(|cx| stream.poll_send(cx, buf)).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => buf = &buf[count..],
        }
    }
    Ok(())
}

/// Tells the peer that no more will come; one that is gone need not be told.
pub(super) fn close_write(stream: &TcpStream) -> io::Result<()> {
    match stream.shutdown(Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

/// The reading half of a borrowed [`TcpStream`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of a borrowed [`TcpStream`].
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading half of a [`TcpStream`].
#[derive(Debug)]
pub struct OwnedReadHalf(Rc<TcpStream>);

/// The writing half of a [`TcpStream`]. Dropping it closes that direction,
/// so that the peer reads an end.
#[derive(Debug)]
pub struct OwnedWriteHalf(Rc<TcpStream>);

impl ReadHalf<'_> {
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
        poll_fn(|cx| self.0.poll_recv(cx, buf)).await
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
        read_exact(self.0, buf).await
    }
}

impl WriteHalf<'_> {
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
        poll_fn(|cx| self.0.poll_send(cx, buf)).await
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
        write_all(self.0, buf).await
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
        poll_fn(|cx| self.0.poll_send_vectored(cx, bufs)).await
    }

    /// Tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the peer has reset the connection.
    pub fn shutdown(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl OwnedReadHalf {
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
        ReadHalf(&self.0).read(buf).await
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
        read_exact(&self.0, buf).await
    }
}

impl OwnedWriteHalf {
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
        WriteHalf(&self.0).write(buf).await
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
        write_all(&self.0, buf).await
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
        WriteHalf(&self.0).write_vectored(bufs).await
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        // The peer may have closed already; then there is nobody to tell.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

impl AsyncRead for ReadHalf<'_> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, buf)
    }
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, buf)
    }
}

impl AsyncWrite for WriteHalf<'_> {
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

impl AsyncWrite for OwnedWriteHalf {
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
        Poll::Ready(close_write(&self.0))
    }
}
