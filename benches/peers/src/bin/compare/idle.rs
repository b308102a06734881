//! Active connections beside as many idle ones as there may be descriptors.
//!
//! The idle ones may be so for ten minutes, which is set where the servers start; each has asked
//! once.

use std::io;
use std::thread;
use std::time::Duration;

use peers::load::Load;

use crate::child::SERVER_CORE;
use crate::modes::IDLE;
use crate::servers::Server;
use crate::table::{self, Row, Sample, Spread};
use crate::{Options, sample, say_disturbed};

/// Descriptors that are left for other things, on either side.
const FILES_SPARED: usize = 200;

pub(crate) fn run(options: &Options, files: usize) -> bool {
    let (mut active, mut idle) = (IDLE.connections, files.saturating_sub(FILES_SPARED));
    if options.is_small {
        (active, idle) = (50, 500);
    }
    let idle = idle.saturating_sub(active);
    let row = |name| Row {
        name,
        rounds: vec![None; options.rounds],
    };
    let empty = |_| (["before", "with idle", "after"].map(row), Vec::new());
    let mut results: Vec<_> = options.servers.iter().map(empty).collect();
    let mut is_well = true;
    for round in 0..options.rounds {
        for turn in 0..options.servers.len() {
            let place = (turn + round) % options.servers.len();
            let server = options.servers[place];
            let (rows, memory) = &mut results[place];
            eprintln!("round {} of {}: {}", round + 1, options.rounds, server.name);
            match measure(server, active, idle, options.time * 3) {
                Ok((samples, bytes)) => {
                    for (row, sample) in rows.iter_mut().zip(samples) {
                        row.rounds[round] = Some(sample);
                    }
                    memory.push(bytes);
                }
                Err(fault) => {
                    is_well = false;
                    println!("{} failed: {fault}", server.name);
                }
            }
        }
    }
    let mut foreign = Vec::new();
    for (server, (rows, memory)) in options.servers.iter().zip(&results) {
        println!(
            "\n{}, {active} active and {idle} idle connections",
            server.name
        );
        table::print(&IDLE, rows);
        if let Some(bytes) = Spread::of(memory.iter().copied()) {
            println!(
                "\nan idle connection holds {:.0} bytes in {}",
                bytes.median, server.name
            );
        }
        let samples = rows.iter().flat_map(|row| row.rounds.iter().flatten());
        foreign.extend(samples.map(|sample| sample.foreign));
    }
    say_disturbed(foreign);
    is_well
}

/// Before, with and after the idle connections, and the bytes that one of them holds.
fn measure(
    server: &Server,
    active: usize,
    idle: usize,
    time: Duration,
) -> io::Result<([Sample; 3], f64)> {
    let running = [server.launch("", "idle", SERVER_CORE)?];
    let mut plan = IDLE.plan(running[0].address);
    plan.connections = active;
    let mut load = Load::open(plan.clone())?;
    let mut ask = || {
        // What servers do behind an answer, and behind an end.
        thread::sleep(Duration::from_millis(300));
        load.run(u64::MAX, time / 4).check()?;
        sample(&running, || load.run(u64::MAX, time).check())
    };
    let before = ask()?;
    let bytes = running[0].pss_bytes() as f64;
    plan.connections = idle;
    let mut waiting = Load::open(plan)?;
    let bytes = (running[0].pss_bytes() as f64 - bytes) / idle as f64;
    let with = ask()?;
    let closed = waiting.closed();
    if closed > 0 {
        let text = format!("{closed} of {idle} idle connections were closed");
        return Err(io::Error::other(text));
    }
    drop(waiting);
    Ok(([before, with, ask()?], bytes))
}
