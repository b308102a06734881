//! The pool's hand-over: a job that was taken runs, and its key is delivered after its outcome.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use loom::model;
use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::blocking::{JobKey, JobPlace, Lane, Pool, PoolLimits, job};

/// The keys that were delivered, and who waits for them.
struct Delivered {
    keys: Mutex<Vec<u64>>,
    condvar: Condvar,
}

impl Delivered {
    fn wait_for(&self, count: usize) -> Vec<u64> {
        let mut keys = self.keys.lock().unwrap();
        while keys.len() < count {
            keys = self.condvar.wait(keys).unwrap();
        }
        keys.clone()
    }
}

fn pool(workers_max: usize) -> (Pool, Arc<Delivered>) {
    let delivered = Arc::new(Delivered {
        keys: Mutex::new(Vec::new()),
        condvar: Condvar::new(),
    });
    let told = Arc::clone(&delivered);
    let deliver = move |JobKey(key), _| {
        told.keys.lock().unwrap().push(key);
        told.condvar.notify_one();
        false
    };
    let limits = PoolLimits {
        workers_max,
        keep_alive: Duration::from_secs(3600),
        queue_max: None,
        slow_max: 1,
    };
    let spawn = |_: String, life: Box<dyn FnOnce() + Send>| {
        thread::spawn(life);
        Ok(())
    };
    let name = String::new();
    let pool = Pool::with_spawn(limits, name, false, Arc::new(deliver), Box::new(spawn));
    (pool, delivered)
}

/// Submits a job; the closure takes its outcome.
fn submit(pool: &Pool, key: u64) -> (JobPlace, impl Fn() -> Option<u64> + use<>) {
    let (work, outcome) = job(move || key * 10);
    let place = Location::caller();
    let queued = pool.submit(JobKey(key), Lane::Normal, "job", place, work);
    let queued = queued.expect("the pool is open and has room");
    (queued, move || outcome.take().map(|result| result.unwrap()))
}

/// A job left behind would be a loop that waits for ever.
#[test]
fn every_job_is_run_and_its_outcome_is_there_when_its_key_is() {
    model(|| {
        let (pool, delivered) = pool(1);
        let outcomes = [1, 2].map(|key| (key, submit(&pool, key)));
        assert_eq!(delivered.wait_for(2), [1, 2], "one worker, in their order");
        for (key, (_, outcome)) in outcomes {
            assert_eq!(outcome(), Some(key * 10));
        }
        pool.shutdown(Duration::from_secs(3600));
    });
}

/// The second job meets a worker that is about to fall asleep, or has just done so.
#[test]
fn a_job_for_a_worker_that_falls_asleep_is_not_left_behind() {
    model(|| {
        let (pool, delivered) = pool(1);
        drop(submit(&pool, 1));
        delivered.wait_for(1);
        let (_, outcome) = submit(&pool, 2);
        delivered.wait_for(2);
        assert_eq!(outcome(), Some(20));
        pool.shutdown(Duration::from_secs(3600));
    });
}

/// A cancelled job comes back unrun, or it was taken and is delivered: never both.
#[test]
fn a_job_is_cancelled_or_run() {
    model(|| {
        let (pool, delivered) = pool(1);
        let (queued, outcome) = submit(&pool, 1);
        if pool.cancel(queued).is_some() {
            assert_eq!(outcome(), None);
            assert!(delivered.keys.lock().unwrap().is_empty());
        } else {
            assert_eq!(delivered.wait_for(1), [1]);
            assert_eq!(outcome(), Some(10));
        }
        pool.shutdown(Duration::from_secs(3600));
    });
}
