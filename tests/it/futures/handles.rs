//! Join handles: results, aborts, panics, and who is told of them.

use tourbillon::JoinHandle;

use super::*;
use crate::support::{Grenade, OnDrop, text_of};

#[test]
fn a_handle_gives_the_result_to_whichever_task_polls_it() {
    block_on(|| async {
        let worker = spawn(async {
            yield_now().await;
            String::from("done")
        });
        let shared = Rc::new(RefCell::new(Some(worker)));
        let taken = Rc::clone(&shared);
        // One task polls the handle first, another takes it over.
        let first = spawn(poll_fn(move |cx| {
            let _ = Pin::new(taken.borrow_mut().as_mut().unwrap()).poll(cx);
            Poll::Ready(())
        }));
        first.await.unwrap();
        let handle = shared.take().unwrap();
        let second = spawn(async move { handle.await.unwrap() });
        assert_eq!(second.await.unwrap(), "done");
    });
}

#[test]
fn an_aborted_task_is_dropped_and_says_so() {
    let mut rt = Runtime::new().unwrap();
    let dropped = Rc::new(Cell::new(false));
    let drops = Rc::clone(&dropped);
    let mut task = rt.spawn(async move {
        let _guard = OnDrop(move || drops.set(true));
        pending::<()>().await;
    });
    rt.run_until_stalled().unwrap();
    task.abort();
    task.abort();
    assert!(
        !dropped.get() && !task.is_finished(),
        "asking drops nothing yet"
    );
    rt.turn(Some(Duration::ZERO)).unwrap();
    assert!(dropped.get());
    let Poll::Ready(Err(error)) = poll_once(&mut task) else {
        panic!("no result")
    };
    assert!(error.is_aborted() && error.into_panic().is_err());

    let mut done = rt.spawn(async { 3 });
    rt.run_until_stalled().unwrap();
    done.abort();
    rt.run_until_stalled().unwrap();
    assert!(
        matches!(poll_once(&mut done), Poll::Ready(Ok(3))),
        "an ended task keeps its result"
    );
    let again = caught(move || poll_once(&mut done));
    assert!(text_of(&*again.unwrap_err()).contains("after it gave its result"));
}

#[test]
fn a_task_may_abort_itself_and_cancel_its_children() {
    let mut rt = Runtime::new().unwrap();
    let own: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
    let (me, child_dropped) = (Rc::clone(&own), Rc::new(Cell::new(false)));
    let drops = Rc::clone(&child_dropped);
    let parent = rt.spawn(async move {
        let child = spawn(async move {
            let _guard = OnDrop(move || drops.set(true));
            pending::<()>().await;
        });
        let _child = child.cancel_on_drop();
        yield_now().await;
        me.borrow().as_ref().unwrap().abort();
        pending::<()>().await;
    });
    *own.borrow_mut() = Some(parent);
    rt.run_until_stalled().unwrap();
    assert!(own.borrow().as_ref().unwrap().is_finished() && child_dropped.get());
    assert_eq!(rt.stats().tasks_alive, 0);
}

#[test]
fn a_panic_is_a_value_of_the_handle() {
    let mut rt = Runtime::new().unwrap();
    let mut task = rt.spawn(async { panic!("the mainspring {}", "broke") });
    let mut grenade = rt.spawn(async { std::panic::panic_any(Grenade) });
    let after = rt.spawn(async { 1 });
    rt.run_until_stalled().unwrap();
    assert!(after.is_finished());
    assert_eq!((rt.stats().panics, rt.stats().tasks_alive), (2, 0));
    let Poll::Ready(Err(error)) = poll_once::<JoinHandle<()>>(&mut task) else {
        panic!("lost")
    };
    assert!(error.is_panic() && error.to_string().contains("the mainspring broke"));
    assert_eq!(
        text_of(&*error.into_panic().unwrap()),
        "the mainspring broke"
    );
    let Poll::Ready(Err(error)) = poll_once::<JoinHandle<()>>(&mut grenade) else {
        panic!("lost")
    };
    std::mem::forget(error.into_panic().unwrap());
    // Detached, the payload's drop is the loop's to survive.
    rt.spawn(async { std::panic::panic_any(Grenade) }).detach();
    rt.run_until_stalled().unwrap();
    assert_eq!(rt.block_on(async { 4 }), 4);
}

/// Once a fault: the result is stored from inside of the task's future, so a panic of the
/// awaiter's waker counts as one of the task, and takes the place of its result.
#[test]
fn a_result_survives_a_waker_that_panics() {
    let mut rt = Runtime::new().unwrap();
    let mut task = rt.spawn(async { 5 });
    let waker = Foreign::waker(|| panic!("the awaiter's waker"), || ());
    assert!(
        Pin::new(&mut task)
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    rt.run_until_stalled().unwrap();
    assert_eq!(rt.stats().panics, 1);
    assert!(
        matches!(poll_once(&mut task), Poll::Ready(Ok(5))),
        "the task itself was fine"
    );
}
