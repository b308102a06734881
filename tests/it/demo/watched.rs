//! The demo with `--watch`, over real HTTP: when it runs, what it tells, and when it ends.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::NAMES;
use crate::support::{DEADLINE, built, lines_of, page};

/// The demo, watched. Dropping it ends it.
pub(super) struct Watched {
    child: Child,
    stdin: Option<ChildStdin>,
    reports: Receiver<String>,
    says: Receiver<String>,
    pub(super) address: SocketAddr,
}

impl Watched {
    pub(super) fn start(words: &[&str]) -> Self {
        Watched::with_input(words, Stdio::piped())
    }

    fn with_input(words: &[&str], input: Stdio) -> Self {
        let mut child = Command::new(built("blocking_vs_offloaded"))
            .args(["--watch", "--json", "--no-files"])
            .args(words)
            .env_remove("RUST_LOG")
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let reports = lines_of(child.stdout.take().unwrap());
        let says = lines_of(child.stderr.take().unwrap());
        let first = says.recv_timeout(DEADLINE).unwrap();
        let address = page::address(&first).unwrap_or_else(|| panic!("no address in {first:?}"));
        assert!(first.contains("begins when the page is open"), "{first}");
        Watched {
            stdin: child.stdin.take(),
            child,
            reports,
            says,
            address,
        }
    }

    pub(super) fn state(&self) -> Value {
        serde_json::from_str(&page::get(self.address, "/state.json")).unwrap()
    }

    /// The next report, which is printed when both runs are over.
    pub(super) fn report(&self) -> Value {
        let line = self.reports.recv_timeout(DEADLINE).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(super) fn press_enter(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// Waits until it has ended by itself, and asserts that it says how its last run was.
    #[track_caller]
    pub(super) fn ends_as(&mut self, last: &Value) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < DEADLINE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let is_shown = last["ok"].as_bool().unwrap();
        assert_eq!(status.code(), Some(i32::from(!is_shown)));
        assert_eq!(self.reports.try_recv().ok(), None, "nothing more is said");
    }

    /// The same, when some reports have not been looked at.
    pub(super) fn ends_after_reports(&mut self, last: &Value) {
        while self.report() != *last {}
        self.ends_as(last);
    }

    fn wait_for(&self, step: &str) -> Value {
        let began = Instant::now();
        loop {
            let state = self.state();
            if state["step"] == step {
                return state;
            }
            assert!(began.elapsed() < DEADLINE, "never {step}: {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The status and the whole of an answer.
    fn ask(&self, line: &str, host: &str, fields: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!("{line} HTTP/1.1\r\nhost: {host}\r\n{fields}connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path}"), &self.address.to_string(), "")
    }

    fn post_run(&self, fields: &str) -> u16 {
        let fields = format!("{fields}content-length: 0\r\n");
        self.ask("POST /run", &self.address.to_string(), &fields).0
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a page that is open hears.
struct Events(Lines<BufReader<TcpStream>>);

impl Events {
    fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let head = format!("GET /events HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        Events(BufReader::new(stream).lines())
    }

    fn next(&mut self) -> Value {
        let data = self
            .0
            .find_map(|line| line.unwrap().strip_prefix("data: ").map(str::to_owned));
        serde_json::from_str(&data.expect("the stream has ended")).unwrap()
    }

    /// Everything until this step, and with it.
    fn until(&mut self, step: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.next();
            let is_last = frame["step"] == step;
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }
}

const MEANT: &str = "x-tourbillon: 1\r\n";

/// How many light requests of a panel have been sent and not been answered.
fn waiting(panel: &Value) -> usize {
    let light = panel["light"].as_array().unwrap().iter();
    light.filter(|x| x[0].is_f64() && x[3].is_null()).count()
}

/// A span that lasts.
fn lasts(spans: &Value) -> bool {
    spans.as_array().unwrap().iter().any(|span| span[3] == true)
}

#[test]
fn the_run_begins_when_the_page_is_open_and_is_told_while_it_lasts() {
    let mut demo = Watched::start(&["--how=sleep"]);
    let before = demo.state();
    assert_eq!(
        (&before["step"], &before["run"]),
        (&"waits".into(), &0.into())
    );
    assert!(
        before["a"].is_null() && before["facts"].is_null(),
        "{before}"
    );
    for name in ["/trace.json", "/blocked.mmd", "/offloaded.mmd"] {
        let (status, why) = demo.get(name);
        assert_eq!(status, 404, "{why}");
        assert!(why.contains("before the first run is over"), "{why}");
    }

    let mut events = Events::open(demo.address);
    let mut frames = events.until("a");
    assert_eq!(demo.post_run(MEANT), 409, "not while there is one");
    frames.extend(events.until("over"));
    let mut steps: Vec<_> = frames.iter().map(|f| f["step"].as_str().unwrap()).collect();
    steps.dedup();
    steps.retain(|step| !["waits", "asked"].contains(step));
    assert_eq!(steps, ["a", "b", "over"]);
    // In A the loop is held, and others wait; in B a worker is.
    let in_a = |frame: &&Value| frame["step"] == "a" && lasts(&frame["a"]["held"]);
    let stuck: Vec<_> = frames.iter().filter(in_a).collect();
    assert!(stuck.iter().any(|f| waiting(&f["a"]) >= 4), "{stuck:?}");
    let names = |f: &&&Value| f["a"]["culprit"]["function"] == "heavy_sync_operation";
    assert!(!NAMES || stuck.iter().any(|f| names(&f)), "{stuck:?}");
    let on_worker = |f: &Value| f["step"] == "b" && lasts(&f["b"]["jobs"]);
    assert!(frames.iter().any(on_worker), "{frames:?}");

    // What is measured takes the place of what was seen.
    let over = frames.last().unwrap();
    let report = demo.report();
    assert_eq!(over["facts"], report);
    assert_eq!(over["a"]["stuck"], report["a"]["loop_longest_stuck_ms"]);
    let light = |panel: &Value| -> Vec<f64> {
        let light = panel["light"].as_array().unwrap().iter();
        let latency = |x: &Value| x[3].as_f64().unwrap() - x[0].as_f64().unwrap();
        light.map(latency).collect()
    };
    for (which, most) in [("a", &report["a"]["max"]), ("b", &report["b"]["max"])] {
        let longest = light(&over[which]).into_iter().fold(0.0, f64::max);
        assert!(
            (longest - most.as_f64().unwrap()).abs() < 0.01,
            "{which}: {longest}"
        );
    }
    let words: Vec<_> = over["verdict"].as_array().unwrap().iter().collect();
    let words: Vec<_> = words.iter().map(|words| words.as_str().unwrap()).collect();
    assert_eq!(report["verdict"], words.join(" "));
    let says = demo.says.recv_timeout(DEADLINE).unwrap();
    assert!(
        !report["ok"].as_bool().unwrap() || says.contains("Enter ends"),
        "{says}"
    );

    demo.press_enter();
    assert_eq!(events.until("ended").last().unwrap()["facts"], report);
    assert!(events.0.all(|line| !line.unwrap().starts_with("data")));
    demo.ends_as(&report);
}

#[test]
fn a_run_that_is_asked_for_leaves_nothing_of_the_one_before() {
    let mut demo = Watched::start(&["--how=sleep"]);
    assert_eq!(demo.post_run(""), 403, "without the header");
    assert_eq!(demo.state()["step"], "waits");
    for run in 1..=2 {
        assert_eq!(demo.post_run(MEANT), 204);
        assert_eq!(demo.post_run(MEANT), 409);
        let report = demo.report();
        let state = demo.wait_for("over");
        assert_eq!((&state["run"], &state["facts"]), (&run.into(), &report));
        let (status, trace) = demo.get("/trace.json");
        assert_eq!(status, 200);
        let trace: Value = serde_json::from_str(trace.split_once("\r\n\r\n").unwrap().1).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let named = |name: &str| events.iter().filter(|event| event["name"] == name).count();
        assert_eq!(named("client sent"), 42, "run {run}");
        // The request and its polls, which are two at most.
        let heavy = named("GET /bad-practice");
        assert!((1..=3).contains(&heavy), "{heavy} in run {run}");
        let thread_names = events.iter().filter(|event| event["ph"] == "M").count();
        assert!(thread_names < 20, "{thread_names} in run {run}");
        for (name, route) in [("/blocked.mmd", "bad"), ("/offloaded.mmd", "good")] {
            let (_, diagram) = demo.get(name);
            let begin = format!("EL->>AR: GET /{route}-practice (poll ");
            assert_eq!(diagram.matches(&begin).count(), 1, "{diagram}");
        }
        if run == 2 {
            demo.press_enter();
            demo.ends_as(&report);
            return;
        }
    }
}

#[test]
fn enter_begins_and_enter_ends() {
    let mut demo = Watched::start(&["--how=sleep", "--heavy=2"]);
    // The second counts when the run is over.
    demo.press_enter();
    demo.press_enter();
    let report = demo.report();
    assert_eq!(report["a"]["heavy"].as_array().unwrap().len(), 2);
    demo.ends_as(&report);
}

#[test]
fn without_input_it_runs_once() {
    let mut demo = Watched::with_input(&["--how=sleep"], Stdio::null());
    let report = demo.report();
    demo.ends_as(&report);
}

#[test]
fn only_its_own_hosts_are_answered_and_nothing_is_loaded_from_elsewhere() {
    let demo = Watched::start(&["--how=sleep"]);
    let port = demo.address.port();
    assert_eq!(demo.ask("GET /", "example.org", "").0, 400);
    let rebound = format!("attacker.example:{port}");
    assert_eq!(demo.ask("GET /events", &rebound, "").0, 400);
    assert_eq!(demo.state()["step"], "waits", "a stranger begins nothing");
    let (status, answer) = demo.ask("GET /", &format!("localhost:{port}"), "");
    assert_eq!(status, 200);
    let head = answer.split_once("\r\n\r\n").unwrap().0;
    let server = demo.state()["server"].as_str().unwrap().to_owned();
    let talks = format!("connect-src 'self' {server};");
    for field in [
        "default-src 'none';",
        &talks,
        "nosniff",
        "no-store",
        "no-referrer",
    ] {
        assert!(head.contains(field), "{field} is not in {head}");
    }
}
