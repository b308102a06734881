//! Nobody who always has work keeps sockets and timers waiting. Counted, not timed.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::Write;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::net::{TcpListener, TcpStream};
use tourbillon::{Runtime, call_soon, interval, sleep, spawn, yield_now};

use crate::support::{block_on, within};

/// Runs of the load so far, and whether it should end.
#[derive(Clone, Default)]
struct Load {
    runs: Rc<Cell<u64>>,
    over: Rc<Cell<bool>>,
}

impl Load {
    fn tick(&self) -> bool {
        self.runs.set(self.runs.get() + 1);
        !self.over.get()
    }
}

/// Starts a load, then counts how much of it runs during an echo, and past a deadline.
fn beside(start: impl FnOnce(&Load) + Send + 'static, echo_max: u64, late_max: u64) {
    within(move || {
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async move {
            let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buf = [0; 8];
                while stream.read_exact(&mut buf).await.is_ok() {
                    stream.write_all(&buf).await.unwrap();
                }
            })
            .detach();
            let mut client = TcpStream::connect(address).await.unwrap();
            let load = Load::default();
            start(&load);
            let mut runs = 0;
            for round in 0..20_u64 {
                let before = load.runs.get();
                client.write_all(&round.to_be_bytes()).await.unwrap();
                let mut back = [0; 8];
                client.read_exact(&mut back).await.unwrap();
                assert_eq!(u64::from_be_bytes(back), round);
                runs += load.runs.get() - before;
            }
            assert!(runs > 0, "the load did not run at all");
            assert!(
                runs / 20 <= echo_max,
                "{} runs of the load an echo",
                runs / 20
            );
            // Past the deadline and the wheel's tick, the load may run a little longer. Several
            // tries, since the thread itself may be kept waiting.
            let mut latest = u64::MAX;
            for _ in 0..5 {
                let due = Instant::now() + Duration::from_millis(5);
                let mut nap = pin!(sleep(Duration::from_millis(5)));
                let (overdue, watch) = (Rc::new(Cell::new(None)), load.clone());
                let seen = Rc::clone(&overdue);
                let watcher = spawn(poll_fn(move |cx| {
                    if seen.get().is_none() && Instant::now() >= due + Duration::from_millis(2) {
                        seen.set(Some(watch.runs.get()));
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }));
                nap.as_mut().await;
                assert!(Instant::now() >= due);
                let late = overdue.get().map_or(0, |from| load.runs.get() - from);
                latest = latest.min(late);
                watcher.abort();
            }
            assert!(
                latest <= late_max,
                "a timer was late by {latest} runs of the load"
            );
            load.over.set(true);
        });
    });
}

fn spin(load: &Load) {
    let load = load.clone();
    spawn(async move {
        while load.tick() {
            yield_now().await;
        }
    })
    .detach();
}

fn post(load: Load) {
    if load.tick() {
        call_soon(move || post(load));
    }
}

#[test]
fn one_task_that_wakes_itself_starves_nobody() {
    beside(spin, 128 * 20, 300);
}

#[test]
fn ten_thousand_tasks_that_wake_themselves_starve_nobody() {
    // Each wake waits for one round of all; an echo is four or five of them.
    beside(
        |load| (0..10_000).for_each(|_| spin(load)),
        10_000 * 10,
        10_000 * 3,
    );
}

#[test]
fn a_callback_that_posts_itself_starves_nobody() {
    beside(|load| post(load.clone()), 128 * 20, 300);
}

#[test]
fn a_thousand_callbacks_that_post_themselves_starve_nobody() {
    beside(
        |load| (0..1000).for_each(|_| post(load.clone())),
        128 * 100,
        128 * 30,
    );
}

#[test]
fn a_timer_already_due_that_starts_itself_starves_nobody() {
    fn again(load: Load) {
        if load.tick() {
            let past = Instant::now() - Duration::from_secs(1);
            let _timer = tourbillon::call_at(past, move || again(load));
        }
    }
    beside(|load| again(load.clone()), 128 * 20, 300);
}

/// A peer that sends faster than its task reads: the task is asked to let others run.
#[test]
fn a_reader_that_never_waits_lets_others_run() {
    block_on(|| async {
        let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let flood = thread::spawn(move || {
            let mut peer = std::net::TcpStream::connect(address).unwrap();
            let block = [7; 64 * 1024];
            while peer.write_all(&block).is_ok() {}
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        let (reads, most) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0)));
        let (count, max) = (Rc::clone(&reads), Rc::clone(&most));
        let others = spawn(async move {
            for _ in 0..200 {
                let before = count.get();
                yield_now().await;
                max.set(max.get().max(count.get() - before));
            }
        });
        while !others.is_finished() {
            stream.read_exact(&mut byte).await.unwrap();
            reads.set(reads.get() + 1);
        }
        assert!(reads.get() > 128, "{} reads: no flood", reads.get());
        assert!(most.get() <= 128, "{} reads in one poll", most.get());
        drop(stream);
        flood.join().unwrap();
    });
}

#[test]
fn an_interval_keeps_beating_beside_a_load() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        rt.block_on(async {
            let load = Load::default();
            (0..100).for_each(|_| spin(&load));
            let mut beat = interval(Duration::from_millis(2));
            for _ in 0..20 {
                let due = beat.tick().await;
                assert!(Instant::now() >= due);
            }
            load.over.set(true);
        });
    });
}

/// Once a fault: an operation that has to wait is charged to the poll's budget too. So a task
/// that looks at more than 128 sockets never gets to the last of them, and spins meanwhile.
#[test]
fn a_task_that_waits_for_many_sockets_hears_of_the_last() {
    block_on(|| async {
        const SOCKETS: usize = 200;
        let mut listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..SOCKETS {
            theirs.push(std::net::TcpStream::connect(address).unwrap());
            ours.push(listener.accept().await.unwrap().0);
        }
        theirs[SOCKETS - 1].write_all(b"x").unwrap();
        let mut polls = 0;
        let found = poll_fn(|cx| {
            polls += 1;
            let mut byte = [0];
            for (index, stream) in ours.iter_mut().enumerate() {
                if stream.poll_read(cx, &mut byte).is_ready() {
                    return Poll::Ready(Some(index));
                }
            }
            if polls == 10_000 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await;
        assert_eq!(found, Some(SOCKETS - 1), "after {polls} polls");
    });
}
