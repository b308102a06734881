//! What the command line asks for.

use super::request::Limits;

pub(super) const HELP: &str = "\
A server for redis-cli and redis-benchmark on one event loop. It listens on
127.0.0.1 only, keeps everything in memory and knows no password.

usage: redis [options]

  --port N         where to listen (default 6380; 0 takes a free port)
  --maxclients N   connections at once (default 1000)
  --bulk-max N     bytes in one word of a command (default 16777216)
  --args-max N     words in one command (default 65536)
  --help           this text

exit status: 0 told to stop, 1 failed, 2 not understood
";

/// What a good command line means.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Run(Options),
    Help,
}

#[derive(Debug, PartialEq)]
pub(super) struct Options {
    pub(super) port: u16,
    pub(super) clients_max: usize,
    pub(super) limits: Limits,
}

impl Options {
    /// Reads the words after the program's name.
    pub(super) fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut options = Options {
            // Beside a Redis on 6379.
            port: 6380,
            // Fits the 1,024 descriptors that a process usually has.
            clients_max: 1000,
            limits: Limits::default(),
        };
        while let Some(name) = words.next() {
            if name == "--help" || name == "-h" {
                return Ok(Asked::Help);
            }
            let mut number = || {
                let value = words
                    .next()
                    .ok_or(format!("{name} needs a number; see --help"))?;
                let number = value.parse::<usize>();
                number.map_err(|_| format!("{name} needs a number, not `{value}`"))
            };
            match name.as_str() {
                "--port" => {
                    let port = number()?;
                    options.port = u16::try_from(port).map_err(|_| format!("no port is {port}"))?;
                }
                "--maxclients" => options.clients_max = number()?,
                "--bulk-max" => options.limits.bulk_max = number()?,
                "--args-max" => options.limits.args_max = number()?,
                _ => return Err(format!("unknown option `{name}`; see --help")),
            }
        }
        // A word that is allowed must have room.
        let room = options.limits.bulk_max.saturating_mul(2);
        options.limits.command_max = options.limits.command_max.max(room);
        Ok(Asked::Run(options))
    }
}
