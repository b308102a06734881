//! What tasks await: timers, intervals, timeouts, and each other.

mod handles;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tourbillon::time::ManualClock;
use tourbillon::{
    Elapsed, MissedTicks, Runtime, Timer, call_at, call_later, interval, interval_at, sleep,
    sleep_until, spawn, spawn_named, timeout, yield_now,
};

use crate::support::{Dice, Foreign, block_on, caught, manual, text_of, within};

const MS: Duration = Duration::from_millis(1);

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Moves the hand one tick at a time and runs what is due at each.
fn step(rt: &mut Runtime, time: &ManualClock, ticks: u32) {
    for _ in 0..ticks {
        time.advance(MS);
        rt.run_until_stalled().unwrap();
    }
}

#[test]
fn timers_are_never_early_and_on_a_manual_clock_never_late() {
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let (mut rt, time) = manual();
        let start = time.now();
        let fired = Rc::new(RefCell::new(Vec::new()));
        let mut expected = Vec::new();
        let entered = rt.enter();
        for number in 0..60 {
            let due = Duration::from_micros(dice.below(200_000));
            let (fired, time) = (Rc::clone(&fired), time.clone());
            let note = move || fired.borrow_mut().push((number, time.now() - start));
            match dice.below(3) {
                0 => drop(call_later(due, note)),
                1 => drop(call_at(start + due, note)),
                _ => spawn(async move {
                    sleep_until(start + due).await;
                    note();
                })
                .detach(),
            }
            expected.push(due);
        }
        drop(entered);
        rt.run_until_stalled().unwrap();
        step(&mut rt, &time, 210);
        let mut fired = fired.take();
        assert_eq!(fired.len(), 60, "seed {seed}");
        fired.sort_unstable();
        for (number, at) in fired {
            let due = expected[number];
            assert!(
                at >= due && at < due + MS,
                "seed {seed}: due {due:?}, fired at {at:?}"
            );
        }
    }
}

#[test]
fn timers_are_never_early_on_a_real_clock() {
    block_on(|| async {
        let mut tasks = Vec::new();
        for micros in [0, 1, 500, 999, 1000, 1001, 4_300, 9_999, 20_000] {
            tasks.push(spawn(async move {
                let (began, delay) = (Instant::now(), Duration::from_micros(micros));
                sleep(delay).await;
                assert!(began.elapsed() >= delay, "{micros} us");
                let began = Instant::now();
                let (done, called) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(false)));
                let (at, hit) = (Rc::clone(&done), Rc::clone(&called));
                let _timer = call_later(delay, move || {
                    at.set(Some(Instant::now()));
                    hit.set(true);
                });
                while !called.get() {
                    sleep(MS).await;
                }
                assert!(done.get().unwrap() - began >= delay, "{micros} us");
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn cancelled_timers_never_fire_and_let_go_of_what_they_held() {
    let (mut rt, time) = manual();
    let held = Rc::new(());
    let _entered = rt.enter();
    let timers: Vec<_> = (0..100)
        .map(|number| {
            let held = Rc::clone(&held);
            call_later(MS * number, move || {
                panic!("cancelled, and still called: {held:?}")
            })
        })
        .collect();
    let mut sleeps: Vec<_> = (1..100).map(|number| sleep(MS * number)).collect();
    sleeps
        .iter_mut()
        .for_each(|sleep| assert!(poll_once(sleep).is_pending()));
    assert_eq!(rt.stats().timers_waiting, 199);
    assert!(timers.into_iter().all(|timer| timer.cancel()));
    drop(sleeps);
    assert_eq!((Rc::strong_count(&held), rt.stats().timers_waiting), (1, 0));
    step(&mut rt, &time, 120);
    assert_eq!((rt.stats().panics, rt.stats().timers_fired), (0, 0));
}

/// Once a fault: each of them searched the line of callbacks, and a hundred thousand took minutes.
#[test]
fn timers_that_are_due_and_not_called_yet_are_cancelled_one_by_one() {
    const TIMERS: usize = 100_000;
    let (mut rt, time) = manual();
    let _entered = rt.enter();
    let called = Rc::new(RefCell::new(Vec::new()));
    let timers: Rc<RefCell<Vec<Timer>>> = Rc::default();
    let cancelled = Rc::new(Cell::new(0));
    let (count, all) = (Rc::clone(&cancelled), Rc::clone(&timers));
    let _first = call_later(Duration::from_millis(1), move || {
        // From the end, and only those with an even number.
        for (number, timer) in all.take().into_iter().enumerate().rev() {
            if number % 2 == 0 {
                count.set(count.get() + usize::from(timer.cancel()));
            }
        }
    });
    for number in 0..TIMERS {
        let called = Rc::clone(&called);
        let timer = call_later(Duration::from_millis(1), move || {
            called.borrow_mut().push(number)
        });
        timers.borrow_mut().push(timer);
    }
    time.advance(Duration::from_millis(1));
    rt.run_until_stalled().unwrap();
    assert_eq!(cancelled.get(), TIMERS / 2);
    assert!(called.take().into_iter().eq((1..TIMERS).step_by(2)));
    assert_eq!(rt.stats().callbacks, 1 + TIMERS as u64 / 2);
}

#[test]
fn a_timer_that_fired_is_not_cancelled_any_more() {
    let (mut rt, time) = manual();
    let _entered = rt.enter();
    let called = Rc::new(Cell::new(0));
    let count = Rc::clone(&called);
    let timer = call_later(MS, move || count.set(count.get() + 1));
    step(&mut rt, &time, 5);
    assert!(!timer.cancel());
    assert_eq!(called.get(), 1);
}

#[test]
fn a_sleep_can_be_moved_both_ways() {
    let (mut rt, time) = manual();
    let start = time.now();
    // (first deadline, when it is moved, new deadline), in ms.
    for (first, at, new) in [
        (10, 5, 20),
        (20, 5, 10),
        (20, 5, 3),
        (10, 15, 20),
        (5, 4, 5),
    ] {
        let began = time.now() - start;
        let ended = Rc::new(Cell::new(None));
        let (done, now) = (Rc::clone(&ended), time.clone());
        let (origin, moved) = (time.now(), Rc::new(Cell::new(false)));
        let has_moved = Rc::clone(&moved);
        let task = rt.spawn(async move {
            let mut sleep = sleep_until(origin + MS * first);
            let mut reset = sleep_until(origin + MS * at);
            poll_fn(|cx| {
                if !has_moved.get() && Pin::new(&mut reset).poll(cx).is_ready() {
                    has_moved.set(true);
                    sleep.reset(origin + MS * new);
                    assert_eq!(sleep.deadline(), Some(origin + MS * new));
                }
                if !has_moved.get() {
                    // Before the move the sleep is polled so that it stands in the wheel.
                    let _ = Pin::new(&mut sleep).poll(cx);
                    return Poll::Pending;
                }
                Pin::new(&mut sleep).poll(cx)
            })
            .await;
            done.set(Some(now.now() - origin));
        });
        rt.run_until_stalled().unwrap();
        step(&mut rt, &time, 40);
        assert!(task.is_finished(), "{first} {at} {new}, begun at {began:?}");
        assert_eq!(
            ended.get(),
            Some(MS * new.max(at)),
            "{first} ms moved at {at} to {new}"
        );
    }
    assert_eq!(rt.stats().timers_waiting, 0);
}

#[test]
fn a_sleep_for_ever_never_ends_and_costs_no_wake() {
    let (mut rt, time) = manual();
    let task = rt.spawn(sleep_forever());
    rt.run_until_stalled().unwrap();
    let polls = rt.stats().polls;
    for years in [1, 10, 100] {
        time.advance(Duration::from_secs(years * 365 * 86_400));
        rt.run_until_stalled().unwrap();
    }
    assert!(!task.is_finished());
    assert_eq!(rt.stats().polls, polls);
    // On a real clock such a sleeper neither ends nor spins.
    within(|| {
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async {
            let forever = spawn(sleep_forever());
            sleep(MS * 20).await;
            assert!(!forever.is_finished());
        });
        assert!(
            rt.stats().turns < 1000,
            "{} turns in 20 ms",
            rt.stats().turns
        );
    });
}

async fn sleep_forever() {
    assert!(sleep(Duration::MAX).deadline().is_none());
    sleep(Duration::MAX).await;
}

#[test]
fn a_deadline_in_the_past_is_due_at_once() {
    let (mut rt, time) = manual();
    time.advance(Duration::from_secs(5));
    let past = time.now() - Duration::from_secs(3);
    let called = Rc::new(Cell::new(false));
    let call = Rc::clone(&called);
    let _entered = rt.enter();
    let _timer = call_at(past, move || call.set(true));
    assert_eq!(rt.next_timeout(), Some(Duration::ZERO));
    rt.run_until_stalled().unwrap();
    assert!(called.get());
    assert!(poll_once(&mut sleep_until(past)).is_ready());
    rt.block_on(async move { sleep_until(past).await });
}

#[test]
fn a_timeout_lets_a_future_win_that_is_ready_in_time() {
    let (mut rt, time) = manual();
    let results = Rc::new(RefCell::new(Vec::new()));
    let note = Rc::clone(&results);
    let hand = time.clone();
    rt.spawn(async move {
        let in_no_time = timeout(Duration::ZERO, ready(1)).await;
        // Both are due in the same turn: the future is looked at first.
        let both = async {
            sleep(MS * 5).await;
            2
        };
        let together = timeout(MS * 5, both).await;
        let never = timeout(MS * 5, pending()).await;
        let for_ever = timeout(Duration::MAX, ready(4)).await;
        let late = async {
            hand.advance(MS * 100);
            5
        };
        let late = timeout(MS, late).await;
        note.replace(vec![in_no_time, together, never, for_ever, late]);
    })
    .detach();
    rt.run_until_stalled().unwrap();
    step(&mut rt, &time, 12);
    assert_eq!(
        *results.borrow(),
        [Ok(1), Ok(2), Err(Elapsed), Ok(4), Ok(5)]
    );
    assert_eq!(
        std::io::Error::from(Elapsed).kind(),
        std::io::ErrorKind::TimedOut
    );
    assert_eq!(rt.stats().timers_waiting, 0);
}

#[test]
fn an_interval_keeps_its_beat_and_treats_missed_ones_as_told() {
    for (missed, expected) in [
        (MissedTicks::Burst, [0, 10, 20, 30, 40, 50, 60]),
        (MissedTicks::Delay, [0, 10, 45, 55, 65, 75, 85]),
        (MissedTicks::Skip, [0, 10, 40, 50, 60, 70, 80]),
    ] {
        let (mut rt, time) = manual();
        let start = time.now();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (note, hand) = (Rc::clone(&seen), time.clone());
        rt.spawn(async move {
            let mut beat = interval(MS * 10).missed_ticks(missed);
            for number in 0..7 {
                let due = beat.tick().await;
                assert!(due <= hand.now(), "never early");
                note.borrow_mut().push((due - start).as_millis());
                if number == 1 {
                    // At 10 ms nobody listens until 35, so 20 and 30 are missed.
                    hand.advance(MS * 25);
                }
            }
        })
        .detach();
        rt.run_until_stalled().unwrap();
        step(&mut rt, &time, 100);
        // A delayed or skipping beat returns the beat that was late, then goes on from there.
        let mut expected = expected.to_vec();
        if missed != MissedTicks::Burst {
            expected.insert(2, 20);
            expected.pop();
        }
        assert_eq!(*seen.borrow(), expected, "{missed:?}");
    }
}

#[test]
fn an_interval_needs_a_period_and_may_begin_later() {
    let (mut rt, time) = manual();
    let _entered = rt.enter();
    let refused = caught(|| interval(Duration::ZERO));
    assert!(text_of(&*refused.unwrap_err()).contains("period"));
    let mut late = interval_at(time.now() + MS * 3, Duration::MAX);
    let beat = rt.spawn(async move {
        late.tick().await;
        late.tick().await;
    });
    rt.run_until_stalled().unwrap();
    step(&mut rt, &time, 100);
    assert!(!beat.is_finished(), "a second beat after for ever");
}

#[test]
fn foreign_wakers_are_woken_by_timers_and_handles() {
    let (mut rt, time) = manual();
    let _entered = rt.enter();
    let [first, second, third] = [(); 3].map(|()| Foreign::counting());
    let mut nap = sleep(MS * 2);
    let mut handle = rt.spawn(async {
        sleep(MS * 3).await;
        9
    });
    let poll = |sleep: &mut tourbillon::Sleep, by: &Arc<Foreign>| {
        let waker = Waker::from(Arc::clone(by));
        Pin::new(sleep).poll(&mut Context::from_waker(&waker))
    };
    assert!(poll(&mut nap, &first).is_pending());
    assert!(poll(&mut nap, &second).is_pending());
    let waker = Waker::from(Arc::clone(&third));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
    rt.run_until_stalled().unwrap();
    step(&mut rt, &time, 5);
    assert_eq!([first.count(), second.count(), third.count()], [0, 1, 1]);
    assert!(poll(&mut nap, &second).is_ready());
    assert!(matches!(
        Pin::new(&mut handle).poll(&mut cx),
        Poll::Ready(Ok(9))
    ));
}

#[test]
fn names_are_told_in_the_log() {
    crate::support::collect_logs();
    let mut rt = Runtime::new().unwrap();
    {
        let _entered = rt.enter();
        spawn_named("escapement-17", async { panic!("tooth") }).detach();
        spawn(async { panic!("nameless") }).detach();
    }
    rt.run_until_stalled().unwrap();
    let lines = crate::support::logged_here();
    let is_there = |words: &[&str]| {
        lines
            .iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    assert!(
        is_there(&["ERROR", "escapement-17", "futures.rs", "tooth"]),
        "{lines:#?}"
    );
    assert!(
        is_there(&["ERROR", "names_are_told_in_the_log", "nameless"]),
        "{lines:#?}"
    );
}
