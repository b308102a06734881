//! What the programs of the comparison share.

pub mod epoll;
pub mod epoll_server;
pub mod load;
pub mod percentiles;

use std::hint::black_box;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;

/// The body of `GET /`.
pub const HELLO: &str = "Hello, world!";
/// The body of `GET /big`.
pub static BIG: [u8; 1 << 20] = [b'x'; 1 << 20];

/// Processor time so far, of the thread or of the process as the clock says.
pub fn cpu_nanos(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes to the one structure during the call only.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What `GET /heavy` is: 200 ms of the thread's processor time, whoever else wants the processor.
pub fn compute() {
    let now = || cpu_nanos(libc::CLOCK_THREAD_CPUTIME_ID);
    let (end, mut sum) = (now() + 200_000_000, 0_u64);
    while now() < end {
        sum = (0..10_000).fold(black_box(sum), |sum, n| sum.rotate_left(5) ^ n);
    }
    black_box(sum);
}

/// A listening socket on a free port that does not block, and a line on the output that says where.
///
/// # Errors
///
/// If the kernel has no port, or nobody reads the output.
pub fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // std asks for a queue of 128, which a thousand clients at once overflow.
    // SAFETY: the descriptor is that of an open socket; nothing else is passed.
    epoll::check(unsafe { libc::listen(listener.as_raw_fd(), 4096) })?;
    epoll::set_nodelay(listener.as_raw_fd())?;
    listener.set_nonblocking(true)?;
    announce(listener.local_addr()?)?;
    Ok(listener)
}

/// Says where a server listens, as the one who started it expects.
///
/// # Errors
///
/// If nobody reads the output.
pub fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "listening {address}")?;
    out.flush()
}
