//! How long small answers take while the pool computes.
//!
//! `GET /` comes at a fixed pace, whether the answers do or not, and each is timed from when it was
//! due. The servers may use all cores, and so may the load: where there are few, it waits for a
//! core as the servers do, and both are in the figures.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use peers::HELLO;
use peers::epoll::{Epoll, check, recv, send, set_nodelay};
use peers::load::{Load, request};

use crate::Options;
use crate::child::{ALL_CORES, pin};
use crate::modes::HEAVY;
use crate::servers::Server;
use crate::table::Spread;

const PACE: Duration = Duration::from_micros(500);
const CONNECTIONS: usize = 50;
/// How long after the last was due an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: usize = usize::MAX;

/// The median, the 99th percentile and the longest, in microseconds, and heavy answers a second.
type Figures = [f64; 4];

pub(crate) fn run(options: &Options, _files: usize) -> bool {
    let mut is_well = pin(ALL_CORES).is_ok();
    let (servers, time) = (&options.servers, options.time * 5);
    let mut results = vec![[Vec::new(), Vec::new()]; servers.len()];
    for round in 0..options.rounds {
        eprintln!("round {} of {}: ping", round + 1, options.rounds);
        for turn in 0..servers.len() {
            let place = (turn + round) % servers.len();
            for is_heavy in [false, true] {
                match measure(servers[place], is_heavy, time) {
                    Ok(figures) => results[place][usize::from(is_heavy)].push(figures),
                    Err(fault) => {
                        is_well = false;
                        println!("{} failed: {fault}", servers[place].name);
                    }
                }
            }
        }
    }
    let pace = PACE.as_micros();
    println!("\nping: GET / each {pace} us on {CONNECTIONS} connections in turn\n");
    println!("| server | pool | p50 us | quartiles | p99 us | quartiles | max us | heavy/s |");
    println!("|---|---|{}", "--:|".repeat(6));
    for (server, of_server) in servers.iter().zip(&results) {
        for (pool, rounds) in ["nothing", "4 x 200 ms"].iter().zip(of_server) {
            print(server.name, pool, rounds);
        }
    }
    is_well
}

fn print(name: &str, pool: &str, rounds: &[Figures]) {
    let spread = |place: usize| Spread::of(rounds.iter().map(|figures| figures[place]));
    let (Some(p50), Some(p99)) = (spread(0), spread(1)) else {
        return;
    };
    print!("| {name} | {pool} |");
    for all in [p50, p99] {
        print!(" {:.0} | {:.0}..{:.0} |", all.median, all.low, all.high);
    }
    let median = |place| spread(place).map_or(0.0, |all| all.median);
    println!(" {:.0} | {:.1} |", median(2), median(3));
}

fn measure(server: &Server, is_heavy: bool, time: Duration) -> io::Result<Figures> {
    let running = server.launch("", "", ALL_CORES)?;
    let address = running.address;
    if !is_heavy {
        return figures(ping(address, time)?, 0.0);
    }
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let heavy = scope.spawn(move || {
            let mut load = Load::open(HEAVY.plan(address))?;
            // Only if the other side has failed there is nobody to hear it.
            let _ = tell.send(());
            load.run(u64::MAX, time).check()
        });
        // Without a word it has failed, and says so below.
        let pinged = told.recv().ok().map(|()| ping(address, time));
        let heavy = heavy.join().expect("a load does not panic")?;
        let pinged = pinged.expect("it has said that it begins");
        figures(pinged?, heavy.requests as f64 / heavy.took.as_secs_f64())
    })
}

fn figures(mut micros: Vec<f64>, heavy: f64) -> io::Result<Figures> {
    micros.sort_by(f64::total_cmp);
    let at = |part: f64| micros[((micros.len() - 1) as f64 * part) as usize];
    Ok([at(0.5), at(0.99), at(1.0), heavy])
}

struct Connection {
    stream: TcpStream,
    /// When its requests were due. The first is out.
    due: VecDeque<Instant>,
    answer: Vec<u8>,
}

impl Connection {
    fn ask(&self, request: &[u8]) -> io::Result<()> {
        let sent = send(self.stream.as_raw_fd(), request, &[])?;
        let is_out = sent == Some(request.len());
        is_out
            .then_some(())
            .ok_or_else(|| io::Error::other("a request does not fit"))
    }

    /// Takes in what is there, and says when the request was due that is answered by it.
    fn take(&mut self) -> io::Result<Option<Instant>> {
        let mut buffer = [0; 1024];
        while let Some(count) = recv(self.stream.as_raw_fd(), &mut buffer)? {
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.answer.extend_from_slice(&buffer[..count]);
        }
        if !self.answer.ends_with(HELLO.as_bytes()) {
            return Ok(None);
        }
        let is_good = self.answer.starts_with(b"HTTP/1.1 200");
        self.answer.clear();
        let due = self.due.pop_front().filter(|_| is_good);
        due.map(Some)
            .ok_or_else(|| io::Error::other("another answer than expected"))
    }
}

/// Asks at the pace for that long, and says how many microseconds each answer has taken.
fn ping(address: SocketAddrV4, time: Duration) -> io::Result<Vec<f64>> {
    let request = request("/", None, false);
    let mut epoll = Epoll::new()?;
    let mut connections = Vec::new();
    for key in 0..CONNECTIONS {
        let stream = TcpStream::connect(address)?;
        set_nodelay(stream.as_raw_fd())?;
        epoll.add(stream.as_raw_fd(), key, false)?;
        let (due, answer) = (VecDeque::new(), Vec::new());
        connections.push(Connection {
            stream,
            due,
            answer,
        });
    }
    let mut ticks = ticks()?;
    epoll.add(ticks.as_raw_fd(), TICK, false)?;
    let count = (time.as_nanos() / PACE.as_nanos()) as u32;
    let (began, mut asked, mut micros) = (Instant::now(), 0, Vec::new());
    while micros.len() < count as usize {
        if began.elapsed() > time + PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for place in 0..epoll.wait(1000)? {
            let (key, _) = epoll.event(place);
            if key == TICK {
                // It goes on only when it is read.
                ticks.read_exact(&mut [0; 8])?;
                continue;
            }
            let connection = &mut connections[key];
            if let Some(due) = connection.take()? {
                micros.push(due.elapsed().as_nanos() as f64 / 1e3);
                if !connection.due.is_empty() {
                    connection.ask(&request)?;
                }
            }
        }
        while asked < count && began + PACE * asked <= Instant::now() {
            let connection = &mut connections[asked as usize % CONNECTIONS];
            connection.due.push_back(began + PACE * asked);
            if connection.due.len() == 1 {
                connection.ask(&request)?;
            }
            asked += 1;
        }
    }
    Ok(micros)
}

/// A timer that is ready again at each step of the pace.
fn ticks() -> io::Result<File> {
    let step = libc::timespec {
        tv_sec: 0,
        tv_nsec: PACE.as_nanos() as libc::c_long,
    };
    let (clock, each) = (
        libc::CLOCK_MONOTONIC,
        libc::itimerspec {
            it_interval: step,
            it_value: step,
        },
    );
    // SAFETY: the descriptor belongs to nobody else yet, and the kernel reads the one structure
    // during the call only.
    unsafe {
        let timer = OwnedFd::from_raw_fd(check(libc::timerfd_create(clock, libc::TFD_CLOEXEC))?);
        check(libc::timerfd_settime(
            timer.as_raw_fd(),
            0,
            &each,
            std::ptr::null_mut(),
        ))?;
        Ok(timer.into())
    }
}
