//! Chapter 13. What does a server do between its first breath and its last?
//!
//! Run:    cargo run --example 13_life_of_a_server
//! Shows:  startup, serving, a stop, the six steps of the drain; and who is cut off at its end.
//! Next:   14_the_dial; or src/server/drain.rs, the six steps.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::future::pending;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tourbillon::server::{AccessLog, Config, Lifespan, Server, ServerHandle};
use tourbillon::sleep;
use tourbillon::web::Router;

const SLOW: Duration = Duration::from_millis(200);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 13. What does a server do between its first breath and its last?\n");
    // What the server logs, without a clock: it is the story.
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Info)
        .format(|out, record| writeln!(out, "  server | {}", record.args()))
        .target(env_logger::Target::Stdout)
        .init();
    let mut rt = watch::builder().watch(true).build()?;
    let _page = watch::page(&rt, include_str!("13_life_of_a_server.rs"))?;

    let (tell, begun) = mpsc::channel();
    let told = tell.clone();
    let app = Router::new()
        .get("/quick", async |_| "at once")
        .get("/slow", async move |_| {
            let _ = tell.send("/slow");
            sleep(SLOW).await;
            "in time"
        })
        .get("/never", async move |_| {
            let _ = told.send("/never");
            pending::<&str>().await
        });
    let hooks = Lifespan::new(async || {
        println!("   hook  | startup: opens what all requests share");
        Ok::<_, io::Error>("a pool of connections")
    });
    let hooks = hooks.on_shutdown(async |shared| {
        println!("   hook  | shutdown: closes {shared}");
        Ok::<_, io::Error>(())
    });
    let config = Config {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        access_log: AccessLog::off(),
        graceful_timeout: 3 * SLOW,
        ..Config::default()
    };
    let clients = rt.block_on(async {
        let mut server = Server::new(app, config).with_lifespan(hooks);
        server.startup().await?;
        let (handle, address) = (server.handle(), server.local_addr());
        let clients = thread::spawn(move || visit(address, &begun, &handle));
        server.main_loop().await;
        server.shutdown().await?;
        Ok::<_, Box<dyn Error>>(clients)
    })?;
    let answers = clients.join().map_err(|_| "a client panicked")?;

    println!("\nWhat the clients have:");
    for (path, answer) in answers {
        println!("  {path:<7} {answer}");
    }
    let stats = rt.stats();
    let report = rt.shutdown();
    println!(
        "\nturns {} / polls {} / parks {}   left over: tasks {}, jobs {}",
        stats.turns,
        stats.polls,
        stats.parks,
        report.tasks_dropped,
        report.jobs_detached.len()
    );
    println!("Notice: to stop is to keep promises: who was let in is answered, and nobody else is");
    println!(
        "        let in. The promise has an end, and who is cut off there is named, not lost."
    );
    Ok(())
}

type Answers = Vec<(&'static str, String)>;

/// Three clients. The server is told to stop while two of them wait.
fn visit(at: Option<SocketAddr>, begun: &Receiver<&str>, server: &ServerHandle) -> Answers {
    let ask = move |path| {
        (
            path,
            get(at, path).unwrap_or_else(|error| error.to_string()),
        )
    };
    let quick = ask("/quick");
    let waiting = ["/slow", "/never"].map(|path| {
        let asks = thread::spawn(move || ask(path));
        println!(" clients | {path} waits: {}", begun.recv().is_ok());
        asks
    });
    println!(" clients | somebody says stop");
    server.stop();
    let answers = waiting.map(|asks| asks.join().expect("it returns what goes wrong"));
    [vec![quick], answers.to_vec()].concat()
}

fn get(address: Option<SocketAddr>, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address.ok_or(io::ErrorKind::AddrNotAvailable)?)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) => Ok(body.to_owned()),
        None => Ok("no answer: the connection was cut off".to_owned()),
    }
}
