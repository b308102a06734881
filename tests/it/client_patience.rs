//! The small client, when requests are long, servers slow and connections at their end.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::Runtime;
use tourbillon::client::{Client, ClientError, ClientRequest, Connection};
use tourbillon::io::{AsyncRead, AsyncWrite, duplex};
use tourbillon::server::Request;
use tourbillon::time::ManualClock;

use super::server_support::{DEADLINE, MIB, Served, serve};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn run<T>(test: impl AsyncFnOnce() -> T) -> T {
    Runtime::new().unwrap().block_on(test())
}

fn post() -> ClientRequest {
    ClientRequest::new("POST", "/").unwrap()
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// A stream that takes a few bytes at a time, as a slow connection does.
#[derive(Default)]
struct Narrow {
    taken: usize,
    /// Where in memory the next byte lay, after the last write.
    next: Option<usize>,
    moves: usize,
}

impl AsyncRead for Narrow {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = buf.len().min(4096);
        let begin = buf.as_ptr().addr();
        self.moves += usize::from(self.next.is_some_and(|next| next != begin));
        self.next = Some(begin + count);
        self.taken += count;
        Poll::Ready(Ok(count))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What is left of a body stays where it is when a piece has gone: else the time to send one
/// would grow with the square of its length.
#[test]
fn a_long_body_is_not_moved_for_each_piece_that_has_gone() {
    run(async || {
        let mut connection = Connection::new(Narrow::default());
        let request = post().with_body(vec![0; MIB]);
        connection.send(&request).await.unwrap();
        let (stream, _) = connection.into_parts();
        assert!(stream.taken > MIB);
        assert_eq!(stream.moves, 0);
    });
}

/// A client waits for as long as the server takes something in now and then.
#[test]
fn a_slow_server_is_not_a_silent_one() {
    const LEN: usize = 48 * MIB;
    let (listener, url) = listen();
    let limit = Duration::from_secs(1);
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut left = LEN;
        let mut buf = vec![0; MIB];
        while left > 0 {
            match stream.read(&mut buf) {
                Ok(count @ 1..) => left = left.saturating_sub(count),
                _ => return,
            }
            // Not to be right, but to be slow: 48 MiB last longer than the limit.
            thread::sleep(limit / 30);
        }
        let _ = stream.write_all(OK);
    });
    run(async || {
        let client = Client::new().with_timeout(limit);
        let answer = client.send(&url, post().with_body(vec![0; LEN])).await;
        assert_eq!(answer.unwrap().text(9).await.unwrap(), "ok");
    });
    thread.join().unwrap();
}

/// One that takes in nothing more is waited for once, not once more for its answer.
#[test]
fn a_server_that_reads_nothing_is_given_up_in_time() {
    let (_listener, url) = listen();
    let clock = ManualClock::new();
    let builder = Runtime::builder().manual_clock(&clock);
    let mut runtime = builder.auto_advance(true).build().unwrap();
    let limit = Duration::from_secs(3);
    runtime.block_on(async {
        let begun = clock.now();
        let client = Client::new().with_timeout(limit);
        let sent = client.send(&url, post().with_body(vec![0; 64 * MIB])).await;
        let error = sent.unwrap_err();
        assert!(matches!(error, ClientError::Timeout(time) if time == limit));
        let took = clock.now() - begun;
        assert!(took < limit * 2, "{took:?}");
    });
}

/// A connection that ended behind its answer is not used again, even if the loop has not looked
/// since: what is not idempotent could not be sent anew.
#[test]
fn an_end_that_the_loop_has_not_heard_of_is_seen() {
    let (listener, url) = listen();
    let (go, goes) = mpsc::channel();
    let (closed, is_closed) = mpsc::channel();
    let thread = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(OK).unwrap();
            let _ = goes.recv_timeout(DEADLINE);
            drop(stream);
            let _ = closed.send(());
        }
    });
    run(async || {
        let client = Client::new();
        for _ in 0..2 {
            let answer = client.send(&url, post()).await.unwrap();
            assert_eq!(answer.text(9).await.unwrap(), "ok");
            // The loop does not turn before the next request.
            go.send(()).unwrap();
            is_closed.recv_timeout(DEADLINE).unwrap();
        }
    });
    thread.join().unwrap();
}

/// A server that is asked no more need not close, nor be asked, to be rid of a connection.
#[test]
fn a_connection_that_was_idle_for_too_long_is_closed() {
    let app = || async |_: Request| "ok";
    let (one, other) = (serve(app), serve(app));
    let clock = ManualClock::new();
    let mut runtime = Runtime::builder().manual_clock(&clock).build().unwrap();
    runtime.block_on(async {
        let get = async |client: &Client, served: &Served| {
            let url = format!("http://{}/", served.address);
            client.get(&url).await.unwrap()
        };
        let ask = async |client: &Client, served: &Served| {
            let answer = get(client, served).await;
            assert_eq!(answer.text(9).await.unwrap(), "ok");
        };
        let (limit, moment) = (Duration::from_secs(90), Duration::from_millis(1));
        let client = Client::new();
        ask(&client, &one).await;
        ask(&client, &other).await;
        clock.advance(limit - moment);
        ask(&client, &one).await;
        assert_eq!(one.counts().total, 1, "it was young enough");
        // One that is taken: the other's time is over, its own counts from its last answer.
        clock.advance(moment);
        ask(&client, &one).await;
        other.wait_until(|counts| counts.open == 0);
        assert_eq!(one.counts().total, 1, "its time began anew");
        // One that is given back.
        let answer = get(&client, &other).await;
        clock.advance(limit);
        assert_eq!(one.counts().open, 1, "no timer runs");
        answer.text(9).await.unwrap();
        one.wait_until(|counts| counts.open == 0);
        ask(&client, &one).await;
        assert_eq!((one.counts().total, other.counts().total), (2, 2));

        let client = Client::new().with_idle_timeout(Duration::ZERO);
        ask(&client, &one).await;
        one.wait_until(|counts| counts.open == 1);
        let client = client.with_idle_timeout(Duration::MAX);
        ask(&client, &one).await;
        clock.advance(limit * 1000);
        ask(&client, &one).await;
        assert_eq!(one.counts().total, 4);
    });
}

/// Whoever waits at the other end hears of a drop, whatever another waker does.
#[test]
fn a_waker_that_panics_keeps_nobody_from_hearing_of_a_drop() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("as planned");
        }
    }
    struct Counts(AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let (mut here, there) = duplex(1);
    let panics = Waker::from(Arc::new(Panics));
    let counts = Arc::new(Counts(AtomicUsize::new(0)));
    let counting = Waker::from(Arc::clone(&counts));
    let reading = here.poll_read(&mut Context::from_waker(&panics), &mut [0; 1]);
    assert!(reading.is_pending());
    let cx = &mut Context::from_waker(&counting);
    assert!(here.poll_write(cx, b"1").is_ready());
    assert!(here.poll_write(cx, b"2").is_pending());
    drop(there);
    assert_eq!(counts.0.load(Ordering::Relaxed), 1);
}
