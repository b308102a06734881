//! The main job. What happens to everybody else while one handler blocks?
//!
//! Run:    cargo run --release --example blocking_vs_offloaded
//! Shows:  the same heavy work called on the loop (A) and handed to a worker (B), while 20 light
//!         requests come on a schedule: two timelines on one axis, their latencies, a verdict.
//! Next:   try `--watch`, `--how lock` and `--heavy 8`; `--help` has the rest.
//!
//! ```text
//!   this thread                                 other threads
//!   server.rs   the server under test   ◀────   client.rs   a plan, kept to the clock: twice, by
//!      │                                            │       runs.rs
//!      └─ heavy.rs  the work                        ├─ facts.rs ─▶ verdict.rs
//!                                                   │              lanes.rs table.rs json.rs
//!   recorder and watchdog of the runtime ───────▶   └─ tape.rs  ─▶ files.rs
//!
//!   with --watch: session.rs has the client run again, and feed.rs has page.rs know of it
//! ```

mod options;
mod heavy;
mod server;
mod client;
mod tape;
mod runs;
mod files;
mod facts;
mod verdict;
mod look;
mod lanes;
mod table;
mod json;
mod terminal;
mod session;
mod feed;
mod frame;
mod page;

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use client::Client;
use facts::{How, Plan};
use feed::Feed;
use heavy::Heavy;
use look::Look;
use options::{Asked, Options};
use runs::Both;
use terminal::Progress;
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
    match run(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all of it, and returns whether it showed what it is there to show.
fn run(options: Options) -> Result<bool, Fault> {
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
    let feed = options.watch.then(|| Arc::new(Feed::new()));
    let rt = server::runtime(feed.clone())?;
    let watcher = rt.watcher().ok_or("the runtime is not watched")?;
    let progress = Progress::new();
    if plan.how == How::Cpu {
        progress.say("calibrating the heavy work");
    }
    heavy::prepare(work(&plan));
    progress.clear();

    let origin = Instant::now();
    let demo = Demo {
        options,
        look,
        plan,
    };
    server::serve_while(rt, origin, move |address| {
        let client = Client {
            watcher,
            address,
            origin,
            feed,
        };
        if let Some(feed) = &client.feed {
            return session::hold(&demo, &client, feed, progress);
        }
        let both = runs::run(&client, plan, progress)?;
        let (verdict, _) = demo.report(&both)?;
        Ok(verdict.ok)
    })
}

/// What is to be shown, and how.
struct Demo {
    options: Options,
    look: Look,
    plan: Plan,
}

impl Demo {
    /// Prints what came of both runs, and writes the files: into which folder, it returns.
    fn report(&self, both: &Both) -> Result<(Verdict, Option<PathBuf>), Fault> {
        let (facts, look) = (&both.facts, &self.look);
        let verdict = verdict::judge(facts);
        let folder = files::write(&self.options.out, both)?;
        if self.options.json {
            print(&json::object(facts, &verdict, folder.as_deref()))?;
            if !verdict.ok {
                eprintln!("error: {}", verdict.sentences.join(" "));
            }
        } else {
            let mut parts = vec![
                lanes::timelines(facts, look),
                table::latencies(facts, look),
                table::verdict(&verdict, look),
            ];
            if let Some(folder) = &folder {
                parts.push(table::files(&files::NAMES, &folder.to_string_lossy(), look));
            }
            print(&format!("\n{}", parts.join("\n")))?;
        }
        Ok((verdict, folder))
    }
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
