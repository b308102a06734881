//! Asks one server that runs already, and says how fast it answers.
//!
//! load ADDRESS --connections N --requests M --depth D [--path P] [--post BYTES] [--close]
//!      [--in-step] [--expect TEXT]

use std::process::ExitCode;
use std::time::Duration;

use peers::load::{Load, Plan, request};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    let value = |name: &str| {
        let place = args.iter().position(|arg| arg == name)?;
        args.get(place + 1).map(String::as_str)
    };
    let number = |name: &str, default: usize| value(name).map_or(Ok(default), str::parse);
    let address = args.get(1).ok_or("load ADDRESS, see its source")?;
    let post = value("--post").map(str::parse::<usize>).transpose()?;
    let body = post.map(|len| vec![b'x'; len]);
    let path = value("--path").unwrap_or(if post.is_some() { "/echo" } else { "/" });
    let expected = match (&body, value("--expect"), path) {
        (Some(body), _, _) => body.clone(),
        (None, Some(text), _) => text.as_bytes().to_vec(),
        (None, None, "/big") => peers::BIG.to_vec(),
        _ => peers::HELLO.as_bytes().to_vec(),
    };
    let mut load = Load::open(Plan {
        address: address.parse()?,
        connections: number("--connections", 64)?,
        depth: number("--depth", 1)?,
        request: request(path, body.as_deref(), has("--close")),
        expected,
        closes: has("--close"),
        in_step: has("--in-step"),
        is_raw: false,
    })?;
    let requests = number("--requests", 100_000)? as u64;
    let outcome = load.run(requests, Duration::MAX).check()?;
    let each_second = outcome.requests as f64 / outcome.took.as_secs_f64();
    let micros = |part| outcome.latencies.at(part) as f64 / 1000.0;
    println!(
        "{} requests, {} errors, {each_second:.0} req/s, p50 {:.1} us, p99 {:.1} us",
        outcome.requests,
        outcome.errors,
        micros(0.5),
        micros(0.99)
    );
    Ok(())
}
