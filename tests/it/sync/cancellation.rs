//! Cancellation tokens: who ends with whom, wakers that use the tokens they are woken by, and tasks
//! that are asked to end.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use tourbillon::sync::{CancellationToken, Event};
use tourbillon::task::TaskGroup;
use tourbillon::{Runtime, sleep, spawn, timeout, yield_now};

use super::hostile::{ACT, Moment, WAKERS, hostile};
use super::{World, dawdle};
use crate::support::{Foreign, OnDrop, block_on, caught, collect_logs, logged_here, within};

const HOUR: Duration = Duration::from_secs(3600);

fn poll<T>(future: &mut (impl Future<Output = T> + Unpin), waker: &Waker) -> Poll<T> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[test]
fn a_parent_ends_its_descendants_and_a_child_nobody_above_it() {
    let root = CancellationToken::default();
    let (left, right) = (root.child_token(), root.child_token());
    let (below, beside) = (left.child_token(), left.child_token());
    let same = left.clone();
    let all = [&root, &left, &right, &below, &beside, &same];
    let ended = |expected: [bool; 6]| {
        assert_eq!(all.map(CancellationToken::is_cancelled), expected);
    };
    ended([false; 6]);
    below.cancel();
    ended([false, false, false, true, false, false]);
    same.cancel();
    same.cancel();
    ended([false, true, false, true, true, true]);
    assert!(left.child_token().child_token().is_cancelled());
    assert!(!right.child_token().is_cancelled());
    root.cancel();
    ended([true; 6]);
}

#[test]
fn who_outlives_its_parent_hears_of_the_one_above() {
    for children in 1..4 {
        for again in [false, true] {
            let root = CancellationToken::new();
            let middle = root.child_token();
            let last: Vec<_> = (0..children).map(|_| middle.child_token()).collect();
            let kept = again.then(|| middle.clone());
            drop(middle);
            assert!(!last.iter().any(CancellationToken::is_cancelled));
            drop(kept);
            root.cancel();
            assert!(last.iter().all(CancellationToken::is_cancelled));
        }
    }
    let orphan = CancellationToken::new().child_token();
    assert!(!orphan.is_cancelled(), "to drop is not to cancel");
}

#[test]
fn a_finished_result_wins_and_what_gives_up_is_dropped() {
    let waker = Waker::noop();
    let token = CancellationToken::new();
    let dropped = Rc::new(Cell::new(0));
    let done = Rc::new(Cell::new(false));
    let work = |dropped: &Rc<Cell<u32>>, done: &Rc<Cell<bool>>| {
        let (dropped, done) = (Rc::clone(dropped), Rc::clone(done));
        let guard = OnDrop(move || dropped.set(dropped.get() + 1));
        async move {
            let _guard = guard;
            std::future::poll_fn(|_| match done.get() {
                true => Poll::Ready(7),
                false => Poll::Pending,
            })
            .await
        }
    };
    let mut wins = Box::pin(token.run_until_cancelled(work(&dropped, &done)));
    let mut loses = Box::pin(token.run_until_cancelled(work(&dropped, &done)));
    let mut leaves = Box::pin(token.run_until_cancelled(work(&dropped, &done)));
    assert!(poll(&mut wins, waker).is_pending());
    assert!(poll(&mut loses, waker).is_pending());
    assert!(poll(&mut leaves, waker).is_pending());
    assert!(format!("{token:?}").contains("waiting: 3"), "{token:?}");
    drop(leaves);
    assert!(format!("{token:?}").contains("waiting: 2"), "{token:?}");
    assert_eq!(dropped.get(), 1);
    token.cancel();
    assert_eq!(dropped.get(), 1, "it is dropped when it is polled");
    assert_eq!(poll(&mut loses, waker), Poll::Ready(None));
    assert_eq!(dropped.get(), 2, "and before `None` is given");
    done.set(true);
    assert_eq!(poll(&mut wins, waker), Poll::Ready(Some(7)));

    // One that has not begun does not begin.
    let mut late = Box::pin(token.run_until_cancelled(async { panic!("it was polled") }));
    assert_eq!(poll::<Option<()>>(&mut late, waker), Poll::Ready(None));
    // One that cancels its own token hears of it at once.
    let own = CancellationToken::new();
    let theirs = own.clone();
    let mut ends_itself = Box::pin(own.run_until_cancelled(async move {
        theirs.cancel();
        pending::<()>().await;
    }));
    assert_eq!(poll(&mut ends_itself, waker), Poll::Ready(None));
}

#[test]
fn a_guard_cancels_however_it_goes() {
    let token = CancellationToken::new();
    let guard = token.child_token().drop_guard();
    assert!(!guard.disarm().is_cancelled());
    let child = token.child_token();
    let guard = child.clone().drop_guard();
    assert!(
        caught(move || {
            let _guard = guard;
            panic!("with a guard in hand");
        })
        .is_err()
    );
    assert!(child.is_cancelled() && !token.is_cancelled());

    let mut rt = Runtime::new().unwrap();
    let guard = token.clone().drop_guard();
    let task = rt.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    rt.block_on(async {
        yield_now().await;
        assert!(!token.is_cancelled());
        task.abort();
        token.cancelled().await;
    });
}

#[test]
fn who_has_left_the_line_is_not_woken() {
    let token = CancellationToken::new();
    let child = token.child_token();
    let counts = Foreign::counting();
    let waker = Waker::from(Arc::clone(&counts));
    let mut waits: Vec<_> = (0..10).map(|_| child.cancelled()).collect();
    let mut owned = Box::pin(child.clone().cancelled_owned());
    for wait in &mut waits {
        assert!(poll(wait, &waker).is_pending());
    }
    assert!(poll(&mut owned, &waker).is_pending());
    assert!(format!("{child:?}").contains("waiting: 11"), "{child:?}");
    waits.truncate(3);
    drop(owned);
    assert!(format!("{child:?}").contains("waiting: 3"), "{child:?}");
    drop(waits.remove(1));
    token.cancel();
    assert_eq!(counts.count(), 2);
    assert!(waits.iter_mut().all(|wait| poll(wait, &waker).is_ready()));
    assert!(
        waits.iter_mut().all(|wait| poll(wait, &waker).is_ready()),
        "it stays so"
    );
    assert_eq!(Arc::strong_count(&counts), 2, "a waker leaked");
}

/// Generation after generation; and the first who is woken finds all of them cancelled.
#[test]
fn all_are_cancelled_before_the_first_is_woken_and_parents_come_first() {
    let root = CancellationToken::new();
    let (left, right) = (root.child_token(), root.child_token());
    let (below, beside) = (left.child_token(), right.child_token());
    let all = [root, left, right, below, beside];
    // What is asserted in a waker is caught there: it writes down what it sees.
    thread_local! {
        static TOKENS: RefCell<Vec<CancellationToken>> = const { RefCell::new(Vec::new()) };
        static SEEN: RefCell<Vec<(usize, bool)>> = const { RefCell::new(Vec::new()) };
    }
    TOKENS.set(all.to_vec());
    let mut waits = Vec::new();
    // They come in the reverse order, and at one token in this.
    for (at, token) in all.iter().enumerate().rev() {
        for place in 0..2 {
            let note = move || {
                let ended =
                    TOKENS.with_borrow(|all| all.iter().all(CancellationToken::is_cancelled));
                SEEN.with_borrow_mut(|seen| seen.push((2 * at + place, ended)));
            };
            let mut wait = token.cancelled();
            assert!(poll(&mut wait, &Foreign::waker(note, || ())).is_pending());
            waits.push(wait);
        }
    }
    all[0].cancel();
    assert!(SEEN.take().into_iter().eq((0..10).map(|turn| (turn, true))));
    TOKENS.take();
}

/// A future that was forgotten keeps a waker in a token that nobody holds. The tree lets go of that
/// token, and the waker panics.
#[test]
fn a_waker_that_panics_when_it_is_dropped_costs_nobody_their_wake() {
    within(|| {
        let root = CancellationToken::new();
        let fork = root.child_token();
        let [first, second] = [fork.child_token(), fork.child_token()];
        let bomb = Foreign::waker(|| (), || panic!("a waker that is dropped"));
        let mut forgotten = fork.cancelled();
        assert!(poll(&mut forgotten, &bomb).is_pending());
        std::mem::forget(forgotten);
        drop((fork, bomb));

        let heard = Foreign::counting();
        let waker = Waker::from(Arc::clone(&heard));
        let mut waits = first.cancelled();
        assert!(poll(&mut waits, &waker).is_pending());
        assert!(caught(|| first.cancel()).is_err(), "the waker was to panic");
        assert_eq!(heard.count(), 1);
        assert!(poll(&mut waits, &waker).is_ready());
        drop(second);
    });
}

#[test]
fn a_waker_that_panics_costs_nobody_below_their_wake() {
    within(|| {
        collect_logs();
        let tokens: Vec<_> = std::iter::successors(Some(CancellationToken::new()), |token| {
            Some(token.child_token())
        })
        .take(4)
        .collect();
        let bad = Foreign::waker(|| panic!("a token's waker panics"), || ());
        let good = Foreign::counting();
        let mut waits = Vec::new();
        for token in &tokens {
            for waker in [bad.clone(), Arc::clone(&good).into()] {
                let mut wait = token.cancelled();
                assert!(poll(&mut wait, &waker).is_pending());
                waits.push(wait);
            }
        }
        drop(tokens[0].clone().drop_guard());
        assert_eq!(good.count(), 4);
        assert!(
            waits
                .iter_mut()
                .all(|wait| poll(wait, Waker::noop()).is_ready())
        );
        let lines = logged_here();
        let panics = lines
            .iter()
            .filter(|line| line.contains("a token's waker panics"));
        assert_eq!(panics.count(), 4);
    });
}

/// The waker that is called first cancels, drops, polls and makes whatever there is.
#[test]
fn a_waker_may_do_anything_with_the_tree_it_is_woken_by() {
    let root = CancellationToken::new();
    let middle = root.child_token();
    let below: Vec<_> = (0..3).map(|_| middle.child_token()).collect();
    let waker = hostile();
    let mut waits: Vec<_> = below
        .iter()
        .chain([&root, &middle])
        .map(|token| Box::pin(token.clone().cancelled_owned()))
        .collect();
    for wait in &mut waits {
        assert!(poll(wait, &waker).is_pending());
    }
    let kit = Rc::new(RefCell::new(Some((middle, below, waits))));
    let again = root.clone();
    let acts = Rc::new(Cell::new(0));
    let counts = Rc::clone(&acts);
    ACT.set(Some(Rc::new(move |moment| {
        if moment != Moment::Wake {
            return;
        }
        again.cancel();
        assert!(again.child_token().is_cancelled());
        let taken = kit.borrow_mut().take();
        if let Some((middle, below, mut waits)) = taken {
            assert!(below.iter().all(CancellationToken::is_cancelled));
            for wait in waits.drain(1..) {
                assert!(
                    pin!(wait)
                        .as_mut()
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_ready()
                );
            }
            below[0].cancel();
            drop(middle);
            assert!(below[1].child_token().is_cancelled());
        }
        // Last: what is asserted in a waker that is woken is caught there.
        counts.set(counts.get() + 1);
    })));
    root.cancel();
    assert_eq!(acts.get(), 5, "all who were in line are woken");
    ACT.set(None);
    drop((waker, root));
    assert_eq!(WAKERS.get(), 0, "a waker leaked");
}

/// A future that is forgotten leaves its waker behind: it goes with the node, which may be one
/// that only its children kept, and acts when it is dropped there.
#[test]
fn the_waker_of_a_forgotten_future_may_act_when_its_token_goes() {
    for end in 0..3 {
        let root = CancellationToken::new();
        let fork = root.child_token();
        let (first, second) = (fork.child_token(), fork.child_token());
        let waker = hostile();
        let mut wait = fork.cancelled();
        assert!(poll(&mut wait, &waker).is_pending());
        std::mem::forget(wait);
        drop((fork, waker));
        let (theirs, other) = (root.clone(), second.clone());
        let ended = (end == 1).then(|| first.clone());
        let acted = Rc::new(Cell::new(false));
        let says = Rc::clone(&acted);
        ACT.set(Some(Rc::new(move |moment| {
            if moment == Moment::Drop && !says.replace(true) {
                assert!(ended.iter().all(CancellationToken::is_cancelled));
                drop(theirs.child_token().child_token());
                theirs.cancel();
                assert!(other.is_cancelled());
            }
        })));
        match end {
            0 => drop(first),
            1 => {
                first.cancel();
                assert!(first.is_cancelled());
            }
            _ => root.cancel(),
        }
        ACT.set(None);
        assert!(acted.get() && second.is_cancelled(), "end {end}");
        assert_eq!(WAKERS.get(), 0, "end {end}: a waker leaked");
    }
}

/// What `cancel` is for: everybody is asked, those who listen finish, the rest is dropped.
#[test]
fn tasks_that_are_asked_end_in_their_own_way_and_the_others_are_dropped() {
    block_on(|| async {
        let stop = CancellationToken::new();
        let said = Rc::new(RefCell::new(Vec::new()));
        let group = TaskGroup::<_, String>::new();
        for number in 0..3 {
            let (stop, said) = (stop.child_token(), Rc::clone(&said));
            group.spawn(async move {
                let slept = stop.run_until_cancelled(sleep(HOUR)).await;
                yield_now().await;
                said.borrow_mut().push(number);
                Ok(slept.is_none())
            });
        }
        yield_now().await;
        stop.cancel();
        assert_eq!(group.join().await.unwrap(), [true; 3]);
        assert_eq!(said.take(), [0, 1, 2]);

        let stop = CancellationToken::new();
        let group = TaskGroup::<_, String>::new();
        let deaf = Rc::new(());
        let (listens, held) = (stop.child_token(), Rc::clone(&deaf));
        group.spawn(async move {
            listens.cancelled().await;
            Ok(())
        });
        group.spawn(async move {
            let _held = held;
            pending().await
        });
        yield_now().await;
        stop.cancel();
        assert!(
            timeout(Duration::from_millis(5), group.join())
                .await
                .is_err()
        );
        assert_eq!(Rc::strong_count(&deaf), 1, "it went with the group");
    });
}

#[test]
fn another_thread_cancels_by_a_callback() {
    thread_local! {
        static STOP: CancellationToken = CancellationToken::new();
    }
    within(|| {
        let mut rt = Runtime::new().unwrap();
        let handle = rt.handle();
        let asks = thread::spawn(move || {
            handle
                .call(|| STOP.with(CancellationToken::cancel))
                .unwrap();
        });
        let stop = STOP.with(CancellationToken::clone);
        let ends = rt.block_on(async {
            let task = spawn(stop.child_token().cancelled_owned());
            stop.cancelled().await;
            task.await
        });
        ends.unwrap();
        asks.join().unwrap();
    });
}

/// Tasks in every order, some of them aborted: each ends if and only if one above it was cancelled.
#[test]
fn a_tree_of_tasks_ends_below_what_is_cancelled() {
    within(|| {
        for seed in 0..super::SEEDS {
            let mut world = World::new(seed);
            let mut tokens = vec![CancellationToken::new()];
            let mut parents = vec![0];
            for at in 1..20 {
                let parent = world.below(at) as usize;
                tokens.push(tokens[parent].child_token());
                parents.push(parent);
            }
            let ended: Rc<[Cell<bool>]> = (0..20).map(|_| Cell::new(false)).collect();
            let never = Rc::new(Event::new());
            for (at, token) in tokens.iter().enumerate().skip(1) {
                let (token, dice) = (token.clone(), Rc::clone(&world.dice));
                let (ended, never) = (Rc::clone(&ended), Rc::clone(&never));
                world.spawn(async move {
                    dawdle(&dice).await;
                    assert_eq!(token.run_until_cancelled(never.wait()).await, None);
                    dawdle(&dice).await;
                    ended[at].set(true);
                });
            }
            let asked = [world.below(19), world.below(19)].map(|at| at as usize + 1);
            let asks = asked.map(|at| tokens[at].clone());
            let root = tokens.swap_remove(0);
            drop(tokens);
            let dice = Rc::clone(&world.dice);
            world
                .rt
                .spawn(async move {
                    for token in asks {
                        dawdle(&dice).await;
                        token.cancel();
                    }
                })
                .detach();
            world.run(0);
            let above = |at: &usize| (*at > 0).then(|| parents[*at]);
            for at in 1..20 {
                let mut line = std::iter::successors(Some(at), above);
                let expected = line.any(|each| asked.contains(&each));
                assert_eq!(ended[at].get(), expected, "seed {seed}: task {at}");
            }
            world.run(seed % 4);
            root.cancel();
            world.run(0);
            world.all_has_ended();
        }
    });
}
