//! monoio on epoll, with the channels of `local-sync`.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use local_sync::mpsc::bounded;
use local_sync::oneshot;
use monoio::blocking::DefaultThreadPool;
use monoio::task::JoinHandle;
use monoio::time::{Sleep, TimeDriver};
use monoio::{LegacyDriver, RuntimeBuilder};

use super::{ChannelPeer, LocalPeer, Peer, PoolPeer, TimerPeer};

/// It has no number of its own for its pool; this is ours, and libuv's.
const WORKERS: usize = 4;

pub(crate) struct Monoio(monoio::Runtime<TimeDriver<LegacyDriver>>);

impl Peer for Monoio {
    const NAME: &'static str = "monoio";
    type Task = JoinHandle<()>;

    fn new() -> Self {
        let runtime = RuntimeBuilder::<LegacyDriver>::new()
            .attach_thread_pool(Box::new(DefaultThreadPool::new(WORKERS)))
            .enable_timer()
            .build();
        Monoio(runtime.expect("the system allows a poll"))
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        monoio::spawn(future)
    }
}

impl LocalPeer for Monoio {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        monoio::spawn(future)
    }

    /// It has none of its own.
    fn yield_now() -> impl Future<Output = ()> + 'static {
        futures_lite::future::yield_now()
    }
}

impl ChannelPeer for Monoio {
    type Sender = bounded::Tx<()>;
    type Receiver = bounded::Rx<()>;
    type OnceSender = oneshot::Sender<()>;
    type OnceReceiver = oneshot::Receiver<()>;

    fn channel() -> (Self::Sender, Self::Receiver) {
        bounded::channel(1)
    }

    async fn send(sender: &mut Self::Sender) {
        assert!(sender.send(()).await.is_ok(), "the other side is there");
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

impl TimerPeer for Monoio {
    type Timer = Pin<Box<Sleep>>;

    fn timer(at: Instant) -> Self::Timer {
        Box::pin(monoio::time::sleep_until(at.into()))
    }

    fn sleep_until(at: Instant) -> impl Future + 'static {
        monoio::time::sleep_until(at.into())
    }

    fn renew(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        *timer = Self::timer(at);
        assert!(timer.as_mut().poll(cx).is_pending());
    }

    fn replace(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        timer.set(monoio::time::sleep_until(at.into()));
        assert!(timer.as_mut().poll(cx).is_pending());
    }

    fn move_to(timer: &mut Self::Timer, at: Instant) {
        timer.as_mut().reset(at.into());
    }
}

impl PoolPeer for Monoio {
    fn start_job() -> impl Future + 'static {
        monoio::spawn_blocking(|| black_box(()))
    }
}
