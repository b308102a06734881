//! Clients that leave or fall silent while they are answered, and handlers that panic.

use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::task::{Context, Poll};
use std::time::Duration;
use std::{future, io};

use tokio::sync::Semaphore;
use tourbillon::io::{AsyncRead, AsyncWrite};
use tourbillon::net::PeerState;
use tourbillon::server::{Body, Config, Handler, Request, Response, Transport};
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep, timeout, yield_now};

use super::server_support::{
    Client, DEADLINE, DropGuard, MIB, PING, Served, config, pattern, serve, serve_with, server_of,
};

const SOON: Duration = Duration::from_millis(100);
const NEVER: Duration = Duration::from_secs(3600);

const STUCK: [&str; 3] = ["/never", "/stream", "/flood"];

/// Handlers that do not end by themselves, and say when they are dropped.
fn stuck_app(dropped: Sender<()>) -> Router {
    let (in_stream, in_flood) = (dropped.clone(), dropped.clone());
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/never", async move |_| {
            let _guard = DropGuard(dropped.clone());
            future::pending::<()>().await;
        })
        .get("/stream", async move |_| {
            let guard = DropGuard(in_stream.clone());
            Body::stream(async move |mut writer| {
                let _guard = guard;
                writer.write("begun").await?;
                future::pending().await
            })
        })
        .get("/flood", async move |_| {
            let guard = DropGuard(in_flood.clone());
            Body::stream(async move |mut writer| {
                let _guard = guard;
                loop {
                    writer.write([0; 65_536]).await?;
                }
            })
        })
}

fn serve_stuck(config: Config) -> (Served, Receiver<()>) {
    let (dropped, drops) = mpsc::channel();
    (serve_with(config, move || stuck_app(dropped)), drops)
}

fn patient() -> Config {
    Config {
        half_close_timeout: NEVER,
        write_timeout: NEVER,
        ..config()
    }
}

#[test]
fn a_handler_is_dropped_as_soon_as_its_client_resets() {
    let (served, drops) = serve_stuck(patient());
    let mut other = served.connect();
    for path in STUCK {
        let mut client = served.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        other.settle();
        assert_eq!(drops.try_recv(), Err(TryRecvError::Empty));
        client.reset();
        drops.recv_timeout(DEADLINE).expect(path);
    }
    served.wait_until(|counts| counts.open == 1 && counts.running == 0);
}

#[test]
fn a_handler_is_dropped_when_its_client_has_left_for_half_close_timeout() {
    let (served, drops) = serve_stuck(patient());
    let mut client = served.connect();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut other = served.connect();
    other.settle();
    drop(client);
    other.settle();
    assert_eq!(drops.try_recv(), Err(TryRecvError::Empty));

    let config = Config {
        half_close_timeout: SOON,
        ..patient()
    };
    let (served, drops) = serve_stuck(config);
    for path in ["/never", "/stream"] {
        let mut client = served.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        client.half_close();
        drops.recv_timeout(DEADLINE).expect(path);
        client.rest();
    }
    served.wait_until(|counts| counts.open == 0 && counts.running == 0);
}

#[test]
fn a_half_closed_client_still_gets_its_answers() {
    let served = serve(|| {
        async |_| {
            sleep(Duration::from_millis(50)).await;
            "late"
        }
    });
    let mut clients: Vec<Client> = (0..20).map(|_| served.connect()).collect();
    for client in &mut clients {
        client.send(PING.repeat(2));
        client.half_close();
    }
    for client in &mut clients {
        assert_eq!(client.reply().text(), "late");
        assert_eq!(client.reply().text(), "late");
        client.assert_closed();
    }
}

#[test]
fn a_client_that_takes_in_nothing_is_cut_after_write_timeout() {
    let config = Config {
        write_timeout: SOON,
        ..patient()
    };
    let (served, drops) = serve_stuck(config);
    let mut client = served.connect();
    client.send("GET /flood HTTP/1.1\r\nhost: a\r\n\r\n");
    drops.recv_timeout(DEADLINE).unwrap();
    served.wait_until(|counts| counts.open == 0 && counts.running == 0);
    let got = client.rest_up_to_a_cut();
    assert!(!got.ends_with(b"0\r\n\r\n"), "a cut body has no end");
}

#[test]
fn large_bytes_and_pipelined_answers_nobody_reads_are_cut_after_write_timeout() {
    let config = Config {
        write_timeout: SOON,
        ..patient()
    };
    let served = serve_with(config, || async |_| vec![0; 64 * MIB]);
    let mut client = served.connect();
    client.send(PING.repeat(3));
    served.wait_until(|counts| counts.total == 1 && counts.open == 0);
    assert!(client.rest_up_to_a_cut().len() < 64 * MIB);

    let config = Config {
        write_timeout: SOON,
        ..patient()
    };
    let served = serve_with(config, || async |_| pattern(10_000));
    let client = served.connect();
    let mut writer: TcpStream = client.stream.try_clone().unwrap();
    // The server stops reading when its answers are stuck, so the writer gets stuck as well.
    let flood = PING.repeat(10_000);
    while io::Write::write_all(&mut writer, &flood).is_ok() {}
    served.wait_until(|counts| counts.open == 0);
}

/// A client whose end is half-closed, and that takes in nothing.
struct Stuck {
    sends: &'static [u8],
}

impl AsyncRead for Stuck {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = self.sends.len().min(buf.len());
        let (now, later) = self.sends.split_at(count);
        buf[..count].copy_from_slice(now);
        self.sends = later;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(&mut self, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Transport for Stuck {
    fn poll_peer(&mut self, _: &mut Context<'_>) -> PeerState {
        PeerState::HalfClosed
    }
}

#[test]
fn a_half_closed_client_that_takes_in_nothing_is_cut_as_well() {
    const TWO: &[u8] =
        b"GET /ping HTTP/1.1\r\nhost: a\r\n\r\nGET /never HTTP/1.1\r\nhost: a\r\n\r\n";
    let (dropped, _drops) = mpsc::channel();
    let config = Config {
        write_timeout: SOON,
        half_close_timeout: SOON,
        ..config()
    };
    let mut runtime = Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let server = server_of(stuck_app(dropped), config);
        let serving = pin!(server.serve_connection(Stuck { sends: TWO }, None));
        timeout(Duration::from_secs(5), serving).await
    });
    assert!(
        ended.is_ok(),
        "two timeouts of 100 ms did not end it in 5 s"
    );
}

#[test]
fn bytes_that_come_late_do_not_cost_the_last_answer() {
    let gate = Arc::new(Semaphore::new(0));
    let opens = Arc::clone(&gate);
    let served = serve(move || {
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/large", async move |_| {
            gate.acquire().await.unwrap().forget();
            Body::bytes(pattern(MIB))
        })
    });
    let mut other = served.connect();
    for late in [&b"\r\n"[..], PING] {
        let mut client = served.connect();
        client.send("GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        other.settle();
        client.send(late);
        other.settle();
        opens.add_permits(1);
        other.settle();
        // A close with unread bytes in the socket is a reset, and throws away what is unsent.
        let all = client.rest_up_to_a_cut();
        assert!(
            all.ends_with(&pattern(MIB)),
            "cut after {} bytes",
            all.len()
        );
    }
}

#[test]
fn a_handler_that_panics_costs_its_own_connection_only() {
    let gate = Arc::new(Semaphore::new(0));
    let opens = Arc::clone(&gate);
    let served = serve(move || {
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/early", async |_| -> &str { panic!("planned") })
            .get("/late", async |_| -> &str {
                sleep(Duration::from_millis(1)).await;
                panic!("planned")
            })
            .get("/slow", async move |_| {
                gate.acquire().await.unwrap().forget();
                "slow"
            })
    });
    let mut slow: Vec<Client> = (0..10).map(|_| served.connect()).collect();
    for client in &mut slow {
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    for round in 0..100 {
        let mut client = served.connect();
        let reply = client.get(if round % 2 == 0 { "/early" } else { "/late" });
        assert_eq!((reply.status, reply.closes()), (500, true));
        assert_eq!(reply.text(), "Internal Server Error");
        client.assert_closed();
    }
    opens.add_permits(10);
    for client in &mut slow {
        assert_eq!(client.reply().text(), "slow");
        assert_eq!(client.get("/ping").text(), "pong");
    }
    assert_eq!(served.counts().panics, 100);
    assert_eq!((served.counts().open, served.counts().running), (10, 0));
}

#[test]
fn a_stream_of_another_length_than_declared_is_cut() {
    let served = serve(|| {
        Router::new().get("/{n}", async |request: Request| {
            let n: usize = request.param("n").unwrap().parse().unwrap();
            Body::sized_stream(10, async move |mut writer| {
                writer.write("12345").await?;
                yield_now().await;
                writer.write(vec![b'x'; n - 5]).await?;
                Ok(())
            })
        })
    });
    let mut client = served.connect();
    assert_eq!(client.get("/10").text(), "12345xxxxx");
    for path in ["/9", "/11"] {
        let mut client = served.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        let all = String::from_utf8(client.rest_up_to_a_cut()).unwrap();
        let (head, body) = all.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 10"), "{head}");
        assert!(body.starts_with("12345") && body.len() < 10, "{body}");
    }
    assert_eq!(client.get("/10").status, 200);
}

#[test]
fn a_stream_that_fails_or_panics_has_no_end() {
    let served = serve(|| {
        let broken = async |request: Request| {
            let panics = request.path() == "/panic";
            Body::stream(async move |mut writer| {
                writer.write("begun").await?;
                assert!(!panics, "planned");
                Err(io::Error::other("planned"))
            })
        };
        Router::new().get("/error", broken).get("/panic", broken)
    });
    for path in ["/error", "/panic"] {
        let mut client = served.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        // The missing chunk says enough: a reset could take with it what was made.
        let all = String::from_utf8(client.rest()).unwrap();
        assert!(all.ends_with("\r\n\r\n5\r\nbegun\r\n"), "{all}");
    }
}

/// Panics while it makes its future, which an async function cannot.
struct Hasty;

impl Handler for Hasty {
    fn handle(&self, request: Request) -> impl Future<Output = Response> {
        assert_eq!(request.path(), "/ping", "planned");
        async { Response::text("pong") }
    }
}

#[test]
fn a_handler_that_panics_before_its_future_is_500_as_well() {
    let served = serve(|| Hasty);
    let mut client = served.connect();
    assert_eq!(client.get("/ping").text(), "pong");
    client.send("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n");
    let all = String::from_utf8(client.rest_up_to_a_cut()).unwrap();
    assert!(all.starts_with("HTTP/1.1 500 "), "{all:?}");
    served.wait_until(|counts| counts.open == 0 && counts.running == 0);
}

#[test]
fn a_body_left_with_a_task_of_its_own_is_late() {
    let (outcome, outcomes) = mpsc::channel();
    let served = serve(move || {
        async move |request: Request| {
            let (mut body, outcome) = (request.into_body(), outcome.clone());
            tourbillon::spawn(async move { outcome.send(body.chunk().await).unwrap() }).detach();
            "done"
        }
    });
    let mut client = served.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n");
    assert_eq!(client.reply().text(), "done");
    client.send("tick");
    let outcome = outcomes.recv_timeout(DEADLINE).unwrap();
    assert_eq!(outcome, Err(tourbillon::server::BodyError::Late));
    assert_eq!(client.get("/").text(), "done");
}
