//! The rules of a turn: what runs in it, in which order, and how long it sleeps.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::time::ManualClock;
use tourbillon::{Runtime, call_at, call_later, call_soon, sleep, spawn, yield_now};

use crate::support::{DEADLINE, manual, turn_until, within};

const ZERO: Option<Duration> = Some(Duration::ZERO);

type Diary = Rc<RefCell<Vec<&'static str>>>;

fn writer(diary: &Diary) -> impl Fn(&'static str) + Clone + 'static {
    let diary = Rc::clone(diary);
    move |word| diary.borrow_mut().push(word)
}

#[test]
fn what_a_turn_starts_a_later_turn_runs() {
    let (mut rt, _time) = manual();
    let diary = Diary::default();
    let write = writer(&diary);
    let _entered = rt.enter();
    let inside = write.clone();
    call_soon(move || {
        let (a, b, c, d) = (
            inside.clone(),
            inside.clone(),
            inside.clone(),
            inside.clone(),
        );
        call_soon(move || a("callback from callback"));
        spawn(async move { b("task from callback") }).detach();
        let _timer = call_later(Duration::ZERO, move || c("timer from callback"));
        let _timer = call_at(Instant::now() - Duration::from_secs(1), move || {
            d("past timer")
        });
        inside("callback");
    });
    let inside = write.clone();
    spawn(async move {
        let (a, b, c) = (inside.clone(), inside.clone(), inside.clone());
        call_soon(move || a("callback from task"));
        spawn(async move { b("task from task") }).detach();
        let _timer = call_later(Duration::ZERO, move || c("timer from task"));
        inside("task");
        yield_now().await;
        inside("task again");
    })
    .detach();
    rt.turn(ZERO).unwrap();
    assert_eq!(diary.take(), ["callback", "task"]);
    rt.turn(ZERO).unwrap();
    // Callbacks that were handed in stand before those of timers, gathered later; callbacks
    // before tasks; all in their order.
    let second = diary.take();
    let tasks = ["task from callback", "task from task", "task again"];
    assert_eq!(
        second[..2],
        ["callback from callback", "callback from task"]
    );
    assert_eq!(second[second.len() - 3..], tasks);
    rt.run_until_stalled().unwrap();
    let mut timers = [&second[2..second.len() - 3], &diary.take()[..]].concat();
    timers.sort_unstable();
    assert_eq!(
        timers,
        ["past timer", "timer from callback", "timer from task"]
    );
}

#[test]
fn due_timers_come_before_posts_and_callbacks_before_tasks() {
    let (mut rt, time) = manual();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let write = {
        let order = Arc::clone(&order);
        move |word: &'static str| order.lock().unwrap().push(word)
    };
    let entered = rt.enter();
    let (a, b, c, d) = (write.clone(), write.clone(), write.clone(), write.clone());
    spawn(async move { a("task") }).detach();
    rt.handle().call(move || b("post")).unwrap();
    let _late = call_later(Duration::from_millis(2), move || c("second timer"));
    let _soon = call_later(Duration::from_millis(1), move || d("first timer"));
    drop(entered);
    time.advance(Duration::from_millis(5));
    rt.run_until_stalled().unwrap();
    assert_eq!(
        *order.lock().unwrap(),
        ["first timer", "second timer", "post", "task"]
    );
}

#[test]
fn callbacks_run_first_in_first_out() {
    let mut rt = Runtime::new().unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    {
        let _entered = rt.enter();
        for number in 0..100 {
            let seen = Rc::clone(&seen);
            call_soon(move || seen.borrow_mut().push(number));
        }
    }
    rt.run_until_stalled().unwrap();
    assert_eq!(*seen.borrow(), (0..100).collect::<Vec<_>>());
    assert_eq!(rt.stats().callbacks, 100);
}

#[test]
fn a_slow_batch_ends_early_and_keeps_its_order() {
    let (mut rt, time) = manual();
    let seen = Rc::new(RefCell::new(Vec::new()));
    for number in 0..64 {
        let (seen, time) = (Rc::clone(&seen), time.clone());
        rt.spawn(async move {
            time.advance(Duration::from_micros(50));
            seen.borrow_mut().push(number);
        })
        .detach();
    }
    rt.turn(ZERO).unwrap();
    let first = seen.borrow().len();
    assert!(
        (2..64).contains(&first),
        "{first} slow polls in a turn of 100 us"
    );
    rt.run_until_stalled().unwrap();
    assert_eq!(*seen.borrow(), (0..64).collect::<Vec<_>>());
}

/// Once a fault: the time since the kernel was last asked includes the time a host was away, so
/// each of its turns begins as a slow one and ends after one callback and one poll.
#[test]
fn the_time_a_host_was_away_is_not_held_against_a_batch() {
    let (mut rt, time) = manual();
    rt.run_until_stalled().unwrap();
    time.advance(Duration::from_secs(1));
    for _ in 0..50 {
        rt.spawn(async {}).detach();
    }
    rt.turn(ZERO).unwrap();
    assert_eq!(rt.stats().tasks_alive, 0, "none of them took any time");
}

#[test]
fn a_batch_has_at_most_128_entries_before_the_kernel_is_asked() {
    let (mut rt, _time) = manual();
    for _ in 0..1000 {
        rt.spawn(async { pending::<()>().await }).detach();
    }
    rt.turn(ZERO).unwrap();
    let stats = rt.stats();
    assert_eq!((stats.polls, stats.parks), (128, 1));
    rt.run_until_stalled().unwrap();
    assert_eq!(rt.stats().polls, 1000);
}

#[test]
fn one_poll_at_least_follows_a_flood_of_callbacks() {
    fn again() {
        call_soon(again);
    }
    let (mut rt, _time) = manual();
    {
        let _entered = rt.enter();
        (0..1000).for_each(|_| call_soon(again));
    }
    let polls = Rc::new(Cell::new(0));
    let count = Rc::clone(&polls);
    rt.spawn(async move {
        loop {
            count.set(count.get() + 1);
            yield_now().await;
        }
    })
    .detach();
    for turn in 1..=50 {
        rt.turn(ZERO).unwrap();
        assert_eq!(polls.get(), turn);
    }
}

#[test]
fn a_self_posting_callback_runs_once_a_turn() {
    let (mut rt, _time) = manual();
    let count = Rc::new(Cell::new(0));
    fn again(count: Rc<Cell<u32>>) {
        count.set(count.get() + 1);
        call_soon(move || again(count));
    }
    {
        let _entered = rt.enter();
        let count = Rc::clone(&count);
        call_soon(move || again(count));
    }
    for turn in 1..=500 {
        rt.turn(ZERO).unwrap();
        assert_eq!(count.get(), turn);
        assert_eq!(rt.next_timeout(), ZERO);
    }
    assert!(
        rt.stats().parks >= 500 / 128,
        "the kernel is asked now and then"
    );
}

#[test]
fn next_timeout_tells_what_a_host_may_sleep() {
    let (mut rt, time) = manual();
    rt.turn(ZERO).unwrap();
    assert_eq!(rt.next_timeout(), None);
    rt.spawn(pending::<()>()).detach();
    assert_eq!(rt.next_timeout(), ZERO, "a task is ready");
    rt.turn(ZERO).unwrap();
    assert_eq!(rt.next_timeout(), None);
    rt.handle().call(|| ()).unwrap();
    assert_eq!(rt.next_timeout(), ZERO, "a post waits");
    rt.run_until_stalled().unwrap();
    {
        let _entered = rt.enter();
        call_soon(|| ());
    }
    assert_eq!(rt.next_timeout(), ZERO, "a callback waits");
    rt.run_until_stalled().unwrap();
    let timer = {
        let _entered = rt.enter();
        call_later(Duration::from_millis(10), || ())
    };
    assert_eq!(rt.next_timeout(), None, "only a hand moves this clock");
    time.advance(Duration::from_millis(10));
    assert_eq!(rt.next_timeout(), ZERO, "the timer is due");
    assert!(timer.cancel());
    assert_eq!(rt.next_timeout(), None);
}

#[test]
fn next_timeout_counts_down_on_a_real_clock() {
    let mut rt = Runtime::new().unwrap();
    let far = Duration::from_secs(3600);
    let _timer = {
        let _entered = rt.enter();
        call_later(far, || ())
    };
    rt.turn(ZERO).unwrap();
    let left = rt.next_timeout().unwrap();
    assert!(
        left <= far + Duration::from_millis(1) && left > Duration::ZERO,
        "{left:?}"
    );
    let _near = {
        let _entered = rt.enter();
        call_later(Duration::from_millis(50), || ())
    };
    let left = rt.next_timeout().unwrap();
    assert!(left <= Duration::from_millis(51), "{left:?}");
}

#[test]
fn a_turn_of_zero_never_sleeps_and_park_max_is_kept() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let _timer = {
            let _entered = rt.enter();
            call_later(Duration::from_secs(3600), || ())
        };
        let began = Instant::now();
        rt.turn(ZERO).unwrap();
        rt.run_until_stalled().unwrap();
        assert!(began.elapsed() < DEADLINE);
        let began = Instant::now();
        rt.turn(Some(Duration::from_millis(40))).unwrap();
        let slept = began.elapsed();
        assert!(
            slept >= Duration::from_millis(40),
            "nothing was there to end it: {slept:?}"
        );
        assert!(slept < DEADLINE, "the timer is an hour away");
        // A deadline ends a sleep before `park_max` does.
        let _entered = rt.enter();
        let fired = Rc::new(Cell::new(false));
        let fire = Rc::clone(&fired);
        let _near = call_later(Duration::from_millis(5), move || fire.set(true));
        let began = Instant::now();
        rt.turn(Some(Duration::from_secs(3600))).unwrap();
        assert!(
            began.elapsed() < DEADLINE && !fired.get(),
            "the next turn calls it"
        );
        turn_until(&mut rt, || fired.get());
    });
}

#[test]
fn stop_ends_run_after_its_turn_and_once() {
    within(|| {
        // Its clock stands still: by a real one the turn might be cut short.
        let clock = ManualClock::new();
        let builder = Runtime::builder().manual_clock(&clock);
        let mut rt = builder.auto_advance(true).build().unwrap();
        let handle = rt.handle();
        let diary = Diary::default();
        let write = writer(&diary);
        let entered = rt.enter();
        let (a, b, c) = (write.clone(), write.clone(), write.clone());
        let stop = handle.clone();
        call_soon(move || {
            a("stops");
            stop.stop().unwrap();
        });
        call_soon(move || b("same turn"));
        spawn(async move { c("same turn, task") }).detach();
        drop(entered);
        rt.run().unwrap();
        assert_eq!(diary.take(), ["stops", "same turn", "same turn, task"]);
        // Once: the next run goes on until it is stopped again.
        let (sender, ended) = mpsc::channel();
        let _entered = rt.enter();
        let _timer = call_later(Duration::from_millis(5), move || {
            sender.send(()).unwrap();
            handle.stop().unwrap();
        });
        rt.run().unwrap();
        ended
            .try_recv()
            .expect("the second run was ended by the first stop");
    });
}

#[test]
fn stop_before_run_lets_one_turn_go_by() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let ran = Rc::new(Cell::new(false));
        let run = Rc::clone(&ran);
        rt.spawn(async move { run.set(true) }).detach();
        rt.stop();
        rt.run().unwrap();
        assert!(ran.get());
        assert_eq!(rt.next_timeout(), None, "the stop was used up");
    });
}

/// Has a post end a `block_on` that would spin for ever, and says whether it was needed.
fn needs_rescue(rt: &mut Runtime, waits: impl Future<Output = ()>) -> bool {
    let (handle, done) = (rt.handle(), Arc::new(AtomicBool::new(false)));
    let rescued = Arc::new(AtomicBool::new(false));
    let (over, flag) = (Arc::clone(&done), Arc::clone(&rescued));
    let (mut waits, mut waker) = (Box::pin(waits), None::<mpsc::Sender<std::task::Waker>>);
    let (sender, receiver) = mpsc::channel::<std::task::Waker>();
    let helper = thread::spawn(move || {
        let root = receiver.recv_timeout(DEADLINE).unwrap();
        let began = Instant::now();
        while !over.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
        if !over.load(Ordering::SeqCst) {
            flag.store(true, Ordering::SeqCst);
            let _ = handle.call(move || root.wake());
        }
    });
    let flag = Arc::clone(&rescued);
    rt.block_on(poll_fn(move |cx| {
        if waker.is_none() {
            sender.send(cx.waker().clone()).unwrap();
            waker = Some(sender.clone());
        }
        match waits.as_mut().poll(cx) {
            Poll::Pending if flag.load(Ordering::SeqCst) => Poll::Ready(()),
            polled => polled,
        }
    }));
    done.store(true, Ordering::SeqCst);
    helper.join().unwrap();
    rescued.load(Ordering::SeqCst)
}

/// Once a fault: `stopping` is only taken by `run`, and counts as work that waits. So the loop
/// never asks the kernel, never looks at the clock, and spins.
#[test]
fn a_stop_before_block_on_does_not_make_it_spin() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        rt.stop();
        assert!(
            !needs_rescue(&mut rt, async { sleep(Duration::from_millis(1)).await }),
            "its timer never came"
        );
    });
}

/// Once a fault, for the same reason: the host was told to turn at once, for ever.
#[test]
fn a_stop_without_run_does_not_keep_a_host_turning() {
    let mut rt = Runtime::new().unwrap();
    rt.handle().stop().unwrap();
    for _ in 0..10 {
        rt.turn(ZERO).unwrap();
    }
    assert_eq!(rt.next_timeout(), None);
    assert!(
        rt.stats().parks > 0,
        "in ten turns the kernel was never asked"
    );
}

#[test]
fn run_until_stalled_runs_all_that_follows_and_returns() {
    let (mut rt, time) = manual();
    let steps = Rc::new(Cell::new(0));
    let count = Rc::clone(&steps);
    rt.spawn(async move {
        for _ in 0..300 {
            spawn(yield_now()).await.unwrap();
            count.set(count.get() + 1);
        }
        sleep(Duration::from_millis(1)).await;
        count.set(1000);
    })
    .detach();
    rt.run_until_stalled().unwrap();
    assert_eq!(steps.get(), 300);
    time.advance(Duration::from_millis(1));
    rt.run_until_stalled().unwrap();
    assert_eq!(steps.get(), 1000);
}

#[test]
fn what_block_on_leaves_runs_on_later() {
    let mut rt = Runtime::new().unwrap();
    let steps = Rc::new(Cell::new(0));
    let count = Rc::clone(&steps);
    rt.block_on(async {
        spawn(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        })
        .detach();
    });
    assert_eq!(rt.stats().tasks_alive, 1);
    let before = steps.get();
    rt.turn(ZERO).unwrap();
    assert_eq!(steps.get(), before + 1);
    assert_eq!(rt.block_on(async { 5 }), 5);
    assert!(steps.get() > before);
}
