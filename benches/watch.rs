//! What it costs to be watched: the processor time of a server's loop per request, with nobody
//! watching, with a recorder, with a watchdog, with all that `TOURBILLON_DEBUG=1` opens, and with
//! somebody at its page.
//!
//! Run:    cargo bench --bench watch            (all)
//!         cargo bench --bench watch -- --test  (tiny: it only shows that the bench works)
//!
//! Each kind is a process of its own, and all of them take turns in short rounds, so that what
//! slows the machine down slows all. Each round gives a ratio to its own "off": on a shared machine
//! times differ by a third from one minute to the next. Where a process happens to lie in memory is
//! worth some percent for as long as it lives, so they are started anew a few times; what counts is
//! the median of what each of these generations has for its median. The time is that of the loop's
//! thread alone, as the kernel counts it.
//!
//! A second thread costs something by itself, since the kernel and the C library then lock what
//! they need not lock for one; so one kind has a second thread that does nothing.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use tourbillon::dial::Dial;
use tourbillon::server::{AccessLog, Config, Server};
use tourbillon::watch::Level;
use tourbillon::{Runtime, Watchdog};

const CONNECTIONS: usize = 32;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const KINDS: [&str; 7] = [
    "off",
    "off, two threads",
    "recorder, lean",
    "recorder, full",
    "watchdog",
    "debug",
    "debug, a page open",
];
/// A prime, and not less than their number.
const PLACES: usize = 7;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(kind) = args.iter().find_map(|arg| arg.strip_prefix("--serve=")) {
        serve(kind);
        return ExitCode::SUCCESS;
    }
    let is_small =
        args.iter().any(|arg| arg == "--test") || !args.iter().any(|arg| arg == "--bench");
    let (generations, rounds, requests) = if is_small {
        (1, 1, 320)
    } else {
        (15, 30, 4_800)
    };
    if fs::metadata("/proc/self/schedstat").is_err() {
        println!("skipped: this system does not tell the processor time of a thread");
        return ExitCode::SUCCESS;
    }
    let mut all: Vec<Kind> = KINDS.iter().map(|_| Kind::default()).collect();
    for generation in 0..generations {
        eprint!("\rgeneration {} of {generations} ", generation + 1);
        let mut sides: Vec<Side> = KINDS.iter().map(|kind| Side::start(kind)).collect();
        for round in 0..rounds {
            // Each kind comes after each other one as often, for what one leaves in the caches of
            // the next.
            let (first, step) = (round % PLACES, 1 + round % (PLACES - 1));
            let order = (0..PLACES).map(|turn| (first + turn * step) % PLACES);
            order
                .filter(|&place| place < KINDS.len())
                .for_each(|place| sides[place].run(requests));
        }
        let off = sides[0].taken.clone();
        all.iter_mut()
            .zip(sides)
            .for_each(|(kind, side)| kind.take_in(&side.taken, &off));
    }
    eprintln!("\r                         ");
    println!(
        "processor time of the loop per request, {generations} generations of {rounds} rounds of \
         {requests}:"
    );
    println!(
        "{:>20}     median     least   to off: median of generations, quartiles",
        ""
    );
    for (name, kind) in KINDS.iter().zip(all) {
        let (times, ratios) = (Sorted::new(kind.times), Sorted::new(kind.ratios));
        println!(
            "{name:>20}  {:6.0} ns  {:6.0} ns  {:+5.1} %  {:+5.1} .. {:+5.1}",
            times.at(0.5),
            times.at(0.0),
            ratios.at(0.5),
            ratios.at(0.25),
            ratios.at(0.75),
        );
    }
    ExitCode::SUCCESS
}

/// What all servers of a kind have taken.
#[derive(Default)]
struct Kind {
    times: Vec<f64>,
    /// Of each generation the median, in percent above "off".
    ratios: Vec<f64>,
}

impl Kind {
    fn take_in(&mut self, taken: &[f64], off: &[f64]) {
        let pairs = taken.iter().zip(off);
        let ratios = pairs.map(|(taken, off)| (taken / off - 1.0) * 100.0);
        self.ratios.push(Sorted::new(ratios).at(0.5));
        self.times.extend(taken);
    }
}

/// A server, and who asks it.
struct Side {
    child: Child,
    streams: Vec<TcpStream>,
    taken: Vec<f64>,
}

impl Side {
    fn start(kind: &str) -> Self {
        let this = env::current_exe().expect("a program has a name");
        let mut child = Command::new(this)
            .arg(format!("--serve={kind}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut address = || lines.next().expect("it says where it is").expect("as text");
        let (server, dial) = (address(), address());
        let connect = |_| TcpStream::connect(&server).expect("it listens");
        let streams = (0..CONNECTIONS).map(connect).collect();
        if kind.ends_with("open") {
            look_at(&dial);
        }
        Side {
            child,
            streams,
            taken: Vec::new(),
        }
    }

    fn run(&mut self, requests: usize) {
        self.ask(CONNECTIONS * 10);
        let before = self.cpu();
        self.ask(requests);
        self.taken.push((self.cpu() - before) / requests as f64);
    }

    /// One request on each connection, then the answers.
    fn ask(&mut self, requests: usize) {
        let mut buffer = [0; 4096];
        for _ in 0..requests / CONNECTIONS {
            for stream in &mut self.streams {
                stream.write_all(REQUEST).expect("it takes requests");
            }
            for stream in &mut self.streams {
                let count = stream.read(&mut buffer).expect("it answers");
                assert!(
                    buffer[..count].starts_with(b"HTTP/1.1 200"),
                    "it answers well"
                );
            }
        }
    }

    /// Nanoseconds on a processor, of the first thread: the loop's.
    fn cpu(&self) -> f64 {
        let id = self.child.id();
        let text = fs::read_to_string(format!("/proc/{id}/task/{id}/schedstat"));
        let text = text.expect("the server runs");
        let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
        nanos.expect("the first word is a number")
    }
}

struct Sorted(Vec<f64>);

impl Sorted {
    fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        Sorted(values)
    }

    /// The value below which this part of them lies.
    fn at(&self, part: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * part) as usize]
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A page that takes each frame.
fn look_at(dial: &str) {
    let mut stream = TcpStream::connect(dial).expect("the dial listens");
    let head = b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(head).expect("it takes requests");
    thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
}

fn serve(kind: &str) {
    let builder = Runtime::builder();
    let builder = match kind {
        "off" => builder,
        "off, two threads" => {
            thread::spawn(thread::park);
            builder
        }
        "recorder, lean" => builder.record(Level::Lean),
        "recorder, full" => builder.record(Level::Full),
        "watchdog" => builder.watchdog(Watchdog::new()),
        _ => builder.watchdog(Watchdog::new()).record(Level::Lean),
    };
    let mut rt = builder.build().expect("a runtime can be made");
    let watcher = rt.watcher().filter(|_| kind.starts_with("debug"));
    let dial = watcher.map(|watcher| Dial::new(watcher).open().expect("a port is free"));
    rt.block_on(async {
        let config = Config {
            address: ([127, 0, 0, 1], 0).into(),
            access_log: AccessLog::off(),
            signals: false,
            requests_per_connection_max: u64::MAX,
            // The kinds take turns, and wait for them.
            keep_alive: Duration::from_secs(600),
            ..Config::default()
        };
        let mut server = Server::new(async |_| "Hello, World!", config);
        server.startup().await.expect("a port is free");
        println!("{}", server.local_addr().expect("it listens"));
        println!(
            "{}",
            dial.as_ref()
                .map_or_else(String::new, |dial| dial.local_addr().to_string())
        );
        server.main_loop().await;
    });
}
