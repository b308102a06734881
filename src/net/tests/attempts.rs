//! Happy Eyeballs, with a connector that answers when it is told to.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::super::race::{ATTEMPT_DELAY, ATTEMPTS_MAX, Failures, interleave, race};
use crate::executor::JoinHandle;
use crate::runtime::{Runtime, spawn};
use crate::time::ManualClock;

/// One attempt as the test sees it.
#[derive(Default)]
struct Attempt {
    answer: Option<io::Result<()>>,
    waker: Option<Waker>,
    is_dropped: bool,
}

type Attempts = Rc<RefCell<Vec<(SocketAddr, Attempt)>>>;

/// Marks its attempt when it is dropped.
struct Held(Attempts, usize);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.borrow_mut()[self.1].1.is_dropped = true;
    }
}

struct Scene {
    rt: Runtime,
    time: ManualClock,
    attempts: Attempts,
    race: JoinHandle<Result<SocketAddr, Failures>>,
}

impl Scene {
    fn new(addresses: &[SocketAddr]) -> Self {
        let time = ManualClock::new();
        let rt = Runtime::builder().manual_clock(&time).build().unwrap();
        let attempts = Attempts::default();
        let (seen, addresses) = (Rc::clone(&attempts), addresses.to_vec());
        let guard = rt.enter();
        let race = spawn(async move { race(&addresses, |address| attempt(&seen, address)).await });
        drop(guard);
        let mut scene = Scene {
            rt,
            time,
            attempts,
            race,
        };
        scene.settle();
        scene
    }

    fn settle(&mut self) {
        self.rt.run_until_stalled().unwrap();
    }

    fn advance(&mut self, millis: u64) {
        self.time.advance(Duration::from_millis(millis));
        self.settle();
    }

    fn answer(&mut self, at: usize, answer: io::Result<()>) {
        let waker = {
            let attempt = &mut self.attempts.borrow_mut()[at].1;
            attempt.answer = Some(answer);
            attempt.waker.take()
        };
        waker.unwrap().wake();
        self.settle();
    }

    fn refuse(&mut self, at: usize) {
        self.answer(at, Err(io::ErrorKind::ConnectionRefused.into()));
    }

    fn started(&self) -> usize {
        self.attempts.borrow().len()
    }

    /// Sockets that are open.
    fn open(&self) -> usize {
        let attempts = self.attempts.borrow();
        attempts.iter().filter(|(_, it)| !it.is_dropped).count()
    }

    fn result(mut self) -> Result<SocketAddr, Failures> {
        let race = self.race;
        self.rt.block_on(race).unwrap()
    }
}

fn attempt(
    attempts: &Attempts,
    address: SocketAddr,
) -> impl Future<Output = io::Result<SocketAddr>> + use<> {
    let at = attempts.borrow().len();
    attempts.borrow_mut().push((address, Attempt::default()));
    let held = Held(Rc::clone(attempts), at);
    poll_fn(move |cx| {
        let mut attempts = held.0.borrow_mut();
        let (_, attempt) = &mut attempts[held.1];
        if let Some(answer) = attempt.answer.take() {
            return Poll::Ready(answer.map(|()| address));
        }
        attempt.waker = Some(cx.waker().clone());
        Poll::Pending
    })
}

fn addresses(count: u8) -> Vec<SocketAddr> {
    let one = |at| SocketAddr::from(([192, 0, 2, at], 80));
    (1..=count).map(one).collect()
}

#[test]
fn families_take_turns_and_the_resolvers_first_begins() {
    let v4: Vec<_> = addresses(3);
    let v6: Vec<SocketAddr> = (1..=3)
        .map(|at| format!("[2001:db8::{at}]:80").parse().unwrap())
        .collect();
    let ordered = interleave(vec![v6[0], v6[1], v6[2], v4[0], v4[1]]);
    assert_eq!(ordered, [v6[0], v4[0], v6[1], v4[1], v6[2]]);
    let ordered = interleave(vec![v4[0], v4[1], v4[2], v6[0]]);
    assert_eq!(ordered, [v4[0], v6[0], v4[1], v4[2]]);
    assert_eq!(interleave(v6.clone()), v6);
    assert!(interleave(Vec::new()).is_empty());
}

#[test]
fn the_next_starts_after_the_delay_and_not_before() {
    let mut scene = Scene::new(&addresses(3));
    assert_eq!(scene.started(), 1);
    scene.advance(249);
    assert_eq!(scene.started(), 1);
    scene.advance(1);
    assert_eq!(scene.started(), 2);
    scene.advance(249);
    assert_eq!(scene.started(), 2);
    scene.advance(1);
    assert_eq!((scene.started(), scene.open()), (3, 3));
    // The slowest may still win, and then the others are closed.
    scene.answer(0, Ok(()));
    assert_eq!(scene.open(), 0);
    assert_eq!(scene.result().unwrap(), addresses(1)[0]);
    assert_eq!(ATTEMPT_DELAY, Duration::from_millis(250));
}

#[test]
fn the_next_starts_at_once_when_the_last_has_failed() {
    let mut scene = Scene::new(&addresses(4));
    scene.refuse(0);
    assert_eq!((scene.started(), scene.open()), (2, 1));
    // Its own delay counts from its own start.
    scene.advance(100);
    scene.refuse(1);
    assert_eq!(scene.started(), 3);
    scene.advance(249);
    assert_eq!(scene.started(), 3);
    scene.advance(1);
    assert_eq!((scene.started(), scene.open()), (4, 2));
    // That an older one fails changes nothing: nobody is left to start.
    scene.refuse(2);
    scene.answer(3, Ok(()));
    assert_eq!(scene.result().unwrap(), addresses(4)[3]);
}

#[test]
fn an_older_failure_does_not_hurry_the_next() {
    let mut scene = Scene::new(&addresses(3));
    scene.advance(250);
    assert_eq!(scene.started(), 2);
    scene.advance(100);
    scene.refuse(0);
    assert_eq!(scene.started(), 2, "the second is under way");
    scene.advance(150);
    assert_eq!(scene.started(), 3);
}

#[test]
fn when_all_fail_each_is_told() {
    let mut scene = Scene::new(&addresses(3));
    scene.advance(250);
    scene.refuse(1);
    assert_eq!(scene.started(), 3);
    scene.refuse(2);
    assert!(!scene.race.is_finished(), "the first may still connect");
    scene.answer(0, Err(io::ErrorKind::TimedOut.into()));
    assert_eq!(scene.open(), 0);
    let failures = scene.result().unwrap_err();
    let told: Vec<_> = failures
        .iter()
        .map(|(address, error)| (*address, error.kind()))
        .collect();
    let all = addresses(3);
    let refused = io::ErrorKind::ConnectionRefused;
    let expected = [
        (all[1], refused),
        (all[2], refused),
        (all[0], io::ErrorKind::TimedOut),
    ];
    assert_eq!(told, expected);
}

#[test]
fn giving_up_closes_all() {
    let mut scene = Scene::new(&addresses(9));
    for _ in 0..4 {
        scene.advance(250);
    }
    assert_eq!((scene.started(), scene.open()), (5, 5));
    scene.race.abort();
    scene.settle();
    assert_eq!((scene.started(), scene.open()), (5, 0));
    assert_eq!(scene.rt.stats().timers_waiting, 0);
}

#[test]
fn no_more_than_so_many_run_at_a_time() {
    let mut scene = Scene::new(&addresses(40));
    for _ in 0..60 {
        scene.advance(250);
    }
    assert_eq!(
        (scene.started(), scene.open()),
        (ATTEMPTS_MAX, ATTEMPTS_MAX)
    );
    // One that fails makes room for one.
    scene.refuse(3);
    assert_eq!(
        (scene.started(), scene.open()),
        (ATTEMPTS_MAX + 1, ATTEMPTS_MAX)
    );
    scene.answer(ATTEMPTS_MAX, Ok(()));
    assert_eq!(scene.open(), 0);
    assert_eq!(scene.result().unwrap(), addresses(40)[ATTEMPTS_MAX]);
}

/// Whatever fails and connects in whatever order: the winner is one that connected, everyone before
/// it in the list was tried, and nothing stays open.
#[test]
fn no_order_of_answers_leaves_anything_open() {
    for seed in 1..=300_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut draw = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let all = addresses(1 + draw(6) as u8);
        let mut scene = Scene::new(&all);
        let mut failed = 0;
        while !scene.race.is_finished() {
            let waiting: Vec<_> = {
                let attempts = scene.attempts.borrow();
                let waits = |at: &usize| !attempts[*at].1.is_dropped;
                (0..attempts.len()).filter(waits).collect()
            };
            assert!(
                !waiting.is_empty(),
                "seed {seed}: nobody runs, nobody is told"
            );
            match draw(4) {
                0 => scene.advance(draw(400)),
                1 => scene.answer(waiting[draw(waiting.len() as u64) as usize], Ok(())),
                _ => {
                    scene.refuse(waiting[draw(waiting.len() as u64) as usize]);
                    failed += 1;
                }
            }
        }
        assert_eq!(scene.open(), 0, "seed {seed}");
        let started = scene.started();
        assert_eq!(scene.rt.stats().timers_waiting, 0, "seed {seed}");
        match scene.result() {
            Ok(winner) => assert!(all[..started].contains(&winner), "seed {seed}"),
            Err(failures) => {
                assert_eq!(
                    (failures.len(), failed),
                    (all.len(), all.len()),
                    "seed {seed}"
                );
            }
        }
    }
}
