//! The programs of Redis's own authors, where they are installed.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Client, DEADLINE, Reply, Server, command, simple};
use crate::support::{Dice, run_installed};

/// Runs a tool, with a text for it to read; nothing where it is not installed.
fn run(tool: &str, server: &Server, words: &[&str], input: &str) -> Option<Output> {
    let port = server.address.port().to_string();
    let args = [&["-h", "127.0.0.1", "-p", &*port], words].concat();
    run_installed(tool, "redis-tools", &args, input.as_bytes())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn redis_cli_drives_it() {
    let server = Server::start(&[]);
    let input = "set greeting \"hello there\" ex 100\nget greeting\nttl greeting\nrpush l 1 2 3\n\
                 lrange l 0 -1\nget l\nfoo\nselect 1\ndel greeting l\nget greeting\n";
    let Some(output) = run("redis-cli", &server, &["--no-raw"], input) else {
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<&str> = text(&output.stdout)
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    let wanted = [
        "OK",
        "\"hello there\"",
        "(integer) 100",
        "(integer) 3",
        "1) \"1\"",
        "2) \"2\"",
        "3) \"3\"",
        "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        "(error) ERR unknown command 'foo', with args beginning with: ",
        "(error) ERR DB index is out of range",
        "(integer) 2",
        "(nil)",
    ];
    let trimmed: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    assert_eq!(trimmed, wanted.map(str::trim_end), "{output:?}");

    let output = run("redis-cli", &server, &["-3", "ping"], "").unwrap();
    assert!(text(&output.stdout).contains("PONG"), "{output:?}");
    // A thousand commands without waiting for their replies.
    let commands = "INCR piped\r\n".repeat(1000);
    let output = run("redis-cli", &server, &["--pipe"], &commands).unwrap();
    assert!(
        text(&output.stdout).contains("errors: 0, replies: 1000"),
        "{output:?}"
    );
    let output = run("redis-cli", &server, &["get", "piped"], "").unwrap();
    assert_eq!(text(&output.stdout).trim_end(), "1000");
}

#[test]
fn redis_benchmark_drives_it() {
    let server = Server::start(&[]);
    let tests = "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,lrange_100,mset";
    for depth in ["1", "16"] {
        let words = ["-q", "-n", "1000", "-c", "20", "-P", depth, "-t", tests];
        let Some(output) = run("redis-benchmark", &server, &words, "") else {
            return;
        };
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text(&output.stderr), "", "{output:?}");
        let report = text(&output.stdout);
        let figures = report.matches("requests per second").count();
        assert!(figures >= 11, "{figures} figures in {report}");
        assert!(!report.to_lowercase().contains("error"), "{report}");
    }
    server.connect().hears("PING", simple("PONG"));
}

/// The real server, on a port that was free.
struct Real {
    process: Child,
    address: SocketAddr,
}

impl Real {
    /// Nothing where it is not installed.
    fn start() -> Option<Self> {
        let began = Instant::now();
        loop {
            // It cannot choose a free port itself, so somebody may be faster.
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let process = Command::new("redis-server")
                .args(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
                .args(["--databases", "1", "--port", &address.port().to_string()])
                .stdout(Stdio::null())
                .spawn();
            let process = match process {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    println!("skipped: redis-server is not installed (Debian's package)");
                    return None;
                }
                process => process.unwrap(),
            };
            let mut real = Real { process, address };
            while real.process.try_wait().unwrap().is_none() {
                assert!(began.elapsed() < DEADLINE, "redis-server does not listen");
                if TcpStream::connect(address).is_ok() {
                    return Some(real);
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What made-up commands are drawn from: names, each with how many words it likes, and words.
const NAMES: &str = "GET/1 SET/2 SET/4 set/3 SET/5 SETEX/3 DEL/1 DEL/2 EXISTS/2 INCR/1 DECR/1 \
    INCRBY/2 DECRBY/2 EXPIRE/2 EXPIRE/3 PEXPIRE/4 TTL/1 PERSIST/1 MGET/3 MSET/2 MSET/4 APPEND/2 \
    STRLEN/1 LPUSH/2 RPUSH/4 lpush/3 LPOP/1 RPOP/2 LLEN/1 LRANGE/3 lrange/3 DBSIZE/0 TYPE/1 \
    PING/1 ECHO/1 SELECT/1 KEYS/1 NONE/2";
const WORDS: &str = "a b c a b c a b c 0 1 2 3 -1 -2 1000000 2000000 -0 01 1.5 NX XX GT LT EX PX \
    KEEPTTL GET ex ? 9223372036854775807 -9223372036854775808 9223372036854775808";
const ODD_WORDS: [&[u8]; 4] = [b"", b"x y", b"\r\n", b"a\r\nb"];

fn made_up(dice: &mut Dice) -> Vec<&'static [u8]> {
    let mut pick = |from: &'static str| {
        let words: Vec<&str> = from.split_ascii_whitespace().collect();
        words[dice.below(words.len() as u64) as usize]
    };
    let (name, likes) = pick(NAMES).split_once('/').unwrap();
    let mut words = vec![name.as_bytes()];
    words.extend((0..5).map(|_| pick(WORDS).as_bytes()));
    words.truncate(
        1 + match dice.below(8) {
            0 => dice.below(6) as usize,
            _ => likes.parse::<usize>().unwrap(),
        },
    );
    if matches!(name, "SET" | "set" | "SETEX" | "EXPIRE" | "PEXPIRE") {
        // No life is short enough to end in the test.
        for word in words
            .iter_mut()
            .filter(|word| matches!(word, [b'1'..=b'3']))
        {
            *word = b"3000000";
        }
    }
    if words.len() > 1 && dice.below(16) == 0 {
        let at = 1 + dice.below(words.len() as u64 - 1) as usize;
        words[at] = ODD_WORDS[dice.below(ODD_WORDS.len() as u64) as usize];
    }
    words
}

/// The same commands, and the same answers, in the same words.
#[test]
fn the_real_server_says_the_same() {
    let Some(real) = Real::start() else {
        return;
    };
    let server = Server::start(&[]);
    let mut ours = server.connect();
    let mut theirs = Client::over(TcpStream::connect(real.address).unwrap());
    let mut refused = 0;
    for seed in 1..=1000 {
        let mut dice = Dice::new(seed);
        let commands: Vec<_> = (0..50).map(|_| made_up(&mut dice)).collect();
        if seed % 4 == 0 {
            ours.hears("FLUSHALL", simple("OK"));
            theirs.hears("FLUSHALL", simple("OK"));
        }
        let bytes: Vec<u8> = commands.iter().flat_map(|words| command(words)).collect();
        ours.send(&bytes);
        theirs.send(&bytes);
        for words in commands {
            let replies = [ours.reply(), theirs.reply()].map(|reply| match reply {
                // In no order.
                Reply::Array(mut keys) if words[0] == b"KEYS" => {
                    keys.sort_by_key(|key| format!("{key:?}"));
                    Reply::Array(keys)
                }
                reply => reply,
            });
            refused += usize::from(matches!(replies[0], Reply::Error(_)));
            if let (b"TTL", [Reply::Integer(our), Reply::Integer(their)]) = (words[0], &replies) {
                assert!((our - their).abs() <= 60, "TTL: {our} here, {their} there");
                continue;
            }
            let shown = words.iter().map(|word| word.escape_ascii().to_string());
            let shown: Vec<String> = shown.collect();
            assert_eq!(replies[0], replies[1], "seed {seed}: {shown:?}");
        }
    }
    assert!(
        (10_000..35_000).contains(&refused),
        "{refused} errors say little"
    );
}

#[test]
fn the_real_server_refuses_the_same_bytes() {
    let Some(real) = Real::start() else {
        return;
    };
    let server = Server::start(&[]);
    for bytes in [
        &b"*x\r\n"[..],
        b"*1 \r\n",
        b"*99999999999999999999\r\n",
        b"*1\r\n:1\r\n",
        b"*1\r\n\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$9223372036854775807\r\n",
        b"*1\r\n$x\r\n",
        b"*0\r\n*-1\r\n\r\nGET \"a\r\n",
        b"GET 'a'b\r\n",
        b"ECHO \"\\x41\\n\\q\" a\r\nECHO \"\\x41\\n\\q\"\nECHO 'it\\'s'\r\nQUIT\r\n",
        b"foo bar\r\n  \r\nPING\r\nQUIT\r\nPING\r\n",
    ] {
        let both = [server.address, real.address].map(|address| {
            let mut client = Client::over(TcpStream::connect(address).unwrap());
            client.send(bytes);
            client.rest()
        });
        assert_eq!(both[0], both[1], "{}", bytes.escape_ascii());
    }
}
