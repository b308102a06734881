//! Server-sent events: what goes over the wire, and what ends it.

use std::future::pending;
use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use tourbillon::server::{IntoResponse, Request, Response};
use tourbillon::web::{Event, Router, Sse, TestClient, last_event_id};
use tourbillon::yield_now;

use crate::server_support::{Client, DEADLINE, DropGuard, Served, serve};

fn serve_events() -> (Served, mpsc::Receiver<()>) {
    let (sender, dropped) = mpsc::channel();
    let served = serve(move || app(sender));
    (served, dropped)
}

fn app(dropped: Sender<()>) -> Router {
    let quick = Some(Duration::from_secs(1));
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/three", async |request: Request| {
            let next = last_event_id(&request).map_or(0, |id| id.parse::<u32>().unwrap() + 1);
            Sse::new(&request, async move |mut events| {
                for id in next..next + 3 {
                    let event = Event::data(format!("tick\n{id}"))
                        .event("tick")
                        .id(&id.to_string());
                    events.send(event).await?;
                    yield_now().await;
                }
                Ok(())
            })
        })
        .get("/endless", async move |request: Request| -> Response {
            let guard = DropGuard(dropped.clone());
            let events = Sse::new(&request, async move |mut events| {
                let _guard = guard;
                events
                    .send(Event::data("hello").retry(Duration::from_secs(3)))
                    .await?;
                pending().await
            });
            let events = match request.query() {
                Some("stays") => events.ends_on_drain(false),
                _ => events,
            };
            events.keep_alive(None).into_response()
        })
        .get("/silent", async move |request: Request| {
            Sse::new(&request, async |_events| pending().await).keep_alive(quick)
        })
        .get("/forged", async |request: Request| {
            Sse::new(&request, async |mut events| {
                events.send(Event::data("fine")).await?;
                events.send(Event::data("x").id("1\ndata: forged")).await
            })
        })
}

fn ask(served: &Served, path: &str) -> Client {
    let mut client = served.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    while !client.line().is_empty() {}
    client
}

#[test]
fn events_come_as_they_are_sent_and_go_on_where_they_ended() {
    let (served, _dropped) = serve_events();
    let mut client = served.connect();
    let reply = client.get("/three");
    assert_eq!(reply.field("content-type"), Some("text/event-stream"));
    assert_eq!(reply.field("cache-control"), Some("no-cache"));
    assert_eq!(reply.field("x-accel-buffering"), Some("no"));
    let event = |id| format!("data: tick\ndata: {id}\nevent: tick\nid: {id}\n\n");
    assert_eq!(reply.text(), [event(0), event(1), event(2)].concat());
    client.send("GET /three HTTP/1.1\r\nhost: a\r\nlast-event-id: 2\r\n\r\n");
    assert_eq!(
        client.reply().text(),
        [event(3), event(4), event(5)].concat()
    );
    client.send("HEAD /three HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.reply_to("HEAD").status, 200);
    assert_eq!(client.get("/ping").text(), "pong");
}

#[test]
fn silence_is_broken_by_comments() {
    let (served, _dropped) = serve_events();
    let mut client = ask(&served, "/silent");
    for _ in 0..2 {
        assert_eq!(client.chunk().unwrap(), b": keep-alive\n\n");
    }
}

#[test]
fn a_drain_ends_them_in_order() {
    let (served, dropped) = serve_events();
    let mut client = ask(&served, "/endless");
    assert_eq!(client.chunk().unwrap(), b"data: hello\nretry: 3000\n\n");
    served.handle.stop();
    assert_eq!(client.chunk(), None, "the end of a complete body");
    client.assert_closed();
    dropped.recv_timeout(DEADLINE).unwrap();
    served.ended().unwrap();
}

#[test]
fn one_that_stays_is_not_ended_by_a_drain() {
    let (served, dropped) = serve_events();
    let mut stays = ask(&served, "/endless?stays");
    let mut ends = ask(&served, "/endless");
    assert!(stays.chunk().is_some() && ends.chunk().is_some());
    served.handle.stop();
    assert_eq!(ends.chunk(), None);
    dropped.recv_timeout(DEADLINE).unwrap();
    assert!(dropped.try_recv().is_err(), "both were dropped");
    stays.assert_silent();
    // Told twice, the server drops what is left.
    served.handle.stop();
    dropped.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn a_client_that_leaves_ends_them() {
    let (served, dropped) = serve_events();
    for _ in 0..3 {
        let mut client = ask(&served, "/endless");
        client.chunk().unwrap();
        client.reset();
        dropped.recv_timeout(DEADLINE).unwrap();
    }
    served.wait_until(|counts| counts.open == 0);
}

#[test]
fn a_forged_id_is_not_sent_and_cuts_the_stream() {
    let (served, _dropped) = serve_events();
    let mut client = ask(&served, "/forged");
    let all = client.rest_up_to_a_cut();
    let all = String::from_utf8(all).unwrap();
    assert!(
        all.contains("data: fine\n\n") && !all.contains("forged"),
        "{all}"
    );
    assert!(!all.ends_with("0\r\n\r\n"), "it looks complete: {all}");
}

/// From the last event on: not from whenever it was looked last.
#[test]
fn silence_is_counted_from_the_last_event() {
    let mut client = TestClient::new(async |request: Request| {
        Sse::new(&request, async |mut events| {
            tourbillon::sleep(Duration::from_secs(1)).await;
            events.send(Event::data("x")).await?;
            tourbillon::sleep(Duration::from_secs(16)).await;
            Ok(())
        })
        .into_response()
    });
    assert_eq!(client.get("/").text(), "data: x\n\n: keep-alive\n\n");
}

/// Else none at all would be endless comments.
#[test]
fn silence_is_broken_once_a_second_at_most() {
    for wanted in [Duration::ZERO, Duration::from_millis(500)] {
        let mut client = TestClient::new(async move |request: Request| {
            let events = Sse::new(&request, async |_events| {
                tourbillon::sleep(Duration::from_millis(3500)).await;
                Ok(())
            });
            events.keep_alive(Some(wanted)).into_response()
        });
        assert_eq!(client.get("/").text(), ": keep-alive\n\n".repeat(3));
    }
}
