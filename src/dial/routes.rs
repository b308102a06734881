//! What the page and other programs may ask for.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::frame::{Setting, frame};
use super::guard::guarded;
use super::history::History;
use crate::export::MermaidOptions;
use crate::runtime::{Watcher, sleep, spawn_blocking};
use crate::server::{IntoResponse, Request, Response, Status};
use crate::watch::Recording;
use crate::web::{Event, Events, Html, HttpError, Router, Sse};

const PAGE: &str = include_str!("page.html");

/// Ten frames a second.
const FRAME_EVERY: Duration = Duration::from_millis(100);

/// Pages that may look at once.
const VIEWERS_MAX: usize = 4;

/// What all requests share.
pub(super) struct Show {
    watcher: Watcher,
    setting: Setting,
    history: RefCell<History>,
    frames: Cell<u64>,
    /// The last frame and when it was made: those who ask at once get the same.
    last: RefCell<Option<(Instant, Rc<str>)>>,
    viewers: Cell<usize>,
    /// The recording as it was when somebody said so.
    frozen: RefCell<Option<Recording>>,
}

impl Show {
    pub(super) fn new(watcher: Watcher, setting: Setting) -> Self {
        Show {
            watcher,
            setting,
            history: RefCell::default(),
            frames: Cell::new(0),
            last: RefCell::default(),
            viewers: Cell::new(0),
            frozen: RefCell::default(),
        }
    }

    fn frame(&self) -> Rc<str> {
        let mut last = self.last.borrow_mut();
        if let Some((made, frame)) = &*last
            && made.elapsed() < FRAME_EVERY / 2
        {
            return Rc::clone(frame);
        }
        let number = self.frames.get() + 1;
        self.frames.set(number);
        let mut history = self.history.borrow_mut();
        let text: Rc<str> = frame(number, &self.setting, &self.watcher, &mut history).into();
        *last = Some((Instant::now(), Rc::clone(&text)));
        text
    }

    /// Makes something of a recording, on a thread of the pool: it may be long.
    async fn export(
        &self,
        request: &Request,
        make: impl FnOnce(&Recording) -> String + Send + 'static,
    ) -> Result<String, HttpError> {
        let last = request.query_value("last").map(span).transpose()?;
        let frozen = self.frozen.borrow().clone();
        let watcher = self.watcher.clone();
        let job = spawn_blocking(move || {
            let mut recording = frozen.unwrap_or_else(|| watcher.recording());
            if let Some(last) = last {
                recording.keep_last(last);
            }
            make(&recording)
        });
        job.await
            .map_err(|_| HttpError::new(Status::INTERNAL_SERVER_ERROR))
    }
}

/// All routes, guarded.
pub(super) fn routes(show: Rc<Show>, address: &SocketAddr) -> Router {
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(|_| Rc::clone(&show));
    let router = Router::new()
        .get("/", async |_| Html(PAGE))
        .get("/healthz", async |_| "ok")
        .get("/events", async move |request: Request| {
            stream(&a, &request)
        })
        .get("/snapshot.json", async move |_| json(b.frame().to_string()))
        .get("/dump", async move |request: Request| dump(&c, &request))
        .get("/trace.json", async move |request: Request| {
            d.export(&request, Recording::chrome_json).await.map(json)
        })
        .get("/recording", async move |request: Request| {
            e.export(&request, Recording::save).await.map(json)
        })
        .get("/mermaid", async move |request: Request| {
            mermaid(&f, &request).await
        })
        .post("/gate", async move |request: Request| gate(&g, &request))
        .post("/freeze", async move |request: Request| {
            freeze(&h, &request)
        });
    guarded(router, address)
}

fn json(text: String) -> Response {
    Response::typed("application/json", text.into_bytes())
}

/// Frames, until the viewer leaves.
fn stream(show: &Rc<Show>, request: &Request) -> Result<Response, HttpError> {
    if show.viewers.get() >= VIEWERS_MAX {
        let error = HttpError::new(Status::SERVICE_UNAVAILABLE);
        return Err(error.detail("four pages look already: close one of them"));
    }
    let viewer = Viewer::new(show);
    let frames = async move |mut events: Events| -> io::Result<()> {
        let retry = Duration::from_secs(1);
        let mut first = true;
        loop {
            let frame = viewer.0.frame();
            let number = viewer.0.frames.get().to_string();
            let mut event = Event::data(&*frame).event("frame").id(&number);
            if std::mem::take(&mut first) {
                event = event.retry(retry);
            }
            events.send(event).await?;
            sleep(FRAME_EVERY).await;
        }
    };
    Ok(Sse::new(request, frames).into_response())
}

/// One that looks, counted while it does.
struct Viewer(Rc<Show>);

impl Viewer {
    fn new(show: &Rc<Show>) -> Self {
        show.viewers.set(show.viewers.get() + 1);
        Viewer(Rc::clone(show))
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.set(self.0.viewers.get() - 1);
    }
}

fn dump(show: &Show, request: &Request) -> Response {
    let dump = show.watcher.dump();
    if request.query().is_some_and(|query| query == "json") {
        return json(dump.json());
    }
    Response::text(format!("{dump}\n"))
}

async fn mermaid(show: &Show, request: &Request) -> Result<Response, HttpError> {
    let mut options = MermaidOptions::default();
    if let Some(number) = request.query_value("request") {
        let number = number
            .parse()
            .map_err(|_| refused("request must be a number"))?;
        options.request = Some(number);
    }
    options.korean = request.query_value("lang") == Some("ko");
    let text = show
        .export(request, move |recording| recording.mermaid(&options))
        .await?;
    Ok(Response::text(text))
}

fn gate(show: &Show, request: &Request) -> Result<Response, HttpError> {
    if !show.setting.allows_gate {
        let error = HttpError::new(Status::FORBIDDEN);
        return Err(error.detail("this dial may not hold the loop: see Dial::allow_gate"));
    }
    let watcher = &show.watcher;
    match request.query_value("do") {
        Some("pause") => watcher.pause(),
        Some("step") => watcher.step(),
        Some("go") => watcher.go(),
        Some("slow") => {
            let delay = request.query_value("ms").and_then(|ms| ms.parse().ok());
            let delay = delay.ok_or_else(|| refused("slow needs ms, a number"))?;
            watcher.slow(Duration::from_millis(delay));
        }
        _ => return Err(refused("do must be pause, step, go or slow")),
    }
    Ok(Response::new(Status::NO_CONTENT))
}

/// Keeps the recording as it is for what is exported from now on, until it is let go.
fn freeze(show: &Show, request: &Request) -> Response {
    let lets_go = request.query_value("do") == Some("go");
    *show.frozen.borrow_mut() = (!lets_go).then(|| show.watcher.recording());
    Response::new(Status::NO_CONTENT)
}

fn refused(why: &'static str) -> HttpError {
    HttpError::new(Status::BAD_REQUEST).detail(why)
}

/// `10s` or `250ms`.
fn span(text: &str) -> Result<Duration, HttpError> {
    let fault = || refused("last must be a number of s or ms, such as 10s");
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('s').ok_or_else(fault)?, 1000),
    };
    let number: u64 = digits.parse().map_err(|_| fault())?;
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}
