//! `LocalPool` of the futures crate: an executor alone, with no poll, timers or
//! threads.

use std::cell::RefCell;
use std::future::Future;

use futures::SinkExt;
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::executor::LocalSpawner;
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;

use super::{ChannelPeer, LocalPeer, Peer};

thread_local! {
    static SPAWNER: RefCell<Option<LocalSpawner>> = const { RefCell::new(None) };
}

pub(crate) struct LocalPool(futures::executor::LocalPool);

impl LocalPool {
    fn with_spawner<T>(spawn: impl FnOnce(&LocalSpawner) -> T) -> T {
        SPAWNER.with_borrow(|spawner| spawn(spawner.as_ref().expect("the pool is made first")))
    }
}

impl Peer for LocalPool {
    const NAME: &'static str = "LocalPool";
    type Task = RemoteHandle<()>;

    fn new() -> Self {
        let pool = futures::executor::LocalPool::new();
        SPAWNER.set(Some(pool.spawner()));
        LocalPool(pool)
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.run_until(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Self::spawn_local(future)
    }
}

impl LocalPeer for LocalPool {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task {
        let task = Self::with_spawner(|spawner| spawner.spawn_local_with_handle(future));
        task.expect("the pool is there")
    }

    fn launch(future: impl Future<Output = ()> + 'static) {
        let spawned = Self::with_spawner(|spawner| spawner.spawn_local(future));
        spawned.expect("the pool is there");
    }

    /// It has none of its own.
    fn yield_now() -> impl Future<Output = ()> + 'static {
        futures_lite::future::yield_now()
    }
}

impl ChannelPeer for LocalPool {
    type Sender = mpsc::Sender<()>;
    type Receiver = mpsc::Receiver<()>;
    type OnceSender = oneshot::Sender<()>;
    type OnceReceiver = oneshot::Receiver<()>;

    /// Each sender adds one to what it holds.
    fn channel() -> (Self::Sender, Self::Receiver) {
        mpsc::channel(0)
    }

    async fn send(sender: &mut Self::Sender) {
        // `send` would flush, which here waits until the value is taken.
        sender.feed(()).await.expect("the other side is there");
    }

    async fn recv(receiver: &mut Self::Receiver) {
        receiver.next().await.expect("the other side is there");
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
