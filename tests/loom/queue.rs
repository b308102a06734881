//! The task queue: no post is lost, and no loop sleeps beside one.

use std::sync::Arc;

use loom::model;
use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::task_queue::TaskQueue;

/// What a parked loop sleeps on.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    condvar: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.condvar.notify_one();
    }

    fn sleep(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.condvar.wait(rung).unwrap();
        }
        *rung = false;
    }
}

fn queue() -> (Arc<TaskQueue<u32>>, Arc<Bell>) {
    let bell = Arc::new(Bell {
        rung: Mutex::new(false),
        condvar: Condvar::new(),
    });
    let rings = Arc::clone(&bell);
    (Arc::new(TaskQueue::new(move || rings.ring())), bell)
}

/// A lost wake would be a loop that sleeps for ever: loom calls that a deadlock.
#[test]
fn a_loop_that_parks_gets_every_post() {
    model(|| {
        let (queue, bell) = queue();
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || queue.post(sender).unwrap())
            })
            .collect();
        let (mut seen, mut batch) = (Vec::new(), Vec::new());
        while seen.len() < 2 {
            // As a turn does that was parked.
            queue.take(&mut batch);
            seen.append(&mut batch);
            if seen.len() < 2 && queue.park() {
                bell.sleep();
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1]);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// The hint may be stale, but not for a loop that has just been refused its sleep.
#[test]
fn a_loop_that_looks_at_the_hint_first_gets_every_post() {
    model(|| {
        let (queue, bell) = queue();
        let posts = Arc::clone(&queue);
        let sender = thread::spawn(move || (0..2).for_each(|post| posts.post(post).unwrap()));
        let (mut seen, mut batch) = (Vec::new(), Vec::new());
        let (mut is_parked, mut is_refused) = (true, false);
        while seen.len() < 2 {
            // As a turn does.
            let seems_empty = queue.seems_empty();
            assert!(!(is_refused && seems_empty), "a turn for nothing");
            if is_parked || !seems_empty {
                is_parked = false;
                queue.take(&mut batch);
                seen.append(&mut batch);
            }
            if seen.len() < 2 && queue.seems_empty() {
                is_parked = queue.park();
                is_refused = !is_parked;
                if is_parked {
                    bell.sleep();
                }
            }
        }
        assert_eq!(seen, [0, 1]);
        sender.join().unwrap();
    });
}

/// One sender, two posts: they stay in order, also across a park.
#[test]
fn posts_of_one_thread_stay_in_order() {
    model(|| {
        let (queue, bell) = queue();
        let posts = Arc::clone(&queue);
        let sender = thread::spawn(move || (0..2).for_each(|post| posts.post(post).unwrap()));
        let (mut seen, mut batch) = (Vec::new(), Vec::new());
        while seen.len() < 2 {
            if queue.park() {
                bell.sleep();
            }
            queue.take(&mut batch);
            seen.append(&mut batch);
        }
        assert_eq!(seen, [0, 1]);
        sender.join().unwrap();
    });
}

/// A post meets a close: it is taken, or it comes back, never both and never neither.
#[test]
fn a_post_and_a_close_agree_on_who_has_it() {
    model(|| {
        let (queue, _bell) = queue();
        let posts = Arc::clone(&queue);
        let sender = thread::spawn(move || posts.post(7));
        let left = queue.close();
        let back = sender.join().unwrap();
        assert_eq!(left.len() + usize::from(back.is_err()), 1);
        assert!(queue.seems_empty());
    });
}
