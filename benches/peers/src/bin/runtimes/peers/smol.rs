//! smol's parts, put together as its programs do: `LocalExecutor`, `async-io`
//! and `blocking`.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

use async_executor::{LocalExecutor, Task};
use async_io::Timer;
use futures::channel::oneshot;

use super::{ChannelPeer, LocalPeer, Peer, PoolPeer, TimerPeer};

thread_local! {
    static EXECUTOR: RefCell<Rc<LocalExecutor<'static>>> = RefCell::default();
}

pub(crate) struct Smol(Rc<LocalExecutor<'static>>);

impl Peer for Smol {
    const NAME: &'static str = "smol";
    type Task = Task<()>;

    fn new() -> Self {
        let executor = Rc::new(LocalExecutor::new());
        EXECUTOR.replace(Rc::clone(&executor));
        Smol(executor)
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        async_io::block_on(self.0.run(future))
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Self::spawn_local(future)
    }
}

impl LocalPeer for Smol {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        EXECUTOR.with_borrow(|executor| executor.spawn(future))
    }

    fn launch(future: impl Future<Output = ()> + 'static) {
        Self::spawn_local(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + 'static {
        futures_lite::future::yield_now()
    }
}

/// It has no oneshot of its own; that of futures is cheaper than a channel of
/// one.
impl ChannelPeer for Smol {
    type Sender = async_channel::Sender<()>;
    type Receiver = async_channel::Receiver<()>;
    type OnceSender = oneshot::Sender<()>;
    type OnceReceiver = oneshot::Receiver<()>;

    fn channel() -> (Self::Sender, Self::Receiver) {
        async_channel::bounded(1)
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

impl TimerPeer for Smol {
    type Timer = Timer;

    fn timer(at: Instant) -> Self::Timer {
        Timer::at(at)
    }

    fn renew(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        *timer = Timer::at(at);
        assert!(Pin::new(timer).poll(cx).is_pending());
    }

    fn move_to(timer: &mut Self::Timer, at: Instant) {
        timer.set_at(at);
    }
}

impl PoolPeer for Smol {
    fn start_job() -> impl Future + 'static {
        blocking::unblock(|| black_box(()))
    }
}
