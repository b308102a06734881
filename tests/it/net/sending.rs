//! Files into sockets: whole, at the reader's pace, and when file or peer goes away.

use std::fs::File;
use std::future::poll_fn;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::task::Poll;

use tourbillon::net::send_file;
use tourbillon::stats;

use super::copying::pattern;
use super::*;
use crate::support::{default_sigpipe, in_child};

/// A file that is gone with the test.
fn scratch() -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let name = format!("tourbillon-sending-{}-{count}", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(name);
    let mut options = File::options();
    let file = options.read(true).write(true).create_new(true).open(&path);
    std::fs::remove_file(&path).unwrap();
    file.unwrap()
}

fn file_of(len: usize) -> File {
    let file = scratch();
    file.write_all_at(&pattern(len), 0).unwrap();
    file
}

/// Reads to the end, on a thread, and gives the bytes.
fn reading(mut peer: std::net::TcpStream) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    })
}

#[test]
fn sixty_four_mebibytes_of_a_sparse_file_arrive_as_they_are() {
    block_on(|| async {
        const LEN: u64 = 64 << 20;
        let file = scratch();
        file.set_len(LEN).unwrap();
        // Data among the holes, across the borders of pages and calls, and at both ends.
        for at in [0, 4095, 262_140, 1 << 20, (33 << 20) - 77, LEN - 1000] {
            file.write_all_at(&pattern(1000), at).unwrap();
        }
        let (mut stream, mut peer) = with_std();
        let copy = file.try_clone().unwrap();
        let comparing = thread::spawn(move || {
            let (mut got, mut there) = (vec![0; 1 << 20], vec![0; 1 << 20]);
            let mut at = 0;
            loop {
                let count = peer.read(&mut got).unwrap();
                if count == 0 {
                    return at;
                }
                copy.read_exact_at(&mut there[..count], at).unwrap();
                assert!(got[..count] == there[..count], "they differ after {at}");
                at += count as u64;
            }
        });
        let sent = timeout(PATIENCE, send_file(&mut stream, &file, 0, LEN)).await;
        assert_eq!(sent.expect("stuck").unwrap(), LEN);
        drop(stream);
        assert_eq!(comparing.join().unwrap(), LEN);
        assert_eq!(stats().jobs, 0, "the kernel did it by itself");
    });
}

#[test]
fn a_part_of_a_file_is_sent_and_its_position_stays() {
    block_on(|| async {
        let mut file = file_of(300_000);
        file.seek(SeekFrom::Start(77)).unwrap();
        let (mut stream, peer) = with_std();
        let reader = reading(peer);
        let mut expected = Vec::new();
        for (offset, len) in [(0, 0), (0, 1), (99, 262_144), (299_999, 1), (300_000, 0)] {
            let sent = send_file(&mut stream, &file, offset, len).await.unwrap();
            assert_eq!(sent, len);
            expected.extend_from_slice(&pattern(300_000)[offset as usize..][..len as usize]);
        }
        drop(stream);
        assert!(reader.join().unwrap() == expected);
        assert_eq!(file.stream_position().unwrap(), 77);
    });
}

#[test]
fn a_file_that_ends_too_soon_is_told_with_both_numbers() {
    block_on(|| async {
        let file = file_of(5000);
        let (mut stream, mut peer) = with_std();
        for (offset, len, text) in [
            (0, 6000, "5000 of 6000"),
            (4000, u64::MAX - 4000, "1000 of"),
            (5000, 1, "0 of 1"),
            (9000, 1, "0 of 1"),
        ] {
            let error = send_file(&mut stream, &file, offset, len)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert!(error.to_string().contains(text), "{error}");
        }
        let error = send_file(&mut stream, &file, 2, u64::MAX - 1)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        // A short count was the file's end, not a full socket: writing goes on.
        let writing = timeout(PATIENCE, stream.write_all(b"trailer")).await;
        writing.expect("it waits for room that is there").unwrap();
        let mut got = vec![0; 6007];
        peer.read_exact(&mut got).unwrap();
        assert!(got[6000..] == *b"trailer");
    });
}

/// Sends until the socket is full.
async fn stuck(stream: TcpStream, file: Rc<File>, len: u64) -> Sending {
    let sending = spawn(async move {
        let mut stream = stream;
        let sent = send_file(&mut stream, &file, 0, len).await;
        (stream, sent)
    });
    sleep(MOMENT).await;
    assert!(
        !sending.is_finished(),
        "nobody reads, and all of it is gone"
    );
    sending
}

type Sending = tourbillon::JoinHandle<(TcpStream, std::io::Result<u64>)>;

#[test]
fn a_peer_that_does_not_read_makes_it_wait_and_nobody_else() {
    block_on(|| async {
        const LEN: usize = 24 << 20;
        let (stream, peer) = with_std();
        let sending = stuck(stream, Rc::new(file_of(LEN)), LEN as u64).await;
        let (waiting, polls) = (stats().turns, stats().polls);
        sleep(MOMENT).await;
        let spent = (stats().turns - waiting, stats().polls - polls);
        assert!(spent.0 < 20 && spent.1 < 20, "it spins: {spent:?}");
        let reader = reading(peer);
        let (stream, sent) = timeout(PATIENCE, sending).await.expect("stuck").unwrap();
        assert_eq!(sent.unwrap(), LEN as u64);
        drop(stream);
        assert!(reader.join().unwrap() == pattern(LEN));
    });
}

#[test]
fn a_file_that_is_cut_while_it_is_sent_ends_in_an_error() {
    block_on(|| async {
        const LEN: usize = 24 << 20;
        let (stream, peer) = with_std();
        let file = Rc::new(file_of(LEN));
        let sending = stuck(stream, Rc::clone(&file), LEN as u64).await;
        // What is in the socket is pages of the file: they must not be cut.
        file.set_len(20 << 20).unwrap();
        let reader = reading(peer);
        let (stream, sent) = timeout(PATIENCE, sending).await.expect("it hangs").unwrap();
        let error = sent.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let numbers = format!("{} of {LEN}", 20 << 20);
        assert!(error.to_string().contains(&numbers), "{error}");
        drop(stream);
        assert!(reader.join().unwrap() == pattern(20 << 20));
    });
}

#[test]
fn giving_up_leaves_the_connection_and_the_file_as_they_are() {
    block_on(|| async {
        const LEN: usize = 24 << 20;
        let (mut stream, peer) = with_std();
        let file = file_of(LEN);
        let given_up = timeout(MOMENT, send_file(&mut stream, &file, 0, LEN as u64)).await;
        assert!(given_up.is_err());
        let reader = reading(peer);
        stream.write_all(b"the end").await.unwrap();
        drop(stream);
        let got = reader.join().unwrap();
        let (sent, end) = got.split_at(got.len() - 7);
        assert_eq!(end, b"the end");
        assert!(!sent.is_empty() && sent == &pattern(LEN)[..sent.len()]);
    });
}

/// A poll's budget is a bound in bytes too, however fast the peer reads.
#[test]
fn one_poll_sends_a_bounded_part() {
    block_on(|| async {
        const LEN: u64 = 64 << 20;
        let file = scratch();
        file.set_len(LEN).unwrap();
        let (mut stream, peer) = with_std();
        let reader = reading(peer);
        let (mut sent, mut most) = (0, 0);
        while sent < LEN {
            let part = poll_fn(|cx| {
                let mut part = 0;
                while sent + part < LEN {
                    match stream.poll_send_file(cx, &file, sent + part, LEN - sent - part) {
                        Poll::Ready(count) => {
                            let count = count.unwrap();
                            assert!((1..=256 << 10).contains(&count), "{count} by one call");
                            part += count as u64;
                        }
                        Poll::Pending if part == 0 => return Poll::Pending,
                        Poll::Pending => break,
                    }
                }
                Poll::Ready(part)
            });
            let part = part.await;
            sent += part;
            most = most.max(part);
            yield_now().await;
        }
        drop(stream);
        assert_eq!(reader.join().unwrap().len() as u64, LEN);
        assert!(most <= (2 << 20) + (256 << 10), "{most} bytes by one poll");
    });
}

/// sendfile(2) has no flag against SIGPIPE; a host in another language need not ignore it.
#[test]
fn a_peer_that_goes_midway_is_an_error_and_no_signal() {
    let name = "net::sending::a_peer_that_goes_midway_is_an_error_and_no_signal";
    let ended = in_child(name, || {
        default_sigpipe();
        Runtime::new().unwrap().block_on(async {
            const LEN: usize = 24 << 20;
            let file = Rc::new(file_of(LEN));
            for resets in [true, false] {
                let (stream, peer) = with_std();
                let sending = stuck(stream, Rc::clone(&file), LEN as u64).await;
                if !resets {
                    peer.shutdown(Shutdown::Both).unwrap();
                }
                drop(peer);
                let ended = timeout(PATIENCE, sending).await.expect("it hangs");
                let (mut stream, sent) = ended.unwrap();
                let kind = sent.unwrap_err().kind();
                println!("first: {kind:?}");
                // The reset has been told; from now on the pipe is broken.
                let error = send_file(&mut stream, &file, 0, 10).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            }
            println!("survived");
        });
    });
    if let Some((status, output)) = ended {
        assert!(output.contains("survived"), "{status}: {output}");
        assert!(status.success(), "{status}: {output}");
    }
}
