//! From one stream to another, until the first has ended.

use crate::io::{AsyncRead, AsyncWrite};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

/// Bytes on their way, for each direction. HAProxy's number; tokio has 8 KiB.
const BUFFER: usize = 16 * 1024;

/// Buffers that one poll moves before others get their turn. Sockets have a
/// budget for that, but a stream in memory would never let go.
const BUFFERS_MAX: u32 = 64;

/// Copies from `reader` to `writer` until `reader` ends, flushes `writer`,
/// and gives the number of bytes. Neither is closed.
///
/// Holds 16 KiB, and reads no more before that is written: a slow writer slows
/// the reader down.
///
/// # Errors
///
/// The first error of either; `WriteZero` if `writer` takes no more.
///
/// # Cancellation
///
/// Up to 16 KiB that were read and not yet written are lost, and so is the
/// count.
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
/// Up to 16 KiB in each direction are lost, and so are the counts.
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

/// A buffer between a reader and a writer.
struct Pump {
    buf: Box<[u8]>,
    start: usize,
    end: usize,
    written: u64,
    has_ended: bool,
    needs_flush: bool,
}

impl Pump {
    fn new() -> Self {
        Pump {
            buf: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
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
        for _ in 0..BUFFERS_MAX {
            if !self.has_ended && self.poll_fill(cx, reader)?.is_pending() {
                // Nothing comes for a while: what came should go out.
                if self.needs_flush {
                    ready!(writer.poll_flush(cx))?;
                    self.needs_flush = false;
                }
                return Poll::Pending;
            }
            while self.start < self.end {
                match ready!(writer.poll_write(cx, &self.buf[self.start..self.end]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    count => {
                        self.start += count;
                        self.written += count as u64;
                        self.needs_flush = true;
                    }
                }
            }
            if self.has_ended {
                ready!(writer.poll_flush(cx))?;
                return Poll::Ready(Ok(self.written));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads, if all that was read before is written.
    fn poll_fill<R: AsyncRead + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
    ) -> Poll<io::Result<()>> {
        if self.start == self.end {
            let count = ready!(reader.poll_read(cx, &mut self.buf))?;
            (self.start, self.end) = (0, count);
            self.has_ended = count == 0;
        }
        Poll::Ready(Ok(()))
    }
}
