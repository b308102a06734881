//! Servers side by side, of HTTP and of a TCP echo: what a request costs each of them.
//!
//! cargo run --release -- [modes] [--servers a,b,c] [--rounds N] [--small] [--no-build]
//! cargo run --release -- --count | ping | idle | cores [the same options]
//!
//! What counts is the processor time of the server for each request, as the kernel accounts for
//! it, and of that the ratio to the others of the same round. Each round starts every server anew
//! for each mode, since where a process happens to lie in memory is worth some percent as long as
//! it lives. The servers have one core and the load has another.

mod child;
mod cores;
mod count;
mod idle;
mod modes;
mod ping;
mod servers;
mod table;

use std::error::Error;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use peers::cpu_nanos;
use peers::epoll::check;
use peers::load::{Load, Outcome};

use child::{Cpu, LOAD_CORE, Running, busy_ticks, pin};
use modes::{MODES, Mode};
use servers::{SERVERS, Server};
use table::{Row, Sample, Spread};

/// If others use more of a core meanwhile, a run is repeated, and the quieter one counts.
const FOREIGN_MAX: f64 = 0.06;

/// How long a server is measured, in one round and mode.
const TIME: Duration = Duration::from_millis(600);

struct Options {
    modes: Vec<Mode>,
    servers: Vec<&'static Server>,
    rounds: usize,
    time: Duration,
    is_small: bool,
    builds: bool,
    /// What is done with the servers, given the limit on open files.
    job: Job,
}

type Job = fn(&Options, usize) -> bool;

/// What is not a comparison in modes, and for whom it is, if not for all.
const JOBS: [(&str, Job, &[&str]); 4] = [
    ("--count", count::run, &[]),
    ("ping", ping::run, &["ours", "hyper"]),
    ("idle", idle::run, &["ours", "hyper"]),
    ("cores", cores::run, &["ours"]),
];

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run() -> Result<bool, Box<dyn Error>> {
    let began = Instant::now();
    let mut options = options()?;
    if options.builds {
        build()?;
    }
    let files = raise_files_limit()?;
    pin(LOAD_CORE)?;
    let modes = &options.modes;
    let is_asked = |server: &&Server| modes.iter().any(|mode| server.does(mode));
    options.servers.retain(is_asked);
    options.servers.retain(|server| {
        let works = if options.builds {
            server.build()
        } else {
            Ok(())
        };
        let works = works.and_then(|()| server.start("", ""));
        let kind = |mode: &&Mode| mode.is_echo() == server.is_echo;
        let first = MODES.iter().find(kind).expect("there are modes of both");
        let works = works.and_then(|running| Load::open(first.plan(running.address)));
        if let Err(fault) = &works {
            println!("{} is left out: {fault}", server.name);
        }
        works.is_ok()
    });
    if options.servers.is_empty() {
        return Err("none of the servers is left for that".into());
    }
    let is_well = (options.job)(&options, files);
    println!("\n{:.0} s in all", began.elapsed().as_secs_f64());
    Ok(is_well)
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        modes: Vec::new(),
        servers: SERVERS.iter().collect(),
        rounds: 5,
        time: TIME,
        is_small: false,
        builds: true,
        job: compare,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--servers" => {
                let names = value()?;
                let is = |name: &str, server: &Server| server.name == name;
                for name in names.split(',') {
                    let known = SERVERS.iter().any(|server| is(name, server));
                    known.then_some(()).ok_or_else(|| unknown(name))?;
                }
                let is_named = |server: &&Server| names.split(',').any(|name| is(name, server));
                options.servers.retain(is_named);
            }
            "--rounds" => options.rounds = value()?.parse().map_err(|_| "no number of rounds")?,
            "--small" => {
                options.is_small = true;
                (options.rounds, options.time) = (1, Duration::from_millis(50));
            }
            "--no-build" => options.builds = false,
            name if let Some(&(_, job, servers)) = JOBS.iter().find(|job| job.0 == name) => {
                options.job = job;
                options.modes = vec![MODES[0]];
                (options.servers)
                    .retain(|server| servers.is_empty() || servers.contains(&server.name));
            }
            name => {
                let mode = MODES.iter().find(|mode| mode.name == name);
                options.modes.push(*mode.ok_or_else(|| unknown(name))?);
            }
        }
    }
    if options.modes.is_empty() {
        options.modes = MODES.to_vec();
    }
    Ok(options)
}

fn unknown(name: &str) -> String {
    let modes = MODES.map(|mode| mode.name).join(" ");
    let jobs = JOBS.map(|job| job.0).join(" ");
    let mut servers: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
    servers.sort_unstable();
    servers.dedup();
    format!(
        "no {name} here\nmodes: {modes}\nor one of: {jobs}\nservers: {}",
        servers.join(" ")
    )
}

fn build() -> Result<(), Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--bins"]);
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status()?;
    status
        .success()
        .then_some(())
        .ok_or("the servers cannot be built".into())
}

/// Ten thousand connections need as many descriptors, here and in the servers. Says how many there
/// may be.
fn raise_files_limit() -> std::io::Result<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes to and reads from the one structure during the calls only.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
    }
    Ok(limit.rlim_max as usize)
}

fn compare(options: &Options, _files: usize) -> bool {
    let (modes, servers) = (&options.modes, &options.servers);
    let row = |server: &&'static Server| Row {
        name: server.name,
        rounds: vec![None; options.rounds],
    };
    let doing = |mode| servers.iter().filter(move |server| server.does(mode));
    let empty = |mode| doing(mode).map(row).collect::<Vec<_>>();
    let mut results: Vec<Vec<Row>> = modes.iter().map(empty).collect();
    let (mut foreign, mut is_well) = (Vec::new(), true);
    for round in 0..options.rounds {
        for (place, mode) in modes.iter().enumerate() {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, mode.name);
            let servers: Vec<&&Server> = doing(mode).collect();
            for turn in 0..servers.len() {
                // Who comes first changes, and so does who comes after whom at the ends.
                let turn = (turn + round + place) % servers.len();
                let server = servers[turn];
                match quietest(server, mode, options.time) {
                    Ok(sample) => {
                        foreign.push(sample.foreign);
                        results[place][turn].rounds[round] = Some(sample);
                    }
                    Err(fault) => {
                        is_well = false;
                        println!("{} failed in {}: {fault}", server.name, mode.name);
                    }
                }
            }
        }
    }
    for (mode, rows) in modes.iter().zip(&results) {
        table::print(mode, rows);
    }
    say_disturbed(foreign);
    is_well
}

fn say_disturbed(foreign: Vec<f64>) {
    let noisy = foreign.iter().filter(|&&part| part > FOREIGN_MAX).count();
    let all = foreign.len();
    if let Some(spread) = Spread::of(foreign.into_iter()) {
        println!(
            "\nothers used {:.0} % of a core (quartiles {:.0}..{:.0}), and disturbed {noisy} of \
             {all} runs that count (more than {:.0} %)",
            spread.median * 100.0,
            spread.low * 100.0,
            spread.high * 100.0,
            FOREIGN_MAX * 100.0
        );
    }
}

fn quietest(server: &Server, mode: &Mode, time: Duration) -> std::io::Result<Sample> {
    let first = measure(server, mode, time)?;
    // Of a short time the kernel's ticks say too little.
    if first.foreign <= FOREIGN_MAX || time < TIME {
        return Ok(first);
    }
    let second = measure(server, mode, time)?;
    Ok(if first.foreign < second.foreign {
        first
    } else {
        second
    })
}

fn measure(server: &Server, mode: &Mode, time: Duration) -> std::io::Result<Sample> {
    let running = server.start(mode.name, "")?;
    let mut load = Load::open(mode.plan(running.address))?;
    load.run(u64::MAX, time / 4).check()?;
    sample(&[running], || load.run(u64::MAX, time).check())
}

/// What processes use while they are asked.
fn sample(
    running: &[Running],
    ask: impl FnOnce() -> std::io::Result<Outcome>,
) -> std::io::Result<Sample> {
    let own_nanos = || cpu_nanos(libc::CLOCK_PROCESS_CPUTIME_ID);
    let cpu = || running.iter().map(Running::cpu).collect::<Vec<_>>();
    let (busy, own, before) = (busy_ticks(), own_nanos(), cpu());
    let outcome = ask()?;
    let (own, after) = (own_nanos() - own, cpu());
    let busy = (busy_ticks() - busy) as f64 * 1e7;
    let sum = |all: &[Cpu], of: fn(&Cpu) -> u64| all.iter().map(of).sum::<u64>();
    let more = |of| sum(&after, of) - sum(&before, of);
    let nanos = more(|cpu| cpu.nanos);
    let (user, system) = (more(|cpu| cpu.user), more(|cpu| cpu.system));
    let took = outcome.took.as_nanos() as f64;
    Ok(Sample {
        cpu: nanos as f64 / 1e3 / outcome.requests as f64,
        user: user as f64 / (user + system).max(1) as f64,
        each_second: outcome.requests as f64 / outcome.took.as_secs_f64(),
        p50: outcome.latencies.at(0.5) as f64 / 1e3,
        p99: outcome.latencies.at(0.99) as f64 / 1e3,
        server_busy: nanos as f64 / took,
        load_busy: own as f64 / took,
        foreign: ((busy - (nanos + own) as f64) / took).max(0.0),
    })
}
