//! What can be counted instead of timed: system calls and instructions of a request, and the
//! memory of a connection.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

use peers::load::Load;

use crate::Options;
use crate::modes::{MODES, Mode};
use crate::servers::{Server, out};

/// What the counting is done for, and how that is called.
const KINDS: [(&str, &str); 5] = [
    ("ka64", "one at a time"),
    ("pipe16", "16 in each write"),
    ("browser", "one at a time, as a browser asks"),
    ("browser16", "16 in each write, as a browser asks"),
    ("close", "a connection for each"),
];
/// How many connections are held for their memory, and descriptors that are left for other things.
const CONNECTIONS: usize = 10_000;
const FILES_SPARED: usize = 100;

/// Counts for each of the servers, and says whether all went well.
pub(crate) fn run(options: &Options, files: usize) -> bool {
    let (servers, is_small) = (&options.servers, options.is_small);
    let requests = if is_small { 64 } else { 1600 };
    let connections = if is_small { 100 } else { CONNECTIONS };
    let connections = connections.min(files.saturating_sub(FILES_SPARED));
    let mut is_well = true;
    let mut note = |server: &Server, fault: io::Error| {
        is_well = false;
        println!("| {} | failed: {fault} |", server.name);
    };
    let tool = counter();
    let name = tool.words.split(' ').next().unwrap_or_default();
    println!("system calls as {name} counts them, user instructions as callgrind does");
    for (mode, about) in KINDS {
        let mode = MODES
            .iter()
            .find(|own| own.name == mode)
            .expect("it is one of them");
        println!("\nSystem calls and user instructions of a request, {about}, 64 connections\n");
        println!("| server | system calls | which | instructions |\n|---|--:|---|--:|");
        for server in servers {
            match calls(server, mode, requests, tool) {
                Err(fault) => note(server, fault),
                Ok((sum, which)) => {
                    let instructions = match server.is_native {
                        true => instructions(server, mode, requests),
                        false => Ok(String::from("-")),
                    };
                    let instructions = instructions.unwrap_or_else(|fault| format!("({fault})"));
                    println!("| {} | {sum:.2} | {which} | {instructions} |", server.name);
                }
            }
        }
    }
    println!(
        "\nMemory of an idle keep-alive connection after one request, {connections} of them\n"
    );
    println!("| server | bytes a connection | MiB before |\n|---|--:|--:|");
    for server in servers {
        match memory(server, connections) {
            Err(fault) => note(server, fault),
            Ok((each, before)) => println!("| {} | {each:.0} | {before:.1} |", server.name),
        }
    }
    is_well
}

/// A program that a server runs under, and which writes to a file.
struct Tool {
    words: &'static str,
    /// Whether the server is much slower than without. Then the connections go in step, so that a
    /// turn of the loop has in it what it has in real life.
    is_slow: bool,
    /// How the server ends, and how many levels below our child it is.
    end: (i32, usize),
}

const PERF: Tool = Tool {
    words: "perf stat -x, -e {events} -o {file} --",
    is_slow: false,
    end: (libc::SIGKILL, 1),
};
const STRACE: Tool = Tool {
    words: "strace -f -qq -c -o {file} --",
    is_slow: true,
    end: (libc::SIGKILL, 1),
};
const CALLGRIND: Tool = Tool {
    words: "valgrind -q --tool=callgrind --callgrind-out-file={file}",
    is_slow: true,
    end: (libc::SIGTERM, 0),
};

/// Runs a server under a tool for some requests and for five times as many, and gives the requests
/// and the file of each: the difference has no start in it.
fn twice(
    server: &Server,
    mode: &Mode,
    requests: u64,
    tool: &Tool,
) -> io::Result<[(u64, String); 2]> {
    let requests = requests.max((mode.connections * mode.depth) as u64);
    let requests = if tool.is_slow {
        requests
    } else {
        requests * 10
    };
    let file = out()?.join(format!("count.{}", process::id()));
    let words = tool.words.replace("{file}", &file.to_string_lossy());
    let words = words.replace("{events}", &events());
    let once = |requests| {
        let running = server.start(mode.name, &words)?;
        let mut plan = mode.plan(running.address);
        plan.in_step = tool.is_slow;
        let mut load = Load::open(plan)?;
        let done = load.run(requests, Duration::MAX).check()?.requests;
        drop(load);
        running.end(tool.end.0, tool.end.1)?;
        let text = fs::read_to_string(&file);
        fs::remove_file(&file)?;
        io::Result::Ok((done, text?))
    };
    let few = once(requests)?;
    Ok([few, once(requests * 5)?])
}

/// All calls, and some by name: perf needs a while for each name.
fn events() -> String {
    let names = "accept4 brk close epoll_ctl epoll_pwait epoll_wait futex ioctl madvise mmap \
         munmap read recvfrom sendmsg sendto setsockopt shutdown timerfd_settime write writev";
    let each = names
        .split(' ')
        .map(|name| format!(",syscalls:sys_enter_{name}"));
    String::from(ALL) + &each.collect::<String>()
}

/// perf counts without slowing the server down, but not everybody may use it.
fn counter() -> &'static Tool {
    let mut command = Command::new("perf");
    command.args(["stat", "-e", ALL, "true"]);
    let works = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if works.is_ok_and(|status| status.success()) {
        &PERF
    } else {
        &STRACE
    }
}

fn calls(
    server: &Server,
    mode: &Mode,
    requests: u64,
    tool: &'static Tool,
) -> io::Result<(f64, String)> {
    let [few, many] = twice(server, mode, requests, tool)?;
    let (before, after) = (table(&few.1), table(&many.1));
    let more = (many.0 - few.0) as f64;
    let each = |(name, count): (&String, &u64)| {
        let count = count.saturating_sub(before.get(name).copied().unwrap_or(0));
        (count as f64 / more, name.clone())
    };
    let mut all: Vec<(f64, String)> = after.iter().map(each).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let place = all.iter().position(|(_, name)| name == ALL);
    let sum = match place {
        Some(place) => all.remove(place).0,
        None => all.iter().map(|(count, _)| count).sum(),
    };
    let seen = all.iter().filter(|(count, _)| *count >= 0.005);
    let which: Vec<String> = seen
        .map(|(count, name)| format!("{name} {count:.2}"))
        .collect();
    Ok((sum, which.join(", ")))
}

/// What perf calls the sum of all calls.
const ALL: &str = "raw_syscalls:sys_enter";

/// Calls by name.
///
/// perf: "count,unit,event,...". strace: "% time, seconds, usecs/call, calls, errors if any, name".
fn table(text: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        if let Some((count, event)) = line.split_once(",,") {
            let name = event.split(',').next()?;
            let name = name.strip_prefix("syscalls:sys_enter_").unwrap_or(name);
            return Some((name.to_owned(), count.parse().ok()?));
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words
            .last()
            .filter(|&&name| words.len() >= 5 && name != "total")?;
        Some(((*name).to_owned(), words[3].parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn instructions(server: &Server, mode: &Mode, requests: u64) -> io::Result<String> {
    let [few, many] = twice(server, mode, requests, &CALLGRIND)?;
    let total = |text: &str| {
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("totals: "));
        let sum: u64 = lines.flat_map(str::parse::<u64>).sum();
        (sum > 0)
            .then_some(sum)
            .ok_or_else(|| io::Error::other("no totals of callgrind"))
    };
    let more = total(&many.1)?.saturating_sub(total(&few.1)?);
    Ok(format!("{:.0}", more as f64 / (many.0 - few.0) as f64))
}

/// Bytes for each connection, and MiB that there were before.
fn memory(server: &Server, connections: usize) -> io::Result<(f64, f64)> {
    let running = server.start("", "")?;
    let mut plan = MODES[1].plan(running.address);
    let mut load = Load::open(plan.clone())?;
    load.run(2000, Duration::MAX).check()?;
    drop(load);
    // What servers do behind an answer, and behind an end.
    let settle = || thread::sleep(Duration::from_millis(200));
    settle();
    let before = running.pss_bytes();
    plan.connections = connections;
    let mut load = Load::open(plan)?;
    settle();
    let after = running.pss_bytes();
    let closed = load.closed();
    if closed > 0 {
        return Err(io::Error::other(format!(
            "{closed} of {connections} were closed meanwhile"
        )));
    }
    let each = (after as f64 - before as f64) / connections as f64;
    Ok((each, before as f64 / (1 << 20) as f64))
}
