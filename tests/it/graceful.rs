//! Stopping: by signals in a process of its own, and by handle from another thread.

use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tourbillon::server::Config;
use tourbillon::web::Router;
use tourbillon::{Runtime, sleep, timeout};

use super::server_child::Child;
use super::server_support::{Client, DEADLINE, DropGuard, config, serve, serve_with, server_of};

fn gated(client: &mut Client) {
    client.send("GET /gated HTTP/1.1\r\nhost: a\r\n\r\n");
}

fn stops_on(signal: i32) {
    let mut child = Child::start("");
    let mut idle: Vec<Client> = (0..5).map(|_| child.connect()).collect();
    idle[0].settle();
    let mut fresh = child.connect();
    let mut busy: Vec<Client> = (0..20).map(|_| child.connect()).collect();
    busy.iter_mut().for_each(gated);
    let mut opener = child.connect();
    opener.send("POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\no");
    idle.iter_mut().for_each(Client::settle);

    child.signal(signal);
    idle.iter_mut().for_each(Client::assert_closed);
    fresh.assert_closed();
    let refused = TcpStream::connect(child.address).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    busy.iter_mut().for_each(Client::assert_silent);

    opener.send("k");
    assert!(opener.reply().closes());
    opener.assert_closed();
    for client in &mut busy {
        let reply = client.reply();
        assert_eq!((reply.text(), reply.closes()), ("through", true));
        client.assert_closed();
    }
    let (status, said) = child.ended();
    assert!(status.success(), "{said}");
    for line in ["3. waiting for", "HOOK", "Finished", "ENDED Ok(())"] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    assert!(!said.contains("cut off"), "{said}");
}

#[test]
fn sigterm_lets_running_requests_end_and_nothing_begin() {
    stops_on(libc::SIGTERM);
}

#[test]
fn sigint_does_the_same() {
    stops_on(libc::SIGINT);
}

#[test]
fn a_second_signal_waits_no_longer() {
    let mut child = Child::start("");
    let mut client = child.connect();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    child.connect().settle();
    child.signal(libc::SIGTERM);
    child.line("3. waiting for 1 connections");
    child.signal(libc::SIGINT);
    let (status, said) = child.ended();
    assert!(status.success(), "{said}");
    assert!(
        said.contains("asked twice, 1 connections are cut off"),
        "{said}"
    );
    client.assert_closed();
}

#[test]
fn what_runs_after_graceful_timeout_is_cut_off_by_name() {
    let mut child = Child::start("graceful=100");
    let mut client = child.connect();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    child.connect().settle();
    child.signal(libc::SIGTERM);
    let (status, said) = child.ended();
    assert!(status.success(), "{said}");
    client.assert_closed();
    let peer = client.stream.local_addr().unwrap();
    let named = format!("{peer}: GET /never for ");
    for line in [
        "graceful_timeout has passed, 1 conn",
        &named,
        "HOOK",
        "ENDED Ok(())",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn a_handle_stops_a_server_from_another_thread() {
    let config = Config {
        keep_alive: Duration::from_secs(3600),
        ..config()
    };
    let served = serve_with(config, || {
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/slow", async |_| {
            sleep(Duration::from_millis(50)).await;
            "slow"
        })
    });
    let mut idle = served.connect();
    let mut busy: Vec<Client> = (0..20).map(|_| served.connect()).collect();
    for client in &mut busy {
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    idle.settle();
    let (address, handle) = (served.address, served.handle.clone());
    thread::spawn(move || handle.stop()).join().unwrap();
    idle.assert_closed();
    for client in &mut busy {
        assert_eq!(client.reply().text(), "slow");
        client.assert_closed();
    }
    served.ended().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_second_stop_drops_what_runs() {
    let (dropped, drops) = mpsc::channel();
    let served = serve(move || {
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/never", async move |_| {
            let _guard = DropGuard(dropped.clone());
            std::future::pending::<()>().await;
        })
    });
    let mut client = served.connect();
    client.send("GET /never HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut idle = served.connect();
    idle.settle();
    served.handle.stop();
    idle.assert_closed();
    assert!(drops.try_recv().is_err());
    served.handle.stop();
    drops.recv_timeout(DEADLINE).unwrap();
    client.assert_closed();
    served.ended().unwrap();
}

#[test]
fn a_head_that_has_begun_is_waited_for_and_answered() {
    let served = serve(|| async |_| "pong");
    let mut client = served.connect();
    let mut begun = served.connect();
    begun.send("GET / HTTP/1.1\r\n");
    client.settle();
    served.handle.stop();
    client.assert_closed();
    begun.send("host: a\r\n\r\n");
    let reply = begun.reply();
    assert_eq!((reply.text(), reply.closes()), ("pong", true));
    begun.assert_closed();
    served.ended().unwrap();
}

#[test]
fn a_request_that_came_before_the_stop_is_answered() {
    let (enter, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let served = serve(move || {
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/block", async move |_| {
            enter.send(()).unwrap();
            left.recv_timeout(DEADLINE).unwrap();
            "blocked"
        })
    });
    let mut idle = served.connect();
    idle.settle();
    let mut fresh = served.connect();
    idle.settle();
    let mut blocker = served.connect();
    blocker.send("GET /block HTTP/1.1\r\nhost: a\r\n\r\n");
    entered.recv_timeout(DEADLINE).unwrap();
    // The loop stands still: all of this is there when it goes on.
    idle.send("GET /ping HTTP/1.1\r\nhost: a\r\n\r\n");
    fresh.send("GET /ping HTTP/1.1\r\nhost: a\r\n\r\n");
    served.handle.stop();
    leave.send(()).unwrap();
    assert_eq!(blocker.reply().text(), "blocked");
    assert_eq!(idle.reply().text(), "pong");
    assert_eq!(fresh.reply().text(), "pong");
    served.ended().unwrap();
}

#[test]
fn a_pipelined_batch_under_way_ends_with_an_announced_close() {
    let served = serve_with(config(), || {
        let router = Router::new().get("/ping", async |_| "pong");
        router.get("/gate", async |_| {
            sleep(Duration::from_millis(20)).await;
            "gate"
        })
    });
    let mut client = served.connect();
    client.send("GET /gate HTTP/1.1\r\nhost: a\r\n\r\n".repeat(3));
    served.connect().settle();
    served.handle.stop();
    let mut answers = 1;
    while !client.reply().closes() {
        answers += 1;
    }
    assert!(answers <= 3, "{answers} answers");
    client.half_close();
    client.assert_closed();
    served.ended().unwrap();
}

#[test]
fn a_main_loop_that_was_dropped_may_be_called_again() {
    let mut runtime = Runtime::new().unwrap();
    let answer = runtime.block_on(async {
        let mut server = server_of(async |_| "again", Config { ..config() });
        server.startup().await.unwrap();
        let address = server.local_addr().unwrap();
        assert!(timeout(Duration::ZERO, server.main_loop()).await.is_err());
        let handle = server.handle();
        let asking = thread::spawn(move || {
            let text = Client::connect(address).get("/").text().to_owned();
            handle.stop();
            text
        });
        server.main_loop().await;
        server.shutdown().await.unwrap();
        asking.join().unwrap()
    });
    assert_eq!(answer, "again");
}
