//! What a request, a wake, a spawn and a timer may allocate, counted on the loop's thread.
//!
//! In a binary of its own, because the counting allocator serves a whole process. The figures are
//! invariant 14 of ARCHITECTURE.md, and they are exact: one more is a regression.

// mio's poll(2) back end allocates when it arms a socket again, so there two
// tests are left out, and what they need.
#![cfg_attr(mio_unsupported_force_poll_poll, allow(dead_code, unused_imports))]
#![allow(clippy::unwrap_used, missing_docs)]
#![expect(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tourbillon::server::{Config, Handler, Overload, Request, Server};
use tourbillon::sync::CancellationToken;
use tourbillon::watch::Level;
use tourbillon::web::Router;
use tourbillon::{Builder, Runtime, Watchdog, sleep, spawn, spawn_blocking, timeout, yield_now};

const ROUNDS: u64 = 10_000;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes that are not given back yet.
    static HELD: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; the count is a plain cell of this
// thread, constant at first and without a destructor, so counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        HELD.set(HELD.get() + layout.size().cast_signed());
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size().cast_signed());
        // SAFETY: the caller keeps the promises of `dealloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        HELD.set(HELD.get() + size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller keeps the promises of `realloc`, and `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `rounds` allocate when all is warm.
async fn count(mut rounds: impl AsyncFnMut(u64)) -> u64 {
    rounds(1000).await;
    let before = COUNT.get();
    rounds(ROUNDS).await;
    COUNT.get() - before
}

/// What requests to `app` allocate on the loop's thread, written `deep` at a time.
fn count_requests<H: Handler>(app: H, path: &'static str, deep: u64) -> u64 {
    count_requests_on(Runtime::builder(), app, path, deep)
}

/// The same on a loop that somebody watches, perhaps.
fn count_requests_on<H: Handler>(builder: Builder, app: H, path: &'static str, deep: u64) -> u64 {
    let config = Config {
        address: "127.0.0.1:0".parse().unwrap(),
        signals: false,
        requests_per_connection_max: u64::MAX,
        // A limit that is not reached.
        requests_in_flight_max: 2,
        overload: Overload::Queue {
            len_max: 10,
            wait_max: Duration::from_secs(1),
        },
        ..Config::default()
    };
    let mut runtime = builder.build().unwrap();
    let reach = runtime.handle();
    runtime.block_on(async {
        let mut server = Server::new(app, config);
        server.startup().await.unwrap();
        let address = server.local_addr().unwrap();
        let handle = server.handle();
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nuser-agent: b\r\n\r\n");
            let batch = request.repeat(deep as usize);
            // Asking allocates here and not on the loop's thread, or not at all.
            let counted = || {
                let answer = Arc::new(AtomicU64::new(u64::MAX));
                let told = Arc::clone(&answer);
                let tell = move || told.store(COUNT.get(), Ordering::Release);
                reach.call(tell).unwrap();
                while answer.load(Ordering::Acquire) == u64::MAX {
                    thread::yield_now();
                }
                answer.load(Ordering::Acquire)
            };
            let mut reply = vec![0; 512 * deep as usize];
            let mut run = |requests: u64| {
                for _ in 0..requests / deep {
                    stream.write_all(batch.as_bytes()).unwrap();
                    let mut got = 0;
                    let mut answers = 0;
                    while answers < deep {
                        got += stream.read(&mut reply[got..]).unwrap();
                        let text = &reply[..got];
                        answers = text.windows(13).filter(|w| w == b"Hello, World!").count() as u64;
                    }
                }
            };
            run(1000);
            // The second asking finds the queues it goes through warm.
            counted();
            let before = counted();
            run(ROUNDS);
            let after = counted();
            handle.stop();
            after - before
        });
        server.main_loop().await;
        server.shutdown().await.unwrap();
        client.join().unwrap()
    })
}

#[cfg(not(mio_unsupported_force_poll_poll))]
#[test]
fn a_request_to_a_direct_handler_allocates_nothing() {
    let direct = || async |_: Request| "Hello, World!";
    assert_eq!(count_requests(direct(), "/", 1), 0);
    assert_eq!(count_requests(direct(), "/", 10), 0);
}

#[cfg(not(mio_unsupported_force_poll_poll))]
#[test]
fn a_request_through_the_router_allocates_once() {
    let app = || Router::new().get("/hello", async |_| "Hello, World!");
    let counted = count_requests(app(), "/hello", 1);
    assert!(counted <= ROUNDS, "{counted} for {ROUNDS} requests");
    let counted = count_requests(app(), "/hello", 10);
    assert!(counted <= ROUNDS, "{counted} for {ROUNDS} requests");
}

#[cfg(not(mio_unsupported_force_poll_poll))]
#[test]
fn a_request_on_a_loop_that_is_watched_allocates_nothing_more() {
    for level in [Level::Lean, Level::Full] {
        let watched = || Runtime::builder().watchdog(Watchdog::new()).record(level);
        let direct = async |_: Request| "Hello, World!";
        assert_eq!(count_requests_on(watched(), direct, "/", 1), 0);
        assert_eq!(count_requests_on(watched(), direct, "/", 10), 0);
    }
}

#[test]
fn an_allocation_in_a_handler_is_counted() {
    let counted = count_requests(async |_: Request| String::from("Hello, World!"), "/", 1);
    assert!(counted >= ROUNDS, "{counted} for {ROUNDS} requests");
}

#[test]
fn a_wake_allocates_nothing() {
    let counted = Runtime::new().unwrap().block_on(async {
        // Of itself, and of another task, there and back.
        let turn = Rc::new(Cell::new(0_u64));
        let wakers = Rc::new(Cell::new(None));
        let (their_turn, their_wakers) = (Rc::clone(&turn), Rc::clone(&wakers));
        let other = spawn(poll_fn(move |cx| {
            their_turn.set(their_turn.get() + 1);
            let waiting: Option<std::task::Waker> = their_wakers.replace(Some(cx.waker().clone()));
            waiting.into_iter().for_each(std::task::Waker::wake);
            Poll::<()>::Pending
        }));
        let counted = count(async |rounds| {
            for _ in 0..rounds {
                yield_now().await;
                let wanted = turn.get() + 1;
                poll_fn(|cx| {
                    if turn.get() >= wanted {
                        return Poll::Ready(());
                    }
                    let waiting = wakers.replace(Some(cx.waker().clone()));
                    waiting.into_iter().for_each(std::task::Waker::wake);
                    Poll::Pending
                })
                .await;
            }
        });
        let counted = counted.await;
        drop(other);
        counted
    });
    assert_eq!(counted, 0);
}

#[test]
fn a_spawned_and_joined_task_allocates_once_and_its_result_once_more() {
    let counted = Runtime::new().unwrap().block_on(count(async |rounds| {
        for _ in 0..rounds {
            spawn(yield_now()).await.unwrap();
        }
    }));
    assert_eq!(counted, ROUNDS, "nothing is no result");
    let counted = Runtime::new().unwrap().block_on(count(async |rounds| {
        for round in 0..rounds {
            assert_eq!(spawn(async move { round }).await.unwrap(), round);
        }
    }));
    assert_eq!(counted, 2 * ROUNDS);
}

#[test]
fn an_awaited_job_allocates_once_and_the_loop_frees_it() {
    let (counted, left) = Runtime::new().unwrap().block_on(async {
        let mut held = 0;
        let counted = count(async |rounds| {
            held = HELD.get();
            for round in 0..rounds {
                assert_eq!(spawn_blocking(move || round).await.unwrap(), round);
            }
        })
        .await;
        (counted, HELD.get() - held)
    });
    assert_eq!((counted, left), (ROUNDS, 0));
}

#[test]
fn a_sleep_whose_deadline_moves_allocates_nothing() {
    let counted = Runtime::new().unwrap().block_on(async {
        let mut timer = sleep(Duration::from_secs(100));
        count(async |rounds| {
            for round in 0..rounds {
                let delay = Duration::from_secs(100) + Duration::from_millis(round);
                timer.reset(Instant::now() + delay);
                poll_fn(|cx| {
                    assert!(Pin::new(&mut timer).poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }
        })
        .await
    });
    assert_eq!(counted, 0);
}

/// A server's token may have a child per connection, and successors without end.
#[test]
fn children_of_a_token_give_all_their_memory_back() {
    let root = CancellationToken::new();
    let before = (HELD.get(), COUNT.get());
    for _ in 0..1_000_000 {
        drop(root.child_token());
    }
    assert_eq!(HELD.get(), before.0, "a million, one after the other");
    assert_eq!(COUNT.get() - before.1, 1_000_000, "one allocation each");

    let children: Vec<_> = (0..100_000).map(|_| root.child_token()).collect();
    assert!(HELD.get() - before.0 > 100_000 * 100);
    drop(children);
    assert_eq!(HELD.get(), before.0, "a hundred thousand at once");

    let mut last = root.child_token();
    let one = HELD.get();
    for _ in 0..100_000 {
        last = last.child_token();
    }
    assert_eq!(
        HELD.get(),
        one,
        "each made by the one before, which is gone"
    );
    root.cancel();
    assert!(last.is_cancelled());
    drop(last);
    assert_eq!(HELD.get(), before.0);
}

#[test]
fn a_timeout_that_does_not_pass_allocates_nothing() {
    let counted = Runtime::new().unwrap().block_on(count(async |rounds| {
        for _ in 0..rounds {
            timeout(Duration::from_secs(100), yield_now())
                .await
                .unwrap();
        }
    }));
    assert_eq!(counted, 0);
}
