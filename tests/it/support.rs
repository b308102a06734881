//! What the tests lean on: deadlines, a logger, child processes, examples, raw system calls.

pub(crate) mod browser;
mod built;
mod installed;
mod kernel;
pub(crate) mod page;

use std::any::Any;
use std::future::Future;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::task::{Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tourbillon::Runtime;
use tourbillon::time::ManualClock;

pub(crate) use built::{built, examples, lines_of};
pub(crate) use installed::run_installed;
pub(crate) use kernel::*;

/// When a test that hangs is called a failure. Nothing waits for it to pass.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a test on a thread of its own and fails it at the deadline.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    within_boxed(Box::new(body))
}

/// Compiled once for each result, not for each test.
#[track_caller]
fn within_boxed<T: Send + 'static>(body: Box<dyn FnOnce() -> T + Send>) -> T {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(body)));
    });
    match ended.recv_timeout(DEADLINE) {
        Ok(Ok(value)) => value,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(_) => panic!("the test hangs: nothing came within {DEADLINE:?}"),
    }
}

type Local = Pin<Box<dyn Future<Output = ()>>>;

/// Runs `future` on a fresh runtime, on a thread of its own, within the deadline.
#[track_caller]
pub(crate) fn block_on<F: Future<Output = ()> + 'static>(
    make: impl FnOnce() -> F + Send + 'static,
) {
    once_boxed(Box::new(move || Box::pin(make())));
}

#[track_caller]
fn once_boxed(make: Box<dyn FnOnce() -> Local + Send>) {
    within(move || Runtime::new().unwrap().block_on(async { make().await }));
}

/// The same twice: on a runtime as it comes, and on one that shuffles what is ready.
#[track_caller]
pub(crate) fn block_on_both<F: Future<Output = ()> + 'static>(
    make: impl Fn() -> F + Send + 'static,
) {
    both_boxed(Box::new(move || Box::pin(make())));
}

#[track_caller]
fn both_boxed(make: Box<dyn Fn() -> Local + Send>) {
    within(move || {
        let shuffled = Runtime::builder().shuffle_ready_queue(7);
        for builder in [Runtime::builder(), shuffled] {
            let mut rt = builder.build().unwrap();
            rt.block_on(async { make().await });
            assert_eq!(rt.stats().sources, 0, "something is still registered");
        }
    });
}

/// A folder of a test's own, removed when dropped.
pub(crate) struct Folder(std::path::PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("tourbillon-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A runtime on a clock that is moved by hand.
pub(crate) fn manual() -> (Runtime, ManualClock) {
    let time = ManualClock::new();
    let rt = Runtime::builder().manual_clock(&time).build().unwrap();
    (rt, time)
}

/// Turns until `done` says so, parking for at most a moment at a time.
#[track_caller]
pub(crate) fn turn_until(rt: &mut Runtime, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < DEADLINE, "what was waited for never came");
        rt.turn(Some(Duration::from_millis(5))).unwrap();
    }
}

/// Catches what `body` panics with.
pub(crate) fn caught<T>(body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(body))
}

/// The text of a panic.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("not text")
}

/// Keeps panics that begin with `word` off the screen: thousands of them are meant.
pub(crate) fn hush(word: &'static str) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<String>();
        if !text.is_some_and(|text| text.starts_with(word)) {
            before(info);
        }
    }));
}

/// Small, seeded, and the same on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The seeds of a test: `TOURBILLON_SEED=7` is one, `TOURBILLON_SEEDS=100000` that many, and
/// without either there are `count`.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    if let Some(seed) = number("TOURBILLON_SEED") {
        return seed..seed + 1;
    }
    0..number("TOURBILLON_SEEDS").unwrap_or(count)
}

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// A value whose drop must happen on the thread that made it.
pub(crate) struct HomeGuard {
    home: ThreadId,
    astray: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl HomeGuard {
    /// A guard, and how often guards were dropped on a wrong thread and at all.
    pub(crate) fn new(astray: &Arc<AtomicUsize>, dropped: &Arc<AtomicUsize>) -> Self {
        HomeGuard {
            home: thread::current().id(),
            astray: Arc::clone(astray),
            dropped: Arc::clone(dropped),
        }
    }
}

impl Drop for HomeGuard {
    fn drop(&mut self) {
        let here = thread::current().id() == self.home;
        self.astray.fetch_add(usize::from(!here), Ordering::SeqCst);
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs a closure when dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A payload that panics when it is dropped, once.
pub(crate) struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a payload that panics in its drop");
        }
    }
}

/// A waker that is not the runtime's: it counts, and runs closures when woken and dropped.
pub(crate) struct Foreign {
    pub(crate) woken: AtomicUsize,
    on_wake: Option<Box<dyn Fn() + Send + Sync>>,
    on_drop: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Foreign {
    pub(crate) fn counting() -> Arc<Self> {
        Arc::new(Foreign {
            woken: AtomicUsize::new(0),
            on_wake: None,
            on_drop: None,
        })
    }

    /// A waker that calls `on_wake` and `on_drop`.
    pub(crate) fn waker(
        on_wake: impl Fn() + Send + Sync + 'static,
        on_drop: impl Fn() + Send + Sync + 'static,
    ) -> Waker {
        Waker::from(Arc::new(Foreign {
            woken: AtomicUsize::new(0),
            on_wake: Some(Box::new(on_wake)),
            on_drop: Some(Box::new(on_drop)),
        }))
    }

    pub(crate) fn count(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for Foreign {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        if let Some(on_wake) = &self.on_wake {
            on_wake();
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Some(on_drop) = &self.on_drop {
            on_drop();
        }
    }
}

struct Collector;

/// A line with this in it makes the logger panic.
pub(crate) const BLOWS_UP: &str = "blows up the logger";

static RECORDS: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        let blows_up = line.contains(BLOWS_UP);
        RECORDS.lock().unwrap().push((thread::current().id(), line));
        if blows_up {
            panic!("the logger panics at this line");
        }
    }

    fn flush(&self) {}
}

/// Starts to collect what is logged.
pub(crate) fn collect_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Collector).unwrap();
        log::set_max_level(log::LevelFilter::Debug);
    });
}

/// What this thread has logged so far.
pub(crate) fn logged_here() -> Vec<String> {
    let here = thread::current().id();
    let records = RECORDS.lock().unwrap();
    records
        .iter()
        .filter(|(thread, _)| *thread == here)
        .map(|(_, line)| line.clone())
        .collect()
}

/// Takes away what this thread has logged so far.
pub(crate) fn take_logged_here() -> Vec<String> {
    let here = thread::current().id();
    let mut records = RECORDS.lock().unwrap();
    let taken = records.extract_if(.., |(thread, _)| *thread == here);
    taken.map(|(_, line)| line).collect()
}

/// What any thread has logged with `word` in it.
pub(crate) fn logged_with(word: &str) -> Vec<String> {
    let records = RECORDS.lock().unwrap();
    records
        .iter()
        .map(|(_, line)| line)
        .filter(|line| line.contains(word))
        .cloned()
        .collect()
}

const CHILD: &str = "TOURBILLON_TEST_CHILD";

/// Runs `body` in a process of its own: this test binary, told to run the test `name` only.
///
/// Returns `None` in the child, after `body`; in the parent, how the child ended and its output.
pub(crate) fn in_child(name: &str, body: impl FnOnce()) -> Option<(ExitStatus, String)> {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        body();
        return None;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = out.read_to_string(&mut text);
        text
    });
    let other = thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > DEADLINE {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    };
    let output = reader.join().unwrap() + &other.join().unwrap();
    assert!(
        output.contains("1 test"),
        "the child found no test {name:?}: {output}"
    );
    Some((status, output))
}

/// This test binary, told to run the test `name` only; `None` in the process started so.
pub(crate) fn this_test(name: &str) -> Option<Command> {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name);
    Some(command)
}

/// Sends a signal to this process.
#[allow(unsafe_code)]
pub(crate) fn kill_self(signal: tourbillon::signal::Signal) {
    // SAFETY: two numbers are passed.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal.number()) }, 0);
}

/// Waits until `done` says so, without a loop to turn.
#[track_caller]
pub(crate) fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < DEADLINE, "what was waited for never came");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The same for a child that must end well.
#[track_caller]
pub(crate) fn well_in_child(name: &str, body: impl FnOnce()) {
    if let Some((status, output)) = in_child(name, body) {
        assert!(status.success(), "the child ended with {status}:\n{output}");
    }
}
