//! Bodies of responses that cannot be made to their end, and those that nobody wants.

use std::future;
use std::io::{self, ErrorKind, Read};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tourbillon::server::{Body, BodyError, Config, Request, Response, Status};
use tourbillon::web::Router;

use super::server_support::{
    Client, DEADLINE, DropGuard, MIB, Served, config, pattern, serve, serve_with,
};

const SOON: Duration = Duration::from_millis(100);

/// Streams of unknown length that have no end of their own.
fn unending() -> Router {
    let broken = async |request: Request| {
        let panics = request.path() == "/panic";
        Body::stream(async move |mut writer| {
            writer.write("begun").await?;
            assert!(!panics, "planned");
            Err(io::Error::other("planned"))
        })
    };
    Router::new()
        .get("/error", broken)
        .get("/panic", broken)
        .get("/stuck", async |_| {
            Body::stream(async |mut writer| {
                writer.write("begun").await?;
                future::pending().await
            })
        })
        .get("/flood", async |_| {
            Body::stream(async |mut writer| {
                loop {
                    writer.write([0; 65_536]).await?;
                }
            })
        })
}

fn ask_as_http_10(served: &Served, path: &str) -> Client {
    let mut client = served.connect();
    client.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
    client
}

/// A close in order would say that the body is whole.
#[track_caller]
fn assert_reset(client: &mut Client) {
    let read = client.stream.read_to_end(&mut Vec::new());
    let error = read.expect_err("a cut body must not end in order");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn an_http_10_stream_that_fails_or_panics_is_reset() {
    let served = serve(unending);
    for path in ["/error", "/panic"] {
        let mut client = ask_as_http_10(&served, path);
        assert_reset(&mut client);
    }
    served.wait_until(|counts| counts.open == 0 && counts.running == 0);
}

#[test]
fn an_http_10_stream_that_is_cut_by_a_timeout_is_reset() {
    let config = Config {
        half_close_timeout: SOON,
        write_timeout: SOON,
        ..config()
    };
    let served = serve_with(config, unending);
    let mut half_closed = ask_as_http_10(&served, "/stuck");
    half_closed.half_close();
    assert_reset(&mut half_closed);
    let mut deaf = ask_as_http_10(&served, "/flood");
    served.wait_until(|counts| counts.total == 2 && counts.open == 0);
    assert_reset(&mut deaf);
}

#[test]
fn an_http_10_stream_that_a_forced_stop_cuts_off_is_reset() {
    let served = serve(unending);
    let mut client = ask_as_http_10(&served, "/stuck");
    assert!(client.line().starts_with("HTTP/1.1 200"));
    while !client.line().is_empty() {}
    assert_eq!(client.take(5), b"begun");
    served.handle.stop();
    served.handle.stop();
    served.ended().unwrap();
    assert_reset(&mut client);
}

#[test]
fn an_http_10_stream_that_is_whole_ends_in_order() {
    let served = serve(|| {
        Router::new().get("/{len}", async |request: Request| {
            let len: usize = request.param("len").unwrap().parse().unwrap();
            Body::stream(async move |mut writer| {
                for piece in pattern(len).chunks(10_000) {
                    writer.write(piece).await?;
                }
                Ok(())
            })
        })
    });
    for len in [10, 10_000, 8 * MIB] {
        let mut client = ask_as_http_10(&served, &format!("/{len}"));
        // What fits into the kernel's buffers is closed before its client reads.
        if len < MIB {
            served.wait_until(|counts| counts.requests > 0 && counts.open == 0);
        }
        assert!(client.reply().body == pattern(len), "{len}");
        client.assert_closed();
    }
}

/// Answers with a stream that holds the request's body and a guard, and should not be polled.
fn unwanted_app(dropped: mpsc::Sender<()>) -> Router {
    let respond = async move |request: Request| {
        let status = match request.path() {
            "/204" => Status::NO_CONTENT,
            _ => Status::OK,
        };
        let length = if request.path() == "/head" { 4 } else { 0 };
        let (guard, mut body) = (DropGuard(dropped.clone()), request.into_body());
        let body = Body::sized_stream(length, async move |_writer| {
            let _guard = guard;
            body.chunk().await?;
            panic!("nobody wants this body")
        });
        Response::new(status).with_body(body)
    };
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/zero", respond.clone())
        .get("/204", respond.clone())
        .get("/head", respond.clone())
        .post("/zero", respond)
}

#[test]
fn a_stream_that_no_response_can_hold_is_dropped_unpolled() {
    let (dropped, drops) = mpsc::channel();
    let served = serve(move || unwanted_app(dropped));
    let mut client = served.connect();
    for (method, path, status) in [
        ("GET", "/zero", 200),
        ("GET", "/204", 204),
        ("HEAD", "/head", 200),
    ] {
        client.send(format!("{method} {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = client.reply_to(method);
        assert_eq!((reply.status, reply.closes()), (status, false), "{path}");
        drops.recv_timeout(DEADLINE).expect(path);
    }
    assert_eq!(client.get("/ping").text(), "pong");
    assert_eq!(served.counts().panics, 0);
}

#[test]
fn a_stream_that_is_not_polled_does_not_count_as_a_reader() {
    let (dropped, drops) = mpsc::channel();
    let served = serve(move || unwanted_app(dropped));
    let head = "POST /zero HTTP/1.1\r\nhost: a\r\n";
    // Neither is a body invited that nobody will read, nor is a close left unsaid that follows
    // from its being unread.
    for rest in [
        "content-length: 4\r\nexpect: 100-continue\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n",
    ] {
        let mut client = served.connect();
        client.send(format!("{head}{rest}"));
        drops.recv_timeout(DEADLINE).expect("dropped with the head");
        let reply = client.reply();
        assert_eq!((reply.status, reply.closes()), (200, true), "{rest}");
        client.half_close();
        client.assert_closed();
    }
}

/// Up to a mebibyte: what a client declares beyond that and does not send costs nothing.
#[test]
fn a_collected_body_gets_the_room_it_has_declared_at_once() {
    let collect = async |request: Request| {
        let body = request.into_body().collect(4 * MIB).await?;
        Ok::<_, BodyError>(format!("{} {}", body.len(), body.capacity()))
    };
    let served = serve(move || Router::new().post("/", collect));
    let mut client = served.connect();
    for len in [1, 1_000, 600_000, MIB, MIB + 1] {
        let body = pattern(len);
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {len}\r\n\r\n");
        // In two pieces, the first of which is not all.
        let begun = len.min(10);
        client.send([head.as_bytes(), &body[..begun]].concat());
        thread::sleep(SOON);
        client.send(&body[begun..]);
        let reply = client.reply();
        let (got, room) = reply.text().split_once(' ').unwrap();
        assert_eq!(got, len.to_string());
        // Room for one byte more was made when that came, and then for many.
        let is_exact = room == len.to_string();
        assert_eq!(is_exact, len <= MIB, "{room} for {len}");
    }
}
