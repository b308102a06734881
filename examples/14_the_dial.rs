//! Chapter 14. How can one look at a loop that is stuck?
//!
//! Run:    cargo run --example 14_the_dial [-- --same-loop] [--stay]
//! Shows:  a server, and its live page on a loop of its own; and what a page on the same loop says.
//! Next:   15_two_loops; or src/dial/dial.rs, and src/watch/mod.rs for what it reads.

#[path = "support/watch.rs"]
mod watch;

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::Watchdog;
use tourbillon::dial::Dial;
use tourbillon::server::{AccessLog, Config, Server, ServerHandle};
use tourbillon::watch::Level;
use tourbillon::web::Router;

const BLOCK: Duration = Duration::from_millis(1200);
const LOOK_EVERY: Duration = Duration::from_millis(150);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 14. How can one look at a loop that is stuck?");
    let is_same_loop = env::args().any(|arg| arg == "--same-loop");
    // It writes nothing to standard error: here the page tells.
    let watchdog = Watchdog::new().reports_per_minute(0);
    let builder = watch::builder().watchdog(watchdog).record(Level::Lean);
    let mut rt = builder.build()?;
    let _page = watch::page(&rt, include_str!("14_the_dial.rs"))?;

    let dial = Dial::new(rt.watcher().ok_or("it is watched")?);
    let mut app = Router::new()
        .get("/", async |_| "Hello!")
        .get("/block", async |_| hold_the_loop());
    let own_loop = (!is_same_loop).then(|| dial.clone().open()).transpose()?;
    if own_loop.is_none() {
        app = app.nest("/dial", dial.router());
    }
    let config = Config {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        access_log: AccessLog::off(),
        ..Config::default()
    };
    let clients = rt.block_on(async {
        let mut server = Server::new(app, config);
        server.startup().await?;
        let address = server.local_addr().ok_or("it listens")?;
        let (page, path) = match &own_loop {
            Some(open) => (open.local_addr(), "/"),
            None => (address, "/dial/"),
        };
        println!("\n  server  http://{address}/   (see /block)");
        println!("  page    http://{page}{path}\n");
        let handle = server.handle();
        let clients = thread::spawn(move || visit(address, page, path, &handle));
        server.main_loop().await;
        server.shutdown().await?;
        Ok::<_, Box<dyn Error>>(clients)
    })?;
    clients.join().map_err(|_| "a client panicked")??;

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}   stalls {}",
        stats.turns,
        stats.polls,
        stats.parks,
        rt.stalls()
    );
    println!("Notice: who watches must not need what is watched. On a loop of its own the page");
    println!("        tells who holds the other; on the same loop it is one more that waits.");
    Ok(())
}

/// Blocks the server with one request, and asks the page how it is meanwhile.
fn visit(server: SocketAddr, page: SocketAddr, path: &str, stop: &ServerHandle) -> io::Result<()> {
    let blocks = thread::spawn(move || get(server, "/block"));
    let began = Instant::now();
    while began.elapsed() < BLOCK + LOOK_EVERY {
        thread::sleep(LOOK_EVERY);
        let asked = Instant::now();
        let frame = get(page, &format!("{path}snapshot.json"))?;
        let took = asked.elapsed().as_millis();
        // In `where` are the frames: function, file, line, whose code it is.
        let mut frames = frame
            .split("[\"")
            .filter(|frame| frame.contains("\"yours\"]"));
        let yours = frames.next().and_then(|frame| frame.split('"').next());
        println!(
            "  asked at {:>4} ms, answered after {took:>4} ms: {} {}",
            (asked - began).as_millis(),
            value(&frame, "state"),
            yours.map_or(String::new(), |function| format!("in {function}"))
        );
    }
    blocks.join().expect("it returns what goes wrong")?;
    if env::args().any(|arg| arg == "--stay") {
        println!("\nIt serves until Enter or Ctrl-C.");
        io::stdin().read_line(&mut String::new())?;
    }
    stop.stop();
    Ok(())
}

/// The mistake to be watched.
fn hold_the_loop() -> &'static str {
    thread::sleep(BLOCK);
    "It was held."
}

fn value<'a>(json: &'a str, name: &str) -> &'a str {
    let found = json.split_once(&format!("\"{name}\":\""));
    found.map_or("?", |(_, rest)| rest.split('"').next().unwrap_or_default())
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
