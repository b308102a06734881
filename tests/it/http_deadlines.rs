//! How long a slow client may hold its connection, on a clock moved by hand.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tourbillon::http::CloseReason as HttpReason;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::net::PeerState;
use tourbillon::server::{Body, CloseReason, Config, Request, Server, Transport};
use tourbillon::time::ManualClock;
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep, timeout};

use super::server_support::{PING, config, pattern};

const HALF_CLOSE_TIMEOUT: u64 = 5;
const BODY_TIMEOUT: u64 = 30;

/// What lies between a client and its server.
#[derive(Default)]
struct Wire {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
    /// How many more bytes the client takes in now.
    room: usize,
    is_half_closed: bool,
    server: Vec<Waker>,
}

struct ServerEnd(Rc<RefCell<Wire>>);

impl AsyncRead for ServerEnd {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        if wire.to_server.is_empty() && !wire.is_half_closed {
            wire.server.push(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(wire.to_server.read(buf))
    }
}

impl AsyncWrite for ServerEnd {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        if wire.room == 0 {
            wire.server.push(cx.waker().clone());
            return Poll::Pending;
        }
        let count = wire.room.min(buf.len());
        wire.room -= count;
        wire.to_client.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for ServerEnd {
    fn poll_peer(&mut self, cx: &mut Context<'_>) -> PeerState {
        let mut wire = self.0.borrow_mut();
        wire.server.push(cx.waker().clone());
        match wire.is_half_closed {
            true => PeerState::HalfClosed,
            false => PeerState::Open,
        }
    }
}

/// A client, its connection, and the time.
struct Scene {
    runtime: Runtime,
    clock: ManualClock,
    wire: Rc<RefCell<Wire>>,
    reason: Rc<Cell<Option<CloseReason>>>,
}

impl Scene {
    /// The client has sent this and, it may be, ended; it takes in `room` bytes for now.
    fn new(sent: &[u8], is_half_closed: bool, room: usize) -> Self {
        let clock = ManualClock::new();
        let runtime = Runtime::builder().manual_clock(&clock).build().unwrap();
        let wire = Rc::new(RefCell::new(Wire {
            to_server: sent.iter().copied().collect(),
            room,
            is_half_closed,
            ..Wire::default()
        }));
        let reason = Rc::new(Cell::new(None));
        let (end, told) = (ServerEnd(Rc::clone(&wire)), Rc::clone(&reason));
        let entered = runtime.enter();
        let config = Config {
            half_close_timeout: Duration::from_secs(HALF_CLOSE_TIMEOUT),
            body_timeout: Duration::from_secs(BODY_TIMEOUT),
            ..config()
        };
        let connection = Server::new(app(), config).serve_connection(end, None);
        let serving = async move { told.set(Some(connection.await)) };
        tourbillon::spawn(serving).detach();
        drop(entered);
        let mut scene = Scene {
            runtime,
            clock,
            wire,
            reason,
        };
        scene.settle();
        scene
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.runtime.next_timeout() != Some(Duration::ZERO) {
                return;
            }
            self.runtime.turn(Some(Duration::ZERO)).unwrap();
        }
        panic!("the loop does not come to rest");
    }

    /// Lets a second pass, in which the client sends these bytes and takes in so many.
    fn pass_second(&mut self, sends: &[u8], takes: usize) {
        self.clock.advance(Duration::from_secs(1));
        let mut wire = self.wire.borrow_mut();
        wire.to_server.extend(sends);
        wire.room += takes;
        let server = std::mem::take(&mut wire.server);
        drop(wire);
        server.into_iter().for_each(Waker::wake);
        self.settle();
    }

    /// Lets seconds pass until the connection ends, and says how many and why.
    #[track_caller]
    fn end(&mut self, sends: &[u8], takes: usize) -> (u64, CloseReason) {
        for second in 0..1000 {
            if let Some(reason) = self.reason.get() {
                return (second, reason);
            }
            self.pass_second(sends, takes);
        }
        panic!("the connection is held for ever");
    }

    fn received(&self) -> Vec<u8> {
        self.wire.borrow().to_client.clone()
    }

    fn answers(&self) -> usize {
        let text = String::from_utf8_lossy(&self.received()).into_owned();
        text.matches("HTTP/1.1 200 OK").count()
    }
}

fn app() -> Router {
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/never", async |_| std::future::pending::<&str>().await)
        .get("/slow", async |_| {
            sleep(Duration::from_secs(3)).await;
            "slow"
        })
        .get("/large", async |_| pattern(100_000))
        .get("/flood", async |_| {
            Body::stream(async |mut writer| {
                loop {
                    writer.write([0; 1024]).await?;
                }
            })
        })
        .get("/ticks", async |_| {
            Body::stream(async |mut writer| {
                loop {
                    writer.write([b'x'; 64]).await?;
                    sleep(Duration::from_secs(3)).await;
                }
            })
        })
        .post("/ignore", async |_| "ignored")
        .post("/impatient", async |request: Request| {
            let almost = Duration::from_secs(BODY_TIMEOUT - 1);
            let _ = timeout(almost, request.into_body().chunk()).await;
            "enough"
        })
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes()
}

#[test]
fn a_half_closed_client_that_reads_byte_by_byte_is_cut_at_half_close_timeout() {
    let (flood, never) = (get("/flood"), [PING, &get("/never")].concat());
    for sent in [flood, never] {
        let mut scene = Scene::new(&sent, true, 0);
        let ended = scene.end(b"", 1);
        assert_eq!(ended, (HALF_CLOSE_TIMEOUT, CloseReason::HalfCloseTimeout));
    }
}

#[test]
fn a_write_that_waits_and_then_succeeds_gives_a_half_closed_client_no_more_time() {
    // The head and each tick go out in two or three seconds, before the next tick.
    let mut scene = Scene::new(&get("/ticks"), true, 120);
    let ended = scene.end(b"", 40);
    assert_eq!(ended, (HALF_CLOSE_TIMEOUT, CloseReason::HalfCloseTimeout));
    let text = scene.received();
    assert!(text.ends_with(b"x\r\n"), "it was not waiting for the maker");
}

#[test]
fn a_client_that_does_not_half_close_may_read_byte_by_byte() {
    let mut scene = Scene::new(&get("/flood"), false, 0);
    for _ in 0..10 * HALF_CLOSE_TIMEOUT {
        scene.pass_second(b"", 1);
    }
    assert_eq!(scene.reason.get(), None);
}

#[test]
fn a_half_closed_client_gets_no_more_time_by_a_further_request() {
    let mut scene = Scene::new(&get("/slow").repeat(2), true, usize::MAX);
    let ended = scene.end(b"", 0);
    assert_eq!(ended, (HALF_CLOSE_TIMEOUT, CloseReason::HalfCloseTimeout));
    assert_eq!(scene.answers(), 1);
}

#[test]
fn a_half_closed_client_may_take_its_time_with_an_answer_that_is_complete() {
    let mut scene = Scene::new(&get("/large"), true, 0);
    let (seconds, reason) = scene.end(b"", 5_000);
    assert_eq!(reason, CloseReason::ClientLeft);
    assert!(seconds > 3 * HALF_CLOSE_TIMEOUT, "after {seconds} s");
    assert!(scene.received().ends_with(&pattern(100_000)));
}

const IGNORED: &[u8] = b"POST /ignore HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n";

#[test]
fn an_unwanted_rest_that_drips_costs_the_connection_after_body_timeout() {
    let mut scene = Scene::new(IGNORED, false, usize::MAX);
    assert_eq!(scene.answers(), 1);
    let (seconds, reason) = scene.end(b"x", 0);
    assert_eq!(reason, CloseReason::Http(HttpReason::RequestUnread));
    // The client goes on sending, and so the close lingers.
    let least = BODY_TIMEOUT..=BODY_TIMEOUT + config().linger_timeout.as_secs();
    assert!(least.contains(&seconds), "after {seconds} s");
}

#[test]
fn an_unwanted_rest_that_comes_in_time_keeps_the_connection() {
    let mut scene = Scene::new(IGNORED, false, usize::MAX);
    for _ in 0..BODY_TIMEOUT - 5 {
        scene.pass_second(b"1234", 0);
    }
    scene.pass_second(PING, 0);
    assert_eq!((scene.answers(), scene.reason.get()), (2, None));
}

#[test]
fn an_unwanted_rest_has_the_whole_body_timeout_from_the_answer() {
    let head = b"POST /impatient HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n";
    let mut scene = Scene::new(head, false, usize::MAX);
    for _ in 0..2 * BODY_TIMEOUT - 5 {
        scene.pass_second(b"", 0);
    }
    assert_eq!((scene.answers(), scene.reason.get()), (1, None));
    scene.pass_second(&[b"tick", PING].concat(), 0);
    assert_eq!((scene.answers(), scene.reason.get()), (2, None));
}
