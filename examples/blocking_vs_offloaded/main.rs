//! The main job. What happens to everybody else while one handler blocks?
//!
//! Run:    cargo run --release --example blocking_vs_offloaded
//! Shows:  the same heavy work called on the loop (A) and handed to a worker (B), while 20 light
//!         requests come on a schedule: two timelines on one axis, their latencies, a verdict.
//! Next:   try `--how sleep` and `--heavy 8`; `--help` has the rest.
//!
//! ```text
//!   this thread                                 other threads
//!   server.rs   the server under test   ◀────   client.rs   a plan, kept to the clock
//!      │                                            │
//!      └─ heavy.rs  the work                        └─ facts.rs ─▶ verdict.rs
//!                                                                  lanes.rs table.rs json.rs
//! ```

mod options;
mod heavy;
mod server;
mod client;
mod facts;
mod verdict;
mod look;
mod lanes;
mod table;
mod json;
mod terminal;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use client::Client;
use facts::{Facts, How};
use heavy::Heavy;
use look::Look;
use options::{Asked, Options};
use terminal::Progress;

/// What crosses threads when something goes wrong.
type Fault = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    // RUST_LOG=info shows what the server says.
    env_logger::init();
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Asked::Run(options)) => options,
        Ok(Asked::Help) => return said(print(options::HELP), ExitCode::SUCCESS),
        Err(fault) => {
            eprintln!("error: {fault}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all of it, and returns whether it showed what it is there to show.
fn run(options: &Options) -> Result<bool, Fault> {
    let look = Look {
        width: terminal::width(),
        ascii: options.ascii,
        colour: io::stdout().is_terminal() && terminal::wants_colour(),
    };
    let plan = options.plan();
    if !options.json {
        print(&table::header(&plan, &look))?;
    }
    let progress = Progress::new();
    let heavy = match plan.how {
        How::Cpu => {
            progress.say("calibrating the heavy work");
            heavy::calibrated(plan.heavy_ms)
        }
        How::Sleep => Heavy::Sleep { ms: plan.heavy_ms },
    };

    let origin = Instant::now();
    let both = move |address| {
        let client = Client { address, origin };
        progress.say("A: the heavy work runs on the loop");
        let a = client.run(&plan, server::BAD).map_err(in_run("A"))?;
        progress.say("B: the heavy work runs on a worker");
        let b = client.run(&plan, server::GOOD).map_err(in_run("B"))?;
        Ok((a, b))
    };
    let runs = server::serve_while(heavy, origin, both);
    progress.clear();
    let (a, b) = runs?;
    let facts = Facts { plan, a, b };

    let verdict = verdict::judge(&facts);
    if options.json {
        print(&json::object(&facts, &verdict))?;
        if !verdict.ok {
            eprintln!("error: {}", verdict.sentences.join(" "));
        }
    } else {
        let parts = [
            lanes::timelines(&facts, &look),
            table::latencies(&facts, &look),
            table::verdict(&verdict, &look),
        ];
        print(&format!("\n{}", parts.join("\n")))?;
    }
    Ok(verdict.ok)
}

fn in_run(name: &str) -> impl FnOnce(Fault) -> Fault {
    move |fault| format!("run {name}: {fault}").into()
}

/// Writes to stdout. A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("the report could not be written to stdout: {error}").into())
        }
        _ => Ok(()),
    }
}

fn said(printed: Result<(), Fault>, code: ExitCode) -> ExitCode {
    printed.map_or(ExitCode::FAILURE, |()| code)
}
