//! Join handles and the ends of tasks, without a loop.

use super::*;

/// Runs a closure when dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicU64);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_closed_executor_refuses_tasks_and_says_so() {
    let world = World::new(None);
    world.executor.close();
    let mut handle = world.spawn(async { 1 });
    let Poll::Ready(Err(error)) = poll_once(&mut handle) else {
        panic!("it was taken")
    };
    assert!(error.is_refused() && !error.is_aborted() && !error.is_panic());
    handle.abort();
    assert_eq!(
        (world.executor.ready_count(), world.executor.counts().0),
        (0, 0)
    );
}

/// Once a fault: `Executor::spawn` drops a refused future while its tasks are borrowed.
#[test]
fn a_refused_future_may_wake_and_spawn_when_dropped() {
    let world = World::new(None);
    let _entered = enter(Rc::clone(&world.executor));
    let first = world.spawn(pending::<()>());
    let kept = waker(world.first_ticket());
    world.executor.close();
    let executor = Rc::clone(&world.executor);
    let guard = OnDrop(move || {
        kept.wake_by_ref();
        first.abort();
        drop(Rc::clone(&executor).spawn(async {}, Name::OfType, Location::caller()));
    });
    let handle = world.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    assert!(handle.is_finished());
    assert_eq!(world.executor.ready_count(), 1);
}

/// Once a fault: a task that ends while it is queued leaves its slot number in the queue, and
/// the next task in that slot is polled at that old place, in the turn that spawned it.
#[test]
fn a_task_spawned_into_a_slot_still_queued_waits_for_a_later_turn() {
    let world = World::new(None);
    let _entered = enter(Rc::clone(&world.executor));
    let executor = Rc::clone(&world.executor);
    let polled = Rc::new(Cell::new(0));
    let (turn, seen) = (Rc::new(Cell::new(0)), Rc::clone(&polled));
    let now = Rc::clone(&turn);
    let _spawner = world.spawn(std::future::poll_fn(move |cx| {
        if now.get() == 1 {
            let seen = Rc::clone(&seen);
            Rc::clone(&executor)
                .spawn(async move { seen.set(1) }, Name::OfType, Location::caller())
                .detach();
        }
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    }));
    let _ends_woken = world.spawn(std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    }));
    world.run();
    turn.set(1);
    world.run();
    assert_eq!(polled.get(), 0, "what a turn starts, a later turn runs");
    turn.set(2);
    world.run();
    assert_eq!(polled.get(), 1);
}

/// Once a fault: with a shuffled queue a batch may draw what it has just queued itself.
#[test]
fn a_shuffled_batch_holds_only_what_was_ready_before() {
    for seed in 0..50 {
        let world = World::new(Some(seed));
        let _entered = enter(Rc::clone(&world.executor));
        let polled = Rc::new(Cell::new(false));
        for _ in 0..4 {
            let (executor, polled) = (Rc::clone(&world.executor), Rc::clone(&polled));
            let spawner = async move {
                let task = async move { polled.set(true) };
                Rc::clone(&executor)
                    .spawn(task, Name::OfType, Location::caller())
                    .detach();
            };
            world.spawn(spawner).detach();
        }
        assert_eq!(world.run(), 4);
        assert!(
            !polled.get(),
            "seed {seed}: what a turn starts, a later turn runs"
        );
        assert_eq!(world.run(), 4);
    }
}

#[test]
fn a_future_dropped_by_abort_may_do_anything() {
    let world = World::new(None);
    let _entered = enter(Rc::clone(&world.executor));
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let (again, executor) = (Rc::clone(&own), Rc::clone(&world.executor));
    let spawned = Rc::new(Cell::new(false));
    let done = Rc::clone(&spawned);
    let guard = OnDrop(move || {
        if let Some(handle) = &*again.borrow() {
            handle.abort();
            assert!(!handle.is_finished());
        }
        let done = Rc::clone(&done);
        Rc::clone(&executor)
            .spawn(
                async move { done.set(true) },
                Name::OfType,
                Location::caller(),
            )
            .detach();
    });
    let handle = world.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    *own.borrow_mut() = Some(handle);
    world.run();
    own.borrow().as_ref().unwrap().abort();
    assert_eq!(world.run(), 0);
    let mut handle = own.borrow_mut().take().unwrap();
    assert!(matches!(poll_once(&mut handle), Poll::Ready(Err(error)) if error.is_aborted()));
    world.run();
    assert!(spawned.get());
}

#[test]
fn abort_of_self_counts_from_the_next_turn_and_loses_against_an_end() {
    let world = World::new(None);
    for ends in [false, true] {
        let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
        let me = Rc::clone(&own);
        let handle = world.spawn(std::future::poll_fn(move |_| {
            me.borrow().as_ref().unwrap().abort();
            if ends { Poll::Ready(()) } else { Poll::Pending }
        }));
        *own.borrow_mut() = Some(handle);
        assert_eq!(world.run(), 1);
        assert_eq!(own.borrow().as_ref().unwrap().is_finished(), ends);
        assert_eq!(world.run(), 0, "it is dropped, not polled");
        let mut handle = own.borrow_mut().take().unwrap();
        match poll_once(&mut handle) {
            Poll::Ready(Ok(())) => assert!(ends, "an end before the drop keeps its result"),
            Poll::Ready(Err(error)) => assert!(!ends && error.is_aborted()),
            Poll::Pending => panic!("the handle was not told"),
        }
    }
    assert_eq!(world.executor.counts().0, 0);
}

#[test]
fn a_dropped_handle_detaches_and_a_cancelling_one_aborts() {
    let world = World::new(None);
    let dropped = Rc::new(Cell::new(0));
    let task = |dropped: &Rc<Cell<i32>>| {
        let dropped = Rc::clone(dropped);
        let guard = OnDrop(move || dropped.set(dropped.get() + 1));
        async move {
            let _guard = guard;
            pending::<()>().await;
        }
    };
    drop(world.spawn(task(&dropped)));
    world.spawn(task(&dropped)).detach();
    let cancelling = world.spawn(task(&dropped)).cancel_on_drop();
    world.run();
    assert!(!cancelling.is_finished());
    drop(cancelling);
    assert_eq!(dropped.get(), 0, "the drop itself only asks");
    world.run();
    assert_eq!((dropped.get(), world.executor.counts().0), (1, 2));
}

#[test]
fn a_handle_wakes_its_last_poller_once() {
    let world = World::new(None);
    let mut handle = world.spawn(async { 7 });
    let counts = [0, 1].map(|_| Arc::new(Count(AtomicU64::new(0))));
    for count in [&counts[0], &counts[0], &counts[1]] {
        let waker = Waker::from(Arc::clone(count));
        assert!(
            Pin::new(&mut handle)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(
        Arc::strong_count(&counts[0]),
        1,
        "the first waker was let go"
    );
    world.run();
    assert_eq!(counts.map(|count| count.0.load(Ordering::SeqCst)), [0, 1]);
    assert!(matches!(poll_once(&mut handle), Poll::Ready(Ok(7))));
}

/// Wakers of tasks and of strangers are kept in two places.
#[test]
fn whoever_polled_a_handle_last_is_woken_be_it_a_task_or_a_stranger() {
    for order in 0..8 {
        let world = World::new(None);
        let _entered = enter(Rc::clone(&world.executor));
        let _waits = world.spawn(pending::<()>());
        let own = waker(world.first_ticket());
        let counter = Arc::new(Count::default());
        let stranger = Waker::from(Arc::clone(&counter));
        let mut handle = world.spawn(async { 3 });
        let is_own = |poll: i32| order >> poll & 1 == 1;
        for poll in 0..3 {
            let waker = if is_own(poll) { &own } else { &stranger };
            let mut cx = Context::from_waker(waker);
            assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
        }
        assert_eq!(world.run(), 1);
        let woken = (
            world.executor.ready_count(),
            counter.0.load(Ordering::Relaxed),
        );
        assert_eq!(woken, if is_own(2) { (1, 0) } else { (0, 1) }, "{order}");
        assert!(matches!(poll_once(&mut handle), Poll::Ready(Ok(3))));
        drop(stranger);
        assert_eq!(Arc::strong_count(&counter), 1, "{order}");
    }
}

#[test]
fn a_name_lasts_as_long_as_its_task() {
    let world = World::new(None);
    let spawn = |name: Option<&'static str>| {
        let executor = Rc::clone(&world.executor);
        let name = name.map_or(Name::OfType, |name| Name::Given(name.into()));
        executor.spawn(async {}, name, Location::caller())
    };
    for name in [Some("one"), None, Some("two"), Some("three"), None] {
        let handle = spawn(name);
        let info = world.executor.info(handle.ticket()).unwrap();
        match name {
            Some(name) => assert_eq!(info.name, name),
            None => assert!(info.name.contains("async_block") || info.name.contains("closure")),
        }
        world.run();
        assert!(world.executor.info(handle.ticket()).is_none());
        assert!(world.executor.infos().is_empty());
    }
}
