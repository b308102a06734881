//! The dump: what every task waits for, told by the loop itself and from outside.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io::Write;
use std::os::unix::net::UnixStream as StdStream;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::net::UnixStream;
use tourbillon::sync::{Mutex, Notify, channel, oneshot};
use tourbillon::watch::WaitKind;
use tourbillon::{Dump, Runtime, TaskDump, TaskState, Watcher, spawn_named, yield_now};

use crate::support::{DEADLINE, within};

pub(crate) fn watched() -> (Runtime, Watcher) {
    let rt = Runtime::builder().watch(true).build().unwrap();
    let watcher = rt.watcher().expect("it is watched");
    (rt, watcher)
}

pub(crate) fn named<'a>(dump: &'a Dump, name: &str) -> &'a TaskDump {
    let task = dump.tasks.iter().find(|task| task.name == name);
    task.unwrap_or_else(|| panic!("no task {name} in\n{dump}"))
}

/// Spawns a task of each kind of wait, and keeps what they wait for.
async fn one_of_each() -> Vec<Box<dyn std::any::Any>> {
    let (end, wait) = mpsc::channel::<()>();
    let mut kept: Vec<Box<dyn std::any::Any>> = vec![Box::new(end)];
    spawn_named("timer", tourbillon::sleep(Duration::from_secs(590))).detach();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    kept.push(Box::new(theirs));
    let read = async move {
        let _ = ours.read(&mut [0; 8]).await;
    };
    spawn_named("readable", read).detach();
    let (begun, has_begun) = mpsc::channel();
    let job = tourbillon::spawn_blocking(move || {
        begun.send(()).unwrap();
        wait.recv_timeout(DEADLINE).is_ok()
    });
    has_begun.recv_timeout(DEADLINE).unwrap();
    spawn_named("job", async move {
        let _ = job.await;
    })
    .detach();
    let other = spawn_named("lost", std::future::pending::<()>());
    spawn_named("task", async move {
        let _ = other.await;
    })
    .detach();
    let (sender, receiver) = channel::bounded::<u8>(1);
    kept.push(Box::new(sender));
    spawn_named("channel", async move {
        let _ = receiver.recv().await;
    })
    .detach();
    let (sender, receiver) = oneshot::channel::<u8>();
    kept.push(Box::new(sender));
    spawn_named("oneshot", async move {
        let _ = receiver.await;
    })
    .detach();
    let lock = Rc::new(Mutex::new(0));
    let held = Rc::clone(&lock);
    spawn_named("holder", async move {
        let _guard = held.lock().await;
        std::future::pending::<()>().await
    })
    .detach();
    spawn_named("lock", async move {
        let _ = lock.lock().await;
    })
    .detach();
    let bell = Rc::new(Notify::new());
    let heard = Rc::clone(&bell);
    kept.push(Box::new(bell));
    spawn_named("notify", async move { heard.notified().await }).detach();
    let stored = Rc::new(Cell::new(None));
    let keeps = Rc::clone(&stored);
    kept.push(Box::new(stored));
    let foreign = poll_fn(move |cx| {
        keeps.set(Some(cx.waker().clone()));
        Poll::<()>::Pending
    });
    spawn_named("foreign", foreign).detach();
    for _ in 0..3 {
        yield_now().await;
    }
    spawn_named("new", std::future::pending::<()>()).detach();
    kept
}

/// Name, kind, and how the reason begins.
const EXPECTED: [(&str, WaitKind, &str); 12] = [
    ("timer", WaitKind::Timer, "a timer, due in 5"),
    ("readable", WaitKind::Readable, "fd "),
    ("job", WaitKind::Job, "job 1, on worker 1 for "),
    ("task", WaitKind::Task, "the end of task "),
    ("channel", WaitKind::Channel, "a channel"),
    ("oneshot", WaitKind::Channel, "a channel"),
    ("lock", WaitKind::Lock, "a lock"),
    ("notify", WaitKind::Notify, "to be notified"),
    ("foreign", WaitKind::Foreign, "something foreign"),
    (
        "lost",
        WaitKind::Nothing,
        "NOTHING WILL EVER WAKE THIS TASK",
    ),
    (
        "holder",
        WaitKind::Nothing,
        "NOTHING WILL EVER WAKE THIS TASK",
    ),
    ("new", WaitKind::Nothing, "its turn"),
];

fn holds_each(dump: &Dump) {
    for (name, kind, reason) in EXPECTED {
        let task = named(dump, name);
        assert_eq!(task.waits_for, kind, "{task}");
        assert!(task.reason.starts_with(reason), "{task}");
        assert_eq!(task.is_lost, task.reason.starts_with("NOTHING"), "{task}");
        assert!(task.place.contains("dump.rs:"), "{task}");
    }
    let (task, lost) = (named(dump, "task"), named(dump, "lost"));
    assert!(task.reason.ends_with(&lost.id), "{task} / {lost}");
}

#[test]
fn each_kind_of_wait_has_its_words_in_a_loop_that_nobody_watches() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let _kept = rt.block_on(one_of_each());
        holds_each(&rt.dump());
        assert!(rt.watcher().is_none());
    });
}

#[test]
fn each_kind_of_wait_has_its_words_on_the_board() {
    within(|| {
        let (mut rt, watcher) = watched();
        let _kept = rt.block_on(one_of_each());
        holds_each(&rt.dump());
        let there = thread::spawn(move || holds_each(&watcher.dump()));
        there.join().unwrap();
        assert!(!rt.dump().to_string().contains("main"), "that one is over");
    });
}

#[test]
fn a_stuck_loop_is_dumped_from_another_thread() {
    within(|| {
        let (mut rt, watcher) = watched();
        let (stuck, is_stuck) = mpsc::channel();
        let (free, is_free) = mpsc::channel::<()>();
        let looks = thread::spawn(move || {
            is_stuck.recv_timeout(DEADLINE).unwrap();
            let dump = watcher.dump();
            drop(free);
            dump
        });
        rt.block_on(async move {
            let blocks = spawn_named("blocks", async move {
                stuck.send(()).unwrap();
                let _ = is_free.recv_timeout(DEADLINE);
            });
            let waits = spawn_named("behind", async {});
            blocks.await.unwrap();
            waits.await.unwrap();
        });
        let dump = looks.join().unwrap();
        assert_eq!(named(&dump, "blocks").state, TaskState::Running);
        assert_eq!(named(&dump, "behind").state, TaskState::Ready);
        assert_eq!(named(&dump, "main").waits_for, WaitKind::Task);
        assert_eq!(dump.phase, "run");
        assert!(dump.to_string().contains("blocks: running for"), "{dump}");
    });
}

#[test]
fn a_waker_that_was_given_away_once_may_always_come_back() {
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let kept = Rc::new(RefCell::new(None));
        let keeps = Rc::clone(&kept);
        let mut polls = 0;
        // It gives its waker away in its first poll only.
        let once = poll_fn(move |cx| {
            polls += 1;
            if polls == 1 {
                *keeps.borrow_mut() = Some(cx.waker().clone());
            }
            Poll::<()>::Pending
        });
        rt.spawn(once).detach();
        for _ in 0..2 {
            rt.run_until_stalled().unwrap();
            let dump = rt.dump();
            assert!(!dump.tasks[0].is_lost, "{dump}");
            if let Some(waker) = &*kept.borrow() {
                std::task::Waker::wake_by_ref(waker);
            }
        }
    });
}

#[test]
fn what_a_dump_says_of_a_name_is_one_line() {
    let mut rt = Runtime::builder().watch(true).build().unwrap();
    rt.spawn_hostile();
    rt.run_until_stalled().unwrap();
    let text = rt.dump().to_string();
    assert!(text.contains(r"two\nlines\u{1b}[2J"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

trait Hostile {
    fn spawn_hostile(&self);
}

impl Hostile for Runtime {
    fn spawn_hostile(&self) {
        let _entered = self.enter();
        spawn_named("two\nlines\u{1b}[2J", std::future::pending::<()>()).detach();
    }
}

#[test]
fn ten_thousand_tasks_come_and_go_under_the_eyes_of_a_reader() {
    within(|| {
        let (mut rt, watcher) = watched();
        let (end, ended) = mpsc::channel::<()>();
        let reader = thread::spawn(move || {
            let (mut dumps, mut seen) = (0_u64, BTreeMap::<String, u64>::new());
            while ended.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
                for task in watcher.dump().tasks {
                    *seen.entry(task.name).or_default() += 1;
                }
                dumps += 1;
            }
            (dumps, seen)
        });
        rt.block_on(async {
            for round in 0..100 {
                let name = ["even", "odd"][round % 2];
                let tasks: Vec<_> = (0..100).map(|_| spawn_named(name, yield_now())).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
        });
        drop(end);
        let (dumps, seen) = reader.join().unwrap();
        assert!(dumps > 0);
        let known = ["even", "odd", "main"];
        assert!(
            seen.keys().all(|name| known.contains(&name.as_str())),
            "{seen:?}"
        );
    });
}

#[test]
fn a_gate_holds_the_loop_between_turns_and_not_its_clock() {
    within(|| {
        let (mut rt, watcher) = watched();
        watcher.pause();
        let student = thread::spawn(move || {
            let began = Instant::now();
            while watcher.dump().phase != "gate" {
                assert!(began.elapsed() < DEADLINE, "it never came to the gate");
                thread::yield_now();
            }
            for _ in 0..3 {
                let turn = watcher.dump().turn;
                watcher.step();
                while watcher.dump().turn == turn || watcher.dump().phase != "gate" {
                    assert!(began.elapsed() < DEADLINE, "no turn passed");
                    thread::yield_now();
                }
                assert_eq!(watcher.dump().turn, turn + 1, "one turn and no more");
            }
            watcher.go();
        });
        rt.block_on(async {
            for _ in 0..8 {
                yield_now().await;
            }
        });
        student.join().unwrap();
        assert_eq!(rt.dump().phase, "stopped");
    });
}

#[test]
fn a_loop_that_sleeps_comes_to_a_gate_that_closes() {
    within(|| {
        let (mut rt, watcher) = watched();
        let (mut poke, poked) = StdStream::pair().unwrap();
        poked.set_nonblocking(true).unwrap();
        let student = thread::spawn(move || {
            let began = Instant::now();
            let look = |phase| {
                while watcher.dump().phase != phase {
                    assert!(began.elapsed() < DEADLINE, "never at {phase}");
                    thread::yield_now();
                }
            };
            look("park");
            watcher.pause();
            look("gate");
            watcher.go();
            look("park");
            poke.write_all(b"x").unwrap();
        });
        rt.block_on(async move {
            let mut poked = UnixStream::from_std(poked).unwrap();
            poked.read(&mut [0; 1]).await.unwrap();
        });
        student.join().unwrap();
    });
}
