//! The pool's hand-over: a job that was taken runs, and is delivered with its result.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use loom::model;
use loom::sync::{Condvar, Mutex};
use loom::thread;

use crate::blocking::{JobKey, JobPlace, Lane, Pool, PoolLimits, Work, job, result_of};

/// The jobs that were delivered, and who waits for them.
struct Delivered {
    jobs: Mutex<Vec<(u64, Work)>>,
    condvar: Condvar,
}

impl Delivered {
    /// Keys and results.
    fn wait_for(&self, count: usize) -> Vec<(u64, u64)> {
        let mut jobs = self.jobs.lock().unwrap();
        while jobs.len() < count {
            jobs = self.condvar.wait(jobs).unwrap();
        }
        let result = |work| result_of::<u64>(work).unwrap().unwrap();
        jobs.drain(..).map(|(key, work)| (key, result(work))).collect()
    }
}

fn pool(workers_max: usize) -> (Pool, Arc<Delivered>) {
    let delivered = Arc::new(Delivered {
        jobs: Mutex::new(Vec::new()),
        condvar: Condvar::new(),
    });
    let told = Arc::clone(&delivered);
    let deliver = move |JobKey(key), _, work| {
        told.jobs.lock().unwrap().push((key, work));
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

/// Submits a job that returns ten times its key.
fn submit(pool: &Pool, key: u64) -> JobPlace {
    let work = job(Location::caller(), move || key * 10);
    let queued = pool.submit(JobKey(key), Lane::Normal, work);
    queued.expect("the pool is open and has room")
}

/// A job left behind would be a loop that waits for ever.
#[test]
fn every_job_is_run_and_comes_with_its_result() {
    model(|| {
        let (pool, delivered) = pool(1);
        for key in [1, 2] {
            submit(&pool, key);
        }
        let ended = delivered.wait_for(2);
        assert_eq!(ended, [(1, 10), (2, 20)], "one worker, in their order");
        pool.shutdown(Duration::from_secs(3600));
    });
}

/// The second job meets a worker that is about to fall asleep, or has just done so.
#[test]
fn a_job_for_a_worker_that_falls_asleep_is_not_left_behind() {
    model(|| {
        let (pool, delivered) = pool(1);
        submit(&pool, 1);
        delivered.wait_for(1);
        submit(&pool, 2);
        assert_eq!(delivered.wait_for(1), [(2, 20)]);
        pool.shutdown(Duration::from_secs(3600));
    });
}

/// A cancelled job comes back unrun, or it was taken and is delivered: never both.
#[test]
fn a_job_is_cancelled_or_run() {
    model(|| {
        let (pool, delivered) = pool(1);
        let queued = submit(&pool, 1);
        if let Some(work) = pool.cancel(queued) {
            assert!(result_of::<u64>(work).is_none());
            assert!(delivered.jobs.lock().unwrap().is_empty());
        } else {
            assert_eq!(delivered.wait_for(1), [(1, 10)]);
        }
        pool.shutdown(Duration::from_secs(3600));
    });
}
