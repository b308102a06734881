//! Each primitive against a model that is a list or two. Everything is polled by hand, and after
//! every step it is known who has been woken and how many places in line are taken.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

mod cancellation;
mod channel;
mod lets_all_go;
mod notify;
mod oneshot;
mod semaphore;

const SEEDS: u64 = 400;
const STEPS: u32 = 400;

struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 8) % end as u64) as usize
    }
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A future that is polled by hand, with a number that the model knows it by.
struct Task<'a, T> {
    number: usize,
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    bell: Arc<Bell>,
}

impl<'a, T> Task<'a, T> {
    fn new(number: usize, future: impl Future<Output = T> + 'a) -> Self {
        Task {
            number,
            future: Box::pin(future),
            bell: Arc::default(),
        }
    }

    /// Polls it, now and then with a waker it has not seen.
    fn poll(&mut self, dice: &mut Dice) -> Poll<T> {
        if dice.below(3) == 0 {
            self.bell = Arc::default();
        }
        self.bell.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.bell));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn is_woken(&self) -> bool {
        self.bell.0.load(Ordering::SeqCst)
    }
}

/// Those who wait, as a model sees it.
#[derive(Default)]
struct Line {
    /// Number, and how much it wants.
    waiting: VecDeque<(usize, usize)>,
    /// Chosen, and not polled since.
    chosen: Vec<(usize, usize)>,
    /// Let go with everybody, and not polled since.
    released: Vec<usize>,
}

impl Line {
    fn choose(&mut self, offer: usize) -> Option<usize> {
        let &(_, wants) = self.waiting.front().filter(|(_, wants)| *wants <= offer)?;
        self.chosen.extend(self.waiting.pop_front());
        Some(wants)
    }

    fn release_all(&mut self) {
        self.released
            .extend(self.waiting.drain(..).map(|(number, _)| number));
    }

    fn take_chosen(&mut self, number: usize) -> Option<usize> {
        let at = self
            .chosen
            .iter()
            .position(|(chosen, _)| *chosen == number)?;
        Some(self.chosen.remove(at).1)
    }

    fn take_released(&mut self, number: usize) -> bool {
        let before = self.released.len();
        self.released.retain(|released| *released != number);
        self.released.len() < before
    }

    fn is_waiting(&self, number: usize) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == number)
    }

    /// Says what `number` leaves to the next, as `Waiters::leave` does.
    fn leave(&mut self, number: usize) -> usize {
        self.waiting.retain(|(waiting, _)| *waiting != number);
        self.take_released(number);
        self.take_chosen(number).unwrap_or(0)
    }

    /// Those who are to be woken are, and nobody else; and no place is leaked.
    fn check<T>(&self, tasks: &[Task<'_, T>], held: usize, seed: u64) {
        for task in tasks {
            let called = self.chosen.iter().any(|(number, _)| *number == task.number)
                || self.released.contains(&task.number);
            assert_eq!(task.is_woken(), called, "seed {seed}: task {}", task.number);
            assert!(called || self.is_waiting(task.number), "seed {seed}");
        }
        assert_eq!(held, self.waiting.len() + self.chosen.len(), "seed {seed}");
    }
}

/// One of the list, or none if it is empty.
fn any<T>(list: &mut [T], dice: &mut Dice) -> Option<usize> {
    (!list.is_empty()).then(|| dice.below(list.len()))
}
