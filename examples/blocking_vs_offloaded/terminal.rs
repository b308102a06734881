//! What only the terminal knows, and what only it is told.

use std::env;
use std::io::{self, IsTerminal, Write};

const WIDTH: usize = 80;
const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 120;

/// How many columns a line of the report may have.
pub(super) fn width() -> usize {
    let columns = || env::var("COLUMNS").ok()?.parse().ok();
    let width = stdout_width().or_else(columns);
    width.unwrap_or(WIDTH).clamp(WIDTH_MIN, WIDTH_MAX)
}

#[expect(unsafe_code, reason = "std does not ask a terminal for its size")]
fn stdout_width() -> Option<usize> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one winsize through its argument, which points to one that lives
    // here; on anything but a terminal it writes nothing and fails.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (answer == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether a terminal may be sent colours; see no-color.org.
pub(super) fn wants_colour() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A line on stderr that says what takes so long; nothing if stderr is no terminal.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    is_seen: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Progress {
            is_seen: io::stderr().is_terminal(),
        }
    }

    pub(super) fn say(self, what: &str) {
        // 36 columns fit every terminal; the spaces cover what was said before.
        self.write(&format!("\r{:36}", format!("{what} ...")));
    }

    pub(super) fn clear(self) {
        self.write(&format!("\r{:36}\r", ""));
    }

    fn write(self, text: &str) {
        if self.is_seen {
            let mut err = io::stderr().lock();
            // Nobody is worse off without it.
            let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
        }
    }
}
