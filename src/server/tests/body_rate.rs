//! The patience with a body, against sums over its whole history.

use std::time::{Duration, Instant};

use super::super::body_rate::BodyRate;
use super::Dice;

const GRACE: Duration = Duration::from_secs(5);

#[test]
fn patience_is_what_the_whole_history_says() {
    for seed in 0..2_000 {
        let mut dice = Dice::new(seed);
        let min = [1, 7, 240, 100_000][dice.below(4) as usize];
        let mut rate = BodyRate::default();
        let mut now = Instant::now();
        let (mut bytes, mut waited, mut is_waiting) = (0, Duration::ZERO, false);
        for _ in 0..100 {
            match dice.below(4) {
                0 => {
                    rate.begin_wait(now);
                    is_waiting = true;
                }
                1 => {
                    rate.end_wait(now);
                    is_waiting = false;
                }
                2 => {
                    let count = dice.below(1000) as usize;
                    rate.received(count);
                    bytes += count as u64;
                }
                _ => {
                    let passed = Duration::from_millis(dice.below(3000));
                    now += passed;
                    waited += if is_waiting { passed } else { Duration::ZERO };
                }
            }
            let allowed = GRACE.as_secs_f64() + bytes as f64 / f64::from(min);
            let expected = (allowed - waited.as_secs_f64()).max(0.0);
            let patience = rate
                .patience(now, min, GRACE)
                .expect("there is a rate")
                .as_secs_f64();
            let is_fit = (patience - expected).abs() < 1e-6;
            assert!(is_fit, "seed {seed}: {patience} s, not {expected}");
        }
    }
}

#[test]
fn without_a_rate_there_is_no_end_to_it() {
    let mut rate = BodyRate::default();
    let now = Instant::now();
    rate.begin_wait(now);
    let later = now + Duration::from_secs(1_000_000);
    assert_eq!(rate.patience(later, 0, GRACE), None);
    assert_eq!(rate.patience(later, 1, GRACE), Some(Duration::ZERO));
    // No clock of a real machine, but nothing may overflow.
    rate.received(usize::MAX);
    rate.received(usize::MAX);
    assert!(rate.patience(later, 1, Duration::MAX).is_some());
}
