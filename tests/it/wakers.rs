//! Wakers by the state of their task, from every thread, and past the end of everything.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::{Runtime, sleep, spawn, yield_now};

use crate::support::{DEADLINE, HomeGuard, turn_until, within};

/// A task that stays pending, counts its polls and hands out its waker.
#[derive(Clone, Default)]
struct Watched {
    polls: Rc<Cell<u32>>,
    waker: Rc<RefCell<Option<Waker>>>,
}

impl Watched {
    fn spawn_on(&self, rt: &Runtime) -> tourbillon::JoinHandle<()> {
        let this = self.clone();
        rt.spawn(poll_fn(move |cx| {
            this.polls.set(this.polls.get() + 1);
            *this.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("it was polled")
    }
}

#[test]
fn a_wake_from_another_thread_rouses_a_parked_loop() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (sender, wakers) = mpsc::channel::<Waker>();
        let other = thread::spawn(move || {
            let mut count = 0;
            while let Ok(waker) = wakers.recv() {
                waker.wake();
                count += 1;
            }
            count
        });
        let mut rounds = 0;
        rt.block_on(poll_fn(|cx| {
            rounds += 1;
            if rounds > 2000 {
                return Poll::Ready(());
            }
            sender.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        drop(sender);
        assert_eq!(other.join().unwrap(), 2000);
    });
}

#[test]
fn a_wake_during_the_poll_polls_again() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        for remote in [false, true] {
            let polls = Rc::new(Cell::new(0));
            let count = Rc::clone(&polls);
            let task = rt.spawn(poll_fn(move |cx| {
                count.set(count.get() + 1);
                if count.get() == 3 {
                    return Poll::Ready(());
                }
                if remote {
                    let waker = cx.waker().clone();
                    thread::spawn(move || waker.wake()).join().unwrap();
                } else {
                    cx.waker().wake_by_ref();
                    let copy = cx.waker().clone();
                    copy.wake_by_ref();
                    copy.wake();
                }
                Poll::Pending
            }));
            turn_until(&mut rt, || task.is_finished());
            rt.run_until_stalled().unwrap();
            assert_eq!(polls.get(), 3, "remote: {remote}");
        }
    });
}

#[test]
fn a_wake_before_the_first_poll_changes_nothing() {
    let mut rt = Runtime::new().unwrap();
    let first = Watched::default();
    let handle = first.spawn_on(&rt);
    rt.run_until_stalled().unwrap();
    handle.abort();
    rt.run_until_stalled().unwrap();
    // The next task lives in the slot of the first; wakes of the first are not its wakes.
    let second = Watched::default();
    let _handle = second.spawn_on(&rt);
    let stale = first.waker();
    stale.wake_by_ref();
    thread::spawn(move || stale.wake()).join().unwrap();
    rt.run_until_stalled().unwrap();
    assert_eq!((first.polls.get(), second.polls.get()), (1, 1));
}

#[test]
fn wakes_after_an_end_or_an_abort_find_nobody() {
    let mut rt = Runtime::new().unwrap();
    let ended = Rc::new(RefCell::new(None));
    let hold = Rc::clone(&ended);
    let done = rt.spawn(poll_fn(move |cx| {
        *hold.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    let aborted = Watched::default();
    let handle = aborted.spawn_on(&rt);
    rt.run_until_stalled().unwrap();
    handle.abort();
    rt.run_until_stalled().unwrap();
    assert!(done.is_finished() && handle.is_finished());
    let (polls, wakes) = (rt.stats().polls, rt.stats().wakes);
    for waker in [ended.take().unwrap(), aborted.waker()] {
        let _entered = rt.enter();
        waker.wake_by_ref();
        let copy = waker.clone();
        thread::spawn(move || copy.wake()).join().unwrap();
    }
    rt.run_until_stalled().unwrap();
    assert_eq!((rt.stats().polls, rt.stats().wakes), (polls, wakes));
}

#[test]
fn many_wakes_are_one_poll() {
    let mut rt = Runtime::new().unwrap();
    let watched = Watched::default();
    let _handle = watched.spawn_on(&rt);
    rt.run_until_stalled().unwrap();
    let waker = watched.waker();
    (0..100).for_each(|_| waker.wake_by_ref());
    rt.run_until_stalled().unwrap();
    assert_eq!(watched.polls.get(), 2);
    {
        let _entered = rt.enter();
        (0..100).for_each(|_| waker.wake_by_ref());
    }
    rt.run_until_stalled().unwrap();
    assert_eq!(watched.polls.get(), 3);
}

#[test]
fn wakers_of_one_task_are_equal_and_of_two_are_not() {
    let mut rt = Runtime::new().unwrap();
    let mut other = Runtime::new().unwrap();
    let [a, b, c] = [Watched::default(), Watched::default(), Watched::default()];
    let _handles = [a.spawn_on(&rt), b.spawn_on(&rt), c.spawn_on(&other)];
    rt.run_until_stalled().unwrap();
    other.run_until_stalled().unwrap();
    let first = a.waker();
    first.wake_by_ref();
    rt.run_until_stalled().unwrap();
    assert!(first.will_wake(&a.waker()), "from poll to poll");
    assert!(!first.will_wake(&b.waker()) && !first.will_wake(&c.waker()));
    let here = thread::spawn(move || first.clone()).join().unwrap();
    assert!(here.will_wake(&a.waker()));
}

/// Ten thousand wakers outlive their runtime and are woken from four threads while other
/// runtimes come and go. No task of those may be polled for it.
#[test]
fn wakers_past_the_end_of_their_runtime_wake_nobody() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let kept = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..10_000 {
            let kept = Rc::clone(&kept);
            rt.spawn(poll_fn(move |cx| {
                kept.borrow_mut().push(cx.waker().clone());
                Poll::<()>::Pending
            }))
            .detach();
        }
        rt.run_until_stalled().unwrap();
        let kept = Arc::new(kept.take());
        assert_eq!(kept.len(), 10_000);
        drop(rt);
        let start = Arc::new(Barrier::new(5));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (kept, start) = (Arc::clone(&kept), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    (0..5).for_each(|_| kept.iter().for_each(Waker::wake_by_ref));
                })
            })
            .collect();
        start.wait();
        for _ in 0..50 {
            let mut rt = Runtime::new().unwrap();
            let watched: Vec<_> = (0..20).map(|_| Watched::default()).collect();
            let _handles: Vec<_> = watched.iter().map(|task| task.spawn_on(&rt)).collect();
            rt.run_until_stalled().unwrap();
            rt.turn(Some(Duration::from_millis(1))).unwrap();
            assert!(watched.iter().all(|task| task.polls.get() == 1));
            assert_eq!(rt.stats().wakes, 0);
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn a_thread_local_may_wake_while_its_thread_ends() {
    struct WakesAtEnd(RefCell<Option<Waker>>);
    impl Drop for WakesAtEnd {
        fn drop(&mut self) {
            if let Some(waker) = self.0.take() {
                waker.wake();
            }
        }
    }
    thread_local! {
        static LAST: WakesAtEnd = const { WakesAtEnd(RefCell::new(None)) };
    }
    within(|| {
        // Another thread's end wakes a task here.
        let mut rt = Runtime::new().unwrap();
        let polls = Rc::new(Cell::new(0));
        rt.block_on(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            if polls.get() == 2 {
                return Poll::Ready(());
            }
            let waker = cx.waker().clone();
            thread::spawn(move || LAST.with(|last| *last.0.borrow_mut() = Some(waker)));
            Poll::Pending
        }));
        // The end of the loop's own thread, before and after the loop's own locals are made.
        for early in [true, false] {
            thread::spawn(move || {
                if early {
                    LAST.with(|_| ());
                }
                let mut rt = Runtime::new().unwrap();
                let watched = Watched::default();
                let _handle = watched.spawn_on(&rt);
                rt.run_until_stalled().unwrap();
                LAST.with(|last| *last.0.borrow_mut() = Some(watched.waker()));
            })
            .join()
            .unwrap();
        }
    });
}

#[test]
fn a_future_is_dropped_on_its_thread_whatever_becomes_of_its_wakers() {
    within(|| {
        let (astray, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (sender, receiver) = mpsc::channel::<Waker>();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads: Vec<_> = (0..3)
            .map(|kind| {
                let receiver = Arc::clone(&receiver);
                thread::spawn(move || {
                    loop {
                        let next = receiver.lock().unwrap().recv();
                        match (next, kind) {
                            (Ok(waker), 0) => waker.wake(),
                            (Ok(waker), 1) => drop(waker.clone()),
                            (Ok(waker), _) => std::mem::forget(waker),
                            (Err(_), _) => break,
                        }
                    }
                })
            })
            .collect();
        let mut rt = Runtime::new().unwrap();
        for number in 0..300 {
            let guard = HomeGuard::new(&astray, &dropped);
            let sender = sender.clone();
            let task = rt.spawn(async move {
                let _guard = guard;
                for _ in 0..number % 5 {
                    poll_fn(|cx| {
                        sender.send(cx.waker().clone()).unwrap();
                        Poll::Ready(())
                    })
                    .await;
                    yield_now().await;
                }
                if number % 3 == 0 {
                    std::future::pending::<()>().await;
                }
            });
            if number % 7 == 0 {
                task.abort();
            }
        }
        drop(sender);
        rt.run_until_stalled().unwrap();
        drop(rt);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        assert_eq!(
            (
                astray.load(Ordering::SeqCst),
                dropped.load(Ordering::SeqCst)
            ),
            (0, 300)
        );
    });
}

/// The lost-wake hunt: senders set a flag and wake once, the loop must see every flag.
#[test]
fn no_wake_is_lost_between_threads() {
    within(|| {
        const SENDERS: usize = 4;
        const ROUNDS: usize = 3000;
        let mut rt = Runtime::new().unwrap();
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let flag = Arc::new(AtomicUsize::new(0));
                let (sender, wakers) = mpsc::channel::<Waker>();
                let raised = Arc::clone(&flag);
                let thread = thread::spawn(move || {
                    for round in 1..=ROUNDS {
                        let waker = wakers.recv_timeout(DEADLINE).expect("the task is stuck");
                        raised.store(round, Ordering::Release);
                        waker.wake();
                    }
                });
                (flag, sender, thread)
            })
            .collect();
        rt.block_on(async {
            let mut tasks = Vec::new();
            let mut threads = Vec::new();
            for (flag, sender, thread) in senders {
                threads.push(thread);
                tasks.push(spawn(async move {
                    for round in 1..=ROUNDS {
                        let mut asked = false;
                        poll_fn(|cx| {
                            if flag.load(Ordering::Acquire) == round {
                                return Poll::Ready(());
                            }
                            if !asked {
                                asked = true;
                                sender.send(cx.waker().clone()).unwrap();
                            }
                            Poll::Pending
                        })
                        .await;
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            sleep(Duration::from_millis(1)).await;
        });
    });
}
