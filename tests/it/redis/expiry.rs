//! Keys that end: by the loop's timers, and for whoever looks before those have fired.

use super::{Client, Reply, Server, bulk, error, int, line, simple};

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

/// A number out of INFO.
#[track_caller]
fn info(client: &mut Client, name: &str) -> u64 {
    let Reply::Bulk(text) = client.ask("INFO") else {
        panic!("INFO gives no text");
    };
    let text = String::from_utf8(text).unwrap();
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    lines
        .next()
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[test]
fn keys_end_when_their_time_has_come() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("TTL k", int(-2));
    client.hears("PTTL k", int(-2));
    client.hears("EXPIRE k 10", int(0));
    client.hears("PERSIST k", int(0));
    client.hears("SET k v", simple("OK"));
    client.hears("TTL k", int(-1));
    client.hears("EXPIRE k 100", int(1));
    client.hears("TTL k", int(100));
    let Reply::Integer(left) = client.ask("PTTL k") else {
        panic!("PTTL gives a number");
    };
    assert!((80_000..=100_000).contains(&left), "{left}");
    client.hears("SET k w KEEPTTL", simple("OK"));
    client.hears("TTL k", int(100));
    client.hears("APPEND k x", int(2));
    client.hears("TTL k", int(100));
    client.hears("PERSIST k", int(1));
    client.hears("TTL k", int(-1));
    client.hears("SET k v EX 100", simple("OK"));
    client.hears("TTL k", int(100));
    client.hears("SET k v", simple("OK"));
    client.hears("TTL k", int(-1));
    client.hears("SETEX k 50 v", simple("OK"));
    client.hears("TTL k", int(50));
    client.hears("EXPIRE k 0", int(1));
    client.hears("GET k", Reply::Null);
    client.hears("SET k v", simple("OK"));
    client.hears("PEXPIRE k -5", int(1));
    client.hears("EXISTS k", int(0));

    client.hears("SET k v PX 20", simple("OK"));
    client.hears_in_time("GET k", &Reply::Null);
    client.hears("TTL k", int(-2));
    // Taken out by the timer, not by being looked at.
    client.hears("SET other v PX 20", simple("OK"));
    client.hears_in_time("DBSIZE", &int(0));
    client.hears("RPUSH list a", int(1));
    client.hears("PEXPIRE list 1", int(1));
    client.hears_in_time("EXISTS list", &int(0));
}

/// Later, earlier, for ever, overwritten: only the deadline that was said last counts.
#[test]
fn a_deadline_can_be_moved() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("MSET later 1 sooner 1 never 1 anew 1 last 1", simple("OK"));
    client.hears("PEXPIRE later 10", int(1));
    client.hears("EXPIRE later 100", int(1));
    client.hears("EXPIRE sooner 100", int(1));
    client.hears("PEXPIRE sooner 10", int(1));
    client.hears("PEXPIRE never 10", int(1));
    client.hears("PERSIST never", int(1));
    client.hears("PEXPIRE anew 10", int(1));
    client.hears("SET anew 2", simple("OK"));
    // Filed after the others, it is due after them.
    client.hears("PEXPIRE last 30", int(1));
    client.hears_in_time("EXISTS last", &int(0));
    client.hears("EXISTS later sooner never anew", int(3));
    client.hears("EXISTS sooner", int(0));
    let Reply::Integer(left) = client.ask("PTTL later") else {
        panic!("PTTL gives a number");
    };
    assert!((50_000..=100_000).contains(&left), "{left}");
    client.hears("TTL never", int(-1));
    client.hears("TTL anew", int(-1));
    // A deadline that was put off comes after all.
    client.hears("PEXPIRE later 10", int(1));
    client.hears("PEXPIRE later 40", int(1));
    client.hears_in_time("EXISTS later", &int(0));
    client.hears_in_time("DBSIZE", &int(2));
    assert_eq!(info(&mut client, "expired_keys"), 3);
}

#[test]
fn a_cancelled_key_leaves_no_timer_behind() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for _ in 0..100 {
        client.hears("SET k v EX 1000", simple("OK"));
        client.hears("EXPIRE k 2000", int(1));
        client.hears("EXPIRE k 500", int(1));
    }
    client.hears("MSET a 1 b 1", simple("OK"));
    client.hears("EXPIRE a 100", int(1));
    client.hears("DEL a", int(1));
    assert_eq!(info(&mut client, "timers_waiting"), 1);
    client.hears("FLUSHALL", simple("OK"));
    assert_eq!(info(&mut client, "timers_waiting"), 0);
}

/// A key's time passes while no timer can fire: it is gone all the same. Then it is set anew, and
/// the old timer fires into the new key.
#[test]
fn a_timer_that_was_too_late_to_be_cancelled_does_nothing() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears(&format!("SET {} v", "a".repeat(20_000)), simple("OK"));
    let hold = line(&format!("KEYS {}b", "a*".repeat(100)));
    for times in 1.. {
        // One batch: no timer fires in its midst.
        let (set, there, again) = ("SET k old PX 1", "EXISTS k", "SET k new EX 1000");
        client.send(&[line(set), hold.repeat(times), line(there), line(again)].concat());
        for _ in 0..=times {
            client.reply();
        }
        let is_there = client.reply();
        assert_eq!(client.reply(), simple("OK"));
        if is_there == int(0) {
            break;
        }
        // More would not fit into one read.
        assert!(times < 100, "a key is seen after its time");
    }
    client.hears("SET last v PX 10", simple("OK"));
    // Counted until its timer fires, which is due after the old one of `k`.
    client.hears_in_time("DBSIZE", &int(2));
    client.hears("GET k", bulk("new"));
    assert_eq!(info(&mut client, "timers_waiting"), 1);
}

#[test]
fn a_deadline_may_be_set_on_a_condition() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("SET k v", simple("OK"));
    for (text, wanted, left) in [
        ("EXPIRE k 100 XX", 0, -1),
        ("EXPIRE k 100 GT", 0, -1),
        ("EXPIRE k 1000 LT", 1, 1000),
        ("EXPIRE k 500 NX", 0, 1000),
        ("EXPIRE k 500 gt", 0, 1000),
        ("EXPIRE k 2000 lt", 0, 1000),
        ("EXPIRE k 2000 GT XX", 1, 2000),
        ("EXPIRE k 500 XX LT", 1, 500),
        ("EXPIRE k -1 GT", 0, 500),
        ("PERSIST k", 1, -1),
        ("EXPIRE k 300 NX", 1, 300),
        ("EXPIRE k -1 LT", 1, -2),
    ] {
        client.hears(text, int(wanted));
        let heard = client.ask("TTL k");
        // A busy machine may be slow, but not by minutes.
        let near = if left < 0 {
            left..=left
        } else {
            left - 100..=left
        };
        let is_near = matches!(heard, Reply::Integer(seconds) if near.contains(&seconds));
        assert!(is_near, "{text}: {heard:?} and not {left}");
    }
}

#[test]
fn expire_times_are_checked() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let invalid = |name: &str| error(&format!("ERR invalid expire time in '{name}' command"));
    for text in ["0", "-1", "9223372036854775807"] {
        client.hears(&format!("SET k v EX {text}"), invalid("set"));
        client.hears(&format!("SETEX k {text} v"), invalid("setex"));
    }
    client.hears("SET k v PX 0", invalid("set"));
    client.hears("SET k v EX x", error(NOT_AN_INTEGER));
    client.hears("EXISTS k", int(0));
    client.hears("SET k v", simple("OK"));
    client.hears("EXPIRE k 9223372036854775807", invalid("expire"));
    client.hears("EXPIRE k x", error(NOT_AN_INTEGER));
    client.hears("EXPIRE k 1 YX", error("ERR Unsupported option YX"));
    let text = "ERR NX and XX, GT or LT options at the same time are not compatible";
    client.hears("EXPIRE k 1 NX XX", error(text));
    let text = "ERR GT and LT options at the same time are not compatible";
    client.hears("EXPIRE k 1 GT LT", error(text));
    client.hears("PEXPIRE k 9223372036854775807", invalid("pexpire"));
    // A life of 292 million years is one.
    client.hears("PEXPIRE k 9223300000000000000", int(1));
    client.hears("PERSIST k", int(1));
}
