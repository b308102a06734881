//! From one stream to another, until the first has ended.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use crate::io::scratch::{self, SCRATCH_BYTES};
use crate::io::{AsyncRead, AsyncWrite};

/// What the first read may bring, and each after one that `writer` made wait:
/// HAProxy's buffer. A read that brings all it may lets the next bring twice
/// as much.
const ROOM_MIN: usize = 16 * 1024;

/// What one poll moves before others get their turn. Sockets have a budget
/// for that, but a stream in memory would never let go.
const MOVED_MAX: usize = 64 * ROOM_MIN;

/// Copies from `reader` to `writer` until `reader` ends, flushes `writer`,
/// and gives the number of bytes. Neither is closed.
///
/// Reads into memory that all of a thread share, 16 KiB at first and up to
/// 256 KiB while `writer` takes it all at once. So it holds nothing but what
/// `writer` has not taken of one read, and reads no more before that is written:
/// a slow writer slows the reader down.
///
/// # Errors
///
/// The first error of either; `WriteZero` if `writer` takes no more.
///
/// # Cancellation
///
/// What was read and not yet written, up to 256 KiB, is lost, and so is the
/// count. While `writer` takes all that comes, that is nothing.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tourbillon::net::{TcpListener, TcpStream, copy};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut listener = TcpListener::bind("127.0.0.1:0")?;
///     let mut client = TcpStream::connect(listener.local_addr()?).await?;
///     let (mut echo, _) = listener.accept().await?;
///     let echo = tourbillon::spawn(async move {
///         let (mut reader, mut writer) = echo.split();
///         copy(&mut reader, &mut writer).await
///     });
///     client.write_all(b"tick").await?;
///     client.shutdown(std::net::Shutdown::Write)?;
///     let mut back = Vec::new();
///     copy(&mut client, &mut back).await?;
///     assert_eq!(back, b"tick");
///     assert_eq!(echo.await??, 4);
///     Ok(())
/// })
/// # }
/// ```
pub async fn copy<R, W>(reader: &mut R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncRead + ?Sized,
    W: AsyncWrite + ?Sized,
{
    let mut pump = Pump::new();
    poll_fn(|cx| pump.poll(cx, reader, writer)).await
}

/// Copies in both directions at once until both have ended, and gives the
/// bytes from `a` to `b` and those from `b` to `a`.
///
/// When one stream ends, the other is told by closing its writing direction,
/// while the way back stays open: a half-close is passed on.
///
/// # Errors
///
/// The first error of either, which ends both directions; what was on its way
/// in the other one is lost.
///
/// # Cancellation
///
/// As [`copy`], in each direction.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::net::Shutdown;
/// use tourbillon::net::{TcpListener, TcpStream, copy_bidirectional};
///
/// let mut rt = tourbillon::Runtime::new()?;
/// rt.block_on(async {
///     let mut service = TcpListener::bind("127.0.0.1:0")?;
///     let mut proxy = TcpListener::bind("127.0.0.1:0")?;
///     let behind = service.local_addr()?;
///     let mut client = TcpStream::connect(proxy.local_addr()?).await?;
///     let (mut front, _) = proxy.accept().await?;
///     let proxied = tourbillon::spawn(async move {
///         let mut back = TcpStream::connect(behind).await?;
///         copy_bidirectional(&mut front, &mut back).await
///     });
///     client.write_all(b"question").await?;
///     client.shutdown(Shutdown::Write)?;
///     let (mut server, _) = service.accept().await?;
///     server.read_exact(&mut [0; 8]).await?;
///     server.write_all(b"answer").await?;
///     drop(server);
///     client.read_exact(&mut [0; 6]).await?;
///     assert_eq!(proxied.await??, (8, 6));
///     Ok(())
/// })
/// # }
/// ```
pub async fn copy_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + ?Sized,
    B: AsyncRead + AsyncWrite + ?Sized,
{
    let (mut there, mut back) = (Way::Copies(Pump::new()), Way::Copies(Pump::new()));
    poll_fn(|cx| {
        let there = there.poll(cx, a, b)?;
        let back = back.poll(cx, b, a)?;
        match (there, back) {
            (Poll::Ready(there), Poll::Ready(back)) => Poll::Ready(Ok((there, back))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// One of two directions.
enum Way {
    Copies(Pump),
    Closes(u64),
    Closed(u64),
}

impl Way {
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        loop {
            *self = match self {
                Way::Copies(pump) => Way::Closes(ready!(pump.poll(cx, reader, writer))?),
                Way::Closes(total) => {
                    ready!(writer.poll_close(cx))?;
                    Way::Closed(*total)
                }
                Way::Closed(total) => return Poll::Ready(Ok(*total)),
            };
        }
    }
}

/// From a reader to a writer.
struct Pump {
    /// What was read and could not be written, and how much of it is by now.
    kept: Box<[u8]>,
    kept_start: usize,
    /// What the next read may bring.
    room: usize,
    written: u64,
    has_ended: bool,
    needs_flush: bool,
}

impl Pump {
    fn new() -> Self {
        Pump {
            kept: Box::default(),
            kept_start: 0,
            room: ROOM_MIN,
            written: 0,
            has_ended: false,
            needs_flush: false,
        }
    }

    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        ready!(self.poll_kept(cx, writer))?;
        let mut scratch = scratch::take();
        let polled = self.poll_through(&mut scratch, cx, reader, writer);
        scratch::give(scratch);
        polled
    }

    /// Writes what could not be written before.
    fn poll_kept<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + ?Sized,
    {
        while self.kept_start < self.kept.len() {
            let Poll::Ready(count) = poll_some(&self.kept[self.kept_start..], cx, writer) else {
                if self.kept_start > self.kept.len() / 2 {
                    self.kept = Box::from(&self.kept[self.kept_start..]);
                    self.kept_start = 0;
                }
                return Poll::Pending;
            };
            let count = count?;
            self.kept_start += count;
            self.written += count as u64;
            self.needs_flush = true;
        }
        (self.kept, self.kept_start) = (Box::default(), 0);
        Poll::Ready(Ok(()))
    }

    /// Reads and writes until one of both must wait. Nothing is kept when
    /// this is called.
    fn poll_through<R, W>(
        &mut self,
        scratch: &mut [u8],
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        let mut moved = 0;
        while !self.has_ended {
            if moved >= MOVED_MAX {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let room = &mut scratch[..self.room];
            let Poll::Ready(read) = reader.poll_read(cx, room) else {
                // Nothing comes for a while: what came should go out.
                if self.needs_flush {
                    ready!(writer.poll_flush(cx))?;
                    self.needs_flush = false;
                }
                return Poll::Pending;
            };
            let count = read?;
            self.has_ended = count == 0;
            let mut rest = &room[..count];
            while !rest.is_empty() {
                let Poll::Ready(written) = poll_some(rest, cx, writer) else {
                    self.kept = Box::from(rest);
                    self.room = ROOM_MIN;
                    return Poll::Pending;
                };
                let written = written?;
                rest = &rest[written..];
                self.written += written as u64;
                self.needs_flush = true;
            }
            if count == self.room {
                self.room = (self.room * 2).min(SCRATCH_BYTES);
            }
            // Of small pieces there may be as many as of full ones.
            moved += count.max(ROOM_MIN);
        }
        ready!(writer.poll_flush(cx))?;
        Poll::Ready(Ok(self.written))
    }
}

/// Writes something of these bytes.
fn poll_some<W>(bytes: &[u8], cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<usize>>
where
    W: AsyncWrite + ?Sized,
{
    match ready!(writer.poll_write(cx, bytes))? {
        0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        count => Poll::Ready(Ok(count)),
    }
}
