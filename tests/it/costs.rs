//! What clients can make a server spend: memory for those that do not read, descriptors for those
//! that leave, CPU time when descriptors run out, and anything at all when nobody calls.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{rc, thread};

use tourbillon::server::Body;
use tourbillon::web::Router;
use tourbillon::yield_now;

use super::server_child::Child;
use super::server_support::{Client, DEADLINE, MIB, PING, Served, pattern, serve};

/// Who makes a body, and what wakes it.
#[derive(Clone, Copy, PartialEq)]
enum Maker {
    WritesOnly,
    Yields,
    IsAnotherTask,
}

/// Serves 64 MiB in 64 KiB pieces and counts what was made of it.
fn serve_a_flood(maker: Maker) -> (Served, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let served = serve(move || {
        let flood = async move |_| {
            let counted = Arc::clone(&counted);
            Body::stream(async move |mut writer| {
                let writing = async move {
                    for piece in 0..1024 {
                        writer.write([piece as u8; 65_536]).await?;
                        counted.fetch_add(65_536, Ordering::Relaxed);
                        if maker == Maker::Yields {
                            yield_now().await;
                        }
                    }
                    Ok(())
                };
                match maker {
                    Maker::IsAnotherTask => tourbillon::spawn(writing).await.unwrap(),
                    _ => writing.await,
                }
            })
        };
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/flood", flood)
    });
    (served, made)
}

fn waits_for_its_reader(maker: Maker) {
    let (served, made) = serve_a_flood(maker);
    let mut client = served.connect();
    client.send("GET /flood HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut other = served.connect();
    for _ in 0..700 {
        other.settle();
    }
    // The kernel's buffers take up to 4 MiB at this end, and at the other what is read away.
    let made_unread = made.load(Ordering::Relaxed);
    assert!(
        made_unread < 16 * MIB,
        "{made_unread} bytes were made and not read"
    );
    let reply = client.reply();
    assert_eq!(reply.body.len(), 64 * MIB);
    for (at, piece) in reply.body.chunks(65_536).enumerate() {
        assert!(piece == [at as u8; 65_536], "piece {at}");
    }
    assert_eq!(client.get("/ping").text(), "pong");
}

#[test]
fn a_maker_of_a_body_waits_while_the_client_does_not_read() {
    waits_for_its_reader(Maker::WritesOnly);
}

#[test]
fn a_maker_that_wakes_itself_waits_for_the_client_as_well() {
    waits_for_its_reader(Maker::Yields);
}

#[test]
fn a_maker_in_another_task_waits_for_the_client_as_well() {
    waits_for_its_reader(Maker::IsAnotherTask);
}

#[test]
fn large_bytes_arrive_whole_and_nobody_waits_for_their_reader() {
    let served = serve(|| {
        let sixteen: rc::Rc<[u8]> = pattern(16 * MIB).into();
        Router::new()
            .get("/one", async |_| Body::bytes(pattern(MIB)))
            .get("/sixteen", async move |_| sixteen.to_vec())
            .get("/ping", async |_| "pong")
    });
    let mut client = served.connect();
    client.send("GET /sixteen HTTP/1.1\r\nhost: a\r\n\r\n");
    served.connect().settle();
    assert!(client.reply().body == pattern(16 * MIB));
    assert!(client.get("/one").body == pattern(MIB));
    assert_eq!(client.get("/ping").text(), "pong");
}

#[test]
fn forty_clients_that_do_not_read_cost_little_memory() {
    let child = Child::start("");
    child.connect().settle();
    let before = child.ask("/rss");
    let mut clients: Vec<Client> = (0..40).map(|_| child.connect()).collect();
    for client in &mut clients {
        client.send("GET /flood HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    let mut other = child.connect();
    for _ in 0..100 {
        other.settle();
    }
    let grown = child.ask("/rss").saturating_sub(before);
    assert!(grown < 20 * 1024, "grew by {grown} KiB");
    assert_eq!(child.ask("/running"), 41);
}

#[test]
fn a_body_that_nobody_reads_yet_stays_with_its_client() {
    let child = Child::start("");
    child.connect().settle();
    let before = child.ask("/rss");
    let mut other = child.connect();
    let mut clients: Vec<Client> = (0..20).map(|_| child.connect()).collect();
    for client in &mut clients {
        client.send("GET /never HTTP/1.1\r\nhost: a\r\ncontent-length: 67108864\r\n\r\n");
        client.stream.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while client.stream.write(&[0; 65_536]).is_ok() {
            sent += 65_536;
            other.settle();
            assert!(sent < 32 * MIB, "the kernel alone cannot hold this");
        }
    }
    let grown = child.ask("/rss").saturating_sub(before);
    assert!(grown < 4 * 1024, "grew by {grown} KiB");
}

#[test]
fn clients_that_wait_or_hang_take_no_time() {
    let child = Child::start("");
    let never = "GET /never HTTP/1.1\r\nhost: a\r\n\r\n";
    let flood = "GET /flood HTTP/1.1\r\nhost: a\r\n\r\n";
    for (what, sent, is_half_closed) in [
        ("half-closed", never, true),
        (
            "with more to say",
            &format!("{never}{}", never.repeat(9)),
            false,
        ),
        ("in a head", "GET /pi", false),
        (
            "in a body",
            "POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\no",
            false,
        ),
        ("not reading", flood, false),
        ("not reading and half-closed", flood, true),
    ] {
        let mut clients: Vec<Client> = (0..20).map(|_| child.connect()).collect();
        for client in &mut clients {
            client.send(sent);
            if is_half_closed {
                client.half_close();
            }
        }
        child.connect().settle();
        if what == "with more to say" {
            clients.iter_mut().for_each(|client| client.send("x"));
        }
        assert_quiet(&child, what);
        clients.into_iter().for_each(Client::reset);
        let since = Instant::now();
        while child.ask("/running") > 1 {
            assert!(since.elapsed() < DEADLINE, "{what}: some run on");
        }
    }
}

#[test]
fn idle_connections_hold_no_buffers_and_take_no_time() {
    let child = Child::start("");
    let mut other = child.connect();
    other.settle();
    let before = child.ask("/data");
    let mut clients: Vec<Client> = (0..500).map(|_| child.connect()).collect();
    for client in &mut clients {
        client.send(PING);
        assert_eq!(client.reply().text(), "pong");
    }
    let grown = child.ask("/data").saturating_sub(before);
    // Unoptimized futures are fat; one shared buffer is 256 KiB, and 500 of them would show,
    // though not in what is resident: their pages would hardly be touched.
    assert!(grown < 16 * 1024, "grew by {grown} KiB");
    assert_quiet(&child, "idle");
    assert_eq!(child.ask("/open"), 502);
}

/// Waits until the server spends no CPU time, as it must when nobody asks it for anything new.
#[track_caller]
fn assert_quiet(child: &Child, what: &str) {
    let mut client = child.connect();
    let mut cpu = || client.get("/cpu").text().parse::<u64>().unwrap();
    let since = Instant::now();
    loop {
        let before = cpu();
        // It is this time that is measured.
        thread::sleep(Duration::from_millis(200));
        let spent = cpu() - before;
        if spent < 20_000 {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "{what}: {spent} of 200,000 us");
    }
}

#[track_caller]
fn wait_until_alone(child: &Child, fds: u64) {
    let since = Instant::now();
    loop {
        let now = (child.ask("/open"), child.ask("/running"), child.ask("/fds"));
        if now == (1, 1, fds) {
            return;
        }
        assert!(
            since.elapsed() < DEADLINE,
            "open, running, fds: {now:?}, not {fds}"
        );
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn resets_at_any_moment_leave_nothing_behind() {
    let child = Child::start("");
    child.connect().settle();
    let fds = child.ask("/fds");
    let post = "POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n";
    let requests = [
        "",
        "GET /pi",
        "GET /never HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /soon HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /flood HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /ping HTTP/1.1\r\nhost: a\r\n\r\nGET /never HTTP/1.1\r\nhost: a\r\n\r\n",
        "\x16\x03\x01",
        post,
    ];
    let mut good = child.connect();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut client = child.connect();
        client.send(requests[random as usize % requests.len()]);
        match random >> 8 & 3 {
            0 => {}
            1 => good.settle(),
            2 => thread::sleep(Duration::from_micros(random >> 32 & 8191)),
            _ => client.half_close(),
        }
        client.reset();
        assert_eq!(good.get("/ping").text(), "pong", "the others lose nothing");
    }
    drop(good);
    wait_until_alone(&child, fds);
}

#[test]
fn a_full_descriptor_table_is_survived() {
    let child = Child::start("fds=256");
    let mut early: Vec<Client> = (0..20).map(|_| child.connect()).collect();
    for client in &mut early {
        client.send(PING);
        assert_eq!(client.reply().text(), "pong");
    }
    // Some two hundred find a place, and the queue holds fewer than there are places at all.
    let mut late: Vec<Client> = (0..260).map(|_| child.connect()).collect();
    child.line("accepting pauses");
    // Those that are in are served, and again, and the loop does not spin meanwhile.
    early.iter_mut().for_each(Client::settle);
    let mut cpu = || early[0].get("/cpu").text().parse::<u64>().unwrap();
    let (before, since) = (cpu(), Instant::now());
    // It is this time that is measured.
    thread::sleep(Duration::from_secs(1));
    let (spent, passed) = (cpu() - before, since.elapsed().as_micros() as u64);
    assert!(spent * 5 < passed, "{spent} us of CPU time in {passed} us");
    early.iter_mut().for_each(Client::settle);
    // Whoever finds no place is told by a close, one after the other; nobody gets a wrong answer.
    let mut refused = 0;
    for client in &mut late {
        let soon = Some(Duration::from_millis(1));
        client.stream.set_read_timeout(soon).unwrap();
        // It may be closed already.
        let _ = client.stream.write_all(PING);
        match client.stream.read(&mut [0; 1024]) {
            Ok(0) => refused += 1,
            Ok(count) => assert!(count > PING.len()),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                kind => {
                    assert_eq!(kind, ErrorKind::ConnectionReset);
                    refused += 1;
                }
            },
        }
    }
    println!("256 descriptors, 280 clients: {refused} told by a close, {spent} us of CPU a second");
    assert!(refused >= 3, "{refused} were told");
    // When those who had a place have left, there is one for all who are still in the queue.
    let mut last = early.swap_remove(0);
    drop((early, late));
    let since = Instant::now();
    while last.get("/open").text() != "1" {
        assert!(since.elapsed() < DEADLINE, "those who left are kept");
    }
    // All who come now are served, again and again.
    for _ in 0..100 {
        child.connect().settle();
    }
}
