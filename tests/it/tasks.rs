//! What tasks are made of: groups, deadlines, values.

mod faults;
mod looks;

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tourbillon::task::{Deadline, Failure, GroupSpawner, TaskGroup, TaskLocal, inherit};
use tourbillon::time::ManualClock;
use tourbillon::{Runtime, call_soon, sleep, spawn, tasks, timeout, yield_now};

use crate::support::{OnDrop, caught, collect_logs, logged_here, within};

const HOUR: Duration = Duration::from_secs(3600);

/// A runtime whose time jumps, and its clock.
fn jumping() -> (Runtime, ManualClock) {
    let time = ManualClock::new();
    let builder = Runtime::builder().manual_clock(&time).auto_advance(true);
    (builder.build().unwrap(), time)
}

/// Counts how often what it was given to is dropped.
#[derive(Clone, Default)]
struct Drops(Rc<Cell<usize>>);

impl Drops {
    fn guard(&self) -> OnDrop<impl FnMut() + use<>> {
        let count = Rc::clone(&self.0);
        OnDrop(move || count.set(count.get() + 1))
    }
}

async fn hold<T>(guard: T) -> Result<(), &'static str> {
    let _guard = guard;
    pending().await
}

#[test]
fn a_group_gives_results_in_the_order_of_its_spawns() {
    within(|| {
        let (mut rt, _) = jumping();
        rt.block_on(async {
            let group = TaskGroup::<u64, String>::default();
            assert!(group.is_empty());
            for number in 0..20 {
                assert!(group.spawn(async move {
                    sleep(Duration::from_millis(20 - number)).await;
                    Ok(number)
                }));
            }
            assert_eq!(group.len(), 20);
            let results = group.join().await.unwrap();
            assert!(results.into_iter().eq(0..20));
            let nobody = TaskGroup::<(), ()>::new();
            assert!(nobody.join().await.unwrap().is_empty());
        });
        assert_eq!(rt.stats().tasks_alive, 0);
    });
}

#[test]
fn the_first_failure_of_a_group_cancels_the_rest_and_all_are_told() {
    within(|| {
        let (mut rt, time) = jumping();
        let began = time.now();
        rt.block_on(async {
            let drops = Drops::default();
            let group = TaskGroup::<(), &str>::new();
            for _ in 0..3 {
                group.spawn(hold(drops.guard()));
            }
            // All three wake in the same turn, and each is heard.
            for error in ["first", "second"] {
                group.spawn(async move {
                    sleep(Duration::from_secs(1)).await;
                    Err(error)
                });
            }
            group.spawn(async {
                sleep(Duration::from_secs(1)).await;
                panic!("third")
            });
            group.spawn(async {
                sleep(HOUR).await;
                Ok(())
            });
            let spawner = group.spawner();
            let error = group.join().await.unwrap_err();
            assert_eq!(drops.0.get(), 3, "join waits until all are gone");
            assert!(!spawner.spawn(async { Ok(()) }), "it takes no more");
            let text = error.to_string();
            assert_eq!(text, "3 tasks of the group failed, first: first");
            let [
                Failure::Error("first"),
                Failure::Error("second"),
                Failure::Lost(lost),
            ] = &error.failures[..]
            else {
                panic!("{error:?}")
            };
            assert!(lost.is_panic());
        });
        assert!(time.now() - began < HOUR);
        assert_eq!(rt.stats().tasks_alive, 0);
    });
}

#[test]
fn a_panic_alone_fails_a_group_too() {
    within(|| {
        let (mut rt, _) = jumping();
        rt.block_on(async {
            let group = TaskGroup::<(), String>::new();
            group.spawn(async { panic!("alone") });
            group.spawn(async { pending().await });
            let error = group.join().await.unwrap_err();
            assert!(error.to_string().contains("alone"), "{error}");
            assert!(matches!(&error.failures[..], [Failure::Lost(lost)] if lost.is_panic()));
        });
    });
}

#[test]
fn children_of_a_group_spawn_further_ones_and_join_waits_for_them() {
    within(|| {
        let (mut rt, _) = jumping();
        rt.block_on(async {
            type Child = Pin<Box<dyn Future<Output = Result<usize, ()>>>>;
            fn descend(spawner: GroupSpawner<usize, ()>, depth: usize) -> Child {
                Box::pin(async move {
                    yield_now().await;
                    if depth < 50 {
                        assert!(spawner.spawn(descend(spawner.clone(), depth + 1)));
                    }
                    Ok(depth)
                })
            }
            let group = TaskGroup::new();
            group.spawn(descend(group.spawner(), 0));
            let results = group.join().await.unwrap();
            assert!(results.into_iter().eq(0..=50));
        });
    });
}

#[test]
fn no_child_outlives_a_group_that_is_dropped() {
    within(|| {
        let (mut rt, _) = jumping();
        let drops = Drops::default();
        let seen = drops.clone();
        rt.block_on(async move {
            let group = TaskGroup::<(), &str>::new();
            group.spawn(hold(seen.guard()));
            group.spawn(hold(seen.guard()));
            yield_now().await;
            drop(group);
            assert_eq!((seen.0.get(), tasks().len()), (2, 0), "there and then");
            // So does giving up on `join`, and one that was never polled.
            let group = TaskGroup::<(), &str>::new();
            group.spawn(hold(seen.guard()));
            assert!(timeout(HOUR, group.join()).await.is_err());
            assert_eq!(seen.0.get(), 3);
        });
        // A group within a child of a group.
        let seen = drops.clone();
        rt.block_on(async move {
            let outer = TaskGroup::<(), &str>::new();
            outer.spawn(async move {
                let inner = TaskGroup::<(), &str>::new();
                inner.spawn(hold(seen.guard()));
                inner.join().await.map(|_| ()).map_err(|_| "inner")
            });
            yield_now().await;
            yield_now().await;
        });
        assert_eq!((drops.0.get(), rt.stats().tasks_alive), (4, 0));
    });
}

#[test]
fn a_group_dropped_by_its_own_child_and_drops_that_panic_or_spawn_do_no_harm() {
    within(|| {
        collect_logs();
        let (mut rt, _) = jumping();
        let drops = Drops::default();
        let seen = drops.clone();
        rt.block_on(async move {
            let group = Rc::new(RefCell::new(Some(TaskGroup::<(), &str>::new())));
            let own = Rc::clone(&group);
            let spawner = group.borrow().as_ref().unwrap().spawner();
            let late = spawner.clone();
            spawner.spawn(hold(OnDrop(move || {
                assert!(!late.spawn(async { Ok(()) }), "it is closed by now");
                panic!("in a drop");
            })));
            spawner.spawn(hold(seen.guard()));
            let guard = seen.guard();
            spawner.spawn(async move {
                let _guard = guard;
                drop(own.take());
                yield_now().await;
                unreachable!("it was dropped meanwhile");
            });
            yield_now().await;
            assert_eq!(
                seen.0.get(),
                1,
                "the one that runs is dropped in its next turn"
            );
            yield_now().await;
            assert_eq!((seen.0.get(), tasks().len()), (2, 0));
        });
        let told = logged_here().iter().any(|line| line.contains("in a drop"));
        assert!(told && rt.stats().panics == 1);
    });
}

#[test]
fn a_cancelled_group_says_so_and_one_may_outlive_its_runtime() {
    within(|| {
        let (mut rt, _) = jumping();
        let left = rt.block_on(async {
            let group = TaskGroup::<(), String>::new();
            group.spawn(async { pending().await });
            group.cancel();
            let error = group.join().await.unwrap_err();
            assert!(error.failures.is_empty());
            assert_eq!(error.to_string(), "the group of tasks was cancelled");
            let left = TaskGroup::<(), String>::new();
            left.spawn(async { pending().await });
            left
        });
        drop(rt);
        assert!(left.is_empty() && !left.spawn(async { Ok(()) }));
    });
}

static NAME: TaskLocal<&str> = TaskLocal::new();
static NUMBER: TaskLocal<u32> = TaskLocal::new();

#[test]
fn a_task_local_is_in_force_while_its_future_is_polled_and_never_else() {
    within(|| {
        let (mut rt, _) = jumping();
        let see = || (NAME.get(), NUMBER.get());
        rt.block_on(async move {
            assert_eq!(see(), (None, None));
            let inner = NAME.scope("inner", async move {
                yield_now().await;
                see()
            });
            let outer = NAME.scope("outer", async move {
                let deep = NUMBER.scope(1, inner).await;
                yield_now().await;
                (deep, see())
            });
            let mut outer = spawn(outer);
            let other = spawn(NUMBER.scope(2, async move {
                for _ in 0..5 {
                    assert_eq!(see(), (None, Some(2)));
                    yield_now().await;
                }
            }));
            yield_now().await;
            assert_eq!(see(), (None, None));
            let seen = (&mut outer).await.unwrap();
            assert_eq!(seen, (("inner".into(), Some(1)), ("outer".into(), None)));
            other.await.unwrap();
        });
    });
}

#[test]
fn a_spawned_task_sees_the_values_it_inherits_and_no_others() {
    within(|| {
        let (mut rt, _) = jumping();
        rt.block_on(NUMBER.scope(7, async {
            let plain = spawn(async { NUMBER.get() });
            let heir = spawn(inherit(async {
                yield_now().await;
                let grandchild = spawn(inherit(async { NUMBER.get() }));
                (NUMBER.get(), grandchild.await.unwrap())
            }));
            let over = NUMBER.scope(8, inherit(async { NUMBER.get() }));
            // Taken when `inherit` is called, and so under what is polled around it.
            assert_eq!(over.await, Some(7));
            assert_eq!(plain.await.unwrap(), None);
            assert_eq!(heir.await.unwrap(), (Some(7), Some(7)));
            // A callback is nobody's task.
            let seen = Rc::new(Cell::new(Some(1)));
            let sees = Rc::clone(&seen);
            call_soon(move || sees.set(NUMBER.get()));
            yield_now().await;
            assert_eq!(seen.get(), None);
        }));
    });
}

#[test]
fn a_panic_takes_its_values_out_of_force_and_a_look_may_look_again() {
    within(|| {
        let (mut rt, _) = jumping();
        let panicked = caught(|| rt.block_on(NUMBER.scope(1, async { panic!("out") })));
        assert!(panicked.is_err());
        assert_eq!(NUMBER.get(), None);
        rt.block_on(NUMBER.scope(2, async {
            NUMBER.with(|outer| {
                let inner = caught(|| NUMBER.with(|value| value.copied()));
                assert_eq!((outer, inner.unwrap()), (Some(&2), Some(2)));
            });
        }));
    });
}

#[test]
fn a_deadline_moves_while_it_limits() {
    within(|| {
        let (mut rt, time) = jumping();
        rt.block_on(async {
            let began = time.now();
            let at = |secs: u64| began + Duration::from_secs(secs);
            let deadline = Deadline::after(Duration::from_secs(10));
            assert_eq!(deadline.deadline(), Some(at(10)));
            // Later, from inside; it ends by itself then.
            let inside = deadline.clone();
            let done = deadline.limit(async move {
                sleep(Duration::from_secs(9)).await;
                inside.reset_after(Duration::from_secs(10));
                sleep(Duration::from_secs(9)).await;
            });
            assert!(done.await.is_ok());
            assert_eq!(time.now(), at(18));
            // Sooner, from another task, and twice; both that are limited hear of it.
            deadline.reset(at(1000));
            let both = [0, 1].map(|_| {
                let deadline = deadline.clone();
                spawn(async move { deadline.limit(pending::<()>()).await })
            });
            sleep(Duration::from_secs(2)).await;
            deadline.reset(at(100));
            yield_now().await;
            deadline.reset(at(30));
            for limited in both {
                assert!(limited.await.unwrap().is_err());
            }
            assert_eq!(time.now(), at(30));
            // One that has passed lets through what is ready.
            assert_eq!(deadline.limit(async { 5 }).await, Ok(5));
            assert!(deadline.limit(yield_now()).await.is_err());
        });
    });
}

/// Once a fault while it was written: keys of an earlier round named strangers.
#[test]
fn a_limit_that_is_dropped_takes_no_other_along() {
    within(|| {
        let (mut rt, time) = jumping();
        rt.block_on(async {
            let deadline = Deadline::at(time.now() + HOUR);
            let mut first = Box::pin(deadline.limit(pending::<()>()));
            poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx).is_pending())).await;
            deadline.reset(time.now() + HOUR / 2);
            let other = deadline.clone();
            let second = spawn(async move { other.limit(pending::<()>()).await });
            yield_now().await;
            drop(first);
            let soon = time.now() + Duration::from_secs(1);
            deadline.reset(soon);
            assert!(second.await.unwrap().is_err());
            assert_eq!(time.now(), soon);
        });
    });
}
