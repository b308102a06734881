//! The server in a process of its own, under clients that are many, slow or rude. Each test prints
//! what it has measured: `cargo test --test it crowds -- --nocapture`.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::server_child::Child;
use super::server_support::{Client, DEADLINE, MIB, PING};
use super::support::raise_descriptor_limit;

const GATED: &str = "GET /gated HTTP/1.1\r\nhost: a\r\n\r\n";
const FLOOD: &str = "GET /flood HTTP/1.1\r\nhost: a\r\n\r\n";

/// Waits until the server has no more than this connection.
#[track_caller]
fn wait_until_alone(client: &mut Client) {
    let since = Instant::now();
    while client.get("/open").text() != "1" {
        assert!(since.elapsed() < DEADLINE, "connections are left");
        thread::sleep(Duration::from_millis(1));
    }
}

fn ask(client: &mut Client, path: &str) -> u64 {
    client.get(path).text().parse().unwrap()
}

#[test]
fn a_thousand_slow_heads_hold_nobody_up() {
    let child = Child::start("");
    let mut good = child.connect();
    good.settle();
    let before = ask(&mut good, "/rss");
    let mut slow: Vec<Client> = (0..1000).map(|_| child.connect()).collect();
    let (begin, rest) = PING.split_at(9);
    slow.iter_mut().for_each(|client| client.send(begin));
    let mut worst = Duration::ZERO;
    let mut served = 0;
    // All of them drip a byte at a time, and between any two drips somebody is served.
    for (at, byte) in rest[..rest.len() - 1].iter().enumerate() {
        for client in slow.iter_mut().skip(at % 20).step_by(20) {
            client.send([*byte]);
        }
        let since = Instant::now();
        assert_eq!(good.get("/ping").text(), "pong");
        worst = worst.max(since.elapsed());
        served += 1;
    }
    let grown = ask(&mut good, "/rss").saturating_sub(before);
    drop(slow);
    wait_until_alone(&mut good);
    println!(
        "1,000 slow heads: {served} others served, the slowest in {worst:?}, RSS +{grown} KiB"
    );
    assert!(
        grown < 8 * 1024,
        "a slow head is not kept in a buffer of its own size"
    );
}

#[test]
fn slow_readers_of_large_bodies_cost_little_and_get_all() {
    let child = Child::start("");
    let mut good = child.connect();
    good.settle();
    let before = ask(&mut good, "/rss");
    let mut readers: Vec<Client> = (0..50).map(|_| child.connect()).collect();
    readers.iter_mut().for_each(|client| client.send(FLOOD));
    let mut peak = 0;
    let mut taken = 0;
    for _ in 0..20 {
        for client in &mut readers {
            let mut piece = [0; 4096];
            taken += client.stream.read(&mut piece).unwrap();
        }
        peak = peak.max(ask(&mut good, "/rss"));
    }
    let grown = peak.saturating_sub(before);
    println!("50 slow readers took {taken} bytes of endless bodies, RSS +{grown} KiB at most");
    assert!(taken > 50 * 4096);
    assert!(grown < 50 * 3 * 64 + 8 * 1024, "grew by {grown} KiB");
    drop(readers);
    wait_until_alone(&mut good);
}

#[test]
fn five_hundred_resets_in_the_middle_of_a_response_leave_nothing() {
    let child = Child::start("");
    let mut good = child.connect();
    good.settle();
    let fds = ask(&mut good, "/fds");
    let since = Instant::now();
    for at in 0..500 {
        let mut client = child.connect();
        client.send(FLOOD);
        let mut piece = vec![0; 1 + at * 97 % (64 * 1024)];
        client.stream.read_exact(&mut piece).unwrap();
        client.reset();
        if at % 10 == 0 {
            assert_eq!(good.get("/ping").text(), "pong");
        }
    }
    wait_until_alone(&mut good);
    println!(
        "500 resets in the middle of a response in {:?}",
        since.elapsed()
    );
    assert_eq!(ask(&mut good, "/fds"), fds);
    assert_eq!(ask(&mut good, "/running"), 1);
}

#[test]
fn sigterm_with_a_hundred_requests_in_flight_loses_none() {
    let mut child = Child::start("");
    let mut busy: Vec<Client> = (0..100).map(|_| child.connect()).collect();
    busy.iter_mut().for_each(|client| client.send(GATED));
    let mut opener = child.connect();
    opener.send("POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\no");
    let mut idle = child.connect();
    while ask(&mut idle, "/running") != 102 {
        thread::sleep(Duration::from_millis(1));
    }
    let since = Instant::now();
    child.signal(libc::SIGTERM);
    idle.assert_closed();
    opener.send("k");
    assert!(opener.reply().closes());
    opener.assert_closed();
    for client in &mut busy {
        let reply = client.reply();
        assert_eq!(
            (reply.status, reply.text(), reply.closes()),
            (200, "through", true)
        );
        client.assert_closed();
    }
    let (status, said) = child.ended();
    println!(
        "SIGTERM with 100 requests in flight: all answered, ended after {:?}",
        since.elapsed()
    );
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains("cut off"), "{said}");
}

#[test]
fn two_hundred_thousand_requests_leave_nothing_behind() {
    const BATCH: usize = 250;
    let child = Child::start("");
    let mut clients: Vec<Client> = (0..4).map(|_| child.connect()).collect();
    let batch = PING.repeat(BATCH);
    let length = {
        let client = &mut clients[0];
        client.send(PING);
        let mut reply = [0; 1024];
        let count = client.stream.read(&mut reply).unwrap();
        assert!(reply[..count].ends_with(b"pong"));
        count
    };
    let mut replies = vec![0; length * BATCH];
    let mut run = |rounds: usize| {
        for _ in 0..rounds {
            for client in &mut clients {
                client.stream.write_all(&batch).unwrap();
            }
            for client in &mut clients {
                client.stream.read_exact(&mut replies).unwrap();
                for reply in replies.chunks(length) {
                    assert!(reply.starts_with(b"HTTP/1.1 200 ") && reply.ends_with(b"pong"));
                }
            }
        }
    };
    run(20);
    let before = child.ask("/rss");
    run(90);
    let half = child.ask("/rss");
    run(90);
    let grown = child.ask("/rss").saturating_sub(half);
    println!(
        "200,000 keep-alive requests: RSS {before} KiB after 20,000, {half} KiB after 110,000, \
         then +{grown} KiB"
    );
    assert!(grown <= 128, "grew by {grown} KiB");
}

#[test]
fn a_thousand_pipelined_requests_in_one_write_are_answered_in_order() {
    let child = Child::start("");
    let mut client = child.connect();
    let mut batch = Vec::new();
    for at in 0..1000 {
        let path = ["/ping", "/soon", "/nowhere"][at % 3];
        batch.extend(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").bytes());
    }
    let since = Instant::now();
    client.send(&batch);
    for at in 0..1000 {
        let reply = client.reply();
        let expected = [(200, "pong"), (200, "soon"), (404, "Not Found")][at % 3];
        assert_eq!((reply.status, reply.text()), expected, "request {at}");
    }
    let took = since.elapsed();
    println!(
        "1,000 pipelined requests in one write of {} bytes: {took:?}",
        batch.len()
    );
    client.settle();
}

#[test]
fn an_idle_connection_takes_less_than_a_kibibyte() {
    // Between two powers of two, where nothing that doubles does so.
    const BEFORE: usize = 2100;
    const COUNT: usize = 1500;
    raise_descriptor_limit();
    let child = Child::start("");
    let mut good = child.connect();
    let mut idle: Vec<Client> = Vec::with_capacity(BEFORE + COUNT);
    let connect = || {
        let mut client = child.connect();
        client.settle();
        client
    };
    idle.extend((0..BEFORE).map(|_| connect()));
    let before = ask(&mut good, "/anon");
    idle.extend((0..COUNT).map(|_| connect()));
    let grown = ask(&mut good, "/anon").saturating_sub(before);
    assert_eq!(ask(&mut good, "/open"), (BEFORE + COUNT + 1) as u64);
    let each = grown * 1024 / COUNT as u64;
    println!("{COUNT} idle keep-alive connections: RSS +{each} bytes each");
    // On poll(2) mio keeps a list of its own beside ours.
    let of_mio = match cfg!(mio_unsupported_force_poll_poll) {
        true => 256,
        false => 0,
    };
    assert!(each < 1024 + of_mio, "{each} bytes each");
}

#[test]
fn a_storm_of_connections_that_say_nothing_passes() {
    let child = Child::start("");
    let mut good = child.connect();
    good.settle();
    let (fds, rss) = (ask(&mut good, "/fds"), ask(&mut good, "/rss"));
    let since = Instant::now();
    for at in 0..5000 {
        let client = child.connect();
        if at % 3 == 0 {
            client.reset();
        }
        if at % 100 == 0 {
            assert_eq!(good.get("/ping").text(), "pong");
        }
    }
    wait_until_alone(&mut good);
    let grown = ask(&mut good, "/rss").saturating_sub(rss);
    println!(
        "5,000 connections that said nothing in {:?}, RSS +{grown} KiB",
        since.elapsed()
    );
    assert_eq!(ask(&mut good, "/fds"), fds);
    assert!(grown < (MIB / 1024) as u64 * 4, "grew by {grown} KiB");
}
