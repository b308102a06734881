//! tokio's three ways to run on one thread.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{ChannelPeer, LocalPeer, Peer, PoolPeer, TimerPeer};

/// A runtime whose tasks may hold an `Rc`.
pub(crate) struct Local<R>(R);

pub(crate) type LocalRuntime = Local<tokio::runtime::LocalRuntime>;
pub(crate) type LocalSet = Local<(Runtime, tokio::task::LocalSet)>;

pub(crate) struct CurrentThread(Runtime);

fn builder() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    builder
}

fn runtime() -> Runtime {
    builder().build().expect("the system allows a poll")
}

impl Peer for LocalRuntime {
    const NAME: &'static str = "LocalRuntime";
    type Task = JoinHandle<()>;

    fn new() -> Self {
        let runtime = builder().build_local(Default::default());
        Local(runtime.expect("the system allows a poll"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Self::spawn_local(future)
    }
}

impl Peer for LocalSet {
    const NAME: &'static str = "LocalSet";
    type Task = JoinHandle<()>;

    fn new() -> Self {
        Local((runtime(), tokio::task::LocalSet::new()))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.1.block_on(&self.0.0, future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Self::spawn_local(future)
    }
}

impl Peer for CurrentThread {
    const NAME: &'static str = "tokio::spawn";
    type Task = JoinHandle<()>;

    fn new() -> Self {
        CurrentThread(runtime())
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        tokio::spawn(future)
    }
}

impl<R> LocalPeer for Local<R>
where
    Local<R>: Peer<Task = JoinHandle<()>>,
{
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        tokio::task::spawn_local(future)
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        tokio::task::yield_now()
    }
}

impl<R> ChannelPeer for Local<R>
where
    Local<R>: LocalPeer,
{
    type Sender = mpsc::Sender<()>;
    type Receiver = mpsc::Receiver<()>;
    type OnceSender = oneshot::Sender<()>;
    type OnceReceiver = oneshot::Receiver<()>;

    fn channel() -> (Self::Sender, Self::Receiver) {
        mpsc::channel(1)
    }

    async fn send(sender: &mut Self::Sender) {
        sender.send(()).await.expect("the other side is there");
    }

    async fn recv(receiver: &mut Self::Receiver) {
        receiver.recv().await.expect("the other side is there");
    }

    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver) {
        oneshot::channel()
    }

    fn send_once(sender: Self::OnceSender) {
        sender.send(()).expect("the other side is there");
    }

    async fn recv_once(receiver: Self::OnceReceiver) {
        receiver.await.expect("the other side is there");
    }
}

impl<R> TimerPeer for Local<R>
where
    Local<R>: LocalPeer,
{
    type Timer = Pin<Box<tokio::time::Sleep>>;

    fn timer(at: Instant) -> Self::Timer {
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn sleep_until(at: Instant) -> impl Future + 'static {
        tokio::time::sleep_until(at.into())
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

impl<R> PoolPeer for Local<R>
where
    Local<R>: LocalPeer,
{
    fn start_job() -> impl Future + 'static {
        tokio::task::spawn_blocking(|| black_box(()))
    }
}
