//! What the environment asks for, so that a finished program can be opened
//! like the back of a watch.
//!
//! ```text
//!   TOURBILLON_DEBUG=1                  all of it: watchdog at 100 ms, lean recorder, dial
//!   TOURBILLON_WATCHDOG=50ms            or 50ms,json or 50ms,abort=30s or off
//!   TOURBILLON_RECORD=lean              or full, or lean,on-stall=FOLDER, or off
//!   TOURBILLON_DIAL=127.0.0.1:6660      or off
//! ```
//!
//! What cannot be understood is said on standard error and left out: a
//! program is not to end because somebody wanted to watch it.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::builder::Builder;
use crate::watch::Level;
use crate::watchdog::Watchdog;

impl Builder {
    /// Switches on what the environment asks for; what it says goes before what
    /// the program has set.
    pub(super) fn with_environment(mut self) -> Self {
        if !self.heeds_environment {
            return self;
        }
        let set = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
        let debug = set("TOURBILLON_DEBUG").is_some_and(|text| text != "0");
        if debug {
            self.is_debugged = true;
            self.watchdog = self.watchdog.or_else(|| Some(Watchdog::new()));
            self.record = self.record.or(Some(Level::Lean));
            self.dial = Some((Ipv4Addr::LOCALHOST, 0).into());
        }
        if let Some(text) = set("TOURBILLON_WATCHDOG") {
            // Whom the program's own tells of stalls is still told.
            let own = self.watchdog.clone().unwrap_or_default();
            match watchdog(&text, own) {
                Ok(watchdog) => self.watchdog = watchdog,
                Err(why) => complain("TOURBILLON_WATCHDOG", &text, why),
            }
        }
        if let Some(text) = set("TOURBILLON_RECORD") {
            match record(&text) {
                Ok((level, folder)) => {
                    self.record = level;
                    if let Some(folder) = folder {
                        self = self.record_stalls(folder);
                    }
                }
                Err(why) => complain("TOURBILLON_RECORD", &text, why),
            }
        }
        if let Some(text) = set("TOURBILLON_DIAL") {
            match address(&text) {
                Ok(address) => self.dial = address,
                Err(why) => complain("TOURBILLON_DIAL", &text, why),
            }
        }
        self
    }
}

fn complain(name: &str, text: &str, why: &str) {
    let text = crate::watch::escaped(text);
    eprintln!("tourbillon: {name}={text} is left out: {why}");
}

fn watchdog(text: &str, own: Watchdog) -> Result<Option<Watchdog>, &'static str> {
    if text == "off" {
        return Ok(None);
    }
    let mut parts = text.split(',');
    let threshold = parts.next().and_then(span);
    let threshold = threshold.ok_or("it begins with a threshold, such as 50ms, or is off")?;
    let mut watchdog = own.threshold(threshold);
    for part in parts {
        watchdog = match (part, part.strip_prefix("abort=").and_then(span)) {
            ("json", _) => watchdog.json(true),
            (_, Some(limit)) => watchdog.abort_after(limit),
            _ => return Err("after the threshold come json, or abort= and a time"),
        };
    }
    Ok(Some(watchdog))
}

/// What is recorded, and where the events around stalls go.
fn record(text: &str) -> Result<(Option<Level>, Option<&str>), &'static str> {
    let (first, folder) = match text.split_once(",on-stall=") {
        Some((first, folder)) => (first, Some(folder)),
        None => (text, None),
    };
    Ok((level(first)?, folder))
}

fn level(text: &str) -> Result<Option<Level>, &'static str> {
    match text {
        "off" => Ok(None),
        "lean" | "1" => Ok(Some(Level::Lean)),
        "full" => Ok(Some(Level::Full)),
        _ => Err("it is lean or full, perhaps with ,on-stall= and a folder, or off"),
    }
}

fn address(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    if text == "off" {
        return Ok(None);
    }
    let address = text
        .parse()
        .map_err(|_| "it is an address and a port, or off");
    address.map(Some)
}

/// A stretch of time as people write it here: `250ms` or `2s`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(Duration::from_millis(number.checked_mul(unit)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::{address, level, record, span, watchdog};
    use crate::watch::Level;
    use crate::watchdog::Watchdog;

    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!(span("50ms"), Some(Duration::from_millis(50)));
        assert_eq!(span("2s"), Some(Duration::from_secs(2)));
        for wrong in ["", "s", "50", "5m", "-1s", "+1s", "18446744073709551615s"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_variable_says_what_it_takes() {
        let own = Watchdog::new;
        assert!(watchdog("off", own()).unwrap().is_none());
        assert!(watchdog("50ms,json,abort=30s", own()).unwrap().is_some());
        assert!(watchdog("50ms,yaml", own()).unwrap_err().contains("json"));
        assert!(watchdog("soon", own()).unwrap_err().contains("50ms"));
        let heard = own().on_stall(|_| ()).samples(3);
        let both = format!("{:?}", watchdog("50ms", heard).unwrap().unwrap());
        assert!(both.contains("threshold: 50ms"), "{both}");
        assert!(both.contains("samples: 3"), "{both}");
        assert!(both.contains("on_stall: true"), "{both}");
        assert_eq!(
            record("lean,on-stall=/tmp"),
            Ok((Some(Level::Lean), Some("/tmp")))
        );
        assert_eq!(level("full"), Ok(Some(Level::Full)));
        assert_eq!(level("off"), Ok(None));
        assert!(level("loud").is_err());
        assert_eq!(address("127.0.0.1:6660"), Ok("127.0.0.1:6660".parse().ok()));
        assert!(address("6660").is_err());
    }
}
