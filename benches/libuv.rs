//! What do timers, wakes, one-way traffic, children and jobs cost, beside libuv?
//!
//! An echo beside libuv is in `benches/peers`.
//!
//! ```sh
//! cargo bench --bench libuv                # three minutes
//! cargo bench --bench libuv -- timers pump # these rows only
//! cargo bench --bench libuv -- --test      # small: does it work?
//! ```
//!
//! The rows are those of libuv's own benches. `libuv/uv.c` does them on libuv,
//! `libuv/ours.rs` here, with the same sizes and counts. The C side is compiled
//! by this bench, where there are `cc` and libuv (Debian: libuv1-dev); else
//! only our figures are printed. Each figure comes from a process of its own,
//! the two sides by turns, pinned to the same core or cores (taskset, where
//! there is one). `--only=ours` and `--only=libuv` run one side once, for
//! `perf record`. Missing a goal fails nothing: speed is for reading.
//!
//! What would make the figures lie:
//! - Others on the same cores, or a frequency that moves: believe the ratios,
//!   and those only where the spread is small. Rows on two cores are at the
//!   mercy of the kernel, which puts the threads on one core or on both as it
//!   likes, and of the virtual machine, which rouses a core when it likes.
//! - A debug build. It says so.
//! - Both ends in one loop, on one core: no row but those on two cores has
//!   anybody else to talk to. The kernel's share is the largest part of every
//!   socket row, and the same on both sides.
//! - Who has the next turn. Our writer goes on until the socket is full, or
//!   128 times; libuv's is called again in its next turn, after the reader. So
//!   the pump in one loop is a matter of how full the socket is kept: with one
//!   `yield_now` after each write ours is as fast. With the reader on a thread
//!   it does not matter, and there is a row for that.
//! - Another libuv. 1.44, of Debian 12, spins in a loop that is roused while
//!   the sender is still in `uv_async_send`, which on one core is always: the
//!   async rows then show that, a factor of ten. 1.53 does not, and takes 1.2
//!   times as long as ours. For each child 1.44 forks; 1.53 has vfork and std
//!   posix_spawn, which copy no page tables. The first line says which one is
//!   used; `CPATH` and `LIBRARY_PATH` lead cc to another.
//! - Memory. libuv's timers and requests lie in arrays that the program has
//!   made, as in its own benches; ours are boxed closures. That is how each is
//!   used, and is counted in: also the first touch of every page.
//! - Order. Both have timers of a millisecond and keep equal ones in the order
//!   they were made in; libuv by a heap, which is most of its time, and is
//!   worst with a million timers. Few programs have so many.
//! - Jobs that do nothing. The row is about locks and wakes alone; with jobs
//!   of 10 us nobody would see them.
//! - What merges. An async handle of libuv may be sent to many times and be
//!   called once; a call here is never merged. In a ping-pong neither occurs.
//! - Packets that are lost. libuv's own bench sends without waiting, and like
//!   that lost nine in ten; here both sides send a burst and wait until it is
//!   there. libuv sends up to 20 packets by one system call, we send one.
//! - CPU time, of which the timer rows tell: the waiting is not in it.

#[path = "libuv/ours.rs"]
mod ours;
mod support;

use std::env;
use std::error::Error;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use support::{Plan, ROUNDS, Row, Side};

type Fault = Box<dyn Error>;

/// One row, the name by which `uv.c` knows it, and our way to do it.
struct Work {
    name: &'static str,
    key: &'static str,
    ops: (usize, usize),
    width: usize,
    cores: usize,
    ours: fn(usize, usize) -> io::Result<Duration>,
}

const fn work(
    (name, key): (&'static str, &'static str),
    ops: (usize, usize),
    width: usize,
    cores: usize,
    ours: fn(usize, usize) -> io::Result<Duration>,
) -> Work {
    Work {
        name,
        key,
        ops,
        width,
        cores,
        ours,
    }
}

const TIMERS: (usize, usize) = (1_000_000, 20_000);
const TRIPS: (usize, usize) = (20_000, 200);

const WORKS: [Work; 9] = [
    work(
        ("million timers, scattered (CPU)", "timers"),
        TIMERS,
        1,
        1,
        ours::timers_scattered,
    ),
    work(
        ("million timers, ascending (CPU)", "timers-ascending"),
        TIMERS,
        1,
        1,
        ours::timers_ascending,
    ),
    work(
        ("async ping-pong of loops, 2 cores", "async"),
        TRIPS,
        1,
        2,
        ours::ping_pong,
    ),
    work(
        ("async ping-pong of loops, 1 core", "async-one-core"),
        TRIPS,
        1,
        1,
        ours::ping_pong,
    ),
    work(
        ("pump, a write of 64 KiB", "pump"),
        (20_000, 200),
        1,
        1,
        ours::pump,
    ),
    work(
        ("pump into a thread, 2 cores", "pump-thread"),
        (20_000, 200),
        1,
        2,
        ours::pump_into_thread,
    ),
    work(
        ("udp, bursts of 32", "udp"),
        (160_000, 1_600),
        32,
        1,
        ours::udp,
    ),
    work(
        ("spawn /bin/true and wait", "spawn"),
        (500, 5),
        1,
        1,
        ours::children,
    ),
    work(
        ("queue-work, 1,000 at a time", "work"),
        (200_000, 2_000),
        1_000,
        2,
        ours::jobs,
    ),
];

/// The sides are function pointers, so each row is a number in their type.
const SIDES: [(Side, Side); WORKS.len()] = [
    (by_ours::<0>, by_libuv::<0>),
    (by_ours::<1>, by_libuv::<1>),
    (by_ours::<2>, by_libuv::<2>),
    (by_ours::<3>, by_libuv::<3>),
    (by_ours::<4>, by_libuv::<4>),
    (by_ours::<5>, by_libuv::<5>),
    (by_ours::<6>, by_libuv::<6>),
    (by_ours::<7>, by_libuv::<7>),
    (by_ours::<8>, by_libuv::<8>),
];

/// Before the name of a row, the operations and the width: this process is to
/// do that row and to print its nanoseconds.
const CHILD: &str = "--child";

/// One figure should take 5 s at most; one that takes so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The other side, if it could be compiled.
static LIBUV: OnceLock<PathBuf> = OnceLock::new();

fn main() -> Result<(), Fault> {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [flag, key, ops, width] = &args[..]
        && flag == CHILD
    {
        return do_row(key, ops.parse()?, width.parse()?);
    }
    match compile() {
        Ok((program, version)) => {
            println!("beside libuv {version}");
            LIBUV.get_or_init(|| program);
        }
        Err(fault) => println!("skipped: libuv's figures need cc and libuv1-dev: {fault}"),
    }
    if !can_pin() {
        println!("not pinned to cores: there is no taskset, or it may not");
    }
    let sides = WORKS.iter().zip(SIDES);
    let row = |(work, (ours, libuv)): (&Work, (Side, Side))| {
        let mut sides = vec![("ours", ours)];
        if LIBUV.get().is_some() {
            sides.push(("libuv", libuv));
        }
        Row {
            name: work.name,
            ops: work.ops,
            width: work.width,
            units: &["ns"],
            goal: Some(1.0),
            cores: work.cores,
            rounds: ROUNDS,
            sides,
        }
    };
    // `cargo bench` passes `--bench`, `cargo test` does not.
    let has = |args: &[String], flag| args.iter().any(|arg| arg == flag);
    let plan = Plan::from_args(|args| has(args, "--test") || !has(args, "--bench"));
    plan.run(sides.map(row).collect());
    Ok(())
}

fn do_row(key: &str, ops: usize, width: usize) -> Result<(), Fault> {
    let work = WORKS.iter().find(|work| work.key == key);
    let work = work.ok_or_else(|| format!("there is no row {key}"))?;
    let took = (work.ours)(ops, width)?;
    println!("{key} {:.1}", took.as_nanos() as f64 / ops as f64);
    Ok(())
}

fn by_ours<const ROW: usize>(ops: usize, width: usize) -> Vec<f64> {
    let this = env::current_exe().expect("this program has a path");
    in_child(&this, &[CHILD], &WORKS[ROW], ops, width)
}

fn by_libuv<const ROW: usize>(ops: usize, width: usize) -> Vec<f64> {
    let program = LIBUV.get().expect("the side exists if it was compiled");
    in_child(program, &[], &WORKS[ROW], ops, width)
}

/// The nanoseconds that a process of its own takes for an operation.
fn in_child(program: &Path, args: &[&str], work: &Work, ops: usize, width: usize) -> Vec<f64> {
    let mut command = Command::new(program);
    if can_pin() {
        command = Command::new("taskset");
        let cores = if work.cores == 1 { "0" } else { "0,1" };
        command.args(["-c", cores]).arg(program);
    }
    command
        .args(args)
        .args([work.key, &ops.to_string(), &width.to_string()]);
    let figure = output(&mut command).and_then(|text| {
        let nanos = text.trim_end().rsplit(' ').next().unwrap_or_default();
        Ok(nanos.parse::<f64>()?)
    });
    match figure {
        Ok(nanos) => vec![nanos],
        Err(fault) => {
            eprintln!("{}: {command:?}: {fault}", work.name);
            process::exit(1);
        }
    }
}

/// What the child prints, unless it fails or hangs.
fn output(command: &mut Command) -> Result<String, Fault> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err("it hangs".into());
        }
        thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        return Err(format!("it ended with {status}").into());
    }
    let mut text = String::new();
    // One line fits into the pipe, so waiting for the end first is well.
    child
        .stdout
        .ok_or("its output is not piped")?
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Where the program is that has the other side, and the libuv in it.
fn compile() -> Result<(PathBuf, String), Fault> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/libuv/uv.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libuv-bench");
    let compiled = Command::new("cc")
        .args(["-O2", "-o"])
        .args([&program, &source])
        .arg("-luv")
        .output()
        .map_err(|error| format!("cc: {error}"))?;
    if !compiled.status.success() {
        let text = String::from_utf8_lossy(&compiled.stderr);
        let line = text.lines().find(|line| line.contains("error"));
        return Err(line.unwrap_or("cc fails").into());
    }
    let version = output(Command::new(&program).arg("version"))?;
    Ok((program, String::from(version.trim_end())))
}

/// Whether taskset is there and may use both cores.
fn can_pin() -> bool {
    static CAN_PIN: OnceLock<bool> = OnceLock::new();
    *CAN_PIN.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let tried = Command::new("taskset")
            .args(["-c", if cores > 1 { "0,1" } else { "0" }, "true"])
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}
