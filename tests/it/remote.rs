//! What other threads may do: call, spawn, stop, and find the door closed.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::{Closed, Handle, Runtime, call_later, sleep, spawn, yield_now};

use crate::support::{DEADLINE, HomeGuard, caught, text_of, turn_until, within};

const ZERO: Option<Duration> = Some(Duration::ZERO);

thread_local! {
    static SEEN: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Compiles only if `T` is not `Send`: else both impls apply and the call is ambiguous.
trait NotSend<A> {
    fn holds() {}
}

struct IsSend;

impl<T: ?Sized> NotSend<()> for T {}
impl<T: ?Sized + Send> NotSend<IsSend> for T {}

fn is_send_and_sync<T: Send + Sync + Clone + 'static>() {}

#[test]
fn handles_cross_threads_and_nothing_else_does() {
    is_send_and_sync::<Handle>();
    is_send_and_sync::<Closed>();
    <Runtime as NotSend<_>>::holds();
    <tourbillon::EnterGuard as NotSend<_>>::holds();
    <tourbillon::JoinHandle<()> as NotSend<_>>::holds();
    <tourbillon::CancelOnDrop<()> as NotSend<_>>::holds();
    <tourbillon::JobHandle<()> as NotSend<_>>::holds();
    <tourbillon::Job as NotSend<_>>::holds();
    <tourbillon::Sleep as NotSend<_>>::holds();
    <tourbillon::Interval as NotSend<_>>::holds();
    <tourbillon::Timer as NotSend<_>>::holds();
    <tourbillon::net::TcpStream as NotSend<_>>::holds();
    <tourbillon::net::TcpListener as NotSend<_>>::holds();
    <tourbillon::net::OwnedReadHalf as NotSend<_>>::holds();
    <tourbillon::sync::CancellationToken as NotSend<_>>::holds();
    <tourbillon::sync::DropGuard as NotSend<_>>::holds();
}

#[test]
fn eight_threads_are_heard_first_in_first_out_each() {
    within(|| {
        const SENDERS: usize = 8;
        const CALLS: usize = 2000;
        let mut rt = Runtime::new().unwrap();
        let home = thread::current().id();
        let start = Arc::new(Barrier::new(SENDERS));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (handle, start) = (rt.handle(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    for number in 0..CALLS {
                        let note = move || {
                            assert_eq!(thread::current().id(), home);
                            SEEN.with_borrow_mut(|seen| seen.push((sender, number)));
                        };
                        match number % 2 {
                            0 => handle.call(note).unwrap(),
                            // Spawned, so polled a turn later: kept apart below.
                            _ => handle.spawn(move || async move { note() }).unwrap(),
                        }
                    }
                })
            })
            .collect();
        turn_until(&mut rt, || SEEN.with_borrow(Vec::len) == SENDERS * CALLS);
        senders
            .into_iter()
            .for_each(|sender| sender.join().unwrap());
        let seen = SEEN.take();
        for sender in 0..SENDERS {
            for parity in [0, 1] {
                let of =
                    |&&(from, number): &&(usize, usize)| from == sender && number % 2 == parity;
                let numbers: Vec<_> = seen.iter().filter(of).map(|&(_, number)| number).collect();
                let expected: Vec<_> = (parity..CALLS).step_by(2).collect();
                assert_eq!(numbers, expected, "sender {sender}");
            }
        }
    });
}

#[test]
fn a_parked_loop_is_roused_by_each_kind_of_post() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let parked = Arc::new(AtomicUsize::new(0));
        let handle = rt.handle();
        // The loop answers each ping before the next is sent, so it is asleep or about to be.
        let (sender, pongs) = mpsc::channel();
        let posts = thread::spawn(move || {
            for round in 0..500 {
                let sender = sender.clone();
                let pong = move || sender.send(()).unwrap();
                match round % 2 {
                    0 => handle.call(pong).unwrap(),
                    _ => handle.spawn(move || async move { pong() }).unwrap(),
                }
                pongs
                    .recv_timeout(DEADLINE)
                    .expect("the loop slept through a post");
            }
            handle.stop().unwrap();
        });
        rt.run().unwrap();
        posts.join().unwrap();
        drop(parked);
    });
}

#[test]
fn stop_from_another_thread_ends_run() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        for _ in 0..50 {
            let handle = rt.handle();
            let stopper = thread::spawn(move || handle.stop().unwrap());
            rt.run().unwrap();
            stopper.join().unwrap();
        }
    });
}

#[test]
fn after_the_end_the_door_is_closed() {
    within(|| {
        let rt = Runtime::new().unwrap();
        let handle = rt.handle();
        let (astray, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        drop(rt.shutdown());
        let guard = HomeGuard::new(&astray, &dropped);
        assert_eq!(handle.call(move || drop(guard)), Err(Closed));
        assert_eq!(
            dropped.load(Ordering::SeqCst),
            1,
            "a refused callback is dropped at once"
        );
        assert_eq!(handle.spawn(|| async {}), Err(Closed));
        assert_eq!(handle.stop(), Err(Closed));
        let remote = thread::spawn(move || handle.call(|| ()));
        assert_eq!(remote.join().unwrap(), Err(Closed));
    });
}

#[test]
fn posts_that_race_with_the_end_run_or_are_refused_or_dropped() {
    within(|| {
        for _ in 0..100 {
            let dropped = Arc::new(AtomicUsize::new(0));
            let mut rt = Runtime::new().unwrap();
            let start = Arc::new(Barrier::new(3));
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, start) = (rt.handle(), Arc::clone(&start));
                    let dropped = Arc::clone(&dropped);
                    thread::spawn(move || {
                        start.wait();
                        for _ in 0..50 {
                            let dropped = Arc::clone(&dropped);
                            let guard = crate::support::OnDrop(move || {
                                dropped.fetch_add(1, Ordering::SeqCst);
                            });
                            let _ = handle.call(move || drop(guard));
                        }
                    })
                })
                .collect();
            start.wait();
            rt.turn(ZERO).unwrap();
            drop(rt);
            senders
                .into_iter()
                .for_each(|sender| sender.join().unwrap());
            assert_eq!(dropped.load(Ordering::SeqCst), 100);
        }
    });
}

#[test]
fn a_handle_does_not_keep_tasks_alive() {
    let rt = Runtime::new().unwrap();
    let handle = rt.handle();
    let (local, held) = (Rc::new(()), Rc::new(()));
    let inside = Rc::clone(&held);
    rt.spawn(async move {
        let _inside = inside;
        std::future::pending::<()>().await;
    })
    .detach();
    drop(rt);
    assert_eq!((Rc::strong_count(&held), Rc::strong_count(&local)), (1, 1));
    drop(handle);
}

#[test]
fn two_runtimes_in_two_threads_play_ping_pong() {
    within(|| {
        const ROUNDS: u32 = 3000;
        fn hit(left: u32, here: Handle, there: Handle) {
            if left == 0 {
                let _ = there.stop();
                here.stop().unwrap();
                return;
            }
            let (next, back) = (there.clone(), here);
            let _ = there.call(move || hit(left - 1, next, back));
        }
        let (sender, receiver) = mpsc::channel::<Handle>();
        let other = thread::spawn(move || {
            let mut rt = Runtime::new().unwrap();
            sender.send(rt.handle()).unwrap();
            rt.run().unwrap();
            rt.stats().callbacks
        });
        let mut rt = Runtime::new().unwrap();
        let there = receiver.recv_timeout(DEADLINE).unwrap();
        let here = rt.handle();
        there
            .clone()
            .call(move || hit(ROUNDS, there, here))
            .unwrap();
        rt.run().unwrap();
        let hits = rt.stats().callbacks + other.join().unwrap();
        assert_eq!(hits, u64::from(ROUNDS) + 1);
    });
}

#[test]
fn a_call_beside_a_deadline_neither_delays_nor_loses_the_timer() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let (handle, over) = (rt.handle(), Arc::new(AtomicBool::new(false)));
        let done = Arc::clone(&over);
        let noise = thread::spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let _ = handle.call(|| ());
            }
        });
        rt.block_on(async {
            for _ in 0..10 {
                let began = Instant::now();
                sleep(Duration::from_millis(2)).await;
                assert!(began.elapsed() >= Duration::from_millis(2));
            }
        });
        over.store(true, Ordering::SeqCst);
        noise.join().unwrap();
    });
}

/// Turns a runtime inside a task of another, three deep, and panics in the innermost.
#[test]
fn turns_nest_and_a_panic_inside_leaves_each_where_it_was() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let depth = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&depth);
        rt.block_on(async move {
            nest(1, Rc::clone(&seen)).await;
            // Spawned here again, not in any of the inner ones.
            spawn(async move { seen.borrow_mut().push("outermost again") })
                .await
                .unwrap();
        });
        let expected = [
            "down 1",
            "down 2",
            "down 3",
            "up 3",
            "up 2",
            "up 1",
            "outermost again",
        ];
        assert_eq!(*depth.borrow(), expected);
        assert_eq!(rt.stats().tasks_spawned, 1);
        let nobody = caught(|| spawn(async {}));
        assert!(text_of(&*nobody.unwrap_err()).contains("no tourbillon runtime is entered"));
    });
}

async fn nest(level: usize, diary: Rc<RefCell<Vec<&'static str>>>) {
    const DOWN: [&str; 4] = ["", "down 1", "down 2", "down 3"];
    const UP: [&str; 4] = ["", "up 1", "up 2", "up 3"];
    diary.borrow_mut().push(DOWN[level]);
    let mut inner = Runtime::new().unwrap();
    // A task of the inner one that wakes a task of this one, and the other way round.
    let (to_outer, from_inner) = mpsc::channel();
    let here = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let next = Rc::clone(&diary);
    let mut task = inner.spawn(async move {
        here.wake_by_ref();
        spawn(async move { to_outer.send(()).unwrap() })
            .await
            .unwrap();
        if level < 3 {
            Box::pin(nest(level + 1, next)).await;
        }
        panic!("at level {level}");
    });
    while !task.is_finished() {
        inner.turn(ZERO).unwrap();
    }
    let Poll::Ready(Err(error)) = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()))
    else {
        panic!("a task that panicked has an error");
    };
    let payload = error.into_panic().unwrap();
    assert_eq!(text_of(&*payload), format!("at level {level}"));
    assert_eq!(from_inner.try_iter().count(), 1);
    assert_eq!((inner.stats().tasks_spawned, inner.stats().panics), (2, 1));
    yield_now().await;
    diary.borrow_mut().push(UP[level]);
}

/// It would stop the outer loop; the message says what to do instead.
#[test]
fn a_runtime_does_not_block_inside_another() {
    within(|| {
        let mut outer = Runtime::new().unwrap();
        let mut inner = Runtime::new().unwrap();
        let refused = outer.block_on(async move {
            let refused = [
                caught(|| inner.block_on(async {})),
                caught(|| inner.run().unwrap()),
            ];
            // And it works on, here and afterwards.
            inner.turn(ZERO).unwrap();
            drop(inner);
            spawn(async {}).await.unwrap();
            refused
        });
        for (refused, name) in refused.into_iter().zip(["block_on", "run"]) {
            let payload = refused.unwrap_err();
            let text = text_of(&*payload);
            assert!(
                text.contains(&format!("Runtime::{name} was called inside a task")),
                "{text}"
            );
            assert!(text.contains("await instead"), "{text}");
        }
        // Once the outer one stands still, any may block again, also after a panic.
        let panicked = caught(|| outer.block_on(async { panic!("out") }));
        assert!(panicked.is_err());
        assert_eq!(Runtime::new().unwrap().block_on(async { 5 }), 5);
    });
}

#[test]
fn wakes_between_nested_runtimes_reach_the_right_one() {
    within(|| {
        let mut outer = Runtime::new().unwrap();
        let polls = Rc::new(RefCell::new((0, 0)));
        let counts = Rc::clone(&polls);
        outer.block_on(async move {
            let mut inner = Runtime::new().unwrap();
            let mine = Rc::clone(&counts);
            let (waker, mut wakers) = (Rc::new(RefCell::new(None)), Vec::new());
            let hold = Rc::clone(&waker);
            inner
                .spawn(poll_fn(move |cx| {
                    mine.borrow_mut().1 += 1;
                    *hold.borrow_mut() = Some(cx.waker().clone());
                    Poll::<()>::Pending
                }))
                .detach();
            inner.turn(ZERO).unwrap();
            wakers.push(waker.take().unwrap());
            // Woken here, with the outer one entered: it goes through the inner one's door.
            wakers[0].wake_by_ref();
            counts.borrow_mut().0 += 1;
            assert_eq!(inner.next_timeout(), ZERO);
            inner.turn(ZERO).unwrap();
            inner.turn(ZERO).unwrap();
        });
        assert_eq!(*polls.borrow(), (1, 2));
        assert_eq!(outer.stats().polls, 1);
        let _entered = outer.enter();
        assert!(call_later(Duration::ZERO, || ()).cancel());
    });
}
