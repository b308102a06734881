//! The main job. What happens to everybody else while one handler blocks?
//!
//! Run:    cargo run --release --example blocking_vs_offloaded
//! Shows:  the same heavy work called on the loop (A) and handed to a worker (B), while 20 light
//!         requests come on a schedule: two timelines on one axis, their latencies, a verdict.
//! Next:   try `--watch`, `--how lock` and `--heavy 8`; `--help` has the rest.
//!
//! ```text
//!   this thread                                 other threads
//!   server.rs   the server under test   ◀────   client.rs   a plan, kept to the clock
//!      │                                            │
//!      └─ heavy.rs  the work                        ├─ facts.rs ─▶ verdict.rs
//!                                                   │              lanes.rs table.rs json.rs
//!   recorder and watchdog of the runtime ───────▶   └─ tape.rs  ─▶ files.rs
//! ```

mod options;
mod heavy;
mod server;
mod client;
mod tape;
mod files;
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
use facts::{Facts, How, Plan};
use heavy::Heavy;
use look::Look;
use options::{Asked, Options};
use tape::Tape;
use terminal::Progress;
use tourbillon::dial::OpenDial;
use tourbillon::{Runtime, Watcher};
use verdict::Verdict;

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
    files::prepare(&options.out)?;
    let plan = options.plan();
    if !options.json {
        print(&table::header(&plan, &look))?;
    }
    let rt = server::runtime()?;
    let watcher = rt.watcher().ok_or("the runtime is not watched")?;
    let page = options.watch.then(|| server::page(watcher.clone()));
    let page = page.transpose()?;
    if let Some(page) = &page {
        say_where(page);
    }
    let both = run_both(rt, &watcher, plan)?;
    let verdict = report(options, &look, &both)?;
    if let Some(page) = page {
        stay(&page);
    }
    Ok(verdict.ok)
}

/// What came of both runs.
struct Both {
    facts: Facts,
    a: Tape,
    b: Tape,
}

fn run_both(rt: Runtime, watcher: &Watcher, plan: Plan) -> Result<Both, Fault> {
    let progress = Progress::new();
    if plan.how == How::Cpu {
        progress.say("calibrating the heavy work");
    }
    heavy::prepare(work(&plan));

    let origin = Instant::now();
    let watcher = watcher.clone();
    let both = move |address| {
        let watcher = &watcher;
        let client = Client {
            watcher,
            address,
            origin,
        };
        progress.say("A: the heavy work runs on the loop");
        let a = client.run(&plan, server::BAD).map_err(in_run("A"))?;
        progress.say("B: the heavy work runs on a worker");
        let b = client.run(&plan, server::GOOD).map_err(in_run("B"))?;
        Ok((a, b))
    };
    let runs = server::serve_while(rt, origin, both);
    progress.clear();
    let ((a, tape_a), (b, mut tape_b)) = runs?;
    tape_b.add_marks_of(&tape_a);
    let culprit = tape_a.culprit();
    let facts = Facts {
        plan,
        a,
        b,
        culprit,
    };
    Ok(Both {
        facts,
        a: tape_a,
        b: tape_b,
    })
}

/// Prints what came of it, and writes the files.
fn report(options: &Options, look: &Look, both: &Both) -> Result<Verdict, Fault> {
    let facts = &both.facts;
    let verdict = verdict::judge(facts);
    let files = files::write(&options.out, &facts.plan, &both.a, &both.b)?;
    let folder = files.as_deref();
    if options.json {
        print(&json::object(facts, &verdict, folder))?;
        if !verdict.ok {
            eprintln!("error: {}", verdict.sentences.join(" "));
        }
    } else {
        let mut parts = vec![
            lanes::timelines(facts, look),
            table::latencies(facts, look),
            table::verdict(&verdict, look),
        ];
        if let Some(folder) = folder {
            parts.push(table::files(&files::NAMES, &folder.to_string_lossy(), look));
        }
        print(&format!("\n{}", parts.join("\n")))?;
    }
    Ok(verdict)
}

fn work(plan: &Plan) -> Heavy {
    let ms = plan.heavy_ms;
    match plan.how {
        How::Cpu => heavy::calibrated(ms),
        How::Sleep => Heavy::Sleep { ms },
        How::Lock => Heavy::Lock { ms },
        How::File => Heavy::File { ms },
    }
}

/// Says where the page is. Who sits at a terminal is given the time to open it.
fn say_where(page: &OpenDial) {
    eprintln!("watch it at {}", page.url());
    if io::stdin().is_terminal() {
        eprintln!("Enter begins the run.");
        wait_for_enter();
    }
}

/// Keeps the page until somebody has seen enough.
fn stay(page: &OpenDial) {
    eprintln!(
        "the run can be seen at {} until Enter or Ctrl-C",
        page.url()
    );
    wait_for_enter();
}

fn wait_for_enter() {
    // Whatever comes, also the end of the input.
    let _ = io::stdin().read_line(&mut String::new());
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
