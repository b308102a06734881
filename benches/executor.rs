//! What do a task, a wake, a timer and a job cost, beside tokio?
//!
//! ```sh
//! taskset -c 0 cargo bench --bench executor            # a minute
//! cargo bench --bench executor -- thread job           # these want two cores
//! cargo bench --bench executor -- --test               # small: does it work?
//! ```
//!
//! Words after the options select the rows whose names hold one of them;
//! `--only=ours` runs that side once, for a profiler. The other sides are tokio's
//! three single-threaded ways: `LocalRuntime`, `LocalSet`, and `spawn` on the
//! `current_thread` runtime. All run in this process, by turns, with the same
//! allocator; the code of a row is generic, so it is the same on each side. A
//! goal counts as reached beside the fastest of the three. Missing one fails
//! nothing: speed is for reading, not for CI.
//!
//! What would make the figures lie:
//! - Others on the same cores, or a frequency that moves. It hits all sides,
//!   so believe the ratios; and pin, except for the rows with a second thread.
//! - A debug build. It says so.
//! - The profile. This one is what `cargo build --release` gives; with
//!   `CARGO_PROFILE_BENCH_LTO=fat` tokio, which is not generic, gains more
//!   than we do: a self-wake is then 1.2 to 1.9 times as fast, not 2.5 to 3.
//! - tokio's budget of 128 operations a poll: with none left its timers are
//!   not filed at all. The timer rows lift it; the others live with it, as
//!   programs do.
//! - Allocations that only one side makes. A timer in a collection is a fresh
//!   `Box::pin` at tokio, whose `Sleep` cannot be moved, and none here. So
//!   there is another row in which its box is made once and written over.
//! - tokio without its feature `net` parks on a condition variable and owes
//!   nothing to sockets: it is built with it, as a server would be.
//! - Memory that an earlier side has warmed. Round zero does not count.

#[path = "support/peers.rs"]
mod peers;
mod support;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hint::spin_loop;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use peers::{CurrentThread, LocalPeer, LocalRuntime, LocalSet, Ours, Peer, TimerPeer};
use support::{Plan, Row, Side, Sides};

fn main() {
    Plan::from_args().run(rows());
}

/// One piece of work, for each of the peers named.
macro_rules! sides {
    ($work:ident: $($peer:ty),*) => {
        vec![$((<$peer as Peer>::NAME, $work::<$peer> as Side)),*]
    };
}

const MILLION: usize = 1_000_000;
const TASK: (usize, usize) = (MILLION, 2_000);
const WAKE: (usize, usize) = (2 * MILLION, 20_000);
const TIMER: (usize, usize) = (MILLION, 20_000);
const TRIP: (usize, usize) = (2_000, 20);

fn rows() -> Vec<Row> {
    let mut rows = task_rows();
    rows.extend(timer_rows());
    rows.extend(thread_rows());
    rows
}

fn row(
    name: &'static str,
    ops: (usize, usize),
    width: usize,
    goal: Option<f64>,
    sides: Sides,
) -> Row {
    Row {
        name,
        ops,
        width,
        goal,
        cores: 1,
        sides,
    }
}

fn task_rows() -> Vec<Row> {
    let join = || sides!(spawn_and_join: Ours, LocalRuntime, LocalSet, CurrentThread);
    let wake = || sides!(self_wake: Ours, LocalRuntime, LocalSet, CurrentThread);
    // `tokio::spawn` takes no future with an `Rc` in it; its scheduler is that
    // of `LocalRuntime`.
    let pair = sides!(ping_pong: Ours, LocalRuntime, LocalSet);
    let root = sides!(root_ping_pong: Ours, LocalRuntime, LocalSet);
    vec![
        row(
            "spawn and join, by the thousand",
            TASK,
            1_000,
            Some(2.5),
            join(),
        ),
        row("spawn all, then join all", TASK, MILLION, None, join()),
        row("self-wake, 1 task", WAKE, 1, Some(3.0), wake()),
        row("self-wake, 100 tasks", WAKE, 100, Some(3.0), wake()),
        row("self-wake, 10,000 tasks", WAKE, 10_000, Some(3.0), wake()),
        row("ping-pong of two tasks", TASK, 1, None, pair),
        row("ping-pong of block_on and a task", TASK, 1, None, root),
    ]
}

/// A timer is the same whoever spawned its task.
fn timer_rows() -> Vec<Row> {
    let insert = sides!(insert_and_cancel: Ours, LocalRuntime);
    let in_place = sides!(insert_in_place: Ours, LocalRuntime);
    let later = sides!(move_later: Ours, LocalRuntime);
    let row = |name, goal, sides| row(name, TIMER, 10_000, goal, sides);
    vec![
        row("timer insert and cancel, 10,000 out", Some(4.0), insert),
        row("the same, its box made once", None, in_place),
        row("timer moved later, 10,000 out", Some(2.0), later),
    ]
}

fn thread_rows() -> Vec<Row> {
    let idle = sides!(far_wake: Ours, LocalRuntime, LocalSet);
    let busy = sides!(far_wake_busy: Ours, LocalRuntime, LocalSet);
    let job_idle = sides!(job: Ours, LocalRuntime, LocalSet);
    let job_busy = sides!(job_busy: Ours, LocalRuntime, LocalSet);
    // The far thread spins so as to answer at once: it needs a core.
    let spinning = |row| Row { cores: 2, ..row };
    vec![
        spinning(row(
            "thread wake and back, idle loop",
            TRIP,
            1,
            Some(1.0),
            idle,
        )),
        spinning(row(
            "thread wake and back, busy loop",
            TRIP,
            1,
            Some(1.0),
            busy,
        )),
        row("job and back, idle loop", TRIP, 1, Some(1.0), job_idle),
        row("job and back, busy loop", TRIP, 1, Some(1.0), job_busy),
    ]
}

/// A task that must be polled `wakes` times more, and sees to it itself.
struct SelfWake {
    wakes: usize,
}

impl Future for SelfWake {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.wakes == 0 {
            return Poll::Ready(());
        }
        self.wakes -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// An operation: one no-op task, from its spawn to its result.
fn spawn_and_join<P: Peer>(ops: usize, width: usize) -> Duration {
    let mut handles = Vec::with_capacity(width);
    P::new().block_on(async {
        let mut began = Instant::now();
        // One batch more, to warm up, if there are several.
        let batches = ops / width;
        for batch in 0..batches + usize::from(batches > 1) {
            if batch == 1 {
                began = Instant::now();
            }
            handles.extend((0..width).map(|_| P::spawn(async {})));
            for handle in handles.drain(..) {
                handle.await.expect("a task that does nothing succeeds");
            }
        }
        began.elapsed()
    })
}

/// An operation: one wake and the poll that follows. The spawns are counted
/// in; there are at least 200 wakes to each.
fn self_wake<P: Peer>(ops: usize, width: usize) -> Duration {
    let mut handles = Vec::with_capacity(width);
    P::new().block_on(async {
        let began = Instant::now();
        let wakes = ops / width;
        handles.extend((0..width).map(|_| P::spawn(SelfWake { wakes })));
        for handle in handles.drain(..) {
            handle.await.expect("a task that wakes itself succeeds");
        }
        began.elapsed()
    })
}

/// Two futures that run by turns.
#[derive(Default)]
struct Court {
    turn: Cell<usize>,
    waiting: [Cell<Option<Waker>>; 2],
}

/// Side `me` of a ping-pong, until it has hit the ball `hits` times.
async fn player(court: Rc<Court>, me: usize, mut hits: usize) {
    let other = 1 - me;
    poll_fn(|cx| {
        if court.turn.get() != me {
            court.waiting[me].set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        court.turn.set(other);
        if let Some(waker) = court.waiting[other].take() {
            waker.wake();
        }
        hits -= 1;
        if hits == 0 {
            return Poll::Ready(());
        }
        court.waiting[me].set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// An operation: there and back, two wakes and two polls.
fn ping_pong<P: LocalPeer>(ops: usize, _width: usize) -> Duration {
    P::new().block_on(async {
        let court = Rc::new(Court::default());
        let began = Instant::now();
        let ping = P::spawn_local(player(Rc::clone(&court), 0, ops));
        let pong = P::spawn_local(player(court, 1, ops));
        ping.await.expect("ping succeeds");
        pong.await.expect("pong succeeds");
        began.elapsed()
    })
}

/// The same with one side in `block_on` itself.
fn root_ping_pong<P: LocalPeer>(ops: usize, _width: usize) -> Duration {
    P::new().block_on(async {
        let court = Rc::new(Court::default());
        let began = Instant::now();
        let pong = P::spawn_local(player(Rc::clone(&court), 1, ops));
        player(court, 0, ops).await;
        pong.await.expect("pong succeeds");
        began.elapsed()
    })
}

/// How many timers are handled in one poll, so that the loop turns at times.
const TIMERS_A_POLL: usize = 1_000;

/// Times from 60 to 124 s ahead, not in order, ready-made: adding to an
/// `Instant` costs a fifth of what is measured here.
fn deadlines() -> [Instant; 1_024] {
    let base = Instant::now();
    std::array::from_fn(|number| {
        let micros = 60_000_000 + (number as u64).wrapping_mul(7_919_537) % 64_000_000;
        base + Duration::from_micros(micros)
    })
}

/// An operation: the oldest of `width` timers is cancelled, and another filed.
fn insert_and_cancel<P: TimerPeer>(ops: usize, width: usize) -> Duration {
    let deadlines = deadlines();
    over_timers::<P>(ops, width, |timer, number, cx| {
        P::renew(timer, deadlines[number % deadlines.len()], cx);
    })
}

fn insert_in_place<P: TimerPeer>(ops: usize, width: usize) -> Duration {
    let deadlines = deadlines();
    over_timers::<P>(ops, width, |timer, number, cx| {
        P::replace(timer, deadlines[number % deadlines.len()], cx);
    })
}

/// An operation: one of `width` timers is moved later, as by a connection
/// that has heard from its peer. What the wheel does when an old deadline
/// comes, once in a timeout, is not seen here, on either side.
fn move_later<P: TimerPeer>(ops: usize, width: usize) -> Duration {
    let mut later = Instant::now() + Duration::from_secs(130);
    over_timers::<P>(ops, width, |timer, _, _| {
        later += Duration::from_micros(1);
        P::move_to(timer, later);
    })
}

fn over_timers<P: TimerPeer>(
    ops: usize,
    width: usize,
    mut work: impl FnMut(&mut P::Timer, usize, &mut Context<'_>),
) -> Duration {
    let mut peer = P::new();
    let deadlines = deadlines();
    let mut began = deadlines[0];
    let (mut timers, mut next, mut left) = (Vec::new(), 0, ops);
    let future = poll_fn(|cx| {
        if timers.is_empty() {
            timers.extend((0..width).map(|number| {
                let at = deadlines[number % deadlines.len()];
                let mut timer = P::timer(at);
                P::replace(&mut timer, at, cx);
                timer
            }));
            began = Instant::now();
        }
        for _ in 0..left.min(TIMERS_A_POLL) {
            work(&mut timers[next], left, cx);
            next = if next + 1 == width { 0 } else { next + 1 };
            left -= 1;
        }
        if left == 0 {
            return Poll::Ready(began.elapsed());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let took = peer.block_on(P::unlimited(future));
    peer.block_on(async { drop(timers) });
    took
}

/// Between a task and a far thread.
#[derive(Default)]
struct Relay {
    /// Trips begun by the task; `u64::MAX` sends the far thread home.
    sent: AtomicU64,
    answered: AtomicU64,
    waiting: Mutex<Option<Waker>>,
}

impl Relay {
    /// The far thread: spins until asked, lets `pause` go by, answers, wakes.
    fn answer(&self, pause: Duration) {
        for trip in 1.. {
            let mut sent = self.sent.load(Ordering::Acquire);
            while sent < trip {
                spin_loop();
                sent = self.sent.load(Ordering::Acquire);
            }
            if sent == u64::MAX {
                return;
            }
            let asked = Instant::now();
            while asked.elapsed() < pause {
                spin_loop();
            }
            let waiting = self.waiting();
            self.answered.store(trip, Ordering::Release);
            if let Some(waker) = waiting {
                waker.wake();
            }
        }
    }

    fn waiting(&self) -> Option<Waker> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take()
    }

    /// The task: one trip.
    async fn trip(&self, number: u64) {
        poll_fn(|cx| {
            if self.answered.load(Ordering::Acquire) == number {
                return Poll::Ready(());
            }
            if self.sent.load(Ordering::Relaxed) != number {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                *waiting = Some(cx.waker().clone());
                drop(waiting);
                self.sent.store(number, Ordering::Release);
            }
            Poll::Pending
        })
        .await;
    }
}

/// An operation: a task asks another thread, which wakes it, but not before
/// the loop has fallen asleep: else the one that is slow to do so would win.
fn far_wake<P: LocalPeer>(ops: usize, _width: usize) -> Duration {
    far_trips::<P>(ops, false)
}

fn far_wake_busy<P: LocalPeer>(ops: usize, _width: usize) -> Duration {
    far_trips::<P>(ops, true)
}

fn far_trips<P: LocalPeer>(ops: usize, is_busy: bool) -> Duration {
    let relay = Arc::new(Relay::default());
    let far = Arc::clone(&relay);
    let pause = Duration::from_micros(if is_busy { 0 } else { 10 });
    let far = thread::spawn(move || far.answer(pause));
    let took = beside_a_busy_task::<P>(is_busy, async move {
        // The first one waits for the thread to start.
        relay.trip(1).await;
        let began = Instant::now();
        for number in 2..ops as u64 + 2 {
            relay.trip(number).await;
        }
        let took = began.elapsed();
        relay.sent.store(u64::MAX, Ordering::Release);
        took
    });
    far.join().expect("the far thread does not panic");
    took
}

/// An operation: a job that does nothing, from the task to a worker and back.
fn job<P: LocalPeer>(ops: usize, _width: usize) -> Duration {
    jobs::<P>(ops, false)
}

fn job_busy<P: LocalPeer>(ops: usize, _width: usize) -> Duration {
    jobs::<P>(ops, true)
}

fn jobs<P: LocalPeer>(ops: usize, is_busy: bool) -> Duration {
    beside_a_busy_task::<P>(is_busy, async move {
        // The first ones wait for threads to start.
        for _ in 0..10 {
            P::run_job().await;
        }
        let began = Instant::now();
        for _ in 0..ops {
            P::run_job().await;
        }
        began.elapsed()
    })
}

/// Runs `work` as a task, if wanted beside one that wakes itself all the time.
fn beside_a_busy_task<P: LocalPeer>(
    is_busy: bool,
    work: impl Future<Output = Duration> + 'static,
) -> Duration {
    let took = Rc::new(Cell::new(None));
    let (seen, result) = (Rc::clone(&took), Rc::clone(&took));
    P::new().block_on(async {
        let busy = P::spawn_local(poll_fn(move |cx| {
            if !is_busy || seen.get().is_some() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
        let work = P::spawn_local(async move { result.set(Some(work.await)) });
        work.await.expect("the task that measures succeeds");
        busy.await.expect("the busy task succeeds");
    });
    took.get()
        .expect("the task that measures has left its result")
}
