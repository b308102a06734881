//! How jobs and pools end early: cancel, shutdown, drop.

use super::*;

#[test]
fn a_cancelled_job_comes_back_unrun_with_what_it_captured() {
    let (pool, delivered) = pool(workers(1));
    let (release, running) = occupied(&pool, 1, Lane::Normal);
    let (sender, dropped) = channel();
    let witness = Witness(sender);
    let waiting = submit(&pool, 2, Lane::Normal, move || drop(witness));

    assert!(pool.cancel(running).is_none(), "a running job finishes");
    let work = pool.cancel(waiting).unwrap();
    assert!(pool.cancel(waiting).is_none());
    assert!(dropped.try_recv().is_err());
    drop(work);
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
    drop(release);
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(1)));
    until("the worker is idle", || pool.stats().idle == 1);
    assert!(delivered.try_recv().is_err());
}

#[test]
fn shutdown_gives_back_what_waits_and_waits_for_what_runs() {
    let (pool, delivered) = pool(workers(1));
    let release = occupy(&pool, 1, Lane::Normal);
    submit(&pool, 2, Lane::Slow, || unreachable!("cancelled"));
    submit(&pool, 3, Lane::Normal, || unreachable!("cancelled"));
    let asked = Instant::now();
    let shutdown = thread::scope(|scope| {
        let shutdown = scope.spawn(|| pool.shutdown(PATIENCE));
        until("the pool is closed", || pool.stats().queued == 0);
        let late = job(Location::caller(), || ());
        let refused = pool.submit(JobKey(4), Lane::Normal, late);
        assert!(matches!(refused, Err(Refused::Closed(_))));
        assert!(!shutdown.is_finished());
        drop(release);
        shutdown.join().unwrap()
    });
    assert_eq!(
        shutdown
            .cancelled
            .iter()
            .map(|(key, _)| key.0)
            .collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(shutdown.still_running.is_empty());
    assert_eq!(
        delivered.try_recv(),
        Ok(JobKey(1)),
        "what ran was delivered before shutdown returned"
    );
    assert_eq!(pool.stats().workers, 0);
    assert!(
        asked.elapsed() < PATIENCE,
        "the last worker tells the shutdown"
    );
    let again = pool.shutdown(PATIENCE);
    assert!(again.cancelled.is_empty() && again.still_running.is_empty());
}

#[test]
fn shutdown_wakes_idle_workers_that_would_stay_for_an_hour() {
    let (pool, delivered) = pool(PoolLimits {
        keep_alive: Duration::MAX,
        ..workers(2)
    });
    drop((
        occupy(&pool, 1, Lane::Normal),
        occupy(&pool, 2, Lane::Normal),
    ));
    until("both idle", || pool.stats().idle == 2);
    pool.shutdown(PATIENCE);
    assert_eq!(
        (pool.stats().workers, delivered.iter().take(2).count()),
        (0, 2)
    );
}

#[test]
fn a_job_that_outlasts_the_shutdown_is_named_and_still_delivered() {
    let (pool, delivered) = pool(workers(1));
    let release = occupy(&pool, 9, Lane::Slow);
    let shutdown = pool.shutdown(Duration::from_millis(1));
    assert_eq!(shutdown.still_running[0].key, JobKey(9));
    assert!(shutdown.still_running[0].name.contains("occupied"));
    drop(pool);
    drop(release);
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(9)));
    assert!(
        delivered.recv_timeout(PATIENCE).is_err(),
        "the last worker let go of the pool"
    );
}

#[test]
fn dropping_the_pool_never_blocks_and_never_panics() {
    let (pool, delivered) = pool(workers(1));
    let release = occupy(&pool, 1, Lane::Normal);
    let (bomb, (sender, dropped)) = (Bomb, channel());
    submit(&pool, 2, Lane::Normal, move || drop(bomb));
    let witness = Witness(sender);
    submit(&pool, 3, Lane::Normal, move || drop(witness));
    drop(pool);
    assert_eq!(dropped.recv(), Ok(thread::current().id()));
    drop(release);
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(1)));
}

#[test]
fn under_submits_and_cancels_from_all_sides_each_job_runs_or_comes_back_once() {
    const JOBS: u64 = 4000;
    let (pool, delivered) = pool(PoolLimits {
        keep_alive: Duration::from_micros(50),
        ..workers(3)
    });
    let ran = Arc::new(Mutex::new(Vec::new()));
    let mut back = Vec::new();
    thread::scope(|scope| {
        let sides: Vec<_> = (0..3)
            .map(|side| {
                let (pool, ran) = (&pool, &ran);
                scope.spawn(move || {
                    let mut back = Vec::new();
                    let mut queued = Vec::new();
                    for key in (0..JOBS).map(|number| side * JOBS + number) {
                        let ran = Arc::clone(ran);
                        let lane = if key % 5 == 0 {
                            Lane::Slow
                        } else {
                            Lane::Normal
                        };
                        let place = submit(pool, key, lane, move || ran.lock().unwrap().push(key));
                        queued.push((key, place));
                        if key % 7 < 3 {
                            let (old, place) = queued[queued.len().saturating_sub(4)];
                            back.extend(pool.cancel(place).map(|_| old));
                        }
                    }
                    back
                })
            })
            .collect();
        back = sides
            .into_iter()
            .flat_map(|side| side.join().unwrap())
            .collect();
    });
    until("all is quiet", || pool.stats().workers == 0);
    assert_eq!(pool.stats().queued + pool.stats().running, 0);
    let ran = ran.lock().unwrap();
    assert_eq!(delivered.try_iter().count(), ran.len());
    let once: HashSet<_> = ran.iter().chain(&back).collect();
    assert_eq!(
        once.len(),
        ran.len() + back.len(),
        "no job both ran and came back, none did so twice"
    );
    assert_eq!(once.len() as u64, 3 * JOBS, "no job was lost");
}
