//! The dial as it is served: its routes, whom it answers, and the page while a real loop is stuck.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tourbillon::dial::{Dial, OpenDial};
use tourbillon::watch::Level;
use tourbillon::{Handle, Runtime, Watchdog, call_later, spawn_named};

use crate::dial_page::{in_browser, picture};
use crate::support::DEADLINE;

mod asked;

/// A loop on a thread of its own, watched by all there is.
struct Watched {
    dial: OpenDial,
    handle: Handle,
    /// What holds the loop while it is false.
    is_free: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

#[inline(never)]
fn heavy_sync_operation(is_free: &AtomicBool) {
    let began = Instant::now();
    while !is_free.load(Ordering::SeqCst) && began.elapsed() < DEADLINE {
        std::hint::spin_loop();
    }
}

impl Watched {
    fn begin(allow_gate: bool) -> Self {
        let (told, hears) = mpsc::channel();
        let thread = thread::spawn(move || {
            let watchdog = Watchdog::new().threshold(Duration::from_millis(50));
            let builder = Runtime::builder().watchdog(watchdog.on_stall(|_| ()));
            let mut rt = builder.record(Level::Full).build().unwrap();
            let dial = Dial::new(rt.watcher().unwrap())
                .allow_gate(allow_gate)
                .name("a test")
                .source(file!(), include_str!("dial.rs"));
            told.send((dial.open().unwrap(), rt.handle())).unwrap();
            rt.run().unwrap();
        });
        let (dial, handle) = hears.recv_timeout(DEADLINE).unwrap();
        Watched {
            dial,
            handle,
            is_free: Arc::new(AtomicBool::new(true)),
            thread: Some(thread),
        }
    }

    /// Has a task hold the loop until [`release`](Self::release).
    fn block(&self) {
        self.is_free.store(false, Ordering::SeqCst);
        let is_free = Arc::clone(&self.is_free);
        let blocks = move || {
            spawn_named("GET /bad-practice", async move {
                heavy_sync_operation(&is_free)
            })
            .detach();
            spawn_named("behind", async {}).detach();
        };
        self.handle.call(blocks).unwrap();
    }

    fn release(&self) {
        self.is_free.store(true, Ordering::SeqCst);
    }

    /// Something to do every few milliseconds, from now on.
    fn tick(&self) {
        fn again() {
            call_later(Duration::from_millis(5), again);
        }
        self.handle.call(again).unwrap();
    }

    fn ask(&self, head: &str) -> Answer {
        ask(self.dial.local_addr(), head)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n"))
    }

    fn post(&self, path: &str) -> u16 {
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nx-tourbillon: 1\r\n");
        self.ask(&format!("{head}content-length: 0\r\n")).status
    }

    fn frame(&self) -> Value {
        serde_json::from_str(&self.get("/snapshot.json").body).unwrap()
    }

    /// The first frame that is as wanted.
    fn frame_where(&self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let frame = self.frame();
            if is_wanted(&frame) {
                return frame;
            }
            assert!(began.elapsed() < DEADLINE, "no such frame: {frame}");
            thread::yield_now();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.release();
        let _ = self.post("/gate?do=go");
        let _ = self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || thread::panicking(),
                "the loop's thread panicked"
            );
        }
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn ask(address: SocketAddr, head: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "{head}connection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

#[test]
fn the_page_and_what_other_programs_may_read() {
    let watched = Watched::begin(false);
    watched.tick();
    watched.frame_where(|frame| frame["turns"].as_array().unwrap().len() > 3);
    let page = watched.get("/");
    assert!(
        page.status == 200 && page.body.contains("<html"),
        "{}",
        page.head
    );
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'")
    );
    assert_eq!(watched.get("/healthz").body, "ok");
    let dump = watched.get("/dump").body;
    assert!(dump.starts_with("tourbillon dump: turn "), "{dump}");
    let dump: Value = serde_json::from_str(&watched.get("/dump?json").body).unwrap();
    assert!(dump["turn"].as_u64() > Some(0) && dump["tasks"].is_array());
    let trace: Value = serde_json::from_str(&watched.get("/trace.json?last=10s").body).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 3);
    let saved = tourbillon::watch::Recording::open(&watched.get("/recording").body).unwrap();
    assert!(saved.events.len() > 3);
    assert!(watched.get("/mermaid").body.starts_with("sequenceDiagram"));
    assert_eq!(watched.get("/trace.json?last=soon").status, 400);
    assert_eq!(watched.get("/mermaid?request=first").status, 400);
    assert_eq!(watched.get("/elsewhere").status, 404);
}

#[test]
fn a_frame_says_where_the_loop_is() {
    let watched = Watched::begin(true);
    let asleep = watched.frame_where(|frame| frame["state"] == "asleep");
    assert_eq!(asleep["name"], "a test");
    assert_eq!(asleep["stall"], Value::Null);
    watched.block();
    // Its stack comes when the names in it have been looked up.
    let is_named = |frame: &Value| {
        let places = frame["stall"]["where"].as_array();
        frame["state"] == "stuck" && places.is_some_and(|places| !places.is_empty())
    };
    let stuck = watched.frame_where(is_named);
    let stall = &stuck["stall"];
    assert_eq!(stall["name"], "GET /bad-practice");
    // On a busy machine it may not get a processor.
    assert!(
        stall["kind"] == "cpu" || stall["kind"] == "starved",
        "{stall}"
    );
    let place = stall["where"]
        .as_array()
        .unwrap()
        .iter()
        .find(|frame| frame[0].as_str().unwrap().ends_with("heavy_sync_operation"));
    let place = place.unwrap_or_else(|| panic!("{stall}"));
    assert!(
        place[1].as_str().unwrap().ends_with("tests/it/dial.rs"),
        "{place}"
    );
    assert_ne!(stall["hint"], "");
    let ready = stuck["queues"]["ready"].as_array().unwrap();
    assert_eq!(ready.len(), 1, "one waits behind it: {stuck}");
    let tasks = stuck["tasks"].as_array().unwrap();
    assert_eq!(tasks[0][1], "running");
    assert_eq!(
        (&tasks[1][1], &tasks[1][6]),
        (&"ready".into(), &"behind".into())
    );
    watched.release();
    let free = watched
        .frame_where(|frame| frame["state"] == "asleep" && frame["stalls"][0]["over"] == true);
    assert!(free["stalls"][0]["ms"].as_f64() >= Some(50.0));
    assert!(free["longest"]["ms"].as_f64() >= Some(50.0), "{free}");
}

#[test]
fn strangers_are_refused() {
    let watched = Watched::begin(true);
    for host in ["evil.example", "evil.example:80", "localhost.evil.example"] {
        let head = format!("GET /snapshot.json HTTP/1.1\r\nhost: {host}\r\n");
        assert_eq!(watched.ask(&head).status, 400, "{host}");
    }
    let address = watched.dial.local_addr();
    for host in ["LOCALHOST", "[::1]:1", &address.to_string()] {
        let head = format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\n");
        assert_eq!(watched.ask(&head).status, 200, "{host}");
    }
    let bare = "POST /gate?do=pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n";
    assert_eq!(watched.ask(bare).status, 403);
    assert_eq!(watched.frame()["gate"]["paused"], false);
    // Nor are other forms of the same names, and nobody is without a name.
    for head in [
        "GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost\r\n",
        "GET http://localhost@evil.example/healthz HTTP/1.1\r\nhost: localhost\r\n",
        "GET /healthz HTTP/1.0\r\n",
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n",
        "GET /healthz HTTP/1.1\r\nhost:\r\n",
    ] {
        assert_eq!(watched.ask(head).status, 400, "{head}");
    }
    let ours = "GET http://localhost/healthz HTTP/1.1\r\nhost: localhost\r\n";
    assert_eq!(watched.ask(ours).status, 200);
    assert_eq!(
        watched
            .ask("GET /healthz HTTP/1.0\r\nhost: localhost.\r\n")
            .status,
        200
    );
    // A page of another site's that has a picture drawn here.
    let picture = "GET /trace.json HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: cross-site\r\n";
    assert_eq!(watched.ask(picture).status, 403);
    assert_eq!(
        watched
            .ask(&format!("{picture}sec-fetch-mode: navigate\r\n"))
            .status,
        200
    );
    let closed = Watched::begin(false);
    assert_eq!(closed.post("/gate?do=pause"), 403);
    assert_eq!(closed.frame()["gate"]["allowed"], false);
}

#[test]
fn the_gate_is_asked_over_http() {
    let watched = Watched::begin(true);
    watched.tick();
    assert_eq!(watched.post("/gate?do=pause"), 204);
    let paused = watched.frame_where(|frame| frame["state"] == "paused");
    let turn = paused["turn"].as_u64().unwrap();
    // What is studied is shown: the source with the line of what runs next.
    assert_eq!(paused["source"]["file"], file!());
    assert_eq!(watched.post("/gate?do=step"), 204);
    watched.frame_where(|frame| frame["turn"] == turn + 1 && frame["phase"] == "gate");
    assert_eq!(watched.post("/gate?do=slow&ms=1"), 204);
    assert_eq!(watched.post("/gate?do=slow&ms=x"), 400);
    assert_eq!(watched.post("/gate?do=fly"), 400);
    assert_eq!(watched.post("/gate?do=go"), 204);
    watched.frame_where(|frame| frame["turn"].as_u64() > Some(turn + 3));
}

#[test]
fn a_dial_that_is_closed_lets_the_loop_go() {
    let mut rt = Runtime::builder().watch(true).build().unwrap();
    let watcher = rt.watcher().unwrap();
    let dial = Dial::new(watcher.clone()).allow_gate(true).open().unwrap();
    watcher.pause();
    let closes = thread::spawn(move || {
        let began = Instant::now();
        while watcher.dump().phase != "gate" {
            assert!(began.elapsed() < DEADLINE);
            thread::yield_now();
        }
        drop(dial);
    });
    rt.block_on(async { tourbillon::yield_now().await });
    closes.join().unwrap();
}

/// A page that looks: the head of its stream, and the rest.
fn look(watched: &Watched) -> (String, BufReader<TcpStream>) {
    let stream = TcpStream::connect(watched.dial.local_addr()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut writes = stream.try_clone().unwrap();
    write!(writes, "GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    (head, reader)
}

#[test]
fn frames_come_while_the_loop_is_stuck_and_a_fifth_page_is_refused() {
    let watched = Watched::begin(false);
    watched.block();
    let open = || look(&watched);
    let mut pages: Vec<_> = (0..4).map(|_| open()).collect();
    for (head, reader) in &mut pages {
        assert!(head.contains("text/event-stream"), "{head}");
        let mut states = Vec::new();
        let mut line = String::new();
        while states.len() < 5 {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(frame) = line.strip_prefix("data: ") {
                let frame: Value = serde_json::from_str(frame.trim()).unwrap();
                states.push(frame["n"].as_u64().unwrap());
            }
        }
        assert!(states.is_sorted() && states[0] < states[4], "{states:?}");
    }
    let (head, _) = open();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    pages.pop();
    let began = Instant::now();
    while !open().0.starts_with("HTTP/1.1 200") {
        assert!(
            began.elapsed() < DEADLINE,
            "a place became free, and was not given"
        );
        thread::yield_now();
    }
}

#[test]
fn the_page_shows_the_culprit_while_the_loop_is_stuck() {
    in_browser(|browser| {
        let watched = Watched::begin(true);
        watched.tick();
        browser.open(&watched.dial.url());
        let state = "document.documentElement.dataset.state";
        browser.wait_until(&format!("['running', 'asleep'].includes({state})"));
        watched.block();
        browser.wait_until(&format!("{state} === 'stuck'"));
        browser.wait_until("document.body.textContent.includes('heavy_sync_operation')");
        browser.wait_until("document.body.textContent.includes('tests/it/dial.rs:')");
        browser.screenshot(&picture("real-stuck"));
        // It goes on while nothing on the watched loop does.
        let turn = "document.getElementById('f-turn').textContent";
        let (before, number) = (browser.text(turn), watched.frame()["n"].as_u64().unwrap());
        watched.frame_where(|frame| frame["n"].as_u64() > Some(number + 5));
        assert_eq!(browser.text(turn), before);
        watched.release();
        browser.wait_until(&format!("['running', 'asleep'].includes({state})"));
        browser.press(" ");
        browser.wait_until(&format!("{state} === 'paused'"));
        let turn = watched.frame()["turn"].as_u64().unwrap();
        browser.press(".");
        watched.frame_where(|frame| frame["turn"] == turn + 1 && frame["state"] == "paused");
        browser.screenshot(&picture("real-paused"));
        browser.press(" ");
        browser.wait_until(&format!("['running', 'asleep'].includes({state})"));
        assert_eq!(browser.console_errors(), [""; 0]);
        let own = watched.dial.url();
        assert!(browser.requests().iter().all(|url| url.starts_with(&own)));
    });
}
