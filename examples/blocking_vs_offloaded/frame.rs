//! A snapshot of the demo as JSON, for the page. Times are milliseconds since the run's start.

use std::net::SocketAddr;
use std::time::Instant;

use super::facts::{How, Plan};
use super::feed::{Panel, Seen, Snapshot, Span, Step};
use super::json::{braced, culprit, number, string};

/// What the page is told besides, and what never changes.
pub(super) struct About {
    pub(super) plan: Plan,
    /// The server under test.
    pub(super) server: SocketAddr,
    /// Where the dial of its loop is.
    pub(super) dial: String,
}

/// One object on one line.
pub(super) fn object(now: &Snapshot, about: &About) -> String {
    let null = || "null".to_owned();
    let running = match now.step {
        Step::A => now.a.as_ref(),
        Step::B => now.b.as_ref(),
        _ => None,
    };
    let clock = running.map(|panel| number(panel.since_start(Instant::now())));
    let panel = |panel: &Option<Panel>| panel.as_ref().map_or_else(null, self::panel);
    let outcome = now.outcome.as_ref();
    let outcome = outcome.filter(|_| matches!(now.step, Step::Over | Step::Ended));
    let sentences = outcome.map(|outcome| list(&outcome.sentences, |sentence| string(sentence)));
    braced(&[
        ("revision", now.revision.to_string()),
        ("step", string(step(now.step))),
        ("run", now.runs.to_string()),
        ("now", clock.unwrap_or_else(null)),
        ("plan", plan(&about.plan)),
        ("server", string(&format!("http://{}", about.server))),
        ("dial", string(&about.dial)),
        ("a", panel(&now.a)),
        ("b", panel(&now.b)),
        (
            "facts",
            outcome.map_or_else(null, |outcome| outcome.json.trim_end().to_owned()),
        ),
        ("verdict", sentences.unwrap_or_else(null)),
    ])
}

fn step(step: Step) -> &'static str {
    match step {
        Step::Waits => "waits",
        Step::Asked => "asked",
        Step::A => "a",
        Step::B => "b",
        Step::Over => "over",
        Step::Ended => "ended",
    }
}

fn plan(plan: &Plan) -> String {
    braced(&[
        ("how", string(How::name(plan.how))),
        ("light", plan.light.to_string()),
        ("every", number(plan.light_every)),
        ("heavy", plan.heavy.to_string()),
        ("heavy_at", number(plan.heavy_at)),
        ("heavy_ms", number(plan.heavy_ms)),
    ])
}

fn panel(panel: &Panel) -> String {
    braced(&[
        ("heavy", list(&panel.heavy, seen)),
        ("light", list(&panel.light, seen)),
        ("held", list(&panel.held, span)),
        ("jobs", list(&panel.jobs, span)),
        (
            "culprit",
            panel
                .culprit
                .as_ref()
                .map_or_else(|| "null".to_owned(), culprit),
        ),
        ("stuck", maybe(panel.stuck)),
    ])
}

/// `[sent, began, ended, answered, thread]`, with null for what is not known yet.
fn seen(seen: &Seen) -> String {
    let (began, ended) = seen.work.unzip();
    format!(
        "[{},{},{},{},{}]",
        maybe(seen.sent),
        maybe(began),
        maybe(ended),
        maybe(seen.answered),
        string(&seen.thread)
    )
}

/// `[worker, from, until, lasts]`
fn span(span: &Span) -> String {
    let (from, until) = (number(span.from), number(span.until));
    format!("[{},{from},{until},{}]", span.worker, span.lasts)
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(text).collect();
    format!("[{}]", items.join(","))
}

fn maybe(ms: Option<f64>) -> String {
    ms.map_or_else(|| "null".to_owned(), number)
}
