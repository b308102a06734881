//! From stream to stream: whole, in order, at the pace of the slower, with every end passed on.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use tourbillon::net::{AsyncRead, AsyncWrite, BufWriter, copy, copy_bidirectional};

use super::*;

/// A stream that hands out and takes pieces of given sizes, and makes the task wait in between.
pub(super) struct Pieces {
    pub(super) input: VecDeque<u8>,
    pub(super) output: Vec<u8>,
    pub(super) size: usize,
    waits: bool,
    pub(super) closed: u32,
}

impl Pieces {
    pub(super) fn new(input: &[u8], size: usize) -> Self {
        Pieces {
            input: input.iter().copied().collect(),
            output: Vec::new(),
            size,
            waits: false,
            closed: 0,
        }
    }

    /// Every second call has to wait.
    fn takes_turns(&mut self, cx: &Context<'_>) -> bool {
        self.waits = !self.waits;
        if self.waits {
            cx.waker().wake_by_ref();
        }
        self.waits
    }
}

impl AsyncRead for Pieces {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.takes_turns(cx) {
            return Poll::Pending;
        }
        let count = self.size.min(buf.len()).min(self.input.len());
        for (at, byte) in self.input.drain(..count).enumerate() {
            buf[at] = byte;
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes_turns(cx) {
            return Poll::Pending;
        }
        let count = self.size.min(buf.len());
        self.output.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.takes_turns(cx) {
            return Poll::Pending;
        }
        self.closed += 1;
        Poll::Ready(Ok(()))
    }
}

pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_copy_is_whole_whatever_the_pieces() {
    block_on(|| async {
        for len in [0, 1, 16_383, 16_384, 16_385, 50_000] {
            for (read, written) in [(1, 1), (1, 7), (7, 1), (16_384, 16_384), (99_999, 3)] {
                let mut from = Pieces::new(&pattern(len), read);
                let mut to = Pieces::new(b"", written);
                let count = copy(&mut from, &mut to).await.unwrap();
                assert_eq!(count, len as u64);
                assert!(
                    to.output == pattern(len),
                    "{len} bytes as {read}, {written}"
                );
                assert_eq!(to.closed, 0, "a copy closes nothing");
            }
        }
    });
}

#[test]
fn both_directions_are_copied_and_closed_once() {
    block_on(|| async {
        for (there, back) in [(0, 0), (1, 0), (0, 1), (40_000, 3), (3, 40_000)] {
            for size in [1, 16_384] {
                let mut a = Pieces::new(&pattern(there), size);
                let mut b = Pieces::new(&pattern(back), size);
                let counts = copy_bidirectional(&mut a, &mut b).await.unwrap();
                assert_eq!(counts, (there as u64, back as u64));
                assert!(b.output == pattern(there) && a.output == pattern(back));
                assert_eq!((a.closed, b.closed), (1, 1));
            }
        }
    });
}

/// Reads as much as it may, and writes all unless it is told to make the task wait; notes how
/// much each read might bring, and where to.
#[derive(Default)]
struct Eager {
    left: usize,
    reads: Vec<(usize, usize)>,
    taken: usize,
    stops_after: Option<usize>,
}

impl AsyncRead for Eager {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.reads.push((buf.len(), buf.as_ptr().addr()));
        let count = buf.len().min(self.left);
        buf[..count].fill(7);
        self.left -= count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Eager {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.stops_after.is_some_and(|limit| self.taken >= limit) {
            self.stops_after = None;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        assert!(buf.iter().all(|byte| *byte == 7), "of another stream");
        self.taken += buf.len();
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn reads_grow_while_all_is_taken_at_once_and_begin_again_when_not() {
    const KIB: usize = 1024;
    block_on(|| async {
        for (stops_after, expected) in [
            (None, [16, 32, 64, 128, 256, 256, 256, 256]),
            (Some(100 * KIB), [16, 32, 64, 128, 16, 32, 64, 128]),
        ] {
            let left = 5 << 20;
            let mut from = Eager {
                left,
                ..Eager::default()
            };
            let mut to = Eager {
                stops_after,
                ..Eager::default()
            };
            let count = copy(&mut from, &mut to).await.unwrap();
            assert_eq!((count as usize, to.taken), (left, left));
            let room: Vec<_> = from.reads.iter().map(|(len, _)| len / KIB).collect();
            assert_eq!(room[..expected.len()], expected);
        }
        // Less than it might bring is no reason to make room for more.
        let left = 10 * KIB;
        let mut from = Eager {
            left,
            ..Eager::default()
        };
        copy(&mut from, &mut Vec::new()).await.unwrap();
        assert!(from.reads.iter().all(|(len, _)| *len == 16 * KIB));
    });
}

/// Idle copies hold no buffer: those of one thread read to the same place.
#[test]
fn copies_share_what_they_read_into() {
    block_on(|| async {
        let mut places = Vec::new();
        for _ in 0..3 {
            let mut from = Eager {
                left: 1,
                ..Eager::default()
            };
            copy(&mut from, &mut Vec::new()).await.unwrap();
            places.extend(from.reads.iter().map(|(_, place)| *place));
        }
        assert_eq!(places.len(), 6);
        assert!(places.iter().all(|place| *place == places[0]));
    });
}

/// The writer takes nothing: the reader must not be read on.
#[test]
fn a_slow_writer_slows_the_reader_down() {
    block_on(|| async {
        let (mut source, mut feeding) = pair().await;
        let (mut stuck, _unread) = pair().await;
        let fed = Rc::new(Cell::new(0));
        let count = Rc::clone(&fed);
        spawn(async move {
            let block = [1; 4096];
            while let Ok(written) = feeding.write(&block).await {
                count.set(count.get() + written);
            }
        })
        .detach();
        spawn(async move { copy(&mut source, &mut stuck).await }).detach();
        // Both sockets fill up, and then nothing moves any more.
        let mut before = 0;
        while before == 0 || fed.get() > before {
            before = fed.get();
            sleep(MOMENT).await;
        }
        assert!(before < 64 << 20, "{before} bytes went somewhere");
    });
}

#[test]
fn what_came_goes_out_although_more_may_come() {
    block_on(|| async {
        let (mut source, mut feeding) = pair().await;
        let (target, mut peer) = pair().await;
        let copying = spawn(async move {
            let mut target = BufWriter::new(target);
            let count = copy(&mut source, &mut target).await;
            (count, target)
        });
        for round in 0..5_u8 {
            feeding.write_all(&[round; 3]).await.unwrap();
            let mut got = [0; 3];
            let read = timeout(PATIENCE, peer.read_exact(&mut got)).await;
            read.expect("it stays in the buffer").unwrap();
            assert_eq!(got, [round; 3]);
        }
        drop(feeding);
        let (count, target) = copying.await.unwrap();
        assert_eq!(count.unwrap(), 15);
        // Not closed.
        assert!(timeout(MOMENT, peer.read(&mut [0])).await.is_err());
        drop(target);
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_stream_that_never_waits_does_not_hold_the_loop() {
    struct Endless;
    impl AsyncRead for Endless {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
    }
    impl AsyncWrite for Endless {
        fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    block_on(|| async {
        let copying = spawn(async { copy(&mut Endless, &mut Endless).await });
        let both = spawn(async { copy_bidirectional(&mut Endless, &mut Endless).await });
        for _ in 0..5 {
            yield_now().await;
        }
        copying.abort();
        both.abort();
        assert!(copying.await.unwrap_err().is_aborted());
        assert!(both.await.unwrap_err().is_aborted());
    });
}

#[test]
fn a_writer_that_takes_no_more_is_an_error() {
    block_on(|| async {
        let mut full = Pieces::new(b"", 0);
        let error = copy(&mut &b"x"[..], &mut full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    });
}

/// A proxy between a client and a server: `front` and `back` are its two connections.
async fn proxied() -> (
    TcpStream,
    TcpStream,
    tourbillon::JoinHandle<io::Result<(u64, u64)>>,
) {
    let (client, mut front) = pair().await;
    let (mut back, server) = pair().await;
    let proxy = spawn(async move { copy_bidirectional(&mut front, &mut back).await });
    (client, server, proxy)
}

#[test]
fn a_proxy_passes_a_half_close_on_and_the_answer_back() {
    block_on(|| async {
        for client_first in [true, false] {
            let (client, server, proxy) = proxied().await;
            let (mut first, mut second) = match client_first {
                true => (client, server),
                false => (server, client),
            };
            first.write_all(b"question").await.unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            let mut got = Vec::new();
            let read = timeout(PATIENCE, copy(&mut second, &mut got)).await;
            read.expect("the end is not passed on").unwrap();
            assert_eq!(got, b"question");
            // The way back is open.
            second.write_all(b"answer").await.unwrap();
            let mut back = [0; 6];
            first.read_exact(&mut back).await.unwrap();
            assert_eq!(&back, b"answer");
            assert!(!proxy.is_finished());
            drop(second);
            assert_eq!(first.read(&mut back).await.unwrap(), 0);
            let counts = proxy.await.unwrap().unwrap();
            let expected = if client_first { (8, 6) } else { (6, 8) };
            assert_eq!(counts, expected);
        }
    });
}

#[test]
fn megabytes_pass_a_proxy_both_ways_at_once() {
    block_on(|| async {
        const LEN: usize = 5 << 20;
        let (client, server, proxy) = proxied().await;
        let mut done = Vec::new();
        for stream in [client, server] {
            let (mut reader, mut writer) = stream.into_split();
            let writing = spawn(async move { writer.write_all(&pattern(LEN)).await.unwrap() });
            let reading = spawn(async move {
                let mut got = Vec::new();
                copy(&mut reader, &mut got).await.unwrap();
                assert!(got == pattern(LEN), "{} bytes, not the same", got.len());
            });
            done.extend([writing, reading]);
        }
        for task in done {
            timeout(PATIENCE, task).await.expect("stuck").unwrap();
        }
        assert_eq!(proxy.await.unwrap().unwrap(), (LEN as u64, LEN as u64));
    });
}

#[test]
fn a_peer_that_resets_midway_ends_the_proxy_and_the_other_side_is_told() {
    block_on(|| async {
        for client_goes in [true, false] {
            let (client, server, proxy) = proxied().await;
            let (goes, mut stays) = match client_goes {
                true => (client, server),
                false => (server, client),
            };
            // So much that it is still on its way.
            let writing = spawn(async move {
                let end = stays.write_all(&vec![7; 32 << 20]).await;
                (end, stays)
            });
            sleep(MOMENT).await;
            assert!(!writing.is_finished());
            goes.set_linger(Some(Duration::ZERO)).unwrap();
            drop(goes);
            let end = timeout(PATIENCE, proxy).await.expect("it hangs").unwrap();
            let kind = end.unwrap_err().kind();
            assert!(
                matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
                "{kind:?}"
            );
            let (end, _stays) = timeout(PATIENCE, writing).await.unwrap().unwrap();
            end.unwrap_err();
        }
        assert_eq!(tourbillon::stats().sources, 0);
    });
}

/// Nothing waits in a copy whose writer takes all, so nothing is lost with it.
#[test]
fn giving_a_copy_up_leaves_both_streams_usable() {
    block_on(|| async {
        let (mut source, mut feeding) = pair().await;
        let (mut target, mut peer) = pair().await;
        for round in 0..20_u8 {
            feeding.write_all(&[round; 3]).await.unwrap();
            let reading = spawn(async move {
                let mut got = [0; 3];
                peer.read_exact(&mut got).await.unwrap();
                (peer, got)
            });
            while !reading.is_finished() {
                let limit = Duration::from_millis(1);
                if round % 2 == 0 {
                    let copying = copy(&mut source, &mut target);
                    timeout(limit, copying).await.unwrap_err();
                } else {
                    let copying = copy_bidirectional(&mut source, &mut target);
                    timeout(limit, copying).await.unwrap_err();
                }
            }
            let got;
            (peer, got) = reading.await.unwrap();
            assert_eq!(got, [round; 3]);
        }
    });
}
