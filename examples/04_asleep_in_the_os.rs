//! Chapter 4. What does a loop do while nothing happens?
//!
//! Run:    cargo run --example 04_asleep_in_the_os
//! Shows:  the CPU time of a loop that waits in the kernel, beside one that keeps asking.
//! Next:   05_wake_me; or src/reactor/reactor.rs, where the kernel is asked.

#[path = "support/watch.rs"]
mod watch;

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tourbillon::net;

const BYTES: u32 = 8;
const EVERY: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    println!("Chapter 4. What does a loop do while nothing happens?");
    println!("\nA peer sends {BYTES} bytes, one each {EVERY:?}. Two programs read them.\n");
    println!("  program      bytes  asked the kernel    time  CPU time     CPU");

    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("04_asleep_in_the_os.rs"))?;
    let (stream, feeder) = fed_stream()?;
    let meter = Meter::start()?;
    let bytes = rt.block_on(wait_for_bytes(stream))?;
    meter.print("event loop", bytes, rt.stats().parks)?;
    feeder.join().expect("the feeder does not panic")?;

    let (stream, feeder) = fed_stream()?;
    let meter = Meter::start()?;
    let (bytes, asked) = keep_asking(stream)?;
    meter.print("busy twin", bytes, asked)?;
    feeder.join().expect("the feeder does not panic")?;

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}",
        stats.turns, stats.polls, stats.parks
    );
    println!("Notice: both read the same bytes. The loop slept in the kernel in between, and");
    println!("        was woken by it: about one turn a byte, next to no CPU time.");
    Ok(())
}

async fn wait_for_bytes(stream: TcpStream) -> io::Result<usize> {
    let mut stream = net::TcpStream::from_std(stream)?;
    let mut buf = [0; 16];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(bytes),
            count => bytes += count,
        }
    }
}

/// The twin: the same non-blocking socket, but asked again and again.
fn keep_asking(mut stream: TcpStream) -> io::Result<(usize, u64)> {
    stream.set_nonblocking(true)?;
    let mut buf = [0; 16];
    let (mut bytes, mut asked) = (0, 0);
    loop {
        asked += 1;
        match stream.read(&mut buf) {
            Ok(0) => return Ok((bytes, asked)),
            Ok(count) => bytes += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// A connection whose other end is a thread that sends now and then.
fn fed_stream() -> io::Result<(TcpStream, JoinHandle<io::Result<()>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut peer, _) = listener.accept()?;
    let feeder = thread::spawn(move || {
        for _ in 0..BYTES {
            thread::sleep(EVERY);
            peer.write_all(b".")?;
        }
        Ok(())
    });
    Ok((stream, feeder))
}

/// Measures the time that passes, and how much of it this thread was on a CPU.
struct Meter {
    began: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> io::Result<Meter> {
        let (began, cpu) = (Instant::now(), thread_cpu_time()?);
        Ok(Meter { began, cpu })
    }

    fn print(self, program: &str, bytes: usize, asked: u64) -> io::Result<()> {
        let time = self.began.elapsed().as_secs_f64() * 1000.0;
        let cpu = (thread_cpu_time()? - self.cpu).as_secs_f64() * 1000.0;
        let share = 100.0 * cpu / time;
        println!("  {program:<12}{bytes:>6}{asked:>18}{time:>5.0} ms{cpu:>7.1} ms{share:>6.1} %");
        Ok(())
    }
}

#[expect(unsafe_code, reason = "std does not tell a thread its CPU time")]
fn thread_cpu_time() -> io::Result<Duration> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one timespec, to the one on this stack.
    match unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } {
        0 => Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32)),
        _ => Err(io::Error::last_os_error()),
    }
}
