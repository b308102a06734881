//! What does the example server cost, beside the real one, under the real client?
//!
//! ```sh
//! cargo bench --bench redis                # two minutes
//! cargo bench --bench redis -- get lpush   # these rows only
//! cargo bench --bench redis -- --test      # small: does it work?
//! ```
//!
//! `examples/redis` and redis-server run at the same time on core 0, and redis-benchmark drives
//! them by turns from core 1, so that whatever slows the machine down slows both. What is kept is
//! the median of the rounds. The client is a single thread too and costs more than either server,
//! so requests per second say little about the server alone: the figure beside it is the CPU time
//! of the server per request, from /proc/PID/stat. Needs Linux, taskset, and Debian's packages
//! redis-server and redis-tools; where they are missing it says so and ends well.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

type Fault = Box<dyn Error>;

/// How much of the real server's requests per second we want to reach.
const GOAL: f64 = 0.9;

const ROUNDS: usize = 5;
const CLIENTS: usize = 50;

/// The depth of the pipeline, and requests per figure: in the full mode, and in the small one.
const DEPTHS: [(usize, usize, usize); 2] = [(1, 100_000, 1000), (16, 400_000, 4000)];

const TESTS: [&str; 4] = ["get", "set", "incr", "lpush"];

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(10);

fn main() -> Result<(), Fault> {
    let words: Vec<String> = env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let is_small = has("--test") || !has("--bench");
    for tool in ["redis-server", "redis-benchmark", "taskset"] {
        if !is_installed(tool) {
            println!("skipped: the bench beside redis-server needs {tool}");
            return Ok(());
        }
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        println!("skipped: the bench beside redis-server needs two cores");
        return Ok(());
    }
    let servers = [ours()?, theirs()?];
    let rounds = if is_small { 1 } else { ROUNDS };
    println!("{rounds} round(s), {CLIENTS} clients, load {}", load());
    let mut rows = rows(&words, is_small);
    // Round zero warms up: allocators, caches, frequency.
    for round in 0..rounds + usize::from(!is_small) {
        for row in &mut rows {
            for turn in 0..2 {
                // Who begins changes, so that neither always has the warmer machine.
                let side = (turn + round) % 2;
                let figure = measure(row, &servers[side])?;
                if round > 0 || is_small {
                    row.figures[side].push(figure);
                }
            }
        }
    }
    report(&rows);
    println!("load {}", load());
    Ok(())
}

/// What one run of the client says of a server.
struct Figure {
    /// Requests per second.
    rate: f64,
    /// CPU time of the server per request, in microseconds.
    cpu: f64,
}

struct Row {
    test: &'static str,
    depth: usize,
    requests: usize,
    /// Of ours and of theirs.
    figures: [Vec<Figure>; 2],
}

fn rows(words: &[String], is_small: bool) -> Vec<Row> {
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_asked = |test: &&str| filters.is_empty() || filters.iter().any(|word| word == test);
    let mut rows = Vec::new();
    for (depth, full, small) in DEPTHS {
        for test in TESTS.into_iter().filter(is_asked) {
            rows.push(Row {
                test,
                depth,
                requests: if is_small { small } else { full },
                figures: [Vec::new(), Vec::new()],
            });
        }
    }
    rows
}

/// A server that is killed when this is dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Builds the example as this bench was built, and starts it.
fn ours() -> Result<Server, Fault> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--example", "redis"]);
    if cfg!(debug_assertions) {
        println!("built without optimisation: the figures mean nothing");
    } else {
        build.arg("--release");
    }
    let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status()?;
    if !built.success() {
        return Err("the example does not build".into());
    }
    let bench = env::current_exe()?;
    let profile: PathBuf = bench.ancestors().skip(2).take(1).collect();
    let mut process = Command::new("taskset")
        .args(["-c", "0"])
        .arg(profile.join("examples/redis"))
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = process.stdout.take().ok_or("its output is not piped")?;
    let mut server = Server { process, port: 0 };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let port = line.trim_end().rsplit(':').next().unwrap_or_default();
    server.port = port.parse().map_err(|_| format!("it says {line:?}"))?;
    Ok(server)
}

fn theirs() -> Result<Server, Fault> {
    // It cannot choose a free port itself.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = free.local_addr()?.port();
    drop(free);
    let process = Command::new("taskset")
        .args([
            "-c",
            "0",
            "redis-server",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .stdout(Stdio::null())
        .spawn()?;
    let mut server = Server { process, port };
    let began = Instant::now();
    while ask(port, "*1\r\n$4\r\nPING\r\n").is_err() {
        if let Some(status) = server.process.try_wait()? {
            return Err(format!("redis-server ended with {status}").into());
        }
        if began.elapsed() > START_MAX {
            return Err("redis-server does not answer".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(server)
}

/// Sends a command, and waits for the first byte of the reply.
fn ask(port: u16, command: &str) -> Result<(), Fault> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(START_MAX))?;
    stream.write_all(command.as_bytes())?;
    Ok(stream.read_exact(&mut [0])?)
}

fn measure(row: &Row, server: &Server) -> Result<Figure, Fault> {
    // The list of the last round must not grow for ever.
    ask(server.port, "*2\r\n$3\r\nDEL\r\n$6\r\nmylist\r\n")?;
    let before = cpu_time(server)?;
    let output = Command::new("taskset")
        .args(["-c", "1", "redis-benchmark", "--csv", "-h", "127.0.0.1"])
        .args(["-p", &server.port.to_string(), "-t", row.test])
        .args(["-c", &CLIENTS.to_string(), "-n", &row.requests.to_string()])
        .args(["-P", &row.depth.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let cpu = (cpu_time(server)? - before).as_secs_f64();
    let text = String::from_utf8_lossy(&output.stdout);
    // "GET","51706.31","0.515", ...
    let mut rates = text.lines().filter_map(|line| line.split("\",\"").nth(1));
    let rate = rates.find_map(|rate| rate.parse().ok());
    Ok(Figure {
        rate: rate.ok_or_else(|| format!("redis-benchmark says {text:?}"))?,
        cpu: cpu * 1e6 / row.requests as f64,
    })
}

/// The CPU time a server has used so far: user and system time, fields 14 and 15.
fn cpu_time(server: &Server) -> Result<Duration, Fault> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.process.id()))?;
    // The second field is a name in brackets, which may hold anything.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let mut ticks = 0.0;
    for field in fields.split(' ').skip(11).take(2) {
        ticks += field.parse::<f64>()?;
    }
    let second = Command::new("getconf").arg("CLK_TCK").output()?;
    let second: f64 = String::from_utf8(second.stdout)?.trim().parse()?;
    Ok(Duration::from_secs_f64(ticks / second))
}

fn report(rows: &[Row]) {
    println!("\n                  requests/s                   server CPU, us/request");
    println!("                ours  redis-server  ratio       ours  redis-server  ratio");
    for row in rows {
        let name = format!("{} -P {}", row.test, row.depth);
        let [ours, theirs, ratio] = medians(row, |figure| figure.rate);
        print!("{name:<12} {ours:>7.0}  {theirs:>12.0}  {ratio:>5.2}  ");
        let is_reached = ratio >= GOAL;
        let [ours, theirs, ratio] = medians(row, |figure| figure.cpu);
        print!("{ours:>9.2}  {theirs:>12.2}  {ratio:>5.2}   goal {GOAL} ");
        println!("{}", if is_reached { "reached" } else { "missed" });
    }
}

/// Of our figures, of theirs, and of the ratios of each round.
fn medians(row: &Row, what: fn(&Figure) -> f64) -> [f64; 3] {
    let [ours, theirs] = row.figures.each_ref().map(|figures| {
        let figures = figures.iter().map(what);
        figures.collect::<Vec<f64>>()
    });
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs);
    let ratio = median(ratios.collect());
    [median(ours), median(theirs), ratio]
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn is_installed(tool: &str) -> bool {
    let mut command = Command::new(tool);
    let command = command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

/// The load average, where there is one to read.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    String::from(text.split(' ').next().unwrap_or_default())
}
