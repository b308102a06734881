//! Several addresses, one connection: Happy Eyeballs (RFC 8305).
//!
//! ```text
//!   0 ms    [2001:db8::1] ────────────────── no answer ──────── dropped
//! 250 ms             198.51.100.1 ───── refused
//!   at once                       [2001:db8::2] ──── connected
//! ```
//!
//! One address is tried after the other, and none is waited for to the end.
//! The next attempt starts 250 ms after the last, or at once when that has
//! failed. Whoever is there first wins; the others are dropped, which closes
//! their sockets.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::runtime::{Sleep, sleep};

/// RFC 8305, section 5: the Connection Attempt Delay.
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Attempts under way at a time. A name may stand for hundreds of addresses,
/// and one that drops everything holds an attempt for two minutes.
pub(super) const ATTEMPTS_MAX: usize = 16;

/// The addresses that failed, with their reasons, in the order of failing.
pub(super) type Failures = Vec<(SocketAddr, io::Error)>;

/// Orders the addresses of a name so that the families take turns (RFC 8305,
/// section 4). The one that the resolver put first begins: IPv6 where the
/// machine has a route, unless its owner chose otherwise.
pub(super) fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else {
        return addresses;
    };
    let (leading, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first);
    let (mut leading, mut other) = (leading.into_iter(), other.into_iter());
    let mut ordered = Vec::with_capacity(leading.len() + other.len());
    while leading.len() + other.len() > 0 {
        ordered.extend(leading.next());
        ordered.extend(other.next());
    }
    ordered
}

/// Connects to the first of `addresses` that answers, by `start`.
pub(super) async fn race<T, F: Future<Output = io::Result<T>>>(
    addresses: &[SocketAddr],
    start: impl FnMut(SocketAddr) -> F,
) -> Result<T, Failures> {
    let mut race = Race {
        waiting: addresses.iter(),
        start,
        running: Vec::new(),
        pause: None,
        failed: Vec::new(),
    };
    poll_fn(|cx| race.poll(cx)).await
}

struct Race<'a, S, F> {
    waiting: slice::Iter<'a, SocketAddr>,
    start: S,
    /// In the order of starting.
    running: Vec<(SocketAddr, Pin<Box<F>>)>,
    /// Until the next may start; `None` is now.
    pause: Option<Sleep>,
    failed: Failures,
}

impl<T, S, F> Race<'_, S, F>
where
    S: FnMut(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Failures>> {
        loop {
            if let Some(winner) = self.poll_running(cx) {
                return Poll::Ready(Ok(winner));
            }
            if self.running.is_empty() && self.waiting.as_slice().is_empty() {
                return Poll::Ready(Err(std::mem::take(&mut self.failed)));
            }
            if !self.may_start(cx) {
                return Poll::Pending;
            }
            let Some(&address) = self.waiting.next() else {
                return Poll::Pending;
            };
            let attempt = Box::pin((self.start)(address));
            self.running.push((address, attempt));
            self.pause = Some(sleep(ATTEMPT_DELAY));
        }
    }

    /// Looks at those under way, and takes out those that have failed.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<T> {
        let mut at = 0;
        while let Some((_, attempt)) = self.running.get_mut(at) {
            match attempt.as_mut().poll(cx) {
                Poll::Pending => at += 1,
                Poll::Ready(Ok(winner)) => return Some(winner),
                Poll::Ready(Err(error)) => {
                    if at + 1 == self.running.len() {
                        self.pause = None;
                    }
                    let (address, _) = self.running.remove(at);
                    self.failed.push((address, error));
                }
            }
        }
        None
    }

    fn may_start(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waiting.as_slice().is_empty() || self.running.len() >= ATTEMPTS_MAX {
            return false;
        }
        match &mut self.pause {
            Some(pause) => Pin::new(pause).poll(cx).is_ready(),
            None => true,
        }
    }
}
