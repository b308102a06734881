//! How much clients may take: of a server's time by dripping, and of one connection.

use std::time::Duration;

use tourbillon::http::CloseReason as HttpReason;
use tourbillon::server::{BodyError, CloseReason, Config, Handler, Request, Status};
use tourbillon::web::Router;
use tourbillon::{sleep, timeout};

use super::server_support::{PING, Served, config, serve_with};
use super::timed_scene::Scene;

// Bodies that drip.

const GRACE: u64 = 5;
const BODY_TIMEOUT: u64 = 30;
const RATE: usize = 240;

async fn collect(request: Request) -> Result<String, BodyError> {
    let body = request.into_body().collect(usize::MAX).await?;
    Ok(format!("took {}", body.len()))
}

/// What the client has sent so far is a head and, it may be, some of its body.
fn scene(app: impl Handler, sent: &[u8]) -> Scene {
    Scene::new(config(), app, sent, false, usize::MAX)
}

fn post(framing: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n").into_bytes()
}

fn text_of(scene: &Scene) -> String {
    String::from_utf8(scene.received()).unwrap()
}

/// Asserts that it is cut after so many seconds, and told so.
#[track_caller]
fn assert_too_slow(mut scene: Scene, sends: &[u8], after: u64) {
    let mut told_after = 0;
    while text_of(&scene).is_empty() {
        assert!(told_after < 1000, "it is held for ever");
        scene.pass_second(sends, 0);
        told_after += 1;
    }
    assert_eq!(told_after, after, "it was told {:?}", text_of(&scene));
    let text = text_of(&scene);
    assert!(text.starts_with("HTTP/1.1 408 "), "{text:?}");
    assert!(text.contains("\r\nconnection: close\r\n"), "{text:?}");
    let (_, reason) = scene.end(b"", 0);
    assert_eq!(reason, CloseReason::Http(HttpReason::ServerAsked));
}

#[test]
fn a_body_that_drips_is_cut_when_the_grace_is_over() {
    let head = post("content-length: 10000");
    assert_too_slow(scene(collect, &head), b"x", GRACE + 1);
    assert_too_slow(scene(collect, &head), b"", GRACE);
    let head = post("transfer-encoding: chunked");
    assert_too_slow(scene(collect, &head), b"1\r\nx\r\n", GRACE + 1);
    // The rate is that of the body, not of what surrounds it.
    let fat = [b"1;", &[b'x'; 300][..], b"\r\nx\r\n"].concat();
    assert_too_slow(scene(collect, &head), &fat, GRACE + 1);
}

#[test]
fn a_body_at_the_least_rate_is_taken_however_long_it_is() {
    let seconds = 20 * GRACE;
    let head = post(&format!("content-length: {}", RATE as u64 * seconds));
    let mut scene = scene(collect, &head);
    for _ in 0..seconds {
        assert_eq!(text_of(&scene), "");
        scene.pass_second(&[b'x'; RATE], 0);
    }
    assert!(text_of(&scene).ends_with("took 24000"));
    assert_eq!(scene.reason.get(), None);
}

#[test]
fn what_came_early_buys_time_at_the_least_rate() {
    let mut sent = post("content-length: 100000");
    sent.extend([b'x'; 12 * RATE]);
    assert_too_slow(scene(collect, &sent), b"", GRACE + 12);
    // But not more than body_timeout at a time.
    let mut sent = post("content-length: 100000");
    sent.extend([b'x'; 100 * RATE]);
    assert_too_slow(scene(collect, &sent), b"", BODY_TIMEOUT);
}

#[test]
fn the_handlers_own_time_is_not_its_clients() {
    let slow_reader = async |request: Request| {
        let mut body = request.into_body();
        let mut pieces = 0;
        while body.chunk().await?.is_some() {
            pieces += 1;
            sleep(Duration::from_secs(GRACE * 3)).await;
        }
        Ok::<_, BodyError>(format!("read {pieces}"))
    };
    let head = post("content-length: 3");
    let mut scene = scene(slow_reader, &[&head[..], b"x"].concat());
    // Twice the handler waits for two seconds, and three times it sleeps for fifteen.
    for _ in 0..2 {
        (0..GRACE * 3 + 1).for_each(|_| scene.pass_second(b"", 0));
        scene.pass_second(b"x", 0);
    }
    (0..GRACE * 3).for_each(|_| scene.pass_second(b"", 0));
    let text = text_of(&scene);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text:?}");
}

#[test]
fn a_wait_that_was_given_up_is_not_the_clients() {
    let distracted = async |request: Request| {
        let mut body = request.into_body();
        let mut pieces = 0;
        loop {
            match timeout(Duration::from_secs(1), body.chunk()).await {
                Ok(Ok(Some(_))) => pieces += 1,
                Ok(Ok(None)) => return format!("read {pieces}"),
                Ok(Err(error)) => return error.to_string(),
                // Something else has to be done first.
                Err(_) => sleep(Duration::from_secs(GRACE * 3)).await,
            }
        }
    };
    let mut scene = scene(distracted, &post("content-length: 2"));
    // It waits for a second, twice, and for longer than the rate allows it does not.
    for _ in 0..2 {
        (0..GRACE * 3 + 1).for_each(|_| scene.pass_second(b"", 0));
        scene.pass_second(b"x", 0);
    }
    (0..GRACE * 3 + 1).for_each(|_| scene.pass_second(b"", 0));
    let text = text_of(&scene);
    assert!(text.ends_with("read 2"), "{text:?}");
}

#[test]
fn without_a_rate_only_silence_is_cut() {
    let config = || Config {
        body_rate_min: 0,
        ..config()
    };
    let head = post("content-length: 1000");
    let scene = |sent: &[u8]| Scene::new(config(), collect, sent, false, usize::MAX);
    assert_too_slow(scene(&head), b"", BODY_TIMEOUT);
    let mut dripping = scene(&head);
    (0..999).for_each(|_| dripping.pass_second(b"x", 0));
    assert_eq!(text_of(&dripping), "");
    dripping.pass_second(b"x", 0);
    assert!(text_of(&dripping).ends_with("took 1000"));
}

// Requests on one connection.

fn pings(max: u64) -> Served {
    let config = Config {
        requests_per_connection_max: max,
        ..config()
    };
    serve_with(config, || Router::new().get("/ping", async |_| "pong"))
}

#[test]
fn the_last_request_of_a_connection_announces_the_close() {
    let served = pings(3);
    let mut client = served.connect();
    for number in 1..=3 {
        assert_eq!(client.get("/ping").closes(), number == 3);
    }
    client.half_close();
    client.assert_closed();
    // Those behind it in one write are not answered, and the answers arrive all the same.
    let mut client = served.connect();
    client.send(PING.repeat(50));
    for number in 1..=3 {
        assert_eq!(client.reply().closes(), number == 3);
    }
    client.half_close();
    client.assert_closed();
    assert_eq!(served.counts().requests, 6);
}

#[test]
fn a_thousand_requests_are_the_default_and_none_is_one() {
    assert_eq!(Config::default().requests_per_connection_max, 1000);
    assert!(pings(0).connect().get("/ping").closes());
    let served = pings(1000);
    let mut client = served.connect();
    client.send(PING.repeat(1001));
    for number in 1..=1000 {
        assert_eq!(client.reply().closes(), number == 1000);
    }
    client.half_close();
    client.assert_closed();
}

#[test]
fn a_status_of_its_own_says_too_slow() {
    assert_eq!(BodyError::TooSlow.status(), Status::REQUEST_TIMEOUT);
    let error = std::io::Error::from(BodyError::TooSlow);
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
