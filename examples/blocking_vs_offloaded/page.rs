//! The page of `--watch`: a second loop, on a thread of its own, so that it lives while the first
//! one is stuck. Its dial is a third.
//!
//! ```text
//!   the server's loop           the page's thread                  a browser
//!   Watcher::dump ── look ────▶ Feed ── frame.rs, 10 a second ───▶ page.html
//!   session.rs ◀── next ─────── Feed ◀── GET /events, POST /run ── opened, again
//!   Both of the last run ─────▶ files.rs ────────────────────────▶ trace.json, *.mmd
//!   GET /yours  ◀───────────────────────── every 100 ms, if asked ── try it yourself
//! ```

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tourbillon::dial::OpenDial;
use tourbillon::server::{AccessLog, Config, IntoResponse, Request, Response, Server};
use tourbillon::server::{ServerHandle, Status};
use tourbillon::web::middleware::{Middleware, Next, SecurityHeaders, trusted_hosts};
use tourbillon::web::{Event, Events, Html, HttpError, Router, Sse};
use tourbillon::{Runtime, Watcher, sleep, spawn_blocking, spawn_named};

use super::facts::Plan;
use super::feed::{Feed, Step};
use super::frame::{self, About};
use super::{Fault, files, server};

const PAGE: &str = include_str!("page.html");

/// Ten frames a second, if there is anything new in them.
const FRAME_EVERY: Duration = Duration::from_millis(100);

/// What a request that changes something must carry: no page from elsewhere can set it.
const HEADER: &str = "x-tourbillon";

/// The page, until this is dropped.
pub(super) struct Page {
    address: SocketAddr,
    feed: Arc<Feed>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
    /// What else one can look at.
    _dial: OpenDial,
}

/// What the page's loop knows.
struct Show {
    feed: Arc<Feed>,
    about: About,
}

impl Page {
    pub(super) fn open(
        feed: &Arc<Feed>,
        watcher: &Watcher,
        plan: Plan,
        server: SocketAddr,
    ) -> Result<Page, Fault> {
        let dial = server::dial(watcher.clone())?;
        let show = Show {
            feed: Arc::clone(feed),
            about: About {
                plan,
                server,
                dial: dial.url(),
            },
        };
        let watcher = watcher.clone();
        let (told, hears) = mpsc::channel();
        let thread = thread::Builder::new().name("page".into());
        let thread = thread.spawn(move || {
            if let Err(fault) = serve(show, watcher, &told) {
                let _ = told.send(Err(fault));
            }
        })?;
        let opened = hears.recv().map_err(|_| "the page's thread is gone")?;
        let (address, handle) =
            opened.map_err(|fault| format!("the page could not be opened: {fault}"))?;
        Ok(Page {
            address,
            feed: Arc::clone(feed),
            handle,
            thread: Some(thread),
            _dial: dial,
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Whoever looks is told so, and does not ask again.
        self.feed.ends();
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // A panic of its was written by the panic hook.
            let _ = thread.join();
        }
    }
}

type Opened = Result<(SocketAddr, ServerHandle), Fault>;

fn serve(show: Show, watcher: Watcher, told: &mpsc::Sender<Opened>) -> Result<(), Fault> {
    let config = Config {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        signals: false,
        access_log: AccessLog::off(),
        graceful_timeout: Duration::from_secs(1),
        ..Config::default()
    };
    let feed = Arc::clone(&show.feed);
    let app = routes(Rc::new(show))?;
    let builder = Runtime::builder().thread_name("page");
    let mut rt = builder.blocking_workers_max(1).build()?;
    rt.block_on(async move {
        spawn_named("look", look(feed, watcher)).detach();
        let mut server = Server::new(app, config);
        server.startup().await.map_err(|error| error.to_string())?;
        let address = server.local_addr().ok_or("it has no address")?;
        let _ = told.send(Ok((address, server.handle())));
        server.main_loop().await;
        server.shutdown().await.map_err(|error| error.to_string())?;
        Ok(())
    })
}

/// Looks at the server's loop from outside, while it runs and while it is stuck.
async fn look(feed: Arc<Feed>, watcher: Watcher) {
    loop {
        if feed.is_running() {
            feed.look(&watcher.dump());
        }
        sleep(FRAME_EVERY / 2).await;
    }
}

fn routes(show: Rc<Show>) -> Result<Router, Fault> {
    // Nothing is loaded but the page, which talks to where it came from and to the server.
    let policy = format!(
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
         connect-src 'self' http://{}; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        show.about.server
    );
    let careful = SecurityHeaders::new()
        .content_security_policy(&policy)?
        .referrer_policy("no-referrer")?;
    let [a, b, c] = std::array::from_fn(|_| Rc::clone(&show));
    let mut router = Router::new()
        .get("/", async |_| Html(PAGE))
        .get("/events", async move |request: Request| {
            events(&a, &request)
        })
        .get("/state.json", async move |_| json(b.frame()))
        .post("/run", async move |_| match c.feed.ask() {
            true => Ok(Response::new(Status::NO_CONTENT)),
            false => Err(conflict("the demo runs already, or has ended")),
        });
    for name in files::NAMES {
        let feed = Arc::clone(&show.feed);
        let path = format!("/{name}");
        router = router.get(&path, async move |_| file(&feed, name).await);
    }
    Ok(router
        .layer(meant())
        .layer(trusted_hosts(["localhost", "127.0.0.1"]))
        .layer(careful)
        .layer(fresh()))
}

/// The demo as it is, and then whenever it has changed.
fn events(show: &Rc<Show>, request: &Request) -> Response {
    show.feed.opened();
    let show = Rc::clone(show);
    let frames = async move |mut events: Events| -> io::Result<()> {
        let mut revision = None;
        loop {
            if let Some(now) = show.feed.news(revision) {
                revision = Some(now.revision);
                let frame = frame::object(&now, &show.about);
                let retry = Duration::from_secs(1);
                events.send(Event::data(frame).retry(retry)).await?;
                if now.step == Step::Ended {
                    return Ok(());
                }
            }
            sleep(FRAME_EVERY).await;
        }
    };
    // It ends by itself, when it has said so.
    Sse::new(request, frames)
        .ends_on_drain(false)
        .into_response()
}

/// What the last run left behind, made when somebody wants it.
async fn file(feed: &Feed, name: &'static str) -> Result<Response, HttpError> {
    let outcome = feed.snapshot().outcome;
    let both = outcome.map(|outcome| outcome.both).ok_or_else(|| {
        let error = HttpError::new(Status::NOT_FOUND);
        error.detail("there is none before the first run is over")
    })?;
    let text = spawn_blocking(move || files::text(name, &both)).await;
    let text = text.map_err(|_| HttpError::new(Status::INTERNAL_SERVER_ERROR))?;
    match name.ends_with(".json") {
        true => Ok(json(text)),
        false => Ok(Response::text(text)),
    }
}

impl Show {
    fn frame(&self) -> String {
        frame::object(&self.feed.snapshot(), &self.about)
    }
}

fn json(text: String) -> Response {
    Response::typed("application/json", text.into_bytes())
}

fn conflict(why: &'static str) -> HttpError {
    HttpError::new(Status::CONFLICT).detail(why)
}

/// Lets a POST through if it is meant.
fn meant() -> impl Middleware {
    async |request: Request, next: Next| {
        let is_meant = request.headers().contains(HEADER);
        if request.method_text() == "POST" && !is_meant {
            let error = HttpError::new(Status::FORBIDDEN);
            return Err(error.detail("a POST needs the header x-tourbillon: 1"));
        }
        Ok(next.run(request).await)
    }
}

/// Nothing here is worth keeping: it is of this run of this program.
fn fresh() -> impl Middleware {
    async |request: Request, next: Next| {
        let mut response: Response = next.run(request).await;
        let inserted = response.headers_mut().insert("cache-control", "no-store");
        debug_assert!(inserted.is_ok(), "this is a good field");
        response
    }
}
