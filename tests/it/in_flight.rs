//! How many requests and connections there may be at once, and what becomes of the rest.

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tourbillon::server::{Body, Config, Overload, Request};
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep};

use super::server_support::{Client, PING, Served, config, serve_with, server_of};

/// Serves `/gated`, which waits for a permit of the gate, and some others.
fn serve_gated(config: Config) -> (Served, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let gates = Arc::clone(&gate);
    let served = serve_with(config, move || gated_app(gates));
    (served, gate)
}

fn gated_app(gate: Arc<Semaphore>) -> Router {
    let streamed = Arc::clone(&gate);
    Router::new()
        .get("/ping", async |_| "pong")
        .get("/panic", async |_| -> &str { panic!("asked to") })
        .get("/gated", async move |request: Request| {
            gate.acquire().await.unwrap().forget();
            request.query().unwrap_or("through").to_owned()
        })
        .get("/streamed", async move |_| {
            let gate = Arc::clone(&streamed);
            Body::stream(async move |mut writer| {
                writer.write("begun").await?;
                gate.acquire().await.unwrap().forget();
                writer.write("ended").await?;
                Ok(())
            })
        })
        .post("/collect", async |request: Request| {
            request.into_body().collect(usize::MAX).await
        })
}

fn one_at_a_time(overload: Overload) -> Config {
    Config {
        requests_in_flight_max: 1,
        overload,
        ..config()
    }
}

fn queue(len_max: usize) -> Overload {
    let wait_max = Duration::from_secs(3600);
    Overload::Queue { len_max, wait_max }
}

fn gated(served: &Served, name: &str) -> Client {
    let mut client = served.connect();
    client.send(format!("GET /gated?{name} HTTP/1.1\r\nhost: a\r\n\r\n"));
    client
}

/// The one that is in flight.
fn holder(served: &Served) -> Client {
    let client = gated(served, "holder");
    served.wait_until(|counts| counts.running == 1);
    client
}

#[test]
fn a_request_too_many_is_refused_and_its_connection_stays() {
    let (served, gate) = serve_gated(one_at_a_time(Overload::Refuse));
    let mut idle: Vec<Client> = (0..10).map(|_| served.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.get("/ping").text(), "pong", "idle ones do not count");
    }
    let mut first = holder(&served);
    for client in &mut idle {
        let reply = client.get("/ping");
        assert_eq!((reply.status, reply.closes()), (503, false));
        assert_eq!(reply.field("retry-after"), Some("1"));
    }
    let counts = served.counts();
    assert_eq!((counts.overload_refusals, counts.running), (10, 1));
    assert_eq!(counts.requests, 11, "those were given to no handler");
    gate.add_permits(1);
    assert_eq!(first.reply().text(), "holder");
    for client in &mut idle {
        assert_eq!(client.get("/ping").text(), "pong");
    }
}

#[test]
fn a_refused_request_costs_the_connection_only_if_its_body_is_in_the_way() {
    let config = Config {
        retry_after: Duration::ZERO,
        ..one_at_a_time(Overload::Refuse)
    };
    let (served, gate) = serve_gated(config);
    let mut first = holder(&served);
    let mut client = served.connect();
    let head = |length| format!("POST /collect HTTP/1.1\r\nhost: a\r\n{length}\r\n\r\n");
    client.send(head("content-length: 4") + "body");
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (503, false));
    assert_eq!(reply.field("retry-after"), None);
    client.send(head("content-length: 4") + "body");
    assert!(!client.reply().closes());
    // A client that waits for its 100 gets the answer instead.
    let mut waiting = served.connect();
    waiting.send(head("content-length: 4\r\nexpect: 100-continue"));
    assert_eq!(waiting.reply().status, 503);
    client.send(head("content-length: 1000000"));
    let reply = client.reply();
    assert_eq!((reply.status, reply.closes()), (503, true));
    gate.add_permits(1);
    assert_eq!(first.reply().text(), "holder");
    served.wait_until(|counts| counts.running == 0);
}

#[test]
fn a_response_is_in_flight_up_to_its_end() {
    let (served, gate) = serve_gated(one_at_a_time(Overload::Refuse));
    let mut first = served.connect();
    first.send("GET /streamed HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut second = served.connect();
    served.wait_until(|counts| counts.running == 1);
    assert_eq!(second.get("/ping").status, 503);
    gate.add_permits(1);
    assert_eq!(first.reply().text(), "begunended");
    assert_eq!(second.get("/ping").text(), "pong");
}

#[test]
fn a_handler_that_panics_gives_its_place_back() {
    for overload in [Overload::Refuse, queue(5), Overload::Pause] {
        let (served, _gate) = serve_gated(one_at_a_time(overload));
        for _ in 0..3 {
            assert_eq!(served.connect().get("/panic").status, 500);
            assert_eq!(served.connect().get("/ping").text(), "pong");
        }
        assert_eq!(served.counts().running, 0);
    }
}

#[test]
fn those_in_line_are_served_in_the_order_they_came() {
    let (served, gate) = serve_gated(one_at_a_time(queue(20)));
    let mut clients = vec![holder(&served)];
    for number in 0..20 {
        clients.push(gated(&served, &number.to_string()));
        served.wait_until(|counts| counts.waiting == number + 1);
    }
    let mut late = served.connect();
    let reply = late.get("/ping");
    assert_eq!(reply.status, 503, "the line is full");
    assert_eq!(reply.field("retry-after"), Some("1"));
    for (at, client) in clients.iter_mut().enumerate() {
        gate.add_permits(1);
        let name = match at {
            0 => "holder".to_owned(),
            at => (at - 1).to_string(),
        };
        assert_eq!(client.reply().text(), name);
    }
    assert_eq!(late.get("/ping").text(), "pong");
    let counts = served.counts();
    assert_eq!((counts.waiting, counts.running), (0, 0));
    assert_eq!(counts.overload_refusals, 1);
}

#[test]
fn a_wait_in_line_ends_with_503() {
    let wait_max = Duration::from_millis(30);
    let len_max = 5;
    let (served, gate) = serve_gated(one_at_a_time(Overload::Queue { len_max, wait_max }));
    let mut first = holder(&served);
    let mut second = served.connect();
    let since = Instant::now();
    assert_eq!(second.get("/ping").status, 503);
    assert!(since.elapsed() >= wait_max);
    assert_eq!(served.counts().waiting, 0);
    gate.add_permits(1);
    assert_eq!(first.reply().text(), "holder");
    assert_eq!(second.get("/ping").text(), "pong");
}

#[test]
fn a_client_that_leaves_gives_up_its_place_in_line() {
    let (served, gate) = serve_gated(one_at_a_time(queue(2)));
    let mut first = holder(&served);
    let leaves = gated(&served, "leaves");
    served.wait_until(|counts| counts.waiting == 1);
    let mut second = gated(&served, "second");
    served.wait_until(|counts| counts.waiting == 2);
    leaves.reset();
    served.wait_until(|counts| counts.waiting == 1);
    let mut third = gated(&served, "third");
    served.wait_until(|counts| counts.waiting == 2);
    gate.add_permits(3);
    for (client, name) in [
        (&mut first, "holder"),
        (&mut second, "second"),
        (&mut third, "third"),
    ] {
        assert_eq!(client.reply().text(), name);
    }
    assert_eq!(served.counts().requests, 3, "who left was not served");
}

#[test]
fn answers_that_are_ready_do_not_wait_in_line() {
    let (served, gate) = serve_gated(one_at_a_time(queue(2)));
    let mut client = served.connect();
    client.send(PING);
    assert_eq!(client.reply().text(), "pong");
    let mut first = holder(&served);
    client.send(PING);
    served.wait_until(|counts| counts.waiting == 1);
    let mut other = served.connect();
    other.send([PING, b"GET /gated HTTP/1.1\r\nhost: a\r\n\r\n"].concat());
    served.wait_until(|counts| counts.waiting == 2);
    gate.add_permits(2);
    assert_eq!(first.reply().text(), "holder");
    assert_eq!(client.reply().text(), "pong");
    assert_eq!(other.reply().text(), "pong");
    assert_eq!(other.reply().text(), "through");
}

#[test]
fn a_drain_lets_those_in_line_in() {
    for overload in [queue(10), Overload::Pause] {
        let (served, gate) = serve_gated(one_at_a_time(overload));
        let mut idle: Vec<Client> = (0..5).map(|_| served.connect()).collect();
        let mut bystander = served.connect();
        bystander.settle();
        idle.iter_mut().for_each(Client::settle);
        let mut clients = vec![holder(&served)];
        for (number, mut client) in idle.into_iter().enumerate() {
            client.send("GET /gated HTTP/1.1\r\nhost: a\r\n\r\n");
            clients.push(client);
            served.wait_until(|counts| counts.waiting == number + 1);
        }
        served.handle.stop();
        bystander.assert_closed();
        gate.add_permits(clients.len());
        for client in &mut clients {
            let reply = client.reply();
            assert_eq!((reply.status, reply.closes()), (200, true));
            client.assert_closed();
        }
        served.ended().unwrap();
    }
}

#[test]
fn a_pause_leaves_connections_in_the_kernel_and_requests_in_line() {
    let (served, gate) = serve_gated(one_at_a_time(Overload::Pause));
    let mut early = served.connect();
    early.settle();
    let mut first = holder(&served);
    early.send(PING);
    served.wait_until(|counts| counts.waiting == 1);
    let mut late: Vec<Client> = (0..5).map(|_| gated(&served, "late")).collect();
    for _ in 0..20 {
        assert_eq!(served.counts().open, 2, "none is accepted");
    }
    gate.add_permits(1);
    assert_eq!(first.reply().text(), "holder");
    assert_eq!(early.reply().text(), "pong");
    gate.add_permits(late.len());
    for client in &mut late {
        assert_eq!(client.reply().text(), "late");
    }
    let counts = served.counts();
    assert_eq!((counts.waiting, counts.running), (0, 0));
    assert_eq!(counts.overload_refusals, 0);
}

#[test]
fn a_pause_ends_when_who_held_the_place_leaves() {
    let (served, gate) = serve_gated(one_at_a_time(Overload::Pause));
    let mut in_line = served.connect();
    in_line.settle();
    let first = holder(&served);
    in_line.send("GET /gated HTTP/1.1\r\nhost: a\r\n\r\n");
    served.wait_until(|counts| counts.waiting == 1);
    let mut late = served.connect();
    late.send(PING);
    first.reset();
    served.wait_until(|counts| counts.waiting == 0);
    in_line.reset();
    assert_eq!(late.reply().text(), "pong");
    drop(gate);
}

#[test]
fn a_forced_stop_leaves_no_count_behind() {
    for overload in [Overload::Refuse, queue(3), Overload::Pause] {
        let mut runtime = Runtime::new().unwrap();
        let counts = runtime.block_on(async {
            let gate = Arc::new(Semaphore::new(0));
            let mut server = server_of(gated_app(gate), one_at_a_time(overload));
            server.startup().await.unwrap();
            let address = server.local_addr().unwrap();
            let (handle, state) = (server.handle(), server.state());
            let clients = thread::spawn(move || {
                let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(address)).collect();
                for client in &mut clients {
                    client.send("GET /gated HTTP/1.1\r\nhost: a\r\n\r\n");
                }
                clients
            });
            let waiting = async {
                let is_there = || state.requests_running() == 1 && state.connections_open() > 0;
                while !is_there() {
                    sleep(Duration::from_millis(1)).await;
                }
                handle.stop();
                handle.stop();
            };
            futures::join!(server.main_loop(), waiting);
            server.shutdown().await.unwrap();
            drop(clients.join().unwrap());
            state
        });
        assert_eq!(counts.connections_open(), 0);
        assert_eq!(
            (counts.requests_running(), counts.requests_waiting()),
            (0, 0)
        );
    }
}

// Connections.

#[test]
fn a_connection_too_many_waits_or_is_refused() {
    let config = |refuse_connections| Config {
        connections_max: 2,
        refuse_connections,
        ..config()
    };
    let (served, _gate) = serve_gated(config(true));
    let mut two = [served.connect(), served.connect()];
    two.iter_mut().for_each(Client::settle);
    for _ in 0..100 {
        let mut third = served.connect();
        // It may be told before it asks.
        third.send(PING);
        let reply = third.reply();
        assert_eq!((reply.status, reply.closes()), (503, true));
        assert_eq!(reply.field("retry-after"), Some("1"));
        third.half_close();
        third.assert_closed();
    }
    let counts = served.counts();
    assert_eq!((counts.connections_refused, counts.open), (100, 2));
    let [first, mut second] = two;
    drop(first);
    served.wait_until(|counts| counts.open == 1);
    assert_eq!(served.connect().get("/ping").text(), "pong");
    assert_eq!(second.get("/ping").text(), "pong");

    let (served, _gate) = serve_gated(config(false));
    let mut two = [served.connect(), served.connect()];
    two.iter_mut().for_each(Client::settle);
    let mut third = served.connect();
    third.send(PING);
    two[0].settle();
    third.assert_silent();
    drop(two);
    assert_eq!(third.reply().text(), "pong");
    assert_eq!(served.counts().connections_refused, 0);
}

#[test]
fn those_who_are_refused_and_stay_cost_little() {
    let config = Config {
        connections_max: 1,
        refuse_connections: true,
        linger_timeout: Duration::from_secs(3600),
        ..config()
    };
    let (served, _gate) = serve_gated(config);
    let mut one = served.connect();
    one.settle();
    // None of them closes.
    let mut crowd: Vec<Client> = (0..200).map(|_| served.connect()).collect();
    served.wait_until(|counts| counts.connections_refused == 200);
    for client in &mut crowd[..64] {
        assert_eq!(client.reply().status, 503);
    }
    for client in &mut crowd[64..] {
        client.assert_ended();
    }
    one.settle();
    served.stop().unwrap();
}

#[test]
fn ten_thousand_connections_leave_all_counts_at_zero() {
    let config = Config {
        connections_max: 50,
        refuse_connections: true,
        ..one_at_a_time(queue(5))
    };
    let (served, _gate) = serve_gated(config);
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let address = served.address;
            thread::spawn(move || {
                for number in 0..2_500 {
                    let mut client = Client::connect(address);
                    // It may have been refused, and gone.
                    let request = match (number + thread) % 4 {
                        0 => "",
                        1 => "GET /gated HTTP/1.1\r\nhost: a\r\n\r\n",
                        2 => "GET /ping HTTP/1.1\r\nhost: a\r\n\r\n",
                        _ => "POST /collect HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n1",
                    };
                    let _ = client.stream.write(request.as_bytes());
                    client.reset();
                }
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    // Refused or not, its connection comes behind all of theirs.
    let mut last = served.connect();
    last.half_close();
    last.rest_up_to_a_cut();
    served.wait_until(|counts| counts.open == 0);
    let counts = served.counts();
    assert_eq!((counts.running, counts.waiting), (0, 0), "{counts:?}");
    assert!(counts.total > 100, "{counts:?}");
    // Of those that were gone before they could be accepted nobody knows.
    let known = counts.total + counts.connections_refused;
    assert!((9_000..=10_001).contains(&known), "{counts:?}");
    assert_eq!(served.connect().get("/ping").text(), "pong");
    served.stop().unwrap();
}
