//! The ring, with one thread and with three. What orders there can be is for `tests/loom`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::watch::ring::Ring;

/// An event whose words tell its number, so that a mixture of two shows.
fn event(number: u64) -> [u64; 4] {
    [number, !number, number.rotate_left(17), number ^ 0x5555]
}

fn is_whole(words: [u64; 4]) -> bool {
    words == event(words[0])
}

#[test]
fn what_was_pushed_is_copied_in_its_order() {
    let ring = Ring::new(8);
    assert_eq!(ring.copy(), (Vec::new(), 0));
    for number in 0..5 {
        ring.push(event(number));
    }
    assert_eq!(ring.copy(), ((0..5).map(event).collect(), 0));
}

#[test]
fn the_oldest_are_overwritten_and_counted() {
    let ring = Ring::new(5);
    assert_eq!(ring.capacity(), 8, "rounded up");
    for number in 0..20 {
        ring.push(event(number));
        let (events, lost) = ring.copy();
        assert_eq!(lost + events.len() as u64, number + 1);
        assert_eq!(events, (lost..=number).map(event).collect::<Vec<_>>());
        // One is thrown away, since the writer might be at it.
        assert_eq!(lost, (number + 2).saturating_sub(8));
    }
}

#[test]
fn only_the_news_are_copied_if_asked_for() {
    let ring = Ring::new(8);
    for number in 0..6 {
        ring.push(event(number));
    }
    assert_eq!(ring.copy_since(4), (vec![event(4), event(5)], 4));
    assert_eq!(ring.copy_since(6), (Vec::new(), 6));
    assert_eq!(ring.copy_since(99), (Vec::new(), 6), "from a later ring");
    for number in 6..30 {
        ring.push(event(number));
    }
    let (events, before) = ring.copy_since(10);
    assert_eq!((events[0], before), (event(23), 23), "13 were lost");
}

/// Counts torn events, which would be mixtures of two.
#[test]
fn readers_get_no_half_events_from_a_writer_that_never_waits() {
    const PUSHES: u64 = 400_000;
    let ring = Ring::new(64);
    let is_over = AtomicBool::new(false);
    let read = thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut torn, mut seen, mut last) = (0, 0, 0);
                    while !is_over.load(Ordering::Relaxed) {
                        let (events, lost) = ring.copy();
                        assert!(lost >= last, "what was lost is lost");
                        last = lost;
                        for (at, words) in events.iter().enumerate() {
                            let is_right = is_whole(*words) && words[0] == lost + at as u64;
                            torn += u64::from(!is_right);
                            seen += 1;
                        }
                    }
                    (torn, seen)
                })
            })
            .collect();
        for number in 0..PUSHES {
            ring.push(event(number));
        }
        is_over.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().expect("it does not panic"))
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    let (events, lost) = ring.copy();
    assert_eq!(lost + events.len() as u64, PUSHES);
    assert_eq!(read.0, 0, "torn, of {}", read.1);
}
