//! Values: received in order, by one each, and never lost while somebody may receive them.

use std::future::poll_fn;
use std::rc::Rc;

use super::super::channel::{
    Receiver, SendError, Sender, TryRecvError, TrySendError, bounded, unbounded,
};
use super::*;

/// Two lines, and what stands between them.
struct Model {
    capacity: usize,
    queue: VecDeque<usize>,
    is_closed: bool,
    sending: Line,
    receiving: Line,
}

impl Model {
    fn room(&self) -> usize {
        self.capacity - self.queue.len() - self.sending.chosen.len()
    }

    fn unpromised(&self) -> usize {
        self.queue.len() - self.receiving.chosen.len()
    }

    /// Serves both lines, for as long as there is something for them.
    fn settle(&mut self) {
        while self.unpromised() > 0 && self.receiving.choose(1).is_some() {}
        if self.is_closed {
            self.sending.release_all();
            if self.queue.is_empty() {
                self.receiving.release_all();
            }
            return;
        }
        while self.room() > 0 && self.sending.choose(1).is_some() {}
    }

    fn poll_send(&mut self, number: usize) -> Poll<bool> {
        let chosen = self.sending.take_chosen(number).is_some();
        if self.sending.take_released(number) || self.is_closed {
            return Poll::Ready(false);
        }
        if chosen || !self.sending.is_waiting(number) && self.may_send() {
            self.queue.push_back(number);
            return Poll::Ready(true);
        }
        if !self.sending.is_waiting(number) {
            self.sending.waiting.push_back((number, 1));
        }
        Poll::Pending
    }

    fn may_send(&self) -> bool {
        !self.is_closed && self.sending.waiting.is_empty() && self.room() > 0
    }

    fn poll_recv(&mut self, number: usize) -> Poll<Option<usize>> {
        let chosen = self.receiving.take_chosen(number).is_some();
        if self.receiving.take_released(number) {
            return Poll::Ready(None);
        }
        if chosen || !self.receiving.is_waiting(number) && self.may_recv() {
            return Poll::Ready(self.queue.pop_front());
        }
        if self.is_closed && self.queue.is_empty() {
            return Poll::Ready(None);
        }
        if !self.receiving.is_waiting(number) {
            self.receiving.waiting.push_back((number, 1));
        }
        Poll::Pending
    }

    fn may_recv(&self) -> bool {
        self.receiving.waiting.is_empty() && self.unpromised() > 0
    }
}

type Value = (usize, Rc<()>);

/// Sends by either of the two ways of waiting, from a clone.
async fn send(mut sender: Sender<Value>, value: Value, by_poll: bool) -> bool {
    let number = value.0;
    let sent = if by_poll {
        let mut value = Some(value);
        poll_fn(|cx| sender.poll_send(cx, &mut value)).await
    } else {
        sender.send(value).await
    };
    sent.map_err(|SendError((back, _))| assert_eq!(back, number))
        .is_ok()
}

async fn recv(mut receiver: Receiver<Value>, by_poll: bool) -> Option<usize> {
    let value = if by_poll {
        poll_fn(|cx| receiver.poll_recv(cx)).await
    } else {
        receiver.recv().await
    };
    value.map(|(number, _)| number)
}

struct World {
    seed: u64,
    dice: Dice,
    model: Model,
    senders: Vec<Sender<Value>>,
    receivers: Vec<Receiver<Value>>,
    sending: Vec<Task<'static, bool>>,
    receiving: Vec<Task<'static, Option<usize>>>,
    numbers: usize,
    /// Values that somebody waited for.
    received: u64,
    alive: Rc<()>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let capacity = [1, 2, 3, usize::MAX][dice.below(4)];
        let ends = match capacity {
            usize::MAX => unbounded(),
            capacity => bounded(capacity),
        };
        World {
            seed,
            dice,
            model: Model {
                capacity,
                queue: VecDeque::new(),
                is_closed: false,
                sending: Line::default(),
                receiving: Line::default(),
            },
            senders: vec![ends.0],
            receivers: vec![ends.1],
            sending: Vec::new(),
            receiving: Vec::new(),
            numbers: 0,
            received: 0,
            alive: Rc::new(()),
        }
    }

    fn value(&mut self) -> Value {
        self.numbers += 1;
        (self.numbers, Rc::clone(&self.alive))
    }

    fn step(&mut self) {
        let by_poll = self.dice.below(2) == 0;
        match self.dice.below(16) {
            0 | 1 if self.sending.len() < 6 => {
                let value = self.value();
                if let Some(at) = any(&mut self.senders, &mut self.dice) {
                    let sending = send(self.senders[at].clone(), value, by_poll);
                    self.sending.push(Task::new(self.numbers, sending));
                    self.poll_send(self.sending.len() - 1);
                }
            }
            2 | 3 if self.receiving.len() < 6 => {
                if let Some(at) = any(&mut self.receivers, &mut self.dice) {
                    self.numbers += 1;
                    let receiving = recv(self.receivers[at].clone(), by_poll);
                    self.receiving.push(Task::new(self.numbers, receiving));
                    self.poll_recv(self.receiving.len() - 1);
                }
            }
            4 | 5 => {
                if let Some(at) = any(&mut self.sending, &mut self.dice) {
                    self.poll_send(at);
                }
            }
            6 | 7 => {
                if let Some(at) = any(&mut self.receiving, &mut self.dice) {
                    self.poll_recv(at);
                }
            }
            8 => {
                if let Some(at) = any(&mut self.sending, &mut self.dice) {
                    let task = self.sending.swap_remove(at);
                    self.model.sending.leave(task.number);
                }
            }
            9 => {
                if let Some(at) = any(&mut self.receiving, &mut self.dice) {
                    let task = self.receiving.swap_remove(at);
                    self.model.receiving.leave(task.number);
                }
            }
            10 | 11 => self.try_send(),
            12 | 13 => self.try_recv(),
            14 => self.clone_or_drop(),
            _ if self.dice.below(60) == 0 => {
                self.senders.first().map(Sender::close);
                self.receivers.first().map(Receiver::close);
                self.model.is_closed |= !self.senders.is_empty() || !self.receivers.is_empty();
            }
            _ => {}
        }
        self.check();
    }

    fn poll_send(&mut self, at: usize) {
        let task = &mut self.sending[at];
        let polled = task.poll(&mut self.dice);
        let expected = self.model.poll_send(task.number);
        // What it gave to others it gave before its end of the channel went.
        self.model.settle();
        assert_eq!(polled, expected, "seed {}", self.seed);
        if polled.is_ready() {
            self.sending.swap_remove(at);
        }
    }

    fn poll_recv(&mut self, at: usize) {
        let task = &mut self.receiving[at];
        let polled = task.poll(&mut self.dice);
        let expected = self.model.poll_recv(task.number);
        // What it gave to others it gave before its end of the channel went.
        self.model.settle();
        assert_eq!(polled, expected, "seed {}", self.seed);
        if let Poll::Ready(received) = polled {
            self.receiving.swap_remove(at);
            self.received += u64::from(received.is_some());
        }
    }

    fn try_send(&mut self) {
        let value = self.value();
        let number = value.0;
        let Some(sender) = self.senders.first() else {
            return;
        };
        match sender.try_send(value) {
            Ok(()) => {
                assert!(self.model.may_send(), "seed {}", self.seed);
                self.model.queue.push_back(number);
            }
            Err(TrySendError::Full((back, _))) => {
                assert!(!self.model.may_send() && !self.model.is_closed && back == number);
            }
            Err(error @ TrySendError::Closed(_)) => {
                assert!(self.model.is_closed && error.into_inner().0 == number);
            }
        }
    }

    fn try_recv(&mut self) {
        let Some(receiver) = self.receivers.first() else {
            return;
        };
        let expected = match self.model.may_recv() {
            true => Ok(self.model.queue.pop_front().unwrap()),
            false if self.model.is_closed && self.model.queue.is_empty() => {
                Err(TryRecvError::Closed)
            }
            false => Err(TryRecvError::Empty),
        };
        let received = receiver.try_recv().map(|(number, _)| number);
        assert_eq!(received, expected, "seed {}", self.seed);
    }

    fn clone_or_drop(&mut self) {
        match self.dice.below(8) {
            0..=2 if self.senders.len() < 4 => self.senders.extend(self.senders.first().cloned()),
            3..=5 if self.receivers.len() < 4 => {
                self.receivers.extend(self.receivers.first().cloned());
            }
            6 => drop(self.senders.pop()),
            7 => drop(self.receivers.pop()),
            _ => {}
        }
    }

    fn check(&mut self) {
        let (model, seed) = (&mut self.model, self.seed);
        let no_senders = self.senders.is_empty() && self.sending.is_empty();
        let no_receivers = self.receivers.is_empty() && self.receiving.is_empty();
        model.is_closed |= no_senders || no_receivers;
        if no_receivers {
            model.queue.clear();
        }
        model.settle();
        let in_line = |line: &Line| line.waiting.len() + line.chosen.len();
        let mut held = [in_line(&model.sending), in_line(&model.receiving)];
        if let Some(sender) = self.senders.first() {
            assert_eq!(sender.len(), model.queue.len(), "seed {seed}");
            assert_eq!(sender.is_closed(), model.is_closed, "seed {seed}");
            held = sender.held();
        }
        model.sending.check(&self.sending, held[0], seed);
        model.receiving.check(&self.receiving, held[1], seed);
        let alive = 1 + model.queue.len() + self.sending.len();
        assert_eq!(
            Rc::strong_count(&self.alive),
            alive,
            "seed {seed}: a value leaked"
        );
    }
}

#[test]
fn a_channel_does_what_the_model_does() {
    let mut received = 0;
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        (0..STEPS).for_each(|_| world.step());
        received += world.received;
    }
    assert!(
        received > 10 * SEEDS,
        "the channels were too quiet: {received}"
    );
}

#[test]
fn what_was_promised_to_one_receiver_passes_to_another_after_the_end() {
    let (sender, receiver) = unbounded();
    let mut dice = Dice::new(0);
    let mut first = Task::new(0, receiver.recv());
    let mut second = Task::new(1, receiver.recv());
    assert!(first.poll(&mut dice).is_pending());
    assert!(second.poll(&mut dice).is_pending());
    sender.try_send('a').unwrap();
    drop(sender);
    assert!(
        first.is_woken() && !second.is_woken(),
        "it may yet get the value"
    );
    drop(first);
    assert_eq!(second.poll(&mut dice), Poll::Ready(Some('a')));
    let mut third = Task::new(2, receiver.recv());
    assert_eq!(third.poll(&mut dice), Poll::Ready(None));
}

#[test]
fn who_polls_and_then_awaits_does_not_wait_behind_itself() {
    let (mut sender, mut receiver) = bounded(1);
    let mut dice = Dice::new(0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(receiver.poll_recv(&mut cx).is_pending());
    sender.try_send(1).unwrap();
    assert_eq!(
        Task::new(0, receiver.recv()).poll(&mut dice),
        Poll::Ready(Some(1))
    );
    sender.try_send(2).unwrap();
    assert!(sender.poll_send(&mut cx, &mut Some(3)).is_pending());
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sender.try_send(4), Ok(()));
    assert_eq!(sender.try_send(5), Err(TrySendError::Full(5)));
    assert_eq!(sender.poll_send(&mut cx, &mut None), Poll::Ready(Ok(())));
    receiver.close();
    let refused = sender.poll_send(&mut cx, &mut Some(6));
    assert_eq!(refused, Poll::Ready(Err(SendError(6))));
    assert_eq!(sender.held(), [0, 0]);
}

#[test]
fn capacity_is_what_was_asked_for() {
    assert_eq!(bounded::<u8>(3).0.capacity(), Some(3));
    assert_eq!(unbounded::<u8>().1.capacity(), None);
}

#[test]
#[should_panic(expected = "a channel must hold at least one value")]
fn a_channel_for_nothing_is_refused() {
    bounded::<u8>(0);
}
