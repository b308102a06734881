//! What do a task, a wake, a timer and a job cost, beside other runtimes?
//!
//! ```sh
//! cd benches/peers
//! cargo build --release --bin runtimes
//! taskset -c 0 target/release/runtimes self yield ping task timer job  # on one core
//! target/release/runtimes thread job                                   # on two
//! target/release/runtimes --small                                      # does it work?
//! ```
//!
//! Words select the rows whose names hold one of them; `--only=ours` runs that
//! side once, for a profiler. The other sides are tokio's three single-threaded
//! ways (`LocalRuntime`, `LocalSet`, and `spawn` on the `current_thread`
//! runtime), smol's `LocalExecutor`, monoio on epoll, and the `LocalPool` of
//! futures. All run in this process, by turns, with the same allocator; the code
//! of a row is generic, so it is the same on each side. A row is `reached` when
//! the fastest of the others takes at least as much as ours. Missing one fails
//! nothing: speed is for reading, not for CI.
//!
//! `ns` is time that passed. `CPU ns` is the work of all threads of the process,
//! `loop CPU ns` that of the loop's thread, where another one spins on purpose.
//!
//! What would make the figures lie:
//! - Others on the same cores, or a frequency that moves. It hits all sides,
//!   so believe the ratios; and pin, except for the rows with a second thread.
//! - tokio's budget of 128 operations a poll: with none left its timers are
//!   not filed at all. The timer rows lift it; the others live with it, as
//!   programs do.
//! - Allocations that only one side makes. A timer in a collection is a fresh
//!   `Box::pin` at tokio and monoio, whose `Sleep` cannot be moved, and none at
//!   ours and smol. So there is another row in which its box is made once and
//!   written over.
//! - tokio without its feature `net` parks on a condition variable and owes
//!   nothing to sockets: it is built with it, as a server would be. `LocalPool`
//!   has no sockets at all, and parks its thread.
//! - `block_on` itself is a task at monoio, and dearer to wake than one at
//!   tokio and smol. Two tasks are what programs have.
//! - smol's timers have no granularity: what is due a microsecond apart is
//!   woken one by one, which is CPU that buys exactness.
//! - Four workers at ours and monoio, up to 500 at tokio and smol.
//! - Where the kernel puts a worker. On the loop's core a job and back takes
//!   5 us, across cores that sleep 20 to 60: both are true, of different days.
//!   Pinned to one core it is the runtimes that are compared, not the kernel.
//!   Ours has one worker for one job at a time, which stays where it was put,
//!   so a run is all near or all far; at tokio, smol and monoio the jobs go
//!   round several, of which some are near. So they look twice as fast on days
//!   when ours is far. With each loop bound to core 0 and each worker to core 1
//!   all of them take 40 to 65 us (November 2026, medians of 6 and 7 rounds
//!   beside other work: ours 61 and 50, tokio 65 and 42, smol 60 and 40, monoio
//!   57 and 47). Ours makes four system calls and two switches a job, as tokio
//!   does; smol and monoio make more.
//! - Memory that an earlier side has warmed. Round zero does not count, and
//!   tasks are weighed in a process of their own.

#[path = "../../../../support/mod.rs"]
mod support;
mod stopwatch;
mod peers;
mod tasks;
mod timers;
mod threads;
mod memory;

use support::{Plan, ROUNDS, Row, Sides};

/// One piece of work, for each of the peers named.
macro_rules! sides {
    ($work:ident: $($peer:ty),*) => {
        vec![$((<$peer as $crate::peers::Peer>::NAME, $work::<$peer> as $crate::support::Side)),*]
    };
}

/// For all whose tasks may hold an `Rc`.
macro_rules! local {
    ($work:ident) => {
        $crate::sides!($work: $crate::peers::ours::Ours,
            $crate::peers::tokio::LocalRuntime, $crate::peers::tokio::LocalSet,
            $crate::peers::smol::Smol, $crate::peers::monoio::Monoio,
            $crate::peers::local_pool::LocalPool)
    };
}

/// For those with timers, which are the same whoever spawned their task.
macro_rules! timed {
    ($work:ident) => {
        $crate::sides!($work: $crate::peers::ours::Ours, $crate::peers::tokio::LocalRuntime,
            $crate::peers::smol::Smol, $crate::peers::monoio::Monoio)
    };
}

pub(crate) use {local, sides, timed};

fn main() {
    if memory::was_child() {
        return;
    }
    let plan = Plan::from_args(|args| args.iter().any(|arg| arg == "--small"));
    let rows = [task_rows(), timer_rows(), thread_rows(), memory_rows()];
    plan.run(rows.into_iter().flatten().collect());
}

const MILLION: usize = 1_000_000;
const TASK: (usize, usize) = (MILLION, 2_000);
const WAKE: (usize, usize) = (2 * MILLION, 20_000);
const TIMER: (usize, usize) = (MILLION, 20_000);
const TRIP: (usize, usize) = (10_000, 20);

fn row(name: &'static str, ops: (usize, usize), width: usize, sides: Sides) -> Row {
    Row {
        name,
        ops,
        width,
        units: &["ns"],
        goal: Some(1.0),
        cores: 1,
        rounds: ROUNDS,
        sides,
    }
}

fn task_rows() -> Vec<Row> {
    use peers::local_pool::LocalPool;
    use peers::monoio::Monoio;
    use peers::ours::Ours;
    use peers::smol::Smol;
    use peers::tokio::{CurrentThread, LocalRuntime, LocalSet};
    use tasks::{channels, oneshots, ping_pong, root_ping_pong, self_wake, spawn_and_join, yields};

    // `tokio::spawn` takes no future with an `Rc` in it; its scheduler is that
    // of `LocalRuntime`.
    macro_rules! all {
        ($work:ident) => {
            sides!($work: Ours, LocalRuntime, LocalSet, CurrentThread, Smol, Monoio, LocalPool)
        };
    }
    vec![
        row(
            "task spawn and join, by the thousand",
            TASK,
            1_000,
            all!(spawn_and_join),
        ),
        row(
            "task spawn all, then join all",
            TASK,
            MILLION,
            all!(spawn_and_join),
        ),
        row("self-wake, 1 task", WAKE, 1, all!(self_wake)),
        row("self-wake, 100 tasks", WAKE, 100, all!(self_wake)),
        row("self-wake, 10,000 tasks", WAKE, 10_000, all!(self_wake)),
        row("yield_now, 1 task", TASK, 1, local!(yields)),
        row("yield_now, 100 tasks", TASK, 100, local!(yields)),
        row("ping-pong by a bare slot", TASK, 1, local!(ping_pong)),
        row(
            "ping-pong of block_on and a task",
            TASK,
            1,
            local!(root_ping_pong),
        ),
        row("ping-pong by two channels", TASK, 1, local!(channels)),
        row("ping-pong by oneshots", TASK, 1, local!(oneshots)),
    ]
}

fn timer_rows() -> Vec<Row> {
    use timers::{due, insert_and_cancel, insert_in_place, move_later};

    let row = |name, sides| row(name, TIMER, 10_000, sides);
    vec![
        row(
            "timer insert and cancel, 10,000 out",
            timed!(insert_and_cancel),
        ),
        row("timer the same, its box made once", timed!(insert_in_place)),
        row("timer moved later, 10,000 out", timed!(move_later)),
        Row {
            units: &["CPU ns", "us late"],
            rounds: 3,
            ..row("timers due, a million in a second", timed!(due))
        },
    ]
}

fn thread_rows() -> Vec<Row> {
    use peers::monoio::Monoio;
    use peers::ours::Ours;
    use peers::smol::Smol;
    use peers::tokio::{LocalRuntime, LocalSet};
    use threads::{far_wake, far_wake_busy, job, job_busy, many_jobs};

    macro_rules! pooled {
        ($work:ident) => {
            sides!($work: Ours, LocalRuntime, LocalSet, Smol, Monoio)
        };
    }
    // The far thread spins so as to answer at once: it needs a core.
    let wake = |name, sides| Row {
        units: &["ns", "loop CPU ns"],
        cores: 2,
        ..row(name, TRIP, 1, sides)
    };
    let job_row = |name, ops, sides| Row {
        units: &["ns", "CPU ns"],
        ..row(name, ops, 1, sides)
    };
    vec![
        wake("thread wake and back, idle loop", local!(far_wake)),
        wake("thread wake and back, busy loop", local!(far_wake_busy)),
        job_row("job and back, idle loop", TRIP, pooled!(job)),
        job_row("job and back, busy loop", TRIP, pooled!(job_busy)),
        job_row(
            "jobs, 100,000 at once",
            (100_000, 1_000),
            pooled!(many_jobs),
        ),
    ]
}

fn memory_rows() -> Vec<Row> {
    use memory::{idle, sleeping};

    let row = |name, sides| Row {
        units: &["bytes"],
        rounds: 3,
        ..row(name, (100_000, 2_000), 1, sides)
    };
    vec![
        row("memory of an idle task", local!(idle)),
        row("memory of a sleeping task", timed!(sleeping)),
    ]
}
