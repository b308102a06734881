//! The queues, alone.

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

#[test]
fn a_slot_is_in_the_ready_queue_at_most_once() {
    let mut ready = ReadyQueue::new(None);
    for slot in [3, 1, 3, 3, 2, 1] {
        ready.push(slot);
    }
    assert_eq!(ready.len(), 3);
    assert_eq!(
        [ready.pop(), ready.pop(), ready.pop(), ready.pop()],
        [Some(3), Some(1), Some(2), None]
    );
    ready.push(3);
    assert_eq!(ready.pop(), Some(3), "once out, it may come in again");
}

#[test]
fn a_shuffled_queue_repeats_with_its_seed_and_loses_nothing() {
    let run = |seed| {
        let mut ready = ReadyQueue::new(Some(seed));
        (0..50).for_each(|slot| ready.push(slot));
        std::iter::from_fn(|| ready.pop()).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let mut sorted = run(7);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..50).collect::<Vec<_>>());
}
