//! Channels, locks and streams of other crates, unchanged on this executor: within a thread,
//! from a plain thread, and between two loops.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{join_all, select_all};
use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, SinkExt, StreamExt, join, select};
use tokio::sync as tokio_sync;
use tokio_util::sync::CancellationToken;
use tourbillon::{Runtime, interval, sleep, spawn, sync, yield_now};

use crate::support::{block_on, within};

const ROUNDS: u32 = 500;

/// A loop in a thread of its own, beside one in this.
fn two_loops<A, B>(
    here: impl FnOnce() -> A + Send + 'static,
    there: impl FnOnce() -> B + Send + 'static,
) where
    A: Future<Output = ()>,
    B: Future<Output = ()>,
{
    within(move || {
        let other = thread::spawn(move || Runtime::new().unwrap().block_on(there()));
        Runtime::new().unwrap().block_on(here());
        other.join().unwrap();
    });
}

/// Spawns `count` tasks and waits for all of them.
async fn tasks<F: Future<Output = ()> + 'static>(count: u32, make: impl Fn(u32) -> F) {
    for task in join_all((0..count).map(|number| spawn(make(number)))).await {
        task.unwrap();
    }
}

#[test]
fn channels_of_futures_on_one_thread() {
    block_on(|| async {
        let (sender, mut receiver) = mpsc::channel(1);
        let sends = spawn(tasks(4, move |number| {
            let mut sender = sender.clone();
            async move {
                for round in 0..50 {
                    sender.send((number, round)).await.unwrap();
                }
            }
        }));
        let mut next = [0; 4];
        while let Some((number, round)) = receiver.next().await {
            assert_eq!(
                std::mem::replace(&mut next[number as usize], round + 1),
                round
            );
        }
        sends.await.unwrap();
        assert_eq!(next, [50; 4]);

        let (sender, receiver) = oneshot::channel();
        spawn(async { sender.send(7).unwrap() }).detach();
        assert_eq!(receiver.await, Ok(7));
        let (mut sender, receiver) = oneshot::channel::<u8>();
        spawn(async { drop(receiver) }).detach();
        sender.cancellation().await;
    });
}

#[test]
fn channels_of_async_channel_on_one_thread() {
    block_on(|| async {
        let (sender, receiver) = async_channel::bounded(2);
        let sum = Rc::new(RefCell::new(0));
        let receives = {
            let (receiver, sum) = (receiver.clone(), Rc::clone(&sum));
            spawn(tasks(3, move |_| {
                let (receiver, sum) = (receiver.clone(), Rc::clone(&sum));
                async move {
                    while let Ok(number) = receiver.recv().await {
                        *sum.borrow_mut() += number;
                        yield_now().await;
                    }
                }
            }))
        };
        for number in 0..200 {
            sender.send(number).await.unwrap();
        }
        sender.close();
        receives.await.unwrap();
        assert_eq!(*sum.borrow(), 19_900);
    });
}

#[test]
fn channels_of_tokio_on_one_thread() {
    block_on(|| async {
        let (sender, mut receiver) = tokio_sync::mpsc::channel(2);
        let (states, mut state) = tokio_sync::watch::channel(0);
        let (news, mut first) = tokio_sync::broadcast::channel(16);
        let mut second = news.subscribe();
        let (answer, answered) = tokio_sync::oneshot::channel();
        spawn(async move {
            for number in 0..300 {
                sender.send(number).await.unwrap();
            }
            for number in 0..10 {
                news.send(number).unwrap();
                states.send(number + 1).unwrap();
            }
            answer.send("done").unwrap();
        })
        .detach();
        for number in 0..300 {
            assert_eq!(receiver.recv().await, Some(number));
        }
        assert_eq!(receiver.recv().await, None);
        assert_eq!(*state.wait_for(|&number| number == 10).await.unwrap(), 10);
        for number in 0..10 {
            assert_eq!(
                (first.recv().await, second.recv().await),
                (Ok(number), Ok(number))
            );
        }
        assert_eq!(answered.await, Ok("done"));
    });
}

#[test]
fn locks_of_others_on_one_thread() {
    block_on(|| async {
        let ours = Arc::new(tokio_sync::Mutex::new(0));
        let theirs = Arc::new(futures::lock::Mutex::new(0));
        let lanes = Arc::new(tokio_sync::Semaphore::new(2));
        let barrier = Arc::new(tokio_sync::Barrier::new(5));
        let notify = Arc::new(tokio_sync::Notify::new());
        let woken = {
            let notify = Arc::clone(&notify);
            spawn(async move { notify.notified().await })
        };
        let (counts, others) = (Arc::clone(&ours), Arc::clone(&theirs));
        tasks(5, move |_| {
            let (counts, others) = (Arc::clone(&counts), Arc::clone(&others));
            let (lanes, barrier) = (Arc::clone(&lanes), Arc::clone(&barrier));
            async move {
                for _ in 0..20 {
                    let _permit = lanes.acquire().await.unwrap();
                    let mut count = counts.lock().await;
                    let before = *count;
                    yield_now().await;
                    *count = before + 1;
                    drop(count);
                    let mut other = others.lock().await;
                    let before = *other;
                    yield_now().await;
                    *other = before + 1;
                }
                barrier.wait().await;
            }
        })
        .await;
        notify.notify_one();
        woken.await.unwrap();
        assert_eq!((*ours.lock().await, *theirs.lock().await), (100, 100));
    });
}

/// What a program does most: threads compute, the loop receives.
#[test]
fn plain_threads_send_and_the_loop_receives() {
    let (to_futures, mut from_futures) = mpsc::unbounded();
    let (to_async, from_async) = async_channel::bounded(1);
    let (to_tokio, mut from_tokio) = tokio_sync::mpsc::channel(1);
    let (done, is_done) = oneshot::channel();
    within(move || {
        let sends = thread::spawn(move || {
            for number in 0..ROUNDS {
                to_futures.unbounded_send(number).unwrap();
                to_async.send_blocking(number).unwrap();
                to_tokio.blocking_send(number).unwrap();
            }
            done.send(ROUNDS).unwrap();
        });
        Runtime::new().unwrap().block_on(async move {
            for number in 0..ROUNDS {
                assert_eq!(from_tokio.recv().await, Some(number));
                assert_eq!(from_async.recv().await, Ok(number));
                assert_eq!(from_futures.next().await, Some(number));
            }
            assert_eq!(is_done.await, Ok(ROUNDS));
        });
        sends.join().unwrap();
    });
}

#[test]
fn two_loops_talk_over_channels_of_async_channel() {
    let (ping, pings) = async_channel::bounded(1);
    let (pong, pongs) = async_channel::bounded(1);
    two_loops(
        move || async move {
            for number in 0..ROUNDS {
                ping.send(number).await.unwrap();
                assert_eq!(pongs.recv().await, Ok(number + 1));
            }
        },
        move || async move {
            while let Ok(number) = pings.recv().await {
                pong.send(number + 1).await.unwrap();
            }
        },
    );
}

#[test]
fn two_loops_talk_over_channels_of_futures() {
    let (mut ping, mut pings) = mpsc::channel(1);
    two_loops(
        move || async move {
            for number in 0..ROUNDS {
                let (answer, answered) = oneshot::channel();
                ping.send((number, answer)).await.unwrap();
                assert_eq!(answered.await, Ok(number + 1));
            }
        },
        move || async move {
            while let Some((number, answer)) = pings.next().await {
                answer.send(number + 1).unwrap();
            }
        },
    );
}

#[test]
fn two_loops_talk_over_channels_of_tokio() {
    let (ping, mut pings) = tokio_sync::mpsc::channel(1);
    let (states, mut state) = tokio_sync::watch::channel(0);
    let (news, mut heard) = tokio_sync::broadcast::channel(4);
    two_loops(
        move || async move {
            for number in 1..=ROUNDS {
                let (answer, answered) = tokio_sync::oneshot::channel();
                assert!(ping.send((number, answer)).await.is_ok());
                state.wait_for(|&seen| seen == number).await.unwrap();
                assert_eq!(heard.recv().await, Ok(number));
                assert_eq!(answered.await, Ok(number + 1));
            }
        },
        move || async move {
            while let Some((number, answer)) = pings.recv().await {
                states.send(number).unwrap();
                yield_now().await;
                news.send(number).unwrap();
                yield_now().await;
                answer.send(number + 1).unwrap();
            }
        },
    );
}

#[test]
fn two_loops_share_the_locks_of_others() {
    #[derive(Clone)]
    struct Locks {
        ours: Arc<tokio_sync::Mutex<u32>>,
        theirs: Arc<futures::lock::Mutex<u32>>,
        permits: Arc<tokio_sync::Semaphore>,
        barrier: Arc<tokio_sync::Barrier>,
        turns: [Arc<tokio_sync::Notify>; 2],
    }

    async fn side(locks: Locks, side: usize) {
        for round in 0..ROUNDS {
            let permit = locks.permits.acquire().await.unwrap();
            let mut count = locks.ours.lock().await;
            *count += 1;
            yield_now().await;
            drop((count, permit));
            *locks.theirs.lock().await += 1;
            // Strictly in turn, since of two permits that wait one is lost.
            if side == 0 {
                locks.turns[1].notify_one();
            }
            locks.turns[side].notified().await;
            if side == 1 {
                locks.turns[0].notify_one();
            }
            if round % 50 == 0 {
                locks.barrier.wait().await;
            }
        }
        locks.barrier.wait().await;
        assert_eq!(*locks.ours.lock().await, 2 * ROUNDS);
        assert_eq!(*locks.theirs.lock().await, 2 * ROUNDS);
    }

    let locks = Locks {
        ours: Arc::default(),
        theirs: Arc::default(),
        permits: Arc::new(tokio_sync::Semaphore::new(1)),
        barrier: Arc::new(tokio_sync::Barrier::new(2)),
        turns: Default::default(),
    };
    let other = locks.clone();
    two_loops(move || side(locks, 0), move || side(other, 1));
}

#[test]
fn a_token_of_tokio_util_cancels_over_threads() {
    let token = CancellationToken::new();
    let (child, theirs) = (token.child_token(), token.clone());
    two_loops(
        move || async move {
            let waits = spawn(async move { child.run_until_cancelled(pending::<()>()).await });
            yield_now().await;
            token.cancel();
            assert_eq!(waits.await.unwrap(), None);
        },
        move || async move { theirs.cancelled().await },
    );
}

#[test]
fn combinators_of_futures_work() {
    block_on(|| async {
        let naps = [7, 1, 4].map(|ms| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        });
        let slept: Vec<_> = naps
            .into_iter()
            .collect::<FuturesUnordered<_>>()
            .collect()
            .await;
        assert_eq!(slept.len(), 3);
        assert_eq!(
            join_all((0..9).map(|n| spawn(async move { n })))
                .await
                .len(),
            9
        );
        assert_eq!(
            join!(async { 1 }, spawn(async { 2 }).map(Result::unwrap)),
            (1, 2)
        );
        let waits = [10_000, 1].map(|ms| Box::pin(sleep(Duration::from_millis(ms))));
        assert_eq!(select_all(waits).await.1, 1);

        let limited = stream::iter(0..30).map(|number| async move {
            sleep(Duration::from_micros(number * 37 % 400)).await;
            number
        });
        assert_eq!(
            limited
                .buffer_unordered(4)
                .fold(0, async |a, b| a + b)
                .await,
            435
        );
    });
}

#[test]
fn select_listens_to_ours_and_theirs() {
    block_on(|| async {
        let (ours, mut mine) = sync::channel::bounded(1);
        let (theirs, mut other) = mpsc::unbounded();
        spawn(async move {
            for number in 0..20 {
                ours.send(number).await.unwrap();
                theirs.unbounded_send(number).unwrap();
            }
        })
        .detach();
        let mut mine = stream::poll_fn(move |cx| mine.poll_recv(cx)).fuse();
        let mut ticks = interval(Duration::from_millis(1));
        let (mut sum, mut ended) = (0, 0);
        while ended < 2 {
            let next = select! {
                number = mine.next() => number,
                number = other.next() => number,
                _ = ticks.tick().fuse() => continue,
            };
            sum += next.unwrap_or(0);
            ended += usize::from(next.is_none());
        }
        assert_eq!(sum, 380);

        let (never, waits) = sync::oneshot::channel::<u8>();
        let notify = sync::Notify::new();
        let chosen = tokio::select! {
            _ = waits => "ours",
            () = notify.notified() => "notified",
            () = sleep(Duration::from_millis(1)) => "slept",
        };
        assert_eq!(chosen, "slept");
        drop(never);
    });
}
