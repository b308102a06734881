//! Everything at once, drawn from a seed: what is done in wakers and in drops is done again there.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;

use tourbillon::sync::channel::{Receiver, Sender};
use tourbillon::sync::{
    Barrier, CancellationToken, DropGuard, Event, Mutex, Notify, OwnedSemaphorePermit, Semaphore,
    channel, oneshot,
};

use super::hostile::{ACT, Moment, WAKERS, Wait, act, hostile};
use crate::support::{Dice, collect_logs, logged_here, within};

/// What mischief is done with.
#[derive(Default)]
struct Kit {
    senders: Vec<Sender<Loud>>,
    receivers: Vec<Receiver<Loud>>,
    one_senders: Vec<oneshot::Sender<Loud>>,
    one_receivers: Vec<oneshot::Receiver<Loud>>,
    permits: Vec<OwnedSemaphorePermit>,
    tokens: Vec<CancellationToken>,
    guards: Vec<DropGuard>,
    waits: Vec<Wait>,
}

/// What all share, as long as a seed runs.
struct Shared {
    kit: RefCell<Kit>,
    dice: RefCell<Dice>,
    left: Cell<u32>,
    values: Rc<Cell<i64>>,
    semaphore: Rc<Semaphore>,
    event: Rc<Event>,
    notify: Rc<Notify>,
    barrier: Rc<Barrier>,
    mutex: Rc<Mutex<()>>,
    done: RefCell<[u32; 4]>,
}

/// A value that acts when it is dropped.
struct Loud(Rc<Cell<i64>>);

impl Drop for Loud {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
        act(Moment::Value);
    }
}

impl Shared {
    fn draw(&self, end: u64) -> u64 {
        self.dice.borrow_mut().below(end)
    }

    fn value(&self) -> Loud {
        self.values.set(self.values.get() + 1);
        Loud(Rc::clone(&self.values))
    }

    /// Takes something out of the kit: it is used while nothing is borrowed.
    fn take<T>(&self, from: impl FnOnce(&mut Kit) -> &mut Vec<T>) -> Option<T> {
        let at = self.draw(64) as usize;
        let mut kit = self.kit.borrow_mut();
        let list = from(&mut kit);
        (!list.is_empty()).then(|| list.swap_remove(at % list.len()))
    }

    fn keep<T>(&self, thing: T, to: impl FnOnce(&mut Kit) -> &mut Vec<T>) {
        to(&mut self.kit.borrow_mut()).push(thing);
    }

    fn channel(&self) {
        let (sender, receiver) = match self.draw(3) {
            0 => channel::unbounded(),
            capacity => channel::bounded(capacity as usize),
        };
        self.keep(sender, |kit| &mut kit.senders);
        self.keep(receiver, |kit| &mut kit.receivers);
    }

    fn act(&self, moment: Moment) {
        let Some(left) = self.left.get().checked_sub(1) else {
            return;
        };
        self.left.set(left);
        self.done.borrow_mut()[moment as usize] += 1;
        for _ in 0..=self.draw(3) {
            self.one_act();
        }
    }

    fn one_act(&self) {
        match self.draw(28) {
            0 => self.channel(),
            1 => drop(self.take(|kit| &mut kit.senders)),
            2 => drop(self.take(|kit| &mut kit.receivers)),
            3..=5 => {
                if let Some(sender) = self.take(|kit| &mut kit.senders) {
                    drop(sender.try_send(self.value()));
                    self.keep(sender, |kit| &mut kit.senders);
                }
            }
            6 => {
                if let Some(receiver) = self.take(|kit| &mut kit.receivers) {
                    drop(receiver.try_recv());
                    self.keep(receiver, |kit| &mut kit.receivers);
                }
            }
            7 => {
                if let Some(receiver) = self.take(|kit| &mut kit.receivers) {
                    receiver.close();
                }
            }
            8 => {
                let (sender, receiver) = oneshot::channel();
                self.keep(sender, |kit| &mut kit.one_senders);
                self.keep(receiver, |kit| &mut kit.one_receivers);
            }
            9 => {
                if let Some(sender) = self.take(|kit| &mut kit.one_senders) {
                    drop(sender.send(self.value()));
                }
            }
            10 => drop(self.take(|kit| &mut kit.permits)),
            11 => self.event.set(),
            12 => self.event.clear(),
            13 => self.notify.notify_one(),
            14 => self.notify.notify_all(),
            15 => drop(self.take(|kit| &mut kit.waits)),
            16 => {
                if let Some(wait) = self.take(|kit| &mut kit.waits) {
                    self.poll(wait);
                }
            }
            17..=24 => self.token(),
            _ => self.wait(),
        }
    }

    /// Does something with a token, of which there is one at least.
    fn token(&self) {
        let token = self.take(|kit| &mut kit.tokens).unwrap_or_default();
        match self.draw(10) {
            0..=2 => self.keep(token.child_token(), |kit| &mut kit.tokens),
            3 => self.keep(token.clone(), |kit| &mut kit.tokens),
            4 => return drop(token),
            5 => self.keep(token.clone().drop_guard(), |kit| &mut kit.guards),
            6 => match self.take(|kit| &mut kit.guards) {
                Some(guard) if self.draw(2) == 0 => drop(guard),
                Some(guard) => self.keep(guard.disarm(), |kit| &mut kit.tokens),
                None => token.cancel(),
            },
            7 => {
                // Its waker stays in the line, and goes with the last of the tokens.
                let waker = hostile();
                let mut forgotten = token.cancelled();
                let mut cx = Context::from_waker(&waker);
                let _ = Pin::new(&mut forgotten).poll(&mut cx);
                std::mem::forget(forgotten);
            }
            8 => self.poll(Box::pin(token.clone().cancelled_owned())),
            _ => {
                let (event, raced) = (Rc::clone(&self.event), token.clone());
                self.poll(Box::pin(async move {
                    raced.run_until_cancelled(event.wait()).await;
                }));
            }
        }
        self.keep(token, |kit| &mut kit.tokens);
    }

    /// Begins to wait for something.
    fn wait(&self) {
        match self.draw(8) {
            0 => {
                let event = Rc::clone(&self.event);
                self.poll(Box::pin(async move { event.wait().await }));
            }
            1 => {
                let notify = Rc::clone(&self.notify);
                self.poll(Box::pin(async move { notify.notified().await }));
            }
            2 => {
                let barrier = Rc::clone(&self.barrier);
                self.poll(Box::pin(async move {
                    barrier.wait().await;
                }));
            }
            3 => {
                let mutex = Rc::clone(&self.mutex);
                let event = Rc::clone(&self.event);
                self.poll(Box::pin(async move {
                    let _guard = mutex.lock().await;
                    event.wait().await;
                }));
            }
            4 => {
                if let Ok(permit) = self.semaphore.try_acquire() {
                    permit.forget();
                    self.semaphore.add_permits(1);
                }
                let semaphore = Rc::clone(&self.semaphore);
                let event = Rc::clone(&self.event);
                self.poll(Box::pin(async move {
                    let _one = semaphore.acquire_owned().await.unwrap();
                    event.wait().await;
                }));
            }
            5 => {
                if let Some(receiver) = self.take(|kit| &mut kit.one_receivers) {
                    self.poll(Box::pin(async move { drop(receiver.await) }));
                }
            }
            6 => {
                if let Some(sender) = self.take(|kit| &mut kit.senders) {
                    self.keep(sender.clone(), |kit| &mut kit.senders);
                    let value = self.value();
                    self.poll(Box::pin(async move { drop(sender.send(value).await) }));
                }
            }
            _ => {
                if let Some(mut receiver) = self.take(|kit| &mut kit.receivers) {
                    self.keep(receiver.clone(), |kit| &mut kit.receivers);
                    self.poll(Box::pin(async move {
                        while let Some(value) = poll_fn(|cx| receiver.poll_recv(cx)).await {
                            drop(value);
                        }
                    }));
                }
            }
        }
    }

    fn poll(&self, mut wait: Wait) {
        let waker = hostile();
        if wait
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            self.keep(wait, |kit| &mut kit.waits);
        }
    }
}

fn run_seed(seed: u64) -> [u32; 4] {
    let shared = Rc::new(Shared {
        kit: RefCell::default(),
        dice: RefCell::new(Dice::new(seed + 1)),
        left: Cell::new(300),
        values: Rc::default(),
        semaphore: Rc::new(Semaphore::new(2)),
        event: Rc::new(Event::new()),
        notify: Rc::new(Notify::new()),
        barrier: Rc::new(Barrier::new(3)),
        mutex: Rc::new(Mutex::new(())),
        done: RefCell::default(),
    });
    let acts = Rc::clone(&shared);
    ACT.set(Some(Rc::new(move |moment| acts.act(moment))));
    shared.channel();
    for _ in 0..400 {
        shared.one_act();
    }
    ACT.set(None);
    drop(shared.kit.take());
    assert_eq!(shared.values.get(), 0, "seed {seed}: a value leaked");
    assert_eq!(WAKERS.get(), 0, "seed {seed}: a waker leaked");
    assert_eq!(shared.semaphore.available_permits(), 2, "seed {seed}");
    assert!(shared.mutex.try_lock().is_some(), "seed {seed}");
    shared.done.take()
}

#[test]
fn mischief_at_every_moment_leaves_nothing_behind() {
    within(|| {
        collect_logs();
        let mut done = [0; 4];
        for seed in 0..400 {
            for (done, more) in done.iter_mut().zip(run_seed(seed)) {
                *done += more;
            }
            // A borrow that was held panics; in a waker, that is logged.
            assert_eq!(logged_here(), [""; 0], "seed {seed}");
        }
        assert!(
            done.iter().all(|&acts| acts > 1000),
            "too little mischief: {done:?}"
        );
    });
}
