//! Every order in which two ends can act.

use std::rc::Rc;

use super::super::oneshot::{Receiver, RecvError, Sender, TryRecvError, channel};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Send,
    DropSender,
    PollClosed,
    Close,
    DropReceiver,
    Poll,
    TryRecv,
}

const ACTS: [Act; 7] = [
    Act::Send,
    Act::DropSender,
    Act::PollClosed,
    Act::Close,
    Act::DropReceiver,
    Act::Poll,
    Act::TryRecv,
];

/// Where the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    NotSent,
    Sent,
    Gone,
}

struct World {
    sender: Option<Sender<Rc<()>>>,
    receiver: Option<Receiver<Rc<()>>>,
    bells: [Arc<Bell>; 2],
    waiting: [bool; 2],
    value: Value,
    is_closed: bool,
    /// The value, and as many clones as there should be.
    count: Rc<()>,
}

impl World {
    fn act(&mut self, act: Act) {
        let bells = self.bells.clone().map(Waker::from);
        let [mut for_sender, mut for_receiver] = [&bells[0], &bells[1]].map(Context::from_waker);
        match act {
            Act::Send => {
                let Some(sender) = self.sender.take() else {
                    return;
                };
                let sent = sender.send(Rc::clone(&self.count));
                assert_eq!(sent.is_err(), self.is_closed);
                if !self.is_closed {
                    self.value = Value::Sent;
                }
                self.sender_is_gone();
            }
            Act::DropSender => {
                if self.sender.take().is_some() {
                    self.sender_is_gone();
                }
            }
            Act::PollClosed => {
                let Some(sender) = &mut self.sender else {
                    return;
                };
                let over = sender.poll_closed(&mut for_sender).is_ready();
                assert_eq!((over, sender.is_closed()), (self.is_closed, self.is_closed));
                self.waiting[0] = !over;
            }
            Act::Close => {
                let Some(receiver) = &mut self.receiver else {
                    return;
                };
                receiver.close();
                self.is_closed = true;
                self.is_told(0);
                self.is_told(1);
            }
            Act::DropReceiver => {
                if self.receiver.take().is_some() {
                    self.is_closed = true;
                    self.value = Value::Gone;
                    self.waiting[1] = false;
                    self.is_told(0);
                }
            }
            Act::Poll | Act::TryRecv => {
                let Some(receiver) = &mut self.receiver else {
                    return;
                };
                let expected = match (self.value, self.is_closed || self.sender.is_none()) {
                    (Value::Sent, _) => Ok(()),
                    (_, true) => Err(TryRecvError::Closed),
                    (_, false) => Err(TryRecvError::Empty),
                };
                if expected.is_ok() {
                    self.value = Value::Gone;
                }
                if act == Act::TryRecv {
                    return assert_eq!(receiver.try_recv().map(drop), expected);
                }
                let polled = Pin::new(receiver).poll(&mut for_receiver);
                self.waiting[1] = polled.is_pending();
                match polled {
                    Poll::Pending => assert_eq!(expected, Err(TryRecvError::Empty)),
                    Poll::Ready(Ok(_)) => assert_eq!(expected, Ok(())),
                    Poll::Ready(Err(RecvError)) => {
                        assert_eq!(expected, Err(TryRecvError::Closed));
                    }
                }
            }
        }
    }

    fn sender_is_gone(&mut self) {
        self.waiting[0] = false;
        self.is_told(1);
    }

    /// One end hears of the other, if it waits.
    fn is_told(&mut self, end: usize) {
        let woken = self.bells[end].0.swap(false, Ordering::SeqCst);
        assert_eq!(woken, std::mem::take(&mut self.waiting[end]));
    }

    fn check(&self) {
        assert!(self.bells.iter().all(|bell| !bell.0.load(Ordering::SeqCst)));
        let values = 1 + usize::from(self.value == Value::Sent);
        assert_eq!(Rc::strong_count(&self.count), values);
        // An end that is gone leaves no waker.
        for (bell, gone) in [(0, self.sender.is_none()), (1, self.receiver.is_none())] {
            assert!(!gone || Arc::strong_count(&self.bells[bell]) == 1);
        }
    }
}

/// All orders of six acts, of seven kinds.
#[test]
fn both_ends_do_what_the_model_does_in_every_order() {
    for order in 0..7_usize.pow(6) {
        let (sender, receiver) = channel();
        let mut world = World {
            sender: Some(sender),
            receiver: Some(receiver),
            bells: Default::default(),
            waiting: [false; 2],
            value: Value::NotSent,
            is_closed: false,
            count: Rc::new(()),
        };
        for place in 0..6 {
            world.act(ACTS[order / 7_usize.pow(place) % 7]);
            world.check();
        }
    }
}
