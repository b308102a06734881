//! What runs before the first connection and after the last.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use tourbillon::server::{Config, Handler, Lifespan, Request};
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep};

use super::server_support::{DEADLINE, Served, config, serve_on, server_of};

/// A port that was free a moment ago, on an address that no other test uses.
fn quiet_address(host: u8) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(([127, 81, 7, host], 0))).unwrap();
    listener.local_addr().unwrap()
}

fn serve_at<H: Handler, S: 'static>(
    address: SocketAddr,
    make: impl FnOnce() -> (H, Lifespan<S>) + Send + 'static,
) -> Result<Served, String> {
    let runtime = || Runtime::new().unwrap();
    serve_on(runtime, move || {
        let (app, lifespan) = make();
        let config = Config {
            address,
            ..config()
        };
        server_of(app, config).with_lifespan(lifespan)
    })
}

#[test]
fn startup_runs_before_the_server_listens() {
    let address = quiet_address(1);
    let (outcome, outcomes) = mpsc::channel();
    let served = serve_at(address, move || {
        let lifespan = Lifespan::new(async move || {
            sleep(Duration::from_millis(1)).await;
            outcome.send(TcpStream::connect(address).is_err()).unwrap();
            Ok::<_, String>(())
        });
        (async |_| "up", lifespan)
    });
    let served = served.unwrap();
    assert_eq!(
        outcomes.recv(),
        Ok(true),
        "nobody listened while it started"
    );
    assert_eq!(served.connect().get("/").text(), "up");
}

#[test]
fn a_startup_that_fails_keeps_the_server_from_listening() {
    let address = quiet_address(2);
    let (called, calls) = mpsc::channel();
    let served = serve_at(address, move || {
        let lifespan = Lifespan::new(async || Err::<(), _>("the database is away"));
        let lifespan = lifespan.on_shutdown(async move |_| {
            called.send(()).unwrap();
            Ok::<_, String>(())
        });
        (async |_| "up", lifespan)
    });
    let error = served.err().unwrap();
    assert!(error.contains("the database is away"), "{error}");
    assert!(TcpStream::connect(address).is_err());
    assert!(calls.recv().is_err(), "what did not start is not shut down");
}

#[test]
fn handlers_get_the_state_that_startup_made() {
    let served = serve_at("127.0.0.1:0".parse().unwrap(), || {
        let app = Router::new()
            .get("/count", async |request: Request| {
                let count = request.state::<Cell<u32>>().unwrap();
                count.set(count.get() + 1);
                count.get().to_string()
            })
            .get("/other", async |request: Request| {
                request.state::<String>().is_none().to_string()
            });
        let lifespan = Lifespan::new(async || Ok::<_, String>(Cell::new(41_u32)));
        (app, lifespan)
    });
    let served = served.unwrap();
    assert_eq!(served.connect().get("/count").text(), "42");
    let mut client = served.connect();
    assert_eq!(client.get("/count").text(), "43");
    assert_eq!(client.get("/other").text(), "true");
}

#[test]
fn shutdown_runs_after_the_last_connection_and_gets_the_state() {
    let (event, events) = mpsc::channel();
    let served = serve_at("127.0.0.1:0".parse().unwrap(), move || {
        let ends = event.clone();
        let app = Router::new().get("/ping", async |_| "pong");
        let app = app.get("/slow", async move |request: Request| {
            sleep(Duration::from_millis(50)).await;
            request.state::<Cell<u32>>().unwrap().set(7);
            event.send("answered".to_owned()).unwrap();
            "slow"
        });
        let lifespan = Lifespan::new(async || Ok::<_, String>(Cell::new(0_u32)));
        let lifespan = lifespan.on_shutdown(async move |state| {
            ends.send(format!("ended with {}", state.get())).unwrap();
            Ok::<_, String>(())
        });
        (app, lifespan)
    });
    let served = served.unwrap();
    let mut client = served.connect();
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    served.connect().settle();
    served.handle.stop();
    assert_eq!(client.reply().text(), "slow");
    client.assert_closed();
    served.ended().unwrap();
    let events: Vec<String> = events.iter().collect();
    assert_eq!(events, ["answered", "ended with 7"]);
}

#[test]
fn a_shutdown_that_fails_says_so() {
    let served = serve_at("127.0.0.1:0".parse().unwrap(), || {
        let lifespan = Lifespan::new(async || Ok::<_, String>(()));
        (
            async |_| "up",
            lifespan.on_shutdown(async |_| Err("the disk is full")),
        )
    });
    let error = served.unwrap().stop().unwrap_err();
    assert!(error.contains("the disk is full"), "{error}");
}

#[test]
fn a_second_stop_does_not_wait_for_a_shutdown_that_hangs() {
    let (enter, entered) = mpsc::channel();
    let served = serve_at("127.0.0.1:0".parse().unwrap(), move || {
        let lifespan = Lifespan::new(async || Ok::<_, String>(()));
        let lifespan = lifespan.on_shutdown(async move |_| {
            enter.send(()).unwrap();
            std::future::pending::<Result<(), String>>().await
        });
        (async |_| "up", lifespan)
    });
    let served = served.unwrap();
    served.handle.stop();
    entered.recv_timeout(DEADLINE).unwrap();
    served.handle.stop();
    // Well or not, but it ends.
    let ended = served.ended_within(Duration::from_secs(5));
    assert!(ended.is_some(), "asked twice, it waits on");
}

#[test]
fn an_address_in_use_is_named_and_what_was_started_is_shut_down() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (called, calls) = mpsc::channel();
    let served = serve_at(address, move || {
        let lifespan = Lifespan::new(async || Ok::<_, String>(5));
        let lifespan = lifespan.on_shutdown(async move |state| {
            called.send(*state).unwrap();
            Ok::<_, String>(())
        });
        (async |_| "up", lifespan)
    });
    let error = served.err().unwrap();
    assert!(error.contains(&address.to_string()), "{error}");
    assert_eq!(calls.recv(), Ok(5));
}
