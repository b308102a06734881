//! What the command line asks for.

use std::path::PathBuf;

use super::facts::{How, Plan};

/// Threads and seconds: 64 of both are more than enough to see the pool's queue.
const HEAVY_MAX: usize = 64;

pub(super) const HELP: &str = "\
What happens to everybody else while one handler blocks the event loop?

Starts a real server, sends it 20 light requests on a schedule and a heavy one
of about 1000 ms, twice: first the handler does the heavy work itself (A), then
it hands it to the blocking pool (B). Takes about 5 s.

usage: blocking_vs_offloaded [options]

  --how cpu      the heavy work computes (default)
  --how sleep    it sleeps, or
  --how lock     waits for a lock, or
  --how file     waits for a file: the loop is stuck just the same
  --heavy N      N heavy requests instead of one, at most 64; more than 4 fill
                 the pool, so that B grows a queue too
  --watch        show both runs on a page in the browser too: they begin when it
                 is open, and again at its button; Enter or Ctrl-C ends
  --out DIR      where trace.json, blocked.mmd and offloaded.mmd are written;
                 target/demo if this is not given
  --no-files     write none
  --json         the same facts as one JSON object
  --ascii        draw with # % - | only
  --help         this text

environment: COLUMNS (if stdout is no terminal), NO_COLOR, RUST_LOG=info
exit status: 0 shown, 1 not shown or failed, 2 not understood
";

/// What a good command line means.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Run(Options),
    Help,
}

#[derive(Debug, PartialEq)]
pub(super) struct Options {
    pub(super) how: How,
    pub(super) heavy: usize,
    pub(super) json: bool,
    pub(super) ascii: bool,
    pub(super) watch: bool,
    pub(super) out: Out,
}

/// Where files are written to.
#[derive(Debug, PartialEq)]
pub(super) enum Out {
    Usual,
    Folder(PathBuf),
    Nowhere,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            how: How::Cpu,
            heavy: 1,
            json: false,
            ascii: false,
            watch: false,
            out: Out::Usual,
        }
    }
}

impl Options {
    /// Reads the words after the program's name.
    pub(super) fn parse(words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut options = Options::default();
        let mut words = words;
        while let Some(word) = words.next() {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let mut value_of = |what: &str| {
                let value = value.clone().or_else(|| words.next());
                value.ok_or_else(|| format!("{name} needs {what}; see --help"))
            };
            match name {
                "--how" => options.how = how(&value_of("`cpu`, `sleep`, `lock` or `file`")?)?,
                "--heavy" => options.heavy = heavy(&value_of("a number")?)?,
                "--out" => options.out = Out::Folder(value_of("a folder")?.into()),
                "--no-files" if value.is_none() => options.out = Out::Nowhere,
                "--watch" if value.is_none() => options.watch = true,
                "--json" if value.is_none() => options.json = true,
                "--ascii" if value.is_none() => options.ascii = true,
                "--help" | "-h" if value.is_none() => return Ok(Asked::Help),
                _ => return Err(format!("unknown option `{word}`; see --help")),
            }
        }
        Ok(Asked::Run(options))
    }

    pub(super) fn plan(&self) -> Plan {
        Plan {
            how: self.how,
            light: 20,
            light_every: 100.0,
            heavy: self.heavy,
            heavy_at: 150.0,
            heavy_ms: 1000.0,
        }
    }
}

fn how(value: &str) -> Result<How, String> {
    match value {
        "cpu" => Ok(How::Cpu),
        "sleep" => Ok(How::Sleep),
        "lock" => Ok(How::Lock),
        "file" => Ok(How::File),
        _ => Err(format!(
            "--how is `cpu`, `sleep`, `lock` or `file`, not `{value}`"
        )),
    }
}

fn heavy(value: &str) -> Result<usize, String> {
    let number = value.parse().ok();
    number
        .filter(|number| (1..=HEAVY_MAX).contains(number))
        .ok_or_else(|| format!("--heavy is a number from 1 to {HEAVY_MAX}, not `{value}`"))
}
