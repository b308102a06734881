//! Wakes from another thread, and jobs for other threads.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::hint::spin_loop;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::peers::{LocalPeer, PoolPeer};
use crate::stopwatch::Stopwatch;

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
pub(crate) fn far_wake<P: LocalPeer>(ops: usize, _width: usize) -> Vec<f64> {
    far_trips::<P>(ops, false)
}

pub(crate) fn far_wake_busy<P: LocalPeer>(ops: usize, _width: usize) -> Vec<f64> {
    far_trips::<P>(ops, true)
}

fn far_trips<P: LocalPeer>(ops: usize, is_busy: bool) -> Vec<f64> {
    let relay = Arc::new(Relay::default());
    let far = Arc::clone(&relay);
    let pause = Duration::from_micros(if is_busy { 0 } else { 10 });
    let far = thread::spawn(move || far.answer(pause));
    let took = beside_a_busy_task::<P>(is_busy, async move {
        // The first one waits for the thread to start.
        relay.trip(1).await;
        let watch = Stopwatch::with_thread();
        for number in 2..ops as u64 + 2 {
            relay.trip(number).await;
        }
        let took = watch.per_op(ops);
        relay.sent.store(u64::MAX, Ordering::Release);
        took
    });
    far.join().expect("the far thread does not panic");
    took
}

/// An operation: a job that does nothing, from the task to a worker and back.
pub(crate) fn job<P: PoolPeer>(ops: usize, _width: usize) -> Vec<f64> {
    jobs::<P>(ops, false)
}

pub(crate) fn job_busy<P: PoolPeer>(ops: usize, _width: usize) -> Vec<f64> {
    jobs::<P>(ops, true)
}

fn jobs<P: PoolPeer>(ops: usize, is_busy: bool) -> Vec<f64> {
    beside_a_busy_task::<P>(is_busy, async move {
        // The first ones wait for threads to start.
        for _ in 0..10 {
            P::start_job().await;
        }
        let watch = Stopwatch::with_process();
        for _ in 0..ops {
            P::start_job().await;
        }
        watch.per_op(ops)
    })
}

/// An operation: one of many jobs, all handed in before the first is awaited.
pub(crate) fn many_jobs<P: PoolPeer>(ops: usize, _width: usize) -> Vec<f64> {
    let mut jobs = Vec::with_capacity(ops);
    P::new().block_on(async {
        let watch = Stopwatch::with_process();
        jobs.extend((0..ops).map(|_| Box::pin(P::start_job())));
        for job in jobs.drain(..) {
            job.await;
        }
        watch.per_op(ops)
    })
}

/// Two tasks: one that measures, and one that keeps the loop busy meanwhile.
#[derive(Default)]
struct Pair {
    figures: RefCell<Option<Vec<f64>>>,
    /// Since the busy one has looked.
    was_polled: Cell<bool>,
    is_starved: Cell<bool>,
}

/// The busy task gives up when the other one was not polled for so long.
const PATIENCE: Duration = Duration::from_secs(1);

/// To look at the clock every time would cost as much as a poll.
const POLLS_A_LOOK: u32 = 1 << 16;

/// Runs `work` as a task, if wanted beside one that wakes itself all the time.
/// No figures if that one starves it.
fn beside_a_busy_task<P: LocalPeer>(
    is_busy: bool,
    work: impl Future<Output = Vec<f64>> + 'static,
) -> Vec<f64> {
    let pair = Rc::new(Pair::default());
    let (measured, seen) = (Rc::clone(&pair), Rc::clone(&pair));
    P::new().block_on(async {
        let busy = P::spawn_local(async move {
            if is_busy {
                keep_busy(&seen).await;
            }
        });
        let work = P::spawn_local(async move {
            let mut work = pin!(work);
            let figures = poll_fn(|cx| {
                measured.was_polled.set(true);
                work.as_mut().poll(cx)
            })
            .await;
            measured.figures.replace(Some(figures));
        });
        work.await;
        busy.await;
    });
    let figures = pair.figures.take();
    let figures = figures.expect("the task that measures has left its figures");
    if pair.is_starved.get() {
        return Vec::new();
    }
    figures
}

async fn keep_busy(pair: &Pair) {
    let (mut polls, mut looked) = (0_u32, Instant::now());
    poll_fn(|cx| {
        if pair.figures.borrow().is_some() {
            return Poll::Ready(());
        }
        polls += 1;
        if polls % POLLS_A_LOOK == 0 {
            if pair.was_polled.take() {
                looked = Instant::now();
            } else if looked.elapsed() > PATIENCE {
                pair.is_starved.set(true);
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
