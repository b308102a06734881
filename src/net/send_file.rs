//! A file into a connection, by the shortest way there is.
//!
//! ```text
//!   sendfile(2)      file ──────────────────────────────────▶ socket
//!   refused          file ──▶ a thread of the pool ──▶ loop ──▶ socket
//! ```
//!
//! Not every file can take the short way: pipes, some file systems and some
//! devices cannot. The long way costs two copies and a hand-over a piece.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::pool_job::PoolJob;
use super::stream::TcpStream;
use super::unix_stream::UnixStream;
use crate::blocking::Lane;
use crate::reactor::{Direction, EventSource};
use crate::runtime::Registered;
use crate::sys;

/// Most that one call sends from a file: what a disk reads in a millisecond
/// or ten, and asyncio's number.
const SEND_MAX: usize = 256 * 1024;

/// Bytes from a file that count as one operation of a poll's budget, so that
/// a full budget is 2 MiB and not 32.
const SEND_PER_OPERATION: usize = 16 * 1024;

/// Bytes that one job reads.
const PIECE: u64 = 64 * 1024;

/// Sends `len` bytes of `file`, from `offset` on, and gives their number.
/// The file's own position stays where it is.
///
/// The kernel copies from its page cache to the socket (sendfile(2)), at most
/// 256 KiB a call. Pages that are not in the cache are read from the disk
/// meanwhile, and the loop waits for that: send from a slow disk or a network
/// file system only after reading ahead. Where the kernel does not do it,
/// threads of the blocking pool read the file, 64 KiB at a time, and the
/// loop does not wait. A pipe has no offset but 0.
///
/// # Errors
///
/// `UnexpectedEof` if the file ends too soon, as one that was cut short since
/// its size was asked for; the message has both numbers, and what there was
/// has been sent. `InvalidInput` if `offset + len` is more than a file can
/// have. Else what sendfile(2), read(2) or send(2) says. A broken connection is
/// an error, never a signal.
///
/// # Cancellation
///
/// Some of the file may have been sent, and how much is lost. A piece that is
/// being read from a pipe on the pool is lost, too.
///
/// # Panics
///
/// When the file has to be read and no runtime is entered on this thread.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::fs::File;
/// use tourbillon::net::{TcpListener, TcpStream, send_file};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut listener = TcpListener::bind("127.0.0.1:0")?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut server, _) = listener.accept().await?;
///
///     let file = File::open("Cargo.toml")?;
///     let len = file.metadata()?.len();
///     assert_eq!(send_file(&mut server, &file, 0, len).await?, len);
///
///     let mut got = vec![0; len as usize];
///     client.read_exact(&mut got).await?;
///     assert_eq!(got, std::fs::read("Cargo.toml")?);
///     Ok(())
/// })
/// # }
/// ```
pub async fn send_file(
    stream: &mut TcpStream,
    file: &File,
    offset: u64,
    len: u64,
) -> io::Result<u64> {
    if offset.checked_add(len).is_none() {
        let text = format!("no file has {len} bytes from {offset} on");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut sent = 0;
    while sent < len {
        let part = poll_fn(|cx| stream.poll_send_file(cx, file, offset + sent, len - sent));
        match part.await {
            Ok(0) => return Err(ended_early(sent, len)),
            Ok(count) => sent += count as u64,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return read_and_write(stream, file, offset, len, sent).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

impl TcpStream {
    /// Polls for sending a part of `file`, from `offset` on, as
    /// [`send_file`](super::send_file) does: at most `len` bytes, and at most
    /// 256 KiB, by one call of sendfile(2). Zero means that the file ends at
    /// `offset` (or that `len` is zero).
    ///
    /// What is not in the page cache is read from the disk meanwhile, and the
    /// loop waits for it; hence the bound. A large part takes more of the
    /// poll's budget than a small one.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the kernel does not send from such a file: read and
    /// write it. Else what sendfile(2) says. A broken connection is an error,
    /// never a signal.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// # use tourbillon::net::{TcpListener, TcpStream};
    /// use std::{fs::File, future::poll_fn};
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// # let mut listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let mut client = TcpStream::connect(listener.local_addr()?).await?;
    /// # let (mut server, _) = listener.accept().await?;
    /// let file = File::open("Cargo.toml")?;
    /// let count = poll_fn(|cx| client.poll_send_file(cx, &file, 0, 9)).await?;
    /// let mut buf = [0; 9];
    /// server.read_exact(&mut buf[..count]).await?;
    /// assert!(b"[package]".starts_with(&buf[..count]));
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<usize>> {
        poll_part(&self.0, cx, len, |io, len| {
            io.try_io(|| sys::send_file(io.as_fd(), file.as_fd(), offset, len))
        })
    }
}

impl UnixStream {
    /// Polls for sending a part of `file`, as
    /// [`TcpStream::poll_send_file`] does.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the kernel does not send from such a file, or not to
    /// Unix sockets (macOS): read and write it. Else what sendfile(2) says.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use std::{fs::File, future::poll_fn, io::ErrorKind};
    /// use tourbillon::net::UnixStream;
    ///
    /// # tourbillon::Runtime::new()?.block_on(async {
    /// let (mut one, mut other) = UnixStream::pair()?;
    /// let file = File::open("Cargo.toml")?;
    /// match poll_fn(|cx| one.poll_send_file(cx, &file, 0, 9)).await {
    ///     Ok(count) => {
    ///         let mut buf = [0; 9];
    ///         other.read_exact(&mut buf[..count]).await?;
    ///         assert!(b"[package]".starts_with(&buf[..count]));
    ///     }
    ///     Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
    /// }
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Poll<io::Result<usize>> {
        poll_part(&self.0, cx, len, |io, len| {
            sys::send_file(io.as_fd(), file.as_fd(), offset, len)
        })
    }
}

fn poll_part<S: EventSource>(
    io: &Registered<S>,
    cx: &Context<'_>,
    len: u64,
    send: impl Fn(&S, usize) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(SEND_MAX);
    // A short count may be the end of the file, with the socket as ready
    // as before: so this is no `poll_move`, and only a call that would
    // block says that the socket is full.
    let sent = ready!(io.poll_io(cx, Direction::Write, |io| send(io, len)))?;
    for _ in 0..sent / SEND_PER_OPERATION {
        io.parts().spend();
    }
    Poll::Ready(Ok(sent))
}

fn ended_early(sent: u64, len: u64) -> io::Error {
    let text = format!("the file ended after {sent} of {len} bytes that were to be sent");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

/// The long way; `sent` bytes have gone the short one.
pub(super) async fn read_and_write(
    stream: &mut TcpStream,
    file: &File,
    offset: u64,
    len: u64,
    mut sent: u64,
) -> io::Result<u64> {
    // A job may outlive the future, and needs a descriptor of its own.
    let file = Arc::new(file.try_clone()?);
    let mut piece = Vec::new();
    while sent < len {
        let (file, at) = (Arc::clone(&file), offset + sent);
        piece.resize(PIECE.min(len - sent) as usize, 0);
        let job = move || {
            let count = read_at(&file, &mut piece, at, sent);
            (count, piece)
        };
        let read = PoolJob::submit(Lane::Normal, job).await;
        let (count, back) = read.map_err(|error| {
            io::Error::other(format!("reading the file to be sent did not run: {error}"))
        })?;
        piece = back;
        match count? {
            0 => return Err(ended_early(sent, len)),
            count => {
                stream.write_all(&piece[..count]).await?;
                sent += count as u64;
            }
        }
    }
    Ok(sent)
}

/// Reads at a place in a file, or what comes next in a pipe if that is it.
fn read_at(mut file: &File, buf: &mut [u8], at: u64, read_so_far: u64) -> io::Result<usize> {
    loop {
        let result = match file.read_at(buf, at) {
            Err(error) if error.kind() == io::ErrorKind::NotSeekable && at == read_so_far => {
                file.read(buf)
            }
            result => result,
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
