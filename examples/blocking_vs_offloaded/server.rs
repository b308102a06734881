//! The server under test: one loop, four routes.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use tourbillon::server::{Config, Server, ServerHandle};
use tourbillon::web::Router;
use tourbillon::{MissedTicks, Runtime, interval, spawn, spawn_blocking};

use super::Fault;
use super::facts::WORKERS;
use super::heavy::{Heavy, heavy_sync_operation};

pub(super) const PING: &str = "/ping";
pub(super) const BAD: &str = "/bad-practice";
pub(super) const GOOD: &str = "/good-practice";
pub(super) const STUCK: &str = "/stuck";

/// How often the loop is expected to come by. Its timers are exact to about as much.
const BEAT: Duration = Duration::from_millis(2);

/// Serves on this thread, on a port of the kernel's choice, while `client` runs on another. Returns
/// what it returned, when the server has stopped.
pub(super) fn serve_while<T: Send + 'static>(
    heavy: Heavy,
    origin: Instant,
    client: impl FnOnce(SocketAddr) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let mut rt = Runtime::builder()
        .blocking_workers_max(WORKERS)
        .thread_name("worker")
        .build()
        .map_err(|error| format!("no event loop could be made: {error}"))?;
    let config = Config {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        // Ctrl-C ends the demo as it ends any program.
        signals: false,
        ..Config::default()
    };
    let longest = Rc::new(Cell::new(Duration::ZERO));
    let app = routes(heavy, origin, Rc::clone(&longest));

    let result = rt.block_on(async {
        spawn(feel_the_beat(longest)).detach();
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

fn routes(heavy: Heavy, origin: Instant, longest: Rc<Cell<Duration>>) -> Router {
    let clock = Clock {
        origin,
        the_loop: thread::current().id(),
    };
    Router::new()
        .get(PING, async move |_| clock.report("handled"))
        // The mistake: `async` in front does not make what is called here give way.
        .get(BAD, async move |_| work(heavy, clock))
        // The remedy: the same call, on a thread that has nothing else to do.
        .get(GOOD, async move |_| {
            spawn_blocking(move || work(heavy, clock)).await
        })
        .get(STUCK, async move |_| {
            format!("stuck {}\n", longest.take().as_micros())
        })
}

/// Does the heavy work, and tells when, where, and what came out.
fn work(heavy: Heavy, clock: Clock) -> String {
    let began = clock.report("began");
    let digest = heavy_sync_operation(heavy);
    let ended = clock.report("ended");
    format!("{began}{ended}digest {digest:x}\n{}", clock.place())
}

/// Times in microseconds since `origin`, which the client knows too.
#[derive(Clone, Copy)]
struct Clock {
    origin: Instant,
    the_loop: ThreadId,
}

impl Clock {
    fn report(self, what: &str) -> String {
        format!("{what} {}\n", self.origin.elapsed().as_micros())
    }

    fn place(self) -> String {
        let thread = thread::current();
        let on_loop = thread.id() == self.the_loop;
        let name = thread.name().unwrap_or("unnamed");
        format!("on_loop {on_loop}\nthread {name}\n")
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
