//! What lets everybody go at once: the event and the barrier.

use super::super::{Barrier, Event};
use super::*;

#[test]
fn an_event_does_what_the_model_does() {
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let event = Event::new();
        let (mut is_set, mut line, mut number) = (false, Line::default(), 0);
        let mut tasks = Vec::new();
        for _ in 0..STEPS {
            let fresh = dice.below(2) == 0 && tasks.len() < 8;
            if fresh {
                tasks.push(Task::new(number, event.wait()));
                number += 1;
            }
            let newest = tasks.len().checked_sub(1).filter(|_| fresh);
            match dice.below(10) {
                at if fresh || at < 4 => {
                    let Some(at) = newest.or_else(|| any(&mut tasks, &mut dice)) else {
                        continue;
                    };
                    let task = &mut tasks[at];
                    let waits = line.is_waiting(task.number);
                    let over = line.take_released(task.number) || is_set && !waits;
                    assert_eq!(task.poll(&mut dice).is_ready(), over, "seed {seed}");
                    if over {
                        tasks.swap_remove(at);
                    } else if !waits {
                        line.waiting.push_back((task.number, 0));
                    }
                }
                4 | 5 => {
                    if let Some(at) = any(&mut tasks, &mut dice) {
                        line.leave(tasks.swap_remove(at).number);
                    }
                }
                6 | 7 => {
                    event.set();
                    is_set = true;
                    line.release_all();
                }
                _ => {
                    event.clear();
                    is_set = false;
                }
            }
            assert_eq!(event.is_set(), is_set, "seed {seed}");
            line.check(&tasks, event.held(), seed);
        }
    }
}

#[test]
fn a_barrier_does_what_the_model_does() {
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let parties = dice.below(5);
        let barrier = Barrier::new(parties);
        let (mut line, mut number, mut rounds, mut leaders) = (Line::default(), 0, 0, 0);
        let mut tasks = Vec::new();
        for _ in 0..STEPS {
            match dice.below(6) {
                0 | 1 => {
                    let mut task = Task::new(number, barrier.wait());
                    if line.waiting.len() + 1 >= parties {
                        line.release_all();
                        rounds += 1;
                        assert_eq!(task.poll(&mut dice), Poll::Ready(true), "seed {seed}");
                        leaders += 1;
                    } else {
                        line.waiting.push_back((number, 0));
                        assert!(task.poll(&mut dice).is_pending(), "seed {seed}");
                        tasks.push(task);
                    }
                    number += 1;
                }
                2..=4 => {
                    let Some(at) = any(&mut tasks, &mut dice) else {
                        continue;
                    };
                    let polled = tasks[at].poll(&mut dice);
                    if line.take_released(tasks[at].number) {
                        assert_eq!(polled, Poll::Ready(false), "seed {seed}");
                        tasks.swap_remove(at);
                    } else {
                        assert!(polled.is_pending(), "seed {seed}");
                    }
                }
                _ => {
                    if let Some(at) = any(&mut tasks, &mut dice) {
                        line.leave(tasks.swap_remove(at).number);
                    }
                }
            }
            line.check(&tasks, barrier.held(), seed);
        }
        assert_eq!(leaders, rounds, "seed {seed}");
        assert!(parties > 3 || rounds > 0, "seed {seed}: it never opened");
    }
}
