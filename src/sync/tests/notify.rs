//! One permit, one line, and those who are notified together.

use super::super::Notify;
use super::*;

#[derive(Default)]
struct Model {
    has_permit: bool,
    round: usize,
    line: Line,
}

impl Model {
    fn notify_one(&mut self) {
        if self.line.choose(1).is_none() {
            self.has_permit = true;
        }
    }

    fn is_over(&mut self, number: usize, made_in: usize) -> bool {
        if self.line.is_waiting(number) {
            return false;
        }
        let called = self.line.take_chosen(number).is_some() || self.line.take_released(number);
        called || made_in != self.round || std::mem::take(&mut self.has_permit)
    }
}

#[test]
fn a_notify_does_what_the_model_does() {
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let (notify, mut model) = (Notify::new(), Model::default());
        let mut made_in = Vec::new();
        // The fresh have not been polled, and so are not in line.
        let (mut fresh, mut tasks) = (Vec::new(), Vec::new());
        for _ in 0..STEPS {
            match dice.below(12) {
                0..=2 if fresh.len() + tasks.len() < 8 => {
                    fresh.push(Task::new(made_in.len(), notify.notified()));
                    made_in.push(model.round);
                }
                3 | 4 => {
                    let Some(at) = any(&mut fresh, &mut dice) else {
                        continue;
                    };
                    let mut task = fresh.swap_remove(at);
                    let over = model.is_over(task.number, made_in[task.number]);
                    assert_eq!(task.poll(&mut dice).is_ready(), over, "seed {seed}");
                    if !over {
                        model.line.waiting.push_back((task.number, 1));
                        tasks.push(task);
                    }
                }
                5 | 6 => {
                    let Some(at) = any(&mut tasks, &mut dice) else {
                        continue;
                    };
                    let over = model.is_over(tasks[at].number, made_in[tasks[at].number]);
                    assert_eq!(tasks[at].poll(&mut dice).is_ready(), over, "seed {seed}");
                    if over {
                        tasks.swap_remove(at);
                    }
                }
                7 => drop(any(&mut fresh, &mut dice).map(|at| fresh.swap_remove(at))),
                8 | 9 => {
                    if let Some(at) = any(&mut tasks, &mut dice) {
                        let task = tasks.swap_remove(at);
                        if model.line.leave(task.number) == 1 {
                            model.notify_one();
                        }
                    }
                }
                10 => {
                    notify.notify_one();
                    model.notify_one();
                }
                _ if dice.below(3) == 0 => {
                    notify.notify_all();
                    model.round += 1;
                    model.line.release_all();
                }
                _ => {}
            }
            model.line.check(&tasks, notify.held(), seed);
        }
    }
}

#[test]
fn a_permit_is_kept_for_the_next_and_never_doubled() {
    let (notify, mut dice) = (Notify::new(), Dice::new(0));
    notify.notify_one();
    notify.notify_one();
    let mut notified = Task::new(0, notify.notified());
    assert!(notified.poll(&mut dice).is_ready());
    assert!(notified.poll(&mut dice).is_pending(), "it waits anew");
    notify.notify_all();
    assert!(notified.poll(&mut dice).is_ready());
    assert!(notified.poll(&mut dice).is_pending());
    notify.notify_one();
    drop(notified);
    assert!(Task::new(1, notify.notified()).poll(&mut dice).is_ready());
    assert!(Task::new(2, notify.notified()).poll(&mut dice).is_pending());
}
