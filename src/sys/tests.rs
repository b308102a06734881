//! Signals belong to the whole process, and so do limits. Tests that touch them start their own
//! binary again for themselves alone, so that they neither disturb other tests nor hear them.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

mod beneath;
mod listing;
mod signals;
mod sockets;
mod stacks;
mod states;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
mod stepped;
mod unnamed;

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::fault::{is_out_of_descriptors, raw_os_error};
use super::*;

/// An empty directory of a test's own, which removes it.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tourbillon-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    folder
}

const ALONE: &str = "TOURBILLON_TEST_ALONE";

/// Runs `body`, which is the rest of a test, in a process of its own.
fn alone(body: impl FnOnce()) {
    assert_eq!(in_own_process(body), None);
}

/// As [`alone`], for a `body` that may end its process; returns the signal that did.
fn in_own_process<F: FnOnce()>(body: F) -> Option<i32> {
    if std::env::var_os(ALONE).is_some() {
        // SAFETY: alarm(2) takes a number. Its signal ends the process if the test hangs.
        unsafe { libc::alarm(60) };
        body();
        return None;
    }
    // A closure's type is named after the function it is written in, here the test.
    let body_name = std::any::type_name::<F>();
    let (_, path) = body_name.split_once("::").unwrap();
    let test = path.trim_end_matches("::{{closure}}");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(ALONE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let signal = output.status.signal();
    assert!(text.contains("running 1 test"), "no such test: {test}");
    assert!(
        signal.is_some() || output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    signal
}

/// Waits for `fd` to become readable, for at most `milliseconds`.
fn readable(fd: &impl AsFd, milliseconds: i32) -> bool {
    let mut wait = libc::pollfd {
        fd: fd.as_fd().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    loop {
        // SAFETY: poll(2) reads and writes one pollfd, through a pointer to one that lives here.
        match unsafe { libc::poll(&raw mut wait, 1, milliseconds) } {
            -1 => continue,
            count => return count == 1,
        }
    }
}
