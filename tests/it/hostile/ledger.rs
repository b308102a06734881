//! What a runtime has promised to tasks, timers and jobs, and how each of them fared.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use tourbillon::{JoinError, JoinHandle, Sleep, TaskId};

use super::world::{MEANT, World};
use crate::support::text_of;
use crate::sync::hostile::{Moment, woken};

/// All that was begun, by number, and what did not go as promised.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) tasks: Vec<TaskEntry>,
    pub(super) timers: Vec<TimerEntry>,
    pub(super) jobs: Vec<JobEntry>,
    pub(super) faults: Vec<String>,
}

#[derive(Default)]
pub(super) struct TaskEntry {
    /// Until its future is dropped.
    pub(super) id: Option<TaskId>,
    pub(super) end: Option<End>,
    pub(super) is_aborted: bool,
    pub(super) is_forgotten: bool,
    /// How often its future and its value were dropped.
    pub(super) future_drops: u32,
    pub(super) value_drops: u32,
}

/// How the last poll of a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Gave,
    Panicked,
}

pub(super) struct TimerEntry {
    pub(super) deadline: Instant,
    pub(super) is_cancelled: bool,
    pub(super) calls: u32,
    pub(super) drops: u32,
}

#[derive(Default)]
pub(super) struct JobEntry {
    pub(super) is_cancelled: bool,
    pub(super) has_ended: bool,
    pub(super) panics: bool,
}

impl Ledger {
    /// Compares what a handle of a task gave with what its task did.
    pub(super) fn settle_task(
        &self,
        number: usize,
        given: &Result<Value, JoinError>,
    ) -> Option<String> {
        let (end, is_aborted) = (self.tasks[number].end, self.tasks[number].is_aborted);
        let is_right = match given {
            Ok(value) => value.number == number && end == Some(End::Gave),
            Err(error) if error.is_panic() => {
                let text = error.to_string();
                text.ends_with(&of_task(number)) && end == Some(End::Panicked)
            }
            Err(error) => error.is_aborted() && is_aborted && end.is_none(),
        };
        let given = given.as_ref().map(|value| value.number);
        (!is_right).then(|| {
            format!(
                "task {number} ended: {end:?} (aborted: {is_aborted}); its handle gave {given:?}"
            )
        })
    }

    pub(super) fn settle_job(&mut self, number: usize, given: Result<usize, JoinError>) {
        let job = &self.jobs[number];
        let is_right = match &given {
            Ok(value) => *value == number && !job.panics && job.has_ended,
            Err(error) if error.is_panic() => job.panics && job.has_ended,
            Err(error) => error.is_aborted() && job.is_cancelled,
        };
        if !is_right {
            self.faults.push(format!("job {number} gave {given:?}"));
        }
    }

    /// Nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        let called = |timer: &TimerEntry| timer.is_cancelled || timer.calls > 0;
        self.tasks.iter().all(|task| task.future_drops > 0) && self.timers.iter().all(called)
    }

    /// Everything has ended and been dropped, once.
    pub(super) fn check_end(&mut self) {
        let mut faults = Vec::new();
        for (number, task) in self.tasks.iter().enumerate() {
            let has_run = task.end.is_some() || task.is_aborted;
            let gave = task.end == Some(End::Gave) && !task.is_forgotten;
            if !has_run || task.future_drops != 1 || task.value_drops != u32::from(gave) {
                faults.push(format!(
                    "task {number} (aborted: {}, forgotten: {}) ended with {:?}; its future was \
                     dropped {} times, its value {}",
                    task.is_aborted,
                    task.is_forgotten,
                    task.end,
                    task.future_drops,
                    task.value_drops
                ));
            }
        }
        for (number, timer) in self.timers.iter().enumerate() {
            if timer.calls != u32::from(!timer.is_cancelled) || timer.drops != 1 {
                faults.push(format!(
                    "timer {number} (cancelled: {}) was called {} times and dropped {} times",
                    timer.is_cancelled, timer.calls, timer.drops
                ));
            }
        }
        self.faults.append(&mut faults);
    }
}

fn of_task(number: usize) -> String {
    format!("{MEANT} of task {number}")
}

/// Something in the kit, by its number in the ledger.
pub(super) struct Held<T> {
    pub(super) number: usize,
    pub(super) thing: T,
    pub(super) waits: Option<Waits>,
}

impl<T> Held<T> {
    pub(super) fn new(number: usize, thing: T) -> Self {
        Held {
            number,
            thing,
            waits: None,
        }
    }

    /// Whoever polled it last need not wait any more, and has not been told.
    pub(super) fn is_lost(&self) -> bool {
        self.waits
            .as_ref()
            .is_some_and(|waits| woken(waits.waker) <= waits.before)
    }
}

/// A poll was pending: which waker it had, and how often that was woken before.
#[derive(Clone, Copy)]
pub(super) struct Waits {
    pub(super) waker: usize,
    pub(super) before: u32,
}

/// What a task gives: nobody else has this number.
pub(super) struct Value {
    number: usize,
    world: Rc<World>,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.world.ledger.borrow_mut().tasks[self.number].value_drops += 1;
        self.world.act(Moment::Value);
    }
}

/// A task: so many steps, each of which waits for something else.
pub(super) struct Work {
    number: usize,
    world: Rc<World>,
    steps: u64,
    nap: Option<Sleep>,
    other: Option<Held<JoinHandle<Value>>>,
}

impl Work {
    pub(super) fn new(number: usize, world: &Rc<World>) -> Self {
        Work {
            number,
            world: Rc::clone(world),
            steps: world.draw(4),
            nap: None,
            other: None,
        }
    }

    fn end(&self, end: End) {
        self.world.ledger.borrow_mut().tasks[self.number].end = Some(end);
    }

    /// Goes on waiting for what it waits for.
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(nap) = &mut self.nap {
            if Pin::new(&mut *nap).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.world.check_nap(nap);
            self.nap = None;
        }
        if let Some(mut other) = self.other.take() {
            match Pin::new(&mut other.thing).poll(cx) {
                Poll::Pending => {
                    self.other = Some(other);
                    return Poll::Pending;
                }
                Poll::Ready(given) => self.world.settle_task(other.number, given),
            }
        }
        Poll::Ready(())
    }

    /// Begins to wait for something, or says that it has to be woken.
    fn begin_wait(&mut self, cx: &mut Context<'_>) -> bool {
        match self.world.draw(5) {
            0 | 1 => self.nap = Some(self.world.nap()),
            2 => {
                // Only for older tasks, or two might wait for each other.
                let other = self.world.take(|kit| &mut kit.handles);
                match other {
                    Some(other) if other.number < self.number => self.other = Some(other),
                    Some(other) => self.world.keep(other, |kit| &mut kit.handles),
                    None => {}
                }
            }
            3 => {
                let waker = cx.waker().clone();
                self.world.keep(waker, |kit| &mut kit.wakers);
                return false;
            }
            _ => {}
        }
        true
    }
}

impl Future for Work {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Value> {
        let world = Rc::clone(&self.world);
        world.contain(|| world.act(Moment::Value));
        let waited = world.contain(|| self.poll_wait(cx));
        match waited {
            Some(Poll::Pending) => return Poll::Pending,
            // The waker it replaced has panicked: once more.
            None => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Poll::Ready(())) => {}
        }
        if world.is_rough() && world.draw(12) == 0 {
            self.end(End::Panicked);
            panic!("{}", of_task(self.number));
        }
        let Some(left) = self.steps.checked_sub(1) else {
            self.end(End::Gave);
            let number = self.number;
            return Poll::Ready(Value { number, world });
        };
        self.steps = left;
        if self.begin_wait(cx) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        {
            let task = &mut self.world.ledger.borrow_mut().tasks[self.number];
            task.future_drops += 1;
            task.id = None;
        }
        self.world.act(Moment::Value);
    }
}

/// What a timer calls.
pub(super) struct Call {
    pub(super) number: usize,
    pub(super) world: Rc<World>,
}

impl Call {
    pub(super) fn call(self) {
        let now = self.world.clock.now();
        let (is_cancelled, early) = {
            let timer = &mut self.world.ledger.borrow_mut().timers[self.number];
            timer.calls += 1;
            (
                timer.is_cancelled,
                timer.deadline.saturating_duration_since(now),
            )
        };
        if is_cancelled || !early.is_zero() {
            let number = self.number;
            self.world.fault(format!(
                "timer {number} (cancelled: {is_cancelled}) was called {early:?} early"
            ));
        }
        self.world.act(Moment::Value);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.world.ledger.borrow_mut().timers[self.number].drops += 1;
        self.world.act(Moment::Value);
    }
}

/// The one worker of a runtime, who ends a job when he is told to: so seeds replay.
pub(super) struct Worker {
    pub(super) begin: Sender<usize>,
    pub(super) begun: Receiver<usize>,
    pub(super) open: Sender<()>,
    pub(super) gate: Arc<Mutex<Receiver<()>>>,
    /// Jobs that wait for him, and the one he does.
    pub(super) queue: RefCell<VecDeque<usize>>,
    pub(super) held: Arc<()>,
}

impl Worker {
    pub(super) fn new() -> Self {
        let (begin, begun) = std::sync::mpsc::channel();
        let (open, gate) = std::sync::mpsc::channel();
        Worker {
            begin,
            begun,
            open,
            gate: Arc::new(Mutex::new(gate)),
            queue: RefCell::default(),
            held: Arc::default(),
        }
    }

    /// The job with this number. It holds something until it is dropped.
    pub(super) fn job(&self, number: usize, panics: bool) -> impl FnOnce() -> usize + use<> {
        let (begin, gate) = (self.begin.clone(), Arc::clone(&self.gate));
        let held = Arc::clone(&self.held);
        move || {
            let _held = held;
            let _ = begin.send(number);
            let _ = gate.lock().unwrap().recv();
            if panics {
                panic!("{MEANT} of job {number}");
            }
            number
        }
    }
}

/// Whether a panic is one of those that are meant.
pub(super) fn is_meant(payload: &(dyn std::any::Any + Send)) -> bool {
    text_of(payload).starts_with(MEANT)
}
