//! Permits: counted, served in order, passed on, and the lock that is one of them.

use super::super::{AcquireError, Mutex, Semaphore, SemaphorePermit, TryAcquireError};
use super::*;

type Taken<'a> = Result<SemaphorePermit<'a>, AcquireError>;

#[derive(Default)]
struct Model {
    available: usize,
    is_closed: bool,
    line: Line,
}

impl Model {
    fn add(&mut self, count: usize) {
        self.available += count;
        while let Some(wants) = self.line.choose(self.available) {
            self.available -= wants;
        }
    }

    fn may_take(&self, count: usize) -> bool {
        !self.is_closed && self.line.waiting.is_empty() && self.available >= count
    }

    /// What the poll of one that wants `count` must give.
    fn poll(&mut self, number: usize, count: usize) -> Poll<Result<(), AcquireError>> {
        if self.line.take_chosen(number).is_some() {
            return Poll::Ready(Ok(()));
        }
        if self.line.take_released(number) || self.is_closed {
            return Poll::Ready(Err(AcquireError));
        }
        if self.line.is_waiting(number) {
            return Poll::Pending;
        }
        if self.may_take(count) {
            self.available -= count;
            return Poll::Ready(Ok(()));
        }
        self.line.waiting.push_back((number, count));
        Poll::Pending
    }
}

fn run_seed(seed: u64) {
    let mut dice = Dice::new(seed);
    let first = dice.below(4);
    let semaphore = Semaphore::new(first);
    let mut model = Model {
        available: first,
        ..Model::default()
    };
    let mut wants = Vec::new();
    let mut tasks: Vec<Task<'_, Taken<'_>>> = Vec::new();
    let mut permits = Vec::new();
    for _ in 0..STEPS {
        match dice.below(12) {
            0..=3 if tasks.len() < 8 => {
                let count = dice.below(4);
                tasks.push(Task::new(wants.len(), semaphore.acquire_many(count)));
                wants.push(count);
                // Those that are made and not polled have no place: poll at once.
                settle(
                    &mut tasks,
                    &mut permits,
                    &mut model,
                    &wants,
                    None,
                    &mut dice,
                );
            }
            4 | 5 => {
                let at = any(&mut tasks, &mut dice);
                settle(&mut tasks, &mut permits, &mut model, &wants, at, &mut dice);
            }
            6 | 7 => {
                if let Some(at) = any(&mut tasks, &mut dice) {
                    let task = tasks.swap_remove(at);
                    let back = model.line.leave(task.number);
                    drop(task);
                    model.add(back);
                }
            }
            8 | 9 => {
                if let Some(at) = any(&mut permits, &mut dice) {
                    let (count, permit): (usize, SemaphorePermit<'_>) = permits.swap_remove(at);
                    match dice.below(8) {
                        0 => permit.forget(),
                        _ => {
                            drop(permit);
                            model.add(count);
                        }
                    }
                }
            }
            10 => {
                let count = dice.below(3);
                let expected = match model.may_take(count) {
                    true => Ok(count),
                    false if model.is_closed => Err(TryAcquireError::Closed),
                    false => Err(TryAcquireError::NoPermits),
                };
                let taken = semaphore.try_acquire_many(count);
                assert_eq!(taken.as_ref().map(|_| count), expected.as_ref().map(|&c| c));
                if let Ok(permit) = taken {
                    model.available -= count;
                    permits.push((count, permit));
                }
            }
            _ if dice.below(40) == 0 => {
                semaphore.close();
                model.is_closed = true;
                model.line.release_all();
            }
            _ => {
                let count = dice.below(3);
                semaphore.add_permits(count);
                model.add(count);
            }
        }
        assert_eq!(
            semaphore.available_permits(),
            model.available,
            "seed {seed}"
        );
        assert_eq!(semaphore.is_closed(), model.is_closed, "seed {seed}");
        model.line.check(&tasks, semaphore.held(), seed);
    }
    // All goes back to where it came from.
    let held: usize = permits.iter().map(|(count, _)| count).sum();
    let served: usize = model.line.chosen.iter().map(|(_, count)| count).sum();
    drop(permits);
    drop(tasks);
    assert_eq!(semaphore.held(), 0, "seed {seed}");
    let all = model.available + held + served;
    assert_eq!(semaphore.available_permits(), all, "seed {seed}");
}

/// Polls the task at `at`, or the newest.
fn settle<'a>(
    tasks: &mut Vec<Task<'a, Taken<'a>>>,
    permits: &mut Vec<(usize, SemaphorePermit<'a>)>,
    model: &mut Model,
    wants: &[usize],
    at: Option<usize>,
    dice: &mut Dice,
) {
    let Some(at) = at.or_else(|| tasks.len().checked_sub(1)) else {
        return;
    };
    let task = &mut tasks[at];
    let count = wants[task.number];
    let polled = task.poll(dice);
    let expected = model.poll(task.number, count);
    assert_eq!(polled.is_ready(), expected.is_ready());
    if let Poll::Ready(taken) = polled {
        tasks.swap_remove(at);
        assert_eq!(
            expected,
            Poll::Ready(taken.as_ref().map(|_| ()).map_err(|&e| e))
        );
        permits.extend(taken.map(|permit| (count, permit)));
    }
}

#[test]
fn a_semaphore_does_what_the_model_does() {
    (0..SEEDS).for_each(run_seed);
}

#[test]
fn one_that_gives_up_lets_those_behind_it_pass() {
    let semaphore = Semaphore::new(2);
    let mut dice = Dice::new(0);
    let mut large = Task::new(0, semaphore.acquire_many(3));
    let mut small = Task::new(1, semaphore.acquire());
    assert!(large.poll(&mut dice).is_pending());
    assert!(small.poll(&mut dice).is_pending(), "nobody overtakes");
    assert!(semaphore.try_acquire().is_err(), "nobody overtakes");
    drop(large);
    assert!(small.is_woken() && small.poll(&mut dice).is_ready());
}

#[test]
fn permits_that_a_semaphore_never_had_do_no_harm() {
    let semaphore = Semaphore::new(usize::MAX);
    let permit = semaphore.try_acquire().unwrap();
    semaphore.add_permits(1);
    drop(permit);
    assert_eq!(semaphore.available_permits(), usize::MAX);
}

#[test]
fn a_mutex_goes_from_hand_to_hand() {
    let mutex = Mutex::new(vec![0]);
    let mut dice = Dice::new(1);
    let guard = mutex.try_lock().unwrap();
    let mut tasks: Vec<_> = (0..3)
        .map(|number| Task::new(number, mutex.lock()))
        .collect();
    for task in &mut tasks {
        assert!(task.poll(&mut dice).is_pending());
    }
    assert!(mutex.try_lock().is_none());
    drop(guard);
    assert!(tasks[0].is_woken() && !tasks[1].is_woken());
    assert!(mutex.try_lock().is_none(), "it is promised to the first");
    assert!(tasks[1].poll(&mut dice).is_pending());
    tasks.remove(0);
    assert!(tasks[0].is_woken() && !tasks[1].is_woken(), "passed on");
    let Poll::Ready(mut guard) = tasks[0].poll(&mut dice) else {
        panic!("it was given the lock");
    };
    guard.push(1);
    drop(guard);
    drop(tasks);
    assert_eq!(*mutex.try_lock().unwrap(), [0, 1]);
    assert_eq!(mutex.into_inner(), [0, 1]);
}
