//! The server under test: one loop, four routes.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tourbillon::dial::{Dial, OpenDial};
use tourbillon::server::{Config, Server, ServerHandle};
use tourbillon::watch::Level;
use tourbillon::web::Router;
use tourbillon::{MissedTicks, Runtime, Watchdog, Watcher, interval, spawn_blocking, spawn_named};

use super::Fault;
use super::facts::WORKERS;
use super::feed::Feed;
use super::heavy::{Done, heavy_sync_operation};

pub(super) const PING: &str = "/ping";
pub(super) const BAD: &str = "/bad-practice";
pub(super) const GOOD: &str = "/good-practice";
pub(super) const STUCK: &str = "/stuck";
/// What a visitor of the page may ask: by its path it can be told from what the plan asks.
pub(super) const YOURS: &str = "/yours";

/// How often the loop is expected to come by. Its timers are exact to about as much.
const BEAT: Duration = Duration::from_millis(2);

/// The runtime that is under test: it is recorded, and a watchdog looks at it.
pub(super) fn runtime(feed: Option<Arc<Feed>>) -> Result<Runtime, Fault> {
    // What it finds is told in the verdict, and not on standard error as well.
    let mut watchdog = Watchdog::new().reports_per_minute(0);
    if let Some(feed) = feed {
        watchdog = watchdog.on_stall(move |report| feed.stalled(report));
    }
    let builder = Runtime::builder().watchdog(watchdog).record(Level::Lean);
    let builder = builder.blocking_workers_max(WORKERS).thread_name("worker");
    let rt = builder.build();
    rt.map_err(|error| format!("no event loop could be made: {error}").into())
}

/// The page that shows its loop turn by turn.
pub(super) fn dial(watcher: Watcher) -> Result<OpenDial, Fault> {
    let dial = Dial::new(watcher).source(
        "examples/blocking_vs_offloaded/server.rs",
        include_str!("server.rs"),
    );
    let open = dial.open();
    open.map_err(|error| format!("the dial could not be opened: {error}").into())
}

/// Serves on this thread, on a port of the kernel's choice, while `client` runs on another. Returns
/// what it returned, when the server has stopped.
pub(super) fn serve_while<T: Send + 'static>(
    mut rt: Runtime,
    origin: Instant,
    client: impl FnOnce(SocketAddr) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let config = Config {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        // Ctrl-C ends the demo as it ends any program.
        signals: false,
        ..Config::default()
    };
    let longest = Rc::new(Cell::new(Duration::ZERO));
    let app = routes(origin, Rc::clone(&longest));

    let result = rt.block_on(async {
        spawn_named("the beat", feel_the_beat(longest)).detach();
        let mut server = Server::new(app, config);
        server.startup().await.map_err(|error| error.to_string())?;
        let address = server.local_addr().ok_or("the server has no address")?;
        let stop = StopOnDrop(server.handle());
        let client = thread::Builder::new()
            .name("client".into())
            .spawn(move || {
                let _stop = stop;
                client(address)
            })?;
        server.main_loop().await;
        server.shutdown().await.map_err(|error| error.to_string())?;
        // It asked the server to stop, so it is all but over.
        client.join().map_err(|_| "the client panicked")?
    });
    rt.shutdown();
    result
}

fn routes(origin: Instant, longest: Rc<Cell<Duration>>) -> Router {
    let clock = Clock {
        origin,
        the_loop: thread::current().id(),
    };
    Router::new()
        .get(PING, async move |_| clock.report("handled", Instant::now()))
        // The mistake: `async` in front does not make what is called here give way.
        .get(BAD, async move |_| clock.tell(&heavy_sync_operation()))
        // The remedy: the same call, on a thread that has nothing else to do.
        .get(GOOD, async move |_| {
            let done = spawn_blocking(heavy_sync_operation).await;
            done.map(|done| clock.tell(&done))
        })
        .get(YOURS, async move |_| {
            clock.report("handled", Instant::now())
        })
        .get(STUCK, async move |_| {
            format!("stuck {}\n", longest.take().as_micros())
        })
}

/// Times in microseconds since `origin`, which the client knows too.
#[derive(Clone, Copy)]
struct Clock {
    origin: Instant,
    the_loop: ThreadId,
}

impl Clock {
    fn report(self, what: &str, at: Instant) -> String {
        format!("{what} {}\n", (at - self.origin).as_micros())
    }

    /// When the heavy work was done, where, and what came out.
    fn tell(self, done: &Done) -> String {
        let began = self.report("began", done.began);
        let ended = self.report("ended", done.ended);
        let on_loop = done.thread.id() == self.the_loop;
        let name = done.thread.name().unwrap_or("unnamed");
        let digest = done.digest;
        format!("{began}{ended}digest {digest:x}\non_loop {on_loop}\nthread {name}\n")
    }
}

/// A task that is due every 2 ms, and keeps how late it was at most. A loop that is stuck in
/// somebody else's code cannot come by.
async fn feel_the_beat(longest: Rc<Cell<Duration>>) {
    let mut beat = interval(BEAT).missed_ticks(MissedTicks::Skip);
    loop {
        let due = beat.tick().await;
        longest.set(longest.get().max(due.elapsed()));
    }
}

/// Stops the server when the client's thread ends, also by a panic.
struct StopOnDrop(ServerHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
