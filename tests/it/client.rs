//! The small client, against our server and against servers that misbehave.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tourbillon::client::{AnswerError, Client, ClientError, ClientRequest, Connection};
use tourbillon::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tourbillon::server::{Body, Request, Response, Status};
use tourbillon::time::ManualClock;
use tourbillon::web::Router;
use tourbillon::{Runtime, spawn};

use super::server_support::{MIB, config, pattern, serve, server_of};

fn run<T>(test: impl AsyncFnOnce() -> T) -> T {
    Runtime::new().unwrap().block_on(test())
}

fn app() -> Router {
    Router::new()
        .get("/", async |_| "Hello!")
        .get("/close", async |_| {
            Response::text("bye").with_header("connection", "close")
        })
        .get("/stream", async |_| {
            Body::stream(async |mut writer| {
                writer.write("tick ").await?;
                writer.write("tock").await?;
                Ok(())
            })
        })
        .post("/echo", async |request: Request| {
            let coding = request.headers().contains("transfer-encoding");
            let host = request.headers().get("host").unwrap_or_default().to_owned();
            let body = request.into_body().collect(8 * MIB).await?;
            let response = Response::typed("application/octet-stream", body);
            let with_host = response.with_header("x-host", host);
            let with_coding = with_host.and_then(|r| r.with_header("x-coded", coding.to_string()));
            Ok::<_, tourbillon::server::BodyError>(with_coding)
        })
}

#[test]
fn connections_are_kept_when_answers_are_read_and_not_otherwise() {
    let served = serve(app);
    let url = |path: &str| format!("http://{}{path}", served.address);
    run(async || {
        let client = Client::new();
        for _ in 0..3 {
            let answer = client.get(&url("/")).await.unwrap();
            assert_eq!(answer.status(), Status::OK);
            assert_eq!(answer.text(100).await.unwrap(), "Hello!");
            let answer = client.clone().get(&url("/stream")).await.unwrap();
            assert_eq!(answer.text(100).await.unwrap(), "tick tock");
        }
        assert_eq!(served.counts().total, 1, "one connection has done");
        drop(client.get(&url("/stream")).await.unwrap());
        client
            .get(&url("/"))
            .await
            .unwrap()
            .text(100)
            .await
            .unwrap();
        assert_eq!(served.counts().total, 2, "an unread answer costs it");
        client
            .get(&url("/close"))
            .await
            .unwrap()
            .text(100)
            .await
            .unwrap();
        client
            .get(&url("/"))
            .await
            .unwrap()
            .text(100)
            .await
            .unwrap();
        assert_eq!(
            served.counts().total,
            3,
            "so does a close that was announced"
        );
        let two = (
            client.get(&url("/")).await.unwrap(),
            client.get(&url("/")).await.unwrap(),
        );
        two.0.text(9).await.unwrap();
        two.1.text(9).await.unwrap();
        assert_eq!(served.counts().total, 4, "two at once need two");
    });
    served.wait_until(|counts| counts.open == 0);
}

#[test]
fn bodies_go_out_with_a_length_or_in_chunks() {
    let served = serve(app);
    let url = format!("http://localhost:{}/echo", served.address.port());
    run(async || {
        let client = Client::new();
        for len in [0, 1, 100_000, 5 * MIB] {
            let bytes = pattern(len);
            let post = || ClientRequest::new("POST", "/").unwrap();
            let chunks: Vec<&[u8]> = bytes.chunks(70_000).collect();
            let sized = client
                .send(&url, post().with_body(bytes.clone()))
                .await
                .unwrap();
            assert_eq!(sized.headers().get("x-coded"), Some("false"));
            let host = format!("localhost:{}", served.address.port());
            assert_eq!(sized.headers().get("x-host"), Some(&*host));
            assert!(sized.bytes(8 * MIB).await.unwrap() == bytes, "{len} bytes");
            let chunked = client.send(&url, post().with_chunks(chunks)).await.unwrap();
            assert_eq!(chunked.headers().get("x-coded"), Some("true"));
            assert!(
                chunked.bytes(8 * MIB).await.unwrap() == bytes,
                "{len} bytes"
            );
        }
        let long = client.send(
            &url,
            ClientRequest::new("POST", "/").unwrap().with_body("four"),
        );
        let error = long.await.unwrap().bytes(3).await.unwrap_err();
        assert!(matches!(error, ClientError::TooLong));
    });
}

#[test]
fn a_thousand_pipelined_requests_are_answered_in_order() {
    run(async || {
        // Pipes so narrow that neither side may write without reading.
        let (here, there) = duplex(37);
        let handler = async |request: Request| request.path().to_owned();
        let served = spawn(server_of(handler, config()).serve_connection(there, None));
        let mut connection = Connection::new(here);
        for at in 0..1000 {
            let request = ClientRequest::new("GET", &format!("/{at}")).unwrap();
            connection
                .send(&request.with_header("host", "a").unwrap())
                .await
                .unwrap();
        }
        assert!(!connection.is_reusable());
        for at in 0..1000 {
            assert_eq!(connection.receive().await.unwrap().status, Status::OK);
            if at % 2 == 0 {
                let body = connection.body(100).await.unwrap();
                assert_eq!(body, format!("/{at}").into_bytes());
            }
        }
        let none = connection.chunk().await.unwrap();
        assert_eq!(none.as_deref(), Some(&b"/999"[..]));
        assert!(connection.is_reusable());
        let error = connection.receive().await.unwrap_err();
        assert!(
            matches!(error, ClientError::Closed),
            "nothing was asked: {error}"
        );
        let (stream, rest) = connection.into_parts();
        assert_eq!(rest, b"");
        drop(stream);
        served.await.unwrap();
    });
}

#[test]
fn an_answer_without_a_body_gives_its_connection_back_at_once() {
    let served = serve(|| {
        Router::new()
            .get("/", async |_| "Hello!")
            .get("/empty", async |_| "")
            .get("/204", async |_| Status::NO_CONTENT)
            .get("/304", async |_| Response::new(Status::NOT_MODIFIED))
            .get("/close", async |_| {
                Response::new(Status::NO_CONTENT).with_header("connection", "close")
            })
    });
    let url = |path: &str| format!("http://{}{path}", served.address);
    run(async || {
        let client = Client::new();
        let mut unread = Vec::new();
        for (method, path) in [
            ("HEAD", "/"),
            ("GET", "/empty"),
            ("GET", "/204"),
            ("GET", "/304"),
            ("GET", "/204"),
        ] {
            let request = ClientRequest::new(method, "/").unwrap();
            unread.push(client.send(&url(path), request).await.unwrap());
            assert_eq!(served.counts().total, 1, "{method} {path}");
        }
        for answer in unread {
            assert_eq!(answer.bytes(0).await.unwrap(), b"");
        }
        let _unread = client.get(&url("/close")).await.unwrap();
        served.wait_until(|counts| counts.open == 0);
    });
}

/// A server of std's that answers each connection with the next of these, byte for byte, once a
/// request has come, and then closes. Returns how many connections came.
fn canned(answers: Vec<&'static [u8]>) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let thread = thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            for part in answer.split(|byte| *byte == b'|') {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap() == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                stream.write_all(part).unwrap();
            }
        }
    });
    (url, thread)
}

#[test]
fn a_kept_connection_that_has_ended_is_replaced_without_a_word() {
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    // The second connection answers once, and closes when it is asked again.
    let (url, thread) = canned(vec![
        whole,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok|",
        whole,
    ]);
    run(async || {
        let client = Client::new();
        for _ in 0..2 {
            assert_eq!(client.get(&url).await.unwrap().text(9).await.unwrap(), "ok");
        }
        // Whether the end is seen before or after the request was sent, one is sent anew.
        assert_eq!(client.get(&url).await.unwrap().text(9).await.unwrap(), "ok");
    });
    thread.join().unwrap();
}

#[test]
fn a_post_is_not_sent_twice() {
    let (url, thread) = canned(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok|"]);
    run(async || {
        let client = Client::new();
        assert_eq!(client.get(&url).await.unwrap().text(9).await.unwrap(), "ok");
        let post = ClientRequest::new("POST", "/").unwrap();
        let error = client.send(&url, post).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Answer(AnswerError::CutOff)),
            "{error}"
        );
    });
    thread.join().unwrap();
}

#[test]
fn a_wait_that_was_given_up_loses_nothing_of_a_head() {
    crate::support::within(|| {
        run(async || {
            let (here, mut there) = duplex(4096);
            let mut connection = Connection::new(here);
            connection
                .send(&ClientRequest::new("GET", "/").unwrap())
                .await
                .unwrap();
            for part in ["HTTP/1.1 200 OK\r\ncontent-le", "ngth: 2\r\n", "\r\no"] {
                let mut receiving = pin!(connection.receive());
                let polled = poll_fn(|cx| Poll::Ready(receiving.as_mut().poll(cx))).await;
                assert!(polled.is_pending(), "{part:?}");
                write(&mut there, part).await;
            }
            assert_eq!(connection.receive().await.unwrap().status, Status::OK);
            write(&mut there, "k").await;
            // Whoever asks for a head in between takes nothing of the body away.
            let error = connection.receive_any().await.unwrap_err();
            assert!(matches!(error, ClientError::Answer(AnswerError::Unasked)));
            assert_eq!(connection.body(9).await.unwrap(), b"ok");
            assert!(connection.is_reusable());
        });
    });
}

#[test]
fn hints_without_end_are_an_error() {
    crate::support::within(|| {
        run(async || {
            let (here, mut there) = duplex(4096);
            let mut connection = Connection::new(here);
            let request = ClientRequest::new("GET", "/").unwrap();
            let hints = |count| "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count);
            let last = "HTTP/1.1 204 None\r\n\r\n";
            // As many as may be, twice: they are counted for each answer.
            for _ in 0..2 {
                connection.send(&request).await.unwrap();
                write(&mut there, &(hints(16) + last)).await;
                let head = connection.receive().await.unwrap();
                assert_eq!(head.status, Status::NO_CONTENT);
            }
            connection.send(&request).await.unwrap();
            write(&mut there, &hints(17)).await;
            let error = connection.receive().await.unwrap_err();
            assert!(matches!(error, ClientError::TooManyInterim), "{error}");
            // Whoever wants to see each of them may.
            write(&mut there, &(hints(1) + last)).await;
            for expected in [103, 204] {
                let head = connection.receive_any().await.unwrap();
                assert_eq!(head.status.code(), expected);
            }
        });
    });
}

async fn write(stream: &mut DuplexStream, data: &str) {
    let count = poll_fn(|cx| stream.poll_write(cx, data.as_bytes())).await;
    assert_eq!(count.unwrap(), data.len());
}

#[test]
fn what_was_answered_by_a_hint_is_not_sent_twice() {
    let (url, thread) = canned(vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok|HTTP/1.1 103 Early Hints\r\n\r\n",
    ]);
    run(async || {
        let client = Client::new();
        assert_eq!(client.get(&url).await.unwrap().text(9).await.unwrap(), "ok");
        let error = client.get(&url).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Answer(AnswerError::CutOff)),
            "{error}"
        );
    });
    thread.join().unwrap();
}

#[test]
fn answers_that_are_cut_off_or_are_no_http_are_errors() {
    let (url, thread) = canned(vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok\r\n\r\n",
        b"",
        b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    ]);
    run(async || {
        let client = Client::new();
        let error = client.get(&url).await.unwrap().text(9).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Answer(AnswerError::CutOff)),
            "{error}"
        );
        let until_close = client.get(&url).await.unwrap().text(9).await;
        assert_eq!(until_close.unwrap(), "ok");
        let error = client.get(&url).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Answer(AnswerError::LineEnd)),
            "{error}"
        );
        let error = client.get(&url).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the connection ended before the answer did"
        );
        let status = client.get(&url).await.unwrap().status();
        assert_eq!(status, Status::NO_CONTENT);
        thread.join().unwrap();
        let error = client.get(&url).await.unwrap_err();
        assert!(matches!(error, ClientError::Connect(_)), "{error}");
        let error = std::io::Error::from(error);
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_silent_server_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let builder = Runtime::builder().manual_clock(&ManualClock::new());
    let mut runtime = builder.auto_advance(true).build().unwrap();
    let limit = Duration::from_secs(3);
    let error = runtime.block_on(async {
        Client::new()
            .with_timeout(limit)
            .get(&url)
            .await
            .unwrap_err()
    });
    assert!(
        matches!(error, ClientError::Timeout(time) if time == limit),
        "{error}"
    );
}

#[test]
fn the_ends_of_a_duplex_learn_of_each_other() {
    run(async || {
        let (mut here, mut there) = duplex(3);
        let count = poll_fn(|cx| here.poll_write(cx, b"12345")).await.unwrap();
        assert_eq!(count, 3, "as much as fits");
        let pending = poll_fn(|cx| Poll::Ready(here.poll_write(cx, b"45").is_pending())).await;
        assert!(pending);
        assert_eq!(there.peer_has_ended(), (false, false));
        poll_fn(|cx| here.poll_close(cx)).await.unwrap();
        assert_eq!(there.peer_has_ended(), (true, false));
        let mut buf = [0; 9];
        for expected in [3, 0, 0] {
            let count = poll_fn(|cx| there.poll_read(cx, &mut buf)).await.unwrap();
            assert_eq!(count, expected);
        }
        let closed = poll_fn(|cx| here.poll_write(cx, b"6")).await.unwrap_err();
        assert_eq!(closed.kind(), std::io::ErrorKind::BrokenPipe);
        let reader = Rc::new(std::cell::Cell::new(None));
        let told = Rc::clone(&reader);
        let task = spawn(async move {
            let mut buf = [0; 1];
            told.set(Some(
                poll_fn(|cx| here.poll_read(cx, &mut buf)).await.unwrap(),
            ));
            here.peer_has_ended()
        });
        tourbillon::yield_now().await;
        drop(there);
        assert_eq!(task.await.unwrap(), (true, true));
        assert_eq!(reader.get(), Some(0));
    });
}
