//! What a handler asks of its connection: hints before the answer, fields behind it, and the raw
//! stream after a 101.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use tourbillon::http::HeaderError;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::server::{
    Body, BodyWriter, Config, Headers, Request, Response, Status, Upgrade, UpgradeError, Upgraded,
};
use tourbillon::sync::Notify;
use tourbillon::web::Router;
use tourbillon::{Runtime, spawn, yield_now};

use super::server_support::{Client, DEADLINE, config, serve, serve_on, serve_with, server_of};

const SWITCH: &str =
    "GET /switch HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: raw\r\n\r\n";

fn hints(number: usize) -> Headers {
    let mut headers = Headers::new();
    headers.append("link", format!("</{number}>")).unwrap();
    headers
}

fn switching() -> Response {
    let response = Response::new(Status::SWITCHING_PROTOCOLS);
    response.with_header("upgrade", "raw").unwrap()
}

async fn read(stream: &mut Upgraded, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, buf)).await
}

async fn write(stream: &mut Upgraded, mut data: &[u8]) -> io::Result<()> {
    while !data.is_empty() {
        let count = poll_fn(|cx| stream.poll_write(cx, data)).await?;
        data = &data[count..];
    }
    Ok(())
}

/// Switches, and hands what becomes of it to `then` in a task of its own.
fn switch<F>(then: F) -> impl AsyncFn(Request) -> Response
where
    F: AsyncFn(Result<Upgraded, UpgradeError>) + Clone + 'static,
{
    async move |request: Request| {
        let (upgrade, then) = (request.upgrade(), then.clone());
        spawn(async move { then(upgrade.await).await }).detach();
        switching()
    }
}

#[test]
fn hints_leave_while_the_handler_waits_whoever_asks_for_them() {
    let served = serve(|| {
        let gate = Rc::new(Notify::new());
        let opens = Rc::clone(&gate);
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/open", async move |_| opens.notify_one())
            .get("/page", async move |request: Request| {
                request.early_hints(&hints(1));
                let gate = Rc::clone(&gate);
                // In another task, while the connection's own waits for it.
                let asks = async move {
                    gate.notified().await;
                    request.early_hints(&hints(2));
                    gate.notified().await;
                };
                spawn(asks).await.unwrap();
                "page"
            })
    });
    let (mut client, mut other) = (served.connect(), served.connect());
    client.send("GET /page HTTP/1.1\r\nhost: a\r\n\r\n");
    for link in ["</1>", "</2>"] {
        let reply = client.reply();
        assert_eq!((reply.status, reply.field("link")), (103, Some(link)));
        other.settle();
        client.assert_silent();
        assert_eq!(other.get("/open").status, 204);
    }
    assert_eq!(client.reply().text(), "page");
}

#[test]
fn hints_after_the_head_go_nowhere() {
    let served = serve(|| {
        async |request: Request| {
            Body::stream(async move |mut writer: BodyWriter| {
                request.early_hints(&hints(1));
                writer.write("late").await?;
                yield_now().await;
                request.early_hints(&hints(2));
                Ok(())
            })
        }
    });
    let mut client = served.connect();
    for _ in 0..3 {
        let reply = client.get("/");
        assert_eq!((reply.status, reply.text()), (200, "late"));
    }
    client.assert_silent();
}

#[test]
fn hints_of_one_request_do_not_reach_the_next() {
    let served = serve(|| {
        let last: Rc<RefCell<Option<Request>>> = Rc::default();
        async move |request: Request| {
            // The last request is over, and what is asked of it is too.
            if let Some(before) = last.replace(Some(request)) {
                before.early_hints(&hints(1));
                let gone = before.upgrade().await;
                assert_eq!(gone.err(), Some(UpgradeError));
            }
            yield_now().await;
            "answered"
        }
    });
    let mut client = served.connect();
    for _ in 0..3 {
        let reply = client.get("/");
        assert_eq!((reply.status, reply.text()), (200, "answered"));
    }
    client.assert_silent();
}

#[test]
fn the_stream_is_handed_over_with_what_was_read() {
    let served = serve(|| {
        Router::new().get("/ping", async |_| "pong").get(
            "/switch",
            switch(async |upgraded: Result<Upgraded, UpgradeError>| {
                let mut stream = upgraded.unwrap();
                let mut piece = [0; 3];
                loop {
                    let count = read(&mut stream, &mut piece).await.unwrap();
                    if count == 0 {
                        break;
                    }
                    write(&mut stream, &piece[..count]).await.unwrap();
                }
                write(&mut stream, b"bye").await.unwrap();
            }),
        )
    });
    let mut client = served.connect();
    let early = "x".repeat(10_000);
    client.send(format!("{SWITCH}{early}"));
    assert_eq!(client.reply().status, 101);
    assert_eq!(client.take(early.len()), early.as_bytes());
    served.wait_until(|counts| counts.open == 1 && counts.running == 0);
    client.send("GET / HTTP/1.1\r\n\r\n");
    assert_eq!(client.take(18), b"GET / HTTP/1.1\r\n\r\n");
    client.half_close();
    assert_eq!(client.rest(), b"bye");
    // Its end is the connection's.
    served.wait_until(|counts| counts.open == 0);
    served.stop().unwrap();
}

#[test]
fn whoever_waits_for_a_stream_that_does_not_come_is_told() {
    let (told, tells) = mpsc::channel();
    let served = serve(move || {
        let watch = move |upgrade: Upgrade, name: &'static str| {
            let told = told.clone();
            spawn(async move { told.send((name, upgrade.await.err())).unwrap() }).detach();
        };
        let (first, second, third) = (watch.clone(), watch.clone(), watch);
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/stays", async move |request: Request| {
                first(request.upgrade(), "another answer");
                "stays"
            })
            .get("/twice", async move |request: Request| {
                second(request.upgrade(), "another taker");
                drop(request.upgrade());
                "stays"
            })
            .get("/never", async move |request: Request| {
                third(request.upgrade(), "no client");
                pending::<()>().await;
            })
    });
    let mut client = served.connect();
    let told = |name| assert_eq!(tells.recv_timeout(DEADLINE), Ok((name, Some(UpgradeError))));
    assert_eq!(client.get("/stays").text(), "stays");
    told("another answer");
    assert_eq!(client.get("/twice").text(), "stays");
    told("another taker");
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    served.wait_until(|counts| counts.running == 1);
    client.reset();
    told("no client");
}

#[test]
fn a_stream_that_is_given_up_closes_the_connection() {
    let served = serve(|| {
        async |request: Request| {
            drop(request.upgrade());
            switching()
        }
    });
    let mut client = served.connect();
    client.send(SWITCH);
    assert_eq!(client.reply().status, 101);
    client.assert_closed();
    served.wait_until(|counts| counts.open == 0);
}

#[test]
fn a_drain_waits_for_a_stream_and_then_cuts_it_off() {
    let (told, tells) = mpsc::channel();
    let config = Config {
        graceful_timeout: Duration::from_millis(50),
        ..config()
    };
    let make = move || {
        let told = told.clone();
        let app = Router::new().get(
            "/switch",
            switch(async move |upgraded: Result<Upgraded, UpgradeError>| {
                let mut stream = upgraded.unwrap();
                let read = read(&mut stream, &mut [0; 8]).await;
                let written = write(&mut stream, b"late").await;
                let kinds = (read.err(), written.err());
                let kind = |error: Option<io::Error>| error.map(|error| error.kind());
                told.send((kind(kinds.0), kind(kinds.1))).unwrap();
            }),
        );
        server_of(app, config)
    };
    let served = serve_on(|| Runtime::new().unwrap(), make).unwrap();
    let mut client = served.connect();
    client.send(SWITCH);
    assert_eq!(client.reply().status, 101);
    served.handle.stop();
    let aborted = Some(io::ErrorKind::ConnectionAborted);
    assert_eq!(tells.recv_timeout(DEADLINE), Ok((aborted, aborted)));
    assert_eq!(client.rest_up_to_a_cut(), b"");
    let _ = served.ended();
}

#[test]
fn a_stream_that_hears_of_the_drain_ends_in_time() {
    let served = serve_with(config(), || {
        async |request: Request| {
            let (upgrade, draining) = (request.upgrade(), request.draining());
            spawn(async move {
                let mut stream = upgrade.await.unwrap();
                write(&mut stream, b"hello").await.unwrap();
                draining.wait().await;
                write(&mut stream, b"bye").await.unwrap();
            })
            .detach();
            switching()
        }
    });
    let mut client = served.connect();
    client.send(SWITCH);
    assert_eq!(client.reply().status, 101);
    assert_eq!(client.take(5), b"hello");
    served.handle.stop();
    assert_eq!(client.rest(), b"bye");
    served.ended().unwrap();
}

#[test]
fn a_switch_that_was_not_asked_for_is_a_500_without_its_fields() {
    let served = serve(|| async |_: Request| switching().with_header("x-secret", "1"));
    let mut client: Client = served.connect();
    for _ in 0..2 {
        let reply = client.get("/");
        assert_eq!((reply.status, reply.field("upgrade")), (500, None));
        assert_eq!(reply.field("x-secret"), None);
    }
}

#[test]
fn the_last_trailers_are_sent_and_bad_ones_are_not() {
    let served = serve(|| {
        async |_: Request| {
            Body::stream(async |mut writer: BodyWriter| {
                let mut trailers = hints(1);
                writer.trailers(trailers.clone())?;
                trailers.insert("x-sum", "2")?;
                writer.trailers(trailers.clone())?;
                trailers.append("Content-Length", "2")?;
                assert_eq!(writer.trailers(trailers), Err(HeaderError::Trailer));
                writer.write("body").await?;
                Ok(())
            })
        }
    });
    let mut client = served.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let text = String::from_utf8(client.rest()).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "4\r\nbody\r\n0\r\nlink: </1>\r\nx-sum: 2\r\n\r\n");
}
