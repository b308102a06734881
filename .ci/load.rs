//! A load client in one file of plain std: `load ADDRESS CONNECTIONS REQUESTS DEPTH [PATH]`.
//!
//! One blocking socket and one thread per connection. REQUESTS is the total over all connections,
//! DEPTH how many are on the wire at once on each. Every response must be a `200` with a
//! `content-length`; one that is not ends its connection and counts as an error. After one that
//! says `connection: close` the rest goes out over a new connection. Prints one line, and exits
//! with 1 if there was any error.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{env, process, thread};

/// A server that is silent for so long has lost a request.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<usize>().ok());
    let (Some(connections @ 1..), Some(requests), Some(depth @ 1..)) =
        (number(1), number(2), number(3))
    else {
        eprintln!("usage: load ADDRESS CONNECTIONS REQUESTS DEPTH [PATH]");
        process::exit(2);
    };
    let address = args[0].clone();
    let path = args.get(4).map_or("/", String::as_str);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes();

    let start = Instant::now();
    let threads: Vec<_> = (0..connections)
        .map(|nth| {
            let share = requests / connections + usize::from(nth < requests % connections);
            let (address, request) = (address.clone(), request.clone());
            thread::spawn(move || {
                let mut done = 0;
                let result = run(&address, &request, share, depth, &mut done);
                (done, result)
            })
        })
        .collect();

    let (mut done, mut errors) = (0, 0);
    for thread in threads {
        let (answered, result) = thread.join().expect("a client thread does not panic");
        done += answered;
        if let Err(error) = result {
            errors += 1;
            eprintln!("load: {error}");
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("requests {done} seconds {seconds:.3} errors {errors}");
    process::exit(i32::from(errors > 0 || done != requests));
}

/// Sends `share` requests on one connection; `done` counts the good responses.
fn run(address: &str, request: &[u8], share: usize, depth: usize, done: &mut usize) -> Result<()> {
    let mut stream = connect(address)?;
    let mut bytes = Vec::new();
    while *done < share {
        let batch = depth.min(share - *done);
        stream.write_all(&request.repeat(batch))?;
        for _ in 0..batch {
            let (length, closes) = loop {
                match response(&bytes)? {
                    Some((length, closes)) if length <= bytes.len() => break (length, closes),
                    _ => fill(&mut stream, &mut bytes)?,
                }
            };
            bytes.drain(..length);
            *done += 1;
            if closes {
                stream = connect(address)?;
                break;
            }
        }
    }
    if !bytes.is_empty() {
        return Err(bad("bytes after the last response"));
    }
    Ok(())
}

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn fill(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let mut chunk = [0; 64 * 1024];
    match stream.read(&mut chunk)? {
        0 => Err(bad("the server closed before its response was whole")),
        n => {
            bytes.extend_from_slice(&chunk[..n]);
            Ok(())
        }
    }
}

/// How long the first response in `bytes` is, head and body, and whether it is the connection's
/// last; once its head is whole.
fn response(bytes: &[u8]) -> Result<Option<(usize, bool)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    if !head.starts_with("HTTP/1.1 200") {
        return Err(bad(&format!(
            "not a 200: {}",
            head.lines().next().unwrap_or("")
        )));
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or_else(|| bad("a response without content-length"))?;
    let closes = head.to_ascii_lowercase().contains("\nconnection: close");
    Ok(Some((end + 4 + length, closes)))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
