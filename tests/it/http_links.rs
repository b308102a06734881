//! What a request learns of its connection: that the client has left, and that the server drains.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;

use tourbillon::server::{Body, Config, Disconnect, Request, Response};
use tourbillon::web::Router;
use tourbillon::{Runtime, spawn, yield_now};

use super::server_support::{DEADLINE, config, serve, serve_on, serve_with, server_of};

const NEVER: &str = "GET /never HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_task_that_outlives_its_handler_learns_that_the_client_has_left() {
    let (told, tells) = mpsc::channel();
    let served = serve(move || {
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/never", async move |request: Request| {
                let (disconnect, told) = (request.on_disconnect(), told.clone());
                assert!(!disconnect.has_happened());
                spawn(async move {
                    disconnect.wait().await;
                    told.send(disconnect.has_happened()).unwrap();
                })
                .detach();
                std::future::pending::<()>().await;
            })
    });
    let (mut client, mut other) = (served.connect(), served.connect());
    client.send(NEVER);
    other.settle();
    assert!(tells.try_recv().is_err(), "the client is still there");
    client.reset();
    assert_eq!(tells.recv_timeout(DEADLINE), Ok(true));
}

#[test]
fn a_complete_response_is_the_end_too_and_the_next_request_begins_anew() {
    let served = serve(|| {
        let last: Rc<RefCell<Option<Disconnect>>> = Rc::default();
        async move |request: Request| {
            let now = request.on_disconnect();
            let before = last.replace(Some(now.clone()));
            if let Some(before) = &before {
                before.wait().await;
            }
            // The last one's end is not this one's.
            format!("{} {}", before.is_some(), now.has_happened())
        }
    });
    let mut client = served.connect();
    assert_eq!(client.get("/").text(), "false false");
    assert_eq!(client.get("/").text(), "true false");
    assert_eq!(client.get("/").text(), "true false");
    served.wait_until(|counts| counts.running == 0);
}

#[test]
fn a_handler_may_be_let_finish_for_a_client_that_has_left() {
    let config = Config {
        cancel_on_disconnect: false,
        ..config()
    };
    let (told, tells) = mpsc::channel();
    let served = serve_with(config, move || {
        Router::new().get("/ping", async |_| "pong").post(
            "/transfer",
            async move |mut request: Request| {
                let end = request.body().chunk().await;
                request.on_disconnect().wait().await;
                yield_now().await;
                told.send(format!("{end:?}")).unwrap();
                "done for nobody"
            },
        )
    });
    let (mut client, mut other) = (served.connect(), served.connect());
    client.send("POST /transfer HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n");
    other.settle();
    client.reset();
    let end = tells.recv_timeout(DEADLINE).expect("it runs to its end");
    assert_eq!(end, "Err(Disconnected)");
    served.wait_until(|counts| counts.open == 1 && counts.running == 0);
}

#[test]
fn a_stream_that_listens_for_the_drain_ends_as_a_whole_response() {
    let served = serve(|| {
        Router::new().get("/events", async |request: Request| {
            let draining = request.draining();
            assert!(!draining.is_draining());
            Body::stream(async move |mut writer| {
                writer.write("begun").await?;
                draining.wait().await;
                writer.write("bye").await?;
                Ok(())
            })
        })
    });
    let mut client = served.connect();
    client.send("GET /events HTTP/1.1\r\nhost: a\r\n\r\n");
    while client.line() != "" {}
    assert_eq!(client.chunk().as_deref(), Some(&b"begun"[..]));
    served.handle.stop();
    assert_eq!(client.chunk().as_deref(), Some(&b"bye"[..]));
    assert_eq!(client.chunk(), None, "it ends, and is not cut off");
    client.assert_closed();
    served.ended().unwrap();
}

#[test]
fn a_request_knows_the_server_and_values_go_with_it() {
    struct Label(&'static str);
    let served = serve_on(
        || Runtime::new().unwrap(),
        || {
            let app = async |mut request: Request| {
                let before = request.extensions_mut().insert(Label("inner"));
                let label = request.extensions().get::<Label>().map_or("", |l| l.0);
                let running = request.server().requests_running();
                let mut response = Response::text(format!("{label} {running}"));
                response.extensions_mut().insert(before.is_some());
                assert_eq!(response.extensions().get::<bool>(), Some(&false));
                response
            };
            server_of(app, config())
        },
    )
    .unwrap();
    assert_eq!(served.connect().get("/").text(), "inner 1");
}

/// The memory of a request is used again, also by other connections.
#[test]
fn a_request_knows_nothing_of_the_one_before() {
    let served = serve(|| {
        async |mut request: Request| {
            if request.path() == "/mark" {
                request.extensions_mut().insert(7u32);
                request.set_params(vec![("name".into(), "bob".to_owned())]);
                request.set_scheme("https");
                request.set_client(([192, 0, 2, 1], 7).into());
                request.set_route("/mark".into());
                return "marked".to_owned();
            }
            format!(
                "{:?} {:?} {} {} {:?} {:?} {:?} {:?}",
                request.extensions().get::<u32>(),
                request.params(),
                request.scheme(),
                request.client() == request.peer(),
                request.route(),
                request.headers().get("cookie"),
                request.query(),
                request.method(),
            )
        }
    });
    let fresh = "None [] http true None None None Get";
    let mut client = served.connect();
    for _ in 0..3 {
        client.send("POST /mark?a HTTP/1.1\r\nhost: a\r\ncookie: b\r\ncontent-length: 1\r\n\r\nx");
        assert_eq!(client.reply().text(), "marked");
        assert_eq!(served.connect().get("/").text(), fresh);
        assert_eq!(client.get("/").text(), fresh);
        assert_eq!(client.get("/").text(), fresh);
    }
}
