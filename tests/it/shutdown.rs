//! How a runtime ends: in order, in bounded time, with everyone told.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{
    JobHandle, JoinError, Runtime, call_later, call_soon, offload, sleep, spawn, spawn_blocking,
};

use crate::support::{
    DEADLINE, HomeGuard, OnDrop, collect_logs, logged_here, turn_until, well_in_child, within,
};

/// A runtime with one worker, which a job occupies until the sender is dropped.
fn with_stuck_job(wait: Duration) -> (Runtime, mpsc::Sender<()>) {
    let rt = Runtime::builder()
        .blocking_workers_max(1)
        .shutdown_timeout(wait)
        .build()
        .unwrap();
    let (release, gate) = mpsc::channel::<()>();
    let (begun, began) = mpsc::channel();
    let _entered = rt.enter();
    let stuck = move || {
        begun.send(()).unwrap();
        let _ = gate.recv_timeout(DEADLINE);
    };
    offload(stuck, |_| ());
    began
        .recv_timeout(DEADLINE)
        .expect("no worker took the job");
    (rt, release)
}

#[test]
fn a_handle_outlives_its_runtime_and_says_aborted() {
    let mut rt = Runtime::new().unwrap();
    let task = rt.spawn(pending::<()>());
    let unpolled = rt.spawn(async { 1 });
    let done = rt.spawn(async { 2 });
    unpolled.abort();
    rt.run_until_stalled().unwrap();
    let late = rt.spawn(async { 3 });
    drop(rt);
    late.abort();
    let mut other = Runtime::new().unwrap();
    assert!(other.block_on(task).unwrap_err().is_aborted());
    assert!(other.block_on(unpolled).unwrap_err().is_aborted());
    assert_eq!(other.block_on(done).unwrap(), 2);
    assert!(other.block_on(late).unwrap_err().is_aborted());
}

#[test]
fn a_task_of_another_runtime_is_told_when_this_one_ends() {
    within(|| {
        let (mut rt, mut other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
        let task = rt.spawn(pending::<()>());
        let job = {
            let _entered = rt.enter();
            spawn_blocking(|| 5)
        };
        let watcher = other.spawn(async move { (task.await.is_err(), job.await) });
        rt.run_until_stalled().unwrap();
        other.run_until_stalled().unwrap();
        assert!(!watcher.is_finished());
        drop(rt);
        let (aborted, job) = other.block_on(watcher).unwrap();
        assert!(aborted && (job.is_err() || job.is_ok_and(|value| value == 5)));
    });
}

#[test]
fn tasks_are_dropped_in_their_runtime_and_cannot_spawn_any_more() {
    let rt = Runtime::new().unwrap();
    let diary = Rc::new(RefCell::new(Vec::new()));
    for name in ["first", "second", "third"] {
        let diary = Rc::clone(&diary);
        let guard = OnDrop(move || {
            let refused = spawn(async {});
            assert!(refused.is_finished());
            call_soon(|| panic!("called after the end"));
            let _timer = call_later(Duration::ZERO, || panic!("fired after the end"));
            diary.borrow_mut().push(name);
        });
        rt.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        })
        .detach();
    }
    let callback = Rc::new(());
    {
        let _entered = rt.enter();
        let (a, b) = (Rc::clone(&callback), Rc::clone(&callback));
        call_soon(move || panic!("called after the end {a:?}"));
        let _timer = call_later(Duration::from_secs(1), move || panic!("fired {b:?}"));
    }
    let report = rt.shutdown();
    assert_eq!((report.tasks_dropped, report.jobs_cancelled), (3, 0));
    assert!(report.jobs_detached.is_empty());
    assert_eq!(*diary.borrow(), ["first", "second", "third"]);
    assert_eq!(Rc::strong_count(&callback), 1);
}

#[test]
fn a_stuck_job_is_named_and_does_not_hold_up_the_end() {
    within(|| {
        collect_logs();
        let (rt, release) = with_stuck_job(Duration::from_millis(30));
        let began = Instant::now();
        let report = rt.shutdown();
        assert!(
            began.elapsed() >= Duration::from_millis(30),
            "it was given its time"
        );
        assert_eq!(report.jobs_detached.len(), 1);
        let job = &report.jobs_detached[0];
        assert!(job.name.contains("with_stuck_job") && job.place.file().ends_with("shutdown.rs"));
        assert!(job.ran_for >= Duration::from_millis(30));
        assert!(job.to_string().contains("shutdown.rs"));
        let lines = logged_here();
        assert!(
            lines.iter().any(|line| line.contains("with_stuck_job")),
            "{lines:?}"
        );
        drop(release);
    });
}

#[test]
fn dropping_a_runtime_waits_for_nothing() {
    within(|| {
        let (rt, release) = with_stuck_job(Duration::from_secs(3600));
        drop(rt);
        drop(release);
    });
}

#[test]
fn a_job_that_ends_in_time_gives_its_result() {
    within(|| {
        let rt = Runtime::builder()
            .blocking_workers_max(2)
            .shutdown_timeout(DEADLINE)
            .build()
            .unwrap();
        let seen = Rc::new(Cell::new(0));
        let (begun, began) = mpsc::channel();
        // The jobs end when the task is dropped: after the runtime has begun to end.
        let job = |result: u32| {
            let (release, gate) = mpsc::channel::<()>();
            let begun = begun.clone();
            rt.spawn(async move {
                pending::<()>().await;
                drop(release);
            })
            .detach();
            move || {
                begun.send(()).unwrap();
                let _ = gate.recv_timeout(DEADLINE);
                result
            }
        };
        let mut awaited = {
            let _entered = rt.enter();
            let got = Rc::clone(&seen);
            offload(job(7), move |result| got.set(result.unwrap()));
            spawn_blocking(job(8))
        };
        for _ in 0..2 {
            began.recv_timeout(DEADLINE).unwrap();
        }
        let report = rt.shutdown();
        assert!(report.jobs_detached.is_empty());
        assert_eq!(seen.get(), 7);
        let polled = Pin::new(&mut awaited).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(8))));
    });
}

#[test]
fn queued_jobs_are_cancelled_and_their_completions_called_once() {
    within(|| {
        let (rt, release) = with_stuck_job(Duration::from_millis(1));
        let told = Rc::new(RefCell::new(Vec::new()));
        let handles: Vec<JobHandle<()>> = {
            let _entered = rt.enter();
            for number in 0..20 {
                let told = Rc::clone(&told);
                offload(
                    || panic!("it was cancelled"),
                    move |got: Result<(), _>| {
                        assert!(got.unwrap_err().is_aborted());
                        told.borrow_mut().push(number);
                    },
                );
            }
            (0..5)
                .map(|_| spawn_blocking(|| panic!("it was cancelled")))
                .collect()
        };
        let report = rt.shutdown();
        assert_eq!((report.jobs_cancelled, report.jobs_detached.len()), (25, 1));
        assert_eq!(*told.borrow(), (0..20).collect::<Vec<_>>());
        assert!(handles.iter().all(JobHandle::is_finished));
        drop(release);
    });
}

#[test]
fn the_late_result_of_a_detached_job_is_dropped_quietly() {
    within(|| {
        let dropped = Arc::new(AtomicBool::new(false));
        let (release, gate) = mpsc::channel::<()>();
        let (begun, began) = mpsc::channel();
        let rt = Runtime::new().unwrap();
        {
            let _entered = rt.enter();
            let flag = Arc::clone(&dropped);
            let job = move || {
                begun.send(()).unwrap();
                let _ = gate.recv_timeout(DEADLINE);
                OnDrop(move || {
                    flag.store(true, Ordering::SeqCst);
                    panic!("a result that panics when nobody wants it");
                })
            };
            drop(spawn_blocking(job));
        }
        began.recv_timeout(DEADLINE).unwrap();
        drop(rt);
        assert!(!dropped.load(Ordering::SeqCst));
        drop(release);
        let began = Instant::now();
        while !dropped.load(Ordering::SeqCst) {
            assert!(began.elapsed() < DEADLINE);
            thread::yield_now();
        }
    });
}

#[test]
fn posts_that_wait_are_dropped_here_at_the_end() {
    within(|| {
        let rt = Runtime::new().unwrap();
        let (astray, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handle = rt.handle();
        let guards: Vec<_> = (0..10).map(|_| HomeGuard::new(&astray, &dropped)).collect();
        let sender = thread::spawn(move || {
            for guard in guards {
                handle.call(move || drop(guard)).unwrap();
            }
        });
        sender.join().unwrap();
        drop(rt);
        assert_eq!(
            (
                astray.load(Ordering::SeqCst),
                dropped.load(Ordering::SeqCst)
            ),
            (0, 10)
        );
    });
}

/// Once a fault: ends that were filed before the shutdown wait among the callbacks, and those
/// are dropped uncalled. `offload` promises exactly once.
#[test]
fn a_completion_that_waits_when_the_end_comes_is_called() {
    within(|| {
        let (mut rt, release) = with_stuck_job(Duration::from_millis(1));
        let told = Rc::new(Cell::new(0));
        let handle = {
            let _entered = rt.enter();
            let tell = Rc::clone(&told);
            let job = offload(|| (), move |_| tell.set(tell.get() + 1));
            assert!(job.cancel());
            let handle = spawn_blocking(|| ());
            assert!(handle.cancel());
            handle
        };
        drop(rt);
        drop(release);
        assert_eq!(told.get(), 1, "its completion was dropped uncalled");
        assert!(
            handle.is_finished(),
            "whoever awaits it elsewhere waits for ever"
        );
        rt = Runtime::new().unwrap();
        assert!(rt.block_on(handle).unwrap_err().is_aborted());
    });
}

/// Once a fault: what a completion offloads while the runtime ends is refused, and the
/// completion of that is dropped uncalled.
#[test]
fn a_job_refused_during_the_end_is_told() {
    within(|| {
        let (rt, release) = with_stuck_job(Duration::from_millis(1));
        let told = Rc::new(Cell::new(false));
        {
            let _entered = rt.enter();
            let tell = Rc::clone(&told);
            offload(
                || (),
                move |_| {
                    offload(
                        || (),
                        move |got: Result<(), _>| {
                            assert!(got.is_err());
                            tell.set(true);
                        },
                    );
                },
            );
        }
        drop(rt);
        drop(release);
        assert!(told.get());
    });
}

/// Once a fault: shutdown.rs says that a drop's offload is refused; the pool is still open, so
/// the job may even run.
#[test]
fn an_offload_from_a_drop_at_the_end_is_refused() {
    within(|| {
        let rt = Runtime::builder()
            .shutdown_timeout(DEADLINE)
            .build()
            .unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let tell = Rc::clone(&told);
        let guard = OnDrop(move || {
            let tell = Rc::clone(&tell);
            let note = move |got: Result<(), JoinError>| {
                tell.borrow_mut()
                    .push(got.is_err_and(|error| error.is_refused()));
            };
            offload(|| (), note);
        });
        rt.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        })
        .detach();
        drop(rt.shutdown());
        assert_eq!(*told.borrow(), [true], "told once, and that it was refused");
    });
}

/// Once a fault: dropping callbacks has no limit of rounds, unlike dropping tasks.
#[test]
fn a_callback_that_posts_itself_when_dropped_does_not_hold_up_the_end() {
    struct Again(Rc<Cell<u32>>);
    impl Drop for Again {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            // A real one would never stop; this one lets the test fail and not hang.
            if self.0.get() < 100_000 {
                let again = Again(Rc::clone(&self.0));
                call_soon(move || drop(again));
            }
        }
    }
    let rounds = Rc::new(Cell::new(0));
    let rt = Runtime::new().unwrap();
    {
        let _entered = rt.enter();
        let again = Again(Rc::clone(&rounds));
        call_soon(move || drop(again));
    }
    drop(rt);
    assert!(rounds.get() < 100_000, "it would have gone on for ever");
}

/// Once a fault: `Runtime::drop` enters, which panics once the thread's locals are gone, and
/// a panic there aborts the process. In a child for that reason.
#[test]
fn a_runtime_in_a_thread_local_ends_with_its_thread() {
    thread_local! {
        static RT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    well_in_child(
        "shutdown::a_runtime_in_a_thread_local_ends_with_its_thread",
        || {
            let thread = thread::spawn(|| {
                RT.set(Some(Runtime::new().unwrap()));
                RT.with_borrow_mut(|rt| {
                    let rt = rt.as_mut().unwrap();
                    rt.spawn(pending::<()>()).detach();
                    rt.block_on(async { sleep(Duration::from_millis(1)).await });
                });
            });
            thread.join().unwrap();
        },
    );
}

#[test]
fn runtimes_leave_no_descriptor_behind() {
    well_in_child("shutdown::runtimes_leave_no_descriptor_behind", || {
        within(|| {
            let count = || std::fs::read_dir("/dev/fd").unwrap().count();
            drop(Runtime::new().unwrap());
            let before = count();
            for _ in 0..300 {
                let mut rt = Runtime::new().unwrap();
                rt.block_on(async {
                    let listener = tourbillon::net::TcpListener::bind("127.0.0.1:0");
                    spawn(async move {
                        let _held = listener;
                        pending::<()>().await;
                    })
                    .detach();
                    tourbillon::yield_now().await;
                });
            }
            assert_eq!(count(), before);
        });
    });
}

#[test]
fn what_is_handed_in_after_the_end_is_refused_or_never_runs() {
    let rt = Runtime::new().unwrap();
    let _entered = rt.enter();
    drop(rt);
    let held = Rc::new(());
    let (a, b) = (Rc::clone(&held), Rc::clone(&held));
    assert!(spawn(async move { drop(a) }).is_finished());
    call_soon(move || panic!("{b:?}"));
    let nap = sleep(Duration::ZERO);
    drop((nap, _entered));
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn a_running_runtime_notices_the_end_of_another_on_its_thread() {
    let mut rt = Runtime::new().unwrap();
    let done = Rc::new(Cell::new(false));
    let flag = Rc::clone(&done);
    let inner = Runtime::new().unwrap();
    let waits = inner.spawn(pending::<()>());
    rt.spawn(async move {
        assert!(waits.await.unwrap_err().is_aborted());
        flag.set(true);
    })
    .detach();
    rt.spawn(async move { drop(inner) }).detach();
    turn_until(&mut rt, || done.get());
}

/// The job ends at about the moment the runtime stops waiting for it.
#[test]
fn a_result_is_never_lost_unnamed() {
    within(|| {
        for round in 0..500 {
            let rt = Runtime::builder().shutdown_timeout(Duration::ZERO);
            let rt = rt.build().unwrap();
            let (begun, began) = mpsc::channel();
            let (end, wait) = mpsc::channel::<()>();
            let entered = rt.enter();
            let mut job = spawn_blocking(move || {
                begun.send(()).unwrap();
                let _ = wait.recv_timeout(DEADLINE);
            });
            drop(entered);
            began.recv_timeout(DEADLINE).unwrap();
            drop(end);
            (0..round % 50 * 20).for_each(|_| std::hint::spin_loop());
            let report = rt.shutdown();
            let given = Pin::new(&mut job).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(given) = given else {
                panic!("the runtime has ended, and the job has not");
            };
            assert_eq!(given.is_err(), !report.jobs_detached.is_empty());
        }
    });
}
