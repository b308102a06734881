//! What can be counted instead of timed: system calls and instructions of a request, and the
//! memory of a connection.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use peers::load::Load;

use crate::modes::{MODES, Mode};
use crate::servers::{Server, out};

/// What the counting is done for, and how that is called.
const KINDS: [(&str, &str); 3] = [
    ("ka64", "one at a time"),
    ("pipe16", "16 in each write"),
    ("close", "a connection for each"),
];
const CONNECTIONS: usize = 10_000;

/// Counts for each of the servers, and says whether all went well.
pub(crate) fn run(servers: &[&'static Server], is_small: bool) -> bool {
    let (requests, connections) = if is_small {
        (64, 100)
    } else {
        (1600, CONNECTIONS)
    };
    let mut is_well = true;
    let mut note = |server: &Server, fault: io::Error| {
        is_well = false;
        println!("| {} | failed: {fault} |", server.name);
    };
    for (mode, about) in KINDS {
        let mode = MODES
            .iter()
            .find(|own| own.name == mode)
            .expect("it is one of them");
        println!("\nSystem calls and user instructions of a request, {about}, 64 connections\n");
        println!("| server | system calls | which | instructions |\n|---|--:|---|--:|");
        for server in servers {
            match calls(server, mode, requests) {
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

/// Runs a server under a tool that writes to a file, once for some requests and once for five
/// times as many, and gives the requests and the file of each: the difference has no start in it.
///
/// The connections go in step, so that a batch of the loop has in it what it has in real life,
/// although the tool slows the server down.
fn twice(
    server: &Server,
    mode: &Mode,
    requests: u64,
    tool: &str,
    end: (i32, usize),
) -> io::Result<[(u64, String); 2]> {
    let requests = requests.max((mode.connections * mode.depth) as u64);
    let file = out()?.join(format!("count.{}", process::id()));
    let tool = tool.replace("{file}", &file.to_string_lossy());
    let once = |requests| {
        let running = server.start(mode.name, &tool)?;
        let mut plan = mode.plan(running.address);
        plan.in_step = true;
        let mut load = Load::open(plan)?;
        let done = load.run(requests, Duration::MAX).check()?.requests;
        drop(load);
        running.end(end.0, end.1)?;
        let text = fs::read_to_string(&file);
        fs::remove_file(&file)?;
        Ok((done, text?))
    };
    let both: io::Result<_> = once(requests).and_then(|few| Ok([few, once(requests * 5)?]));
    both
}

fn calls(server: &Server, mode: &Mode, requests: u64) -> io::Result<(f64, String)> {
    // The server is one level below strace, which writes its table when the server has ended.
    let tool = "strace -f -qq -c -o {file} --";
    let [few, many] = twice(server, mode, requests, tool, (libc::SIGKILL, 1))?;
    let (before, after) = (table(&few.1), table(&many.1));
    let more = (many.0 - few.0) as f64;
    let each = |(name, count): (&String, &u64)| {
        let count = count.saturating_sub(before.get(name).copied().unwrap_or(0));
        (count as f64 / more, name.clone())
    };
    let mut all: Vec<(f64, String)> = after.iter().map(each).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let sum = all.iter().map(|(count, _)| count).sum();
    let seen = all.iter().filter(|(count, _)| *count >= 0.005);
    let which: Vec<String> = seen
        .map(|(count, name)| format!("{name} {count:.2}"))
        .collect();
    Ok((sum, which.join(", ")))
}

/// Calls by name: "% time, seconds, usecs/call, calls, errors if any, name".
fn table(text: &str) -> BTreeMap<String, u64> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words
            .last()
            .filter(|&&name| words.len() >= 5 && name != "total")?;
        Some(((*name).to_owned(), words[3].parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn instructions(server: &Server, mode: &Mode, requests: u64) -> io::Result<String> {
    let tool = "valgrind -q --tool=callgrind --callgrind-out-file={file}";
    let [few, many] = twice(server, mode, requests, tool, (libc::SIGTERM, 0))?;
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
    let closed = load.closed()?;
    if closed > 0 {
        return Err(io::Error::other(format!(
            "{closed} of {connections} were closed meanwhile"
        )));
    }
    let each = (after as f64 - before as f64) / connections as f64;
    Ok((each, before as f64 / (1 << 20) as f64))
}
