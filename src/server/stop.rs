//! Telling a server to stop, from any thread.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Stops a server, from any thread.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tourbillon::server::{Config, Server};
///
/// let address = "127.0.0.1:0".parse()?;
/// let config = Config { address, signals: false, ..Config::default() };
/// let server = Server::new(async |_request| "Hello!", config);
/// let handle = server.handle();
/// std::thread::spawn(move || handle.stop());
/// tourbillon::Runtime::new()?.block_on(server.run())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerHandle(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    times: u32,
    waker: Option<Waker>,
}

impl ServerHandle {
    /// Asks the server to stop: it accepts no more and lets what runs end,
    /// for [`graceful_timeout`](super::Config::graceful_timeout) at most.
    /// Asked a second time, it waits no longer.
    pub fn stop(&self) {
        let mut asked = self.lock();
        asked.times = asked.times.saturating_add(1);
        let waker = asked.waker.take();
        drop(asked);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until it was asked this many times.
    pub(super) async fn asked(&self, times: u32) {
        poll_fn(|cx| {
            let mut asked = self.lock();
            if asked.times >= times {
                return Poll::Ready(());
            }
            let replaced = asked.waker.replace(cx.waker().clone());
            drop(asked);
            drop(replaced);
            Poll::Pending
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
