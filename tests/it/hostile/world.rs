//! All that a seed may do with a runtime, at any moment; a ledger is kept of it.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tourbillon::time::ManualClock;
use tourbillon::{
    CancelOnDrop, JobHandle, JoinError, JoinHandle, Runtime, Sleep, Timer, call_later, sleep,
    spawn, spawn_blocking,
};

use super::ledger::{
    Call, Held, JobEntry, Ledger, TaskEntry, TimerEntry, Value, Waits, Work, Worker, is_meant,
};
use crate::support::{DEADLINE, Dice, caught, text_of};
use crate::sync::hostile::{Moment, hostile_as, woken};

pub(super) const ZERO: Option<Duration> = Some(Duration::ZERO);

/// What the host of a runtime does.
pub(super) const STEPS: u32 = 150;

/// Acts in acts in acts: so many frames fit on any stack.
const DEPTH_MAX: u32 = 6;

/// How the panics that are meant begin.
pub(super) const MEANT: &str = "mischief";

/// What there is to do mischief with.
#[derive(Default)]
pub(super) struct Kit {
    pub(super) handles: Vec<Held<JoinHandle<Value>>>,
    pub(super) tied: Vec<Held<CancelOnDrop<Value>>>,
    pub(super) timers: Vec<Held<Timer>>,
    pub(super) naps: Vec<Held<Sleep>>,
    pub(super) jobs: Vec<Held<JobHandle<usize>>>,
    /// Tasks that wait for them to be woken.
    pub(super) wakers: Vec<Waker>,
}

/// What was done, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) acts: [u32; 4],
    pub(super) panics: [u32; 4],
    /// Turns that began inside of something.
    pub(super) turns: [u32; 4],
    pub(super) forgotten: u32,
    pub(super) dice: u64,
}

pub(super) struct World {
    pub(super) rt: RefCell<Option<Runtime>>,
    pub(super) clock: ManualClock,
    pub(super) dice: RefCell<Dice>,
    pub(super) left: Cell<u32>,
    pub(super) depth: Cell<u32>,
    pub(super) step: Cell<u32>,
    pub(super) wakers: Cell<usize>,
    pub(super) kit: RefCell<Kit>,
    pub(super) ledger: RefCell<Ledger>,
    pub(super) worker: Worker,
    pub(super) tally: RefCell<Tally>,
}

/// The moves.
impl World {
    /// Up to two moves, where code of the user's runs; and now and then a panic.
    pub(super) fn act(self: &Rc<Self>, moment: Moment) {
        if self.left.get() > 0 && self.depth.get() < DEPTH_MAX {
            self.left.set(self.left.get() - 1);
            self.depth.set(self.depth.get() + 1);
            self.acts(moment);
            self.depth.set(self.depth.get() - 1);
        }
        let one_in = if moment == Moment::Drop { 4 } else { 8 };
        if self.is_rough() && !std::thread::panicking() && self.draw(one_in) == 0 {
            self.tally.borrow_mut().panics[moment as usize] += 1;
            panic!("{MEANT} in {moment:?}");
        }
    }

    pub(super) fn acts(self: &Rc<Self>, moment: Moment) {
        self.tally.borrow_mut().acts[moment as usize] += 1;
        for _ in 0..self.draw(3) {
            self.contain(|| self.one_act(moment));
        }
        match moment {
            // What is true before a waker is cloned need not be so after.
            Moment::Clone if self.draw(2) == 0 => drop(self.contain(|| self.turn(moment))),
            // Others that are due have not been called yet.
            Moment::Wake if self.draw(2) == 0 => drop(self.contain(|| self.renew_due())),
            _ => {}
        }
    }

    pub(super) fn one_act(self: &Rc<Self>, moment: Moment) {
        match self.draw(22) {
            0..=2 => self.spawn(),
            3..=7 => self.use_handle(),
            8 => self.use_tied(),
            9 => self.call_later(),
            10 => self.cancel(),
            11 | 12 => {
                // Who takes the place of a timer waits for its own time.
                self.cancel();
                self.call_later();
            }
            13 => drop(self.take(|kit| &mut kit.timers)),
            14..=16 => self.use_nap(),
            17 | 18 => self.use_job(),
            19 => drop(self.take(|kit| &mut kit.wakers).map(Waker::wake)),
            _ => self.turn(moment),
        }
    }

    /// Turns the runtime, if it is not being turned: a task cannot.
    pub(super) fn turn(&self, moment: Moment) {
        if let Ok(mut rt) = self.rt.try_borrow_mut()
            && let Some(rt) = &mut *rt
        {
            self.tally.borrow_mut().turns[moment as usize] += 1;
            rt.turn(ZERO).unwrap();
        }
    }

    pub(super) fn spawn(self: &Rc<Self>) {
        let number = {
            let tasks = &mut self.ledger.borrow_mut().tasks;
            tasks.push(TaskEntry::default());
            tasks.len() - 1
        };
        let handle = spawn(Work::new(number, self));
        let id = Some(handle.id());
        let other = self
            .ledger
            .borrow()
            .tasks
            .iter()
            .position(|task| task.id == id);
        if let Some(other) = other {
            self.fault(format!(
                "tasks {other} and {number} live, and both are {id:?}"
            ));
        }
        self.ledger.borrow_mut().tasks[number].id = id;
        match self.draw(8) {
            0 => handle.detach(),
            1 => {
                let tied = Held::new(number, handle.cancel_on_drop());
                self.keep(tied, |kit| &mut kit.tied);
            }
            _ => self.keep(Held::new(number, handle), |kit| &mut kit.handles),
        }
    }

    pub(super) fn use_handle(self: &Rc<Self>) {
        let Some(mut held) = self.take(|kit| &mut kit.handles) else {
            return;
        };
        match self.draw(16) {
            0 => return drop(held),
            1 => {
                self.abort(held.number);
                held.thing.abort();
            }
            2 => {
                self.tally.borrow_mut().forgotten += 1;
                self.ledger.borrow_mut().tasks[held.number].is_forgotten = true;
                std::mem::forget(held.thing);
                return;
            }
            _ => {
                if let Some(given) = self.poll(&mut held) {
                    return self.settle_task(held.number, given);
                }
            }
        }
        self.keep(held, |kit| &mut kit.handles);
    }

    pub(super) fn use_tied(self: &Rc<Self>) {
        let Some(mut held) = self.take(|kit| &mut kit.tied) else {
            return;
        };
        if self.draw(3) == 0 {
            self.abort(held.number);
        } else if let Some(given) = self.poll(&mut held) {
            self.settle_task(held.number, given);
        } else {
            self.keep(held, |kit| &mut kit.tied);
        }
    }

    /// It is aborted, if it has not ended.
    pub(super) fn abort(&self, number: usize) {
        self.ledger.borrow_mut().tasks[number].is_aborted = true;
    }

    pub(super) fn delay(&self) -> Duration {
        match self.draw(8) {
            0 => Duration::ZERO,
            1 | 2 => Duration::from_secs(self.draw(3600)),
            _ => Duration::from_micros(self.draw(5000)),
        }
    }

    pub(super) fn call_later(self: &Rc<Self>) {
        let delay = self.delay();
        let number = {
            let timers = &mut self.ledger.borrow_mut().timers;
            timers.push(TimerEntry {
                deadline: self.clock.now() + delay,
                is_cancelled: false,
                calls: 0,
                drops: 0,
            });
            timers.len() - 1
        };
        let world = Rc::clone(self);
        let call = Call { number, world };
        let timer = call_later(delay, move || call.call());
        self.keep(Held::new(number, timer), |kit| &mut kit.timers);
    }

    pub(super) fn cancel(&self) {
        if let Some(timer) = self.take(|kit| &mut kit.timers) {
            self.cancel_this(timer);
        }
    }

    /// Cancels a timer that is due, and files another.
    pub(super) fn renew_due(self: &Rc<Self>) {
        let due = {
            let (ledger, now) = (self.ledger.borrow(), self.clock.now());
            let is_due = |timer: &TimerEntry| timer.calls == 0 && timer.deadline <= now;
            let timers = &mut self.kit.borrow_mut().timers;
            let at = timers
                .iter()
                .position(|held| is_due(&ledger.timers[held.number]));
            at.map(|at| timers.swap_remove(at))
        };
        if let Some(due) = due {
            self.cancel_this(due);
            self.call_later();
        }
    }

    pub(super) fn cancel_this(&self, timer: Held<Timer>) {
        let Held { number, thing, .. } = timer;
        let was_called = {
            let timer = &mut self.ledger.borrow_mut().timers[number];
            timer.is_cancelled = timer.calls == 0;
            timer.calls > 0
        };
        let said = self.contain(|| thing.cancel());
        if said == Some(was_called) {
            self.fault(format!("cancelling timer {number} gave {said:?}"));
        }
    }

    pub(super) fn nap(&self) -> Sleep {
        sleep(self.delay())
    }

    pub(super) fn use_nap(&self) {
        let old = self.draw(2) == 0;
        let nap = old.then(|| self.take(|kit| &mut kit.naps)).flatten();
        let mut held = nap.unwrap_or_else(|| Held::new(0, self.nap()));
        match self.draw(8) {
            0 => return drop(held),
            1 => held.thing.reset(self.clock.now() + self.delay()),
            _ => {
                if self.poll(&mut held).is_some() {
                    return self.check_nap(&held.thing);
                }
            }
        }
        self.keep(held, |kit| &mut kit.naps);
    }

    pub(super) fn check_nap(&self, nap: &Sleep) {
        let (deadline, now) = (nap.deadline().unwrap(), self.clock.now());
        if now < deadline {
            self.fault(format!("a sleep ended {:?} early", deadline - now));
        }
    }

    pub(super) fn use_job(&self) {
        let Some(mut held) = self.take(|kit| &mut kit.jobs) else {
            return self.submit();
        };
        match self.draw(6) {
            0 => return drop(held),
            1 => return self.keep(held, |kit| &mut kit.jobs),
            2 => {
                let queue = &mut *self.worker.queue.borrow_mut();
                // The first in the queue is being done.
                let waits = queue.iter().skip(1).any(|&job| job == held.number);
                if held.thing.cancel() != waits {
                    self.fault(format!("job {} waits: {waits}", held.number));
                }
                if waits {
                    queue.retain(|&job| job != held.number);
                    self.ledger.borrow_mut().jobs[held.number].is_cancelled = true;
                }
            }
            _ => {
                if let Some(given) = self.poll(&mut held) {
                    return self.ledger.borrow_mut().settle_job(held.number, given);
                }
            }
        }
        self.keep(held, |kit| &mut kit.jobs);
    }

    pub(super) fn submit(&self) {
        let panics = self.draw(6) == 0;
        let number = {
            let jobs = &mut self.ledger.borrow_mut().jobs;
            jobs.push(JobEntry {
                panics,
                ..JobEntry::default()
            });
            jobs.len() - 1
        };
        self.worker.queue.borrow_mut().push_back(number);
        let job = spawn_blocking(self.worker.job(number, panics));
        self.keep(Held::new(number, job), |kit| &mut kit.jobs);
    }

    /// Lets the worker end his job, and waits until he has begun the next: by then he has told the
    /// runtime.
    pub(super) fn end_job(&self) {
        if self.worker.queue.borrow().len() < 2 {
            self.submit();
        }
        let ended = self.worker.queue.borrow_mut().pop_front();
        self.ledger.borrow_mut().jobs[ended.unwrap()].has_ended = true;
        self.worker.open.send(()).unwrap();
        self.job_begins();
    }

    pub(super) fn job_begins(&self) {
        let begun = self.worker.begun.recv_timeout(DEADLINE).unwrap();
        if self.worker.queue.borrow().front() != Some(&begun) {
            self.fault(format!("job {begun} begins out of turn"));
        }
    }
}

/// What the moves lean on.
impl World {
    pub(super) fn draw(&self, end: u64) -> u64 {
        self.dice.borrow_mut().below(end)
    }

    /// Whether there is mischief still.
    pub(super) fn is_rough(&self) -> bool {
        self.step.get() < STEPS
    }

    /// Takes something out of the kit: it is used while nothing is borrowed.
    pub(super) fn take<T>(&self, from: impl FnOnce(&mut Kit) -> &mut Vec<T>) -> Option<T> {
        let at = self.draw(64) as usize;
        let mut kit = self.kit.borrow_mut();
        let list = from(&mut kit);
        (!list.is_empty()).then(|| list.swap_remove(at % list.len()))
    }

    pub(super) fn keep<T>(&self, thing: T, to: impl FnOnce(&mut Kit) -> &mut Vec<T>) {
        to(&mut self.kit.borrow_mut()).push(thing);
    }

    pub(super) fn fault(&self, fault: String) {
        let step = self.step.get();
        let faults = &mut self.ledger.borrow_mut().faults;
        faults.push(format!("step {step}: {fault}"));
    }

    /// Catches the panics that are meant. Any other is a fault.
    pub(super) fn contain<T>(&self, body: impl FnOnce() -> T) -> Option<T> {
        match caught(body) {
            Ok(done) => Some(done),
            Err(payload) if is_meant(&*payload) => None,
            Err(payload) => {
                self.fault(format!("panicked: {}", text_of(&*payload)));
                None
            }
        }
    }

    /// Polls something with a foreign waker: a new one, or that of the last time.
    pub(super) fn poll<F: Future + Unpin>(&self, held: &mut Held<F>) -> Option<F::Output> {
        let last = held.waits.take().filter(|_| self.draw(3) == 0);
        let number = last.map_or(self.wakers.get() + 1, |waits| waits.waker);
        self.wakers.set(self.wakers.get().max(number));
        let (waker, before) = (hostile_as(number), woken(number));
        let future = Pin::new(&mut held.thing);
        let polled = self.contain(|| future.poll(&mut Context::from_waker(&waker)));
        self.contain(|| drop(waker));
        match polled? {
            Poll::Ready(output) => Some(output),
            Poll::Pending => {
                let waker = number;
                held.waits = Some(Waits { waker, before });
                None
            }
        }
    }

    pub(super) fn settle_task(&self, number: usize, given: Result<Value, JoinError>) {
        let fault = self.ledger.borrow().settle_task(number, &given);
        fault.into_iter().for_each(|fault| self.fault(fault));
        self.contain(|| drop(given));
    }
}
