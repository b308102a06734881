//! Lines as Uvicorn writes them: `INFO:     message`. Coloured where a person reads them, with the
//! time where a file does.

use std::io::{IsTerminal, Write, stderr};
use std::time::{SystemTime, UNIX_EPOCH};

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
                write!(
                    out,
                    "{} {level}:{:width$}",
                    timestamp(SystemTime::now()),
                    ""
                )?;
            }
            writeln!(out, "{}", record.args())
        })
        .init();
}

/// RFC 3339, in UTC: `1994-11-06T08:49:37.000Z`. A crate for dates would be the largest of all that
/// the examples need.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, millis) = (since.as_secs(), since.subsec_millis());
    // Years from March on, in eras of 400: the day that leap years add is their last.
    let days = seconds / 86_400 + 719_468;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = days / 146_097 * 400 + year_of_era + later;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
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
