//! Spawns, wakes, and two tasks by turns: on one thread, with no system call
//! that anybody asked for.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::peers::{ChannelPeer, LocalPeer, Peer};
use crate::stopwatch::Stopwatch;

/// A task that must be polled `wakes` times more, and sees to it itself.
struct SelfWake {
    wakes: usize,
}

impl Future for SelfWake {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.wakes == 0 {
            return Poll::Ready(());
        }
        self.wakes -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// An operation: one no-op task, from its spawn to its result.
pub(crate) fn spawn_and_join<P: Peer>(ops: usize, width: usize) -> Vec<f64> {
    let mut handles = Vec::with_capacity(width);
    P::new().block_on(async {
        let mut watch = Stopwatch::wall();
        // One batch more, to warm up, if there are several.
        let batches = ops / width;
        for batch in 0..batches + usize::from(batches > 1) {
            if batch == 1 {
                watch = Stopwatch::wall();
            }
            handles.extend((0..width).map(|_| P::spawn(async {})));
            for handle in handles.drain(..) {
                handle.await;
            }
        }
        watch.per_op(ops)
    })
}

/// An operation: one wake and the poll that follows. The spawns are counted
/// in; there are at least 200 wakes to each.
pub(crate) fn self_wake<P: Peer>(ops: usize, width: usize) -> Vec<f64> {
    let mut handles = Vec::with_capacity(width);
    P::new().block_on(async {
        let watch = Stopwatch::wall();
        let wakes = ops / width;
        handles.extend((0..width).map(|_| P::spawn(SelfWake { wakes })));
        for handle in handles.drain(..) {
            handle.await;
        }
        watch.per_op(ops)
    })
}

/// An operation: one yield, by the peer's own function if it has one.
pub(crate) fn yields<P: LocalPeer>(ops: usize, width: usize) -> Vec<f64> {
    let mut handles = Vec::with_capacity(width);
    P::new().block_on(async {
        let watch = Stopwatch::wall();
        let yields = ops / width;
        handles.extend((0..width).map(|_| {
            P::spawn_local(async move {
                for _ in 0..yields {
                    P::yield_now().await;
                }
            })
        }));
        for handle in handles.drain(..) {
            handle.await;
        }
        watch.per_op(ops)
    })
}

/// Two futures that run by turns.
#[derive(Default)]
struct Court {
    turn: Cell<usize>,
    waiting: [Cell<Option<Waker>>; 2],
}

/// Side `me` of a ping-pong, until it has hit the ball `hits` times.
async fn player(court: Rc<Court>, me: usize, mut hits: usize) {
    let other = 1 - me;
    poll_fn(|cx| {
        if court.turn.get() != me {
            court.waiting[me].set(Some(cx.waker().clone()));
            return Poll::Pending;
        }
        court.turn.set(other);
        if let Some(waker) = court.waiting[other].take() {
            waker.wake();
        }
        hits -= 1;
        if hits == 0 {
            return Poll::Ready(());
        }
        court.waiting[me].set(Some(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}

/// An operation: there and back, two wakes and two polls.
pub(crate) fn ping_pong<P: LocalPeer>(ops: usize, _width: usize) -> Vec<f64> {
    P::new().block_on(async {
        let court = Rc::new(Court::default());
        let watch = Stopwatch::wall();
        let ping = P::spawn_local(player(Rc::clone(&court), 0, ops));
        let pong = P::spawn_local(player(court, 1, ops));
        ping.await;
        pong.await;
        watch.per_op(ops)
    })
}

/// The same with one side in `block_on` itself.
pub(crate) fn root_ping_pong<P: LocalPeer>(ops: usize, _width: usize) -> Vec<f64> {
    P::new().block_on(async {
        let court = Rc::new(Court::default());
        let watch = Stopwatch::wall();
        let pong = P::spawn_local(player(Rc::clone(&court), 1, ops));
        player(court, 0, ops).await;
        pong.await;
        watch.per_op(ops)
    })
}

/// The same by two channels of one value each.
pub(crate) fn channels<P: ChannelPeer>(ops: usize, _width: usize) -> Vec<f64> {
    P::new().block_on(async {
        let (mut to_pong, mut at_pong) = P::channel();
        let (mut to_ping, mut at_ping) = P::channel();
        let watch = Stopwatch::wall();
        let pong = P::spawn_local(async move {
            for _ in 0..ops {
                P::recv(&mut at_pong).await;
                P::send(&mut to_ping).await;
            }
        });
        let ping = P::spawn_local(async move {
            for _ in 0..ops {
                P::send(&mut to_pong).await;
                P::recv(&mut at_ping).await;
            }
        });
        ping.await;
        pong.await;
        watch.per_op(ops)
    })
}

/// The same by a new oneshot for each hit. It lies here for the other side.
pub(crate) fn oneshots<P: ChannelPeer>(ops: usize, _width: usize) -> Vec<f64> {
    P::new().block_on(async {
        let left_by = Rc::new([Cell::new(None), Cell::new(None)]);
        let hit = |from: &[Cell<Option<P::OnceSender>>; 2], side: usize| {
            let sender = from[side].take();
            P::send_once(sender.expect("the other side waits"));
        };
        let wait = |at: &[Cell<Option<P::OnceSender>>; 2], side: usize| {
            let (sender, receiver) = P::oneshot();
            at[side].set(Some(sender));
            receiver
        };
        let watch = Stopwatch::wall();
        let mut first = wait(&left_by, 1);
        let court = Rc::clone(&left_by);
        let pong = P::spawn_local(async move {
            for _ in 0..ops {
                P::recv_once(first).await;
                first = wait(&court, 1);
                hit(&court, 0);
            }
        });
        let ping = P::spawn_local(async move {
            for _ in 0..ops {
                let answer = wait(&left_by, 0);
                hit(&left_by, 1);
                P::recv_once(answer).await;
            }
        });
        ping.await;
        pong.await;
        watch.per_op(ops)
    })
}
