//! Timers: filed, cancelled, moved, and due.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::peers::TimerPeer;
use crate::stopwatch::Stopwatch;

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
pub(crate) fn insert_and_cancel<P: TimerPeer>(ops: usize, width: usize) -> Vec<f64> {
    let deadlines = deadlines();
    over_timers::<P>(ops, width, |timer, number, cx| {
        P::renew(timer, deadlines[number % deadlines.len()], cx);
    })
}

pub(crate) fn insert_in_place<P: TimerPeer>(ops: usize, width: usize) -> Vec<f64> {
    let deadlines = deadlines();
    over_timers::<P>(ops, width, |timer, number, cx| {
        P::replace(timer, deadlines[number % deadlines.len()], cx);
    })
}

/// An operation: one of `width` timers is moved later, as by a connection
/// that has heard from its peer. What the wheel does when an old deadline
/// comes, once in a timeout, is not seen here, on either side.
pub(crate) fn move_later<P: TimerPeer>(ops: usize, width: usize) -> Vec<f64> {
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
) -> Vec<f64> {
    let mut peer = P::new();
    let deadlines = deadlines();
    let mut watch = Stopwatch::wall();
    let (mut timers, mut next, mut left) = (Vec::new(), 0, ops);
    let future = poll_fn(|cx| {
        if timers.is_empty() {
            timers.extend((0..width).map(|number| {
                let at = deadlines[number % deadlines.len()];
                let mut timer = P::timer(at);
                P::replace(&mut timer, at, cx);
                timer
            }));
            watch = Stopwatch::wall();
        }
        for _ in 0..left.min(TIMERS_A_POLL) {
            work(&mut timers[next], left, cx);
            next = if next + 1 == width { 0 } else { next + 1 };
            left -= 1;
        }
        if left == 0 {
            return Poll::Ready(watch.per_op(ops));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    });
    let took = peer.block_on(P::unlimited(future));
    peer.block_on(async { drop(timers) });
    took
}

/// Sleeping tasks that wait to be due.
struct Night {
    left: Cell<usize>,
    last: Instant,
    /// Since all were filed.
    watch: Cell<Option<Stopwatch>>,
    figures: RefCell<Vec<f64>>,
    waiting: Cell<Option<Waker>>,
}

/// An operation: one sleeping task is due, polled, and gone. The deadlines are
/// a microsecond apart, and were not filed in order.
pub(crate) fn due<P: TimerPeer>(ops: usize, _width: usize) -> Vec<f64> {
    let micros = |count: usize| Duration::from_micros(count as u64);
    // Time to file them in, at 4 us for each.
    let first = Instant::now() + micros(ops * 4);
    let night = Rc::new(Night {
        left: Cell::new(ops),
        last: first + micros(ops - 1),
        watch: Cell::new(None),
        figures: RefCell::default(),
        waiting: Cell::new(None),
    });
    P::new().block_on(async {
        for number in 0..ops {
            let night = Rc::clone(&night);
            // 7,919 is a prime, so each comes once.
            let at = first + micros(number * 7_919 % ops);
            P::launch(async move {
                P::sleep_until(at).await;
                night.end_one(ops);
            });
        }
        // Those before it have been polled, hence filed.
        P::spawn_local(async {}).await;
        night.watch.set(Some(Stopwatch::with_process()));
        poll_fn(|cx| {
            night.waiting.set(Some(cx.waker().clone()));
            match night.left.get() {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    });
    night.figures.take()
}

impl Night {
    fn end_one(&self, ops: usize) {
        self.left.set(self.left.get() - 1);
        if self.left.get() > 0 {
            return;
        }
        let late = self.last.elapsed().as_nanos() as f64;
        let watch = self.watch.take().expect("all are filed before any is due");
        *self.figures.borrow_mut() = vec![watch.per_op(ops)[1], late / 1_000.0];
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}
