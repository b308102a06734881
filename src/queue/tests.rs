//! The queues, alone.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{ReadyQueue, TaskQueue};

fn counted_queue() -> (TaskQueue<u32>, Arc<AtomicUsize>) {
    let rings = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&rings);
    let queue = TaskQueue::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    });
    (queue, rings)
}

#[test]
fn the_bell_rings_once_per_park() {
    let (queue, rings) = counted_queue();
    queue.take(&mut Vec::new());
    queue.post(1).unwrap();
    assert_eq!(rings.load(Ordering::SeqCst), 0, "the loop was awake");

    let mut batch = Vec::new();
    queue.take(&mut batch);
    assert_eq!(batch, [1]);
    assert!(queue.park());
    queue.post(2).unwrap();
    queue.post(3).unwrap();
    assert_eq!(
        rings.load(Ordering::SeqCst),
        1,
        "the first post rings, the second need not"
    );
}

#[test]
fn a_fresh_queue_counts_as_parked() {
    let (queue, rings) = counted_queue();
    queue.post(1).unwrap();
    assert_eq!(rings.load(Ordering::SeqCst), 1);
}

#[test]
fn nobody_parks_while_something_waits() {
    let (queue, rings) = counted_queue();
    queue.take(&mut Vec::new());
    queue.post(1).unwrap();
    assert!(!queue.park());
    queue.post(2).unwrap();
    assert_eq!(rings.load(Ordering::SeqCst), 0);
}

#[test]
fn a_closed_queue_gives_posts_back() {
    let (queue, rings) = counted_queue();
    queue.take(&mut Vec::new());
    queue.post(1).unwrap();
    assert_eq!(queue.close(), [1]);
    assert_eq!(queue.post(2), Err(2));
    assert_eq!(rings.load(Ordering::SeqCst), 0);
    assert!(queue.seems_empty());
}

/// Four threads post, one loop parks on a channel that the bell feeds. If a
/// wake were lost the loop would sleep past its deadline.
#[test]
fn no_post_is_lost_between_threads() {
    const SENDERS: u32 = 4;
    const POSTS: u32 = 20_000;
    let (bell, sleep) = mpsc::channel();
    let queue = Arc::new(TaskQueue::new(move || {
        // The loop may have ended already; then nobody needs the bell.
        let _ = bell.send(());
    }));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                for post in 0..POSTS {
                    queue.post(sender * POSTS + post).unwrap();
                }
            })
        })
        .collect();

    let mut seen = HashSet::new();
    let mut batch = Vec::new();
    while seen.len() < (SENDERS * POSTS) as usize {
        queue.take(&mut batch);
        for post in batch.drain(..) {
            assert!(seen.insert(post), "{post} came twice");
        }
        if seen.len() < (SENDERS * POSTS) as usize && queue.park() {
            sleep
                .recv_timeout(Duration::from_secs(20))
                .expect("a wake was lost");
        }
    }
    for sender in senders {
        sender.join().unwrap();
    }
}

fn queue_of(places: u32, seed: Option<u64>) -> ReadyQueue<()> {
    let ready = ReadyQueue::new(seed);
    (0..places).for_each(|slot| assert_eq!(ready.add(), Some(slot)));
    ready
}

fn pop<T: Default>(ready: &ReadyQueue<T>) -> Option<u32> {
    ready.pop().map(|next| next.slot)
}

#[test]
fn a_slot_is_in_the_ready_queue_at_most_once() {
    let ready = queue_of(4, None);
    let pushed = [3, 1, 3, 3, 2, 1].map(|slot| ready.push(slot, 0));
    assert_eq!(pushed, [true, true, false, false, true, false]);
    assert_eq!(ready.len(), 3);
    let popped = [0; 4].map(|_| pop(&ready));
    assert_eq!(popped, [Some(3), Some(1), Some(2), None]);
    assert!(ready.push(3, 0), "once out, it may come in again");
    assert_eq!(pop(&ready), Some(3));
    assert_eq!((ready.len(), ready.pushed()), (0, 4));
}

#[test]
fn a_peek_sees_the_next_two_and_takes_nothing_out() {
    for seed in [None, Some(7)] {
        let ready = queue_of(5, seed);
        let peeked = || {
            let (next, later) = ready.peek();
            [next, later].map(|place| place.map(|place| &raw const *place))
        };
        assert_eq!(peeked(), [None; 2]);
        (0..5).for_each(|slot| assert!(ready.push(slot, 0)));
        ready.begin_batch();
        let mut before = peeked();
        for left in (0..5).rev() {
            let popped = ready.pop().map(|next| &raw const *next.place);
            assert_eq!(popped, before[0]);
            assert_eq!(peeked()[0], before[1]);
            assert_eq!(peeked().iter().flatten().count(), left.min(2));
            before = peeked();
        }
    }
}

#[test]
fn what_comes_while_a_batch_is_taken_out_comes_after_it() {
    let ready = queue_of(5, None);
    (0..3).for_each(|slot| assert!(ready.push(slot, 0)));
    assert_eq!(ready.begin_batch(), 3);
    assert_eq!(pop(&ready), Some(0));
    assert!(ready.push(4, 0) && ready.push(0, 0));
    let rest: Vec<_> = std::iter::from_fn(|| pop(&ready)).collect();
    assert_eq!(rest, [1, 2, 4, 0]);
    assert_eq!(ready.len(), 0);
}

#[test]
fn only_the_generation_that_lives_there_is_queued() {
    let ready = queue_of(1, None);
    ready.admit(0, Some(7));
    assert!(!ready.at(0).is_queued());
    assert!(!ready.push(0, 6) && !ready.push(0, 8) && !ready.push(1, 7));
    assert!(ready.push(0, 7));
    assert_eq!(ready.pop().map(|next| next.generation), Some(7));
    ready.admit(0, None);
    assert!(!ready.holds(0, 7) && !ready.push(0, 7));
}

#[test]
fn a_place_that_changes_hands_while_it_is_queued_stays_where_it_is() {
    let ready = queue_of(2, None);
    assert!(ready.push(0, 0) && ready.push(1, 0));
    ready.admit(0, Some(1));
    assert!(ready.at(0).is_queued());
    assert!(!ready.push(0, 0), "nobody of that generation lives there");
    assert!(!ready.push(0, 1), "once is enough");
    let next = ready.pop().unwrap();
    assert_eq!((next.slot, next.generation), (0, 1));
    ready.admit(1, None);
    assert!(ready.at(1).is_queued(), "also when nobody is to live there");
    assert_eq!((pop(&ready), ready.len()), (Some(1), 0));
    assert!(!ready.push(1, 0));
}

#[test]
fn each_place_keeps_its_value() {
    let ready = ReadyQueue::<Cell<u32>>::new(None);
    for number in 0..1_000 {
        let slot = ready.add().unwrap();
        ready.at(slot).value.set(number);
        assert!(ready.push(slot, 0));
    }
    for number in 0..1_000 {
        assert_eq!(ready.pop().unwrap().place.value.get(), number);
    }
}

#[test]
fn a_vacant_place_is_taken_before_another_is_added() {
    let ready = queue_of(2, None);
    let take = || ready.push_vacant().map(|next| next.slot);
    ready.vacate(0, ready.at(0));
    ready.vacate(1, ready.at(1));
    assert_eq!([take(), take(), take()], [Some(1), Some(0), Some(2)]);
    ready.vacate(0, ready.at(0));
    assert_eq!(take(), Some(3), "one that is queued is not vacant");
    assert_eq!(
        [0; 5].map(|_| pop(&ready)),
        [Some(1), Some(0), Some(2), Some(3), None]
    );
}

#[test]
fn a_shuffled_queue_repeats_with_its_seed_and_loses_nothing() {
    let run = |seed| {
        let ready = queue_of(50, Some(seed));
        (0..40).for_each(|slot| assert!(ready.push(slot, 0)));
        let batch = ready.begin_batch();
        (40..50).for_each(|slot| assert!(ready.push(slot, 0)));
        let order: Vec<_> = (0..batch).filter_map(|_| pop(&ready)).collect();
        // What came later is shuffled among itself.
        assert_eq!(ready.begin_batch(), 10);
        let rest: Vec<_> = std::iter::from_fn(|| pop(&ready)).collect();
        (order, rest)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let (mut order, mut rest) = run(7);
    order.sort_unstable();
    rest.sort_unstable();
    assert_eq!(order, (0..40).collect::<Vec<_>>());
    assert_eq!(rest, (40..50).collect::<Vec<_>>());
}

#[test]
fn every_order_of_a_shuffled_batch_comes_up() {
    let ready = queue_of(3, Some(1));
    let mut orders = HashSet::new();
    for _ in 0..200 {
        (0..3).for_each(|slot| assert!(ready.push(slot, 0)));
        assert_eq!(ready.begin_batch(), 3);
        orders.insert([0; 3].map(|_| pop(&ready)));
        assert_eq!(pop(&ready), None);
    }
    assert_eq!(orders.len(), 6);
}
