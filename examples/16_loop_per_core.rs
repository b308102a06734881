//! Chapter 16. What if one core is not enough?
//!
//! Run:    cargo run --example 16_loop_per_core
//! Shows:  a loop per core, each with a listener of its own on one port; the kernel deals.
//! Next:   17_host_loop; or ListenOptions::reuse_port in src/sys/socket.rs.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::io::{self, Read};
use std::net::{self, SocketAddr};
use std::sync::mpsc::{self, Sender};
use std::thread;

use tourbillon::net::{ListenOptions, TcpListener};
use tourbillon::{Handle, spawn};

const CLIENTS: usize = 64;

/// What a loop says when it listens: where, and how it is stopped.
type Ready = (SocketAddr, Handle);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 16. What if one core is not enough?\n");
    let cores = thread::available_parallelism()?.get().clamp(2, 4);
    let (tell, told) = mpsc::channel();
    let mut loops = Vec::new();
    let mut handles = Vec::new();
    // The first takes a free port, the others join it there.
    let mut address: SocketAddr = "127.0.0.1:0".parse()?;
    for number in 1..=cores {
        let tell = tell.clone();
        let name = format!("loop-{number}");
        let thread = thread::Builder::new().name(name);
        loops.push(thread.spawn(move || one_loop(address, &tell))?);
        let (at, handle) = told.recv()?;
        address = at;
        handles.push(handle);
    }

    let mut served = vec![0; cores];
    for _ in 0..CLIENTS {
        let mut answer = String::new();
        net::TcpStream::connect(address)?.read_to_string(&mut answer)?;
        served[answer.trim().parse::<usize>()? - 1] += 1;
    }
    for (number, count) in served.iter().enumerate() {
        println!("  loop-{}  {count:>3} of {CLIENTS} connections", number + 1);
    }

    for handle in handles {
        handle.stop()?;
    }
    let mut turns = 0;
    for one in loops {
        turns += one.join().expect("a loop does not panic")?;
    }
    println!("\nturns {turns} of {cores} loops together");
    println!(
        "Notice: nothing is shared, so nothing is locked. The kernel deals new connections to"
    );
    println!("        the listeners by their addresses, not by who is idle: a few are never even.");
    Ok(())
}

/// Runs a loop on this thread until it is stopped; returns how often it turned.
fn one_loop(address: SocketAddr, ready: &Sender<Ready>) -> io::Result<u64> {
    let mut rt = watch::builder().build()?;
    // One page is enough, of the first loop.
    let is_watched = address.port() == 0;
    let _page = is_watched.then(|| watch::page(&rt, include_str!("16_loop_per_core.rs")));
    let options = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let guard = rt.enter();
    let mut listener = TcpListener::bind_with(address, &options)?;
    // Received: `main` waits for it.
    let _ = ready.send((listener.local_addr()?, rt.handle()));
    spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let name = thread::current().name().unwrap_or_default().to_owned();
            let number = name.trim_start_matches("loop-").to_owned();
            spawn(async move { stream.write_all(number.as_bytes()).await }).detach();
        }
    })
    .detach();
    drop(guard);
    rt.run()?;
    Ok(rt.stats().turns)
}
