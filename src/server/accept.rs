//! Accepting connections, as far as the limits allow.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::connection::Connection;
use super::handler::Handler;
use super::listeners::Accepted;
use super::server::Server;
use super::state::{Place, ServerState};
use super::transport::Transport;
use super::turn_away::turn_away;
use crate::runtime::{current, sleep, spawn_as};

/// How long accepting rests after an error that a listener has no answer to.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many clients at once are told that there is no room. Each costs a
/// descriptor for as long as it takes to listen; more are closed without a
/// word.
const TURNED_AWAY_AT_ONCE_MAX: usize = 64;

impl<H: Handler> Server<H> {
    /// Accepts all that wait, as far as the limits allow.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(pause) = &mut self.accept_pause {
                if Pin::new(pause).poll(cx).is_pending() {
                    return;
                }
                self.accept_pause = None;
            }
            let config = &self.shared.config;
            let is_full = self.shared.counts.connections_open.get() >= config.connections_max;
            let waits = is_full && !config.refuse_connections;
            if waits || self.shared.in_flight.pauses_accepting() {
                self.shared.note_watcher(cx);
                return;
            }
            let Some(listeners) = &mut self.listeners else {
                return;
            };
            match listeners.poll_accept(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(Accepted::Tcp(stream, peer))) => {
                    self.take_in(stream, Some(peer), is_full);
                }
                Poll::Ready(Ok(Accepted::Unix(stream))) => self.take_in(stream, None, is_full),
                Poll::Ready(Err(error)) => {
                    log::error!("A connection was not accepted: {error}");
                    self.accept_pause = Some(sleep(ACCEPT_PAUSE));
                }
            }
        }
    }

    fn take_in<T: Transport>(&self, stream: T, peer: Option<SocketAddr>, is_full: bool) {
        if is_full {
            self.refuse(stream);
            return;
        }
        let place = Place::take(Rc::clone(&self.shared), peer, current().now());
        let open = Rc::clone(&place.open);
        let connection = Connection::new(stream, place);
        let task = spawn_as(|| "http connection", connection.run());
        let set = open.task.set(task);
        debug_assert!(set.is_ok(), "a connection has one task");
    }

    fn refuse<T: Transport>(&self, stream: T) {
        let counts = &self.shared.counts;
        let refused = counts.connections_refused.get() + 1;
        counts.connections_refused.set(refused);
        let Some(leaving) = Leaving::new(counts) else {
            return;
        };
        let config = &self.shared.config;
        let date = *self.shared.date(current().now());
        let telling = turn_away(stream, config.retry_after, &date, config.linger_timeout);
        spawn_as(|| "http refusal", async move {
            telling.await;
            drop(leaving);
        })
        .detach();
    }
}

/// A place among those who are told to go.
struct Leaving(Rc<ServerState>);

impl Leaving {
    fn new(counts: &Rc<ServerState>) -> Option<Self> {
        let leaving = counts.connections_leaving.get();
        (leaving < TURNED_AWAY_AT_ONCE_MAX).then(|| {
            counts.connections_leaving.set(leaving + 1);
            Leaving(Rc::clone(counts))
        })
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let leaving = &self.0.connections_leaving;
        leaving.set(leaving.get() - 1);
    }
}
