//! The runtimes under test, and what is asked of them.

pub(crate) mod local_pool;
pub(crate) mod monoio;
pub(crate) mod ours;
pub(crate) mod smol;
pub(crate) mod tokio;

use std::future::Future;
use std::task::Context;
use std::time::Instant;

/// A runtime under test. What takes no `self` goes to the one that runs on
/// this thread. A panic ends the program, so a task that ends has ended well.
pub(crate) trait Peer {
    const NAME: &'static str;
    type Task: Future;

    fn new() -> Self;
    fn block_on<F: Future>(&mut self, future: F) -> F::Output;
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task;
}

/// One whose tasks may hold an `Rc`.
pub(crate) trait LocalPeer: Peer {
    fn spawn_local(future: impl Future<Output = ()> + 'static) -> Self::Task;
    /// Spawns a task that nobody waits for.
    fn launch(future: impl Future<Output = ()> + 'static) {
        drop(Self::spawn_local(future));
    }
    fn yield_now() -> impl Future<Output = ()> + 'static;
}

/// One with the channels that its programs use.
pub(crate) trait ChannelPeer: LocalPeer {
    type Sender: 'static;
    type Receiver: 'static;
    type OnceSender: 'static;
    type OnceReceiver: 'static;

    /// A channel that holds one value.
    fn channel() -> (Self::Sender, Self::Receiver);
    async fn send(sender: &mut Self::Sender);
    async fn recv(receiver: &mut Self::Receiver);
    fn oneshot() -> (Self::OnceSender, Self::OnceReceiver);
    fn send_once(sender: Self::OnceSender);
    async fn recv_once(receiver: Self::OnceReceiver);
}

/// One with timers.
pub(crate) trait TimerPeer: LocalPeer {
    type Timer: Future + 'static;

    /// A timer that is not filed yet.
    fn timer(at: Instant) -> Self::Timer;
    /// The same, where it need not be moved any more.
    fn sleep_until(at: Instant) -> impl Future + 'static {
        Self::timer(at)
    }
    /// Cancels the timer, and files a fresh one.
    fn renew(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>);
    /// The same, but in its memory.
    fn replace(timer: &mut Self::Timer, at: Instant, cx: &mut Context<'_>) {
        Self::renew(timer, at, cx);
    }
    /// Moves a filed timer.
    fn move_to(timer: &mut Self::Timer, at: Instant);
    /// Lifts what limits the operations of one poll.
    fn unlimited<F: Future>(future: F) -> impl Future<Output = F::Output> {
        future
    }
}

/// One with threads for work that blocks.
pub(crate) trait PoolPeer: LocalPeer {
    /// Hands in a job that does nothing.
    fn start_job() -> impl Future + 'static;
}
