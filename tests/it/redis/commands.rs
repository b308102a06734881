//! Every command, and what it says when it is used wrongly.

use super::{Reply, Server, bulk, bulks, command, error, int, simple};

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
const SYNTAX: &str = "ERR syntax error";

fn wrong_arity(name: &str) -> Reply {
    error(&format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

#[test]
fn texts_are_set_and_read() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("GET a", Reply::Null);
    client.hears("SET a 1", simple("OK"));
    client.hears("get a", bulk("1"));
    client.hears("SET a 2 NX", Reply::Null);
    client.hears("SET b 2 XX", Reply::Null);
    client.hears("SET a 2 xx", simple("OK"));
    client.hears("SET b 2 nx", simple("OK"));
    client.hears("SET a 3 GET", bulk("2"));
    client.hears("SET c 3 GET", Reply::Null);
    client.hears("SET c 4 NX GET", bulk("3"));
    client.hears("SET d 4 XX GET", Reply::Null);
    client.hears(
        "MGET a b c d",
        Reply::Array(vec![bulk("3"), bulk("2"), bulk("3"), Reply::Null]),
    );
    client.hears("MSET a x e y a z", simple("OK"));
    client.hears("MGET a e", bulks(&["z", "y"]));
    client.hears("APPEND a zz", int(3));
    client.hears("APPEND f new", int(3));
    client.hears("STRLEN a", int(3));
    client.hears("STRLEN none", int(0));
    client.hears("EXISTS a a none f", int(3));
    client.hears("TYPE a", simple("string"));
    client.hears("TYPE none", simple("none"));
    client.hears("DEL a none f", int(2));
    client.hears("DBSIZE", int(3));
    client.hears("FLUSHALL", simple("OK"));
    client.hears("FLUSHALL async", simple("OK"));
    client.hears("DBSIZE", int(0));
}

#[test]
fn numbers_are_counted() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("INCR n", int(1));
    client.hears("INCRBY n 41", int(42));
    client.hears("DECR n", int(41));
    client.hears("DECRBY n 50", int(-9));
    client.hears("INCRBY n -1", int(-10));
    client.hears("GET n", bulk("-10"));
    client.hears("DECR m", int(-1));
    client.hears("INCRBY n 1.5", error(NOT_AN_INTEGER));
    client.hears("SET n 9223372036854775807", simple("OK"));
    client.hears("INCR n", error("ERR increment or decrement would overflow"));
    client.hears("GET n", bulk("9223372036854775807"));
    let least = "DECRBY n -9223372036854775808";
    client.hears(least, error("ERR decrement would overflow"));
    for text in ["x", "01", "9223372036854775808"] {
        client.hears(&format!("SET n {text}"), simple("OK"));
        client.hears("INCR n", error(NOT_AN_INTEGER));
    }
    client.hears("RPUSH l 1", int(1));
    client.hears("INCR l", error(WRONG_TYPE));
}

#[test]
fn lists_grow_and_shrink_at_both_ends() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("LPUSH l b a", int(2));
    client.hears("RPUSH l c d e", int(5));
    client.hears("LLEN l", int(5));
    client.hears("TYPE l", simple("list"));
    for (range, wanted) in [
        ("0 -1", &["a", "b", "c", "d", "e"][..]),
        ("1 2", &["b", "c"]),
        ("-2 -1", &["d", "e"]),
        ("-100 100", &["a", "b", "c", "d", "e"]),
        ("3 1", &[]),
        ("5 9", &[]),
        ("0 -6", &[]),
        (
            "-9223372036854775808 9223372036854775807",
            &["a", "b", "c", "d", "e"],
        ),
    ] {
        client.hears(&format!("LRANGE l {range}"), bulks(wanted));
    }
    client.hears("LPOP l", bulk("a"));
    client.hears("RPOP l", bulk("e"));
    client.hears("LPOP l 2", bulks(&["b", "c"]));
    client.hears("RPOP l 0", bulks(&[]));
    client.hears("RPOP l 9", bulks(&["d"]));
    client.hears("EXISTS l", int(0));
    client.hears("LPOP l", Reply::Null);
    client.hears("LPOP l 1", Reply::NullArray);
    client.hears("LLEN l", int(0));
    client.hears("LRANGE l 0 -1", bulks(&[]));
    client.hears("RPUSH l a", int(1));
    let not_positive = "ERR value is out of range, must be positive";
    client.hears("LPOP l -1", error(not_positive));
    client.hears("LPOP l x", error(not_positive));
    client.hears("LPOP l 1 2", wrong_arity("lpop"));
    client.hears("LRANGE l 0 x", error(NOT_AN_INTEGER));
}

#[test]
fn a_key_of_another_kind_is_refused_and_kept() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("SET text a", simple("OK"));
    client.hears("RPUSH list a", int(1));
    let on_list = ["GET", "STRLEN", "INCR", "SET list b GET"];
    for text in on_list.map(|text| {
        if text.contains(' ') {
            text.into()
        } else {
            text.to_owned() + " list"
        }
    }) {
        client.hears(&text, error(WRONG_TYPE));
    }
    client.hears("APPEND list a", error(WRONG_TYPE));
    for text in ["LPUSH text a", "RPOP text", "LLEN text", "LRANGE text 0 1"] {
        client.hears(text, error(WRONG_TYPE));
    }
    client.hears("MGET text list", Reply::Array(vec![bulk("a"), Reply::Null]));
    client.hears("LRANGE list 0 -1", bulks(&["a"]));
    client.hears("SET list b", simple("OK"));
    client.hears("GET list", bulk("b"));
}

#[test]
fn keys_are_found_by_pattern() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.hears("MSET one 1 two 2 three 3 t* 4 t\\ 5", simple("OK"));
    for (pattern, wanted) in [
        ("*", &["one", "t*", "t\\", "three", "two"][..]),
        ("t*", &["t*", "t\\", "three", "two"]),
        ("t\\*", &["t*"]),
        ("t\\\\", &["t\\"]),
        ("?n?", &["one"]),
        ("*e", &["one", "three"]),
        ("*e*e", &["three"]),
        ("t[a-hw]*", &["three", "two"]),
        ("[^t]*", &["one"]),
        ("[t", &[]),
        ("one*", &["one"]),
        ("", &[]),
    ] {
        client.send(&command(&[b"KEYS", pattern.as_bytes()]));
        let Reply::Array(mut found) = client.reply() else {
            panic!("{pattern} gave no array");
        };
        found.sort_by_key(|key| format!("{key:?}"));
        assert_eq!(Reply::Array(found), bulks(wanted), "{pattern}");
    }
    // A pattern that takes for ever if every star is tried with every other.
    let key = "a".repeat(20_000);
    client.hears(&format!("SET {key} 1"), simple("OK"));
    client.hears(&format!("KEYS {}b", "a*".repeat(1000)), bulks(&[]));
}

#[test]
fn what_is_misspelt_is_refused_in_redis_s_words() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for text in [
        "SET k v NX XX",
        "SET k v XX NX",
        "SET k v EX",
        "SET k v EX 1 PX 1",
        "SET k v EX 1 KEEPTTL",
        "SET k v KEEPTTL PX 1",
        "SET k v what",
        "FLUSHALL NOW",
        "FLUSHALL SYNC SYNC",
    ] {
        client.hears(text, error(SYNTAX));
    }
    for text in [
        "GET", "GET a b", "SET a", "MGET", "LPUSH a", "DBSIZE a", "PING a b",
    ] {
        let name = text.split(' ').next().unwrap().to_lowercase();
        client.hears(text, wrong_arity(&name));
    }
    client.hears("MSET a", wrong_arity("mset"));
    client.hears("MSET a 1 b", wrong_arity("mset"));
    client.hears("EXISTS a b", int(0));
    client.hears(
        "FOO bar baz",
        error("ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' "),
    );
    client.hears(
        "FOO",
        error("ERR unknown command 'FOO', with args beginning with: "),
    );
    let long = "x".repeat(1000);
    let shown = &long[..128];
    client.hears(
        &format!("{long} {long} y"),
        error(&format!(
            "ERR unknown command '{shown}', with args beginning with: '{shown}' "
        )),
    );
    client.send(&command(&[b"a\r\nb", b"\xff"]));
    let text = "ERR unknown command 'a  b', with args beginning with: '\u{fffd}' ";
    assert_eq!(client.reply(), error(text));
    client.send(&command(&[b""]));
    let text = "ERR unknown command '', with args beginning with: ";
    assert_eq!(client.reply(), error(text));
    client.hears("SELECT 0", simple("OK"));
    client.hears("SELECT 1", error("ERR DB index is out of range"));
    client.hears("SELECT x", error(NOT_AN_INTEGER));
}

#[test]
fn clients_are_told_what_they_ask_before_they_begin() {
    let server = Server::start(&["--maxclients", "7"]);
    let mut client = server.connect();
    client.hears("PING", simple("PONG"));
    client.hears("PING hello", bulk("hello"));
    client.hears("ECHO hello", bulk("hello"));
    client.hears("CONFIG GET save", bulks(&["save", ""]));
    client.hears("CONFIG GET appendonly", bulks(&["appendonly", "no"]));
    client.hears("CONFIG GET none", bulks(&[]));
    client.hears(
        "config get MAXCLIENTS save",
        bulks(&["maxclients", "7", "save", ""]),
    );
    client.hears("CONFIG GET", wrong_arity("config|get"));
    client.hears(
        "CONFIG SET save x",
        error("ERR unknown subcommand 'SET'. Try CONFIG HELP."),
    );
    client.hears("CLIENT GETNAME", Reply::Null);
    client.hears("CLIENT SETNAME me", simple("OK"));
    client.hears("CLIENT GETNAME", bulk("me"));
    client.hears("CLIENT SETINFO lib-name x", simple("OK"));
    client.hears("CLIENT ID", int(1));
    client.hears("CLIENT SETNAME", wrong_arity("client|setname"));
    client.send(&command(&[b"CLIENT", b"SETNAME", b"a b"]));
    let text = "ERR Client names cannot contain spaces, newlines or special characters.";
    assert_eq!(client.reply(), error(text));
    client.hears(
        "CLIENT KILL",
        error("ERR unknown subcommand 'KILL'. Try CLIENT HELP."),
    );

    client.hears("HELLO 3", error("NOPROTO unsupported protocol version"));
    client.hears(
        "HELLO x",
        error("ERR Protocol version is not an integer or out of range"),
    );
    client.hears(
        "HELLO 2 AUTH a b",
        error("ERR Syntax error in HELLO option 'AUTH'"),
    );
    for text in ["HELLO", "HELLO 2", "HELLO 2 SETNAME you"] {
        let Reply::Array(facts) = client.ask(text) else {
            panic!("{text} gives no array");
        };
        assert_eq!(facts.len(), 14, "{facts:?}");
        assert!(
            facts.windows(2).any(|pair| pair == [bulk("proto"), int(2)]),
            "{facts:?}"
        );
    }
    client.hears("CLIENT GETNAME", bulk("you"));

    let Reply::Integer(count) = client.ask("COMMAND COUNT") else {
        panic!("COMMAND COUNT gives no number");
    };
    let Reply::Array(commands) = client.ask("COMMAND") else {
        panic!("COMMAND gives no array");
    };
    assert_eq!(commands.len() as i64, count);
    client.hears("COMMAND DOCS", bulks(&[]));
    // Each that is listed is there, and none takes less than it says.
    for facts in commands {
        let Reply::Array(facts) = facts else {
            panic!("{facts:?}");
        };
        let (Reply::Bulk(name), Reply::Integer(arity)) = (&facts[0], &facts[1]) else {
            panic!("{facts:?}");
        };
        assert!(*arity != 0);
        if arity.abs() > 1 {
            let name = str::from_utf8(name).unwrap();
            client.hears(name, wrong_arity(name));
        }
    }
    let Reply::Bulk(info) = client.ask("INFO") else {
        panic!("INFO gives no text");
    };
    assert!(info.starts_with(b"# Server\r\n"));

    client.hears("QUIT", simple("OK"));
    client.ends();
}

#[test]
fn keys_and_values_may_hold_any_bytes() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let all: Vec<u8> = (0..=255).collect();
    let hostile = b"\r\n$3\r\nfoo\r\n";
    for text in [&all[..], b"", hostile, &all.repeat(4000)] {
        client.send(&command(&[b"SET", &all, text]));
        assert_eq!(client.reply(), simple("OK"));
        client.send(&command(&[b"GET", &all]));
        assert!(client.reply() == bulk(text), "{} bytes", text.len());
        client.send(&command(&[b"ECHO", text]));
        assert!(client.reply() == bulk(text), "{} bytes", text.len());
        client.send(&command(&[b"RPUSH", hostile, text]));
        assert!(matches!(client.reply(), Reply::Integer(_)));
        client.send(&command(&[b"RPOP", hostile]));
        assert!(client.reply() == bulk(text), "{} bytes", text.len());
    }
    client.send(&command(&[b"KEYS", b"*"]));
    assert_eq!(client.reply(), Reply::Array(vec![bulk(&all)]));
}
