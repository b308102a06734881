//! A request's place among those that are answered now.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use super::close_reason::CloseReason;
use super::connection::Connection;
use super::handler::Handler;
use super::in_flight::{Entered, InLine};
use super::state::Shared;
use super::transport::Transport;
use crate::runtime::Sleep;
use crate::sync::SemaphorePermit;

/// Counts a request as running, also when its connection is aborted.
pub(super) struct Running<'a, H> {
    shared: &'a Shared<H>,
    place: Entered<'a>,
}

impl<'a, H> Running<'a, H> {
    #[inline]
    pub(super) fn new(shared: &'a Shared<H>, place: Entered<'a>) -> Self {
        let counts = &shared.counts;
        counts.requests_total.set(counts.requests_total.get() + 1);
        counts
            .requests_running
            .set(counts.requests_running.get() + 1);
        Running { shared, place }
    }
}

impl<H> Drop for Running<'_, H> {
    #[inline]
    fn drop(&mut self) {
        let running = &self.shared.counts.requests_running;
        running.set(running.get() - 1);
        // To the first in line, if there is one.
        self.place = None;
        tell_of_room(self.shared);
    }
}

/// Tells who waits for places, last of all.
struct TellOfRoom<'a, H>(&'a Shared<H>);

impl<H> Drop for TellOfRoom<'_, H> {
    fn drop(&mut self) {
        tell_of_room(self.0);
    }
}

fn tell_of_room<H>(shared: &Shared<H>) {
    if shared.in_flight.ends_pause() {
        shared.wake_watcher();
    }
}

impl<T: Transport, H: Handler> Connection<T, H> {
    /// Waits for a place for the request, if the policy has it wait. `None`
    /// if it is to be refused.
    pub(super) async fn wait_for_place<'a>(
        &mut self,
        shared: &'a Shared<H>,
    ) -> Result<Option<Running<'a, H>>, CloseReason> {
        let place = match shared.in_flight.line_up() {
            Some(line) => self.wait_in_line(shared, line).await?,
            None => None,
        };
        if place.is_none() {
            shared.in_flight.refuse(self.now());
        }
        Ok(place.map(|place| Running::new(shared, Some(place))))
    }

    /// Waits for its turn, for as long as the client does. `None` if that
    /// took too long.
    async fn wait_in_line<'a>(
        &mut self,
        shared: &'a Shared<H>,
        line: InLine<'a>,
    ) -> Result<Option<SemaphorePermit<'a>>, CloseReason> {
        // Dropped in this order from below: a place that was given to it and
        // not taken goes back first.
        let _teller = TellOfRoom(shared);
        let mut line = line;
        let now = self.now();
        let deadline = line.wait_max.and_then(|limit| now.checked_add(limit));
        let mut late = pin!(Sleep::new(Rc::clone(self.parts()), deadline));
        self.wait(|connection, cx| {
            if let Poll::Ready(Ok(place)) = Pin::new(&mut line.turn).poll(cx) {
                return Poll::Ready(Ok(Some(place)));
            }
            if late.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(None));
            }
            // Answers to earlier requests must not wait with this one.
            if let Poll::Ready(Err(reason)) = connection.poll_flush(cx) {
                return Poll::Ready(Err(reason));
            }
            connection.poll_presence(cx).map(Err)
        })
        .await
    }
}
