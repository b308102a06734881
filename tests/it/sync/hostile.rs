//! Wakers and values that use the channel or the lock while it is being used.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use tourbillon::sync::channel::Sender;
use tourbillon::sync::{
    Barrier, CancellationToken, Event, Mutex, Notify, Semaphore, channel, oneshot,
};

use crate::support::{Foreign, collect_logs, logged_here, within};

/// When a waker runs code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Clone,
    Wake,
    Drop,
    /// A value's drop, which is no waker's.
    Value,
}

pub(crate) type Act = Rc<dyn Fn(Moment)>;

thread_local! {
    pub(crate) static ACT: RefCell<Option<Act>> = const { RefCell::new(None) };
    /// Wakers that are alive.
    pub(crate) static WAKERS: Cell<i64> = const { Cell::new(0) };
    /// How often they were woken, by number.
    pub(crate) static WOKEN: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn act(moment: Moment) {
    let act = ACT.with_borrow(Clone::clone);
    if let Some(act) = act {
        act(moment);
    }
}

/// Runs `act` once, at the first such moment.
fn once_at(moment: Moment, act: impl FnOnce() + 'static) {
    let act = Cell::new(Some(act));
    ACT.set(Some(Rc::new(move |at| {
        if at == moment
            && let Some(act) = act.take()
        {
            act();
        }
    })));
}

/// A waker that acts whenever it is cloned, woken or dropped. It owns nothing.
pub(crate) fn hostile() -> Waker {
    hostile_as(0)
}

/// The same with a number, under which it is known [how often it was woken](woken).
#[allow(unsafe_code)]
pub(crate) fn hostile_as(number: usize) -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |number| {
            act(Moment::Clone);
            WAKERS.set(WAKERS.get() + 1);
            RawWaker::new(number, &TABLE)
        },
        |number| {
            WAKERS.set(WAKERS.get() - 1);
            note_wake(number.addr());
            act(Moment::Wake);
            act(Moment::Drop);
        },
        |number| {
            note_wake(number.addr());
            act(Moment::Wake);
        },
        |_| {
            WAKERS.set(WAKERS.get() - 1);
            act(Moment::Drop);
        },
    );
    WAKERS.set(WAKERS.get() + 1);
    let word = std::ptr::without_provenance(number);
    // SAFETY: the pointer is but a number, and what the functions use belongs to the thread.
    unsafe { Waker::from_raw(RawWaker::new(word, &TABLE)) }
}

fn note_wake(number: usize) {
    WOKEN.with_borrow_mut(|woken| {
        let needed = woken.len().max(number + 1);
        woken.resize(needed, 0);
        woken[number] += 1;
    });
}

/// How often wakers of this number were woken, whether they panicked or not.
pub(crate) fn woken(number: usize) -> u32 {
    WOKEN.with_borrow(|woken| woken.get(number).copied().unwrap_or(0))
}

pub(super) type Wait = Pin<Box<dyn Future<Output = ()>>>;
type End = Box<dyn FnOnce()>;

/// Each wait there is, and what ends it.
fn waits() -> Vec<(&'static str, Wait, End)> {
    let event = Rc::new(Event::new());
    let notify = [(); 2].map(|()| Rc::new(Notify::new()));
    let barrier = Rc::new(Barrier::new(2));
    let semaphore = Rc::new(Semaphore::new(0));
    let closing = Rc::new(Semaphore::new(0));
    let mutex: &'static Mutex<()> = Box::leak(Box::new(Mutex::new(())));
    let guard = mutex.try_lock().unwrap();
    let (tx, rx) = channel::unbounded();
    let (empty, ends) = channel::unbounded::<u8>();
    let (full, frees) = channel::bounded(1);
    full.try_send(1).unwrap();
    let (polled, taken) = channel::bounded(1);
    polled.try_send(1).unwrap();
    let mut polled = polled;
    let (one, other) = oneshot::channel();
    let (dropped, gone) = oneshot::channel::<u8>();
    let (mut closed, closes) = oneshot::channel::<u8>();
    let set = Rc::clone(&event);
    let [one_of, all_of] = notify.clone();
    let (meets, many) = (Rc::clone(&barrier), Rc::clone(&semaphore));
    let owned = Rc::clone(&closing);
    let tokens = [(); 2].map(|()| CancellationToken::new());
    let [child, raced] = [0, 1].map(|at: usize| tokens[at].child_token());
    let [cancels, cancels_too] = tokens;
    vec![
        (
            "a parent's cancellation",
            Box::pin(child.cancelled_owned()),
            Box::new(move || cancels.cancel()),
        ),
        (
            "run_until_cancelled",
            Box::pin(async move {
                let never = raced.run_until_cancelled(pending::<()>());
                assert_eq!(never.await, None);
            }),
            Box::new(move || cancels_too.cancel()),
        ),
        (
            "event",
            Box::pin(async move { set.wait().await }),
            Box::new(move || event.set()),
        ),
        (
            "notify_one",
            Box::pin(async move { one_of.notified().await }),
            Box::new({
                let notify = Rc::clone(&notify[0]);
                move || notify.notify_one()
            }),
        ),
        (
            "notify_all",
            Box::pin(async move { all_of.notified().await }),
            Box::new(move || notify[1].notify_all()),
        ),
        (
            "barrier",
            Box::pin(async move {
                meets.wait().await;
            }),
            Box::new(move || {
                let mut last = Box::pin(barrier.wait());
                let mut cx = Context::from_waker(Waker::noop());
                // Before the other has come it would be the first: it comes back then.
                let _ = last.as_mut().poll(&mut cx);
                std::mem::forget(last);
            }),
        ),
        (
            "semaphore",
            Box::pin(async move { drop(many.acquire_many(2).await.unwrap()) }),
            Box::new(move || semaphore.add_permits(2)),
        ),
        (
            "closed semaphore",
            Box::pin(async move { assert!(owned.acquire_owned().await.is_err()) }),
            Box::new(move || closing.close()),
        ),
        (
            "mutex",
            Box::pin(async move { drop(mutex.lock().await) }),
            Box::new(move || drop(guard)),
        ),
        (
            "recv",
            Box::pin(async move { assert_eq!(rx.recv().await, Some(1)) }),
            Box::new(move || tx.try_send(1).unwrap()),
        ),
        (
            "the end of a channel",
            Box::pin(async move { assert_eq!(ends.recv().await, None) }),
            Box::new(move || drop(empty)),
        ),
        (
            "send",
            Box::pin(async move { full.send(2).await.unwrap() }),
            Box::new(move || {
                frees.try_recv().unwrap();
                std::mem::forget(frees);
            }),
        ),
        (
            "poll_send",
            Box::pin(async move {
                let mut value = Some(2);
                poll_fn(|cx| polled.poll_send(cx, &mut value))
                    .await
                    .unwrap_err();
            }),
            Box::new(move || drop(taken)),
        ),
        (
            "oneshot",
            Box::pin(async move { assert_eq!(other.await, Ok(1)) }),
            Box::new(move || one.send(1).unwrap()),
        ),
        (
            "a oneshot's end",
            Box::pin(async move { assert!(gone.await.is_err()) }),
            Box::new(move || drop(dropped)),
        ),
        (
            "closed",
            Box::pin(async move { closed.closed().await }),
            Box::new(move || drop(closes)),
        ),
    ]
}

/// What ends a wait while its waker is cloned, or while the one before is dropped, is not missed.
#[test]
fn nothing_that_happens_inside_a_waker_is_missed() {
    for moment in [Moment::Clone, Moment::Drop] {
        for (name, mut wait, end) in waits() {
            let waker = hostile();
            let counts = Foreign::counting();
            if moment == Moment::Drop {
                assert!(
                    wait.as_mut()
                        .poll(&mut Context::from_waker(&waker))
                        .is_pending(),
                    "{name}"
                );
            }
            once_at(moment, end);
            let waker = match moment {
                Moment::Clone => waker,
                _ => {
                    std::mem::forget(waker);
                    WAKERS.set(WAKERS.get() - 1);
                    Waker::from(Arc::clone(&counts))
                }
            };
            let polled = wait.as_mut().poll(&mut Context::from_waker(&waker));
            ACT.set(None);
            if polled.is_pending() {
                assert_eq!(
                    (moment, counts.count()),
                    (Moment::Drop, 1),
                    "{name} at {moment:?}"
                );
                let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_ready(), "{name} at {moment:?}");
            }
            drop((wait, waker));
            assert_eq!(WAKERS.get(), 0, "{name} at {moment:?}: a waker leaked");
        }
    }
}

/// A wait that is polled and dropped leaves no waker behind, whoever drops what inside.
#[test]
fn a_wait_given_up_leaves_nothing_behind() {
    for moment in [Moment::Wake, Moment::Drop] {
        for (name, wait, end) in waits() {
            let waker = hostile();
            let wait = Rc::new(RefCell::new(Some(wait)));
            let polled = {
                let mut wait = wait.borrow_mut();
                let mut cx = Context::from_waker(&waker);
                wait.as_mut().unwrap().as_mut().poll(&mut cx)
            };
            assert!(polled.is_pending(), "{name}");
            match moment {
                // The waker drops the very future it is to wake.
                Moment::Wake => {
                    let theirs = Rc::clone(&wait);
                    once_at(moment, move || drop(theirs.take()));
                    end();
                }
                // The future that is dropped drops a waker, which ends the wait.
                _ => {
                    once_at(moment, end);
                    drop(wait.take());
                }
            }
            ACT.set(None);
            assert!(wait.take().is_none(), "{name} at {moment:?}");
            drop(waker);
            assert_eq!(WAKERS.get(), 0, "{name} at {moment:?}: a waker leaked");
        }
    }
}

/// The others are woken all the same, and whoever wakes does not unwind.
#[test]
fn a_waker_that_panics_harms_nobody_else() {
    within(|| {
        collect_logs();
        let semaphore = Semaphore::new(0);
        let event = Event::new();
        let bad = Foreign::waker(|| panic!("a sync waker panics"), || ());
        let good = Foreign::counting();
        let mut waits: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        for _ in 0..2 {
            waits.push(Box::pin(async {
                semaphore.acquire().await.unwrap().forget()
            }));
            waits.push(Box::pin(event.wait()));
        }
        for (at, wait) in waits.iter_mut().enumerate() {
            let waker = if at < 2 {
                bad.clone()
            } else {
                Arc::clone(&good).into()
            };
            assert!(
                wait.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        semaphore.add_permits(2);
        assert_eq!(good.count(), 1);
        event.set();
        assert_eq!(good.count(), 2);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            waits
                .iter_mut()
                .all(|wait| wait.as_mut().poll(&mut cx).is_ready())
        );
        let lines = logged_here();
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.contains("a sync waker panics"))
                .count(),
            2
        );
    });
}

/// A permit that was taken was nobody's, a wait that was given up held up those behind it, and the
/// other end of a oneshot was not told: each time the waker panicked first.
#[test]
fn a_waker_that_panics_when_it_is_dropped_takes_nothing_with_it() {
    within(|| {
        collect_logs();
        let semaphore = Rc::new(Semaphore::new(0));
        let gives = Rc::clone(&semaphore);
        let waker = hostile();
        ACT.set(Some(Rc::new(move |moment| match moment {
            Moment::Clone => gives.add_permits(1),
            Moment::Drop if !std::thread::panicking() => panic!("a waker that is dropped"),
            _ => {}
        })));
        let polled = begin(&mut Box::pin(semaphore.acquire()), &waker);
        ACT.set(None);
        drop(polled);
        assert_eq!(semaphore.available_permits(), 1);

        let bomb = || Foreign::waker(|| (), || panic!("a waker that is dropped"));
        let counts = Foreign::counting();
        let counting = Waker::from(Arc::clone(&counts));
        let (mut two, mut one) = (
            Box::pin(semaphore.acquire_many(2)),
            Box::pin(semaphore.acquire()),
        );
        assert!(
            two.as_mut()
                .poll(&mut Context::from_waker(&bomb()))
                .is_pending()
        );
        assert!(begin(&mut one, &counting).is_pending());
        drop(two);
        assert!(counts.count() == 1 && begin(&mut one, &counting).is_ready());

        let (sender, mut receiver) = oneshot::channel::<()>();
        let polled = Pin::new(&mut receiver).poll(&mut Context::from_waker(&bomb()));
        assert!(polled.is_pending());
        drop(receiver);
        assert!(sender.is_closed());
    });
}

/// Polls a wait for the first time, with a waker that acts or with none.
fn begin<T>(wait: &mut Pin<Box<impl Future<Output = T> + ?Sized>>, waker: &Waker) -> Poll<T> {
    wait.as_mut().poll(&mut Context::from_waker(waker))
}

/// All are let go before the first is woken: who comes after belongs to the next time.
#[test]
fn who_comes_while_others_are_released_waits_for_the_next_time() {
    let (hostile, quiet) = (hostile(), Waker::noop());
    let event = Rc::new(Event::new());
    let (mut first, mut late) = (Box::pin(event.wait()), Box::pin(event.wait()));
    assert!(begin(&mut first, &hostile).is_pending());
    let theirs = Rc::clone(&event);
    let (said, wait) = (Rc::new(Cell::new(false)), Rc::clone(&event));
    let says = Rc::clone(&said);
    once_at(Moment::Wake, move || {
        theirs.clear();
        let mut another = Box::pin(wait.wait());
        says.set(begin(&mut another, quiet).is_pending());
    });
    event.set();
    assert!(said.get() && begin(&mut first, quiet).is_ready());
    assert!(begin(&mut late, quiet).is_pending());

    let barrier = Rc::new(Barrier::new(3));
    let mut old: [_; 2] = [(); 2].map(|()| Box::pin(barrier.wait()));
    assert!(
        old.iter_mut()
            .all(|wait| begin(wait, &hostile).is_pending())
    );
    let again = Rc::clone(&barrier);
    let says = Rc::clone(&said);
    once_at(Moment::Wake, move || {
        let mut new: [_; 2] = [(); 2].map(|()| Box::pin(again.wait()));
        says.set(new.iter_mut().all(|wait| begin(wait, quiet).is_pending()));
    });
    said.set(false);
    assert_eq!(
        begin(&mut Box::pin(barrier.wait()), quiet),
        Poll::Ready(true)
    );
    assert!(said.get(), "two of the next round are not three");

    let notify = Rc::new(Notify::new());
    let mut old: [_; 2] = [(); 2].map(|()| Box::pin(notify.notified()));
    assert!(
        old.iter_mut()
            .all(|wait| begin(wait, &hostile).is_pending())
    );
    let theirs = Rc::clone(&notify);
    once_at(Moment::Wake, move || theirs.notify_one());
    notify.notify_all();
    ACT.set(None);
    assert!(old.iter_mut().all(|wait| begin(wait, quiet).is_ready()));
    let mut next = Box::pin(notify.notified());
    assert!(
        begin(&mut next, quiet).is_ready(),
        "the permit was swallowed"
    );
}

/// A value that uses its own channel when it is dropped, and keeps it alive until then.
struct Clinging(Option<Sender<Clinging>>, Rc<Cell<u32>>);

impl Drop for Clinging {
    fn drop(&mut self) {
        self.1.set(self.1.get() + 1);
        if let Some(sender) = self.0.take() {
            let refused = sender.try_send(Clinging(None, Rc::clone(&self.1)));
            assert!(refused.is_err() && sender.is_closed());
            sender.close();
        }
    }
}

#[test]
fn a_value_may_use_its_channel_when_it_is_dropped() {
    let drops = Rc::new(Cell::new(0));
    let (sender, receiver) = channel::unbounded();
    for _ in 0..3 {
        let value = Clinging(Some(sender.clone()), Rc::clone(&drops));
        assert!(sender.try_send(value).is_ok());
    }
    drop(sender);
    drop(receiver);
    assert_eq!(
        drops.get(),
        6,
        "three values, and three that they could not send"
    );
    assert_eq!(Rc::strong_count(&drops), 1);
}
