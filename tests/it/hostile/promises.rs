//! Everything is done to a runtime at every moment, also in wakers that turn it and panic; and a
//! ledger says whether it kept its promises.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tourbillon::time::ManualClock;
use tourbillon::{JobHandle, Runtime};

use super::ledger::{End, Held, Worker};
use super::world::{MEANT, STEPS, Tally, World, ZERO};
use crate::support::{
    Dice, collect_logs, hush, seeds, take_logged_here, turn_until, well_in_child, within,
};
use crate::sync::hostile::{ACT, Moment, WAKERS, WOKEN};

/// CI runs eight times as many.
const SEEDS: u64 = 200;

/// How often more is done within each step of the host.
const ACTS: u32 = 10;

/// A seed, from its beginning to its end.
impl World {
    fn new(seed: u64) -> Rc<Self> {
        let clock = ManualClock::new();
        let mut builder = Runtime::builder().manual_clock(&clock);
        if seed % 2 == 1 {
            builder = builder.shuffle_ready_queue(seed);
        }
        let rt = builder.blocking_workers_max(1).build().unwrap();
        Rc::new(World {
            rt: RefCell::new(Some(rt)),
            clock,
            dice: RefCell::new(Dice::new(seed + 1)),
            left: Cell::new(ACTS),
            depth: Cell::new(0),
            step: Cell::new(0),
            wakers: Cell::new(0),
            kit: RefCell::default(),
            ledger: RefCell::default(),
            worker: Worker::new(),
            tally: RefCell::default(),
        })
    }

    fn run(self: &Rc<Self>) {
        self.submit();
        self.job_begins();
        for step in 0..STEPS {
            self.step.set(step);
            self.left.set(ACTS);
            self.contain(|| match self.draw(8) {
                0 => {
                    self.clock.advance(Duration::from_micros(self.draw(12_000)));
                    self.turn(Moment::Value);
                }
                1 => self.turn(Moment::Value),
                2 if step % 4 == 0 => self.end_job(),
                _ => self.one_act(Moment::Value),
            });
        }
        self.tally.borrow_mut().dice = self.draw(u64::MAX);
    }

    /// Nobody does mischief any more, and all time passes: everything comes to its end.
    fn finish(&self) {
        self.step.set(STEPS);
        self.left.set(0);
        self.submit();
        let last = self.take(|kit| &mut kit.jobs).into_iter();
        self.kit.borrow_mut().jobs.extend(last);
        while self.worker.queue.borrow().len() > 1 {
            self.end_job();
        }
        let last = self.worker.queue.borrow_mut().pop_front().unwrap();
        self.ledger.borrow_mut().jobs[last].has_ended = true;
        self.worker.open.send(()).unwrap();
        let mut rt = self.rt.borrow_mut();
        let rt = rt.as_mut().unwrap();
        // The worker lets go of a job first, and then tells the runtime.
        turn_until(rt, || {
            let is_over = |held: &Held<JobHandle<usize>>| held.thing.is_finished();
            let all_told = self.kit.borrow().jobs.iter().all(is_over);
            all_told && Arc::strong_count(&self.worker.held) == 1
        });
        for round in 0..100 {
            let wakers = std::mem::take(&mut self.kit.borrow_mut().wakers);
            wakers.into_iter().for_each(Waker::wake);
            let seconds = if round % 4 == 3 { 600 } else { 0 };
            self.clock.advance(Duration::new(seconds, 700_000));
            rt.turn(ZERO).unwrap();
        }
        if !self.ledger.borrow().is_done() {
            self.fault("something hangs".to_owned());
        }
    }

    /// All that somebody waited for is over, and they were told.
    fn check_kit(&self) {
        let kit = self.kit.take();
        let quiet = &mut Context::from_waker(Waker::noop());
        for mut held in kit.handles {
            self.check_wake("the end of task", &held);
            match Pin::new(&mut held.thing).poll(quiet) {
                Poll::Ready(given) => self.settle_task(held.number, given),
                Poll::Pending => self.fault(format!("task {} did not end", held.number)),
            }
        }
        for mut held in kit.tied {
            self.check_wake("the end of task", &held);
            match Pin::new(&mut held.thing).poll(quiet) {
                Poll::Ready(given) => self.settle_task(held.number, given),
                Poll::Pending => self.fault(format!("task {} did not end", held.number)),
            }
        }
        for mut held in kit.naps {
            self.check_wake("the end of a sleep", &held);
            if Pin::new(&mut held.thing).poll(quiet).is_pending() {
                self.fault("a sleep did not end".to_owned());
            }
        }
        for mut held in kit.jobs {
            self.check_wake("the end of job", &held);
            match Pin::new(&mut held.thing).poll(quiet) {
                Poll::Ready(given) => self.ledger.borrow_mut().settle_job(held.number, given),
                Poll::Pending => self.fault(format!("job {} did not end", held.number)),
            }
        }
    }

    fn check_wake<T>(&self, what: &str, held: &Held<T>) {
        if held.is_lost() {
            self.fault(format!("{what} {} woke nobody", held.number));
        }
    }

    fn check_stats(&self) {
        let stats = self.rt.borrow().as_ref().unwrap().stats();
        let left = (stats.tasks_alive, stats.timers_waiting, stats.jobs_queued);
        if left != (0, 0, 0) {
            self.fault(format!("tasks, timers and jobs are left: {left:?}"));
        }
    }
}

/// Runs a seed; says what was done, and what went wrong.
fn run(seed: u64) -> (Tally, Vec<String>) {
    WOKEN.take();
    let world = World::new(seed);
    let entered = world.rt.borrow().as_ref().unwrap().enter();
    let acts = Rc::clone(&world);
    ACT.set(Some(Rc::new(move |moment| acts.act(moment))));
    world.run();
    world.finish();
    ACT.set(None);
    world.check_kit();
    world.check_stats();
    drop(entered);
    let rt = world.rt.take();
    drop(rt);
    let mut ledger = world.ledger.take();
    ledger.check_end();
    let mut faults = ledger.faults;
    let gave = ledger.tasks.iter().filter(|task| task.is_forgotten);
    let kept = gave.filter(|task| task.end == Some(End::Gave)).count();
    let held = Rc::strong_count(&world) - 1;
    if held != kept {
        faults.push(format!(
            "{held} hold the world, {kept} values were forgotten"
        ));
    }
    let wakers = WAKERS.replace(0);
    if wakers != 0 {
        faults.push(format!("{wakers} wakers leaked"));
    }
    let lines = take_logged_here().into_iter();
    faults.extend(
        lines.filter(|line| {
            line.starts_with("ERROR") && !line.contains(&format!("panicked: {MEANT}"))
        }),
    );
    (world.tally.take(), faults)
}

/// In a child, since a panic in a drop that panics already ends the process.
#[test]
fn a_runtime_keeps_its_promises_whatever_wakers_do() {
    let name = "hostile::promises::a_runtime_keeps_its_promises_whatever_wakers_do";
    well_in_child(name, || {
        collect_logs();
        hush(MEANT);
        let seeds = seeds(SEEDS);
        let are_many = seeds.end - seeds.start >= SEEDS;
        let mut all = Tally::default();
        for seed in seeds {
            let (tally, faults) = within(move || run(seed));
            let shown = faults
                .iter()
                .take(12)
                .fold(String::new(), |text, fault| text + fault + "\n");
            assert!(
                faults.is_empty(),
                "seed {seed}: {} faults, {tally:?}\n{shown}\
                 see it again: TOURBILLON_SEED={seed} cargo test --test it promises",
                faults.len()
            );
            for at in 0..4 {
                all.acts[at] += tally.acts[at];
                all.panics[at] += tally.panics[at];
                all.turns[at] += tally.turns[at];
            }
            all.forgotten += tally.forgotten;
        }
        let least = |counts: [u32; 4]| counts.into_iter().min().unwrap();
        // Wakers are woken in turns, where there is no turning.
        all.turns[Moment::Wake as usize] = u32::MAX;
        assert!(
            !are_many
                || least(all.acts) > 2000 && least(all.panics) > 200 && least(all.turns) > 400,
            "too little mischief: {all:?}"
        );
    });
}

#[test]
fn a_seed_replays_exactly() {
    within(|| {
        collect_logs();
        hush(MEANT);
        for seed in (0..200).step_by(10) {
            assert_eq!(run(seed), run(seed), "seed {seed}");
        }
    });
}
