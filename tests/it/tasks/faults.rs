//! Faults that were found by reading, each with the scene that showed it.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tourbillon::process::Command;
use tourbillon::sync::channel;
use tourbillon::task::{Deadline, GroupSpawner, TaskGroup, TaskLocal, inherit};
use tourbillon::time::ManualClock;
use tourbillon::{
    Runtime, TaskEvent, TaskEventKind, Timer, call_later, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

use super::HOUR;
use crate::support::{BLOWS_UP, Foreign, OnDrop, caught, collect_logs, within};
use crate::sync::hostile::{ACT, Moment, WAKERS, hostile};

const ZERO: Option<Duration> = Some(Duration::ZERO);

thread_local! {
    static SPAWNER: RefCell<Option<GroupSpawner<u32, String>>> = const { RefCell::new(None) };
}

/// The place of the child that had just ended was given to the new one, and cleared once more.
#[test]
fn a_waker_that_spawns_into_the_group_it_hears_of_spawns_a_child_like_others() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let _entered = rt.enter();
        let group = TaskGroup::<u32, String>::new();
        SPAWNER.set(Some(group.spawner()));
        group.spawn(async { Ok(1) });
        let spawn_more = || {
            if let Some(spawner) = SPAWNER.take() {
                assert!(spawner.spawn(async {
                    yield_now().await;
                    yield_now().await;
                    Ok(2)
                }));
            }
        };
        let waker = Foreign::waker(spawn_more, || ());
        let mut join = pin!(group.join());
        for _ in 0..20 {
            let polled = join.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(results) = polled {
                return assert_eq!(results.unwrap(), [1, 2]);
            }
            rt.turn(ZERO).unwrap();
        }
        panic!("the group never ends");
    });
}

/// Each generation took along all that its ancestors had hidden.
#[test]
fn values_that_are_hidden_are_not_inherited() {
    static KEY: TaskLocal<Rc<()>> = TaskLocal::new();
    fn generation(left: usize, value: Rc<()>) -> Pin<Box<dyn Future<Output = usize>>> {
        Box::pin(KEY.scope(Rc::clone(&value), async move {
            match left {
                0 => Rc::strong_count(&value),
                _ => spawn(inherit(generation(left - 1, value))).await.unwrap(),
            }
        }))
    }
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (short, long) = rt.block_on(async {
            let short = spawn(generation(3, Rc::new(()))).await.unwrap();
            (short, spawn(generation(300, Rc::new(()))).await.unwrap())
        });
        // In each generation: its own scope, the parent's value, and what the future holds.
        assert!(long <= short + 3 * 297, "{short} and {long}");
    });
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_hearing_of_a_moved_deadline() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let _entered = rt.enter();
        let deadline = Deadline::after(HOUR);
        let (first, second) = (deadline.clone(), deadline.clone());
        let mut first = pin!(first.limit(pending::<()>()));
        let bad = Foreign::waker(|| panic!("a foreign waker"), || ());
        assert!(
            first
                .as_mut()
                .poll(&mut Context::from_waker(&bad))
                .is_pending()
        );
        let limited = rt.spawn(async move { second.limit(pending::<()>()).await });
        rt.run_until_stalled().unwrap();
        deadline.reset(Instant::now());
        while !limited.is_finished() {
            rt.turn(None).unwrap();
        }
    });
}

#[test]
fn a_group_dropped_by_the_hook_that_hears_of_its_child_leaves_none() {
    within(|| {
        type Slot = Rc<RefCell<Option<TaskGroup<(), String>>>>;
        let slot = Slot::default();
        let taken = Rc::clone(&slot);
        let builder = Runtime::builder().on_task_event(move |event| {
            if event.kind == TaskEventKind::Spawned {
                drop(taken.borrow_mut().take());
            }
        });
        let mut rt = builder.build().unwrap();
        let _entered = rt.enter();
        let group = TaskGroup::new();
        let spawner = group.spawner();
        *slot.borrow_mut() = Some(group);
        assert!(!spawner.spawn(pending()));
        rt.run_until_stalled().unwrap();
        assert!(rt.tasks().is_empty());
    });
}

#[test]
fn whoever_awaits_a_job_hears_of_its_panic_though_the_logger_panics_too() {
    within(|| {
        collect_logs();
        let mut rt = Runtime::new().unwrap();
        let ended = rt.block_on(async { spawn_blocking(|| panic!("{BLOWS_UP}")).await });
        assert!(ended.is_err_and(|error| error.is_panic()));
    });
}

/// The look at the clock was left to the next turn, which then polled once more before it asked.
#[test]
fn after_each_slow_poll_the_kernel_is_asked() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let before = rt.stats();
        rt.block_on(async {
            for _ in 0..20 {
                // It is this that holds the loop up.
                std::thread::sleep(Duration::from_millis(1));
                yield_now().await;
            }
        });
        assert!(rt.stats().parks - before.parks >= 20);
    });
}

#[test]
fn a_host_that_caught_a_root_s_panic_polls_without_a_budget() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let _entered = rt.enter();
        let (sender, receiver) = channel::bounded(1000);
        (0..1000).for_each(|number| sender.try_send(number).unwrap());
        assert!(caught(|| rt.block_on(async { panic!("root") })).is_err());
        let mut cx = Context::from_waker(Waker::noop());
        for number in 0..1000 {
            let polled = pin!(receiver.recv()).poll(&mut cx);
            assert_eq!(polled, Poll::Ready(Some(number)));
        }
    });
}

#[test]
fn a_handle_drops_an_output_that_panics_and_does_not() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let task = rt.spawn(async { OnDrop(|| panic!("an output")) });
        rt.run_until_stalled().unwrap();
        assert!(task.is_finished());
        assert!(caught(|| drop(task)).is_ok());
    });
}

#[test]
fn what_a_child_holds_is_dropped_with_the_runtime_entered() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let spawned = Rc::new(Cell::new(false));
        let did = Rc::clone(&spawned);
        let guard = rt.enter();
        let group = TaskGroup::<(), String>::new();
        let held = OnDrop(move || {
            spawn(async {}).detach();
            did.set(true);
        });
        group.spawn(async move {
            let _held = held;
            pending().await
        });
        drop(guard);
        rt.run_until_stalled().unwrap();
        drop(group);
        assert!(spawned.get());
    });
}

/// It ended between two looks at it, and the drop panicked: one time in a hundred.
#[test]
fn a_child_that_ends_while_it_is_dropped_does_no_harm() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async {
            for round in 0..200 {
                let mut command = Command::new("/bin/true");
                let child = command.kill_on_drop(true).spawn().unwrap();
                sleep(Duration::from_micros(100 + 5 * round)).await;
                drop(child);
            }
        });
    });
}

/// The place of a task was let go before the waker of its handle was dropped. That one panicked,
/// the handle believed to hold the place still, and let go of the next task's.
#[test]
fn a_handle_whose_waker_panics_lets_go_of_its_place_once() {
    within(|| {
        let rt = Rc::new(RefCell::new(Runtime::new().unwrap()));
        let mut handle = rt.borrow().spawn(async { 1 });
        let (turning, is_turned) = (Rc::clone(&rt), Cell::new(false));
        ACT.set(Some(Rc::new(move |moment| match moment {
            // The task ends when its handle has looked, and has not said whom to wake.
            Moment::Clone if !is_turned.replace(true) => {
                turning.borrow_mut().turn(ZERO).unwrap();
            }
            Moment::Drop => {
                ACT.set(None);
                panic!("a waker that is dropped");
            }
            _ => {}
        })));
        let waker = hostile();
        let polled = caught(|| Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)));
        assert!(polled.is_err(), "its own waker was to panic");

        let stranger = rt.borrow().spawn(async { "a stranger's" });
        let ends = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        assert!(
            matches!(ends, Poll::Ready(Ok(1))),
            "nothing was lost by the panic"
        );
        drop(handle);
        let other = rt.borrow().spawn(async { "another's" });
        assert_ne!(stranger.id(), other.id(), "two tasks in one place");
        rt.borrow_mut().block_on(async {
            assert_eq!(
                timeout(HOUR, stranger).await.unwrap().unwrap(),
                "a stranger's"
            );
            assert_eq!(timeout(HOUR, other).await.unwrap().unwrap(), "another's");
        });
    });
}

/// The waker that it had before panicked, and its new one stayed in the place for the next task.
#[test]
fn a_handle_whose_old_waker_panics_leaves_no_waker_in_its_place() {
    within(|| {
        let rt = Rc::new(RefCell::new(Runtime::new().unwrap()));
        let mut handle = rt.borrow().spawn(async { 1 });
        let bomb = Foreign::waker(|| (), || panic!("a waker that is dropped"));
        let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(&bomb));
        assert!(polled.is_pending());
        drop(bomb);
        let turning = Rc::clone(&rt);
        ACT.set(Some(Rc::new(move |moment| {
            if moment == Moment::Clone {
                turning.borrow_mut().turn(ZERO).unwrap();
            }
        })));
        let waker = hostile();
        let polled = caught(|| Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)));
        assert!(polled.is_err(), "its old waker was to panic");
        let ends = Pin::new(&mut handle).poll(&mut Context::from_waker(&waker));
        ACT.set(None);
        assert!(matches!(ends, Poll::Ready(Ok(1))));
        assert_eq!(WAKERS.get(), 1, "who has the other?");
    });
}

thread_local! {
    static DUE: RefCell<Option<Timer>> = const { RefCell::new(None) };
}

/// The new timer got the place of the cancelled one, which was about to be called.
#[test]
fn a_timer_that_takes_the_place_of_a_due_one_waits_for_its_own_time() {
    within(|| {
        let clock = ManualClock::new();
        let mut rt = Runtime::builder().manual_clock(&clock).build().unwrap();
        let _entered = rt.enter();
        let renew = || {
            let Some(due) = DUE.take() else { return };
            assert!(due.cancel(), "it was not called yet");
            let early = || panic!("an hour early");
            DUE.set(Some(call_later(HOUR, early)));
        };
        let waker = Foreign::waker(renew, || ());
        let mut sleep = pin!(sleep(Duration::from_millis(5)));
        let polled = sleep.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        DUE.set(Some(call_later(Duration::from_millis(8), || {
            panic!("it was cancelled")
        })));
        clock.advance(Duration::from_millis(10));
        rt.run_until_stalled().unwrap();
        assert_eq!((rt.stats().panics, rt.stats().callbacks), (0, 0));
        assert!(DUE.take().unwrap().cancel(), "it waits");
    });
}

/// A future of no `async` block, which holds what it was given until it is dropped.
struct Holds<T>(T);

impl<T: Unpin> Future for Holds<T> {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Ready(1)
    }
}

/// The hook heard of the end, and what the task had held was still there.
#[test]
fn whoever_hears_of_an_end_finds_released_what_the_task_held() {
    within(|| {
        let held = Rc::new(());
        let (looks, seen) = (Rc::downgrade(&held), Rc::new(RefCell::new(Vec::new())));
        let sees = Rc::clone(&seen);
        let hook = move |event: &TaskEvent| {
            let there = looks.strong_count() > 0;
            sees.borrow_mut().push((event.kind, there));
        };
        let mut rt = Runtime::builder().on_task_event(hook).build().unwrap();
        rt.spawn(Holds(held)).detach();
        rt.run_until_stalled().unwrap();
        assert_eq!(
            seen.borrow().last(),
            Some(&(TaskEventKind::Finished, false))
        );
    });
}

#[test]
fn what_panics_when_a_finished_future_is_dropped_costs_nobody_its_result() {
    within(|| {
        collect_logs();
        let mut rt = Runtime::new().unwrap();
        let result = rt.block_on(async { spawn(Holds(OnDrop(|| panic!("in its drop")))).await });
        assert_eq!(result.unwrap(), 1);
        assert_eq!(rt.stats().panics, 1);
    });
}
