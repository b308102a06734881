//! The runtimes under test: ours, and tokio's three ways to run on one thread.

use std::fmt::Debug;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

/// A runtime under test. What takes no `self` goes to the one that runs on
/// this thread.
pub(crate) trait Peer {
    const NAME: &'static str;
    type Fault: Debug;
    type Task: Future<Output = Result<(), Self::Fault>>;

    fn new() -> Self;
    fn block_on<F: Future>(&mut self, future: F) -> F::Output;
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task;
}

/// One whose tasks may hold an `Rc`.
pub(crate) trait LocalPeer: Peer {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task;
    /// Hands in a job that does nothing, and waits for it.
    async fn run_job();
}

/// One with timers.
pub(crate) trait TimerPeer: Peer {
    type Timer;

    /// A timer that is not filed yet.
    fn timer(at: Instant) -> Self::Timer;
    /// Cancels the timer, and files a fresh one.
    fn renew(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>);
    /// The same, but in its memory.
    fn replace(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        Self::renew(timer, at, cx);
    }
    /// Moves a filed timer.
    fn move_to(timer: &mut Self::Timer, at: Instant);
    /// Lifts what limits the operations of one poll.
    fn unlimited<F: Future>(future: F) -> impl Future<Output = F::Output>;
}

pub(crate) struct Ours(tourbillon::Runtime);

impl Peer for Ours {
    const NAME: &'static str = "ours";
    type Fault = tourbillon::JoinError;
    type Task = tourbillon::JoinHandle<()>;

    fn new() -> Self {
        Ours(tourbillon::Runtime::new().expect("the system allows a poll"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        tourbillon::spawn(future)
    }
}

impl LocalPeer for Ours {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        tourbillon::spawn(future)
    }

    async fn run_job() {
        let job = tourbillon::spawn_blocking(|| black_box(()));
        job.await.expect("a job that does nothing succeeds");
    }
}

impl TimerPeer for Ours {
    type Timer = tourbillon::Sleep;

    fn timer(at: Instant) -> Self::Timer {
        tourbillon::sleep_until(at)
    }

    fn renew(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        *timer = tourbillon::sleep_until(at);
        assert!(Pin::new(timer).poll(cx).is_pending());
    }

    fn move_to(timer: &mut Self::Timer, at: Instant) {
        timer.reset(at);
    }

    fn unlimited<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }
}

fn tokio_builder() -> tokio::runtime::Builder {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    builder
}

async fn run_tokio_job() {
    let job = tokio::task::spawn_blocking(|| black_box(()));
    job.await.expect("a job that does nothing succeeds");
}

pub(crate) struct LocalRuntime(tokio::runtime::LocalRuntime);

impl Peer for LocalRuntime {
    const NAME: &'static str = "LocalRuntime";
    type Fault = tokio::task::JoinError;
    type Task = tokio::task::JoinHandle<()>;

    fn new() -> Self {
        let runtime = tokio_builder().build_local(Default::default());
        LocalRuntime(runtime.expect("the system allows a poll"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Self::spawn_local(future)
    }
}

impl LocalPeer for LocalRuntime {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        tokio::task::spawn_local(future)
    }

    async fn run_job() {
        run_tokio_job().await;
    }
}

impl TimerPeer for LocalRuntime {
    type Timer = Pin<Box<tokio::time::Sleep>>;

    fn timer(at: Instant) -> Self::Timer {
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn renew(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        *timer = Self::timer(at);
        assert!(timer.as_mut().poll(cx).is_pending());
    }

    fn replace(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        timer.set(tokio::time::sleep_until(at.into()));
        assert!(timer.as_mut().poll(cx).is_pending());
    }

    fn move_to(timer: &mut Self::Timer, at: Instant) {
        timer.as_mut().reset(at.into());
    }

    fn unlimited<F: Future>(future: F) -> impl Future<Output = F::Output> {
        tokio::task::unconstrained(future)
    }
}

pub(crate) struct LocalSet(tokio::runtime::Runtime, tokio::task::LocalSet);

impl Peer for LocalSet {
    const NAME: &'static str = "LocalSet";
    type Fault = tokio::task::JoinError;
    type Task = tokio::task::JoinHandle<()>;

    fn new() -> Self {
        let runtime = tokio_builder().build().expect("the system allows a poll");
        LocalSet(runtime, tokio::task::LocalSet::new())
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.1.block_on(&self.0, future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Self::spawn_local(future)
    }
}

impl LocalPeer for LocalSet {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        tokio::task::spawn_local(future)
    }

    async fn run_job() {
        run_tokio_job().await;
    }
}

pub(crate) struct CurrentThread(tokio::runtime::Runtime);

impl Peer for CurrentThread {
    const NAME: &'static str = "tokio::spawn";
    type Fault = tokio::task::JoinError;
    type Task = tokio::task::JoinHandle<()>;

    fn new() -> Self {
        CurrentThread(tokio_builder().build().expect("the system allows a poll"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        tokio::spawn(future)
    }
}
