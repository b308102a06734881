//! The executor, alone: no loop, no kernel, no clock.

#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails where it should"
)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use super::kept::{Outcome, TaskFuture};
use super::tasks::{CheckedOut, Executor, Name};
use super::ticket::{GENERATION_MAX, SLOT_MAX, Ticket};
use super::waker::{Registration, enter, register, waker};
use super::{JoinError, JoinHandle};
use crate::watch::Noted;

mod handles;
mod model;
mod wakers;

/// An executor with a number of its own, and the wakes that came from afar.
struct World {
    executor: Rc<Executor>,
    remote: Arc<Mutex<Vec<Ticket>>>,
    _registration: Registration,
}

impl World {
    fn new(seed: Option<u64>) -> Self {
        let remote = Arc::new(Mutex::new(Vec::new()));
        let inbox = Arc::clone(&remote);
        let registration = register(move |ticket| inbox.lock().unwrap().push(ticket)).unwrap();
        World {
            executor: Rc::new(Executor::new(registration.number(), seed, None)),
            remote,
            _registration: registration,
        }
    }

    fn spawn<F: Future + 'static>(&self, future: F) -> JoinHandle<F::Output> {
        Rc::clone(&self.executor).spawn(future, Name::OfType, Location::caller())
    }

    /// Polls what is queued now, once, as a turn does. Returns how many polls that were.
    fn run(&self) -> usize {
        let mut polls = 0;
        for _ in 0..self.executor.begin_batch() {
            match self.executor.check_out() {
                CheckedOut::Task(ticket, mut future, seat) => {
                    polls += 1;
                    let waker = waker(ticket);
                    match future.as_mut().poll_boxed(&mut Context::from_waker(&waker)) {
                        Poll::Pending => seat.check_in(future, Noted::default(), 0),
                        Poll::Ready(output) => self.end(ticket, future, Ok(output)),
                    }
                }
                CheckedOut::Aborted(ticket, future) => {
                    self.end(ticket, future, Err(JoinError::aborted()));
                }
                CheckedOut::Root(_) | CheckedOut::Vacant => {}
            }
        }
        polls
    }

    /// Ends a task as a turn does.
    fn end(&self, ticket: Ticket, future: TaskFuture, outcome: Outcome) {
        drop(future);
        let left = self.executor.retire(ticket, outcome);
        if let Some(waker) = left.waiting {
            waker.wake();
        }
        drop(left.outcome);
    }

    /// The ticket of the next task in the queue, which stays pending.
    fn first_ticket(&self) -> Ticket {
        match self.executor.check_out() {
            CheckedOut::Task(ticket, future, seat) => {
                seat.check_in(future, Noted::default(), 0);
                ticket
            }
            _ => panic!("the first in the queue is no task"),
        }
    }

    fn remote_count(&self) -> usize {
        self.remote.lock().unwrap().len()
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}
