//! Everything at once, drawn from a seed: what is done in wakers and in drops is done again there.
//!
//! In half of the seeds wakers panic as well, now and then. Whatever they do, who has waited and
//! need not wait any more has been woken.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use tourbillon::sync::channel::{Receiver, Sender};
use tourbillon::sync::{
    Barrier, CancellationToken, DropGuard, Event, Mutex, Notify, OwnedSemaphorePermit, Semaphore,
    channel, oneshot,
};

use super::hostile::{ACT, Moment, WAKERS, WOKEN, Wait, act, hostile, hostile_as, woken};
use crate::support::{Dice, caught, collect_logs, hush, seeds, take_logged_here, text_of, within};

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
    waits: Vec<Waiting>,
}

/// A wait that has been polled, and the number of its last waker.
struct Waiting(Wait, usize);

/// What all share, as long as a seed runs.
struct Shared {
    kit: RefCell<Kit>,
    dice: RefCell<Dice>,
    left: Cell<u32>,
    /// Whether wakers panic.
    panics: bool,
    wakers: Cell<usize>,
    faults: RefCell<Vec<String>>,
    values: Rc<Cell<i64>>,
    semaphore: Rc<Semaphore>,
    event: Rc<Event>,
    notify: Rc<Notify>,
    barrier: Rc<Barrier>,
    mutex: Rc<Mutex<()>>,
    done: RefCell<Done>,
}

/// How often something was done at each moment, and how often something panicked.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    acts: [u32; 4],
    panics: [u32; 4],
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
        if let Some(left) = self.left.get().checked_sub(1) {
            self.left.set(left);
            self.done.borrow_mut().acts[moment as usize] += 1;
            for _ in 0..=self.draw(3) {
                self.contain(|| self.one_act());
            }
        }
        let may_panic = self.panics && moment != Moment::Value && !std::thread::panicking();
        let one_in = if moment == Moment::Drop { 3 } else { 6 };
        if may_panic && self.draw(one_in) == 0 {
            self.done.borrow_mut().panics[moment as usize] += 1;
            panic!("{MEANT} in {moment:?}");
        }
    }

    /// Catches the panics of wakers. Any other is a fault.
    fn contain<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        let payload = match caught(act) {
            Ok(done) => return Some(done),
            Err(payload) => payload,
        };
        let text = text_of(&*payload);
        if !text.starts_with(MEANT) {
            self.faults.borrow_mut().push(format!("panicked: {text}"));
        }
        None
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
                if let Some(Waiting(wait, ..)) = self.take(|kit| &mut kit.waits) {
                    self.poll(wait);
                }
            }
            17..=24 => self.token(),
            _ => self.wait(),
        }
    }

    /// Does something with a token, of which there is one at least.
    fn token(&self) {
        let token = self.take(|kit| &mut kit.tokens);
        // All that come of one that is cancelled are: let there be others.
        let token = token.filter(|token| !token.is_cancelled() || self.draw(2) == 0);
        let token = token.unwrap_or_default();
        match self.draw(13) {
            0..=2 => self.keep(token.child_token(), |kit| &mut kit.tokens),
            3 => self.keep(token.clone(), |kit| &mut kit.tokens),
            4 => return drop(token),
            5 => self.keep(token.clone().drop_guard(), |kit| &mut kit.guards),
            6 => match self.take(|kit| &mut kit.guards) {
                Some(guard) if self.draw(2) == 0 => drop(guard),
                Some(guard) => self.keep(guard.disarm(), |kit| &mut kit.tokens),
                None => token.cancel(),
            },
            7 => Self::forget_wait(&token),
            8 => self.poll(Box::pin(token.clone().cancelled_owned())),
            9 | 10 => self.fork(token.child_token()),
            11 => token.cancel(),
            _ => {
                let (event, raced) = (Rc::clone(&self.event), token.clone());
                self.poll(Box::pin(async move {
                    raced.run_until_cancelled(event.wait()).await;
                }));
            }
        }
        self.keep(token, |kit| &mut kit.tokens);
    }

    /// The waker of a forgotten wait stays in the line, and goes with the last of the tokens.
    fn forget_wait(token: &CancellationToken) {
        let waker = hostile();
        let mut forgotten = token.cancelled();
        let mut cx = Context::from_waker(&waker);
        let _ = Pin::new(&mut forgotten).poll(&mut cx);
        std::mem::forget(forgotten);
    }

    /// Has a token kept only by its children, for whom others wait, and with it a waker.
    fn fork(&self, token: CancellationToken) {
        let children = [(); 2].map(|()| token.child_token());
        for child in &children {
            self.poll(Box::pin(child.clone().cancelled_owned()));
        }
        self.contain(|| Self::forget_wait(&token));
        self.contain(|| drop(token));
        if self.draw(2) == 0 {
            self.contain(|| children[0].cancel());
        }
        children
            .into_iter()
            .for_each(|child| self.keep(child, |kit| &mut kit.tokens));
    }

    /// Begins to wait for something.
    fn wait(&self) {
        match self.draw(9) {
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
                // When this one gives up, those behind it may have their turn.
                let semaphore = Rc::clone(&self.semaphore);
                self.poll(Box::pin(async move {
                    drop(semaphore.acquire_many(2).await.unwrap());
                }));
            }
            6 => {
                if let Some(receiver) = self.take(|kit| &mut kit.one_receivers) {
                    self.poll(Box::pin(async move { drop(receiver.await) }));
                }
            }
            7 => {
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

    /// Polls a wait. One that panics has ended.
    fn poll(&self, mut wait: Wait) {
        let number = self.wakers.get() + 1;
        self.wakers.set(number);
        let waker = hostile_as(number);
        let polled = self.contain(|| wait.as_mut().poll(&mut Context::from_waker(&waker)));
        self.contain(|| drop(waker));
        if polled.is_some_and(|polled| polled.is_pending()) {
            self.keep(Waiting(wait, number), |kit| &mut kit.waits);
        } else {
            self.contain(|| drop(wait));
        }
    }

    /// Whoever need not wait any more was woken.
    fn check_waits(&self) {
        let waits = std::mem::take(&mut self.kit.borrow_mut().waits);
        for Waiting(mut wait, number) in waits {
            let was_woken = woken(number) > 0;
            let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() && !was_woken {
                let lost = format!("the wake of waker {number} was lost");
                self.faults.borrow_mut().push(lost);
            }
        }
    }
}

/// How the panics of wakers begin.
const MEANT: &str = "mischief";

/// CI runs four times as many.
const SEEDS: u64 = 500;

/// What is done first, and how often more is done within: each may lead to several.
const STEPS: u32 = 120;
const ACTS: u32 = 10;

fn run_seed(seed: u64) -> Done {
    WOKEN.take();
    let shared = Rc::new(Shared {
        kit: RefCell::default(),
        dice: RefCell::new(Dice::new(seed + 1)),
        left: Cell::new(0),
        panics: seed % 2 == 1,
        wakers: Cell::new(0),
        faults: RefCell::default(),
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
    for _ in 0..STEPS {
        shared.left.set(ACTS);
        shared.contain(|| shared.one_act());
    }
    ACT.set(None);
    shared.check_waits();
    drop(shared.kit.take());
    let mut faults = shared.faults.take();
    faults.extend(unmeant(take_logged_here()));
    let again = format!("see it again: TOURBILLON_SEED={seed} cargo test --test it sync::mischief");
    assert_eq!(faults, [""; 0], "seed {seed}; {again}");
    assert_eq!(shared.values.get(), 0, "a value leaked: {again}");
    assert_eq!(WAKERS.get(), 0, "a waker leaked: {again}");
    assert_eq!(shared.semaphore.available_permits(), 2, "{again}");
    assert!(shared.mutex.try_lock().is_some(), "{again}");
    shared.done.take()
}

/// A borrow that was held panics; in a waker, that is logged.
fn unmeant(lines: Vec<String>) -> impl Iterator<Item = String> {
    let is_meant = |line: &String| line.contains(&format!("panicked: {MEANT} in"));
    lines.into_iter().filter(move |line| !is_meant(line))
}

#[test]
fn mischief_at_every_moment_leaves_nothing_behind() {
    within(|| {
        collect_logs();
        hush(MEANT);
        let (mut acts, mut panics) = ([0; 4], [0; 4]);
        let seeds = seeds(SEEDS);
        let are_many = seeds.end - seeds.start >= SEEDS;
        for done in seeds.map(run_seed) {
            for at in 0..4 {
                acts[at] += done.acts[at];
                panics[at] += done.panics[at];
            }
        }
        assert!(
            !are_many || acts.iter().all(|&acts| acts > 1000),
            "too little mischief: {acts:?}"
        );
        let [clones, wakes, drops, _] = panics;
        assert!(
            !are_many || clones.min(wakes).min(drops) > 100,
            "too few panics: {panics:?}"
        );
    });
}
