//! How a server stops for those who watch it: readiness, the hook, the list of what was cut off.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use futures::future;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::server::{CloseReason, Config, Lifespan, Request, ServeError};
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep, spawn, timeout, yield_now};

use super::server_child::Child;
use super::server_support::{Client, DEADLINE, Served, config, serve_on, serve_with, server_of};
use crate::support::{collect_logs, logged_here};

const FOR_EVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(30);

fn ready_app() -> Router {
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/ready", async |request: Request| {
            request.server().is_ready().to_string()
        })
        .get("/not-ready", async |request: Request| {
            request.server().set_ready(false);
        })
        .get("/back", async |request: Request| {
            request.server().set_ready(true);
        })
        .get("/never", async |_| future::pending::<()>().await)
}

fn delayed(shutdown_delay: Duration) -> Served {
    let config = Config {
        shutdown_delay,
        ..config()
    };
    serve_with(config, ready_app)
}

#[test]
fn a_server_is_ready_while_it_serves_and_the_application_agrees() {
    let served = delayed(Duration::ZERO);
    let mut client = served.connect();
    for (path, ready) in [
        ("/ready", "true"),
        ("/not-ready", "false"),
        ("/back", "true"),
    ] {
        client.get(path);
        assert_eq!(client.get("/ready").text(), ready);
    }
    let state = server_of(ready_app(), config()).state();
    assert!(!state.is_ready(), "it has not started");
}

#[test]
fn during_the_delay_it_serves_and_says_that_it_will_not() {
    let served = delayed(FOR_EVER);
    let mut client = served.connect();
    assert_eq!(client.get("/ready").text(), "true");
    served.handle.stop();
    let since = Instant::now();
    while client.get("/ready").text() == "true" {
        assert!(since.elapsed() < DEADLINE, "it stays ready");
    }
    for _ in 0..10 {
        let mut fresh = served.connect();
        assert_eq!(fresh.get("/ready").text(), "false");
        let reply = fresh.get("/ping");
        assert_eq!((reply.text(), reply.closes()), ("pong", false));
    }
    served.handle.stop();
    client.assert_closed();
    served.ended().unwrap();
}

#[test]
fn the_delay_ends_by_itself() {
    let served = delayed(SOON);
    let mut client = served.connect();
    assert_eq!(client.get("/ready").text(), "true");
    served.handle.stop();
    client.assert_closed();
    served.ended().unwrap();
}

fn serve_lifespan(
    graceful_timeout: Duration,
    lifespan: impl FnOnce() -> Lifespan<Cell<u32>> + Send + 'static,
) -> Served {
    let config = Config {
        graceful_timeout,
        ..config()
    };
    let runtime = || Runtime::new().unwrap();
    let make = move || server_of(ready_app(), config).with_lifespan(lifespan());
    serve_on(runtime, make).unwrap()
}

fn counting() -> Lifespan<Cell<u32>> {
    Lifespan::new(async || Ok::<_, String>(Cell::new(0_u32)))
}

#[test]
fn the_drain_hook_runs_before_connections_are_waited_for() {
    let (event, events) = mpsc::channel();
    let ended = event.clone();
    let served = serve_lifespan(FOR_EVER, move || {
        let lifespan = counting().on_drain(async move |state| {
            state.set(state.get() + 1);
            event.send("drains".to_owned()).unwrap();
            yield_now().await;
            Err("of no consequence")
        });
        lifespan.on_shutdown(async move |state| {
            ended.send(format!("ends after {}", state.get())).unwrap();
            Ok::<_, String>(())
        })
    });
    let mut client = served.connect();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    served.connect().settle();
    served.handle.stop();
    // A request is running, and would for ever.
    let first = events.recv_timeout(DEADLINE).unwrap();
    assert_eq!(first, "drains");
    client.reset();
    served.ended().unwrap();
    let rest: Vec<String> = events.iter().collect();
    assert_eq!(rest, ["ends after 1"]);
}

#[test]
fn a_drain_hook_that_panics_keeps_nothing_from_ending_well() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("the drain's last word");
        }
    }
    let (event, events) = mpsc::channel();
    let sends = event.clone();
    let panicking = move || {
        let (drains, ends) = (sends.clone(), sends);
        let lifespan = counting().on_drain(async move |_| {
            drains.send("drains").unwrap();
            yield_now().await;
            if true {
                panic!("the drain panics");
            }
            Ok::<_, String>(())
        });
        lifespan.on_shutdown(async move |_| {
            ends.send("ends").unwrap();
            Ok::<_, String>(())
        })
    };
    let served = serve_lifespan(FOR_EVER, panicking);
    let mut client = served.connect();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    served.connect().settle();
    served.handle.stop();
    assert_eq!(events.recv_timeout(DEADLINE), Ok("drains"));
    assert!(
        served.ended_within(SOON).is_none(),
        "the request is waited for"
    );
    client.reset();
    served.ended().unwrap();
    drop(event);
    assert_eq!(events.iter().collect::<Vec<_>>(), ["ends"]);

    // One that is waited for no longer panics as it goes.
    let served = serve_lifespan(SOON, || {
        counting().on_drain(async |_| {
            let _bad = Bad;
            future::pending::<Result<(), String>>().await
        })
    });
    served.connect().settle();
    served.stop().unwrap();
}

#[test]
fn a_drain_hook_that_hangs_is_waited_for_no_longer_than_requests() {
    let hanging = || counting().on_drain(async |_| future::pending::<Result<(), String>>().await);
    let served = serve_lifespan(SOON, hanging);
    served.connect().settle();
    served.stop().unwrap();
    let served = serve_lifespan(FOR_EVER, hanging);
    let mut client = served.connect();
    client.settle();
    served.handle.stop();
    client.assert_closed();
    assert!(
        served.ended_within(SOON).is_none(),
        "the hook is waited for"
    );
    served.handle.stop();
    served.ended().unwrap();
}

#[test]
fn a_startup_that_hangs_is_given_up() {
    let runtime = || Runtime::new().unwrap();
    let served = serve_on(runtime, || {
        let config = Config {
            startup_timeout: SOON,
            ..config()
        };
        let lifespan = Lifespan::new(async || future::pending::<Result<(), String>>().await);
        server_of(ready_app(), config).with_lifespan(lifespan)
    });
    let error = served.err().unwrap();
    assert!(error.contains("longer than 30ms"), "{error}");
}

#[test]
fn exit_codes_tell_what_could_not_start() {
    let fault = || std::io::Error::other("x");
    for error in [
        ServeError::Runtime(fault()),
        ServeError::Listen(fault()),
        ServeError::Startup("x".into()),
    ] {
        assert_eq!(error.exit_code(), 3);
        assert_eq!(error.exit_code(), ServeError::STARTUP_FAILURE);
    }
    assert_eq!(ServeError::Shutdown("x".into()).exit_code(), 1);
}

#[test]
fn what_is_cut_off_is_named_by_what_it_asked_for() {
    let mut child = Child::start("graceful=50");
    let mut client = child.connect();
    client.settle();
    let long = "x".repeat(500);
    client.send(format!("GET /never?{long} HTTP/1.1\r\nhost: a\r\n\r\n"));
    let mut flooded = child.connect();
    flooded.send("GET /flood HTTP/1.1\r\nhost: a\r\n\r\n");
    child.connect().settle();
    child.signal(libc::SIGTERM);
    let (status, said) = child.ended();
    assert!(status.success(), "{said}");
    let peer = |client: &Client| client.stream.local_addr().unwrap();
    let cut = format!("GET /never?{}...", &long[..60]);
    for line in [
        format!("{}: {cut} for ", peer(&client)),
        format!("{}: GET /flood for ", peer(&flooded)),
        "request 4, open for ".to_owned(),
    ] {
        assert!(said.contains(&line), "{line} is not in\n{said}");
    }
}

/// Short answers leave their exchange before they are out, long ones do not.
#[test]
fn who_does_not_take_its_last_answer_is_named_by_what_it_asked_for() {
    collect_logs();
    let lens = [10_000, 100_000];
    Runtime::new().unwrap().block_on(async {
        let config = Config {
            graceful_timeout: SOON,
            ..config()
        };
        let answer = async |request: Request| "x".repeat(request.query().unwrap().parse().unwrap());
        let server = server_of(answer, config);
        let mut connections = Vec::new();
        for len in lens {
            let (mut client, end) = tourbillon::io::duplex(1000);
            let request = format!("GET /?{len} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
            let sent = poll_fn(|cx| client.poll_write(cx, request.as_bytes())).await;
            assert_eq!(sent.unwrap(), request.len());
            let served = spawn(server.serve_connection(end, None));
            let mut begin = [0; 1000];
            let began = poll_fn(|cx| client.poll_read(cx, &mut begin));
            let count = timeout(DEADLINE, began).await.unwrap().unwrap();
            let begin = String::from_utf8_lossy(&begin[..count]);
            assert!(begin.contains("\r\nconnection: close\r\n"), "{begin}");
            connections.push((client, served));
        }
        server.shutdown().await.unwrap();
        for (_client, served) in connections {
            assert_eq!(served.await.unwrap(), CloseReason::CutOff);
        }
    });
    let said = logged_here().join("\n");
    for len in lens {
        let named = format!("unknown peer: GET /?{len} for ");
        assert!(said.contains(&named), "{named} is not in\n{said}");
    }
}

#[test]
fn connections_of_other_transports_are_cut_off_with_the_rest() {
    let reasons = Runtime::new().unwrap().block_on(async {
        let config = Config {
            graceful_timeout: SOON,
            ..config()
        };
        let server = server_of(async |_| future::pending::<()>().await, config);
        let mut clients = Vec::new();
        let mut reasons = Vec::new();
        for _ in 0..3 {
            let (mut client, end) = tourbillon::net::UnixStream::pair().unwrap();
            client
                .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .unwrap();
            clients.push(client);
            reasons.push(spawn(server.serve_connection(end, None)));
        }
        let state = server.state();
        while state.requests_running() < 3 {
            sleep(Duration::from_millis(1)).await;
        }
        server.shutdown().await.unwrap();
        let reasons = timeout(DEADLINE, future::join_all(reasons)).await;
        let reasons = reasons.expect("all are cut off");
        assert_eq!((state.connections_open(), state.requests_running()), (0, 0));
        let reasons: Vec<_> = reasons.into_iter().map(Result::unwrap).collect();
        Rc::new(reasons)
    });
    assert_eq!(*reasons, [CloseReason::CutOff; 3]);
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_polled_a_connection_last_is_told_that_the_server_drains() {
    let wakes = Runtime::new().unwrap().block_on(async {
        let config = Config {
            graceful_timeout: SOON,
            ..config()
        };
        let server = server_of(async |_| "pong", config);
        let (_client, end) = tourbillon::io::duplex(1000);
        let mut connection = pin!(server.serve_connection(end, None));
        let wakes = [0, 1].map(|_| Arc::new(Wakes::default()));
        for wakes in &wakes {
            let waker = Waker::from(Arc::clone(wakes));
            let polled = connection.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        let drained = timeout(DEADLINE, server.shutdown());
        let look = async {
            while wakes[1].0.load(Ordering::Relaxed) == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(connection.await, CloseReason::Draining);
        };
        let (drained, ()) = future::join(drained, look).await;
        drained.expect("nothing is left").unwrap();
        wakes
    });
    assert_eq!(wakes[0].0.load(Ordering::Relaxed), 0);
}
