//! tourbillon.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tourbillon::sync::{channel, oneshot};

use super::{ChannelPeer, LocalPeer, Peer, PoolPeer, TimerPeer};

pub(crate) struct Ours(tourbillon::Runtime);

impl Peer for Ours {
    const NAME: &'static str = "ours";
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

    fn yield_now() -> impl Future<Output = ()> + 'static {
        tourbillon::yield_now()
    }
}

impl ChannelPeer for Ours {
    type Sender = channel::Sender<()>;
    type Receiver = channel::Receiver<()>;
    type OnceSender = oneshot::Sender<()>;
    type OnceReceiver = oneshot::Receiver<()>;

    fn channel() -> (Self::Sender, Self::Receiver) {
        channel::bounded(1)
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
}

impl PoolPeer for Ours {
    fn start_job() -> impl Future + 'static {
        tourbillon::spawn_blocking(|| black_box(()))
    }
}
