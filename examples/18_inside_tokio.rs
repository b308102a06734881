//! Chapter 18. Can one loop be a guest of another?
//!
//! Run:    cargo run --example 18_inside_tokio
//! Shows:  our loop as a task of tokio's, woken through its fd; each has timers and sockets.
//! Next:   blocking_vs_offloaded; or src/runtime/runtime.rs, all that a host may call.

#[path = "support/watch.rs"]
mod watch;

use std::error::Error;
use std::time::{Duration, Instant};

const BEAT: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn Error>> {
    println!("Chapter 18. Can one loop be a guest of another?\n");
    let mut guest = watch::builder().build()?;
    let _page = watch::page(&guest, include_str!("18_inside_tokio.rs"))?;
    let began = Instant::now();
    let task = guest.spawn(async move {
        for number in 1..=3 {
            tourbillon::sleep(BEAT).await;
            say(began, &format!("guest: beat {number}"));
        }
        let job = tourbillon::spawn_blocking(|| std::thread::sleep(BEAT));
        say(
            began,
            &format!("guest: its job has ended: {}", job.await.is_ok()),
        );
    });

    let host = tokio::runtime::Builder::new_current_thread();
    let host = { host }.enable_all().build()?;
    host.block_on(async {
        let own = tokio::spawn(async move {
            for number in 1..=4 {
                tokio::time::sleep(BEAT * 3 / 4).await;
                say(began, &format!("host:  beat {number}"));
            }
        });
        while !task.is_finished() {
            // As much as is ready; then wait for more without holding up tokio.
            guest.run_until_stalled()?;
            if !task.is_finished() {
                wait::for_work(&guest).await?;
            }
        }
        own.await.map_err(std::io::Error::other)
    })?;

    let stats = guest.stats();
    println!(
        "\nturns {} / polls {} / parks {}",
        stats.turns, stats.polls, stats.parks
    );
    println!(
        "Notice: two loops share one thread because neither sleeps for the other. The guest's fd"
    );
    println!("        is readable when a socket, a thread or a job has something for it.");
    Ok(())
}

fn say(began: Instant, what: &str) {
    println!("  {:>3} ms  {what}", began.elapsed().as_millis());
}

#[cfg(not(mio_unsupported_force_poll_poll))]
mod wait {
    use std::io;
    use std::os::fd::AsFd;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::timeout;
    use tourbillon::Runtime;

    /// Waits as long as the guest may sleep, on its fd.
    #[expect(unsafe_code, reason = "tokio asks for a promise about the fd")]
    pub(super) async fn for_work(guest: &Runtime) -> io::Result<()> {
        // SAFETY: the guest is borrowed, and keeps its fd open as long as it lives.
        let fd = unsafe { AsyncFd::register_with_interest(guest.as_fd(), Interest::READABLE) }?;
        match guest.next_timeout() {
            None => fd.readable().await.map(drop),
            Some(left) => match timeout(left, fd.readable()).await {
                Ok(ready) => ready.map(drop),
                Err(_) => Ok(()),
            },
        }
    }
}

/// On mio's poll(2) back end a runtime has no fd: the host looks now and then.
#[cfg(mio_unsupported_force_poll_poll)]
mod wait {
    use std::time::Duration;

    pub(super) async fn for_work(_: &tourbillon::Runtime) -> std::io::Result<()> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }
}
