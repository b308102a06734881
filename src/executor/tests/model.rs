//! The executor against a model that is a few maps, over hundreds of seeds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;
use crate::watch::Noted;

/// What a task of the model does when polled, and what has happened to it.
#[derive(Default)]
struct Script {
    finishes: Cell<bool>,
    polls: Cell<u32>,
    drops: Cell<u32>,
}

struct Scripted(Rc<Script>);

impl Future for Scripted {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        self.0.polls.set(self.0.polls.get() + 1);
        if self.0.finishes.get() {
            return Poll::Ready(self.0.polls.get());
        }
        Poll::Pending
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.0.drops.set(self.0.drops.get() + 1);
    }
}

struct Task {
    script: Rc<Script>,
    handle: JoinHandle<u32>,
    ticket: Ticket,
    out: Option<TaskFuture>,
    aborting: bool,
}

struct Model {
    seed: u64,
    dice: u64,
    shuffled: bool,
    world: World,
    live: BTreeMap<u32, Task>,
    /// Every slot's generation; a slot whose last is spent is in `retired`.
    generations: BTreeMap<u32, u32>,
    retired: BTreeSet<u32>,
    /// What is queued, once each. A task that ends while queued stays in it as a stale entry.
    queue: VecDeque<Ticket>,
    stale: Vec<Ticket>,
    /// Those that have a handle still: their slots are not given out again.
    ended: Vec<Ended>,
    spawned: usize,
}

struct Ended {
    slot: u32,
    script: Rc<Script>,
    handle: JoinHandle<u32>,
    aborted: bool,
}

impl Ended {
    /// The future was dropped once, and the handle has the result.
    fn check(mut self, seed: u64) {
        assert_eq!(self.script.drops.get(), 1, "seed {seed}");
        assert!(self.handle.is_finished(), "seed {seed}");
        match poll_once(&mut self.handle) {
            Poll::Ready(Ok(polls)) => assert!(!self.aborted && polls == self.script.polls.get()),
            Poll::Ready(Err(error)) => assert!(self.aborted && error.is_aborted(), "seed {seed}"),
            Poll::Pending => panic!("seed {seed}: a handle never got its result"),
        }
        assert!(self.handle.is_finished(), "seed {seed}");
    }
}

impl Model {
    fn new(seed: u64, shuffled: bool) -> Self {
        Model {
            seed,
            dice: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1),
            shuffled,
            world: World::new(shuffled.then_some(seed)),
            live: BTreeMap::new(),
            generations: BTreeMap::new(),
            retired: BTreeSet::new(),
            queue: VecDeque::new(),
            stale: Vec::new(),
            ended: Vec::new(),
            spawned: 0,
        }
    }

    fn draw(&mut self, end: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice % end as u64) as usize
    }

    fn enqueue(&mut self, ticket: Ticket) {
        if !self.queue.contains(&ticket) {
            self.queue.push_back(ticket);
        }
    }

    fn any_live(&mut self) -> Option<u32> {
        let count = self.live.len();
        let at = self.draw(count.max(1));
        self.live.keys().nth(at).copied()
    }

    fn spawn(&mut self) {
        let seed = self.seed;
        let script = Rc::new(Script::default());
        let handle = self.world.spawn(Scripted(Rc::clone(&script)));
        let text = format!("{handle:?}");
        let digits = text
            .split("task: ")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let slot: u32 = digits.unwrap().parse().unwrap();
        assert!(
            slot != 0,
            "seed {seed}: the root's slot was given to a task"
        );
        assert!(
            !self.live.contains_key(&slot),
            "seed {seed}: slot {slot} is taken"
        );
        assert!(
            !self.retired.contains(&slot),
            "seed {seed}: slot {slot} had retired"
        );
        assert!(
            !self.ended.iter().any(|ended| ended.slot == slot),
            "seed {seed}: slot {slot} is kept for a handle"
        );
        self.spawned += 1;
        let generation = *self.generations.entry(slot).or_insert(0);
        let ticket = Ticket::new(self.world.executor.number(), generation, slot);
        self.enqueue(ticket);
        let task = Task {
            script,
            handle,
            ticket,
            out: None,
            aborting: false,
        };
        self.live.insert(slot, task);
    }

    fn wake(&mut self, ticket: Ticket) {
        let original = waker(ticket);
        let copy = original.clone();
        assert!(original.will_wake(&copy));
        match self.draw(4) {
            0 => self.world.executor.wake(ticket),
            1 => original.wake_by_ref(),
            2 => copy.wake(),
            _ => (0..3).for_each(|_| copy.wake_by_ref()),
        }
        let slot = ticket.slot();
        if self
            .live
            .get(&slot)
            .is_some_and(|task| task.ticket == ticket)
        {
            self.enqueue(ticket);
        }
    }

    fn abort(&mut self) {
        let Some(slot) = self.any_live() else { return };
        let task = self.live.get_mut(&slot).unwrap();
        task.handle.abort();
        task.aborting = true;
        let ticket = task.ticket;
        self.enqueue(ticket);
    }

    fn check_out(&mut self) {
        let seed = self.seed;
        assert_eq!(self.world.executor.begin_batch(), self.queue.len());
        let out = self.world.executor.check_out();
        let expected = match (&out, self.shuffled) {
            (CheckedOut::Task(ticket, ..) | CheckedOut::Aborted(ticket, _), true) => {
                let at = self.queue.iter().position(|queued| queued == ticket);
                at.map(|at| self.queue.remove(at).unwrap())
            }
            // Shuffled, only a slot whose future is out can come up empty here; see `end`.
            (_, true) => {
                let live = &self.live;
                let is_out = |queued: &Ticket| {
                    let task = live.get(&queued.slot());
                    task.is_some_and(|task| task.ticket == *queued && task.out.is_some())
                };
                let outs = self.queue.iter().filter(|queued| is_out(queued)).count();
                assert!(outs <= 1, "seed {seed}: at most one is out when shuffled");
                let at = self.queue.iter().position(is_out);
                at.map(|at| self.queue.remove(at).unwrap())
            }
            (_, false) => self.queue.pop_front(),
        };
        let task = expected.and_then(|queued| {
            let task = self.live.get_mut(&queued.slot());
            task.filter(|task| task.ticket == queued)
        });
        match (out, task) {
            (CheckedOut::Task(ticket, mut future, _), Some(task)) => {
                assert_eq!(ticket, task.ticket, "seed {seed}");
                assert!(!task.aborting && task.out.is_none(), "seed {seed}");
                let polls = task.script.polls.get();
                let mut cx = Context::from_waker(Waker::noop());
                assert!(future.as_mut().poll_boxed(&mut cx).is_pending());
                assert_eq!(
                    task.script.polls.get(),
                    polls + 1,
                    "seed {seed}: a stranger's future"
                );
                task.out = Some(future);
            }
            (CheckedOut::Aborted(ticket, future), Some(task)) => {
                assert_eq!(ticket, task.ticket, "seed {seed}");
                assert!(task.aborting && task.out.is_none(), "seed {seed}");
                self.retire(ticket, future, Err(JoinError::aborted()));
            }
            (CheckedOut::Vacant, Some(task)) => {
                assert!(
                    task.out.is_some(),
                    "seed {seed}: task {:?} was lost",
                    task.ticket
                );
            }
            (CheckedOut::Vacant, None) => {}
            (out, _) => panic!(
                "seed {seed}: no task of the model is polled: {}",
                kind(&out)
            ),
        }
    }

    /// Puts a future back, or lets it end first.
    fn put_back(&mut self) {
        let outs: Vec<u32> = self
            .live
            .iter()
            .filter(|(_, task)| task.out.is_some())
            .map(|(&slot, _)| slot)
            .collect();
        if outs.is_empty() {
            return;
        }
        let slot = outs[self.draw(outs.len())];
        // Shuffled, nothing tells which of several vacant entries came up, so none is made.
        let may_end = !(self.shuffled && self.queue.contains(&self.live[&slot].ticket));
        let ends = may_end && self.draw(3) == 0;
        let task = self.live.get_mut(&slot).unwrap();
        let mut future = task.out.take().unwrap();
        if !ends {
            self.world
                .executor
                .seat(task.ticket)
                .check_in(future, Noted::default(), 0);
            return;
        }
        task.script.finishes.set(true);
        let poll = future
            .as_mut()
            .poll_boxed(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(output) = poll else {
            panic!("seed {}: it was told to finish", self.seed)
        };
        let ticket = task.ticket;
        self.retire(ticket, future, Ok(output));
    }

    fn retire(&mut self, ticket: Ticket, future: TaskFuture, outcome: Outcome) {
        let aborted = outcome.is_err();
        self.world.end(ticket, future, outcome);
        let task = self.live.remove(&ticket.slot()).unwrap();
        let generation = self.generations.get_mut(&ticket.slot()).unwrap();
        if *generation == GENERATION_MAX {
            self.retired.insert(ticket.slot());
        }
        *generation += 1;
        self.stale.push(ticket);
        self.ended.push(Ended {
            slot: ticket.slot(),
            script: task.script,
            handle: task.handle,
            aborted,
        });
    }

    fn step(&mut self) {
        let outs = self.live.values().filter(|task| task.out.is_some()).count();
        match self.draw(12) {
            0 | 1 if self.live.len() < 12 => self.spawn(),
            2 | 3 => {
                if let Some(slot) = self.any_live() {
                    let ticket = self.live[&slot].ticket;
                    self.wake(ticket);
                }
            }
            4 if !self.stale.is_empty() => {
                let at = self.draw(self.stale.len());
                let ticket = self.stale[at];
                let before = self.world.executor.ready_count();
                self.wake(ticket);
                assert_eq!(
                    self.world.executor.ready_count(),
                    before,
                    "seed {}: stale {ticket:?} queued something",
                    self.seed
                );
                assert!(
                    self.world.executor.info(ticket).is_none(),
                    "seed {}",
                    self.seed
                );
            }
            5 if !self.ended.is_empty() => {
                // Late aborts reach nobody.
                let at = self.draw(self.ended.len());
                self.ended[at].handle.abort();
                match self.draw(4) {
                    0 => {}
                    1 => drop(self.ended.swap_remove(at)),
                    _ => self.ended.swap_remove(at).check(self.seed),
                }
            }
            6 => self.abort(),
            7..=9 if outs < if self.shuffled { 1 } else { 3 } => self.check_out(),
            _ => self.put_back(),
        }
        let ready = self.world.executor.ready_count();
        assert_eq!(
            ready,
            self.queue.len(),
            "seed {}: queue {:?}",
            self.seed,
            self.queue
        );
        let (alive, spawned, _) = self.world.executor.counts();
        assert_eq!(alive, self.live.len(), "seed {}", self.seed);
        assert_eq!(spawned as usize, self.spawned, "seed {}", self.seed);
        for (slot, task) in &self.live {
            assert_eq!(
                task.script.drops.get(),
                0,
                "seed {}: slot {slot} was dropped",
                self.seed
            );
        }
    }

    /// Nothing is lost: each handle has its result, each future was dropped once.
    fn close(mut self) {
        let seed = self.seed;
        let outs: Vec<_> = self
            .live
            .values_mut()
            .map(|task| (task.ticket, task.out.take()))
            .collect();
        for (ticket, future) in outs {
            if let Some(future) = future {
                self.world
                    .executor
                    .seat(ticket)
                    .check_in(future, Noted::default(), 0);
            }
        }
        let left = self.world.executor.take_all();
        let expected: Vec<u32> = self.live.keys().copied().collect();
        let slots: Vec<u32> = left.iter().map(|(ticket, _)| ticket.slot()).collect();
        assert_eq!(slots, expected, "seed {seed}");
        for (ticket, future) in left {
            self.retire(ticket, future, Err(JoinError::aborted()));
        }
        for ended in self.ended {
            ended.check(seed);
        }
    }
}

fn kind(out: &CheckedOut<'_>) -> &'static str {
    match out {
        CheckedOut::Root(_) => "root",
        CheckedOut::Task(..) => "task",
        CheckedOut::Aborted(..) => "aborted",
        CheckedOut::Vacant => "vacant",
    }
}

fn run(seeds: std::ops::Range<u64>, shuffled: bool) -> usize {
    let mut retired = 0;
    for seed in seeds {
        let mut model = Model::new(seed, shuffled);
        let entered = enter(Rc::clone(&model.world.executor));
        for _ in 0..600 {
            model.step();
        }
        retired += model.retired.len();
        model.close();
        drop(entered);
    }
    retired
}

#[test]
fn the_executor_agrees_with_a_simple_model() {
    let retired = run(1..401, false);
    assert!(
        retired > 400,
        "only {retired} slots retired: the model does not meet the wrap"
    );
}

#[test]
fn the_executor_agrees_with_a_simple_model_in_every_shuffled_order() {
    let retired = run(1..401, true);
    assert!(
        retired > 400,
        "only {retired} slots retired: the model does not meet the wrap"
    );
}

#[test]
fn a_slot_retires_before_its_generation_wraps() {
    let world = World::new(None);
    let mut tickets: Vec<Ticket> = Vec::new();
    for _ in 0..3 * (GENERATION_MAX + 1) {
        let handle = world.spawn(pending::<()>());
        let ticket = world.first_ticket();
        assert!(!tickets.contains(&ticket), "{ticket:?} was given out twice");
        tickets.push(ticket);
        handle.abort();
        world.run();
        for &stale in &tickets {
            world.executor.wake(stale);
        }
        assert_eq!(world.executor.ready_count(), 0, "a stale ticket matched");
    }
    let slots: BTreeSet<u32> = tickets.iter().map(|ticket| ticket.slot()).collect();
    assert_eq!(slots.len(), 3);
}
