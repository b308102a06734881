//! Chapter 9. Who owns the thread?
//!
//! Run:    cargo run --example 09_embedding
//! Shows:  a program with a loop of its own gives ours a turn: per frame, or from its poll.
//! Next:   blocking_vs_offloaded; or src/runtime/runtime.rs, all that a host may call.

#[path = "support/watch.rs"]
mod watch;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{Runtime, interval};

const FRAME: Duration = Duration::from_millis(16);
const FRAMES: u32 = 30;

fn main() -> io::Result<()> {
    println!("Chapter 9. Who owns the thread?");
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("09_embedding.rs"))?;

    println!("\nA. A game: {FRAMES} frames, one each {FRAME:?}. A turn per frame, without sleep.");
    let beats = Rc::new(Cell::new(0));
    let counter = Rc::clone(&beats);
    let metronome = rt.spawn(async move {
        let mut beat = interval(Duration::from_millis(80));
        loop {
            beat.tick().await;
            counter.set(counter.get() + 1);
        }
    });
    let mut next_frame = Instant::now();
    for frame in 1..=FRAMES {
        rt.turn(Some(Duration::ZERO))?;
        if frame % 10 == 0 {
            println!("  frame {frame}: beats so far {}", beats.get());
        }
        next_frame += FRAME;
        thread::sleep(next_frame.saturating_duration_since(Instant::now()));
    }
    metronome.abort();
    rt.run_until_stalled()?;

    println!("\nB. A host that sleeps in its own poll, on a socket of its own and on our fd.");
    host::run(&mut rt)?;

    let stats = rt.stats();
    println!(
        "\nturns {} / polls {} / parks {}",
        stats.turns, stats.polls, stats.parks
    );
    println!("Notice: in A the host asks by the clock, in B the kernel tells it when. In both it");
    println!("        gives the loop its turns, and the loop never keeps the thread.");
    Ok(())
}

#[cfg(not(mio_unsupported_force_poll_poll))]
mod host {
    use super::{Duration, Runtime, io, thread};
    use std::io::{Read, Write};
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::net::UnixStream;
    use tourbillon::{sleep, spawn_blocking};

    pub(super) fn run(rt: &mut Runtime) -> io::Result<()> {
        let (mut socket, mut peer) = UnixStream::pair()?;
        let sender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(60));
            peer.write_all(b"!").map(|()| peer)
        });
        let task = rt.spawn(async {
            sleep(Duration::from_millis(30)).await;
            println!("    task: the timer fired, now a job");
            let job = spawn_blocking(|| thread::sleep(Duration::from_millis(60)));
            println!("    task: the job ended: {}", job.await.is_ok());
        });
        let mut heard = false;
        loop {
            rt.run_until_stalled()?;
            if heard && task.is_finished() {
                break;
            }
            // Timers have no fd: the loop says how long the host may sleep.
            match poll([rt.as_raw_fd(), socket.as_raw_fd()], rt.next_timeout())? {
                [_, true] => {
                    socket.read_exact(&mut [0])?;
                    heard = true;
                    println!("  host: a byte on its own socket");
                }
                [true, false] => println!("  host: the loop's fd is readable"),
                [false, false] => println!("  host: the loop's timeout has passed"),
            }
        }
        sender.join().expect("the sender does not panic").map(drop)
    }

    /// Waits until one of the fds is readable or the timeout has passed.
    #[expect(unsafe_code, reason = "std has no poll(2)")]
    fn poll(fds: [RawFd; 2], timeout: Option<Duration>) -> io::Result<[bool; 2]> {
        // Rounded up: a millisecond too early would spin.
        let timeout = timeout.map_or(-1, |left| left.as_micros().div_ceil(1000) as i32);
        let mut fds = fds.map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: the pointer and the length are those of the array.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) };
        if ready < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(fds.map(|fd| fd.revents != 0))
    }
}

#[cfg(mio_unsupported_force_poll_poll)]
mod host {
    pub(super) fn run(_: &mut super::Runtime) -> super::io::Result<()> {
        println!("  Left out: on mio's poll(2) back end a runtime has no fd.");
        Ok(())
    }
}
