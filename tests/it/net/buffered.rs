//! Lines and lengths out of a buffer: cut everywhere, limited, given up and gone on with.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tourbillon::net::{AsyncRead, BufReader, BufWriter, copy};

use super::copying::{Pieces, pattern};
use super::*;
use crate::support::Dice;

const TEXT: &str = "one\r\ntwo\n\n\r\nfive \u{1F552} o'clock\nsix\rstill six\r\nseven";
const LINES: [&str; 7] = [
    "one",
    "two",
    "",
    "",
    "five \u{1F552} o'clock",
    "six\rstill six",
    "seven",
];

/// Polls `future` and drops it after at most `polls`.
fn give_up_after<F: Future>(polls: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
    }
    None
}

#[test]
fn lines_are_the_same_wherever_they_are_cut() {
    block_on(|| async {
        for size in 1..=TEXT.len() {
            for capacity in [1, 2, 3, 8, 8192] {
                let pieces = Pieces::new(TEXT.as_bytes(), size);
                let mut reader = BufReader::with_capacity(capacity, pieces);
                let mut lines = reader.lines(30);
                for expected in LINES {
                    let line = lines.next_line().await.unwrap();
                    assert_eq!(line, Some(expected), "pieces of {size}, {capacity}");
                }
                assert_eq!(lines.next_line().await.unwrap(), None);
                assert_eq!(lines.next_line().await.unwrap(), None, "an end stays one");
            }
        }
    });
}

#[test]
fn lines_come_over_a_socket_byte_by_byte() {
    block_on(|| async {
        let (stream, mut peer) = with_std();
        let writer = thread::spawn(move || {
            for byte in TEXT.as_bytes() {
                peer.write_all(&[*byte]).unwrap();
            }
        });
        let mut reader = BufReader::new(stream);
        for expected in LINES {
            let mut lines = reader.lines(100);
            let line = timeout(PATIENCE, lines.next_line()).await.expect("stuck");
            assert_eq!(line.unwrap(), Some(expected));
        }
        assert_eq!(reader.lines(100).next_line().await.unwrap(), None);
        writer.join().unwrap();
    });
}

/// A stream of the same byte that counts what was taken from it.
struct Flood(Rc<Cell<usize>>);

impl AsyncRead for Flood {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<std::io::Result<usize>> {
        buf.fill(b'x');
        self.0.set(self.0.get() + buf.len());
        Poll::Ready(Ok(buf.len()))
    }
}

#[test]
fn a_limit_ends_in_an_error_and_bounds_the_memory() {
    block_on(|| async {
        for (capacity, limit) in [
            (1, 1),
            (16, 5),
            (16, 16),
            (16, 17),
            (16, 100),
            (16, 50_000),
            (8192, 100),
            (100, 0),
        ] {
            let taken = Rc::new(Cell::new(0));
            let mut reader = BufReader::with_capacity(capacity, Flood(Rc::clone(&taken)));
            for _ in 0..3 {
                let error = reader.read_line(limit).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                let text = error.to_string();
                assert!(text.contains(&format!("{limit} bytes: close")), "{text}");
                let error = reader.lines(limit).next_line().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData);
                let error = reader.read_until(b';', limit).await.unwrap_err();
                assert!(error.to_string().contains("';'"), "{error}");
            }
            // What it has read is what its memory holds.
            assert!(taken.get() <= capacity.max(limit), "{} bytes", taken.get());
            assert_eq!(reader.buffer().len(), taken.get(), "all of it stays");
        }
    });
}

#[test]
fn a_line_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    block_on(|| async {
        for capacity in [1, 4, 5, 6, 100] {
            let text = &b"1234\n12345\n1\n"[..];
            let mut reader = BufReader::with_capacity(capacity, text);
            assert_eq!(reader.read_line(5).await.unwrap(), "1234\n");
            reader.read_line(5).await.unwrap_err();
            assert_eq!(reader.read_line(6).await.unwrap(), "12345\n", "it stayed");
            assert_eq!(reader.read_line(2).await.unwrap(), "1\n");
            assert_eq!(reader.read_line(2).await.unwrap(), "");
        }
    });
}

/// A line of a megabyte must not cost its connection a megabyte for ever.
#[test]
fn memory_of_a_long_line_is_given_back() {
    block_on(|| async {
        let mut text = vec![b'a'; 1 << 20];
        text.extend_from_slice(b"\nshort\n");
        let taken_at_most = Rc::new(Cell::new(0));
        struct Asked(std::io::Cursor<Vec<u8>>, Rc<Cell<usize>>);
        impl AsyncRead for Asked {
            fn poll_read(
                &mut self,
                _: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<std::io::Result<usize>> {
                // What it is asked for shows how large the buffer is.
                self.1.set(buf.len());
                Poll::Ready(self.0.read(buf))
            }
        }
        let asked = Asked(std::io::Cursor::new(text), Rc::clone(&taken_at_most));
        let mut reader = BufReader::with_capacity(64, asked);
        assert_eq!(
            reader.read_line(2 << 20).await.unwrap().len(),
            (1 << 20) + 1
        );
        assert_eq!(reader.read_line(100).await.unwrap(), "short\n");
        assert_eq!(reader.read_line(100).await.unwrap(), "");
        assert_eq!(taken_at_most.get(), 64);
    });
}

#[test]
fn a_line_that_is_not_utf8_is_passed_over() {
    block_on(|| async {
        let text = &b"good\nb\xffd\n\xe2\x82\nagain\n"[..];
        let mut reader = BufReader::with_capacity(3, text);
        assert_eq!(reader.read_line(9).await.unwrap(), "good\n");
        let error = reader.read_line(9).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("from byte 1 on"), "{error}");
        reader.lines(9).next_line().await.unwrap_err();
        assert_eq!(reader.read_line(9).await.unwrap(), "again\n");
        let mut reader = BufReader::new(&b"b\xffd\n"[..]);
        assert_eq!(reader.read_until(b'\n', 9).await.unwrap(), b"b\xffd\n");
    });
}

#[test]
fn an_end_too_soon_is_told_with_both_numbers_and_loses_nothing() {
    block_on(|| async {
        let mut reader = BufReader::new(&b"abc"[..]);
        let error = reader.read_exact(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("3 of 8"), "{error}");
        assert_eq!(reader.buffer(), b"abc");
        // Longer than the buffer: it goes straight to its place.
        let mut reader = BufReader::with_capacity(2, &b"abc"[..]);
        let mut buf = [0; 8];
        let error = reader.read_exact(&mut buf).await.unwrap_err();
        assert!(error.to_string().contains("3 of 8"), "{error}");
        assert_eq!(&buf[..3], b"abc");
    });
}

#[test]
fn the_buffer_can_be_seen_used_and_left() {
    block_on(|| async {
        let mut reader = BufReader::new(Pieces::new(b"headbody", 6));
        assert!(reader.buffer().is_empty());
        assert_eq!(reader.fill_buf().await.unwrap(), b"headbo");
        reader.consume(4);
        assert_eq!(
            reader.fill_buf().await.unwrap(),
            b"bo",
            "no read while some is there"
        );
        let mut two = [0; 9];
        assert_eq!(reader.read(&mut two[..1]).await.unwrap(), 1);
        assert_eq!(reader.buffer(), b"o");
        let mut rest = Vec::new();
        copy(&mut reader, &mut rest).await.unwrap();
        assert_eq!(rest, b"ody", "a copy takes what is in the buffer first");
        assert_eq!(reader.fill_buf().await.unwrap(), b"");
        assert_eq!(reader.get_ref().size, 6);
        reader.get_mut().input.extend(b"more");
        assert_eq!(reader.into_inner().input.len(), 4);
    });
    let consumed = crate::support::caught(|| BufReader::new(&b""[..]).consume(1));
    assert!(consumed.is_err());
}

/// Whatever is called, cut and given up, in whatever order: the bytes come out as they went in.
#[test]
fn no_order_of_calls_loses_or_doubles_a_byte() {
    block_on(|| async {
        for seed in 1..=400 {
            let mut dice = Dice::new(seed);
            let len = dice.below(600) as usize;
            let text: Vec<u8> = (0..len)
                .map(|_| {
                    if dice.below(9) == 0 {
                        b'\n'
                    } else {
                        b'a' + dice.below(26) as u8
                    }
                })
                .collect();
            let capacity = 1 + dice.below(40) as usize;
            let pieces = Pieces::new(&text, 1 + dice.below(50) as usize);
            let mut reader = BufReader::with_capacity(capacity, pieces);
            let mut at = 0;
            for _ in 0..400 {
                let polls = dice.below(12);
                let limit = dice.below(60) as usize;
                let rest = &text[at..];
                match dice.below(4) {
                    0 => match give_up_after(polls, reader.read_line(limit)) {
                        None => {}
                        Some(Ok(line)) => {
                            let end = rest.iter().position(|&byte| byte == b'\n');
                            let end = end.map_or(rest.len(), |end| end + 1);
                            assert_eq!(line.as_bytes(), &rest[..end], "seed {seed}");
                            assert!(line.len() <= limit, "seed {seed}");
                            at += end;
                        }
                        Some(Err(_)) => {
                            let window = &rest[..limit.min(rest.len())];
                            assert!(window.len() == limit, "seed {seed}");
                            assert!(!window.contains(&b'\n'), "seed {seed}");
                        }
                    },
                    1 => {
                        // Up to the capacity nothing is lost by giving up.
                        let mut buf = vec![0; limit.min(capacity)];
                        match give_up_after(polls, reader.read_exact(&mut buf)) {
                            None => {}
                            Some(Ok(())) => {
                                assert_eq!(buf, &rest[..buf.len()], "seed {seed}");
                                at += buf.len();
                            }
                            Some(Err(_)) => assert!(rest.len() < buf.len(), "seed {seed}"),
                        }
                    }
                    2 => {
                        if let Some(held) = give_up_after(polls, reader.fill_buf()) {
                            let held = held.unwrap();
                            assert_eq!(held, &rest[..held.len()], "seed {seed}");
                            let used = held.len().min(limit);
                            reader.consume(used);
                            at += used;
                        }
                    }
                    _ => {
                        let mut buf = vec![0; limit];
                        if let Some(count) = give_up_after(polls, reader.read(&mut buf)) {
                            let count = count.unwrap();
                            assert_eq!(&buf[..count], &rest[..count], "seed {seed}");
                            assert!(count > 0 || limit == 0 || rest.is_empty());
                            at += count;
                        }
                    }
                }
            }
            let mut rest = Vec::new();
            copy(&mut reader, &mut rest).await.unwrap();
            assert_eq!(rest, &text[at..], "seed {seed}");
        }
    });
}

#[test]
fn a_line_given_up_over_a_socket_is_gone_on_with() {
    block_on(|| async {
        let (stream, mut peer) = with_std();
        let mut reader = BufReader::new(stream);
        for _ in 0..20 {
            peer.write_all(b"tick").unwrap();
            let given_up = timeout(Duration::from_millis(2), reader.read_line(10)).await;
            assert!(given_up.is_err());
            peer.write_all(b"tock\n").unwrap();
            let line = timeout(PATIENCE, reader.read_line(10)).await.unwrap();
            assert_eq!(line.unwrap(), "ticktock\n");
        }
        drop(peer);
        assert_eq!(reader.read_line(10).await.unwrap(), "");
    });
}

#[test]
fn a_reader_wraps_a_stream_that_is_written_too() {
    block_on(|| async {
        let (client, server) = pair().await;
        let echo = spawn(async move {
            let (mut a, mut b) = server.into_split();
            copy(&mut a, &mut b).await
        });
        let (mut both, mut outside) = (BufReader::new(client), Pieces::new(b"x\ny\n", 3));
        // Through the buffer in one direction and past it in the other.
        tourbillon::net::copy_bidirectional(&mut outside, &mut both)
            .await
            .unwrap();
        assert_eq!(outside.output, b"x\ny\n");
        assert_eq!(echo.await.unwrap().unwrap(), 4);
    });
}

#[test]
fn small_writes_are_gathered_and_large_ones_go_past() {
    block_on(|| async {
        let mut writer = BufWriter::with_capacity(10, Pieces::new(b"", 4));
        writer.write_all(b"12345").await.unwrap();
        writer.write_all(b"67890").await.unwrap();
        assert_eq!(
            (writer.get_ref().output.len(), writer.buffer().len()),
            (0, 10)
        );
        writer.write_all(b"abc").await.unwrap();
        assert_eq!(writer.get_ref().output, b"1234567890");
        writer.write_all(&[b'-'; 25]).await.unwrap();
        assert!(writer.buffer().len() < 10);
        writer.flush().await.unwrap();
        assert!(writer.buffer().is_empty());
        let expected = [&b"1234567890abc"[..], &[b'-'; 25]].concat();
        assert_eq!(writer.get_ref().output, expected);
        writer.write_all(b"last").await.unwrap();
        writer.close().await.unwrap();
        let pieces = writer.into_inner();
        assert!(pieces.output.ends_with(b"-last"));
        assert_eq!(pieces.closed, 1);
    });
}

#[test]
fn a_flush_given_up_goes_on_where_it_was() {
    block_on(|| async {
        let mut writer = BufWriter::with_capacity(1000, Pieces::new(b"", 7));
        writer.write_all(&pattern(900)).await.unwrap();
        while give_up_after(3, writer.flush()).is_none() {}
        assert!(writer.get_ref().output == pattern(900));
        let mut full = BufWriter::with_capacity(10, Pieces::new(b"", 0));
        full.write_all(b"abc").await.unwrap();
        let error = full.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        assert_eq!(full.buffer(), b"abc");
    });
}
