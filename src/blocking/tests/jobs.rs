//! What becomes of one job: its result, its panic, its place in the reports.

use super::*;

#[test]
fn a_job_runs_on_another_thread_and_its_key_is_delivered() {
    let (pool, delivered) = pool(workers(2));
    assert_eq!(pool.stats().workers, 0, "no thread before the first job");
    let (work, outcome) = job(|| thread::current().name().map(str::to_owned));
    assert!(outcome.take().is_none());
    pool.submit(JobKey(7), Lane::Normal, "name", Location::caller(), work)
        .unwrap();
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(7)));
    assert_eq!(outcome.take().unwrap().unwrap().as_deref(), Some("test-1"));
    assert!(outcome.take().is_none());
}

#[test]
fn a_thread_name_with_a_nul_is_no_panic() {
    let pool = Pool::new(workers(1), "a\0b".to_owned(), Arc::new(|_, _| false));
    drop(occupy(&pool, 1, Lane::Normal));
}

#[test]
fn a_panic_is_a_value_and_no_worker_dies_of_one() {
    let (pool, delivered) = pool(workers(1));
    let (work, outcome) = job(|| -> u32 { panic!("the job's own words") });
    pool.submit(JobKey(1), Lane::Normal, "panic", Location::caller(), work)
        .unwrap();
    let (work, dropped) = job(|| {
        let _bomb = Bomb;
    });
    pool.submit(
        JobKey(2),
        Lane::Normal,
        "bomb inside",
        Location::caller(),
        work,
    )
    .unwrap();
    // Raw work without an outcome: a captured value's drop, a panic, and a payload whose drop
    // panics.
    let bomb = Bomb;
    submit(&pool, 3, Lane::Normal, move || drop(bomb));
    submit(&pool, 4, Lane::Normal, || {
        panic!("nobody catches this but the worker")
    });
    submit(&pool, 5, Lane::Normal, || std::panic::panic_any(Bomb));
    submit(&pool, 6, Lane::Normal, || ());
    for key in 1..=6 {
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(key)));
    }
    let payload = outcome.take().unwrap().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"the job's own words"));
    assert!(dropped.take().unwrap().is_err());
    assert_eq!(pool.stats().started, 1, "one worker lived through it all");
}

#[test]
fn a_panic_of_deliver_kills_no_worker() {
    let (sender, delivered) = channel();
    let deliver = move |key: JobKey, _| {
        assert_ne!(key, JobKey(1), "on purpose");
        sender.send(key).is_err()
    };
    let pool = Pool::new(workers(1), "test".to_owned(), Arc::new(deliver));
    submit(&pool, 1, Lane::Normal, || ());
    submit(&pool, 2, Lane::Normal, || ());
    assert_eq!(delivered.recv_timeout(PATIENCE), Ok(JobKey(2)));
    assert_eq!(pool.stats().started, 1);
}

#[test]
fn the_worker_has_let_go_of_the_slot_before_it_delivers() {
    let (sender, owners) = channel();
    let (work, outcome) = job(|| "result");
    let slot = Arc::clone(&outcome.0);
    let deliver = move |_, _| sender.send(Arc::strong_count(&slot)).is_err();
    let pool = Pool::new(workers(1), "test".to_owned(), Arc::new(deliver));
    pool.submit(JobKey(1), Lane::Normal, "job", Location::caller(), work)
        .unwrap();
    assert_eq!(
        owners.recv_timeout(PATIENCE),
        Ok(2),
        "the outcome and this test"
    );
}

#[test]
fn an_unwanted_result_is_dropped_by_whoever_keeps_the_outcome() {
    let (pool, delivered) = pool(workers(1));
    let (sender, dropped) = channel();
    let (work, outcome) = job(move || Witness(sender));
    pool.submit(JobKey(1), Lane::Normal, "job", Location::caller(), work)
        .unwrap();
    delivered.recv_timeout(PATIENCE).unwrap();
    drop(outcome);
    assert_eq!(dropped.recv(), Ok(thread::current().id()));
}

#[test]
fn running_jobs_are_listed_by_name_and_place() {
    let before = Instant::now();
    let (pool, delivered) = pool(workers(2));
    let (first, line) = (occupy(&pool, 1, Lane::Normal), line!());
    let second = occupy(&pool, 2, Lane::Slow);
    let running = pool.running();
    assert_eq!(
        running.iter().map(|job| job.key.0).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(running[0].name, "test job");
    assert_eq!(
        (running[0].place.file(), running[0].place.line()),
        (file!(), line)
    );
    assert!(before <= running[0].since && running[0].since <= running[1].since);
    drop((first, second));
    for _ in 1..=2 {
        delivered.recv_timeout(PATIENCE).unwrap();
    }
    assert!(pool.running().is_empty(), "a delivered job runs no more");
}
