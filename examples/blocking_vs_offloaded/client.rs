//! The client: requests go out when the plan says so, whatever became of those before them.
//!
//! A client that waits for an answer before it sends the next request is blocked along with the
//! server, and so measures almost nothing of the harm. This one counts from the scheduled time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Fault;
use super::facts::{HeavyFact, LightFact, Plan, Run};
use super::feed::{Feed, Lane};
use super::heavy::{self, Heavy};
use super::server::{BAD, PING, STUCK};
use super::tape::Tape;
use tourbillon::Watcher;

/// From the start of the threads to the first request: they are asleep by then.
const HEAD_START: Duration = Duration::from_millis(150);
/// A thread here holds one socket and one short text.
const STACK: usize = 128 << 10;
/// Many times what the slowest answer should take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than the watchdog bears.
const REHEARSAL_MS: f64 = 150.0;

pub(super) struct Client {
    /// Looks at the server's loop.
    pub(super) watcher: Watcher,
    pub(super) address: SocketAddr,
    /// The server's clock starts here too.
    pub(super) origin: Instant,
    /// Who is told of every request, if anybody is.
    pub(super) feed: Option<Arc<Feed>>,
}

/// What a server said, and when the last of it had come.
struct Answer {
    body: String,
    at: Instant,
}

impl Client {
    /// Carries out the plan once, with the heavy requests to `path`.
    pub(super) fn run(&self, plan: &Plan, path: &'static str) -> Result<(Run, Tape), Fault> {
        let patience =
            PATIENCE + Duration::from_secs_f64(plan.heavy_ms * plan.heavy as f64 / 250.0);
        // The first request of a program pays for what the later ones find ready.
        get(self.address, PING, patience)?;
        get(self.address, STUCK, patience)?;

        let start = Instant::now() + HEAD_START;
        if let Some(feed) = &self.feed {
            feed.begins(path == BAD, plan, start, self.watcher.stalls());
        }
        let send = |lane, path, at: f64| {
            let when = start + Duration::from_secs_f64(at / 1000.0);
            self.send(lane, path, when, patience)
        };
        let heavy: Vec<_> = (1..=plan.heavy)
            .map(|number| send(Lane::Heavy(number), path, plan.heavy_at))
            .collect::<Result<_, _>>()?;
        let light: Vec<_> = (1..=plan.light)
            .map(|number| send(Lane::Light(number), PING, plan.light_at(number)))
            .collect::<Result<_, _>>()?;
        let light = light.into_iter().map(join).collect::<Result<Vec<_>, _>>()?;
        let heavy = heavy.into_iter().map(join).collect::<Result<Vec<_>, _>>()?;
        let mut tape = Tape::cut(&self.watcher, start, path);
        let stuck: f64 = get(self.address, STUCK, patience)?.value("stuck")?;

        let since = SinceStart {
            start,
            offset: (start - self.origin).as_secs_f64() * 1000.0,
        };
        let light = light.iter().enumerate();
        let light = light.map(|(index, answer)| since.light(plan.light_at(index + 1), answer));
        let heavy = heavy
            .iter()
            .map(|answer| since.heavy(plan.heavy_at, answer));
        let mut heavy = heavy.collect::<Result<Vec<_>, _>>()?;
        heavy.sort_by(|one, other| one.answered.total_cmp(&other.answered));
        let run = Run {
            light: light.collect::<Result<_, _>>()?,
            heavy,
            stuck: stuck / 1000.0,
        };
        tape.add_sent(&run, plan, PING);
        if let Some(feed) = &self.feed {
            feed.measured(&run, tape.culprit());
        }
        Ok((run, tape))
    }

    /// Blocks the loop once, for less long, until the watchdog has said by whom. It reads the
    /// program's debug information then, which takes up to a second: in the first run, the loop
    /// would be free again before there is a name.
    pub(super) fn rehearse(&self) -> Result<(), Fault> {
        let start = Instant::now();
        heavy::instead(Heavy::Sleep { ms: REHEARSAL_MS }, || {
            get(self.address, BAD, PATIENCE)
        })?;
        Tape::cut(&self.watcher, start, BAD);
        Ok(())
    }

    /// Has a thread send one request when it is due, and wait for the answer.
    fn send(
        &self,
        lane: Lane,
        path: &'static str,
        when: Instant,
        patience: Duration,
    ) -> io::Result<JoinHandle<Result<Answer, Fault>>> {
        let address = self.address;
        let feed = self.feed.clone();
        thread::Builder::new().stack_size(STACK).spawn(move || {
            thread::sleep(when.saturating_duration_since(Instant::now()));
            if let Some(feed) = &feed {
                feed.sent(lane);
            }
            let answer = get(address, path, patience);
            let answer = answer.map_err(|fault| format!("{lane}: {fault}"))?;
            if let Some(feed) = &feed {
                feed.answered(lane, answer.at);
            }
            Ok(answer)
        })
    }
}

/// One request on a connection of its own.
fn get(address: SocketAddr, path: &str, patience: Duration) -> Result<Answer, Fault> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let head = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .map_err(|error| format!("no answer to GET {path} in {patience:?}: {error}"))?;
    let at = Instant::now();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| format!("the answer to GET {path} was cut off"))?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("GET {path} was answered with `{status}`").into());
    }
    Ok(Answer {
        body: body.to_owned(),
        at,
    })
}

impl Answer {
    /// The value on the line that begins with `name`.
    fn value<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        let mut lines = self.body.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find(|(key, _)| *key == name);
        value
            .and_then(|(_, value)| value.parse().ok())
            .ok_or_else(|| format!("the answer {:?} has no good `{name}`", self.body).into())
    }
}

/// Turns points in time into milliseconds since the run's start.
struct SinceStart {
    start: Instant,
    /// From the server's origin to the start.
    offset: f64,
}

impl SinceStart {
    fn light(&self, scheduled: f64, answer: &Answer) -> Result<LightFact, Fault> {
        Ok(LightFact {
            scheduled,
            handled: self.told(answer, "handled")?,
            answered: self.answered(answer),
        })
    }

    fn heavy(&self, start: f64, answer: &Answer) -> Result<HeavyFact, Fault> {
        Ok(HeavyFact {
            start,
            began: self.told(answer, "began")?,
            ended: self.told(answer, "ended")?,
            answered: self.answered(answer),
            on_loop: answer.value("on_loop")?,
            thread: answer.value("thread")?,
            digest: answer.value("digest")?,
        })
    }

    fn told(&self, answer: &Answer, name: &str) -> Result<f64, Fault> {
        Ok(answer.value::<f64>(name)? / 1000.0 - self.offset)
    }

    fn answered(&self, answer: &Answer) -> f64 {
        (answer.at - self.start).as_secs_f64() * 1000.0
    }
}

fn join(thread: JoinHandle<Result<Answer, Fault>>) -> Result<Answer, Fault> {
    thread.join().map_err(|_| "a client thread panicked")?
}
