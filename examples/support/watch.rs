//! What `--watch` does in every chapter: it opens the page of the loop, and holds the loop before
//! its first turn, so that one can go turn by turn.

use std::io::{self, BufRead};
use std::panic::Location;
use std::{env, thread};

use tourbillon::dial::{Dial, OpenDial};
use tourbillon::watch::Level;
use tourbillon::{Builder, Runtime, Watchdog};

/// What the chapter's runtime is made of: without `--watch`, the plain `Runtime::builder()`.
pub(super) fn builder() -> Builder {
    match is_asked_for() {
        true => Runtime::builder()
            .watchdog(Watchdog::new())
            .record(Level::Full),
        false => Runtime::builder(),
    }
}

/// Opens the page, if that is asked for. When this is dropped, it stays until Enter or Ctrl-C.
#[track_caller]
pub(super) fn page(rt: &Runtime, source: &str) -> io::Result<Option<Page>> {
    let Some(watcher) = rt.watcher().filter(|_| is_asked_for()) else {
        return Ok(None);
    };
    watcher.pause();
    let file = Location::caller().file();
    let dial = Dial::new(watcher).source(file, source);
    let dial = dial.allow_gate(true).open()?;
    println!("\nWatch it at {}", dial.url());
    println!("The loop is held before its first turn: let it go from there.\n");
    Ok(Some(Page(dial)))
}

pub(super) struct Page(OpenDial);

impl Drop for Page {
    fn drop(&mut self) {
        if !thread::panicking() {
            println!("\nThe page is at {} until Enter or Ctrl-C.", self.0.url());
            // Whatever comes, also the end of the input.
            let _ = io::stdin().lock().read_line(&mut String::new());
        }
    }
}

fn is_asked_for() -> bool {
    env::args().any(|arg| arg == "--watch")
}
