//! What stands in for the dial: the page, a stream that repeats one frame, and an ear for POSTs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tourbillon::server::{IntoResponse, Request, Response, Status};
use tourbillon::sleep;
use tourbillon::web::{Event, Router, Sse};

use crate::server_support::{Served, serve};

pub(super) const PAGE: &str = include_str!("../../../src/dial/page.html");

const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; \
                      style-src 'unsafe-inline'; connect-src 'self'; img-src data:";

pub(super) struct Mock {
    served: Served,
    state: Arc<Mutex<State>>,
}

struct State {
    began: Instant,
    /// `None` is silence.
    frame: Option<Value>,
    sent: u64,
    streams: i64,
    /// Streams are answered 503.
    refuses: bool,
    posts: Vec<String>,
    recording: String,
}

type Shared = Arc<Mutex<State>>;

impl Mock {
    pub(super) fn new(frame: Value) -> Self {
        let state = State {
            began: Instant::now(),
            frame: Some(frame),
            sent: 0,
            streams: 0,
            refuses: false,
            posts: Vec::new(),
            recording: String::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let served = serve(move || router(&shared));
        Mock { served, state }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.served.address)
    }

    pub(super) fn show(&self, frame: Value) {
        self.state.lock().unwrap().frame = Some(frame);
    }

    pub(super) fn fall_silent(&self) {
        self.state.lock().unwrap().frame = None;
    }

    pub(super) fn refuse(&self, refuses: bool) {
        self.state.lock().unwrap().refuses = refuses;
    }

    pub(super) fn keep(&self, recording: &str) {
        self.state.lock().unwrap().recording = recording.to_owned();
    }

    /// The streams that are open.
    pub(super) fn streams(&self) -> i64 {
        self.state.lock().unwrap().streams
    }

    /// The POSTs so far, as path and query, with `!` before those without the header.
    pub(super) fn posts(&self) -> Vec<String> {
        self.state.lock().unwrap().posts.clone()
    }
}

fn router(shared: &Shared) -> Router {
    let (frames, recordings) = (shared.clone(), shared.clone());
    let (gate, freeze) = (shared.clone(), shared.clone());
    Router::new()
        .get("/", async |_| page())
        .get("/events", async move |request: Request| {
            let frames = frames.clone();
            if frames.lock().unwrap().refuses {
                return Status::SERVICE_UNAVAILABLE.into_response();
            }
            let stream = Sse::new(&request, async move |mut events| {
                let _open = Open::new(&frames);
                loop {
                    if let Some(frame) = next(&frames) {
                        events.send(Event::data(frame).event("frame")).await?;
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            });
            stream.into_response()
        })
        .get(
            "/mermaid",
            async |_| "sequenceDiagram\n  C->>EL: request 1\n",
        )
        .get("/dump", async |request: Request| {
            format!("dump of {}\n", request.query().unwrap_or("all"))
        })
        .get("/trace.json", async |_| "{\"traceEvents\":[]}")
        .get("/recording", async move |_| {
            let text = recordings.lock().unwrap().recording.clone();
            Response::typed("application/json", text.into_bytes())
        })
        .post("/gate", async move |request| note(&gate, "gate", &request))
        .post("/freeze", async move |request| {
            note(&freeze, "freeze", &request)
        })
}

fn note(state: &Shared, path: &str, request: &Request) -> Status {
    let mark = request.headers().get("x-tourbillon").is_none();
    let query = request
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let post = format!("{}{path}{query}", if mark { "!" } else { "" });
    state.lock().unwrap().posts.push(post);
    Status::NO_CONTENT
}

fn page() -> Response {
    let page = Response::typed("text/html; charset=utf-8", PAGE.as_bytes());
    page.with_header("content-security-policy", POLICY).unwrap()
}

/// The frame with its number, and its times moved on by what has passed.
fn next(state: &Shared) -> Option<String> {
    let mut state = state.lock().unwrap();
    state.sent += 1;
    let (sent, passed) = (state.sent, state.began.elapsed().as_secs_f64());
    let mut frame = state.frame.clone()?;
    frame["n"] = json!(sent);
    frame["up"] = json!(frame["up"].as_f64().unwrap() + passed);
    Some(frame.to_string())
}

/// Counts a stream for as long as it is open.
struct Open(Shared);

impl Open {
    fn new(state: &Shared) -> Self {
        state.lock().unwrap().streams += 1;
        Open(Arc::clone(state))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().unwrap().streams -= 1;
    }
}
