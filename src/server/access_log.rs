//! A line for each response, written when it has ended.
//!
//! Only then are its size, its duration and how it ended known. Nothing is
//! gathered where nobody listens: the log's level is asked first.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::process;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::pattern::{Atom, Pattern, PatternError};
use crate::http::{RequestHead, ResponseHead, Status, Version, http_date};
use crate::watch::json_string;

/// The target of these lines, for loggers and their filters.
const TARGET: &str = "tourbillon::access";

/// What stands for the status of a response that was never begun, because
/// its client left first: nginx's number.
const CLIENT_LEFT: u16 = 499;

/// How responses are logged: at level info, with the target
/// `tourbillon::access`.
///
/// What is aborted at the server's end, when
/// [`graceful_timeout`](super::Config::graceful_timeout) has passed, has no
/// line here: the server's own log names it.
///
/// The plain form is Uvicorn's with size and duration behind it:
///
/// ```text
/// 127.0.0.1:51000 - "GET /users/7 HTTP/1.1" 200 OK 13 B 0.4 ms
/// ```
///
/// # Examples
///
/// ```
/// use tourbillon::server::{AccessLog, Config};
///
/// let access_log = AccessLog::pattern(r#"%(h)s "%(r)s" %(s)s %(B)s %(D)s"#)?
///     .skip("/healthz")
///     .skip("/metrics");
/// let config = Config { access_log, ..Config::default() };
/// let for_machines = AccessLog::json();
/// let silent = AccessLog::off();
/// # let _ = (config, for_machines, silent);
/// # Ok::<(), tourbillon::server::PatternError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct AccessLog {
    form: Form,
    skipped: Vec<String>,
}

#[derive(Clone, Debug, Default)]
enum Form {
    Off,
    #[default]
    Plain,
    Json,
    Pattern(Pattern),
}

impl AccessLog {
    /// No lines.
    pub fn off() -> Self {
        AccessLog {
            form: Form::Off,
            skipped: Vec::new(),
        }
    }

    /// One JSON object a line, with `time` in seconds since 1970, `client`,
    /// `method`, `target`, `version`, `status`, `bytes` of the body, `seconds`
    /// from the head to the last byte, `end` (`complete`, `cut off` or
    /// `refused`), and where known `route`, `reason`, `user_agent`, `referer`
    /// and `request_id`.
    pub fn json() -> Self {
        AccessLog {
            form: Form::Json,
            skipped: Vec::new(),
        }
    }

    /// A pattern in the form of Gunicorn's `access_log_format`: text, with
    /// `%%` for a percent sign and `%(atom)s` for
    ///
    /// | atom | is |
    /// |---|---|
    /// | `h` | the client's address |
    /// | `t` | when the response ended, as `[22/Nov/2026:15:04:05 +0000]` |
    /// | `r` | the request line |
    /// | `m`, `U`, `q`, `H` | its method, path, query and version |
    /// | `s` | the status |
    /// | `B`, `b` | bytes of the body; `b` writes `-` for none |
    /// | `f`, `a` | the fields `referer` and `user-agent` |
    /// | `T`, `M`, `D` | the duration in seconds, milliseconds, microseconds |
    /// | `L` | the same in seconds with six decimals |
    /// | `p` | the process, as `<1234>` |
    /// | `l`, `u` | `-` |
    /// | `X` | `+` if the response is complete, `X` if it was cut off |
    /// | `{name}i`, `{name}o` | a field of the request, of the response |
    ///
    /// What is not there is `-`. Quotes, backslashes and control characters
    /// in what the client sent are escaped, so no client can forge a line.
    ///
    /// # Errors
    ///
    /// Names the atom that does not exist, or where one does not end.
    pub fn pattern(pattern: &str) -> Result<Self, PatternError> {
        Ok(AccessLog {
            form: Form::Pattern(Pattern::parse(pattern)?),
            skipped: Vec::new(),
        })
    }

    /// Leaves out successful requests for this path: those of health checks,
    /// say. Errors of theirs are logged.
    #[must_use]
    pub fn skip(mut self, path: &str) -> Self {
        self.skipped.push(path.to_owned());
        self
    }

    /// Begins a line, if somebody will read it.
    pub(super) fn begin(
        &self,
        head: &RequestHead,
        now: impl FnOnce() -> Instant,
    ) -> Option<Box<Entry>> {
        if matches!(self.form, Form::Off) || !log::log_enabled!(target: TARGET, log::Level::Info) {
            return None;
        }
        let field = |name: &str| field(head.headers().get_bytes(name));
        let mut entry = Entry {
            client: None,
            route: None,
            method: head.method_text().to_owned(),
            target: head.target().to_owned(),
            path_end: head.target().len() - head.query().map_or(0, |query| query.len() + 1),
            version: Some(head.version()),
            referer: field("referer"),
            agent: field("user-agent"),
            request_id: None,
            wanted: Vec::new(),
            is_skipped: self.skipped.iter().any(|path| path == head.path()),
            began: now(),
            status: None,
        };
        if let Form::Pattern(pattern) = &self.form {
            entry.wanted = pattern.request_fields().map(field).collect();
        }
        Some(Box::new(entry))
    }

    /// Begins the line of a request that was refused before it could be read.
    pub(super) fn refused(
        &self,
        status: Status,
        now: impl FnOnce() -> Instant,
    ) -> Option<Box<Entry>> {
        let mut entry = self.begin(&RequestHead::default(), now)?;
        entry.version = None;
        entry.method.clear();
        entry.status = Some(status);
        Some(entry)
    }

    /// Takes what the line needs of the response's head.
    pub(super) fn see_response(&self, entry: &mut Entry, head: &ResponseHead) {
        entry.status = Some(head.status);
        match &self.form {
            Form::Pattern(pattern) => {
                let fields = pattern.response_fields();
                let found = fields.map(|name| field(head.headers.get_bytes(name)));
                entry.wanted.extend(found);
            }
            Form::Json => entry.request_id = field(head.headers.get_bytes("x-request-id")),
            Form::Off | Form::Plain => {}
        }
    }

    /// Writes the line.
    pub(super) fn end(&self, entry: &Entry, end: &Ending) {
        let is_success = entry.status.is_some_and(|status| status.code() < 400);
        if entry.is_skipped && is_success && end.reason.is_none() {
            return;
        }
        let line = Line {
            form: &self.form,
            entry,
            end,
        };
        log::info!(target: TARGET, "{line}");
    }
}

/// What the line says of a request, kept while it is answered.
pub(super) struct Entry {
    pub(super) client: Option<SocketAddr>,
    pub(super) route: Option<Rc<str>>,
    method: String,
    target: String,
    path_end: usize,
    /// None where the request could not be read.
    version: Option<Version>,
    referer: Option<String>,
    agent: Option<String>,
    request_id: Option<String>,
    /// The fields that the pattern asks for, in its order.
    wanted: Vec<Option<String>>,
    is_skipped: bool,
    pub(super) began: Instant,
    status: Option<Status>,
}

/// How a response ended.
pub(super) struct Ending {
    pub(super) bytes: u64,
    pub(super) took: Duration,
    /// Why it was cut off or the request refused.
    pub(super) reason: Option<String>,
}

fn field(value: Option<&[u8]>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(value).into_owned())
}

/// A line that is formatted when the logger wants it.
struct Line<'a> {
    form: &'a Form,
    entry: &'a Entry,
    end: &'a Ending,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Off => Ok(()),
            Form::Plain => self.plain(f),
            Form::Json => self.json(f),
            Form::Pattern(pattern) => pattern.write(f, |atom, f| self.atom(atom, f)),
        }
    }
}

impl Line<'_> {
    fn plain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry.client {
            Some(client) => write!(f, "{client}")?,
            None => f.write_str("-")?,
        }
        f.write_str(" - \"")?;
        self.request_line(f)?;
        match self.entry.status {
            Some(status) => write!(f, "\" {status}")?,
            None => write!(f, "\" {CLIENT_LEFT}")?,
        }
        let ms = self.end.took.as_secs_f64() * 1e3;
        write!(f, " {} B {ms:.1} ms", self.end.bytes)?;
        match &self.end.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }

    fn request_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(version) = self.entry.version else {
            return f.write_str("-");
        };
        write!(f, "{} ", escaped(&self.entry.method))?;
        write!(f, "{} {version}", escaped(&self.entry.target))
    }

    fn status(&self) -> u16 {
        self.entry.status.map_or(CLIENT_LEFT, Status::code)
    }

    fn atom(&self, atom: &Atom, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entry, took) = (self.entry, self.end.took);
        let text = |text: Option<&str>, f: &mut fmt::Formatter<'_>| match text {
            Some(text) if !text.is_empty() => write!(f, "{}", escaped(text)),
            _ => f.write_str("-"),
        };
        match atom {
            Atom::Client => match entry.client {
                Some(client) => write!(f, "{}", client.ip()),
                None => f.write_str("-"),
            },
            Atom::Time => time(f),
            Atom::RequestLine => self.request_line(f),
            Atom::Method => text(Some(&entry.method), f),
            Atom::Path => text(entry.target.get(..entry.path_end), f),
            Atom::Query => text(entry.target.get(entry.path_end + 1..), f),
            Atom::Version => match entry.version {
                Some(version) => write!(f, "{version}"),
                None => f.write_str("-"),
            },
            Atom::Status => write!(f, "{}", self.status()),
            Atom::BytesOrDash if self.end.bytes == 0 => f.write_str("-"),
            Atom::Bytes | Atom::BytesOrDash => write!(f, "{}", self.end.bytes),
            Atom::Referer => text(entry.referer.as_deref(), f),
            Atom::Agent => text(entry.agent.as_deref(), f),
            Atom::Seconds => write!(f, "{}", took.as_secs()),
            Atom::Milliseconds => write!(f, "{}", took.as_millis()),
            Atom::Microseconds => write!(f, "{}", took.as_micros()),
            Atom::DecimalSeconds => write!(f, "{:.6}", took.as_secs_f64()),
            Atom::Process => write!(f, "<{}>", process::id()),
            Atom::Dash => f.write_str("-"),
            Atom::End => f.write_str(if self.end.reason.is_some() { "X" } else { "+" }),
            Atom::Field(place) => {
                let wanted = entry.wanted.get(*place).and_then(Option::as_deref);
                text(wanted, f)
            }
        }
    }

    fn json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry;
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        write!(f, "{{\"time\":{:.3}", since_epoch.as_secs_f64())?;
        if let Some(client) = entry.client {
            write!(f, ",\"client\":\"{client}\"")?;
        }
        if let Some(version) = entry.version {
            write!(f, ",\"method\":{}", json_string(&entry.method))?;
            write!(f, ",\"target\":{}", json_string(&entry.target))?;
            write!(f, ",\"version\":\"{version}\"")?;
        }
        write!(
            f,
            ",\"status\":{},\"bytes\":{}",
            self.status(),
            self.end.bytes
        )?;
        write!(f, ",\"seconds\":{:.6}", self.end.took.as_secs_f64())?;
        let end = match &self.end.reason {
            None => "complete",
            Some(_) if entry.version.is_none() => "refused",
            Some(_) => "cut off",
        };
        write!(f, ",\"end\":\"{end}\"")?;
        for (name, value) in [
            ("route", entry.route.as_deref()),
            ("reason", self.end.reason.as_deref()),
            ("user_agent", entry.agent.as_deref()),
            ("referer", entry.referer.as_deref()),
            ("request_id", entry.request_id.as_deref()),
        ] {
            if let Some(value) = value {
                write!(f, ",\"{name}\":{}", json_string(value))?;
            }
        }
        f.write_char('}')
    }
}

/// `[22/Nov/2026:15:04:05 +0000]`, made of `Sun, 22 Nov 2026 15:04:05 GMT`.
fn time(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let date = http_date(since_epoch.as_secs());
    let part = |range: std::ops::Range<usize>| str::from_utf8(&date[range]).unwrap_or("");
    let (day, month, year) = (part(5..7), part(8..11), part(12..16));
    write!(f, "[{day}/{month}/{year}:{} +0000]", part(17..25))
}

/// Text of a client's, so that it cannot end the line, nor a field in quotes.
fn escaped(text: &str) -> impl fmt::Display {
    struct Escaped<'t>(&'t str);
    impl fmt::Display for Escaped<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for c in self.0.chars() {
                match c {
                    '"' | '\\' => write!(f, "\\{c}")?,
                    c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                    c => f.write_char(c)?,
                }
            }
            Ok(())
        }
    }
    Escaped(text)
}
