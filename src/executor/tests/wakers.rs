//! Where a wake goes: by thread, by what is entered, by who is still alive.

use super::*;

#[test]
fn a_ticket_keeps_its_three_parts_apart() {
    for runtime in [0, 1, 0x8000, u16::MAX] {
        for generation in [0, 1, GENERATION_MAX] {
            for slot in [0, 1, 0xFF_FFFE, SLOT_MAX] {
                let ticket = Ticket::new(runtime, generation, slot);
                let again = Ticket::from_bits(ticket.to_bits());
                let parts = (again.runtime(), again.generation(), again.slot());
                assert_eq!(parts, (runtime, generation, slot));
            }
        }
    }
}

#[test]
fn wakers_are_equal_if_their_tickets_are() {
    let (a, b) = (Ticket::new(1, 0, 5), Ticket::new(1, 1, 5));
    assert!(waker(a).will_wake(&waker(a)));
    assert!(waker(a).will_wake(&waker(a).clone()));
    assert!(!waker(a).will_wake(&waker(b)));
    assert!(!waker(a).will_wake(Waker::noop()));
    let (moved, here) = (waker(a), waker(a));
    let elsewhere = thread::spawn(move || moved.clone()).join().unwrap();
    assert!(here.will_wake(&elsewhere));
}

#[test]
fn a_wake_goes_straight_to_the_entered_executor_and_else_through_the_registry() {
    let (one, two) = (World::new(None), World::new(None));
    let _first = one.spawn(pending::<()>());
    let _second = two.spawn(pending::<()>());
    let (a, b) = (one.first_ticket(), two.first_ticket());

    let entered = enter(Rc::clone(&one.executor));
    waker(a).wake();
    assert_eq!((one.executor.ready_count(), one.remote_count()), (1, 0));
    waker(b).wake();
    assert_eq!((two.executor.ready_count(), two.remote_count()), (0, 1));
    {
        let _nested = enter(Rc::clone(&two.executor));
        waker(b).wake();
        assert_eq!((two.executor.ready_count(), two.remote_count()), (1, 1));
        waker(a).wake();
        assert_eq!((one.executor.ready_count(), one.remote_count()), (1, 1));
    }
    waker(b).wake();
    assert_eq!(
        two.remote_count(),
        2,
        "the guard gave the first executor back"
    );
    drop(entered);
    waker(a).wake();
    assert_eq!(one.remote_count(), 2, "nothing is entered any more");
    let elsewhere = waker(a);
    thread::spawn(move || elsewhere.wake()).join().unwrap();
    assert_eq!(*one.remote.lock().unwrap(), [a, a, a]);
}

#[test]
fn a_panic_gives_back_what_was_entered() {
    let (one, two) = (World::new(None), World::new(None));
    let _task = one.spawn(pending::<()>());
    let ticket = one.first_ticket();
    let _entered = enter(Rc::clone(&one.executor));
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _nested = enter(Rc::clone(&two.executor));
        panic!("through the guard");
    }));
    assert!(unwound.is_err());
    waker(ticket).wake();
    assert_eq!((one.executor.ready_count(), one.remote_count()), (1, 0));
}

#[test]
fn a_wake_for_a_runtime_that_is_gone_does_nothing() {
    let world = World::new(None);
    let _task = world.spawn(pending::<()>());
    let (kept, wakes) = (waker(world.first_ticket()), Arc::clone(&world.remote));
    kept.wake_by_ref();
    assert_eq!(wakes.lock().unwrap().len(), 1);
    drop(world);
    kept.wake_by_ref();
    assert_eq!(wakes.lock().unwrap().len(), 1);
    assert_eq!(
        Arc::strong_count(&wakes),
        1,
        "the registry let go of the runtime's wake"
    );
    // Numbers that never were are nobody's either.
    waker(Ticket::new(0, 0, 0)).wake();
    waker(Ticket::new(u16::MAX, 0, 0)).wake();
}

#[test]
fn a_number_does_not_come_again_soon() {
    let first = register(|_| ()).unwrap();
    let number = first.number();
    drop(first);
    for _ in 0..1000 {
        let next = register(|_| ()).unwrap();
        assert!(next.number() != number && next.number() != 0);
    }
}

#[test]
fn a_dropped_registration_may_wake_from_its_own_drop() {
    struct WakesWhenDropped(Waker);
    impl Drop for WakesWhenDropped {
        fn drop(&mut self) {
            self.0.wake_by_ref();
            drop(register(|_| ()).unwrap());
        }
    }
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let held = WakesWhenDropped(waker(Ticket::new(1, 0, 1)));
        let registration = register(move |_| held.0.wake_by_ref()).unwrap();
        drop(registration);
        done.send(()).unwrap();
    });
    ended
        .recv_timeout(Duration::from_secs(30))
        .expect("the registry was locked across a drop");
}

#[test]
fn a_thread_local_that_wakes_when_destroyed_does_no_harm() {
    struct WakesWhenDropped(RefCell<Vec<Waker>>);
    impl Drop for WakesWhenDropped {
        fn drop(&mut self) {
            self.0.borrow().iter().for_each(Waker::wake_by_ref);
        }
    }
    thread_local! {
        static EARLY: WakesWhenDropped = const { WakesWhenDropped(RefCell::new(Vec::new())) };
        static LATE: WakesWhenDropped = const { WakesWhenDropped(RefCell::new(Vec::new())) };
    }
    static WAKES: AtomicU64 = AtomicU64::new(0);
    let registration = register(|_| {
        WAKES.fetch_add(1, Ordering::SeqCst);
    })
    .unwrap();
    let ticket = Ticket::new(registration.number(), 0, 1);
    thread::spawn(move || {
        // One is registered for destruction before the executor's own local, one after.
        EARLY.with(|held| held.0.borrow_mut().push(waker(ticket)));
        drop(enter(Rc::new(Executor::new(
            ticket.runtime().wrapping_add(1).max(1),
            None,
            None,
        ))));
        LATE.with(|held| held.0.borrow_mut().push(waker(ticket)));
    })
    .join()
    .unwrap();
    assert_eq!(
        WAKES.load(Ordering::SeqCst),
        2,
        "both went through the registry"
    );
}

#[test]
fn wakes_by_state_of_the_task() {
    let world = World::new(None);
    let _entered = enter(Rc::clone(&world.executor));
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let polls = Rc::new(Cell::new(0));
    let (hold, count) = (Rc::clone(&kept), Rc::clone(&polls));
    let handle = world.spawn(std::future::poll_fn(move |cx| {
        count.set(count.get() + 1);
        *hold.borrow_mut() = Some(cx.waker().clone());
        match count.get() {
            2 => {
                cx.waker().wake_by_ref();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            4 => {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }));
    let wake = || kept.borrow().as_ref().unwrap().wake_by_ref();
    assert_eq!(world.run(), 1, "spawning queues it");
    assert_eq!(world.run(), 0, "nobody woke it");
    (0..5).for_each(|_| wake());
    assert_eq!(world.executor.ready_count(), 1, "five wakes are one entry");
    assert_eq!(world.run(), 1);
    assert_eq!(world.run(), 1, "it woke itself during the poll");
    assert_eq!(world.run(), 0);
    wake();
    assert_eq!(world.run(), 1, "the last poll");
    assert!(handle.is_finished());
    assert_eq!(world.run(), 0, "the wake during the last poll finds nobody");
    wake();
    assert_eq!(
        (world.run(), world.executor.ready_count(), polls.get()),
        (0, 0, 4)
    );
}

#[test]
fn a_crowd_lasts_until_its_last_task_is_checked_out() {
    for (alive, large) in [(256, false), (257, true)] {
        let world = World::new(None);
        let entered = enter(Rc::clone(&world.executor));
        let tasks: Vec<_> = (0..alive).map(|_| world.spawn(pending::<()>())).collect();
        let tickets: Vec<_> = tasks.iter().map(|_| world.first_ticket()).collect();
        for (count, is_crowd) in [(40, large), (16, large), (15, false), (1, false)] {
            world.executor.expect_woken(count);
            for ticket in &tickets[..count] {
                waker(*ticket).wake();
            }
            // The kernel is asked again before all of them were polled.
            world.executor.expect_woken(0);
            for left in (0..count).rev() {
                world.first_ticket();
                assert_eq!(world.executor.is_in_crowd(), is_crowd && left > 0);
            }
        }
        drop((tasks, entered));
    }
}
