//! Who looks at tasks, and how time passes for a test.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::{
    Runtime, TaskEventKind, TaskState, sleep, spawn, spawn_blocking, spawn_named, tasks, yield_now,
};

use super::{HOUR, jumping};
use crate::support::{collect_logs, logged_here, within};

#[test]
fn tasks_are_listed_with_what_they_do() {
    within(|| {
        let (mut rt, _) = jumping();
        rt.block_on(async {
            let idle = spawn_named("idle", pending::<()>());
            let me = spawn_named("me", async {
                yield_now().await;
                tasks()
            });
            let seen = me.id();
            let busy = spawn_named("busy", async {
                loop {
                    yield_now().await;
                }
            });
            let list = me.await.unwrap();
            let of = |name: &str| list.iter().find(|task| task.name == name).unwrap().clone();
            assert_eq!(
                (of("idle").state, of("idle").polls),
                (TaskState::Waiting, 1)
            );
            assert_eq!((of("me").state, of("me").polls), (TaskState::Running, 2));
            assert_eq!((of("me").id, of("busy").state), (seen, TaskState::Ready));
            assert!(of("busy").place.file().ends_with("looks.rs"));
            busy.abort();
            idle.abort();
            assert!(tasks().iter().all(|task| task.state == TaskState::Aborting));
            assert!(busy.await.unwrap_err().is_aborted());
            assert_ne!(idle.id(), seen);
        });
        assert!(rt.tasks().is_empty());
    });
}

#[test]
fn the_hook_hears_of_every_task_from_its_spawn_to_its_end() {
    use TaskEventKind::{Aborted, Finished, Panicked, PollBegins, PollEnds, Spawned};
    within(|| {
        collect_logs();
        let heard: Rc<RefCell<Vec<(String, TaskEventKind)>>> = Rc::default();
        let hears = Rc::clone(&heard);
        let builder = Runtime::builder().on_task_event(move |event| {
            let name = event.task.name.to_string();
            hears.borrow_mut().push((name, event.kind));
            if event.task.name == "shy" && event.kind == Finished {
                panic!("the hook does not like this");
            }
            if event.task.name == "parent" && event.kind == Finished {
                spawn_named("child", async {}).detach();
            }
        });
        let mut rt = builder.build().unwrap();
        let outside = rt.spawn(async { panic!("on purpose") });
        rt.block_on(async {
            assert!(outside.await.is_err());
            spawn_named("parent", yield_now()).await.unwrap();
            spawn_named("shy", async {}).await.unwrap();
            spawn_named("left", pending::<()>()).detach();
            yield_now().await;
        });
        assert_eq!(rt.stats().panics, 2, "the task's and the hook's");
        drop(rt);
        let of = |name: &str| {
            let heard = heard.borrow();
            let own = heard.iter().filter(|(of, _)| of == name);
            own.map(|(_, kind)| *kind).collect::<Vec<_>>()
        };
        let polled = [Spawned, PollBegins, PollEnds];
        assert_eq!(
            of("parent"),
            [&polled[..], &[PollBegins, PollEnds, Finished]].concat()
        );
        assert_eq!(of("child"), [&polled[..], &[Finished]].concat());
        assert_eq!(of("shy"), [&polled[..], &[Finished]].concat());
        assert_eq!(of("left"), [&polled[..], &[Aborted]].concat());
        let first: Vec<_> = heard.borrow()[..3].iter().map(|(_, kind)| *kind).collect();
        assert_eq!(first, [Spawned, PollBegins, Panicked]);
        assert!(
            logged_here()
                .iter()
                .any(|line| line.contains("the hook for tasks panicked"))
        );
    });
}

#[test]
fn time_jumps_only_when_nothing_else_can_happen() {
    within(|| {
        let (mut rt, time) = jumping();
        let began = time.now();
        rt.block_on(async {
            let ticks = spawn(async {
                for _ in 0..3 {
                    sleep(HOUR).await;
                }
            });
            // A job lives in real time: the clock stands still until it is back.
            let job = spawn_blocking(|| thread::sleep(Duration::from_millis(30)));
            let before = time.now();
            job.await.unwrap();
            assert_eq!(time.now(), before);
            for _ in 0..100 {
                yield_now().await;
            }
            assert_eq!(time.now(), before, "a task was ready");
            ticks.await.unwrap();
        });
        assert_eq!(time.now() - began, 3 * HOUR);
        // Turns that may not sleep do not jump, and a short sleep is a short jump.
        let _late = rt.spawn(async { sleep(HOUR).await });
        rt.run_until_stalled().unwrap();
        assert_eq!(time.now() - began, 3 * HOUR);
        rt.turn(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(time.now() - began, 3 * HOUR + Duration::from_secs(60));
        // A thread that is about to post: what it posts may come after the jump, never lost.
        let handle = rt.handle();
        let poster = thread::spawn(move || handle.stop().unwrap());
        rt.run().unwrap();
        poster.join().unwrap();
    });
}

#[test]
fn a_host_is_called_once_until_it_turns_the_loop() {
    within(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&calls);
        let builder = Runtime::builder().host_waker(move || {
            counts.fetch_add(1, Ordering::SeqCst);
        });
        let mut rt = builder.build().unwrap();
        rt.run_until_stalled().unwrap();
        let parked: Rc<RefCell<Option<Waker>>> = Rc::default();
        let parks = Rc::clone(&parked);
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        rt.spawn(poll_fn(move |cx| {
            counted.set(counted.get() + 1);
            *parks.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }))
        .detach();
        rt.run_until_stalled().unwrap();
        assert_eq!((calls.load(Ordering::SeqCst), polls.get()), (0, 1));
        for round in 1..=3 {
            let (waker, handle) = (parked.take().unwrap(), rt.handle());
            let poster = thread::spawn(move || {
                waker.wake();
                (0..10).for_each(|_| handle.call(|| ()).unwrap());
            });
            poster.join().unwrap();
            assert_eq!(calls.load(Ordering::SeqCst), round, "once is enough");
            rt.run_until_stalled().unwrap();
            assert_eq!(polls.get(), round + 1);
        }
    });
}
