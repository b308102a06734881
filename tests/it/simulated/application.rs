//! The application that the simulated server serves, and the ledger of what was asked of it.
//!
//! Each request names its client and its number (`?c=1&n=4`), so the ledger can tell whether the
//! server gave the application each request once, and in order.

use std::cell::{Cell, RefCell};
use std::future;
use std::io;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use tourbillon::server::{Body, BodyWriter, Handler, IntoResponse, Request, RequestBody, Response};
use tourbillon::web::Router;
use tourbillon::{sleep, spawn, yield_now};

use super::dice::Dice;

/// Bodies are cut out of this; no two places in it look alike.
const PATTERN_BYTES: usize = 512 * 1024;

/// `len` bytes that begin at `start`.
pub(super) fn pattern(start: usize, len: usize) -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let all = PATTERN.get_or_init(|| {
        let mut dice = Dice::new(0);
        let words = (0..PATTERN_BYTES / 8).map(|_| dice.roll().to_le_bytes());
        words.flatten().collect()
    });
    &all[start..start + len]
}

/// Larger than any body of a request.
pub(super) const COLLECT_MAX: usize = 1 << 20;

/// What `/limited` reads at most.
pub(super) const LIMITED_MAX: usize = 100;

#[derive(Default)]
pub(super) struct Ledger {
    /// By client, the numbers of the requests in the order they came.
    pub(super) visits: RefCell<Vec<Vec<usize>>>,
    pub(super) panics: Cell<u64>,
    /// By client, bytes of streamed bodies that were handed to a writer.
    pub(super) made: RefCell<Vec<usize>>,
    begun: Cell<u64>,
    dropped: Cell<u64>,
}

impl Ledger {
    pub(super) fn of(clients: usize) -> Rc<Self> {
        Rc::new(Ledger {
            visits: RefCell::new(vec![Vec::new(); clients]),
            made: RefCell::new(vec![0; clients]),
            ..Ledger::default()
        })
    }

    pub(super) fn total(&self) -> usize {
        self.visits.borrow().iter().map(Vec::len).sum()
    }

    /// Handlers, bodies and tasks that were begun and not dropped.
    pub(super) fn alive(&self) -> u64 {
        self.begun.get() - self.dropped.get()
    }
}

/// Held by whatever must be dropped in the end.
struct Presence(Rc<Ledger>);

impl Presence {
    fn new(ledger: &Rc<Ledger>) -> Self {
        ledger.begun.set(ledger.begun.get() + 1);
        Presence(Rc::clone(ledger))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.dropped.set(self.0.dropped.get() + 1);
    }
}

pub(super) struct Application {
    router: Router,
    ledger: Rc<Ledger>,
}

impl Handler for Application {
    async fn handle(&self, request: Request) -> Response {
        let _presence = Presence::new(&self.ledger);
        let (client, number) = (value(&request, "c"), value(&request, "n"));
        self.ledger.visits.borrow_mut()[client].push(number);
        self.router.handle(request).await
    }
}

/// The number after `name=` in the query.
fn value(request: &Request, name: &str) -> usize {
    let text = request.query_value(name);
    let text = text.unwrap_or_else(|| panic!("{request:?} names no {name}"));
    text.parse().expect("the scripts write numbers")
}

impl Application {
    pub(super) fn new(ledger: &Rc<Ledger>) -> Self {
        let with = |run: fn(Rc<Ledger>, Request) -> Body| {
            let ledger = Rc::clone(ledger);
            async move |request: Request| run(Rc::clone(&ledger), request)
        };
        let panics = Rc::clone(ledger);
        let relayed = Rc::clone(ledger);
        let detached = Rc::clone(ledger);
        let router = Router::new()
            .get("/", hello)
            .get("/bytes", bytes)
            .get("/slow", slow)
            .get("/yields", yields)
            .get("/forever", async |_| future::pending::<Response>().await)
            .get("/panic", async move |_| -> Response {
                panics.panics.set(panics.panics.get() + 1);
                // Without the hook, which would print it thousands of times.
                resume_unwind(Box::new("a planned panic"))
            })
            .get("/stream", with(stream))
            .get("/elsewhere", with(stream_elsewhere))
            .get("/ticks", with(ticks))
            .get("/failing", with(failing))
            .post("/collect", collect)
            .post("/limited", limited)
            .post("/ignore", async |_| "ignored")
            .post("/echo", with(echo))
            .post("/echo_second", echo_second)
            .post("/echo_elsewhere", with(echo_elsewhere))
            .post("/relay", async move |request: Request| {
                let body = request.into_body();
                let presence = Presence::new(&relayed);
                let reading = spawn(async move {
                    let _presence = presence;
                    body.collect(COLLECT_MAX).await
                });
                reading.await.expect("a reader is not aborted")
            })
            .post("/detached", async move |request: Request| {
                let rounds = value(&request, "rounds");
                let presence = Presence::new(&detached);
                let body = request.into_body();
                spawn(async move {
                    let _presence = presence;
                    let _ = body.collect(COLLECT_MAX).await;
                })
                .detach();
                for _ in 0..rounds {
                    yield_now().await;
                }
                "gone ahead"
            });
        Application {
            router,
            ledger: Rc::clone(ledger),
        }
    }
}

async fn hello(request: Request) -> String {
    format!("{}.{}", value(&request, "c"), value(&request, "n"))
}

async fn bytes(request: Request) -> Body {
    Body::bytes(pattern(value(&request, "start"), value(&request, "len")))
}

async fn slow(request: Request) -> &'static str {
    sleep(Duration::from_millis(value(&request, "ms") as u64)).await;
    "slept"
}

async fn yields(request: Request) -> &'static str {
    for _ in 0..value(&request, "rounds") {
        yield_now().await;
    }
    "yielded"
}

/// How a streamed body is made.
struct Making {
    presence: Presence,
    client: usize,
    bytes: &'static [u8],
    piece: usize,
    /// Rest between two pieces, in milliseconds.
    rest: u64,
}

impl Making {
    fn of(ledger: &Rc<Ledger>, request: &Request) -> Self {
        Making {
            presence: Presence::new(ledger),
            client: value(request, "c"),
            bytes: pattern(value(request, "start"), value(request, "len")),
            piece: value(request, "piece"),
            rest: value(request, "rest") as u64,
        }
    }

    async fn make(self, mut writer: BodyWriter) -> io::Result<()> {
        for piece in self.bytes.chunks(self.piece) {
            writer.write(piece).await?;
            self.presence.0.made.borrow_mut()[self.client] += piece.len();
            if self.rest > 0 {
                sleep(Duration::from_millis(self.rest)).await;
            } else if self.piece.is_multiple_of(3) {
                yield_now().await;
            }
        }
        Ok(())
    }
}

fn stream(ledger: Rc<Ledger>, request: Request) -> Body {
    let making = Making::of(&ledger, &request);
    let sized = value(&request, "sized") == 1;
    let length = making.bytes.len() as u64;
    let make = async move |writer| making.make(writer).await;
    if sized {
        Body::sized_stream(length, make)
    } else {
        Body::stream(make)
    }
}

/// Another task holds the writer.
fn stream_elsewhere(ledger: Rc<Ledger>, request: Request) -> Body {
    let making = Making::of(&ledger, &request);
    Body::stream(async move |writer| {
        let _presence = Presence::new(&ledger);
        let written = spawn(making.make(writer)).await;
        written.expect("a writer is not aborted")
    })
}

/// A body that goes on until its client leaves.
fn ticks(ledger: Rc<Ledger>, _request: Request) -> Body {
    Body::stream(async move |mut writer| {
        let _presence = Presence::new(&ledger);
        loop {
            writer.write("tick").await?;
            sleep(Duration::from_millis(400)).await;
        }
    })
}

/// A body that is not made as it should be: it fails, it panics, or it is shorter or longer than
/// was said.
fn failing(ledger: Rc<Ledger>, request: Request) -> Body {
    let making = Making::of(&ledger, &request);
    let length = making.bytes.len() as u64;
    match value(&request, "how") {
        0 => Body::stream(async move |writer| {
            making.make(writer).await?;
            Err(io::ErrorKind::Other.into())
        }),
        1 => Body::stream(async move |writer| {
            making.make(writer).await?;
            resume_unwind(Box::new("a planned panic"))
        }),
        2 => Body::sized_stream(length + 1, async move |writer| making.make(writer).await),
        _ => Body::sized_stream(length - 1, async move |writer| making.make(writer).await),
    }
}

async fn collect(request: Request) -> Response {
    let read = request.into_body().collect(COLLECT_MAX).await;
    read.into_response()
}

async fn limited(request: Request) -> Response {
    let read = request.into_body().collect(LIMITED_MAX).await;
    read.into_response()
}

async fn copy(mut body: RequestBody, mut writer: BodyWriter) -> io::Result<()> {
    while let Some(piece) = body.chunk().await? {
        writer.write(piece).await?;
    }
    Ok(())
}

fn echo(ledger: Rc<Ledger>, request: Request) -> Body {
    let presence = Presence::new(&ledger);
    let body = request.into_body();
    Body::stream(async move |writer| {
        let _presence = presence;
        copy(body, writer).await
    })
}

/// Answers when the first piece of the body is there, and then as `/echo`.
async fn echo_second(request: Request) -> Response {
    let mut body = request.into_body();
    match body.chunk().await {
        Ok(None) => Body::empty().into_response(),
        Ok(Some(first)) => Body::stream(async move |mut writer| {
            writer.write(first).await?;
            copy(body, writer).await
        })
        .into_response(),
        Err(error) => error.into_response(),
    }
}

/// Another task has both the reader and the writer.
fn echo_elsewhere(ledger: Rc<Ledger>, request: Request) -> Body {
    let body = request.into_body();
    Body::stream(async move |writer| {
        let presence = Presence::new(&ledger);
        let copying = spawn(async move {
            let _presence = presence;
            copy(body, writer).await
        });
        copying.await.expect("a copier is not aborted")
    })
}
