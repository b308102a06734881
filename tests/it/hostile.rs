//! Code that does all it may at the worst moment: in polls, in drops, in wakers, at the end.

mod ledger;
mod mischief;
mod promises;
mod world;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tourbillon::{Runtime, call_later, call_soon, offload, sleep, spawn, spawn_blocking};

use crate::support::{
    BLOWS_UP, Foreign, Grenade, OnDrop, caught, collect_logs, hush, logged_here, manual, seeds,
    turn_until, well_in_child, within,
};
use mischief::{Hostile, Kit, Place};

const ZERO: Option<Duration> = Some(Duration::ZERO);

/// One seed: a runtime full of mischief, turned by hand, then ended in one of two ways.
fn run_seed(seed: u64, at_the_end: bool) -> Vec<(Place, usize)> {
    let (rt, time) = manual();
    let mut rt = rt;
    Kit::begin(seed, 400);
    {
        let _entered = rt.enter();
        mischief::socket_pair();
        for _ in 0..5 {
            spawn(Hostile::new(Place::Poll)).detach();
            let guard = Hostile::new(Place::CallbackDrop);
            call_soon(move || guard.visit(Place::Callback));
        }
    }
    for _ in 0..120 {
        rt.turn(ZERO).unwrap();
        time.advance(Duration::from_micros(300));
    }
    let stats = rt.stats();
    assert!(
        stats.turns >= 120 && stats.tasks_alive < 500,
        "seed {seed}: {stats:?}"
    );
    // The root is as hostile as the rest, and its panics are the caller's.
    Kit::refill(100);
    let _ = caught(|| {
        rt.block_on(async {
            let guard = Hostile::new(Place::Root);
            guard.visit(Place::Root);
            tourbillon::yield_now().await;
            guard.visit(Place::Root);
        });
    });
    Kit::at_the_end(at_the_end);
    match seed % 3 {
        0 => drop(rt),
        1 => drop(rt.shutdown()),
        _ => {
            let _entered = rt.enter();
            drop(rt);
        }
    }
    Kit::end()
}

/// Runs seeds and says where mischief was done.
fn run_seeds(seeds: std::ops::Range<u64>, at_the_end: bool) {
    collect_logs();
    hush("mischief");
    let mut visited = [0; Place::COUNT];
    let is_one = seeds.end - seeds.start == 1;
    for seed in seeds {
        let before = logged_here().len();
        for (place, count) in run_seed(seed, at_the_end) {
            visited[place as usize] += count;
        }
        // Mischief panics on purpose; a borrow that was held is not on purpose.
        for line in &logged_here()[before..] {
            assert!(!line.contains("already"), "seed {seed}: {line}");
        }
    }
    let unvisited: Vec<_> = Place::ALL
        .iter()
        .filter(|&&p| visited[p as usize] == 0)
        .collect();
    assert!(
        is_one || unvisited.is_empty(),
        "no mischief was done in {unvisited:?}"
    );
}

#[test]
fn mischief_in_every_place_leaves_the_loop_whole() {
    within(|| run_seeds(seeds(80), false));
}

/// Once a fault: a refused future is dropped while the executor is borrowed, so what its drop
/// does panics. In a child, because two such drops in one unwinding abort the process.
#[test]
fn mischief_in_drops_at_the_end_meets_no_borrow() {
    let name = "hostile::mischief_in_drops_at_the_end_meets_no_borrow";
    well_in_child(name, || within(|| run_seeds(1000..1100, true)));
}

/// Runs `hurt` in a fresh runtime, then checks that the loop still works and that something was
/// counted and logged.
#[track_caller]
fn survives(words: &[&str], hurt: impl FnOnce(&mut Runtime) + Send + 'static) {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    within(move || {
        collect_logs();
        let (mut rt, time) = manual();
        hurt(&mut rt);
        for _ in 0..5 {
            time.advance(Duration::from_millis(1));
            rt.run_until_stalled().unwrap();
        }
        let jobs = rt.stats().jobs;
        turn_until(&mut rt, || Kit::done() >= jobs);
        rt.run_until_stalled().unwrap();
        assert!(rt.stats().panics >= 1, "the panic was not counted");
        let lines = logged_here();
        let is_told = |line: &String| words.iter().all(|word| line.contains(word.as_str()));
        assert!(
            lines.iter().any(is_told),
            "no line has all of {words:?}: {lines:#?}"
        );
        assert_eq!(rt.block_on(async { spawn(async { 6 }).await.unwrap() }), 6);
        assert_eq!(rt.stats().tasks_alive, 0);
    });
}

#[test]
fn a_panicking_poll_ends_its_task_only() {
    survives(&["ERROR", "hostile.rs", "poll"], |rt| {
        rt.spawn(async { panic!("poll") }).detach();
        rt.spawn(async { panic_any(Grenade) }).detach();
    });
}

#[test]
fn a_panicking_drop_of_a_future_is_contained() {
    survives(&["ERROR", "task", "hostile.rs", "future drop"], |rt| {
        let guard = OnDrop(|| panic!("future drop"));
        let task = rt.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        rt.run_until_stalled().unwrap();
        task.abort();
        task.detach();
    });
    // One that ends while unwinding from its own panic is the same as a drop of its locals.
    survives(&["ERROR", "both"], |rt| {
        rt.spawn(async {
            let _payload = OnDrop(|| drop(caught(|| panic_any(Grenade))));
            panic!("both");
        })
        .detach();
    });
}

/// Once a fault: it unwound the loop, and whoever awaited the task was never told.
#[test]
fn a_panicking_logger_ends_neither_the_loop_nor_a_wait() {
    survives(&["ERROR", BLOWS_UP], |rt| {
        let task = rt.spawn(async { panic!("{BLOWS_UP}") });
        let told = rt.block_on(task);
        assert!(told.is_err_and(|error| error.is_panic()));
        let _entered = rt.enter();
        call_soon(|| panic!("{BLOWS_UP}"));
    });
}

#[test]
fn a_panicking_callback_ends_alone() {
    survives(&["ERROR", "callback from", "hostile.rs", "struck"], |rt| {
        let _entered = rt.enter();
        let after = Rc::new(Cell::new(false));
        let seen = Rc::clone(&after);
        call_soon(|| panic!("struck"));
        call_soon(|| panic_any(Grenade));
        call_soon(move || seen.set(true));
        rt.turn(ZERO).unwrap();
        assert!(after.get(), "the next callback still ran");
        let _timer = call_later(Duration::from_millis(1), || panic!("late"));
    });
    survives(&["ERROR", "callback from", "hostile.rs", "posted"], |rt| {
        rt.handle().call(|| panic!("posted")).unwrap();
        rt.handle()
            .spawn(|| -> std::future::Ready<()> { panic!("made") })
            .unwrap();
        rt.handle().call(|| panic_any(Grenade)).unwrap();
    });
}

#[test]
fn a_panicking_completion_ends_alone() {
    survives(
        &["ERROR", "callback from", "hostile.rs", "complete"],
        |rt| {
            let _entered = rt.enter();
            offload(|| (), |_| Kit::count_then(|| panic!("complete")));
            offload(|| (), |_| Kit::count_then(|| panic_any(Grenade)));
        },
    );
}

#[test]
fn a_panicking_foreign_waker_harms_nobody_else() {
    survives(&["ERROR", "waker", "woken"], |rt| {
        let _entered = rt.enter();
        let waker = Foreign::waker(|| panic!("woken"), || ());
        let mut nap = Box::pin(sleep(Duration::from_millis(1)));
        assert!(
            nap.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let other = Rc::new(Cell::new(false));
        let seen = Rc::clone(&other);
        let _timer = call_later(Duration::from_millis(1), move || seen.set(true));
        rt.spawn(async move {
            sleep(Duration::from_millis(2)).await;
            assert!(other.get(), "the timer beside it still fired");
            drop(nap);
        })
        .detach();
    });
}

#[test]
fn a_panicking_payload_of_a_job_harms_nobody() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let error = rt.block_on(async {
            let job = spawn_blocking(|| panic_any(Grenade));
            drop(spawn_blocking(|| panic_any(Grenade)));
            job.await.map(|(): ()| ()).unwrap_err()
        });
        std::mem::forget(error.into_panic().unwrap());
        assert_eq!(
            rt.block_on(async { spawn_blocking(|| 2).await.unwrap() }),
            2
        );
    });
}

#[test]
fn a_panic_of_the_root_is_the_callers_and_the_loop_goes_on() {
    let mut rt = Runtime::new().unwrap();
    let steps = Rc::new(Cell::new(0));
    let count = Rc::clone(&steps);
    rt.spawn(async move {
        loop {
            count.set(count.get() + 1);
            tourbillon::yield_now().await;
        }
    })
    .detach();
    let payload = caught(|| rt.block_on(async { panic!("root") })).unwrap_err();
    assert_eq!(crate::support::text_of(&*payload), "root");
    assert!(
        caught(|| call_soon(|| ())).is_err(),
        "nothing is entered any more"
    );
    let before = steps.get();
    rt.turn(ZERO).unwrap();
    assert_eq!(steps.get(), before + 1);
    assert_eq!(rt.block_on(async { 8 }), 8);
}

#[test]
fn a_runtime_dropped_by_a_panic_contains_the_panics_of_its_tasks() {
    within(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dropped);
        let payload = caught(move || {
            let rt = Runtime::new().unwrap();
            for _ in 0..3 {
                let count = Arc::clone(&count);
                let guard = OnDrop(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    panic!("a task's drop");
                });
                rt.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                })
                .detach();
            }
            panic!("outer");
        });
        assert_eq!(crate::support::text_of(&*payload.unwrap_err()), "outer");
        assert_eq!(dropped.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_waker_may_reenter_whatever_drops_or_wakes_it() {
    // The waker spawns, calls back and starts timers from where the runtime lets go of it.
    let acts = Arc::new(AtomicUsize::new(0));
    let (woken, dropped) = (Arc::clone(&acts), Arc::clone(&acts));
    let act = move |acts: &AtomicUsize| {
        acts.fetch_add(1, Ordering::SeqCst);
        spawn(async {}).detach();
        call_soon(|| ());
        assert!(call_later(Duration::ZERO, || ()).cancel());
        let mut nap = Box::pin(sleep(Duration::from_millis(1)));
        let _ = nap.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    };
    let waker = Foreign::waker(move || act(&woken), move || act(&dropped));
    let (mut rt, time) = manual();
    let _entered = rt.enter();
    let mut task = rt.spawn(poll_fn(|_| Poll::<()>::Pending));
    let mut naps: Vec<_> = (1..4).map(|ms| sleep(Duration::from_millis(ms))).collect();
    for nap in &mut naps {
        assert!(
            Pin::new(nap)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
    drop(waker);
    // Replaced, fired, reset, dropped; woken by an abort.
    assert!(
        Pin::new(&mut naps[0])
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    time.advance(Duration::from_millis(2));
    rt.run_until_stalled().unwrap();
    drop(naps);
    task.abort();
    rt.run_until_stalled().unwrap();
    assert_eq!(
        acts.load(Ordering::SeqCst),
        3,
        "woken twice, then dropped by the last holder"
    );
    assert_eq!((rt.stats().panics, rt.stats().timers_waiting), (0, 0));
}

#[test]
fn a_runtime_may_be_dropped_inside_a_task_of_another() {
    within(|| {
        let mut outer = Runtime::new().unwrap();
        let (sender, ended) = mpsc::channel();
        outer.block_on(async move {
            let inner = Runtime::new().unwrap();
            let (mine, theirs) = (sender.clone(), sender);
            inner
                .spawn(async move {
                    let _guard = OnDrop(move || mine.send("inner").unwrap());
                    pending::<()>().await;
                })
                .detach();
            spawn(async move {
                let mut inner = inner;
                inner.turn(ZERO).unwrap();
                drop(inner);
                spawn(async move { theirs.send("outer").unwrap() })
                    .await
                    .unwrap();
            })
            .await
            .unwrap();
        });
        assert_eq!(ended.try_iter().collect::<Vec<_>>(), ["inner", "outer"]);
    });
}

/// Once a fault: a foreign waker is cloned while the wheel, the sources or a join cell is
/// borrowed. Only hand-made wakers run code when cloned.
#[test]
fn a_waker_that_reenters_when_cloned_meets_no_borrow() {
    thread_local! {
        static ON_CLONE: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
    }
    let waker = mischief::waker_that_calls_on_clone(|| {
        let act = ON_CLONE.with_borrow(Clone::clone);
        if let Some(act) = act {
            act();
        }
    });
    let (rt, _time) = manual();
    let _entered = rt.enter();
    let mut nap = sleep(Duration::from_millis(1));
    assert!(
        Pin::new(&mut nap)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    ON_CLONE.set(Some(Rc::new(|| {
        assert!(call_later(Duration::ZERO, || ()).cancel());
    })));
    let polled = caught(|| Pin::new(&mut nap).poll(&mut Context::from_waker(&waker)));
    ON_CLONE.set(None);
    assert!(
        polled.is_ok(),
        "the wheel was borrowed while a waker was cloned"
    );
}
