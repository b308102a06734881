//! What the page and other programs may ask for.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::frame::{Setting, frame};
use super::guard::{guarded, is_meant};
use super::history::History;
use super::hold::Hold;
use crate::export::MermaidOptions;
use crate::runtime::{Dump, Watcher, sleep, span, spawn_blocking};
use crate::server::{IntoResponse, Request, Response, Status};
use crate::watch::Recording;
use crate::web::{Event, Events, Html, HttpError, Router, Sse};

const PAGE: &str = include_str!("page.html");

/// Ten frames a second.
const FRAME_EVERY: Duration = Duration::from_millis(100);

/// Pages that may look at once.
const VIEWERS_MAX: usize = 4;

/// Exports that may be asked for at once: each is some 20 MB until it has been sent.
const EXPORTS_MAX: usize = 4;

/// What all requests share.
pub(super) struct Show {
    watcher: Watcher,
    setting: Setting,
    history: RefCell<History>,
    frames: Cell<u64>,
    /// The last frame and when it was made: those who ask at once get the same.
    last: RefCell<Option<(Instant, Rc<str>)>>,
    hold: Rc<Hold>,
    exports: Cell<usize>,
}

impl Show {
    pub(super) fn new(watcher: Watcher, setting: Setting) -> Self {
        Show {
            hold: Hold::new(watcher.clone()),
            watcher,
            setting,
            history: RefCell::default(),
            frames: Cell::new(0),
            last: RefCell::default(),
            exports: Cell::new(0),
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

    /// Makes something of the recording, or of the frozen one if that is asked for.
    async fn export(
        &self,
        request: &Request,
        make: impl FnOnce(&Recording) -> String + Send + 'static,
    ) -> Result<String, HttpError> {
        let last = request.query_value("last").map(|text| {
            span(text).ok_or_else(|| refused("last must be a number of s or ms, such as 10s"))
        });
        let last = last.transpose()?;
        let frozen = match request.query_value("frozen") {
            None => None,
            Some(_) => Some(self.hold.frozen().ok_or_else(|| {
                let error = HttpError::new(Status::GONE);
                error.detail("nothing is frozen any more: leave out frozen, or freeze again")
            })?),
        };
        let watcher = self.watcher.clone();
        self.make(move || match (frozen, last) {
            (Some(frozen), None) => make(&frozen),
            (frozen, last) => {
                let frozen = frozen.map(|frozen| Recording::clone(&frozen));
                let mut recording = frozen.unwrap_or_else(|| watcher.recording());
                if let Some(last) = last {
                    recording.keep_last(last);
                }
                make(&recording)
            }
        })
        .await
    }

    /// Makes something on a thread of the pool, as it may be long: frames go on meanwhile.
    async fn make<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HttpError> {
        if self.exports.get() >= EXPORTS_MAX {
            let error = HttpError::new(Status::SERVICE_UNAVAILABLE);
            return Err(error.detail("four exports are under way: ask again later"));
        }
        let _counted = Counted::new(&self.exports);
        let made = spawn_blocking(make).await;
        made.map_err(|_| HttpError::new(Status::INTERNAL_SERVER_ERROR))
    }
}

/// One more, for as long as it lives.
struct Counted<'c>(&'c Cell<usize>);

impl<'c> Counted<'c> {
    fn new(count: &'c Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
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
        .get("/dump", async move |request: Request| {
            dump(&c, &request).await
        })
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
            freeze(&h, &request).await
        });
    guarded(router, address)
}

fn json(text: String) -> Response {
    Response::typed("application/json", text.into_bytes())
}

/// Frames, until the viewer leaves.
fn stream(show: &Rc<Show>, request: &Request) -> Result<Response, HttpError> {
    if show.hold.viewers() >= VIEWERS_MAX {
        let error = HttpError::new(Status::SERVICE_UNAVAILABLE);
        return Err(error.detail("four pages look already: close one of them"));
    }
    let (show, viewer) = (Rc::clone(show), show.hold.viewer());
    let frames = async move |mut events: Events| -> io::Result<()> {
        let _looks = viewer;
        let retry = Duration::from_secs(1);
        let mut first = true;
        loop {
            let frame = show.frame();
            let number = show.frames.get().to_string();
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

/// How long the loop has to say where its tasks wait: one that is stuck does not.
const PATIENCE: Duration = Duration::from_secs(1);

/// All tasks, or the one of that number; with where they wait, if that is asked for; as a text, or
/// in JSON.
async fn dump(show: &Show, request: &Request) -> Result<Response, HttpError> {
    let task = request.query_value("task").map(|text| {
        let number = text.parse::<u32>();
        number.map_err(|_| refused("task must be a number"))
    });
    let task = task.transpose()?;
    let with_stacks = request.query_value("stacks").is_some();
    if with_stacks && !is_meant(request) {
        let error = HttpError::new(Status::FORBIDDEN);
        return Err(error.detail("stacks polls each task: it needs the header x-tourbillon: 1"));
    }
    let watcher = show.watcher.clone();
    let take = move || match with_stacks {
        true => watcher.dump_with_stacks(PATIENCE),
        false => watcher.dump(),
    };
    let dump: Dump = show.make(take).await?;
    if let Some(number) = task {
        return Ok(Response::text(one_of(&dump, number)?));
    }
    if request.query_value("json").is_some() {
        return Ok(json(dump.json()));
    }
    Ok(Response::text(format!("{dump}\n")))
}

fn one_of(dump: &Dump, number: u32) -> Result<String, HttpError> {
    let id = format!("#{number}");
    let task = dump.tasks.iter().find(|task| task.id == id);
    let task = task.ok_or_else(|| {
        let error = HttpError::new(Status::NOT_FOUND);
        error.detail("no such task lives")
    })?;
    let mut text = format!("{task}\n");
    for frame in task.stacks.iter().flatten() {
        let _ = writeln!(text, "  at {}  {}", frame.function, frame.place());
    }
    if let Some(missing) = &dump.missing {
        let _ = writeln!(text, "  {missing}");
    }
    Ok(text)
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
    let hold = &show.hold;
    match request.query_value("do") {
        Some("pause") => hold.pause(),
        Some("step") => hold.step(),
        Some("go") => hold.go(),
        Some("slow") => {
            let delay = request.query_value("ms").and_then(|ms| ms.parse().ok());
            let delay = delay.ok_or_else(|| refused("slow needs ms, a number"))?;
            hold.slow(Duration::from_millis(delay));
        }
        _ => return Err(refused("do must be pause, step, go or slow")),
    }
    Ok(Response::new(Status::NO_CONTENT))
}

/// Keeps the recording as it is for exports that ask for it, until it is let go.
async fn freeze(show: &Show, request: &Request) -> Result<Response, HttpError> {
    if request.query_value("do") == Some("go") {
        show.hold.thaw();
    } else {
        let watcher = show.watcher.clone();
        let recording = show.make(move || watcher.recording()).await?;
        show.hold.freeze(recording);
    }
    Ok(Response::new(Status::NO_CONTENT))
}

fn refused(why: &'static str) -> HttpError {
    HttpError::new(Status::BAD_REQUEST).detail(why)
}
