//! One connection over memory, and a clock moved by hand: what slow clients may do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tourbillon::Runtime;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::net::PeerState;
use tourbillon::server::{CloseReason, Config, Handler, Transport};
use tourbillon::time::ManualClock;

use super::server_support::server_of;

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
pub(crate) struct Scene {
    runtime: Runtime,
    clock: ManualClock,
    wire: Rc<RefCell<Wire>>,
    pub(crate) reason: Rc<Cell<Option<CloseReason>>>,
}

impl Scene {
    /// The client has sent this and, it may be, ended; it takes in `room` bytes for now.
    pub(crate) fn new<H: Handler>(
        config: Config,
        app: H,
        sent: &[u8],
        is_half_closed: bool,
        room: usize,
    ) -> Self {
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
        let connection = server_of(app, config).serve_connection(end, None);
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

    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.runtime.next_timeout() != Some(Duration::ZERO) {
                return;
            }
            self.runtime.turn(Some(Duration::ZERO)).unwrap();
        }
        panic!("the loop does not come to rest");
    }

    /// Lets a second pass, in which the client sends these bytes and takes in so many.
    pub(crate) fn pass_second(&mut self, sends: &[u8], takes: usize) {
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
    pub(crate) fn end(&mut self, sends: &[u8], takes: usize) -> (u64, CloseReason) {
        for second in 0..1000 {
            if let Some(reason) = self.reason.get() {
                return (second, reason);
            }
            self.pass_second(sends, takes);
        }
        panic!("the connection is held for ever");
    }

    pub(crate) fn received(&self) -> Vec<u8> {
        self.wire.borrow().to_client.clone()
    }

    pub(crate) fn answers(&self) -> usize {
        let text = String::from_utf8_lossy(&self.received()).into_owned();
        text.matches("HTTP/1.1 200 OK").count()
    }
}
