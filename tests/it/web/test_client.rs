//! An application asked without a port: time, leaving, lifespan, streams.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tourbillon::client::ClientRequest;
use tourbillon::server::{Body, Config, Lifespan, Request, Server, Status};
use tourbillon::web::middleware::body_limit;
use tourbillon::web::{Router, TestClient};
use tourbillon::{sleep, spawn_blocking};

fn get(target: &str) -> ClientRequest {
    ClientRequest::new("GET", target).unwrap()
}

#[test]
fn time_moves_when_it_is_moved_or_when_all_wait() {
    let mut client = TestClient::new(async |request: Request| {
        let hours: u64 = request.path()[1..].parse().unwrap();
        sleep(Duration::from_secs(3600 * hours)).await;
        format!("{hours} h")
    });
    let (two, three) = (client.begin(get("/2")), client.begin(get("/3")));
    client.advance(Duration::from_secs(2 * 3600 - 1));
    assert!(!two.is_finished() && !three.is_finished());
    client.advance(Duration::from_secs(1));
    assert!(two.is_finished() && !three.is_finished());
    assert_eq!(client.get("/9").text(), "9 h");
    assert!(
        three.is_finished(),
        "all that was due on the way has happened"
    );
    let answer = client.block_on(three).unwrap().unwrap();
    assert_eq!((answer.status(), answer.bytes()), (Status::OK, &b"3 h"[..]));
}

#[test]
fn a_request_that_is_dropped_is_a_client_that_leaves() {
    struct Guard(Rc<Cell<bool>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let was_dropped = Rc::new(Cell::new(false));
    let guard = Rc::clone(&was_dropped);
    let mut client = TestClient::new(async move |_| {
        let _guard = Guard(Rc::clone(&guard));
        std::future::pending::<()>().await;
    });
    let pending = client.begin(get("/"));
    client.advance(Duration::ZERO);
    assert!(!was_dropped.get());
    pending.abort();
    client.advance(Duration::ZERO);
    assert!(was_dropped.get());
    client.close().unwrap();
}

#[test]
fn the_lifespan_begins_and_ends_with_the_client() {
    let ended = Rc::new(Cell::new(0));
    let told = Rc::clone(&ended);
    let lifespan = Lifespan::new(async || Ok::<_, String>(Cell::new(0))).on_shutdown(
        async move |count: Rc<Cell<u32>>| {
            told.set(count.get());
            Ok::<_, String>(())
        },
    );
    let app = async |request: Request| {
        let count = request.state::<Cell<u32>>().unwrap();
        count.set(count.get() + 1);
        count.get().to_string()
    };
    let server = Server::new(app, Config::default()).with_lifespan(lifespan);
    let mut client = TestClient::of(server).unwrap();
    for expected in ["1", "2", "3"] {
        assert_eq!(client.get("/").text(), expected);
    }
    client.close().unwrap();
    assert_eq!(ended.get(), 3);
    let fails = Lifespan::new(async || Err::<(), _>("no database".to_owned()));
    let server = Server::new(async |_| "never", Config::default()).with_lifespan(fails);
    let error = TestClient::of(server).unwrap_err();
    assert!(error.to_string().contains("no database"), "{error}");
}

#[test]
fn jobs_streams_and_large_bodies_are_awaited() {
    let app = Router::new()
        .get("/job", async |_| {
            spawn_blocking(|| "from a worker").await.unwrap()
        })
        .get("/stream", async |request: Request| {
            let draining = request.draining();
            Body::stream(async move |mut writer| {
                for _ in 0..100 {
                    writer.write([b'x'; 10_000]).await?;
                    sleep(Duration::from_millis(1)).await;
                }
                writer
                    .write([b'0' + u8::from(draining.is_draining())])
                    .await?;
                Ok(())
            })
        })
        .post("/echo", async |r: Request| {
            r.into_body().collect(10_000_000).await
        });
    let mut client = TestClient::new(app);
    assert_eq!(client.get("/job").text(), "from a worker");
    let stream = client.get("/stream");
    assert_eq!(
        (stream.bytes().len(), stream.bytes().last()),
        (1_000_001, Some(&b'0'))
    );
    let body = vec![7; 3_000_000];
    let post = ClientRequest::new("POST", "/echo").unwrap();
    assert_eq!(client.send(post.with_body(body.clone())).bytes(), body);
    let chunks = body.chunks(100_000).map(<[u8]>::to_vec);
    let post = ClientRequest::new("POST", "/echo")
        .unwrap()
        .with_chunks(chunks);
    assert_eq!(client.send(post).bytes(), body);
}

/// As a client over a socket has it: a server that refuses a body may close before it has read
/// all of it, and what it says of that is the answer.
#[test]
fn a_long_body_that_is_refused_is_an_answer() {
    let app = Router::new()
        .post("/", async |_| "taken")
        .layer(body_limit(10));
    let mut client = TestClient::new(app);
    let post = ClientRequest::new("POST", "/").unwrap();
    let answer = client.send(post.with_body(vec![b'x'; 4 * 1024 * 1024]));
    assert_eq!(answer.status(), Status::CONTENT_TOO_LARGE);
}
