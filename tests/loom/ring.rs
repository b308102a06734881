//! The ring of events: what a reader gets is whole, in order, and not what was overwritten.

use std::sync::Arc;

use loom::model::Builder;
use loom::thread;

use crate::event_ring::Ring;

/// An event whose words tell its number; none is what an empty ring holds.
fn event(number: u64) -> [u64; 4] {
    [1, 2, 3, 4].map(|word| number * 10 + word)
}

/// Each event has four words, so there are too many orders to try all of them. Faults of such a
/// ring need the writer in the middle of a copy: three switches of threads are more than enough.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(check);
}

fn check((events, lost): (Vec<[u64; 4]>, u64)) -> u64 {
    for (at, words) in events.iter().enumerate() {
        assert_eq!(*words, event(lost + at as u64), "torn, or out of its place");
    }
    lost + events.len() as u64
}

#[test]
fn a_reader_gets_whole_events_while_the_ring_goes_round() {
    model(|| {
        let ring = Arc::new(Ring::new(2));
        ring.push(event(0));
        let reading = Arc::clone(&ring);
        let reader = thread::spawn(move || check(reading.copy()));
        ring.push(event(1));
        ring.push(event(2));
        ring.push(event(3));
        let seen = reader.join().unwrap();
        assert!((1..=4).contains(&seen), "{seen}");
        assert_eq!(check(ring.copy()), 4);
    });
}

#[test]
fn a_reader_never_goes_back() {
    model(|| {
        let ring = Arc::new(Ring::new(2));
        let reading = Arc::clone(&ring);
        let reader = thread::spawn(move || {
            let first = check(reading.copy());
            let (events, before) = reading.copy_since(first);
            assert!(before >= first);
            assert!(check((events, before)) >= first);
        });
        ring.push(event(0));
        ring.push(event(1));
        ring.push(event(2));
        reader.join().unwrap();
    });
}
