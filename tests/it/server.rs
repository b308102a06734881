//! The whole server over real sockets: what a well-behaved client sees.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;

use tokio::sync::Semaphore;
use tourbillon::server::{Body, IntoResponse, Request, Response, Status};
use tourbillon::web::Router;

use super::server_support::{MIB, PING, pattern, serve};

async fn echo(request: Request) -> Response {
    let mut body = request.into_body();
    let made = Body::stream(async move |mut writer| {
        while let Some(piece) = body.chunk().await? {
            writer.write(piece).await?;
        }
        Ok(())
    });
    Response::new(Status::OK).with_body(made)
}

async fn collect(request: Request) -> Response {
    match request.into_body().collect(4 * MIB).await {
        Ok(all) => all.into_response(),
        Err(error) => error.into_response(),
    }
}

fn echo_app() -> Router {
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/echo", async |_| "nothing to echo")
        .post("/echo", echo)
        .post("/collect", collect)
        .post("/ignore", async |_| "ignored")
}

#[test]
fn an_http_11_connection_stays_until_it_is_told_to_close() {
    let served = serve(echo_app);
    let mut client = served.connect();
    for _ in 0..3 {
        let reply = client.get("/ping");
        assert_eq!((reply.status, reply.text()), (200, "pong"));
        assert_eq!(reply.field("connection"), None);
    }
    client.send("GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert!(client.reply().closes());
    client.assert_closed();
    assert_eq!((served.counts().total, served.counts().requests), (1, 4));
}

#[test]
fn an_http_10_connection_closes_unless_it_is_asked_to_stay() {
    let served = serve(echo_app);
    let mut client = served.connect();
    for _ in 0..3 {
        client.send("GET /ping HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n");
        let reply = client.reply();
        assert_eq!(reply.text(), "pong");
        assert_eq!(reply.field("connection"), Some("keep-alive"));
    }
    client.send("GET /ping HTTP/1.0\r\n\r\n");
    assert!(client.reply().closes());
    client.assert_closed();
}

#[test]
fn nothing_is_answered_after_an_announced_close() {
    let served = serve(echo_app);
    let mut client = served.connect();
    let last = "GET /ping HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    client.send([last.as_bytes(), PING, PING].concat());
    assert!(client.reply().closes());
    client.assert_closed();
    assert_eq!(served.counts().requests, 1);
}

#[test]
fn a_thousand_requests_in_one_write_are_answered_in_order() {
    let app = || Router::new().get("/{n}", async |r: Request| r.param("n").unwrap().to_owned());
    let served = serve(app);
    let mut client = served.connect();
    let all: String = (0..1000)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n"))
        .collect();
    let mut writer = client.stream.try_clone().unwrap();
    let sending = thread::spawn(move || writer.write_all(all.as_bytes()).unwrap());
    for n in 0..1000 {
        assert_eq!(client.reply().text(), n.to_string());
    }
    sending.join().unwrap();
    assert_eq!(client.get("/on").text(), "on");
}

#[test]
fn requests_behind_a_slow_one_wait_for_it_and_answers_before_it_do_not() {
    let gate = Arc::new(Semaphore::new(0));
    let opens = Arc::clone(&gate);
    let served = serve(move || {
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/slow", async move |_| {
                gate.acquire().await.unwrap().forget();
                "slow"
            })
    });
    let mut client = served.connect();
    let slow = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send([PING, slow, PING, PING].concat());
    assert_eq!(client.reply().text(), "pong");
    served.connect().settle();
    client.assert_silent();
    opens.add_permits(1);
    for text in ["slow", "pong", "pong"] {
        assert_eq!(client.reply().text(), text);
    }
}

#[test]
fn a_request_may_come_in_any_two_pieces() {
    let served = serve(echo_app);
    let mut other = served.connect();
    let head = "POST /collect HTTP/1.1\r\nhost: a\r\n";
    let requests = [
        ("GET /ping HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "pong"),
        (format!("{head}content-length: 4\r\n\r\ntick"), "tick"),
        (
            format!("{head}transfer-encoding: chunked\r\n\r\n2\r\nti\r\n2;x=y\r\nck\r\n0\r\n\r\n"),
            "tick",
        ),
    ];
    for (request, answer) in requests {
        let mut client = served.connect();
        for cut in 1..request.len() {
            client.send(&request[..cut]);
            other.settle();
            client.assert_silent();
            client.send(&request[cut..]);
            let reply = client.reply();
            assert_eq!((reply.status, reply.text()), (200, answer), "cut at {cut}");
        }
        // And both halves of two neighbours in one piece.
        client.send(request.repeat(2));
        assert_eq!(client.reply().text(), answer);
        assert_eq!(client.reply().text(), answer);
    }
}

#[test]
fn head_gets_the_head_of_get_and_no_body() {
    let served = serve(|| {
        Router::new()
            .get("/text", async |_| "0123456789")
            .get("/large", async |_| vec![0; MIB])
            .get("/sized", async |_| {
                Body::sized_stream(7, async |_| panic!("nobody wants this body"))
            })
            .get("/chunked", async |_| {
                Body::stream(async |_| panic!("nobody wants this body"))
            })
    });
    let mut client = served.connect();
    for (path, length) in [
        ("/text", Some("10")),
        ("/large", Some("1048576")),
        ("/sized", Some("7")),
        ("/chunked", None),
    ] {
        client.send(format!("HEAD {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let reply = client.reply_to("HEAD");
        assert_eq!((reply.status, reply.field("content-length")), (200, length));
        let coding = length.is_none().then_some("chunked");
        assert_eq!(reply.field("transfer-encoding"), coding);
    }
    assert_eq!(client.get("/text").text(), "0123456789");
    assert_eq!(served.counts().panics, 0);
}

#[test]
fn a_body_is_echoed_while_it_comes() {
    let served = serve(echo_app);
    let mut client = served.connect();
    let all = pattern(MIB);
    for is_chunked in [false, true] {
        let framing = if is_chunked {
            "transfer-encoding: chunked".to_owned()
        } else {
            format!("content-length: {MIB}")
        };
        client.send(format!(
            "POST /echo HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n"
        ));
        // The answer begins with the first piece of the body, long before its end.
        let first = &all[..10];
        send_piece(&mut client.stream, first, is_chunked);
        assert_eq!(client.line(), "HTTP/1.1 200 OK");
        while !client.line().is_empty() {}
        assert_eq!(client.chunk().unwrap(), first);

        let (rest, mut writer) = (all[10..].to_vec(), client.stream.try_clone().unwrap());
        let sending = thread::spawn(move || {
            for piece in rest.chunks(30_011) {
                send_piece(&mut writer, piece, is_chunked);
            }
            if is_chunked {
                writer.write_all(b"0\r\n\r\n").unwrap();
            }
        });
        let mut echoed = first.to_vec();
        while let Some(piece) = client.chunk() {
            echoed.extend(piece);
        }
        sending.join().unwrap();
        assert!(echoed == all, "chunked: {is_chunked}");
    }
    assert_eq!(client.get("/ping").text(), "pong");
}

fn send_piece(stream: &mut impl Write, piece: &[u8], is_chunked: bool) {
    if is_chunked {
        let framed = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        stream.write_all(&framed).unwrap();
    } else {
        stream.write_all(piece).unwrap();
    }
}

#[test]
fn a_body_nobody_reads_is_skipped_if_it_is_small_and_ends_the_connection_if_not() {
    let served = serve(echo_app);
    let mut client = served.connect();
    for (len, stays) in [(1, true), (60_000, true), (MIB, false)] {
        let head = format!("POST /ignore HTTP/1.1\r\nhost: a\r\ncontent-length: {len}\r\n\r\n");
        client.send([head.as_bytes(), &pattern(len)].concat());
        let reply = client.reply();
        assert_eq!((reply.text(), reply.closes()), ("ignored", !stays));
    }
    client.assert_closed();
}

#[test]
fn the_rest_of_a_body_read_halfway_is_never_taken_for_a_request() {
    let served = serve(|| {
        let read_once =
            async |request: Request| request.into_body().chunk().await.unwrap().unwrap();
        let router = Router::new().get("/ping", async |_| "pong");
        router.post("/once", read_once)
    });
    let forged = "GET /forged HTTP/1.1\r\nhost: a\r\n\r\n";
    let head = "POST /once HTTP/1.1\r\nhost: a\r\n";
    let mut client = served.connect();
    client.send(format!(
        "{head}content-length: {}\r\n\r\ntick",
        4 + forged.len()
    ));
    let reply = client.reply();
    assert_eq!((reply.text(), reply.closes()), ("tick", false));
    client.send([forged.as_bytes(), PING].concat());
    assert_eq!(client.reply().text(), "pong");
    // Where the rest ends is not known of a chunked body, so the connection ends instead.
    client.send(format!(
        "{head}transfer-encoding: chunked\r\n\r\n4\r\ntick\r\n"
    ));
    let reply = client.reply();
    assert_eq!((reply.text(), reply.closes()), ("tick", true));
    client.send(forged);
    client.half_close();
    client.assert_closed();
    assert_eq!(served.counts().requests, 3);
}

#[test]
fn a_client_that_pipelines_without_end_does_not_keep_others_waiting() {
    let served = serve(echo_app);
    let greedy = served.connect();
    let (mut writer, mut reader) = (greedy.stream.try_clone().unwrap(), greedy.stream);
    let writing = thread::spawn(move || while writer.write_all(&PING.repeat(1000)).is_ok() {});
    let reading = thread::spawn(move || {
        let mut taken = vec![0; 64 * 1024];
        let mut left = 50 * taken.len();
        while left > 0 {
            left = left.saturating_sub(reader.read(&mut taken).unwrap());
        }
        reader.shutdown(std::net::Shutdown::Both).unwrap();
    });
    let mut other = served.connect();
    while !reading.is_finished() {
        other.settle();
    }
    reading.join().unwrap();
    writing.join().unwrap();
}

#[test]
fn a_hundred_is_sent_when_the_handler_first_asks_for_the_body() {
    let gate = Arc::new(Semaphore::new(0));
    let opens = Arc::clone(&gate);
    let served = serve(move || {
        let router = Router::new().get("/ping", async |_| "pong");
        router.post("/", async move |request: Request| {
            gate.acquire().await.unwrap().forget();
            collect(request).await
        })
    });
    let mut client = served.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n");
    served.connect().settle();
    client.assert_silent();
    opens.add_permits(1);
    assert_eq!(client.reply().status, 100);
    served.connect().settle();
    client.assert_silent();
    client.send("tick");
    let reply = client.reply();
    assert_eq!((reply.status, reply.text()), (200, "tick"));
    assert_eq!(client.get("/ping").text(), "pong");
}

#[test]
fn a_hundred_is_sent_when_the_response_will_read_the_body() {
    let served = serve(echo_app);
    let mut client = served.connect();
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n";
    client.send(format!("{head}expect: 100-continue\r\n\r\n"));
    assert_eq!(client.reply().status, 100);
    client.send("tick");
    let reply = client.reply();
    assert_eq!(
        (reply.status, reply.text(), reply.closes()),
        (200, "tick", false)
    );
}

#[test]
fn no_hundred_is_sent_to_a_client_whose_answer_is_ready() {
    let served = serve(echo_app);
    let mut client = served.connect();
    let head = "POST /ignore HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n";
    client.send(format!("{head}expect: 100-continue\r\n\r\n"));
    let reply = client.reply();
    // Whether the body still comes cannot be known, so the connection cannot be used again.
    assert_eq!((reply.status, reply.closes()), (200, true));
    client.half_close();
    client.assert_closed();
}

#[test]
fn an_http_10_stream_ends_with_the_connection() {
    let served = serve(|| {
        async |_| {
            Body::stream(async |mut writer| {
                for _ in 0..100 {
                    writer.write(pattern(10_000)).await?;
                }
                Ok(())
            })
        }
    });
    for field in ["", "connection: keep-alive\r\n"] {
        let mut client = served.connect();
        client.send(format!("GET / HTTP/1.0\r\n{field}\r\n"));
        let reply = client.reply();
        assert!(reply.closes() && reply.field("transfer-encoding").is_none());
        assert!(reply.body == pattern(10_000).repeat(100));
    }
}

type Made = fn() -> Response;

#[test]
fn what_handlers_return_becomes_the_response_it_should() {
    let text = Some("text/plain; charset=utf-8");
    let bytes = Some("application/octet-stream");
    let error = || io::Error::other("planned");
    let cases: [(Made, u16, &str, Option<&str>); 14] = [
        (|| "a".into_response(), 200, "a", text),
        (|| String::from("b").into_response(), 200, "b", text),
        (|| Cow::Borrowed("c").into_response(), 200, "c", text),
        (|| (b"d" as &[u8]).into_response(), 200, "d", bytes),
        (|| vec![b'e'].into_response(), 200, "e", bytes),
        (
            || Body::bytes("f".as_bytes()).into_response(),
            200,
            "f",
            None,
        ),
        (|| ().into_response(), 204, "", None),
        (|| Status::NOT_FOUND.into_response(), 404, "Not Found", text),
        (|| (Status::CREATED, "g").into_response(), 201, "g", text),
        (|| Some("h").into_response(), 200, "h", text),
        (|| None::<&str>.into_response(), 404, "Not Found", text),
        (|| Ok::<_, Status>("i").into_response(), 200, "i", text),
        (
            || Err::<(), _>((Status::CONFLICT, "j")).into_response(),
            409,
            "j",
            text,
        ),
        (|| Status::new(304).into_response(), 304, "", None),
    ];
    let served = serve(move || {
        Router::new()
            .get("/error", async move |_| Err::<(), _>(error()))
            .get("/{n}", async move |request: Request| {
                let n: usize = request.param("n").unwrap().parse().unwrap();
                (cases[n].0)()
            })
    });
    let mut client = served.connect();
    for (n, (_, status, body, content_type)) in cases.iter().enumerate() {
        let reply = client.get(&format!("/{n}"));
        assert_eq!((reply.status, reply.text()), (*status, *body), "case {n}");
        assert_eq!(reply.field("content-type"), *content_type, "case {n}");
    }
    // What went wrong inside is for the log only.
    let reply = client.get("/error");
    assert_eq!((reply.status, reply.text()), (500, "Internal Server Error"));
}

#[test]
fn a_field_that_would_forge_a_response_is_refused() {
    let served = serve(|| {
        async |request: Request| {
            let (name, value) = match request.path() {
                "/value" => ("x-name", "a\r\nset-cookie: b"),
                "/name" => ("x-name\r\nset-cookie", "b"),
                _ => ("x-name", "a\nb\0"),
            };
            Response::text("never").with_header(name, value)
        }
    });
    let mut client = served.connect();
    for path in ["/value", "/name", "/line"] {
        let reply = client.get(path);
        assert_eq!((reply.status, reply.text()), (500, "Internal Server Error"));
        assert_eq!(
            (reply.field("set-cookie"), reply.field("x-name")),
            (None, None)
        );
    }
}

#[test]
fn the_application_may_close_but_not_frame() {
    let served = serve(|| {
        async |request: Request| {
            let mut response = Response::text("four");
            let headers = response.headers_mut();
            headers.insert("content-length", "400").unwrap();
            headers.insert("transfer-encoding", "chunked").unwrap();
            headers
                .insert("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .unwrap();
            headers.insert("x-kept", "yes").unwrap();
            if request.path() == "/close" {
                headers.insert("connection", "x, Close").unwrap();
            }
            response
        }
    });
    let mut client = served.connect();
    let reply = client.get("/");
    assert_eq!(
        (reply.text(), reply.field("content-length")),
        ("four", Some("4"))
    );
    assert_eq!(reply.field("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(
        (reply.field("x-kept"), reply.closes()),
        (Some("yes"), false)
    );
    let reply = client.get("/close");
    assert_eq!((reply.text(), reply.closes()), ("four", true));
    client.assert_closed();
}
