//! Lookups and the lane they wait in.

use std::sync::mpsc::channel;

use super::super::lookup::{distinct, lookup_host};
use super::super::pool_job::PoolJob;
use super::super::target::Target;
use super::turn_until;
use crate::blocking::Lane;
use crate::runtime::{Runtime, spawn, spawn_blocking};

/// A name server that hangs, played by a job in the slow lane.
#[test]
fn a_lookup_that_hangs_stops_no_file_and_one_that_waits_is_given_up() {
    let mut rt = Runtime::builder().blocking_workers_max(2).build().unwrap();
    let _guard = rt.enter();
    let (answer, hangs) = channel::<()>();
    let hanging = spawn(PoolJob::submit(Lane::Slow, move || hangs.recv().is_ok()));
    let waiting = spawn(async { lookup_host("localhost", 80).await });
    // All that a file needs is a thread.
    let file = spawn(spawn_blocking(|| 7));
    turn_until(&mut rt, || file.is_finished());
    assert!(!waiting.is_finished() && !hanging.is_finished());
    let stats = rt.stats();
    assert_eq!((stats.jobs_running, stats.jobs_queued), (1, 1));
    waiting.abort();
    turn_until(&mut rt, || waiting.is_finished());
    assert_eq!(rt.stats().jobs_queued, 0, "it still waits for a thread");
    answer.send(()).unwrap();
    turn_until(&mut rt, || hanging.is_finished());
}

#[test]
fn a_pool_that_refuses_is_an_error_that_names_the_host() {
    let mut rt = Runtime::builder()
        .blocking_workers_max(1)
        .blocking_queue_max(0)
        .build()
        .unwrap();
    let (answer, hangs) = channel::<()>();
    let _guard = rt.enter();
    let hanging = spawn_blocking(move || hangs.recv().is_ok());
    let error = rt.block_on(lookup_host("localhost", 80)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("\"localhost\"") && text.contains("full"),
        "{text}"
    );
    answer.send(()).unwrap();
    assert!(rt.block_on(hanging).unwrap());
}

#[test]
fn texts_are_taken_apart_or_refused_with_the_reason() {
    let mut rt = Runtime::new().unwrap();
    let mut addresses = |text: &str| {
        let target = Target::from(text);
        assert_eq!(target.to_string(), text);
        rt.block_on(target.addresses())
            .map_err(|error| error.to_string())
    };
    for text in ["127.0.0.1:80", "[::1]:80", "0.0.0.0:0", "[fe80::1%3]:65535"] {
        assert_eq!(addresses(text), Ok(vec![text.parse().unwrap()]), "{text}");
    }
    let refused = [
        ("", "has no port"),
        ("localhost", "has no port"),
        ("[::1]", "has no port"),
        ("localhost:", "no number"),
        ("localhost:http", "no number"),
        ("localhost:65536", "no number"),
        ("localhost:+80", "no number"),
        ("localhost:-1", "no number"),
        ("::1:80", "in brackets"),
        ("http://localhost:80", "in brackets"),
        (":80", "is empty"),
    ];
    for (text, reason) in refused {
        let error = addresses(text).unwrap_err();
        assert!(error.contains(reason), "{text:?}: {error}");
    }
    let none = Target::from(Vec::new());
    let error = rt.block_on(none.addresses()).unwrap_err().to_string();
    assert!(error.contains("is empty"), "{error}");
    assert_eq!(rt.stats().jobs, 0, "none of them needs a thread");
}

#[test]
fn an_address_that_comes_twice_is_kept_where_it_comes_first() {
    let address = |port: u16| ([127, 0, 0, 1], port).into();
    let found = [3, 1, 3, 2, 1].map(address).to_vec();
    assert_eq!(distinct(found), [3, 1, 2].map(address));
}
