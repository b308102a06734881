//! A loop for each core beside one loop: processes on one port, to which the kernel deals the
//! connections (`SO_REUSEPORT`).
//!
//! The load is the same for both, a thread on each core, and so it shares the cores with the
//! servers. What can be seen on few cores is whether a request costs more when there are many.

use std::io;
use std::thread;
use std::time::Duration;

use peers::load::{Load, Outcome};

use crate::child::{ALL_CORES, pin};
use crate::modes::CORES;
use crate::servers::Server;
use crate::table::{self, Row, Sample};
use crate::{Options, sample, say_disturbed};

pub(crate) fn run(options: &Options, _files: usize) -> bool {
    // The first thread was kept on the core of the load.
    let all = pin(ALL_CORES).and_then(|()| thread::available_parallelism());
    let all = all.map_or(1, usize::from);
    let row = |name| Row {
        name,
        rounds: vec![None; options.rounds],
    };
    let mut is_well = true;
    for server in &options.servers {
        let mut rows = [row("one loop"), row("a loop for each core")];
        for round in 0..options.rounds {
            eprintln!("round {} of {}: cores", round + 1, options.rounds);
            for turn in 0..2 {
                let place = (turn + round) % 2;
                match measure(server, [1, all][place], all, options.time) {
                    Ok(sample) => rows[place].rounds[round] = Some(sample),
                    Err(fault) => {
                        is_well = false;
                        println!("{} failed: {fault}", rows[place].name);
                    }
                }
            }
        }
        println!("\n{}, {all} cores", server.name);
        table::print(&CORES, &rows);
        let samples = rows.iter().flat_map(|row| row.rounds.iter().flatten());
        say_disturbed(samples.map(|sample| sample.foreign).collect());
    }
    is_well
}

fn measure(server: &Server, loops: usize, cores: usize, time: Duration) -> io::Result<Sample> {
    let mut running = vec![server.launch("", "shared", 0..1)?];
    let address = running[0].address;
    for core in 1..loops {
        let words = format!("shared {}", address.port());
        running.push(server.launch("", &words, core..core + 1)?);
    }
    let open = |_| Load::open(CORES.plan(address));
    let mut loads = (0..cores).map(open).collect::<io::Result<Vec<_>>>()?;
    ask(&mut loads, time / 4)?;
    sample(&running, || ask(&mut loads, time))
}

/// A thread on each core.
fn ask(loads: &mut [Load], time: Duration) -> io::Result<Outcome> {
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (core, load) in loads.iter_mut().enumerate() {
            threads.push(scope.spawn(move || {
                pin(core..core + 1)?;
                load.run(u64::MAX, time).check()
            }));
        }
        let mut all = Outcome::default();
        for thread in threads {
            let one = thread.join().expect("a load does not panic")?;
            all.requests += one.requests;
            all.took = all.took.max(one.took);
            all.latencies.add_all(&one.latencies);
        }
        Ok(all)
    })
}
