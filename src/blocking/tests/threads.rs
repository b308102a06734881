//! Which thread runs what and when: growing, shrinking, lanes, order, limits.

use super::*;

#[test]
fn two_quick_jobs_with_one_idle_worker_start_a_second_thread() {
    let (pool, delivered) = pool(workers(2));
    submit(&pool, 1, Lane::Normal, || ());
    delivered.recv_timeout(PATIENCE).unwrap();
    until("one idle worker", || pool.stats().idle == 1);
    // Neither job ends before the other has begun.
    let both = Arc::new(Barrier::new(2));
    for key in 2..=3 {
        let both = Arc::clone(&both);
        submit(&pool, key, Lane::Normal, move || {
            both.wait();
        });
    }
    for _ in 2..=3 {
        delivered.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(pool.stats().started, 2);
}

#[test]
fn a_loop_that_answers_a_delivery_with_the_next_job_uses_one_thread() {
    // Submitting from inside deliver also shows that no lock is held there: it would never return.
    let pool: Arc<OnceLock<Pool>> = Arc::new(OnceLock::new());
    let (sender, delivered) = channel();
    let deliver = {
        let pool = Arc::downgrade(&pool);
        move |key: JobKey, _, _| {
            if let Some(pool) = pool.upgrade().filter(|_| key.0 < 1000) {
                submit(pool.get().unwrap(), key.0 + 1, Lane::Normal, || ());
            }
            sender.send(key).is_err()
        }
    };
    pool.set(Pool::new(workers(4), "test".to_owned(), Arc::new(deliver)))
        .unwrap();
    let pool = pool.get().unwrap();
    submit(pool, 1, Lane::Normal, || ());
    for key in 1..=1000 {
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
    }
    assert_eq!(pool.stats().started, 1);
}

/// Who delivers may be slow, and then a job that it had taken could neither run nor be cancelled.
#[test]
fn a_worker_takes_no_job_before_it_has_delivered_the_last() {
    let (sender, delivered) = channel();
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let deliver = move |key, _, _| {
        sender.send(key).unwrap();
        if key == JobKey(1) {
            let _ = gate.lock().unwrap().recv();
        }
        false
    };
    let pool = Pool::new(workers(2), "test".to_owned(), Arc::new(deliver));
    let first = occupy(&pool, 1, Lane::Normal);
    let second = occupy(&pool, 2, Lane::Normal);
    submit(&pool, 3, Lane::Normal, || ());
    let fourth = submit(&pool, 4, Lane::Normal, || unreachable!("cancelled"));
    drop(first);
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(1)));
    assert!(pool.cancel(fourth).is_some(), "nobody has taken it");
    assert_eq!(pool.stats().queued, 1);
    drop(second);
    for key in [2, 3] {
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
    }
    drop(open);
}

/// A pool whose threads the returned switch refuses.
fn refusing_pool(workers_max: usize) -> (Pool, Receiver<JobKey>, Arc<AtomicBool>) {
    let refuse = Arc::new(AtomicBool::new(true));
    let (sender, delivered) = channel();
    let deliver = move |key, _, _| sender.send(key).is_err();
    let switch = Arc::clone(&refuse);
    let spawn = move |_, life: Life| {
        if switch.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        thread::spawn(life);
        Ok(())
    };
    (
        Pool::with_spawn(
            workers(workers_max),
            "test".to_owned(),
            true,
            Arc::new(deliver),
            Box::new(spawn),
        ),
        delivered,
        refuse,
    )
}

#[test]
fn without_any_thread_a_refused_one_is_an_error_that_gives_the_work_back() {
    let (pool, delivered, refuse) = refusing_pool(2);
    let (sender, ran) = channel();
    let work = job(Location::caller(), move || sender.send("ran").unwrap());
    let refused = pool.submit(JobKey(1), Lane::Normal, work).unwrap_err();
    assert!(
        matches!(&refused, Refused::NoThread(error, _) if error.kind() == io::ErrorKind::WouldBlock)
    );
    assert_eq!(pool.stats(), PoolStats::default());
    refused.into_work().run();
    assert_eq!(ran.recv(), Ok("ran"));
    // A refusal is not for ever.
    refuse.store(false, Ordering::SeqCst);
    submit(&pool, 2, Lane::Normal, || ());
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(2)));
}

#[test]
fn with_a_live_worker_a_refused_thread_leaves_the_job_to_that_one() {
    let (pool, delivered, refuse) = refusing_pool(2);
    refuse.store(false, Ordering::SeqCst);
    let release = occupy(&pool, 1, Lane::Normal);
    refuse.store(true, Ordering::SeqCst);
    submit(&pool, 2, Lane::Normal, || ());
    submit(&pool, 3, Lane::Slow, || ());
    assert_eq!((pool.stats().queued, pool.stats().workers), (2, 1));
    drop(release);
    for key in 1..=3 {
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
    }
}

#[test]
fn idle_workers_leave_down_to_none_and_the_next_job_finds_one_again() {
    let (pool, delivered) = pool(PoolLimits {
        keep_alive: Duration::from_millis(1),
        ..workers(4)
    });
    for round in 1..=3 {
        let held: Vec<_> = (0..4).map(|key| occupy(&pool, key, Lane::Normal)).collect();
        assert_eq!(pool.stats().workers, 4);
        drop(held);
        for _ in 0..4 {
            delivered.recv_timeout(PATIENCE).unwrap();
        }
        until("all workers have left", || pool.stats().workers == 0);
        assert_eq!(
            pool.stats(),
            PoolStats {
                started: 4 * round,
                finished: 4 * round,
                ..PoolStats::default()
            }
        );
    }
}

#[test]
fn a_worker_that_leaves_and_a_job_that_arrives_do_not_miss_each_other() {
    // With these keep-alives nearly every job meets a worker that is about to give up.
    for keep_alive in [
        Duration::ZERO,
        Duration::from_micros(20),
        Duration::from_micros(100),
    ] {
        let (pool, delivered) = pool(PoolLimits {
            keep_alive,
            ..workers(2)
        });
        for key in 0..4000 {
            submit(&pool, key, Lane::Normal, || ());
            let spins = key % 50;
            (0..spins).for_each(|_| thread::yield_now());
            assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
        }
        until("all workers have left", || pool.stats().workers == 0);
    }
}

#[test]
fn the_slow_lane_keeps_to_its_share_and_the_normal_one_gets_through() {
    let (pool, delivered) = pool(PoolLimits {
        slow_max: 2,
        ..workers(4)
    });
    let slow: Vec<_> = (1..=2).map(|key| occupy(&pool, key, Lane::Slow)).collect();
    for key in 3..=20 {
        submit(&pool, key, Lane::Slow, || ());
    }
    // The slow jobs that wait are older, but have no place; two more workers are there for the
    // normal lane.
    let normal: Vec<_> = (101..=102)
        .map(|key| occupy(&pool, key, Lane::Normal))
        .collect();
    assert_eq!((pool.stats().running, pool.stats().queued), (4, 18));
    drop(normal);
    for _ in 101..=102 {
        assert!(delivered.recv_timeout(PATIENCE).unwrap().0 > 100);
    }
    until("the free workers sleep", || pool.stats().idle == 2);
    assert_eq!(
        pool.stats().queued,
        18,
        "slow jobs wait although two workers are idle"
    );
    drop(slow);
    let ended: HashSet<_> = (1..=20)
        .map(|_| delivered.recv_timeout(PATIENCE).unwrap().0)
        .collect();
    assert_eq!(ended, (1..=20).collect());
}

#[test]
fn the_slow_lane_never_runs_more_than_its_share_at_once() {
    let (pool, delivered) = pool(PoolLimits {
        slow_max: 2,
        ..workers(4)
    });
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for key in 0..2000 {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let lane = if key % 3 == 0 {
            Lane::Normal
        } else {
            Lane::Slow
        };
        submit(&pool, key, lane, move || {
            let slow = usize::from(lane == Lane::Slow);
            most.fetch_max(
                now.fetch_add(slow, Ordering::SeqCst) + slow,
                Ordering::SeqCst,
            );
            thread::yield_now();
            now.fetch_sub(slow, Ordering::SeqCst);
        });
    }
    for _ in 0..2000 {
        delivered.recv_timeout(PATIENCE).unwrap();
    }
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
}

#[test]
fn a_flood_of_one_lane_does_not_starve_the_other() {
    for (flood, single) in [(Lane::Normal, Lane::Slow), (Lane::Slow, Lane::Normal)] {
        let (pool, delivered) = pool(workers(1));
        let release = occupy(&pool, 0, Lane::Normal);
        for key in 1..=100 {
            submit(&pool, key, if key == 50 { single } else { flood }, || ());
        }
        drop(release);
        // With one worker the order of arrival is the order of running, whatever the lane.
        for key in 0..=100 {
            assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
        }
    }
}

#[test]
fn one_worker_runs_ten_thousand_jobs_once_each_in_order() {
    let (pool, delivered) = pool(workers(1));
    let ran = Arc::new(Mutex::new(Vec::new()));
    for key in 0..10_000 {
        let ran = Arc::clone(&ran);
        submit(&pool, key, Lane::Normal, move || {
            ran.lock().unwrap().push(key)
        });
    }
    for key in 0..10_000 {
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
    }
    assert!(ran.lock().unwrap().iter().copied().eq(0..10_000));
    assert_eq!(pool.stats().started, 1);
}

#[test]
fn a_full_queue_refuses_and_takes_jobs_again_when_there_is_room() {
    let (pool, delivered) = pool(PoolLimits {
        queue_max: Some(1),
        ..workers(2)
    });
    let submit_plain = |key| {
        let work = job(Location::caller(), || ());
        pool.submit(JobKey(key), Lane::Normal, work)
    };
    let release = occupy(&pool, 1, Lane::Normal);
    let _held = occupy(&pool, 2, Lane::Normal);
    submit_plain(3).unwrap();
    assert!(matches!(submit_plain(4), Err(Refused::Full(_))));
    drop(release);
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(1)));
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(3)));
    submit_plain(5).unwrap();
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(5)));
}

#[test]
fn no_queue_at_all_still_lets_every_worker_have_a_job() {
    let (pool, delivered) = pool(PoolLimits {
        queue_max: Some(0),
        ..workers(3)
    });
    let all = Arc::new(Barrier::new(4));
    for key in 1..=3 {
        let all = Arc::clone(&all);
        submit(&pool, key, Lane::Normal, move || {
            all.wait();
        });
    }
    let work = job(Location::caller(), || ());
    let refused = pool.submit(JobKey(4), Lane::Normal, work);
    assert!(matches!(refused, Err(Refused::Full(_))));
    all.wait();
    for _ in 1..=3 {
        delivered.recv_timeout(PATIENCE).unwrap();
    }
}
