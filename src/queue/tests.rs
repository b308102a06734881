//! The queues, alone.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

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

fn admitting(seed: Option<u64>, slots: u32) -> ReadyQueue {
    let mut ready = ReadyQueue::new(seed);
    (0..slots).for_each(|slot| ready.admit(slot, Some(0)));
    ready
}

/// Takes out the next one, which must not be stale.
fn pop(ready: &mut ReadyQueue) -> Option<u32> {
    ready.pop().map(|entry| entry.expect("stale").slot())
}

#[test]
fn a_slot_is_in_the_ready_queue_at_most_once() {
    let mut ready = admitting(None, 4);
    let pushed = [3, 1, 3, 3, 2, 1].map(|slot| ready.push(slot, 0));
    assert_eq!(pushed, [true, true, false, false, true, false]);
    assert_eq!(ready.len(), 3);
    let popped = [0; 4].map(|_| pop(&mut ready));
    assert_eq!(popped, [Some(3), Some(1), Some(2), None]);
    assert!(ready.push(3, 0), "once out, it may come in again");
    assert_eq!(pop(&mut ready), Some(3));
}

#[test]
fn what_comes_while_a_batch_is_taken_out_comes_after_it() {
    let mut ready = admitting(None, 5);
    (0..3).for_each(|slot| assert!(ready.push(slot, 0)));
    assert_eq!(pop(&mut ready), Some(0));
    assert!(ready.push(4, 0) && ready.push(0, 0));
    let rest: Vec<_> = std::iter::from_fn(|| pop(&mut ready)).collect();
    assert_eq!(rest, [1, 2, 4, 0]);
    assert_eq!(ready.len(), 0);
}

#[test]
fn only_the_generation_that_lives_there_is_queued() {
    let mut ready = admitting(None, 1);
    ready.admit(0, Some(7));
    assert!(!ready.push(0, 6) && !ready.push(0, 8) && !ready.push(1, 7));
    assert!(ready.push(0, 7));
    ready.admit(0, None);
    assert!(!ready.holds(0, 7) && !ready.push(0, 7));
}

#[test]
fn an_entry_whose_slot_has_moved_on_is_stale_and_still_counted() {
    let mut ready = admitting(None, 1);
    assert!(ready.push(0, 0));
    ready.admit(0, Some(1));
    assert!(ready.push(0, 1), "its own entry, behind the stale one");
    assert_eq!(ready.len(), 2);
    assert!(ready.pop().unwrap().is_err());
    assert!(ready.pop().unwrap().is_ok());
    assert!(ready.pop().is_none());
}

#[test]
fn a_shuffled_queue_repeats_with_its_seed_and_loses_nothing() {
    let run = |seed| {
        let mut ready = admitting(Some(seed), 50);
        (0..50).for_each(|slot| assert!(ready.push(slot, 0)));
        std::iter::from_fn(|| pop(&mut ready)).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let mut sorted = run(7);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
}
