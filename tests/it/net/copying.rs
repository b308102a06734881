//! From stream to stream: whole, in order, at the pace of the slower, with every end passed on.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
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
/// much each read might bring.
#[derive(Default)]
struct Eager {
    left: usize,
    reads: Vec<usize>,
    taken: usize,
    stops_after: Option<usize>,
}

impl AsyncRead for Eager {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.reads.push(buf.len());
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
            let room: Vec<_> = from.reads.iter().map(|len| len / KIB).collect();
            assert_eq!(room[..expected.len()], expected);
        }
        // Less than it might bring is no reason to make room for more.
        let left = 10 * KIB;
        let mut from = Eager {
            left,
            ..Eager::default()
        };
        copy(&mut from, &mut Vec::new()).await.unwrap();
        assert!(from.reads.iter().all(|len| *len == 16 * KIB));
    });
}

/// Idle copies hold no buffer: those that wait read to the same place.
#[test]
fn copies_that_wait_share_what_they_read_into() {
    struct Waits(bool, u32, Rc<RefCell<Vec<usize>>>);
    impl AsyncRead for Waits {
        fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.2.borrow_mut().push(buf.as_ptr().addr());
            self.0 = !self.0;
            if self.0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.1 -= 1;
            Poll::Ready(Ok(self.1.min(1) as usize))
        }
    }
    block_on(|| async {
        let places = Rc::new(RefCell::new(Vec::new()));
        let begin = |_| {
            let mut from = Waits(false, 4, Rc::clone(&places));
            spawn(async move { copy(&mut from, &mut Vec::new()).await.unwrap() })
        };
        let copies = [(); 3].map(begin);
        for copy in copies {
            assert_eq!(copy.await.unwrap(), 3);
        }
        let places = places.borrow();
        assert_eq!(places.len(), 24);
        assert!(places.iter().all(|place| *place == places[0]));
    });
}

/// What it claims beyond its buffer would be the bytes of another stream.
#[test]
fn a_reader_that_claims_more_than_it_could_read_is_not_believed() {
    struct Liar;
    impl AsyncRead for Liar {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len() + 1))
        }
    }
    block_on(|| async {
        let copying = spawn(async { copy(&mut Liar, &mut Vec::new()).await });
        assert!(copying.await.unwrap_err().is_panic());
    });
}

/// Takes what its script says, where 0 is to wait, and then all; notes what was flushed.
#[derive(Default)]
struct Scripted {
    script: VecDeque<usize>,
    output: Vec<u8>,
    flushed: usize,
}

impl AsyncWrite for Scripted {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let most = self.script.pop_front().unwrap_or(usize::MAX);
        if most == 0 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = most.min(buf.len());
        self.output.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed = self.output.len();
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn what_a_writer_left_goes_out_once_and_is_flushed_although_more_may_come() {
    /// Gives what it has, and then waits for ever.
    struct Then(VecDeque<u8>);
    impl AsyncRead for Then {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            match io::Read::read(&mut self.0, buf)? {
                0 => Poll::Pending,
                count => Poll::Ready(Ok(count)),
            }
        }
    }
    block_on(|| async {
        for (len, script) in [
            (100_000, &[0, 0, 1][..]),
            (100_000, &[5, 0, 7]),
            (100_000, &[16_384, 9, 0]),
            (100_000, &[10, 0, 1, 0, 9_000, 0, 0, 7_000, 0, 100, 0]),
            (100, &[0]),
            (100, &[1, 0, 60, 0]),
        ] {
            let script = script.iter().copied().collect();
            let mut to = Scripted {
                script,
                ..Scripted::default()
            };
            let mut from = Then(pattern(len).into());
            timeout(MOMENT, copy(&mut from, &mut to)).await.unwrap_err();
            assert!(to.output == pattern(len), "{} of {len}", to.output.len());
            assert_eq!(to.flushed, len);
        }
    });
}

#[test]
fn small_pieces_that_never_wait_do_not_hold_the_loop() {
    struct Bytewise(Rc<Cell<usize>>);
    impl AsyncRead for Bytewise {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            self.0.set(self.0.get() + 1);
            Poll::Ready(Ok(1))
        }
    }
    block_on(|| async {
        let reads = Rc::new(Cell::new(0));
        let (mut from, mut to) = (Bytewise(Rc::clone(&reads)), Vec::new());
        let mut copying = pin!(copy(&mut from, &mut to));
        let polled = poll_fn(|cx| Poll::Ready(copying.as_mut().poll(cx).is_ready())).await;
        assert!(!polled && reads.get() <= 64, "{} reads", reads.get());
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
