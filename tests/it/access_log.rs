//! The line that each response leaves, in all its forms, and what is counted beside it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tourbillon::server::{AccessLog, Body, Config, Request, Response};
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep};

use super::server_support::{Served, config, serve_with, server_of};
use crate::support::{collect_logs, logged_with};

fn served(access_log: AccessLog) -> Served {
    collect_logs();
    let config = Config {
        access_log,
        ..config()
    };
    serve_with(config, || {
        Router::new()
            .get("/ping", async |_| "pong")
            .get("/stream/{id}", async |_| {
                Body::stream(async |mut writer| {
                    writer.write("123").await?;
                    sleep(Duration::from_millis(2)).await;
                    writer.write("4567").await?;
                    Ok(())
                })
            })
            .get("/fails/{id}", async |_| {
                Body::stream(async |mut writer| {
                    writer.write("123").await?;
                    Err(std::io::ErrorKind::Other.into())
                })
            })
            .get("/never/{id}", async |_| std::future::pending::<()>().await)
            .get("/behind/{id}", async |mut request: Request| {
                request.set_client("192.0.2.7:443".parse::<SocketAddr>().unwrap());
                request.set_route(Rc::from("/behind/{id}"));
                assert_eq!(request.client().unwrap().port(), 443);
                Response::text("ok").with_header("x-request-id", "abc\u{e9}")
            })
    })
}

/// The one line with this in it, up to its end.
#[track_caller]
fn line(word: &str) -> String {
    let lines = logged_with(word);
    let [line] = &lines[..] else {
        panic!("{lines:?}")
    };
    line.strip_prefix("INFO ").expect("level info").to_owned()
}

/// Milliseconds in a line, as a `T`, so that the rest can be compared.
fn without_time(line: &str) -> String {
    let (rest, time) = line.strip_suffix(" ms").unwrap().rsplit_once(' ').unwrap();
    assert!(time.parse::<f64>().unwrap() < 60_000.0, "{line}");
    format!("{rest} T ms")
}

#[test]
fn a_plain_line_is_uvicorns_with_size_and_duration() {
    let served = served(AccessLog::default());
    let mut client = served.connect();
    let from = client.stream.local_addr().unwrap();
    client.get("/stream/plain?q=%22x");
    let expected = format!("{from} - \"GET /stream/plain?q=%22x HTTP/1.1\" 200 OK 7 B T ms");
    assert_eq!(without_time(&line("/stream/plain")), expected);

    client.send("HEAD /stream/headline HTTP/1.1\r\nhost: a\r\n\r\n");
    client.reply_to("HEAD");
    let expected = format!("{from} - \"HEAD /stream/headline HTTP/1.1\" 200 OK 0 B T ms");
    assert_eq!(without_time(&line("/stream/headline")), expected);
}

#[test]
fn a_line_says_how_a_response_ended_otherwise() {
    let served = served(AccessLog::default());
    let mut client = served.connect();
    client.send("GET /fails/cut HTTP/1.1\r\nhost: a\r\n\r\n");
    client.rest_up_to_a_cut();
    let cut = line("/fails/cut");
    assert!(cut.contains("\" 200 OK 3 B "), "{cut}");
    assert!(
        cut.ends_with(" ms (the response was not finished)"),
        "{cut}"
    );

    let (mut client, mut other) = (served.connect(), served.connect());
    client.send("GET /never/left HTTP/1.1\r\nhost: a\r\n\r\n");
    other.settle();
    client.reset();
    served.wait_until(|counts| counts.open == 1);
    let left = line("/never/left");
    assert!(left.contains("\" 499 0 B "), "{left}");

    let mut client = served.connect();
    let from = client.stream.local_addr().unwrap();
    client.send("GET /refused\0 HTTP/1.1\r\n\r\n");
    client.reply();
    client.assert_closed();
    let refused = line(&format!("{from} - "));
    assert!(refused.contains(" - \"-\" 400 Bad Request "), "{refused}");
    assert!(refused.contains(" ms (the request target"), "{refused}");
}

#[test]
fn a_head_that_took_too_long_has_a_line() {
    collect_logs();
    let config = Config {
        head_timeout: Duration::from_millis(20),
        access_log: AccessLog::default(),
        ..config()
    };
    let served = serve_with(config, Router::new);
    let mut client = served.connect();
    let from = client.stream.local_addr().unwrap();
    client.send("GET /too-slow");
    assert_eq!(client.reply().status, 408);
    let slow = line(&format!("{from} - "));
    assert!(slow.contains(" - \"-\" 408 Request Timeout "), "{slow}");
    assert!(
        slow.ends_with(" ms (a head took longer than head_timeout)"),
        "{slow}"
    );
}

#[test]
fn a_pattern_has_gunicorns_atoms() {
    let pattern = concat!(
        "atoms %(h)s %(l)s %(u)s \"%(r)s\" %(m)s %(U)s %(q)s %(H)s %(s)s %(B)s %(b)s ",
        "%(f)s \"%(a)s\" %(T)s %(p)s %(X)s %({x-odd}i)s %({x-request-id}o)s %({none}i)s 100%%"
    );
    let served = served(AccessLog::pattern(pattern).unwrap());
    let mut client = served.connect();
    client.send(
        "GET /behind/atoms?a=b HTTP/1.1\r\nhost: a\r\nuser-agent: a\"b\\c\tné\r\n\
         x-odd: 1\r\nX-ODD: 2\r\n\r\n",
    );
    client.reply();
    let pid = std::process::id();
    let expected = format!(
        "atoms 192.0.2.7 - - \"GET /behind/atoms?a=b HTTP/1.1\" GET /behind/atoms a=b HTTP/1.1 \
         200 2 2 - \"a\\\"b\\\\c\\x09né\" 0 <{pid}> + 1 abcé - 100%"
    );
    assert_eq!(line("/behind/atoms"), expected);
}

#[test]
fn times_are_written_in_four_units_and_as_a_date() {
    let served = served(AccessLog::pattern("units %(t)s %(T)s %(M)s %(D)s %(L)s %(U)s").unwrap());
    served.connect().get("/stream/units");
    let line = line("/stream/units");
    let words: Vec<&str> = line.split(' ').collect();
    let [_, day, zone, seconds, ms, us, decimal, _] = words[..] else {
        panic!("{line}")
    };
    assert_eq!((day.len(), zone), ("[22/Nov/2026:15:04:05".len(), "+0000]"));
    assert_eq!(&day[3..4], "/");
    let (s, ms): (u64, u64) = (seconds.parse().unwrap(), ms.parse().unwrap());
    let us: u64 = us.parse().unwrap();
    assert!(us >= 2000, "it slept for 2 ms: {line}");
    assert_eq!((us / 1000, us / 1_000_000), (ms, s));
    let decimal: f64 = decimal.parse().unwrap();
    assert!((decimal - us as f64 / 1e6).abs() < 2e-6, "{line}");
}

#[test]
fn a_json_line_is_an_object_with_what_is_known() {
    let served = served(AccessLog::json());
    let mut client = served.connect();
    client.send("GET /behind/json HTTP/1.1\r\nhost: a\r\nreferer: \"\\\x01\r\n\r\n");
    assert_eq!(
        client.reply().status,
        400,
        "a control character is no value"
    );
    let mut client = served.connect();
    client.send("GET /behind/json HTTP/1.1\r\nhost: a\r\nreferer: \"\\é\r\n\r\n");
    client.reply();
    let line = line("/behind/json");
    let (head, rest) = line.split_once(",\"client\"").unwrap();
    assert!(head.starts_with("{\"time\":1"), "{line}");
    let (middle, tail) = rest.split_once(",\"seconds\":0.").unwrap();
    assert_eq!(
        middle,
        ":\"192.0.2.7:443\",\"method\":\"GET\",\"target\":\"/behind/json\",\
         \"version\":\"HTTP/1.1\",\"status\":200,\"bytes\":2"
    );
    let (_, tail) = tail.split_once(',').unwrap();
    assert_eq!(
        tail,
        "\"end\":\"complete\",\"route\":\"/behind/{id}\",\"referer\":\"\\\"\\\\é\",\
         \"request_id\":\"abcé\"}"
    );
}

#[test]
fn what_is_skipped_is_logged_only_when_it_fails() {
    let skipping = AccessLog::pattern("skips %(r)s %(s)s").unwrap();
    let served = served(skipping.skip("/ping").skip("/fails/skipped"));
    let mut client = served.connect();
    client.get("/ping?skipped=1");
    client.get("/stream/kept");
    client.send("GET /fails/skipped HTTP/1.1\r\nhost: a\r\n\r\n");
    client.rest_up_to_a_cut();
    let lines = logged_with("skips ");
    let expected = [
        "INFO skips GET /stream/kept HTTP/1.1 200",
        "INFO skips GET /fails/skipped HTTP/1.1 200",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn the_state_counts_responses_bytes_and_durations() {
    let mut runtime = Runtime::new().unwrap();
    let app = async |request: Request| {
        if request.path() == "/missing" {
            return Response::text("no").with_status(tourbillon::server::Status::NOT_FOUND);
        }
        sleep(Duration::from_millis(20)).await;
        Response::text("four")
    };
    let state = runtime.block_on(async {
        let mut server = server_of(app, config());
        server.startup().await.unwrap();
        let address = server.local_addr().unwrap();
        let (state, handle) = (server.state(), server.handle());
        let client = std::thread::spawn(move || {
            let mut client = super::server_support::Client::connect(address);
            client.get("/");
            client.get("/missing");
            handle.stop();
        });
        server.main_loop().await;
        server.shutdown().await.unwrap();
        client.join().unwrap();
        state
    });
    let classes: Vec<u64> = (1..=5).map(|class| state.responses(class)).collect();
    assert_eq!(classes, [0, 1, 0, 1, 0]);
    assert_eq!((state.body_bytes_sent(), state.responses_cut_off()), (6, 0));
    assert!(
        state.durations_sum() >= Duration::from_millis(19),
        "{state:?}"
    );
    let counts: Vec<(Option<Duration>, u64)> = state.durations().collect();
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert_eq!(counts[0].0, Some(Duration::from_millis(1)));
    assert_eq!(counts.last().unwrap().0, None);
    let slow: u64 = counts[3..].iter().map(|(_, count)| count).sum();
    assert!(slow >= 1, "one took 20 ms: {counts:?}");
}
