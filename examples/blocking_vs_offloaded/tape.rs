//! What the runtime's recorder and watchdog noted down of the runs.
//!
//! When a client sent a request, the loop cannot know. The client does, and its word is added to
//! the recording afterwards, as marks: so the diagrams can tell how long each one waited.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tourbillon::Watcher;
use tourbillon::export::MermaidOptions;
use tourbillon::watch::{Event, EventKind, Frame, NameId, Recording, Stall};

use super::facts::{Culprit, Plan, Run};
use super::server::YOURS;

/// The name that diagrams know these marks by.
const SENT: &str = "client sent";

/// For the watchdog to find the names of the functions it has met: the first time takes long.
const PATIENCE: Duration = Duration::from_secs(5);

/// One run, as recorded.
pub(super) struct Tape {
    /// All until the end of the run, also what was before it.
    recording: Recording,
    /// When the run began, in ns since the recording did.
    began: u64,
    path: &'static str,
    marks: Vec<Mark>,
}

/// When a request was sent, and which it was.
#[derive(Clone, Copy)]
struct Mark {
    at: u64,
    request: u32,
}

impl Tape {
    /// Takes what was recorded since `start`. Waits for the report of a stall if there was one.
    pub(super) fn cut(watcher: &Watcher, start: Instant, path: &'static str) -> Self {
        let patience = Instant::now() + PATIENCE;
        let recording = loop {
            let recording = watcher.recording();
            // All but the last few are forgotten one day, so they are not counted.
            let last = recording.stalls.last();
            let is_told = last.map_or(0, |stall| stall.id.into()) >= watcher.stalls()
                && last.is_none_or(|stall| stall.took.is_some());
            if is_told || Instant::now() > patience {
                break recording;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let began = recording.until.saturating_sub(nanos(start.elapsed()));
        Tape {
            recording,
            began,
            path,
            marks: Vec::new(),
        }
    }

    /// Adds when the requests of the run were sent.
    pub(super) fn add_sent(&mut self, run: &Run, plan: &Plan, light_path: &str) {
        // The n-th that the loop came to was begun as the n-th: that says which is which.
        let mut light: Vec<_> = run.light.iter().collect();
        light.sort_by(|one, other| one.handled.total_cmp(&other.handled));
        let light: Vec<f64> = light.iter().map(|light| light.scheduled).collect();
        let heavy = vec![plan.heavy_at; plan.heavy];
        for (path, sent) in [(light_path, light), (self.path, heavy)] {
            let requests = self.requests(path);
            self.marks
                .extend(requests.zip(sent).map(|(request, ms)| Mark {
                    at: self.began + (ms * 1e6) as u64,
                    request,
                }));
        }
        self.note(&self.marks.clone());
    }

    /// Adds what is known of an earlier run of the same server.
    pub(super) fn add_marks_of(&mut self, other: &Tape) {
        self.note(&other.marks);
    }

    fn note(&mut self, marks: &[Mark]) {
        let recording = &mut self.recording;
        let name = NameId(recording.names.len() as u32);
        recording.names.push(SENT.to_owned());
        recording.events.extend(marks.iter().map(|mark| Event {
            at: mark.at,
            task: 0,
            kind: EventKind::Mark {
                name,
                value: mark.request.into(),
            },
        }));
        recording.events.sort_by_key(|event| event.at);
    }

    /// The numbers of this run's requests for a path, in the order they were begun.
    fn requests(&self, path: &str) -> std::vec::IntoIter<u32> {
        let all = requests(&self.recording, path).filter(|event| event.at >= self.began);
        let numbers = all.filter_map(|event| match event.kind {
            EventKind::RequestBegin { request, .. } => Some(request),
            _ => None,
        });
        numbers.collect::<Vec<u32>>().into_iter()
    }

    /// The run as a sequence diagram, without the visitor of the page: of its heavy request, if it
    /// had one.
    pub(super) fn diagram(&self, plan: &Plan) -> String {
        let mut run = self.since(self.began);
        let visitor: HashSet<u32> = requests(&run, YOURS).map(|event| event.task).collect();
        run.events.retain(|event| !visitor.contains(&event.task));
        let only = self.requests(self.path).next().filter(|_| plan.heavy == 1);
        run.mermaid(&MermaidOptions {
            request: only,
            ..MermaidOptions::default()
        })
    }

    /// All since the other run began, as trace viewers open it.
    pub(super) fn trace_since(&self, other: &Tape) -> String {
        self.since(other.began).chrome_json()
    }

    /// What was recorded since then, without the tasks that are of earlier runs only.
    fn since(&self, began: u64) -> Recording {
        let mut recording = self.recording.clone();
        let span = recording.end().saturating_sub(began);
        recording.keep_last(Duration::from_nanos(span));
        let events = recording.events.iter();
        let tasks: HashSet<u32> = events
            .filter(|event| event.until() >= began)
            .map(|event| event.task)
            .collect();
        recording.events.retain(|event| tasks.contains(&event.task));
        recording
    }

    /// Who held the loop the longest, as the watchdog saw it.
    pub(super) fn culprit(&self) -> Option<Culprit> {
        let stalls = self.recording.stalls.iter();
        let stalls = stalls.filter(|stall| stall.at >= self.began);
        culprit(stalls.max_by_key(|stall| stall.took)?)
    }
}

/// Where requests for a path begin.
fn requests<'r>(recording: &'r Recording, path: &str) -> impl Iterator<Item = &'r Event> {
    let title = format!("GET {path}");
    let is_it = move |event: &&Event| match event.kind {
        EventKind::RequestBegin { name, .. } => recording.name(name) == title,
        _ => false,
    };
    recording.events.iter().filter(is_it)
}

/// Who it was that held the loop.
pub(super) fn culprit(stall: &Stall) -> Option<Culprit> {
    let frame: &Frame = stall.culprit()?;
    let path = frame.function.trim_end_matches("::{closure}");
    Some(Culprit {
        function: path.rsplit("::").next().unwrap_or(path).to_owned(),
        place: frame.place(),
        task: stall.label.clone(),
        verdict: stall.verdict.text(),
        kind: stall.verdict.name(),
        stuck_ms: took(stall),
    })
}

fn took(stall: &Stall) -> f64 {
    stall.took.unwrap_or_default() as f64 / 1e6
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
