//! What becomes of one job: its result, its panic, its place in the reports.

use super::*;

#[test]
fn a_job_runs_on_another_thread_and_comes_back_with_its_result() {
    let (pool, delivered) = pool_of_one();
    assert_eq!(pool.stats().workers, 0, "no thread before the first job");
    submit(&pool, 7, Lane::Normal, || {
        thread::current().name().map(str::to_owned)
    });
    let (key, work) = delivered.recv_timeout(PATIENCE).unwrap();
    assert_eq!(key, JobKey(7));
    let name: Option<String> = result_of(work).unwrap().unwrap();
    assert_eq!(name.as_deref(), Some("test-1"));
}

#[test]
fn a_job_that_did_not_run_has_no_result() {
    assert!(result_of::<u32>(job(Location::caller(), || 7_u32)).is_none());
}

#[test]
fn a_thread_name_with_a_nul_is_no_panic() {
    let pool = Pool::new(workers(1), "a\0b".to_owned(), Arc::new(|_, _, _| false));
    drop(occupy(&pool, 1, Lane::Normal));
}

#[test]
fn a_panic_is_a_value_and_no_worker_dies_of_one() {
    let (pool, delivered) = pool_of_one();
    submit(&pool, 1, Lane::Normal, || -> u32 {
        panic!("the job's own words")
    });
    // A captured value's drop, before and after the end, and a payload whose drop panics.
    submit(&pool, 2, Lane::Normal, || {
        let _bomb = Bomb;
    });
    let bomb = Bomb;
    submit(&pool, 3, Lane::Normal, move || drop(bomb));
    submit::<()>(&pool, 4, Lane::Normal, || std::panic::panic_any(Bomb));
    submit(&pool, 5, Lane::Normal, || ());
    let mut ended = (1..=5).map(|key| {
        let (delivered, work) = delivered.recv_timeout(PATIENCE).unwrap();
        assert_eq!(delivered, JobKey(key));
        work
    });
    let first = ended.next().unwrap();
    assert!(first.panic().is_some());
    let payload = result_of::<u32>(first).unwrap().unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"the job's own words"));
    for _ in 2..=4 {
        let payload = result_of::<()>(ended.next().unwrap()).unwrap().unwrap_err();
        std::mem::forget(payload);
    }
    assert!(ended.next().unwrap().panic().is_none());
    assert_eq!(pool.stats().started, 1, "one worker lived through it all");
}

#[test]
fn a_panic_of_deliver_kills_no_worker() {
    let (sender, delivered) = channel();
    let deliver = move |key: JobKey, _, _| {
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
fn an_unwanted_result_is_dropped_by_whoever_it_is_delivered_to() {
    let (pool, delivered) = pool_of_one();
    let (sender, dropped) = channel();
    submit(&pool, 1, Lane::Normal, move || Witness(sender));
    let ended = delivered.recv_timeout(PATIENCE).unwrap();
    drop(ended);
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
    assert!(running[0].name.contains("occupied"));
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

#[test]
fn a_result_keeps_no_room_for_what_was_captured() {
    let data = [1_u8; 10_000];
    let mut work = job(Location::caller(), move || data[7]);
    assert!(size_of_val(&*work) < 400, "{}", size_of_val(&*work));
    assert!(work.name().contains("a_result_keeps_no_room"), "{work:?}");
    assert!(!work.name().contains("Box"), "{work:?}");
    work.run();
    assert_eq!(result_of::<u8>(work).unwrap().unwrap(), 1);
}

#[test]
fn a_closure_is_boxed_by_itself_from_257_bytes_more_than_its_result() {
    fn room<const N: usize>() -> usize {
        let data = [1_u8; N];
        size_of_val(&*job(Location::caller(), move || assert_eq!(data[0], 1)))
    }
    assert!(room::<256>() > 256);
    assert!(room::<257>() < 256);
}
