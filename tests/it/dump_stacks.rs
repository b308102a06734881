//! The dump that also says where each task waits: by one ordinary poll, and its stack.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, Barrier, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tourbillon::net::UnixStream;
use tourbillon::sync::{Mutex, Notify, channel};
use tourbillon::{Dump, Runtime, TaskDump, Watcher, sleep, spawn_blocking, spawn_named, yield_now};

use crate::dump::{named, watched};
use crate::support::DEADLINE;

async fn dump_of(watcher: &Watcher) -> Dump {
    let watcher = watcher.clone();
    let dump = spawn_blocking(move || watcher.dump_with_stacks(DEADLINE)).await;
    dump.unwrap()
}

/// `function file:line` of each frame of each stack.
fn told(task: &TaskDump) -> Vec<Vec<String>> {
    let told = |stack: &Vec<tourbillon::watch::Frame>| {
        let frames = stack.iter();
        frames
            .map(|frame| format!("{} {}", frame.function, frame.place()))
            .collect()
    };
    task.stacks.iter().map(told).collect()
}

/// The line it is called in.
#[track_caller]
fn line() -> u32 {
    Location::caller().line()
}

/// Where each task waits.
#[derive(Clone, Default)]
struct Lines(Rc<RefCell<Vec<(&'static str, u32)>>>);

impl Lines {
    /// The task of this name waits in the next line.
    #[track_caller]
    fn next(&self, name: &'static str) {
        let line = Location::caller().line() + 1;
        self.0.borrow_mut().push((name, line));
    }
}

/// Spawns a task of each kind of wait, and keeps what they wait for.
async fn one_of_each(lines: &Lines) -> Vec<Box<dyn Any>> {
    let (end, wait) = mpsc::channel::<()>();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (sender, receiver) = channel::bounded::<u8>(1);
    let mutex = Rc::new(Mutex::new(()));
    let bell = Rc::new(Notify::new());
    let [a, b, c, d, e, f, g] = std::array::from_fn(|_| lines.clone());
    spawn_named("timer", async move {
        a.next("timer");
        sleep(DEADLINE).await;
    })
    .detach();
    spawn_named("readable", async move {
        let mut ours = ours;
        b.next("readable");
        let _ = ours.read(&mut [0; 8]).await;
    })
    .detach();
    spawn_named("job", async move {
        let job = spawn_blocking(move || wait.recv_timeout(DEADLINE).is_ok());
        c.next("job");
        let _ = job.await;
    })
    .detach();
    let other = spawn_named("other", pending::<()>());
    spawn_named("task", async move {
        d.next("task");
        let _ = other.await;
    })
    .detach();
    spawn_named("channel", async move {
        e.next("channel");
        let _ = receiver.recv().await;
    })
    .detach();
    let wanted = Rc::clone(&mutex);
    let held = spawn_named("holder", async move {
        let _held = mutex.lock().await;
        pending::<()>().await;
    });
    spawn_named("lock", async move {
        f.next("lock");
        let _guard = wanted.lock().await;
    })
    .detach();
    let heard = Rc::clone(&bell);
    spawn_named("notify", async move {
        g.next("notify");
        heard.notified().await;
    })
    .detach();
    for _ in 0..3 {
        yield_now().await;
    }
    vec![
        Box::new(end),
        Box::new(theirs),
        Box::new(sender),
        Box::new(held),
        Box::new(bell),
    ]
}

#[test]
fn every_kind_of_wait_has_its_line() {
    let (mut rt, watcher) = watched();
    let lines = Lines::default();
    let dump = rt.block_on(async {
        let _kept = one_of_each(&lines).await;
        dump_of(&watcher).await
    });
    assert_eq!(dump.missing, None);
    let lines = lines.0.take();
    assert_eq!(lines.len(), 7);
    for (name, line) in lines {
        let told = told(named(&dump, name));
        let place = format!("tests/it/dump_stacks.rs:{line}");
        assert!(
            told.len() == 1 && told[0][0].ends_with(&place),
            "{name} waits at {place}, not at {told:?}\n{dump}"
        );
    }
}

async fn outer(lines: Rc<Cell<(u32, u32)>>) {
    lines.set((0, line() + 1));
    inner(lines).await;
}

async fn inner(lines: Rc<Cell<(u32, u32)>>) {
    lines.set((line() + 1, lines.get().1));
    sleep(DEADLINE).await;
}

#[test]
fn a_stack_goes_from_the_leaf_to_the_task_and_not_to_main() {
    let (mut rt, watcher) = watched();
    let lines = Rc::new(Cell::new((0, 0)));
    let asked = Rc::clone(&lines);
    let (dump, json) = rt.block_on(async {
        let _task = spawn_named("deep", outer(asked));
        yield_now().await;
        let dump = dump_of(&watcher).await;
        let json = dump.json();
        (dump, json)
    });
    let told = told(named(&dump, "deep"));
    let (leaf, above) = lines.get();
    // With line tables alone, and no more debug information, an async function has no name.
    assert_eq!(told.len(), 1, "{dump}");
    assert_eq!(told[0].len(), 2, "{told:?}");
    for (told, line) in told[0].iter().zip([leaf, above]) {
        let place = format!("tests/it/dump_stacks.rs:{line}");
        assert!(told.ends_with(&place), "{told} is not at {place}");
    }
    let text = dump.to_string();
    assert!(text.contains("\n      at "), "{text}");
    assert!(
        json.contains("\"missing\":null")
            && json.contains(&format!("\"tests/it/dump_stacks.rs:{leaf}\"")),
        "{json}"
    );
    // What `block_on` holds waits as well: here for the dump.
    let main = named(&dump, "main");
    assert_eq!(main.stacks[0].len(), 2, "{:?}", main.stacks);
    assert!(main.place.contains("dump_stacks.rs:"), "{}", main.place);
}

#[test]
fn a_task_that_waits_for_two_things_has_two_stacks() {
    let (mut rt, watcher) = watched();
    let dump = rt.block_on(async {
        let both = async {
            let (mut one, mut other) = (pin!(inner(Rc::default())), pin!(outer(Rc::default())));
            poll_fn(move |cx| {
                let first = one.as_mut().poll(cx).is_ready();
                let second = other.as_mut().poll(cx).is_ready();
                assert!(!first && !second, "both wait");
                Poll::<()>::Pending
            })
            .await
        };
        let _task = spawn_named("both", both);
        yield_now().await;
        dump_of(&watcher).await
    });
    let stacks = told(named(&dump, "both"));
    assert_eq!(stacks.len(), 2, "{stacks:?}");
    let leaf = |stack: &Vec<String>| stack[0].clone();
    assert_eq!(leaf(&stacks[0]), leaf(&stacks[1]), "both in `inner`");
    assert_eq!(stacks[0].len() + 1, stacks[1].len(), "one through `outer`");
}

#[test]
fn a_dump_changes_neither_since_when_nor_what_is_said_of_a_lost_task() {
    let (mut rt, watcher) = watched();
    rt.block_on(async {
        let _lost = spawn_named("lost", pending::<()>());
        let _waits = spawn_named("waits", inner(Rc::default()));
        sleep(Duration::from_millis(30)).await;
        let first = dump_of(&watcher).await;
        let second = dump_of(&watcher).await;
        for (dump, polls) in [(&first, 1), (&second, 2)] {
            let (lost, waits) = (named(dump, "lost"), named(dump, "waits"));
            assert!(lost.is_lost && lost.stacks.is_empty(), "{dump}");
            assert!(lost.since >= Duration::from_millis(20), "{dump}");
            assert!(waits.since >= Duration::from_millis(20), "{dump}");
            assert_eq!((waits.polls, waits.stacks.len()), (polls, 1), "{dump}");
        }
        let plain = watcher.dump();
        let waits = named(&plain, "waits");
        assert_eq!((waits.polls, waits.stacks.len()), (3, 0));
    });
}

#[test]
fn patience_may_have_no_end() {
    let (mut rt, watcher) = watched();
    let dump = rt.block_on(async {
        let _waits = spawn_named("waits", inner(Rc::default()));
        // A task that has not been polled yet has no stack to tell.
        yield_now().await;
        let dump = spawn_blocking(move || watcher.dump_with_stacks(Duration::MAX)).await;
        dump.unwrap()
    });
    assert_eq!(
        (&dump.missing, told(named(&dump, "waits")).len()),
        (&None, 1)
    );
}

#[test]
fn who_cannot_be_told_is_told_so() {
    let (mut rt, watcher) = watched();
    let stuck = watcher.clone();
    let dumps = rt.block_on(async {
        let own = watcher.dump_with_stacks(DEADLINE);
        let (begin, begun) = mpsc::channel();
        let asks = thread::spawn(move || {
            begun.recv().unwrap();
            stuck.dump_with_stacks(Duration::from_millis(50))
        });
        begin.send(()).unwrap();
        // The loop is stuck here until the other thread has been told.
        [own, asks.join().unwrap()]
    });
    let idle = watcher.dump_with_stacks(Duration::from_millis(1));
    drop(rt);
    let ended = watcher.dump_with_stacks(DEADLINE);
    let why = |dump: &Dump| dump.missing.clone().unwrap();
    assert!(why(&dumps[0]).contains("own thread"), "{}", dumps[0]);
    assert!(why(&dumps[1]).contains("within 50ms"), "{}", dumps[1]);
    assert!(dumps[1].to_string().contains("within 50ms"), "{}", dumps[1]);
    assert!(why(&idle).contains("within 1ms"), "{idle}");
    assert!(why(&ended).contains("has ended"), "{ended}");
    // What was asked of a loop that is gone is not done by the next one here.
    let (mut rt, watcher) = watched();
    let dump = rt.block_on(async {
        let _waits = spawn_named("waits", inner(Rc::default()));
        yield_now().await;
        dump_of(&watcher).await
    });
    assert_eq!(named(&dump, "waits").stacks.len(), 1, "{dump}");
}

#[test]
fn ten_thousand_are_polled_once_each_and_others_have_their_turns() {
    const TASKS: usize = 10_000;
    let (mut rt, watcher) = watched();
    let dump = rt.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| spawn_named("waits", inner(Rc::default())))
            .collect();
        yield_now().await;
        yield_now().await;
        let turns = Rc::new(Cell::new(0_u32));
        let counted = Rc::clone(&turns);
        let other = spawn_named("other", async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        });
        let dump = dump_of(&watcher).await;
        assert!(turns.get() as usize > TASKS / 256, "{} turns", turns.get());
        other.abort();
        let after = watcher.dump();
        let waiting = after.tasks.iter().filter(|task| task.name == "waits");
        assert!(waiting.clone().all(|task| task.polls == 2));
        assert_eq!((waiting.count(), tasks.len()), (TASKS, TASKS));
        dump
    });
    let traced = dump.tasks.iter().filter(|task| task.stacks.len() == 1);
    let traced = traced.filter(|task| task.name == "waits").count();
    assert_eq!((traced, dump.missing), (TASKS, None));
}

#[test]
fn all_who_ask_at_once_are_told() {
    let builder = Runtime::builder().watch(true).blocking_workers_max(4);
    let mut rt = builder.build().unwrap();
    let watcher = rt.watcher().expect("it is watched");
    let start = Arc::new(Barrier::new(4));
    let dumps = rt.block_on(async {
        let _waits = spawn_named("waits", inner(Rc::default()));
        yield_now().await;
        let asks: Vec<_> = (0..4)
            .map(|_| {
                let (watcher, start) = (watcher.clone(), Arc::clone(&start));
                spawn_blocking(move || {
                    start.wait();
                    watcher.dump_with_stacks(DEADLINE)
                })
            })
            .collect();
        let mut dumps = Vec::new();
        for asked in asks {
            dumps.push(asked.await.unwrap());
        }
        dumps
    });
    for dump in dumps {
        assert_eq!(named(&dump, "waits").stacks.len(), 1, "{dump}");
    }
}

/// At its second poll, which is the dump's, it does `what`.
async fn at_second_poll(what: impl FnOnce()) {
    let (mut what, mut polls) = (Some(what), 0);
    poll_fn(move |cx| {
        polls += 1;
        drop(cx.waker().clone());
        match what.take_if(|_| polls == 2) {
            Some(what) => {
                what();
                Poll::Ready(())
            }
            None => Poll::Pending,
        }
    })
    .await;
}

#[test]
fn tasks_may_end_panic_spawn_and_abort_when_they_are_polled() {
    let (mut rt, watcher) = watched();
    let dump = rt.block_on(async {
        let ends = spawn_named("ends", at_second_poll(|| {}));
        let panics = spawn_named("panics", at_second_poll(|| panic!("on purpose")));
        let victims = RefCell::new(
            (0..600)
                .map(|_| spawn_named("victim", inner(Rc::default())))
                .collect::<Vec<_>>(),
        );
        let acts = spawn_named(
            "acts",
            at_second_poll(move || {
                for victim in victims.take() {
                    victim.abort();
                }
                for _ in 0..600 {
                    spawn_named("child", inner(Rc::default())).detach();
                }
            }),
        );
        yield_now().await;
        yield_now().await;
        let dump = dump_of(&watcher).await;
        ends.await.unwrap();
        acts.await.unwrap();
        assert!(panics.await.unwrap_err().is_panic());
        dump
    });
    assert_eq!(dump.missing, None);
    for name in ["ends", "panics", "acts"] {
        // A waker that is cloned at each poll tells where.
        let stacks = told(named(&dump, name));
        assert!(stacks[0][0].contains("dump_stacks.rs"), "{name} {stacks:?}");
    }
}
