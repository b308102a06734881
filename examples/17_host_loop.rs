//! Chapter 17. What if the host has a loop of its own?
//!
//! Run:    cargo run --example 17_host_loop     (type a line or two, if you like)
//! Shows:  a host that polls the keyboard and our fd; then one that is told by messages.
//! Next:   18_inside_tokio; or Builder::host_waker in src/runtime/builder.rs.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::io::{self, Read};
use std::os::fd::RawFd;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tourbillon::{Runtime, interval, spawn_blocking};

const BEAT: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 17. What if the host has a loop of its own?");
    println!("\nA. A host that sleeps in poll(2), on the keyboard and on the loop's fd.");
    let turns = polls()?;
    println!("\nB. A host with a queue of messages, as a window has, and no look at any fd.");
    let turns = turns + is_told()?;
    println!("\nturns {turns} in both hosts");
    println!("Notice: the host decides when the loop turns; what it needs to know is when that is");
    println!(
        "        worth it: an fd and a timeout, or a call from the thread that has sent something."
    );
    Ok(())
}

fn polls() -> io::Result<u64> {
    let mut rt = watch::builder().build()?;
    let _page = watch::page(&rt, include_str!("17_host_loop.rs"))?;
    let task = rt.spawn(async {
        let mut beat = interval(BEAT);
        for number in 1..=4 {
            beat.tick().await;
            println!("    task: beat {number}");
        }
    });
    // A regular file and the null device are always readable; once they have ended, so is that.
    let mut keyboard = Some(0);
    loop {
        rt.run_until_stalled()?;
        if task.is_finished() {
            return Ok(rt.stats().turns);
        }
        let [typed, _] = poll([keyboard.unwrap_or(-1), fd_of(&rt)], rt.next_timeout())?;
        if typed {
            let mut line = [0; 256];
            match io::stdin().read(&mut line)? {
                0 => keyboard = None,
                count => println!("  host: {count} bytes typed"),
            }
        }
    }
}

enum Message {
    /// The loop has something to do.
    Turn,
    Paint,
}

fn is_told() -> Result<u64, Box<dyn Error>> {
    let (post, messages) = mpsc::channel();
    let poke = post.clone();
    let mut rt = watch::builder()
        .host_waker(move || {
            // The window may be gone already; then nobody needs to know.
            let _ = poke.send(Message::Turn);
        })
        .build()?;
    let _page = watch::page(&rt, include_str!("17_host_loop.rs"))?;
    let task = rt.spawn(async {
        let job = spawn_blocking(|| thread::sleep(BEAT));
        println!("    task: a job is out");
        println!("    task: it has ended: {}", job.await.is_ok());
    });
    post.send(Message::Paint)?;
    loop {
        rt.run_until_stalled()?;
        if task.is_finished() {
            return Ok(rt.stats().turns);
        }
        // Timers make no call: the host asks how long it may wait.
        let message = match rt.next_timeout() {
            None => messages.recv().ok(),
            Some(left) => messages.recv_timeout(left).ok(),
        };
        match message {
            Some(Message::Turn) => println!("  host: told to turn the loop"),
            Some(Message::Paint) => println!("  host: paints"),
            None => {}
        }
    }
}

#[cfg(not(mio_unsupported_force_poll_poll))]
fn fd_of(rt: &Runtime) -> RawFd {
    std::os::fd::AsRawFd::as_raw_fd(rt)
}

/// On mio's poll(2) back end a runtime has no fd; the timeout is enough here.
#[cfg(mio_unsupported_force_poll_poll)]
fn fd_of(_: &Runtime) -> RawFd {
    -1
}

/// Waits until one of the fds is readable or the timeout has passed. A negative fd is passed over.
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
