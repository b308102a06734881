//! How long a slow client may hold its connection, on a clock moved by hand.

use std::time::Duration;

use tourbillon::http::CloseReason as HttpReason;
use tourbillon::server::{Body, CloseReason, Config, Request};
use tourbillon::web::Router;
use tourbillon::{sleep, timeout};

use super::server_support::{PING, config, pattern};
use super::timed_scene::Scene;

const HALF_CLOSE_TIMEOUT: u64 = 5;
const BODY_TIMEOUT: u64 = 30;

fn scene(sent: &[u8], is_half_closed: bool, room: usize) -> Scene {
    let config = Config {
        half_close_timeout: Duration::from_secs(HALF_CLOSE_TIMEOUT),
        body_timeout: Duration::from_secs(BODY_TIMEOUT),
        body_rate_min: 0,
        ..config()
    };
    Scene::new(config, app(), sent, is_half_closed, room)
}

fn app() -> Router {
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/never", async |_| std::future::pending::<&str>().await)
        .get("/slow", async |_| {
            sleep(Duration::from_secs(3)).await;
            "slow"
        })
        .get("/large", async |_| pattern(100_000))
        .get("/flood", async |_| {
            Body::stream(async |mut writer| {
                loop {
                    writer.write([0; 1024]).await?;
                }
            })
        })
        .get("/ticks", async |_| {
            Body::stream(async |mut writer| {
                loop {
                    writer.write([b'x'; 64]).await?;
                    sleep(Duration::from_secs(3)).await;
                }
            })
        })
        .post("/ignore", async |_| "ignored")
        .post("/impatient", async |request: Request| {
            let almost = Duration::from_secs(BODY_TIMEOUT - 1);
            let _ = timeout(almost, request.into_body().chunk()).await;
            "enough"
        })
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes()
}

#[test]
fn a_half_closed_client_that_reads_byte_by_byte_is_cut_at_half_close_timeout() {
    let (flood, never) = (get("/flood"), [PING, &get("/never")].concat());
    for sent in [flood, never] {
        let mut scene = scene(&sent, true, 0);
        let ended = scene.end(b"", 1);
        assert_eq!(ended, (HALF_CLOSE_TIMEOUT, CloseReason::HalfCloseTimeout));
    }
}

#[test]
fn a_write_that_waits_and_then_succeeds_gives_a_half_closed_client_no_more_time() {
    // The head and each tick go out in two or three seconds, before the next tick.
    let mut scene = scene(&get("/ticks"), true, 120);
    let ended = scene.end(b"", 40);
    assert_eq!(ended, (HALF_CLOSE_TIMEOUT, CloseReason::HalfCloseTimeout));
    let text = scene.received();
    assert!(text.ends_with(b"x\r\n"), "it was not waiting for the maker");
}

#[test]
fn a_client_that_does_not_half_close_may_read_byte_by_byte() {
    let mut scene = scene(&get("/flood"), false, 0);
    for _ in 0..10 * HALF_CLOSE_TIMEOUT {
        scene.pass_second(b"", 1);
    }
    assert_eq!(scene.reason.get(), None);
}

#[test]
fn a_half_closed_client_gets_no_more_time_by_a_further_request() {
    let mut scene = scene(&get("/slow").repeat(2), true, usize::MAX);
    let ended = scene.end(b"", 0);
    assert_eq!(ended, (HALF_CLOSE_TIMEOUT, CloseReason::HalfCloseTimeout));
    assert_eq!(scene.answers(), 1);
}

#[test]
fn a_half_closed_client_may_take_its_time_with_an_answer_that_is_complete() {
    let mut scene = scene(&get("/large"), true, 0);
    let (seconds, reason) = scene.end(b"", 5_000);
    assert_eq!(reason, CloseReason::ClientLeft);
    assert!(seconds > 3 * HALF_CLOSE_TIMEOUT, "after {seconds} s");
    assert!(scene.received().ends_with(&pattern(100_000)));
}

const IGNORED: &[u8] = b"POST /ignore HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n";

#[test]
fn an_unwanted_rest_that_drips_costs_the_connection_after_body_timeout() {
    let mut scene = scene(IGNORED, false, usize::MAX);
    assert_eq!(scene.answers(), 1);
    let (seconds, reason) = scene.end(b"x", 0);
    assert_eq!(reason, CloseReason::Http(HttpReason::RequestUnread));
    // The client goes on sending, and so the close lingers.
    let least = BODY_TIMEOUT..=BODY_TIMEOUT + config().linger_timeout.as_secs();
    assert!(least.contains(&seconds), "after {seconds} s");
}

#[test]
fn an_unwanted_rest_that_comes_in_time_keeps_the_connection() {
    let mut scene = scene(IGNORED, false, usize::MAX);
    for _ in 0..BODY_TIMEOUT - 5 {
        scene.pass_second(b"1234", 0);
    }
    scene.pass_second(PING, 0);
    assert_eq!((scene.answers(), scene.reason.get()), (2, None));
}

#[test]
fn an_unwanted_rest_has_the_whole_body_timeout_from_the_answer() {
    let head = b"POST /impatient HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n";
    let mut scene = scene(head, false, usize::MAX);
    for _ in 0..2 * BODY_TIMEOUT - 5 {
        scene.pass_second(b"", 0);
    }
    assert_eq!((scene.answers(), scene.reason.get()), (1, None));
    scene.pass_second(&[b"tick", PING].concat(), 0);
    assert_eq!((scene.answers(), scene.reason.get()), (2, None));
}
