//! `tourbillon::sync` on the loop: tasks in every order, aborted at any point.

mod cancellation;
mod generations;
pub(crate) mod hostile;
mod mischief;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tourbillon::sync::{
    Barrier, CancellationToken, Event, Mutex, Notify, Semaphore, channel, oneshot,
};
use tourbillon::time::ManualClock;
use tourbillon::{JoinHandle, Runtime, sleep, spawn, yield_now};

use crate::support::{Dice, block_on, manual, within};

const SEEDS: u64 = 300;

/// A runtime that polls in an order of its own, and tasks on it that may be aborted.
struct World {
    rt: Runtime,
    dice: Rc<RefCell<Dice>>,
    tasks: Vec<JoinHandle<()>>,
    seed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let builder = Runtime::builder().manual_clock(&ManualClock::new());
        World {
            rt: builder.shuffle_ready_queue(seed).build().unwrap(),
            dice: Rc::new(RefCell::new(Dice::new(seed + 1))),
            tasks: Vec::new(),
            seed,
        }
    }

    fn below(&self, end: u64) -> u64 {
        self.dice.borrow_mut().below(end)
    }

    fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.tasks.push(self.rt.spawn(future));
    }

    /// Turns, and now and then aborts a task, until nothing moves any more.
    fn run(&mut self, aborts: u64) {
        for _ in 0..aborts {
            for _ in 0..self.below(12) {
                self.rt.turn(Some(Duration::ZERO)).unwrap();
            }
            let at = self.below(self.tasks.len() as u64) as usize;
            self.tasks[at].abort();
        }
        self.rt.run_until_stalled().unwrap();
    }

    #[track_caller]
    fn all_has_ended(&self) {
        let alive = self.rt.stats().tasks_alive;
        assert_eq!(alive, 0, "seed {}: tasks wait for ever", self.seed);
        assert_eq!(self.rt.stats().panics, 0, "seed {}", self.seed);
    }
}

/// Yields a few times, as chance has it.
async fn dawdle(dice: &RefCell<Dice>) {
    let turns = dice.borrow_mut().below(4);
    for _ in 0..turns {
        yield_now().await;
    }
}

#[test]
fn no_value_of_a_channel_is_lost_or_doubled() {
    within(|| (0..SEEDS).for_each(channel_seed));
}

fn channel_seed(seed: u64) {
    let mut world = World::new(seed);
    let (sender, receiver) = match seed % 4 {
        0 => channel::unbounded(),
        capacity => channel::bounded(capacity as usize),
    };
    let alive = Rc::new(());
    let sent = Rc::new(RefCell::new(Vec::new()));
    let received = Rc::new(RefCell::new(Vec::new()));
    for producer in 0..4 {
        let (sender, sent) = (sender.clone(), Rc::clone(&sent));
        let (dice, alive) = (Rc::clone(&world.dice), Rc::clone(&alive));
        world.spawn(async move {
            for number in 0..25 {
                let value = (producer, number, Rc::clone(&alive));
                if sender.send(value).await.is_err() {
                    return;
                }
                sent.borrow_mut().push((producer, number));
                dawdle(&dice).await;
            }
        });
    }
    for consumer in 0..3 {
        let (receiver, received) = (receiver.clone(), Rc::clone(&received));
        let dice = Rc::clone(&world.dice);
        world.spawn(async move {
            while let Some((producer, number, _)) = receiver.recv().await {
                received.borrow_mut().push((consumer, producer, number));
                dawdle(&dice).await;
            }
        });
    }
    drop(sender);
    // Of the consumers one is left at least: this one.
    let (last, dice) = (Rc::clone(&received), Rc::clone(&world.dice));
    let ends = world.rt.spawn(async move {
        while let Some((producer, number, _)) = receiver.recv().await {
            last.borrow_mut().push((3, producer, number));
            dawdle(&dice).await;
        }
    });
    world.run(seed % 6);
    assert!(ends.is_finished(), "seed {seed}");
    world.all_has_ended();

    let received = received.take();
    let mut values: Vec<_> = received.iter().map(|&(_, p, n)| (p, n)).collect();
    values.sort_unstable();
    let mut sent = sent.take();
    sent.sort_unstable();
    assert_eq!(values, sent, "seed {seed}");
    for consumer in 0..4 {
        for producer in 0..4 {
            let of_both = received
                .iter()
                .filter(|&&(c, p, _)| (c, p) == (consumer, producer));
            let numbers: Vec<_> = of_both.map(|&(_, _, number)| number).collect();
            assert!(numbers.is_sorted(), "seed {seed}: {numbers:?}");
        }
    }
    assert_eq!(Rc::strong_count(&alive), 1, "seed {seed}: a value leaked");
}

/// Counts those who are inside, also when they are aborted there.
struct Inside(Rc<Cell<u64>>, u64);

impl Inside {
    fn enter(count: &Rc<Cell<u64>>, by: u64, limit: u64) -> Self {
        count.set(count.get() + by);
        assert!(count.get() <= limit);
        Inside(Rc::clone(count), by)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.set(self.0.get() - self.1);
    }
}

#[test]
fn a_mutex_is_held_by_one_and_survives_those_who_are_aborted() {
    within(|| {
        for seed in 0..SEEDS {
            let mut world = World::new(seed);
            let mutex = Rc::new(Mutex::new(0));
            let (inside, done) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            for _ in 0..8 {
                let (mutex, dice) = (Rc::clone(&mutex), Rc::clone(&world.dice));
                let (inside, done) = (Rc::clone(&inside), Rc::clone(&done));
                world.spawn(async move {
                    for _ in 0..10 {
                        let mut guard = mutex.lock().await;
                        let _inside = Inside::enter(&inside, 1, 1);
                        let before = *guard;
                        dawdle(&dice).await;
                        *guard = before + 1;
                        done.set(done.get() + 1);
                        dawdle(&dice).await;
                    }
                });
            }
            world.run(seed % 8);
            world.all_has_ended();
            assert_eq!(*mutex.try_lock().unwrap(), done.get(), "seed {seed}");
            assert!(done.get() == 80 || seed % 8 > 0, "seed {seed}");
        }
    });
}

#[test]
fn a_semaphore_gives_out_no_more_than_it_has() {
    within(|| {
        for seed in 0..SEEDS {
            let mut world = World::new(seed);
            let permits = 3 + seed % 3;
            let semaphore = Rc::new(Semaphore::new(permits as usize));
            let inside = Rc::new(Cell::new(0));
            for task in 0..10 {
                let (semaphore, dice) = (Rc::clone(&semaphore), Rc::clone(&world.dice));
                let inside = Rc::clone(&inside);
                world.spawn(async move {
                    for round in 0..10 {
                        let count = (task + round) % 4;
                        let owned = Rc::clone(&semaphore).acquire_owned().await.unwrap();
                        let outside = Inside::enter(&inside, 1, permits);
                        drop((outside, owned));
                        let _permit = semaphore.acquire_many(count as usize).await.unwrap();
                        let _inside = Inside::enter(&inside, count, permits);
                        dawdle(&dice).await;
                    }
                });
            }
            world.run(seed % 8);
            world.all_has_ended();
            assert_eq!(
                semaphore.available_permits(),
                permits as usize,
                "seed {seed}"
            );
        }
    });
}

/// The pattern that a lost notification would stall: look, then wait.
#[test]
fn no_notification_is_lost() {
    within(|| {
        for seed in 0..SEEDS {
            let mut world = World::new(seed);
            let shelf = Rc::new((RefCell::new(VecDeque::new()), Notify::new()));
            let taken = Rc::new(Cell::new(0));
            for _ in 0..6 {
                let (shelf, taken) = (Rc::clone(&shelf), Rc::clone(&taken));
                let dice = Rc::clone(&world.dice);
                world.spawn(async move {
                    loop {
                        let item = shelf.0.borrow_mut().pop_front();
                        match item {
                            Some(()) => taken.set(taken.get() + 1),
                            None => shelf.1.notified().await,
                        }
                        dawdle(&dice).await;
                    }
                });
            }
            let (theirs, dice) = (Rc::clone(&shelf), Rc::clone(&world.dice));
            let puts = world.rt.spawn(async move {
                for _ in 0..40 {
                    theirs.0.borrow_mut().push_back(());
                    theirs.1.notify_one();
                    dawdle(&dice).await;
                }
            });
            // One who is aborted between the notification and the look has lost it by itself;
            // so those are aborted only who wait.
            for _ in 0..seed % 5 {
                world.rt.run_until_stalled().unwrap();
                world.tasks.pop().unwrap().abort();
            }
            world.rt.run_until_stalled().unwrap();
            assert!(puts.is_finished(), "seed {seed}");
            assert_eq!(
                taken.get(),
                40,
                "seed {seed}: {} are left",
                shelf.0.borrow().len()
            );
        }
    });
}

#[test]
fn events_barriers_and_oneshots_let_everybody_go_in_every_order() {
    within(|| {
        for seed in 0..SEEDS {
            let mut world = World::new(seed);
            let parties = 2 + seed % 5;
            let start = Rc::new(Event::new());
            let barrier = Rc::new(Barrier::new(parties as usize));
            let leaders = Rc::new(Cell::new(0));
            let mut answers = Vec::new();
            for number in 0..parties {
                let (start, barrier) = (Rc::clone(&start), Rc::clone(&barrier));
                let (leaders, dice) = (Rc::clone(&leaders), Rc::clone(&world.dice));
                let (answer, receiver) = oneshot::channel();
                answers.push(receiver);
                world.spawn(async move {
                    start.wait().await;
                    for _ in 0..10 {
                        let leads = barrier.wait().await;
                        leaders.set(leaders.get() + u64::from(leads));
                        dawdle(&dice).await;
                    }
                    answer.send(number).unwrap();
                });
            }
            let sum = world.rt.block_on(async move {
                yield_now().await;
                start.set();
                start.clear();
                let mut sum = 0;
                for answer in answers {
                    sum += answer.await.unwrap();
                }
                sum
            });
            world.rt.run_until_stalled().unwrap();
            world.all_has_ended();
            let expected = (parties * (parties - 1) / 2, 10);
            assert_eq!((sum, leaders.get()), expected, "seed {seed}");
        }
    });
}

/// Work that is always ready must let the loop ask the kernel and run others.
#[test]
fn whoever_never_has_to_wait_starves_nobody() {
    block_on(|| async {
        let (sender, receiver) = channel::bounded(1);
        let (mutex, notify, set, alone) =
            (Mutex::new(()), Notify::new(), Event::new(), Barrier::new(1));
        set.set();
        let (ended, stays) = (CancellationToken::new(), CancellationToken::new());
        let ended_too = ended.clone();
        ended.cancel();
        let busy: [Pin<Box<dyn Future<Output = ()>>>; 9] = [
            Box::pin(async move {
                loop {
                    ended.cancelled().await;
                }
            }),
            Box::pin(async move {
                loop {
                    let _none = ended_too.run_until_cancelled(std::future::ready(())).await;
                }
            }),
            Box::pin(async move {
                let set = Event::new();
                set.set();
                loop {
                    stays.run_until_cancelled(set.wait()).await.unwrap();
                }
            }),
            Box::pin(async move {
                loop {
                    sender.send(()).await.unwrap();
                    receiver.recv().await.unwrap();
                }
            }),
            Box::pin(async move {
                loop {
                    drop(mutex.lock().await);
                }
            }),
            Box::pin(async move {
                loop {
                    notify.notify_one();
                    notify.notified().await;
                }
            }),
            Box::pin(async move {
                loop {
                    set.wait().await;
                }
            }),
            Box::pin(async move {
                loop {
                    assert!(alone.wait().await);
                }
            }),
            Box::pin(async {
                loop {
                    let (sender, receiver) = oneshot::channel();
                    sender.send(()).unwrap();
                    receiver.await.unwrap();
                }
            }),
        ];
        let tasks = busy.map(|future| spawn(future).cancel_on_drop());
        sleep(Duration::from_millis(3)).await;
        drop(tasks);
    });
}

/// The budget is one of tasks: a host that polls by itself has as much time as it likes.
#[test]
fn a_host_that_polls_by_hand_is_not_held_back() {
    let (mut rt, _time) = manual();
    let _entered = rt.enter();
    let notify = Rc::new(Notify::new());
    let mut cx = Context::from_waker(Waker::noop());
    for turns in 0..2 {
        for _ in 0..1000 {
            notify.notify_one();
            assert!(
                pin!(notify.notified()).poll(&mut cx).is_ready(),
                "after {turns} turns"
            );
        }
        let theirs = Rc::clone(&notify);
        rt.spawn(async move {
            for _ in 0..200 {
                theirs.notify_one();
                theirs.notified().await;
            }
        })
        .detach();
        rt.turn(Some(Duration::ZERO)).unwrap();
        assert_eq!(rt.stats().tasks_alive, 1, "a task is held back");
        rt.run_until_stalled().unwrap();
    }
}

#[test]
fn an_owned_permit_that_was_promised_is_passed_on() {
    let semaphore = Rc::new(Semaphore::new(1));
    let held = semaphore.try_acquire().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut first = Box::pin(Rc::clone(&semaphore).acquire_owned());
    let mut second = pin!(Rc::clone(&semaphore).acquire_owned());
    assert!(first.as_mut().poll(&mut cx).is_pending());
    assert!(second.as_mut().poll(&mut cx).is_pending());
    drop(held);
    assert_eq!(semaphore.available_permits(), 0);
    drop(first);
    let Poll::Ready(Ok(permit)) = second.as_mut().poll(&mut cx) else {
        panic!("the second was next in line");
    };
    permit.forget();
    assert_eq!(semaphore.available_permits(), 0);
}

/// Two senders, two receivers and a wait at each end, dropped in each of 720 orders.
#[test]
fn the_ends_of_a_channel_may_go_in_every_order() {
    for order in 0..720 {
        let alive = Rc::new(());
        let value = || Rc::clone(&alive);
        let (sender, receiver) = channel::bounded(1);
        let (waits, other) = (sender.clone(), receiver.clone());
        sender.try_send(value()).unwrap();
        let unsent = value();
        let mut sending = Box::pin(async move { waits.send(unsent).await.is_ok() });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(sending.as_mut().poll(&mut cx).is_pending());
        let receives = receiver.clone();
        let mut receiving = Box::pin(async move {
            receives.recv().await;
            receives.recv().await;
            receives.recv().await;
        });
        assert!(receiving.as_mut().poll(&mut cx).is_pending());
        let second = sender.clone();
        let mut parts: Vec<Box<dyn Part>> = vec![
            Box::new(sender),
            Box::new(second),
            Box::new(receiver),
            Box::new(other),
            Box::new(sending),
            Box::new(receiving),
        ];
        let mut order = order;
        while !parts.is_empty() {
            let at = order % parts.len();
            order /= parts.len();
            drop(parts.remove(at));
        }
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}

/// Anything that can be dropped.
trait Part {}

impl<T> Part for T {}
