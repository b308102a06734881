//! Lines as Uvicorn writes them: `INFO:     message`. Coloured where a person reads them, with the
//! time where a file does.

use std::io::{IsTerminal, Write, stderr};

use log::Level;

/// Has the library's lines written to stderr. `RUST_LOG` says which; `info` is the default.
pub(crate) fn start() {
    let is_terminal = stderr().is_terminal();
    let wanted = env_logger::Env::default().default_filter_or("info");
    env_logger::Builder::from_env(wanted)
        .format(move |out, record| {
            let level = record.level();
            // So that messages stand below each other.
            let width = 9 - level.as_str().len();
            if is_terminal {
                let colour = colour(level);
                write!(out, "\x1b[{colour}m{level}\x1b[0m:{:width$}", "")?;
            } else {
                write!(out, "{} {level}:{:width$}", out.timestamp_millis(), "")?;
            }
            writeln!(out, "{}", record.args())
        })
        .init();
}

/// Uvicorn's colours.
fn colour(level: Level) -> u8 {
    match level {
        Level::Error => 31,
        Level::Warn => 33,
        Level::Info => 32,
        Level::Debug => 36,
        Level::Trace => 34,
    }
}
