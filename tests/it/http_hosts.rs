//! Connections that another program's futures drive: beside others in one task, with wakers that
//! do as they like, and dropped at any time.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use tourbillon::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tourbillon::server::{Body, BodyWriter, Headers, Request, Response, Server, Status};
use tourbillon::sync::Notify;
use tourbillon::{Runtime, spawn, timeout, yield_now};

use super::server_support::{DEADLINE, config};
use crate::support::Foreign;

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

fn run<T>(test: impl Future<Output = T>) -> T {
    let test = async { timeout(DEADLINE, test).await.expect("it hangs") };
    Runtime::new().unwrap().block_on(test)
}

async fn write(stream: &mut DuplexStream, mut data: &[u8]) {
    while !data.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, data)).await.unwrap();
        data = &data[count..];
    }
}

/// Reads until `end` has come.
async fn read_to(stream: &mut DuplexStream, end: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while !all.ends_with(end) {
        let mut buf = [0; 4096];
        let count = poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap();
        assert!(count > 0, "the end, after {} bytes", all.len());
        all.extend_from_slice(&buf[..count]);
    }
    all
}

/// Polls both in one task, in this order, until both are ready.
async fn in_one_task(one: Boxed, other: Boxed) {
    let mut both = [Some(one), Some(other)];
    poll_fn(|cx| {
        for place in &mut both {
            if let Some(future) = place
                && future.as_mut().poll(cx).is_ready()
            {
                *place = None;
            }
        }
        match both.iter().all(Option::is_none) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

async fn in_both_orders(make: impl AsyncFn() -> (Boxed, Boxed)) {
    for is_first in [true, false] {
        let (connection, other) = make().await;
        match is_first {
            true => in_one_task(connection, other).await,
            false => in_one_task(other, connection).await,
        }
    }
}

#[test]
fn a_body_may_be_read_beside_the_connection_in_its_own_task() {
    run(in_both_orders(async || {
        let given = Rc::new((RefCell::new(None), Notify::new(), Notify::new()));
        let there = Rc::clone(&given);
        let app = async move |request: Request| {
            there.0.replace(Some(request.into_body()));
            there.1.notify_one();
            there.2.notified().await;
            "done"
        };
        let server = Server::new(app, config());
        let (mut client, end) = duplex(4096);
        let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 4\r\n\r\n";
        write(&mut client, format!("{head}tick").as_bytes()).await;
        let serving = server.serve_connection(end, None);
        let reading = async move {
            given.1.notified().await;
            let body = given.0.take().unwrap();
            assert_eq!(body.collect(100).await.unwrap(), b"tick");
            given.2.notify_one();
            read_to(&mut client, b"done").await;
        };
        let connection: Boxed = Box::pin(async move {
            let _ = serving.await;
        });
        (connection, Box::pin(reading) as Boxed)
    }));
}

#[test]
fn a_body_may_be_written_beside_the_connection_in_its_own_task() {
    const PIECE: usize = 70_000;
    run(in_both_orders(async || {
        let given = Rc::new((RefCell::new(None), Notify::new(), Notify::new()));
        let there = Rc::clone(&given);
        let app = async move |_: Request| {
            let there = Rc::clone(&there);
            Body::stream(async move |writer: BodyWriter| {
                there.0.replace(Some(writer));
                there.1.notify_one();
                there.2.notified().await;
                Ok(())
            })
        };
        let server = Server::new(app, config());
        let (mut client, end) = duplex(4096);
        write(
            &mut client,
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
        .await;
        let serving = server.serve_connection(end, None);
        let has_come = Rc::new(Notify::new());
        let waits = Rc::clone(&has_come);
        spawn(async move {
            read_to(&mut client, b"tick\r\n").await;
            has_come.notify_one();
            read_to(&mut client, b"\r\n0\r\n\r\n").await;
        })
        .detach();
        let writing = async move {
            given.1.notified().await;
            let mut writer = given.0.take().unwrap();
            writer.write("tick").await.unwrap();
            waits.notified().await;
            for _ in 0..3 {
                writer.write(vec![b'x'; PIECE]).await.unwrap();
            }
            given.2.notify_one();
        };
        let connection: Boxed = Box::pin(async move {
            let _ = serving.await;
        });
        (connection, Box::pin(writing) as Boxed)
    }));
}

#[test]
fn who_waits_for_a_stream_learns_that_the_switch_was_cut_off() {
    run(async {
        let told = Rc::new(Cell::new(None));
        let tells = Rc::clone(&told);
        let app = async move |request: Request| {
            let (upgrade, tells) = (request.upgrade(), Rc::clone(&tells));
            spawn(async move { tells.set(Some(upgrade.await.is_err())) }).detach();
            let response = Response::new(Status::SWITCHING_PROTOCOLS);
            response.with_header("upgrade", "raw").unwrap()
        };
        // The head of the 101 does not fit, and the client does not read.
        let (mut client, end) = duplex(8);
        let server = Server::new(app, config());
        let state = server.state();
        let serving = spawn(server.serve_connection(end, None));
        let switch = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n";
        write(&mut client, switch).await;
        while state.responses(1) == 0 {
            yield_now().await;
        }
        yield_now().await;
        serving.abort();
        assert!(serving.await.is_err());
        yield_now().await;
        assert_eq!(told.get(), Some(true));
    });
}

thread_local! {
    static ACT: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Acts once more, unless it is acting.
fn act() {
    if let Some(mut acting) = ACT.take() {
        acting();
        ACT.set(Some(acting));
    }
}

/// A waker that acts whenever it is cloned, and never wakes.
#[allow(unsafe_code)]
fn waker_that_acts() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(clone, ignore, ignore, ignore);
    fn clone(_: *const ()) -> RawWaker {
        act();
        RawWaker::new(std::ptr::null(), &TABLE)
    }
    fn ignore(_: *const ()) {}
    // SAFETY: the table's functions do not look at the word.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// Polls the connection with fresh wakers that act.
fn poll_often(connection: &mut Boxed) {
    for _ in 0..5 {
        let waker = waker_that_acts();
        let mut cx = Context::from_waker(&waker);
        assert!(connection.as_mut().poll(&mut cx).is_pending());
        // So that the next one is new to whoever has this one.
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connection.as_mut().poll(&mut cx).is_pending());
    }
}

/// Connections, of which each call ends one.
fn victims<A: AsyncFn(Request) -> Response + 'static>(
    server: &Server<A>,
) -> impl FnMut() + 'static {
    let mut open: Vec<Boxed> = Vec::new();
    for _ in 0..50 {
        let (client, end) = duplex(1);
        let serving = server.serve_connection(end, None);
        open.push(Box::pin(async move {
            serving.await;
            drop(client);
        }));
    }
    move || drop(open.pop())
}

#[test]
fn nothing_is_borrowed_while_a_waker_is_cloned() {
    run(async {
        let seen = Rc::new(RefCell::new(None));
        let keeps = Rc::clone(&seen);
        let app = async move |request: Request| {
            if request.path() == "/body" {
                keeps.replace(Some(request));
                return pending().await;
            }
            let keeps = Rc::clone(&keeps);
            Response::new(Status::OK).with_body(Body::stream(async move |writer: BodyWriter| {
                let _writer = writer;
                drop(keeps);
                pending().await
            }))
        };
        let server = Server::new(app, config());
        let (mut client, end) = duplex(4096);
        let serving = server.serve_connection(end, None);
        let mut connection: Boxed = Box::pin(async move {
            let _ = serving.await;
        });
        // Idle, while others end.
        ACT.set(Some(Box::new(victims(&server))));
        poll_often(&mut connection);
        // In a handler whose request somebody else holds as well.
        let head = b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n";
        write(&mut client, head).await;
        let held = Rc::clone(&seen);
        ACT.set(Some(Box::new(move || {
            let taken = held.take();
            if let Some(mut request) = taken {
                request.early_hints(&Headers::new());
                let mut cx = Context::from_waker(Waker::noop());
                assert!(request.body().poll_chunk(&mut cx).is_pending());
                held.replace(Some(request));
            }
        })));
        poll_often(&mut connection);
        assert!(seen.take().is_some(), "the handler has run");
        ACT.set(None);
    });
}

#[test]
fn nothing_is_borrowed_while_the_waker_of_a_drain_is_dropped() {
    run(async {
        let server = Server::new(async |_: Request| pending::<Response>().await, config());
        let (mut client, end) = duplex(4096);
        let serving = spawn(server.serve_connection(end, None));
        write(&mut client, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        while server.state().requests_running() == 0 {
            yield_now().await;
        }
        let drop_one = victims(&server);
        let handle = server.handle();
        let mut stopping = pin!(server.shutdown());
        ACT.set(Some(Box::new(drop_one)));
        for _ in 0..20 {
            let waker = Foreign::waker(|| (), act);
            let mut cx = Context::from_waker(&waker);
            assert!(stopping.as_mut().poll(&mut cx).is_pending());
            drop(waker);
            tourbillon::sleep(std::time::Duration::from_millis(1)).await;
        }
        handle.stop();
        handle.stop();
        stopping.await.unwrap();
        ACT.set(None);
        drop(serving.await);
    });
}
