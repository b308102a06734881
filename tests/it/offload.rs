//! Blocking jobs: where they run, where their ends are called, and that each end is.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::{JobHandle, Runtime, offload, sleep, spawn_blocking};

use crate::support::{
    DEADLINE, HomeGuard, OnDrop, block_on, caught, collect_logs, logged_with, text_of, turn_until,
    within,
};

fn poll_once<T>(job: &mut JobHandle<T>) -> Poll<Result<T, tourbillon::JoinError>> {
    Pin::new(job).poll(&mut Context::from_waker(Waker::noop()))
}

fn with_workers(count: usize) -> Runtime {
    Runtime::builder()
        .blocking_workers_max(count)
        .build()
        .unwrap()
}

/// Occupies a worker until the sender is dropped or used.
fn occupy() -> (mpsc::Sender<()>, JobHandle<()>) {
    let (release, gate) = mpsc::channel::<()>();
    let (begun, began) = mpsc::channel();
    let job = spawn_blocking(move || {
        begun.send(()).unwrap();
        let _ = gate.recv_timeout(DEADLINE);
    });
    began
        .recv_timeout(DEADLINE)
        .expect("no worker took the job");
    (release, job)
}

#[test]
fn a_job_runs_elsewhere_and_its_completion_here() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let home = thread::current().id();
        let seen = Rc::new(RefCell::new(None));
        {
            let _entered = rt.enter();
            let local = Rc::clone(&seen);
            offload(
                move || thread::current().id(),
                move |worker| {
                    assert_eq!(thread::current().id(), home);
                    *local.borrow_mut() = Some(worker.unwrap());
                },
            );
        }
        assert!(
            seen.borrow().is_none(),
            "in a later turn, even if the job has ended by now"
        );
        turn_until(&mut rt, || seen.borrow().is_some());
        assert_ne!(seen.take(), Some(home));
        assert_eq!(Rc::strong_count(&seen), 1, "the completion is gone");
    });
}

#[test]
fn ten_thousand_jobs_of_one_worker_end_once_each_in_order() {
    within(|| {
        let mut rt = with_workers(1);
        let seen = Rc::new(RefCell::new(Vec::new()));
        {
            let _entered = rt.enter();
            for number in 0..10_000_u32 {
                let seen = Rc::clone(&seen);
                offload(
                    move || number,
                    move |got| seen.borrow_mut().push(got.unwrap()),
                );
            }
        }
        turn_until(&mut rt, || seen.borrow().len() == 10_000);
        rt.run_until_stalled().unwrap();
        assert_eq!(*seen.borrow(), (0..10_000).collect::<Vec<_>>());
        let stats = rt.stats();
        assert_eq!(
            (stats.jobs, stats.jobs_queued, stats.workers),
            (10_000, 0, 1)
        );
    });
}

#[test]
fn a_handle_may_be_awaited_given_up_and_awaited_again() {
    block_on(|| async {
        let (release, mut job) = occupy();
        assert!(
            tourbillon::timeout(Duration::from_millis(1), &mut job)
                .await
                .is_err()
        );
        assert!(!job.is_finished());
        drop(release);
        job.await.unwrap();
    });
}

#[test]
fn a_panic_of_a_job_is_a_value() {
    block_on(|| async {
        let (sender, told) = mpsc::channel();
        offload(
            || panic!("in a completion"),
            move |got: Result<(), _>| {
                sender.send(got.unwrap_err().into_panic().unwrap()).unwrap();
            },
        );
        let error = spawn_blocking(|| -> u32 { panic!("in a handle") })
            .await
            .unwrap_err();
        assert!(error.is_panic());
        assert_eq!(text_of(&*error.into_panic().unwrap()), "in a handle");
        let payload = loop {
            match told.try_recv() {
                Ok(payload) => break payload,
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        };
        assert_eq!(text_of(&*payload), "in a completion");
    });
}

/// Once a fault: a panic of a job is handed to whoever waits, and if nobody does it is lost:
/// neither logged nor counted.
#[test]
fn a_panicking_job_is_logged_by_its_place_and_counted() {
    within(|| {
        collect_logs();
        let mut rt = Runtime::new().unwrap();
        let done = Rc::new(Cell::new(false));
        {
            let _entered = rt.enter();
            let end = Rc::clone(&done);
            offload(
                || panic!("unheard-of-4711"),
                move |_: Result<(), _>| end.set(true),
            );
        }
        turn_until(&mut rt, || done.get());
        let lines = logged_with("unheard-of-4711");
        assert!(
            lines.iter().any(|line| line.contains("offload.rs")),
            "not logged: {lines:?}"
        );
        assert_eq!(rt.stats().panics, 1);
    });
}

#[test]
fn a_queued_job_can_be_cancelled_and_a_running_one_cannot() {
    within(|| {
        let mut rt = with_workers(1);
        let _entered = rt.enter();
        let (release, running) = occupy();
        let ran = Arc::new(AtomicUsize::new(0));
        let (count, captured) = (Arc::clone(&ran), Rc::new(()));
        let mut queued = spawn_blocking(move || count.fetch_add(1, Ordering::SeqCst));
        let called = Rc::new(Cell::new(0));
        let (calls, held) = (Rc::clone(&called), Rc::clone(&captured));
        let other = offload(
            || (),
            move |got| {
                assert!(got.unwrap_err().is_aborted());
                calls.set(calls.get() + 1);
                drop(held);
            },
        );
        assert!(queued.cancel() && other.cancel());
        assert!(!queued.cancel() && !other.cancel(), "once is all there is");
        assert!(!running.cancel());
        assert_eq!(called.get(), 0, "told in a later turn");
        rt.run_until_stalled().unwrap();
        assert!(matches!(poll_once(&mut queued), Poll::Ready(Err(e)) if e.is_aborted()));
        drop(release);
        turn_until(&mut rt, || running.is_finished());
        assert_eq!((called.get(), ran.load(Ordering::SeqCst)), (1, 0));
        assert_eq!(Rc::strong_count(&captured), 1);
        assert!(!running.cancel() && !other.cancel());
    });
}

/// Once a fault: the job's captures are dropped before its end is filed, so a panic there
/// leaves whoever waits for the job waiting for ever.
#[test]
fn a_cancelled_job_whose_captures_panic_is_still_told() {
    within(|| {
        let mut rt = with_workers(1);
        let _entered = rt.enter();
        let (release, _running) = occupy();
        let bomb = OnDrop(|| panic!("a capture"));
        let queued = spawn_blocking(move || drop(bomb));
        let _ = caught(|| queued.cancel());
        rt.run_until_stalled().unwrap();
        drop(release);
        assert!(queued.is_finished(), "nobody will ever tell its awaiter");
    });
}

/// Once a fault, for the same reason, when the queue is full.
#[test]
fn a_refused_job_whose_captures_panic_is_still_told() {
    within(|| {
        let mut rt = Runtime::builder()
            .blocking_workers_max(1)
            .blocking_queue_max(0)
            .build()
            .unwrap();
        let _entered = rt.enter();
        let (release, _running) = occupy();
        let told = Rc::new(Cell::new(false));
        let tell = Rc::clone(&told);
        let bomb = OnDrop(|| panic!("a capture"));
        let _ = caught(move || offload(move || drop(bomb), move |_| tell.set(true)));
        rt.run_until_stalled().unwrap();
        drop(release);
        assert!(told.get(), "its completion was never called");
    });
}

#[test]
fn a_full_queue_refuses_in_a_later_turn_and_takes_jobs_again() {
    within(|| {
        let mut rt = Runtime::builder()
            .blocking_workers_max(1)
            .blocking_queue_max(2)
            .build()
            .unwrap();
        let _entered = rt.enter();
        let (release, running) = occupy();
        let fits = [spawn_blocking(|| 1), spawn_blocking(|| 2)];
        let mut refused = spawn_blocking(|| 3);
        assert_eq!(rt.stats().jobs_queued, 2);
        assert!(!refused.is_finished(), "in a later turn");
        rt.run_until_stalled().unwrap();
        let Poll::Ready(Err(error)) = poll_once(&mut refused) else {
            panic!("taken")
        };
        assert!(
            error.is_refused() && error.to_string().contains("full"),
            "{error}"
        );
        drop(release);
        turn_until(&mut rt, || {
            running.is_finished() && fits.iter().all(JobHandle::is_finished)
        });
        let again = spawn_blocking(|| 4);
        turn_until(&mut rt, || again.is_finished());
    });
}

#[test]
fn an_unwanted_result_is_dropped_on_the_loops_thread() {
    within(|| {
        let (astray, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut rt = Runtime::new().unwrap();
        let _entered = rt.enter();
        for kind in 0..40 {
            // Made here, so that home is this thread; carried there and back.
            let guard = HomeGuard::new(&astray, &dropped);
            let job = spawn_blocking(move || guard);
            match kind % 4 {
                0 => drop(job),
                1 => drop(job.cancel()),
                2 => {
                    turn_until(&mut rt, || job.is_finished());
                    drop(job);
                }
                _ => rt.spawn(async move { drop(job.await) }).detach(),
            }
        }
        turn_until(&mut rt, || dropped.load(Ordering::SeqCst) == 40);
        assert_eq!(astray.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_completion_may_offload_again() {
    within(|| {
        fn chain(left: u32, done: Rc<Cell<bool>>) {
            offload(
                move || left,
                move |got| match got.unwrap() {
                    0 => done.set(true),
                    left => chain(left - 1, done),
                },
            );
        }
        let mut rt = with_workers(2);
        let done = Rc::new(Cell::new(false));
        {
            let _entered = rt.enter();
            chain(500, Rc::clone(&done));
        }
        turn_until(&mut rt, || done.get());
        assert!(rt.stats().workers <= 2);
        assert_eq!(rt.stats().jobs, 501);
    });
}

#[test]
fn more_jobs_than_workers_keep_to_the_limit() {
    within(|| {
        let mut rt = with_workers(3);
        let _entered = rt.enter();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let ends: Vec<_> = (0..60)
            .map(|_| {
                let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                spawn_blocking(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        turn_until(&mut rt, || ends.iter().all(JobHandle::is_finished));
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    });
}

#[test]
fn a_parked_loop_is_roused_by_a_job() {
    block_on(|| async {
        for round in 0..200 {
            assert_eq!(spawn_blocking(move || round).await.unwrap(), round);
        }
    });
}

#[test]
fn workers_carry_the_name_they_were_given() {
    within(|| {
        let mut rt = Runtime::builder().thread_name("jewel").build().unwrap();
        let name = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&name);
        rt.block_on(async {
            let job = spawn_blocking(move || {
                seen.lock()
                    .unwrap()
                    .push_str(thread::current().name().unwrap());
            });
            job.await.unwrap();
        });
        assert!(name.lock().unwrap().starts_with("jewel"));
    });
}

#[test]
fn a_handle_that_is_dropped_lets_go_of_its_waker_and_does_not_panic() {
    within(|| {
        let mut rt = with_workers(1);
        let _entered = rt.enter();
        let woken = Arc::new(Woken);
        let waker = Waker::from(Arc::clone(&woken));
        let (release, mut job) = occupy();
        let polled = Pin::new(&mut job).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop((waker, job));
        assert_eq!(Arc::strong_count(&woken), 1);
        drop(release);
        let job = spawn_blocking(|| OnDrop(|| panic!("meant, in a drop")));
        turn_until(&mut rt, || job.is_finished());
        assert!(caught(|| drop(job)).is_ok());
    });
}

struct Woken;

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {}
}
