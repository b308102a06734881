//! A recording as a sequence diagram in Mermaid's language, which GitHub draws.
//!
//! Participants have ids of their own, so no name can break a line; in names and labels every sign
//! that means something to Mermaid is an entity. A text of more than 50,000 characters is refused
//! there, so a diagram has few messages.

use std::fmt::Write;
use std::time::Duration;

use super::lives::{Lives, culprit};
use super::plain::{is_steering, short_function};
use super::story::{Actor, Arrow, Step, Timed, Wish, story};
use crate::watch::Recording;

/// Characters of a label.
const LABEL_MAX: usize = 60;
/// Messages, whatever is asked for: Mermaid refuses what is longer.
const MESSAGES_MAX: usize = 200;
/// Lines of a diagram, with its notes.
const STEPS_MAX: usize = 500;
/// Bytes of them: an entity is up to nine for one sign of a label.
const BYTES_MAX: usize = 48_000;

/// What a diagram shows.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tourbillon::export::MermaidOptions;
/// use tourbillon::watch::Recording;
///
/// let options = MermaidOptions {
///     last: Some(Duration::from_secs(10)),
///     ..MermaidOptions::default()
/// };
/// let text = Recording::new().mermaid(&options);
/// assert!(text.starts_with("sequenceDiagram\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MermaidOptions {
    /// Only this request, and those that came meanwhile. Default: those that held the loop or
    /// handed work to the pool, the longest first.
    pub request: Option<u32>,
    /// Only the end of the recording. Default: all of it.
    pub last: Option<Duration>,
    /// Participants have Korean names. Default: English.
    pub korean: bool,
    /// Messages at most, 200 being the most there can be. Default: 40.
    pub messages_max: usize,
}

impl Default for MermaidOptions {
    fn default() -> Self {
        MermaidOptions {
            request: None,
            last: None,
            korean: false,
            messages_max: 40,
        }
    }
}

impl Recording {
    /// The recording as a Mermaid sequence diagram: what held the loop, what was handed to the
    /// pool, and who had to wait.
    ///
    /// An event of kind `Mark`, named `client sent` and with the number of a request as its value,
    /// says when the client sent that; with it the diagram tells how long it waited.
    ///
    /// # Examples
    ///
    /// ```
    /// use tourbillon::export::MermaidOptions;
    /// use tourbillon::watch::{Event, EventKind, NameId, Recording};
    ///
    /// let mut recording = Recording::new();
    /// recording.names.push("GET /ping".to_owned());
    /// let begin = EventKind::RequestBegin { request: 1, name: NameId(1), connection: 1 };
    /// let end = EventKind::RequestEnd { request: 1, status: 200, bytes: 4 };
    /// recording.events.push(Event { at: 0, task: 2, kind: begin });
    /// recording.events.push(Event { at: 400_000, task: 2, kind: end });
    ///
    /// let text = recording.mermaid(&MermaidOptions::default());
    /// assert!(text.contains("C->>EL: request 1 GET /ping"));
    /// assert!(text.contains("EL-->>C: response 1 (200) after 0.4 ms"));
    /// ```
    pub fn mermaid(&self, options: &MermaidOptions) -> String {
        if let Some(last) = options.last {
            let mut end = self.clone();
            end.keep_last(last);
            return end.diagram(options);
        }
        self.diagram(options)
    }

    fn diagram(&self, options: &MermaidOptions) -> String {
        let lives = Lives::of(self);
        let wish = Wish {
            request: options.request,
            arrows_max: options.messages_max.clamp(2, MESSAGES_MAX),
        };
        let steps = story(&lives, &wish);
        let steps = cut(steps, wish.arrows_max);
        let mut text = "sequenceDiagram\n    autonumber\n".to_owned();
        for actor in participants(&steps) {
            let name = match actor {
                Actor::Heavy => heavy(&lives, &steps, options.korean),
                actor => title(actor, options.korean).to_owned(),
            };
            let _ = writeln!(text, "    participant {} as {}", id(actor), escaped(&name));
        }
        let mut is_stuck = false;
        for timed in &steps {
            is_stuck = write_step(&mut text, &timed.step, is_stuck);
        }
        if is_stuck {
            text.push_str("    end\n");
        }
        text
    }
}

/// Nothing after the last message that there is room for, but a note that there was more.
fn cut(mut steps: Vec<Timed>, arrows_max: usize) -> Vec<Timed> {
    let (mut arrows, mut length) = (0, 0);
    let mut text = String::new();
    for timed in &steps {
        arrows += usize::from(matches!(timed.step, Step::Arrow(..)));
        write_step(&mut text, &timed.step, false);
        if arrows > arrows_max || length >= STEPS_MAX || text.len() > BYTES_MAX {
            break;
        }
        length += 1;
    }
    if length < steps.len() {
        steps.truncate(length);
        let text = "and so on".to_owned();
        steps.push(Timed {
            at: u64::MAX,
            step: Step::Note(Actor::Loop, Actor::Loop, text),
        });
    }
    steps
}

/// The loop, and whoever has an arrow or a note, from left to right.
fn participants(steps: &[Timed]) -> Vec<Actor> {
    let mut all = vec![Actor::Loop];
    for timed in steps {
        match timed.step {
            Step::Arrow(one, _, other, _) | Step::Note(one, other, _) => all.extend([one, other]),
            Step::Stuck | Step::Free => {}
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn id(actor: Actor) -> &'static str {
    match actor {
        Actor::Client => "C",
        Actor::Loop => "EL",
        Actor::Route => "AR",
        Actor::Pool => "TP",
        Actor::Heavy => "H",
    }
}

fn title(actor: Actor, korean: bool) -> &'static str {
    match (actor, korean) {
        (Actor::Client, false) => "Client",
        (Actor::Loop, false) => "Event Loop",
        (Actor::Route, false) => "Async Route",
        (Actor::Pool, false) => "Thread Pool",
        (Actor::Heavy, false) => "heavy work",
        (Actor::Client, true) => "클라이언트",
        (Actor::Loop, true) => "이벤트 루프",
        (Actor::Route, true) => "비동기 라우트",
        (Actor::Pool, true) => "스레드 풀",
        (Actor::Heavy, true) => "무거운 작업",
    }
}

/// The name of the heavy function, if there is but one.
fn heavy(lives: &Lives<'_>, steps: &[Timed], korean: bool) -> String {
    let shows = |wanted: Actor| {
        steps.iter().any(
            |timed| matches!(timed.step, Step::Arrow(from, _, Actor::Heavy, _) if from == wanted),
        )
    };
    let mut names: Vec<String> = Vec::new();
    if shows(Actor::Route) {
        let stalls = lives.recording.stalls.iter();
        names.extend(stalls.map(|stall| short_function(culprit(stall))));
    }
    if shows(Actor::Pool) {
        names.extend(lives.jobs.values().map(|job| short_function(job.name)));
    }
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [name] if !name.is_empty() => name.clone(),
        _ => title(Actor::Heavy, korean).to_owned(),
    }
}

/// Writes a line; says whether the loop is stuck after it.
fn write_step(text: &mut String, step: &Step, is_stuck: bool) -> bool {
    match step {
        Step::Arrow(from, how, to, label) => {
            let arrow = match how {
                Arrow::Call => "->>",
                Arrow::Reply => "-->>",
                Arrow::Hand => "-)",
                Arrow::News => "--)",
            };
            let (from, to, label) = (id(*from), id(*to), escaped(label));
            let _ = writeln!(text, "    {from}{arrow}{to}: {label}");
        }
        Step::Note(from, to, label) => {
            let (from, to, label) = (id(*from), id(*to), escaped(label));
            let over = match from == to {
                true => from.to_owned(),
                false => format!("{from},{to}"),
            };
            let _ = writeln!(text, "    Note over {over}: {label}");
        }
        Step::Stuck if !is_stuck => {
            text.push_str("    rect rgb(255, 232, 226)\n");
            return true;
        }
        Step::Free if is_stuck => {
            text.push_str("    end\n");
            return false;
        }
        Step::Stuck | Step::Free => {}
    }
    is_stuck
}

/// A label that is text and nothing else: letters, digits and a few signs as they are, the rest as
/// entities, and no word that Mermaid would take for its own.
fn escaped(label: &str) -> String {
    let mut short: Vec<char> = label.chars().take(LABEL_MAX + 1).collect();
    if short.len() > LABEL_MAX {
        short.truncate(LABEL_MAX - 1);
        short.push('…');
    }
    let mut text = String::new();
    for (at, &c) in short.iter().enumerate() {
        match c {
            _ if is_steering(c) => text.push('\u{fffd}'),
            // `end` ends a block, wherever it stands as a word.
            'n' | 'N' if is_end(&short, at) => {
                let _ = write!(text, "#{};", u32::from(c));
            }
            ' ' | '/' | '.' | ',' | '_' | '-' | '(' | ')' | '…' | '\u{fffd}' => text.push(c),
            c if c.is_alphanumeric() => text.push(c),
            c => {
                let _ = write!(text, "#{};", u32::from(c));
            }
        }
    }
    if text.trim().is_empty() {
        text.push('-');
    }
    text
}

/// Whether the letter here is the middle one of the word `end`.
fn is_end(label: &[char], at: usize) -> bool {
    let is = |place: Option<usize>, letter: char| {
        let c = place.and_then(|place| label.get(place));
        c.is_some_and(|c| c.eq_ignore_ascii_case(&letter))
    };
    let is_part = |place: Option<usize>| {
        let c = place.and_then(|place| label.get(place));
        c.is_some_and(|c| c.is_alphanumeric() || *c == '_')
    };
    is(at.checked_sub(1), 'e')
        && is(Some(at + 1), 'd')
        && !is_part(at.checked_sub(2))
        && !is_part(Some(at + 2))
}
