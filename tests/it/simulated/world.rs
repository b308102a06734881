//! One simulated world: a server, its clients and the networks between them, in one thread.
//!
//! Step by step the dice choose who goes on: the loop for one turn, a client, or a network. When
//! nobody can, the clock moves. First there is a storm; then the networks let everything through,
//! and whatever still waits must come to an end, if only by a timeout.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tourbillon::http::Limits;
use tourbillon::server::{CloseReason, Config, Server, ServerHandle, ServerState};
use tourbillon::{EnterGuard, JoinHandle, Runtime};

use super::application::{Application, Ledger};
use super::client::{Client, Fate};
use super::dice::Dice;
use super::people;
use super::scene::Scene;
use super::script::{BODY_BYTES_MAX, HEAD_BYTES_MAX, TARGET_BYTES_MAX};
use super::verdict;
use super::wire::{ServerEnd, Wire};

/// A world that takes more steps than this does not come to rest.
const STEPS_MAX: usize = 100_000;

/// Nothing lasts longer than the longest chain of timeouts.
const MILLIS_MAX: u64 = 300_000;

/// Steps of the clock while nobody can do anything, in milliseconds.
const STRIDE_MAX: u64 = 500;

pub(super) const HEAD_TIMEOUT: u64 = 10_000;
pub(super) const BODY_TIMEOUT: u64 = 30_000;
pub(super) const KEEP_ALIVE: u64 = 5_000;
pub(super) const WRITE_TIMEOUT: u64 = 30_000;
pub(super) const HALF_CLOSE_TIMEOUT: u64 = 5_000;
pub(super) const LINGER_TIMEOUT: u64 = 2_000;
pub(super) const GRACEFUL_TIMEOUT: u64 = 30_000;

/// What a world was like, for whoever asks whether the seeds reach everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) hash: u64,
    pub(super) events: u64,
    pub(super) requests: usize,
    pub(super) connections: usize,
    /// The reasons why connections ended, a bit each; see [`verdict::REASONS`].
    pub(super) reasons: u32,
}

/// A connection and who is at its two ends.
pub(super) struct Pair {
    pub(super) client: Client,
    pub(super) task: JoinHandle<()>,
    pub(super) reason: Rc<Cell<Option<CloseReason>>>,
    pub(super) was_aborted: bool,
}

/// How the server is told to stop, if it is.
struct Stop {
    at: u64,
    /// When it is asked twice.
    forced_at: Option<u64>,
    was_forced: bool,
    done_at: Rc<Cell<Option<u64>>>,
}

pub(super) struct World {
    pub(super) scene: Rc<Scene>,
    dice: Dice,
    pub(super) runtime: Runtime,
    /// Dropped with the world: wakes by a client then go the short way, else through the queue.
    _entered: Option<EnterGuard>,
    server: Option<Server<Application>>,
    handle: ServerHandle,
    pub(super) state: Rc<ServerState>,
    pub(super) ledger: Rc<Ledger>,
    pub(super) pairs: Vec<Pair>,
    stop: Option<Stop>,
    stride: u64,
}

/// Runs the world of a seed to its end and judges it.
///
/// # Panics
///
/// When the server did what it must not.
pub(super) fn run(seed: u64, scene: &Rc<Scene>) -> Tally {
    let mut world = World::new(seed, scene);
    world.run();
    verdict::judge(&world);
    let past = |pair: &Pair| pair.client.wire.borrow().past;
    for pair in &world.pairs {
        scene.note(0, "bytes read in all", past(pair).read);
        scene.note(0, "bytes written in all", past(pair).written);
    }
    let polls = world.runtime.stats().polls;
    scene.note(0, "polls in all", polls as usize);
    Tally {
        hash: scene.hash(),
        events: scene.events(),
        requests: world.ledger.total(),
        connections: world.pairs.len(),
        reasons: world
            .pairs
            .iter()
            .fold(0, |bits, pair| bits | verdict::bit(pair)),
    }
}

impl World {
    fn new(seed: u64, scene: &Rc<Scene>) -> Self {
        let mut dice = Dice::new(seed);
        let builder = Runtime::builder()
            .manual_clock(&scene.clock)
            .shuffle_ready_queue(dice.roll());
        let runtime = builder.build().expect("a runtime");
        let entered = runtime.enter();
        let clients = dice.between(1, 4);
        let ledger = Ledger::of(clients);
        let server = Server::new(Application::new(&ledger), config());
        let pairs = (0..clients).map(|id| pair(id, scene, &mut dice, &runtime, &server));
        let pairs = pairs.collect();
        let stop = dice.one_in(5).then(|| draw_stop(&mut dice));
        World {
            scene: Rc::clone(scene),
            handle: server.handle(),
            state: server.state(),
            _entered: dice.one_in(2).then_some(entered),
            dice,
            runtime,
            server: Some(server),
            ledger,
            pairs,
            stop,
            stride: 1,
        }
    }

    fn run(&mut self) {
        let storm = self.dice.size(4000);
        for step in 0.. {
            assert!(step < STEPS_MAX, "the world does not come to rest");
            let now = self.scene.now();
            assert!(now < MILLIS_MAX, "{} is without end", self.who_is_left());
            if step == storm {
                self.scene.calm_down();
            }
            self.keep_dates();
            if self.is_over() {
                break;
            }
            self.step();
            verdict::watch(self);
        }
        // What was left behind ends by itself.
        for _ in 0..20 {
            self.settle();
            self.scene.advance(100);
        }
        self.settle();
    }

    fn is_over(&self) -> bool {
        let is_stopped = self
            .stop
            .as_ref()
            .is_none_or(|stop| stop.done_at.get().is_some());
        let mut pairs = self.pairs.iter();
        is_stopped && pairs.all(|pair| pair.client.end.is_some() && pair.task.is_finished())
    }

    fn who_is_left(&self) -> String {
        let pairs = self.pairs.iter().enumerate();
        let left = pairs
            .filter(|(_, pair)| pair.client.end.is_none() || !pair.task.is_finished())
            .map(|(id, pair)| format!("client {id} ({:?})", pair.client.fate));
        let left: Vec<_> = left.collect();
        match left.is_empty() {
            true => "the server's shutdown".into(),
            false => left.join(" and "),
        }
    }

    /// Lets the dice choose among those who can go on.
    fn step(&mut self) {
        const LOOP: usize = usize::MAX;
        let mut ready = [(LOOP, false); 9];
        let mut count = 0;
        let mut add = |entry| {
            ready[count] = entry;
            count += 1;
        };
        if self.runtime.next_timeout() == Some(Duration::ZERO) {
            add((LOOP, false));
        }
        for (id, pair) in self.pairs.iter_mut().enumerate() {
            pair.client.notice();
            if pair.client.can_step() {
                add((id, true));
            }
            if pair.client.wire.borrow().can_step() {
                add((id, false));
            }
        }
        if count == 0 {
            self.wait();
            return;
        }
        self.stride = 1;
        match ready[self.dice.below(count)] {
            (LOOP, _) => self.turn(),
            (id, true) => self.pairs[id].client.step(),
            (id, false) => self.pairs[id].client.wire.borrow_mut().step(),
        }
        if self.dice.one_in(24) {
            self.scene.advance(1);
        }
    }

    fn turn(&mut self) {
        let turned = self.runtime.turn(Some(Duration::ZERO));
        turned.expect("a turn without sockets");
    }

    /// Moves the clock to where somebody may go on, in growing steps: only the server knows when
    /// its timers are due.
    fn wait(&mut self) {
        let now = self.scene.now();
        let mut until = now + self.stride;
        for pair in &self.pairs {
            let times = [pair.client.next_at(), pair.client.wire.borrow().next_at()];
            until = times.into_iter().flatten().fold(until, u64::min);
        }
        if let Some(stop) = &self.stop {
            for at in [stop.at, stop.forced_at.unwrap_or(0)] {
                until = if at > now { until.min(at) } else { until };
            }
        }
        self.stride = (self.stride * 2).min(STRIDE_MAX);
        self.scene.advance(until - now);
    }

    /// Does what was to be done at this time.
    fn keep_dates(&mut self) {
        let now = self.scene.now();
        for (id, pair) in self.pairs.iter_mut().enumerate() {
            let is_time = pair.client.abort_at().is_some_and(|at| now >= at);
            if is_time && !pair.was_aborted && !pair.task.is_finished() {
                self.scene.note(id, "its task is aborted", 0);
                pair.task.abort();
                pair.was_aborted = true;
            }
        }
        let Some(stop) = &mut self.stop else { return };
        if now >= stop.at
            && let Some(server) = self.server.take()
        {
            self.scene.drain();
            let (done, scene) = (Rc::clone(&stop.done_at), Rc::clone(&self.scene));
            let stopping = async move {
                let stopped = server.shutdown().await;
                stopped.expect("a server without lifespan");
                done.set(Some(scene.now()));
            };
            self.runtime.spawn(stopping).detach();
        }
        if !stop.was_forced && stop.forced_at.is_some_and(|at| now >= at) {
            stop.was_forced = true;
            self.handle.stop();
            self.handle.stop();
        }
    }

    /// Turns until nothing is ready.
    fn settle(&mut self) {
        for _ in 0..1000 {
            if self.runtime.next_timeout() != Some(Duration::ZERO) {
                return;
            }
            self.turn();
        }
        panic!("the loop does not come to rest");
    }

    /// When whatever is open still has to end, if the server is told to stop.
    pub(super) fn cut_off_at(&self) -> Option<u64> {
        let stop = self.stop.as_ref()?;
        let forced_at = stop.forced_at.unwrap_or(u64::MAX);
        Some(forced_at.max(stop.at).min(stop.at + GRACEFUL_TIMEOUT))
    }

    /// When the server was told to stop, when it had to have stopped, and when it had.
    pub(super) fn stopped(&self) -> Option<(u64, u64, u64)> {
        let stop = self.stop.as_ref()?;
        let past = |pair: &Pair| pair.client.wire.borrow().past.closed_at;
        let ended = self.pairs.iter().filter_map(past).max();
        let due = ended.unwrap_or(0).max(stop.at);
        let due = due.min(stop.at + GRACEFUL_TIMEOUT);
        let due = due.min(stop.forced_at.unwrap_or(u64::MAX));
        Some((stop.at, due, stop.done_at.get()?))
    }
}

fn draw_stop(dice: &mut Dice) -> Stop {
    let at = dice.size(400) as u64;
    Stop {
        at,
        forced_at: dice.one_in(4).then(|| at + dice.size(2000) as u64),
        was_forced: false,
        done_at: Rc::default(),
    }
}

fn config() -> Config {
    let millis = Duration::from_millis;
    Config {
        limits: Limits {
            head_bytes_max: HEAD_BYTES_MAX,
            target_bytes_max: TARGET_BYTES_MAX,
            body_bytes_max: BODY_BYTES_MAX as u64,
            ..Limits::default()
        },
        head_timeout: millis(HEAD_TIMEOUT),
        body_timeout: millis(BODY_TIMEOUT),
        body_rate_min: 0,
        keep_alive: millis(KEEP_ALIVE),
        write_timeout: millis(WRITE_TIMEOUT),
        half_close_timeout: millis(HALF_CLOSE_TIMEOUT),
        linger_timeout: millis(LINGER_TIMEOUT),
        graceful_timeout: millis(GRACEFUL_TIMEOUT),
        signals: false,
        access_log: tourbillon::server::AccessLog::off(),
        ..Config::default()
    }
}

fn pair(
    id: usize,
    scene: &Rc<Scene>,
    dice: &mut Dice,
    runtime: &Runtime,
    server: &Server<Application>,
) -> Pair {
    let person = people::draw(dice, id);
    let wire = Wire::new(Rc::clone(scene), dice.fork(), id, person.weather);
    let wire = Rc::new(RefCell::new(wire));
    let connection = server.serve_connection(ServerEnd(Rc::clone(&wire)), None);
    let reason = Rc::new(Cell::new(None));
    let told = Rc::clone(&reason);
    let task = runtime.spawn(async move { told.set(Some(connection.await)) });
    let own = (id, Rc::clone(scene), dice.fork());
    let client = Client::new(own, wire, person.script, person.habits, person.fate);
    Pair {
        client,
        task,
        reason,
        was_aborted: false,
    }
}

impl Pair {
    /// Whether nothing of its client's doing disturbs it.
    pub(super) fn reads_on(&self) -> bool {
        matches!(
            self.client.fate,
            Fate::Leaves(_) | Fate::Stays | Fate::Ends(_) | Fate::Freezes(_)
        )
    }
}
