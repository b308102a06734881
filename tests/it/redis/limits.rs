//! How bytes travel, what is too much, and how it ends.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::{Client, DEADLINE, Reply, Server, bulk, command, error, int, line, simple};
use crate::support::Dice;

const MIB: usize = 1024 * 1024;

#[test]
fn a_thousand_commands_in_one_write_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for number in 0..1000 {
        bytes.extend_from_slice(&line("INCR n"));
        bytes.extend_from_slice(&line(&format!("ECHO {number}")));
    }
    client.send(&bytes);
    for number in 0..1000 {
        assert_eq!(client.reply(), int(number + 1));
        assert_eq!(client.reply(), bulk(number.to_string()));
    }
}

/// One read and one write for a batch: the whole of it is there when its first byte is.
#[test]
fn the_replies_of_a_batch_leave_in_one_write() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(&line("PING").repeat(100));
    let wanted = 100 * b"+PONG\r\n".len();
    let mut seen = vec![0; 2 * wanted];
    let count = client.stream.get_ref().peek(&mut seen).unwrap();
    assert_eq!(count, wanted);
}

#[test]
fn bytes_may_come_one_by_one() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let bytes = [
        line("SET key value"),
        b"GET \"key\"\r\n".to_vec(),
        line("GET key"),
    ]
    .concat();
    for byte in bytes {
        client.send(&[byte]);
    }
    assert_eq!(client.reply(), simple("OK"));
    assert_eq!(client.reply(), bulk("value"));
    assert_eq!(client.reply(), bulk("value"));
}

#[test]
fn lines_are_commands_too() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(b"\r\n\n  \r\nSET 'a b' \"\\x01\\r\\n\"\nget \"a b\"\r\nPING\n");
    assert_eq!(client.reply(), simple("OK"));
    assert_eq!(client.reply(), bulk(b"\x01\r\n"));
    assert_eq!(client.reply(), simple("PONG"));
}

#[test]
fn garbage_is_answered_once_and_ends_the_connection() {
    let server = Server::start(&["--bulk-max", "1000", "--args-max", "10"]);
    for (bytes, text) in [
        (&b"*1\r\n$1001\r\n"[..], "invalid bulk length"),
        (b"*11\r\n", "invalid multibulk length"),
        (b"*2\r\n$4\r\nECHO\r\n:1\r\n", "expected '$', got ':'"),
        (b"SET \"a\r\n", "unbalanced quotes in request"),
    ] {
        let mut client = server.connect();
        client.send(&[&line("PING"), bytes, &line("PING")].concat());
        assert_eq!(client.reply(), simple("PONG"));
        assert_eq!(
            client.reply(),
            error(&format!("ERR Protocol error: {text}"))
        );
        client.ends();
    }
    // What is sent on after the end does not take the last words with it.
    let mut client = server.connect();
    client.send(b"*x\r\n");
    client.send(&vec![b'x'; MIB]);
    let text = "ERR Protocol error: invalid multibulk length";
    assert_eq!(client.reply(), error(text));
    client.ends();

    let mut client = server.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\nFLUSHALL\r\n");
    let text = "ERR unknown command 'POST', with args beginning with: '/' 'HTTP/1.1' ";
    assert_eq!(client.reply(), error(text));
    client.ends();
    server.connect().hears("PING", simple("PONG"));
}

#[test]
fn random_bytes_harm_nobody_else() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let spice = b"*$12\r\n\"' \0\xffGETx";
        let mut bytes: Vec<u8> = line("SET a b");
        for _ in 0..dice.below(2000) {
            bytes.push(spice[dice.below(spice.len() as u64) as usize]);
        }
        let mut client = server.connect();
        // It may be refused half way.
        let _ = client.stream.get_mut().write_all(&bytes);
        let _ = client.stream.get_ref().shutdown(std::net::Shutdown::Write);
        client.is_cut_off();
        other.hears("PING", simple("PONG"));
    }
}

#[test]
fn what_was_asked_before_the_client_closes_is_answered() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(&line("PING").repeat(10));
    client.send(b"*1\r\n$4\r\nPI");
    client.close_write();
    for _ in 0..10 {
        assert_eq!(client.reply(), simple("PONG"));
    }
    client.ends();
}

/// The client reads nothing. What waits for it stays small, and what it sends on is not read; it
/// finds all in order when it reads again, and nobody else notices.
#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    let text = vec![b'v'; MIB];
    other.send(&command(&[b"SET", b"big", &text]));
    assert_eq!(other.reply(), simple("OK"));

    let slow = TcpStream::connect(server.address).unwrap();
    let mut sender = slow.try_clone().unwrap();
    const COMMANDS: usize = 1000;
    // Two batches: the first is one read, the second waits in the kernel.
    let sending = thread::spawn(move || {
        for _ in 0..2 {
            sender
                .write_all(&line("GET big").repeat(COMMANDS / 2))
                .unwrap();
        }
    });
    // A gigabyte of replies is asked for, and the server must not hold it.
    let status = format!("/proc/{}/status", server.process.id());
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(300) {
        other.hears("PING", simple("PONG"));
        let memory = std::fs::read_to_string(&status).unwrap_or_default();
        let resident = memory.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|kb| kb.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        assert!(
            resident.unwrap_or(0) < 64 * 1024,
            "{resident:?} kB are held"
        );
    }
    let mut slow = Client::over(slow);
    for _ in 0..COMMANDS {
        assert!(slow.reply() == bulk(&text));
    }
    sending.join().unwrap();
}

#[test]
fn a_reply_of_many_times_one_value_is_refused() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(&command(&[b"SET", b"big", &vec![b'v'; MIB]]));
    assert_eq!(client.reply(), simple("OK"));
    let Reply::Error(text) = client.ask(&format!("MGET{}", " big".repeat(65))) else {
        panic!("65 MiB were given");
    };
    assert!(text.starts_with("ERR the reply would have "), "{text}");
    client.hears("STRLEN big", int(MIB as i64));
}

#[test]
fn a_text_may_not_grow_beyond_what_could_be_sent() {
    let server = Server::start(&["--bulk-max", "10"]);
    let mut client = server.connect();
    client.hears("APPEND k 0123456789", int(10));
    let text = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    client.hears("APPEND k x", error(text));
    client.hears("STRLEN k", int(10));
}

#[test]
fn one_connection_too_many_is_told_so() {
    let server = Server::start(&["--maxclients", "2"]);
    let (mut one, mut two) = (server.connect(), server.connect());
    one.hears("PING", simple("PONG"));
    two.hears("PING", simple("PONG"));
    let mut third = server.connect();
    // What it says at once must not turn its end into a reset.
    third.send(&line("PING"));
    assert_eq!(third.reply(), error("ERR max number of clients reached"));
    third.ends();
    drop(one);
    // Its place is free once the server has seen it go.
    let began = Instant::now();
    loop {
        let mut client = server.connect();
        if client.ask("PING") == simple("PONG") {
            break;
        }
        assert!(began.elapsed() < DEADLINE, "the place is never free");
    }
    two.hears("PING", simple("PONG"));
}

#[test]
fn a_signal_ends_it_in_good_order() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut server = Server::start(&[]);
        let mut idle = server.connect();
        idle.hears("SET k v EX 1000", simple("OK"));
        let mut writing = server.connect();
        writing.send(&command(&[b"SET", b"big", &vec![b'v'; MIB]]));
        assert_eq!(writing.reply(), simple("OK"));
        writing.send(&line("GET big").repeat(16));
        // It has begun: the rest of what it was asked for is on its way.
        assert!(writing.stream.get_ref().peek(&mut [0]).unwrap() == 1);
        server.signal(signal);
        for _ in 0..16 {
            assert!(writing.reply() == bulk(vec![b'v'; MIB]));
        }
        idle.is_cut_off();
        let line = server.line();
        assert!(line.contains("2 clients left, 18 commands"), "{line}");
        assert!(server.ended().success());
        let refused = TcpStream::connect(server.address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
